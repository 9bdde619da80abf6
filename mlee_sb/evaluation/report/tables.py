"""Make the tables of the report from what `evaluate` found: the text of each entry, and the value to sort it by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mlee_sb.evaluation import paper
from mlee_sb.evaluation.comparisons import POWER, ROUNDING
from mlee_sb.evaluation.coverage import WANTED
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.targets import SOFTMAX

NOTHING = "–"
CHANCE, HUMAN = "always the most frequent emotion", "a listener against the others"


@dataclass(frozen=True)
class Entry:
    """The text of a cell of a table, and the value to sort it by; None for text."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table with a title, and notes for its reader. Every row has as many entries as the header has columns."""

    key: str
    title: str
    header: list[str]
    rows: list[list[Entry]]
    notes: list[str] = field(default_factory=list)


def all_tables(found: dict) -> list[Table]:
    """Return every table of the report, in the order of the page, without those that have no row."""
    tables = [
        table(found)
        for table in (table3, comparisons, exploratory, recalls, posteriors, coverage, existence, ambiguity, over_folds, table1)
    ]
    return [table for table in tables if table.rows]


def table3(found: dict) -> Table:
    """Return WA, UA and macro-F1 of each row and train set, beside the paper's figures, chance and the human ceiling."""
    why = found["why_no_figures_of_the_paper"]
    rows = [
        [*_names(cell), *(_estimate(cell["pooled"][name]) for name in ("wa", "ua", "macro_f1")), *_papers(cell, why), *_shares(cell)]
        for cell in found["cells"]
    ]
    chance, human = found["chance"], found["human"]
    rows.append([_text(CHANCE), _text(""), _text(""), _plain(chance["wa"]), _plain(chance["ua"]), *[_text(NOTHING)] * 5])
    rows.append([_text(HUMAN), _text(""), _text(""), *(_estimate(human[name]) for name in ("wa", "ua", "macro_f1")), *[_text(NOTHING)] * 4])
    return Table(
        "table3",
        "Table 3: recognition of the dominant emotion, in %",
        ["row", "target", "train set", "WA", "UA", "macro-F1", "WA, paper", "UA, paper", "WA, share of human", "UA, share of human"],
        rows,
        [
            f"Over the {found['n']} test utterances with a dominant emotion, all folds pooled. {_interval_words(found)}",
            f"Columns of the paper are empty: {why}."
            if why
            else "Columns of the paper: Ando et al. 2019, table 3 (no intervals are given there).",
            f"Human: {human['source']}. A model with a share of 100 agrees with the listeners as much as they agree with one another.",
            "With a hard target both train sets have the same utterances, so one stage stands for both.",
        ],
    )


def comparisons(found: dict) -> Table:
    """Return the claims that were declared beforehand: each MLEE row against dominant recognition with its target and train set."""
    claims = _claims(found)
    rows = [[*_compared(claim), _p(claim["p"]), _p(claim["p_holm"]), _plain(claim["detectable"]), _text(_units(claim))] for claim in claims]
    score, level = SCORES[found["primary"]].title, 1 - found["bootstrap"]["confidence"]
    notes = [
        f"{paper.CLAIMS} claims are declared before the figures are seen: MLEE pre-training, alone and in the fusion, changes {score}. The "
        f"corrected p counts all of them (Holm), also those that are missing here or cannot be tested. A difference is sure where the "
        f"corrected p is below {level:g}.",
        *_chosen_words(found),
        "Differences are in percentage points. p and interval come from one t test: difference / standard error, where the standard error "
        "is found by leaving out one unit at a time (jackknife). Units are the speakers, or the folds where these give the larger "
        "standard error, because the speakers of a fold are judged by one trained model. The degrees of freedom (df) are always those of "
        "the fewer units. Intervals are not corrected.",
        *_detectable_words(claims, level),
        verdict(found),
    ]
    header = ["row", "target", "train set", "against", "score", "difference", "p", "p, corrected", "detectable gain", "units"]
    return Table("comparisons", "Declared claims: MLEE pre-training and fusion against dominant recognition", header, rows, notes)


