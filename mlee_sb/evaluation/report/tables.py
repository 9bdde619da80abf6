"""Make the tables of the report from what `evaluate` found: the text of each entry, and the value to sort it by."""

from mlee_sb.evaluation import paper
from mlee_sb.evaluation.annotators import MEAN, OWN
from mlee_sb.evaluation.coverage import WANTED
from mlee_sb.evaluation.metrics import DECISIONS, DISTRIBUTIONS, POSTERIORS, PRESENT, SCORES, SELECTIVE, SETS, scores_of
from mlee_sb.evaluation.report.choice import choice
from mlee_sb.evaluation.report.claims import comparisons, exploratory
from mlee_sb.evaluation.report.entries import (
    NOTHING,
    Entry,
    Table,
    between,
    estimate_entry,
    meanings,
    names_of,
    percent,
    score_entry,
    share_entry,
    text_entry,
)

CHANCE, HUMAN = "always the most frequent emotion", "a listener against the others"
NAMES = ["row", "target", "train set"]
OF_DECISIONS = scores_of(DECISIONS)
OF_EXISTENCE = {"auc": "AUC", "average_precision": "average precision", "f1": "F1"}


def all_tables(found: dict) -> list[Table]:
    """Return every table of the report, in the order of the page, without tables that have no row and without empty columns."""
    makers = (
        table3,
        comparisons,
        choice,
        exploratory,
        recalls,
        sets,
        distributions,
        posteriors,
        selective,
        coverage,
        existence,
        annotators,
        test_sets,
        ambiguity,
        over_folds,
        table1,
        training,
    )
    tables = [table(found) for table in makers]
    return [table.without_empty_columns() for table in tables if table.rows]


def table3(found: dict) -> Table:
    """Return WA, UA and macro-F1 of each row and train set, beside the paper's figures, chance and the human ceiling."""
    why = found["why_no_figures_of_the_paper"]
    rows = [
        [*names_of(cell), *(estimate_entry(cell["pooled"][name]) for name in OF_DECISIONS), *_papers(cell, why), *_shares(cell)]
        for cell in found["cells"]
    ]
    chance, human, empty = found["chance"], found["human"], text_entry(NOTHING)
    rows.append([*_only(CHANCE), share_entry(chance["wa"]), share_entry(chance["ua"]), *[empty] * 5])
    rows.append([*_only(HUMAN), *(estimate_entry(human[name]) for name in OF_DECISIONS), *[empty] * 4])
    of_human = "the score as a share of what one listener scores against the others"
    return Table(
        "table3",
        f"{'Table 3: r' if found['declared']['of_the_paper'] else 'R'}ecognition of the dominant emotion, in %",
        [*NAMES, *meanings(OF_DECISIONS), "WA, paper", "UA, paper", "WA, share of human", "UA, share of human"],
        rows,
        [
            f"Over the {found['n']} test utterances with a dominant emotion, all folds pooled. {_interval_words(found)}",
            f"The paper's figures are left out: {why}."
            if why
            else f"Columns of the paper: table 3 of {paper.CITATION} (no intervals are given there).",
            f"Human: {human['source']}. A model with a share of 100 agrees with the listeners as much as they agree with one another.",
        ],
        {
            "target": "what the row learns from votes: hard, the dominant emotion alone; soft, the shares of the votes",
            "train set": "dominant: the training utterances that have a dominant emotion; all: the others, too. With a hard target both "
            "are the same utterances, so one stage stands for both",
            **meanings(OF_DECISIONS),
            "WA, share of human": of_human,
            "UA, share of human": of_human,
        },
    )


def recalls(found: dict) -> Table:
    """Return the recall of each emotion."""
    rows = [[*names_of(cell), *(estimate_entry(cell["recall"][emotion]) for emotion in found["emotions"])] for cell in found["cells"]]
    notes = ["Recall: the share of the utterances with this dominant emotion that are decided rightly."]
    return Table("recalls", "Recall of each emotion, in %", [*NAMES, *found["emotions"]], rows, notes)


