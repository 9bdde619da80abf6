"""The tables of the report, from what `evaluate` found: what each cell says, and what it is sorted by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mlee_sb.evaluation import paper
from mlee_sb.evaluation.metrics import SCORES

NOTHING = "–"
CHANCE, HUMAN = "always the most frequent emotion", "a listener against the others"


@dataclass(frozen=True)
class Entry:
    """What a cell of a table says; `value` is what it is sorted by, None for text."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table with a title and notes for its reader; every row has as many entries as the header has columns."""

    key: str
    title: str
    header: list[str]
    rows: list[list[Entry]]
    notes: list[str] = field(default_factory=list)


def all_tables(found: dict) -> list[Table]:
    """Every table of the report, in its order; those that nothing was found for are left out."""
    tables = [table(found) for table in (table3, comparisons, recalls, posteriors, existence, ambiguity, over_folds, table1)]
    return [table for table in tables if table.rows]


def table3(found: dict) -> Table:
    """WA, UA and macro-F1 of each row and train set beside the paper's figures, chance and the human ceiling."""
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
            f"Human: {human['source']}. A share of 100 is a model that agrees with the listeners as they agree with one another.",
            "With a hard target both train sets are the same utterances: one stage.",
        ],
    )


def comparisons(found: dict) -> Table:
    """Each row against dominant recognition with its target and train set."""
    rows = [
        [
            *_names(comparison),
            _text(title_of(comparison["baseline"])),
            _text(SCORES[comparison["score"]].title),
            _estimate(comparison["difference"], signed=True),
            _p(comparison["p"]),
            _p(comparison["p_holm"]),
        ]
        for comparison in found["comparisons"]
    ]
    notes = [
        "Differences in percentage points, of the same resamples of speakers. p is corrected over all lines of this table (Holm).",
        verdict(found),
    ]
    header = ["row", "target", "train set", "against", "score", "difference", "p", "p, corrected"]
    return Table("comparisons", "Differences between rows", header, rows, notes)


def verdict(found: dict) -> str:
    """What the comparisons say, in a sentence or two."""
    sure = [c for c in found["comparisons"] if c["p_holm"] < 1 - found["bootstrap"]["confidence"]]
    if not sure:
        return "After correction no difference is sure: with these speakers, none of the rows can be called better than its baseline."
    return f"After correction sure: {'; '.join(map(_in_words, sure))}. The other differences are not."


def _in_words(comparison: dict) -> str:
    points = 100 * comparison["difference"]["value"]
    better, score = "better" if points > 0 else "worse", SCORES[comparison["score"]].title
    row, baseline = title_of(comparison["row"]), title_of(comparison["baseline"])
    return f"{row} ({comparison['train_set']}) is {better} than {baseline} in {score} by {abs(points):.1f} points"


def recalls(found: dict) -> Table:
    """The recall of each emotion."""
    rows = [[*_names(cell), *(_estimate(cell["recall"][emotion]) for emotion in found["emotions"])] for cell in found["cells"]]
    return Table("recalls", "Recall of each emotion, in %", ["row", "target", "train set", *found["emotions"]], rows)


def posteriors(found: dict) -> Table:
    """How good the posteriors are, beyond their decisions."""
    names = [name for name, score in SCORES.items() if score.needs == "posterior"]
    rows = [[*_names(cell), *(_score(cell["pooled"], name) for name in names)] for cell in found["cells"] if names[0] in cell["pooled"]]
    notes = ["Less is better in every column. The divergence (JSD) counts utterances without a dominant emotion too."]
    if not found["class_weights_undone"]:
        notes.append(
            "Class weights make posteriors those of a corpus whose emotions are equally frequent; undo them to see the corpus's own."
        )
    return Table("posteriors", "Posteriors", ["row", "target", "train set", *(SCORES[name].title for name in names)], rows, notes)


def existence(found: dict) -> Table:
    """How well the MLEE stages know which emotions are present."""
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
    """The scores where listeners agreed, and where they did not."""
    names = ("wa", "ua", "jensen_shannon", "existence_auc")
    rows = [
        [*_names(cell), _text(third), *(_score(scores, name) for name in names)]
        for cell in found["cells"]
        for third, scores in cell["ambiguity"].items()
    ]
    low, high = found["thirds"]["ends_of_entropy"]
    sizes = ", ".join(f"{name} {n}" for name, n in found["thirds"]["n"].items())
    notes = [
        f"Thirds by the entropy of the votes: up to {low:.2f} bits agreed, above {high:.2f} disputed; equal ones stay together.",
        f"Utterances: {sizes}.",
        "JSD and existence AUC count those without a dominant emotion too.",
    ]
    return Table(
        "ambiguity",
        "Scores by ambiguity",
        ["row", "target", "train set", "listeners", *(SCORES[name].title for name in names)],
        rows,
        notes,
    )


def over_folds(found: dict) -> Table:
    """The mean over folds beside the pooled scores, and the single seeds."""
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
        "Mean over the folds, and single seeds, in %",
        header,
        rows,
        ["A fold weighs the same however many utterances it tests."],
    )


def table1(found: dict) -> Table:
    """In which share of the utterances each emotion exists."""
    why, emotions = found["why_no_figures_of_the_paper"], found["emotions"]
    rows = []
    for name, shares in found["table1"].items():
        rows.append([_text(f"{name} ({shares['n']})"), *(_plain(shares[emotion]) for emotion in emotions)])
        if not why:
            rows.append([_text(f"{name}, paper"), *(Entry(f"{paper.TABLE_1[name][e]:.1f}", paper.TABLE_1[name][e]) for e in emotions)])
    notes = [
        "Of the test utterances of the folds above: those with a dominant target emotion, and all.",
        *([f"Without the paper's: {why}."] if why else []),
    ]
    return Table("table1", "Table 1: share of utterances in which an emotion exists, in %", ["utterances", *emotions], rows, notes)


def title_of(row: str) -> str:
    """A row as the paper's table calls it, with its target.

    >>> title_of("mlee_fusion_soft"), title_of("mlee"), title_of("my_row")
    ('MLEE pre-training fusion, soft', 'MLEE only', 'my_row')
    """
    title, target = paper.ROWS.get(row, (row, "-"))
    return title if target == "-" else f"{title}, {target}"


def train_sets_of(cell: dict) -> str:
    """The train sets that a cell stands for."""
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


def _p(p: float) -> Entry:
    return Entry("< 0.001" if p < 0.001 else f"{p:.3f}", p)


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f}"


def _text(text: str) -> Entry:
    return Entry(text)


def _interval_words(found: dict) -> str:
    bootstrap = found["bootstrap"]
    return (
        f"In brackets {100 * bootstrap['confidence']:g}% intervals: bootstrap over the {found['n_speakers']} test speakers, "
        f"{bootstrap['resamples']} resamples, the same for all rows."
    )


def as_text(entries: Iterable[Entry]) -> list[str]:
    """What some entries say."""
    return [entry.text for entry in entries]