def exploratory(found: dict) -> Table:
    """Return all other comparisons, from which nothing can be concluded."""
    others = [comparison for comparison in found["comparisons"] if not comparison["declared"]]
    rows = [[*_compared(comparison), _p(comparison["p"]), _text(_units(comparison))] for comparison in others]
    notes = [
        "These comparisons were not declared beforehand, and are not corrected for their number: of twenty such lines without any true "
        "difference, one is expected to have p below 0.05. They may suggest what to test next, on other speakers. They prove nothing.",
    ]
    if found["class_weights_undone"]:
        notes.append("With the class weights undone no claim is declared: the claims are about the decisions as trained.")
    header = ["row", "target", "train set", "against", "score", "difference", "p, uncorrected", "units"]
    other = "" if found["class_weights_undone"] else "other "
    return Table("exploratory", f"Exploratory: all {other}differences between rows", header, rows, notes)


def verdict(found: dict) -> str:
    """Return what the declared claims show, in a sentence or two."""
    tested = [claim for claim in _claims(found) if claim["p_holm"] is not None]
    if not tested:
        return found["why_no_intervals"] or "None of the claims can be tested: one of the emotions comes from too few speakers."
    sure = [claim for claim in tested if claim["p_holm"] < 1 - found["bootstrap"]["confidence"]]
    if not sure:
        return "After correction, none of the claims is sure: with these speakers, no row can be called better than its baseline."
    return f"After correction, these claims are sure: {'; '.join(map(_in_words, sure))}." + (
        " The other claims are not sure." if len(sure) < len(tested) else ""
    )


def _claims(found: dict) -> list[dict]:
    return [comparison for comparison in found["comparisons"] if comparison["declared"]]


def _compared(comparison: dict) -> list[Entry]:
    score, baseline = SCORES[comparison["score"]].title, title_of(comparison["baseline"])
    return [*_names(comparison), _text(baseline), _text(score), _estimate(comparison["difference"], signed=True)]


def _units(comparison: dict) -> str:
    return NOTHING if comparison["units"] is None else f"{comparison['units']} ({comparison['df']} df)"


def _chosen_words(found: dict) -> list[str]:
    """Return who chose the score of the claims, where it is not the declared one."""
    if found["primary"] == paper.PRIMARY:
        return []
    chosen, declared = SCORES[found["primary"]].title, SCORES[paper.PRIMARY].title
    return [
        f"The person who made this report chose that the claims are about {chosen} and not about {declared}. If that was after figures "
        "were seen, these are not claims, and nothing here is sure."
    ]


def _detectable_words(claims: list[dict], level: float) -> list[str]:
    """Return how large a true gain must be to be found, and how exactly that is known."""
    found = [claim for claim in claims if claim["detectable"] is not None]
    too_large = sum(claim["detectable"] is None and (claim["error"] or 0) >= ROUNDING for claim in claims)
    none = [f"For {too_large} of the claims, not even the largest gain could be found: there are too few folds or speakers."] * bool(
        too_large
    )
    if not found:
        return none
    gains = [100 * claim["detectable"] for claim in found]
    unsure = max((2 * claim["df"]) ** -0.5 for claim in found)
    return [
        f"Detectable gain: the smallest true gain that a test at {level:g} / {paper.CLAIMS} finds in {POWER:.0%} of test sets like this "
        f"one, here {min(gains):.1f} to {max(gains):.1f} points. It is about (t at half that level + t at {POWER:.0%}) x standard error, "
        f"and as uncertain as the standard error: by about {unsure:.0%}. A smaller gain may be true and not be found.",
        *none,
    ]


def _in_words(comparison: dict) -> str:
    points = 100 * comparison["difference"]["value"]
    better, score = "better" if points > 0 else "worse", SCORES[comparison["score"]].title
    row, baseline = title_of(comparison["row"]), title_of(comparison["baseline"])
    return f"{row} ({comparison['train_set']}) is {better} than {baseline} in {score} by {abs(points):.1f} points"