def sets(found: dict) -> Table:
    """Return how rightly the sets of emotions are told that listeners heard."""
    k = len(found["emotions"])
    notes = [
        f"Over the test utterances with a vote for one of these {k} emotions, with a dominant emotion or without. An emotion is heard "
        f"where more than 1 / {k} of the votes for these emotions are for it. A posterior says so of an emotion with a probability above "
        f"1 / {k}, a row that learnt existence from {PRESENT:g} on. Such a row may have learnt that fewer votes are enough: the table of "
        "existence judges it by what it learnt.",
        "Votes for other emotions are left out, and so are utterances that have no other votes.",
    ]
    return _of_theme(found, SETS, "Sets of emotions, in %", notes)


def distributions(found: dict) -> Table:
    """Return how near the posteriors are to the shares of the votes."""
    notes = [
        "Over the test utterances with a vote for one of these emotions, with a dominant emotion or without. Votes for other emotions are "
        "left out. Lower is better for divergences and for cross entropy, higher for cosine and for the correlation.",
        *_weights_words(found),
    ]
    return _of_theme(found, DISTRIBUTIONS, "Distributions: posteriors beside the votes", notes)


def posteriors(found: dict) -> Table:
    """Return how far to trust the posteriors, beyond their decisions."""
    notes = ["Over the test utterances with a dominant emotion. Lower is better in every column.", *_weights_words(found)]
    return _of_theme(found, POSTERIORS, "Posteriors", notes)


def selective(found: dict) -> Table:
    """Return what a model gains that may name two emotions, or may refuse to answer."""
    notes = [
        "Over the test utterances with a dominant emotion. How sure a row is, is its largest probability: of the posterior, or of "
        "existence for a row that learnt only that.",
    ]
    return _of_theme(found, SELECTIVE, "Selective answers, in %", notes)


def _of_theme(found: dict, theme: str, title: str, notes: list[str]) -> Table:
    """Return the table of the scores of a theme, with the cells that have such scores."""
    names = scores_of(theme)
    rows = [
        [*names_of(cell), *(score_entry(cell["pooled"], name) for name in names)] for cell in found["cells"] if names[0] in cell["pooled"]
    ]
    return Table(theme, title, [*NAMES, *meanings(names)], rows, notes, meanings(names))


def _weights_words(found: dict) -> list[str]:
    if found["class_weights_undone"]:
        return []
    return [
        "With class weights, posteriors are those of a corpus whose emotions are equally frequent. With --undo_class_weights they are "
        "those of this corpus."
    ]


def coverage(found: dict) -> Table:
    """Return how often candidates hold the dominant emotion: over all folds, and in each one."""
    rows = [[*names_of(cell), *_coverage(cell["coverage"])] for cell in found["cells"] if cell["coverage"]]
    wanted = f"{100 * WANTED:g}%"
    header = [*NAMES, "calibrated on", "all folds", "candidates", "lowest fold", "highest fold", "folds that held", "each fold"]
    notes = [
        f"Share of test utterances whose dominant emotion is among the candidates at {wanted}, in %, and the mean number of candidates.",
        f"A fold tests few speakers, so it may be below {wanted} by chance: where a calibration is right, about half of the folds hold it. "
        "The lowest fold tells how far a single model was off.",
        "Calibrated on validation: the validation speakers of the fold. Cross: also its training speakers, each judged by a model that did "
        "not hear it. No test speaker is in either.",
    ]
    terms = {"candidates": "how many emotions an answer names in the mean: the fewer, the more it tells"}
    return Table("coverage", f"Candidates at {wanted}, fold by fold", header, rows, notes, terms)


def _coverage(found: dict) -> list[Entry]:
    shares = [fold["share"] for fold in found["folds"]]
    return [
        text_entry(" and ".join(found["methods"])),
        share_entry(found["share"]),
        Entry(f"{found['mean_size']:.2f}", found["mean_size"]),
        share_entry(min(shares)),
        share_entry(max(shares)),
        text_entry(f"{found['held']} of {len(shares)}"),
        text_entry(", ".join(f"{fold['fold']}: {percent(fold['share'])}" for fold in found["folds"])),
    ]


