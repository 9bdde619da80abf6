"""A table of all rows in LaTeX (booktabs), for a paper, from the same numbers as the report."""

from collections.abc import Iterable, Sequence

from mlee_sb.evaluation import paper
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.report.entries import paper_names, shown_as
from mlee_sb.targets import TRAIN_SETS
from mlee_sb.targets.base import DOMINANT

ESCAPED = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def latex_table(found: dict) -> str:
    """Return rows by train sets as the paper prints its table 3: WA, UA and the primary score, each with its interval in small type.

    The best of each score is bold. Table 3 has both train sets, another comparison those that it trained.
    """
    names = list(dict.fromkeys(("wa", "ua", found["primary"])))
    cells = {(cell["row"], cell["train_set"]): cell["pooled"] for cell in found["cells"]}
    train_sets = TRAIN_SETS if found["declared"]["of_the_paper"] else [name for name in TRAIN_SETS if name in {of for _, of in cells}]
    best = {name: _best(name, cells.values()) for name in names}
    lines = []
    for row in dict.fromkeys(cell["row"] for cell in found["cells"]):
        title, target = paper_names(row)
        scores = [
            cells.get((row, train_set)) or (cells.get((row, DOMINANT)) if row in paper.ONE_FOR_BOTH else None) for train_set in train_sets
        ]
        columns = [_number(name, of[name], best[name]) if of and name in of else "--" for of in scores for name in names]
        lines.append(" & ".join([escape(title), escape(target), *columns]) + r" \\")
    titles = [escape(SCORES[name].title) for name in names]
    n, width = len(train_sets), len(names)
    groups = " & ".join(rf"\multicolumn{{{width}}}{{c}}{{{train_set}}}" for train_set in train_sets)
    rules = "".join(rf"\cmidrule(lr){{{3 + k * width}-{2 + (k + 1) * width}}}" for k in range(n))
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{_caption(found, names)}}}",
            rf"\begin{{tabular}}{{ll{'c' * n * width}}}",
            r"\toprule",
            rf" & & {groups} \\",
            rules,
            rf"Row & Target & {' & '.join(titles * n)} \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _caption(found: dict, names: Sequence[str]) -> str:
    demo = "DEMO: generated speech. " if found["demo"] else ""
    in_percent, others = ([SCORES[name].title for name in names if SCORES[name].percent is percent] for percent in (True, False))
    scores = rf"{_listed(in_percent)} (\%)" + (f" and {escape(_listed(others))}" if others else "")
    percent = f"{100 * found['bootstrap']['confidence']:g}"
    intervals = (
        "no intervals: too few folds or speakers" if found["why_no_intervals"] else rf"{percent}\% intervals by bootstrap over speakers"
    )
    return (
        f"{demo}{scores} on {escape(found['corpus'])}, {found['n']} test utterances of {found['n_speakers']} speakers, "
        f"folds {' '.join(map(str, found['folds']))} pooled; {intervals}."
    )


def _listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence.

    >>> _listed(["WA"]), _listed(["WA", "UA", "macro-F1"])
    ('WA', 'WA, UA and macro-F1')
    """
    return " and ".join([*filter(None, [", ".join(words[:-1])]), words[-1]])


def escape(text: str) -> str:
    r"""Return text as LaTeX must have it to print it.

    >>> escape("my_row & 5%")
    'my\\_row \\& 5\\%'
    """
    return "".join(ESCAPED.get(character, character) for character in text)


def _best(name: str, cells: Iterable[dict]) -> float | None:
    values = [scores[name]["value"] for scores in cells if name in scores and scores[name]["value"] is not None]
    if not values:
        return None
    return max(values) if SCORES[name].higher_is_better else min(values)


def _number(name: str, estimate: dict, best: float | None) -> str:
    value, low, high = (estimate[end] for end in ("value", "low", "high"))
    if value is None:
        return "--"
    show = shown_as(name)
    text = rf"\textbf{{{show(value)}}}" if value == best else show(value)
    return text if low is None else rf"{text} {{\scriptsize [{show(low)}, {show(high)}]}}"