def recalls(found: dict) -> Table:
    """Return the recall of each emotion."""
    rows = [[*_names(cell), *(_estimate(cell["recall"][emotion]) for emotion in found["emotions"])] for cell in found["cells"]]
    return Table("recalls", "Recall of each emotion, in %", ["row", "target", "train set", *found["emotions"]], rows)


def posteriors(found: dict) -> Table:
    """Return how good the posteriors are, beyond their decisions."""
    names = [name for name, score in SCORES.items() if score.needs is SOFTMAX]
    rows = [[*_names(cell), *(_score(cell["pooled"], name) for name in names)] for cell in found["cells"] if names[0] in cell["pooled"]]
    notes = ["Lower is better in every column. The divergence (JSD) also counts utterances without a dominant emotion."]
    if not found["class_weights_undone"]:
        notes.append(
            "With class weights, posteriors are those of a corpus whose emotions are equally frequent. With --undo_class_weights they are "
            "those of this corpus."
        )
    return Table("posteriors", "Posteriors", ["row", "target", "train set", *(SCORES[name].title for name in names)], rows, notes)


def coverage(found: dict) -> Table:
    """Return how often candidates hold the dominant emotion: over all folds, and in each one."""
    rows = [[*_names(cell), *_coverage(cell["coverage"])] for cell in found["cells"] if cell["coverage"]]
    wanted = f"{100 * WANTED:g}%"
    header = ["row", "target", "train set", "calibrated on", "all folds", "candidates", "lowest fold", "highest fold", "folds that held"]
    notes = [
        f"Share of test utterances whose dominant emotion is among the candidates at {wanted}, in %, and the mean number of candidates.",
        f"A fold tests few speakers, so it may be below {wanted} by chance: where a calibration is right, about half of the folds hold it. "
        "The lowest fold tells how far a single model was off.",
        "Calibrated on validation: the validation speakers of the fold. Cross: also its training speakers, each judged by a model that did "
        "not hear it. No test speaker is in either.",
    ]
    return Table("coverage", f"Candidates at {wanted}, fold by fold", [*header, "each fold"], rows, notes)


def _coverage(found: dict) -> list[Entry]:
    shares = [fold["share"] for fold in found["folds"]]
    return [
        _text(" and ".join(found["methods"])),
        _plain(found["share"]),
        Entry(f"{found['mean_size']:.2f}", found["mean_size"]),
        _plain(min(shares)),
        _plain(max(shares)),
        _text(f"{found['held']} of {len(shares)}"),
        _text(", ".join(f"{fold['fold']}: {_percent(fold['share'])}" for fold in found["folds"])),
    ]


def existence(found: dict) -> Table:
    """Return how well the MLEE stages know which emotions are present."""
    titles = {"auc": "AUC", "average_precision": "average precision", "f1": "F1"}
    rows = [
        [*_names(cell), _text(title), *(_estimate(cell["existence"][name][emotion]) for emotion in found["emotions"])]
        for cell in found["cells"]
        if cell["existence"]
        for name, title in titles.items()
    ]
    notes = [f"Over all {found['n_all']} test utterances, with a dominant emotion or without, in %."]
    return Table("existence", "Existence of each emotion", ["row", "target", "train set", "score", *found["emotions"]], rows, notes)


def ambiguity(found: dict) -> Table:
    """Return the scores where listeners agreed, and where they did not."""
    names = ("wa", "ua", "jensen_shannon", "existence_auc")
    rows = [
        [*_names(cell), _text(third), *(_score(scores, name) for name in names)]
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
    return Table(
        "ambiguity",
        "Scores by ambiguity",
        ["row", "target", "train set", "listeners", *(SCORES[name].title for name in names)],
        rows,
        notes,
    )


def over_folds(found: dict) -> Table:
    """Return the mean over folds, and the scores of each seed."""
    rows = [
        [
            *_names(cell),
            *(_estimate(cell["mean_over_folds"][name]) for name in ("wa", "ua", "macro_f1")),
            *(_text(", ".join(_percent(value) for value in cell["by_seed"][name])) for name in ("wa", "ua")),
        ]
        for cell in found["cells"]
    ]
    header = [
        "row",
        "target",
        "train set",
        "WA, mean of folds",
        "UA, mean of folds",
        "macro-F1, mean of folds",
        "WA of each seed",
        "UA of each seed",
    ]
    return Table(
        "over_folds",
        "Mean over the folds, and each seed, in %",
        header,
        rows,
        ["Each fold has the same weight, however many utterances it tests.", *_folds_without_words(found)],
    )


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
        "chance is higher there, so the means of folds have no interval. The pooled scores of table 3 are over all emotions."
    ]