def existence(found: dict) -> Table:
    """Return how well the MLEE stages know which emotions are present."""
    rows = [
        [*names_of(cell), text_entry(title), *(estimate_entry(cell["existence"][name][emotion]) for emotion in found["emotions"])]
        for cell in found["cells"]
        if cell["existence"]
        for name, title in OF_EXISTENCE.items()
    ]
    notes = [f"Over all {found['n_all']} test utterances, with a dominant emotion or without, in %."]
    terms = {
        OF_EXISTENCE["auc"]: "how often an utterance in which the emotion is present gets a higher probability of it than one in which it "
        "is not. Guessing has 50",
        OF_EXISTENCE["average_precision"]: "the mean of the precision over all thresholds. Guessing has the share of table 1",
        OF_EXISTENCE["f1"]: f"F1 of saying that the emotion is present from a probability of {PRESENT} on",
    }
    return Table("existence", "Existence of each emotion", [*NAMES, "score", *found["emotions"]], rows, notes, terms)


def annotators(found: dict) -> Table:
    """Return how well the rows that learn each annotator know them."""
    rows = [
        [
            *(*names_of(cell), text_entry(one["annotator"]), Entry(str(one["judgements"]), one["judgements"])),
            *(share_entry(one[name]) for name in (OWN, MEAN)),
        ]
        for cell in found["cells"]
        for one in cell["annotators"]
    ]
    header = [*NAMES, "annotator", "judgements", "said in their place", "said for all"]
    notes = ["How often an answer is one of the labels that the annotator gave, in %, over all folds and seeds. There are no intervals."]
    terms = {
        "said in their place": "the answer that the model learnt for this annotator",
        "said for all": "the answer of the model, from the mean over all annotators, for the same utterances",
    }
    return Table("annotators", "Accuracy for each annotator", header, rows, notes, terms)


def test_sets(found: dict) -> Table:
    """Return the scores on each test set of a corpus that has several."""
    names = (*OF_DECISIONS, "jensen_shannon", "existence_auc")
    rows = [
        [*names_of(cell), text_entry(name), *(score_entry(scores, score) for score in names)]
        for cell in found["cells"]
        for name, scores in cell["test_sets"].items()
    ]
    notes = [f"Utterances: {', '.join(f'{name} {n}' for name, n in found['test_sets'].items())}. All other tables are about all of them."]
    return Table("test_sets", "Scores on each test set", [*NAMES, "test set", *meanings(names)], rows, notes, meanings(names))


def ambiguity(found: dict) -> Table:
    """Return the scores where listeners agreed, and where they did not."""
    names = ("wa", "ua", "jensen_shannon", "existence_auc")
    rows = [
        [*names_of(cell), text_entry(third), *(score_entry(scores, name) for name in names)]
        for cell in found["cells"]
        for third, scores in cell["ambiguity"].items()
    ]
    low, high = found["thirds"]["ends_of_entropy"]
    sizes = ", ".join(f"{name} {n}" for name, n in found["thirds"]["n"].items())
    notes = [
        f"Thirds by the entropy of the votes: up to {low:.2f} bits agreed, above {high:.2f} bits disputed. Utterances of equal entropy "
        "stay together.",
        f"Utterances: {sizes}.",
        "JSD and existence AUC also count utterances without a dominant emotion.",
    ]
    return Table("ambiguity", "Scores by ambiguity", [*NAMES, "listeners", *meanings(names)], rows, notes, meanings(names))


def over_folds(found: dict) -> Table:
    """Return the mean over folds, and the scores of each seed."""
    rows = [
        [
            *names_of(cell),
            *(estimate_entry(cell["mean_over_folds"][name]) for name in OF_DECISIONS),
            *(text_entry(", ".join(percent(value) for value in cell["by_seed"][name])) for name in ("wa", "ua")),
            *(score_entry(cell["together"], name) for name in ("wa", "ua")),
        ]
        for cell in found["cells"]
    ]
    titles = [SCORES[name].title for name in OF_DECISIONS]
    together = [f"{title}, seeds together" for title in titles[:2]]
    header = [*NAMES, *(f"{title}, mean of folds" for title in titles), *(f"{title} of each seed" for title in titles[:2]), *together]
    terms = dict.fromkeys(together, "the score of the mean of the probabilities that the models of all seeds give")
    notes = ["Each fold has the same weight, however many utterances it tests.", *_folds_without_words(found)]
    return Table("over_folds", "Mean over the folds, and each seed, in %", header, rows, notes, {**meanings(OF_DECISIONS), **terms})