def table1(found: dict) -> Table:
    """Return in which share of the utterances each emotion exists."""
    why, emotions = found["why_no_figures_of_the_paper"], found["emotions"]
    rows = []
    for name, shares in found["table1"].items():
        rows.append([_text(f"{name} ({shares['n']})"), *(_plain(shares[emotion]) for emotion in emotions)])
        if not why:
            rows.append([_text(f"{name}, paper"), *(Entry(f"{paper.TABLE_1[name][e]:.1f}", paper.TABLE_1[name][e]) for e in emotions)])
    notes = [
        "Of the test utterances of these folds: those with a dominant target emotion, and all.",
        *([f"The paper's shares are left out: {why}."] if why else []),
    ]
    return Table("table1", "Table 1: share of utterances in which an emotion exists, in %", ["utterances", *emotions], rows, notes)


def title_of(row: str) -> str:
    """Return the name that the paper's table has for a row, with its target.

    >>> title_of("mlee_fusion_soft"), title_of("mlee"), title_of("my_row")
    ('MLEE pre-training fusion, soft', 'MLEE only', 'my_row')
    """
    title, target = paper.ROWS.get(row, (row, "-"))
    return title if target == "-" else f"{title}, {target}"


def train_sets_of(cell: dict) -> str:
    """Return the train sets for which a cell stands."""
    return "dominant, all" if cell["row"] in paper.ONE_FOR_BOTH else cell["train_set"]


def _names(cell: dict) -> list[Entry]:
    title, target = paper.ROWS.get(cell["row"], (cell["row"], "-"))
    return [_text(title), _text(target), _text(train_sets_of(cell))]


def _papers(cell: dict, why: str) -> list[Entry]:
    figures = None if why else paper.TABLE_3.get(cell["row"], {}).get(cell["train_set"])
    return [Entry(f"{figure:.1f}", figure) for figure in figures] if figures else [_text(NOTHING)] * 2


def _shares(cell: dict) -> list[Entry]:
    return [_estimate(cell["share_of_human"][name]) for name in ("wa", "ua")]


def _score(scores: dict, name: str) -> Entry:
    if name not in scores:
        return _text(NOTHING)
    return _estimate(scores[name]) if SCORES[name].percent else _estimate(scores[name], show=lambda value: f"{value:.3f}")


def _estimate(estimate: dict, signed: bool = False, show: Callable[[float], str] | None = None) -> Entry:
    show = show or (lambda value: f"{100 * value:+.1f}" if signed else _percent(value))
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None:
        return _text(NOTHING)
    return Entry(show(value) if low is None else f"{show(value)} [{show(low)}, {show(high)}]", value)


def _plain(value: float | None) -> Entry:
    return _text(NOTHING) if value is None else Entry(_percent(value), value)


def _p(p: float | None) -> Entry:
    if p is None:
        return _text(NOTHING)
    return Entry("< 0.001" if p < 0.001 else f"{p:.3f}", p)


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f}"


def _text(text: str) -> Entry:
    return Entry(text)


def _interval_words(found: dict) -> str:
    if found["why_no_intervals"]:
        return found["why_no_intervals"]
    bootstrap = found["bootstrap"]
    return (
        f"In brackets are {100 * bootstrap['confidence']:g}% intervals: bootstrap over the {found['n_speakers']} test speakers, "
        f"{bootstrap['resamples']} resamples, the same for all rows."
    )


def as_text(entries: Iterable[Entry]) -> list[str]:
    """Return the texts of some entries."""
    return [entry.text for entry in entries]