def _folds_without_words(found: dict) -> list[str]:
    """Return which folds lack which emotion: their UA is that of fewer emotions."""
    lacking = [
        f"{emotion} in {len(folds)} of {len(found['folds'])} folds ({', '.join(map(str, folds))})"
        for emotion, folds in found["folds_without"].items()
    ]
    if not lacking:
        return ["Every fold tests every emotion."]
    return [
        f"No test utterance with dominant {'; '.join(lacking)}. UA and macro-F1 of such a fold are means over its other emotions, and "
        "chance is higher there, so the means of folds have no interval. The pooled scores are over all emotions."
    ]


def table1(found: dict) -> Table:
    """Return in which share of the utterances each emotion exists."""
    why, emotions = found["why_no_figures_of_the_paper"], found["emotions"]
    rows = []
    for name, shares in found["table1"].items():
        rows.append([text_entry(f"{name} ({shares['n']})"), *(share_entry(shares[emotion]) for emotion in emotions)])
        if not why:
            rows.append([text_entry(f"{name}, paper"), *(Entry(f"{paper.TABLE_1[name][e]:.1f}", paper.TABLE_1[name][e]) for e in emotions)])
    notes = [
        "Of the test utterances of these folds: those with a dominant target emotion, and all.",
        *([f"The paper's shares are left out: {why}."] if why else []),
    ]
    return Table("table1", "Table 1: share of utterances in which an emotion exists, in %", ["utterances", *emotions], rows, notes)


def training(found: dict) -> Table:
    """Return on how much each row was trained, and for how long: from the fewest to the most over its folds and seeds."""
    rows = [
        [
            *names_of(cell),
            Entry(str(len(cell["trained"])), len(cell["trained"])),
            *(between(stage[name] for stage in cell["trained"]) for name in ("training", "selection", "epochs")),
            between((stage["seconds"] for stage in cell["trained"]), show=lambda seconds: f"{seconds / 60:.1f}"),
        ]
        for cell in found["cells"]
    ]
    header = [*NAMES, "models", "training utterances", "validation utterances", "epochs", "minutes"]
    terms = {
        "models": "one for each fold and seed",
        "training utterances": "what a model was fitted to",
        "validation utterances": "what its best epoch was chosen on",
        "epochs": "passes over the training set until the best epoch, which is kept",
        "minutes": "how long a model trained on the machine that it was trained on, without the encoders that it froze",
    }
    notes = ["Where two numbers stand, they are the fewest and the most over the folds and seeds."]
    return Table("training", "Training sets", header, rows, notes, terms)


def _only(name: str) -> list[Entry]:
    """Return the first entries of a line that is no row of the paper's table."""
    return [text_entry(name), text_entry(""), text_entry("")]


def _papers(cell: dict, why: str) -> list[Entry]:
    figures = None if why else paper.TABLE_3.get(cell["row"], {}).get(cell["train_set"])
    return [Entry(f"{figure:.1f}", figure) for figure in figures] if figures else [text_entry(NOTHING)] * 2


def _shares(cell: dict) -> list[Entry]:
    return [estimate_entry(cell["share_of_human"][name]) for name in ("wa", "ua")]


def _interval_words(found: dict) -> str:
    if found["why_no_intervals"]:
        return found["why_no_intervals"]
    bootstrap = found["bootstrap"]
    return (
        f"In brackets are {100 * bootstrap['confidence']:g}% intervals: bootstrap over the {found['n_speakers']} test speakers, "
        f"{bootstrap['resamples']} resamples, the same for all rows."
    )
