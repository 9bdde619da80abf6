"""Table 3 in LaTeX (booktabs), for a paper, from the same numbers as the report."""

from mlee_sb.evaluation import paper
from mlee_sb.evaluation.report.entries import paper_names
from mlee_sb.targets import TRAIN_SETS

ESCAPED = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
}


def latex_table3(found: dict) -> str:
    """Return rows by train sets as the paper prints them: WA and UA in %, each with its interval in small type, the best in bold."""
    cells = {(cell["row"], cell["train_set"]): cell["pooled"] for cell in found["cells"]}
    rows = list(dict.fromkeys(cell["row"] for cell in found["cells"]))
    best = {
        name: max((scores[name]["value"] for scores in cells.values() if scores[name]["value"] is not None), default=None)
        for name in ("wa", "ua")
    }
    lines = []
    for row in rows:
        title, target = paper_names(row)
        scores = [
            cells.get((row, train_set)) or (cells.get((row, "dominant")) if row in paper.ONE_FOR_BOTH else None) for train_set in TRAIN_SETS
        ]
        columns = [_number(of[name], best[name]) if of else "--" for of in scores for name in ("wa", "ua")]
        lines.append(" & ".join([escape(title), escape(target), *columns]) + r" \\")
    demo = "DEMO: generated speech. " if found["demo"] else ""
    percent = f"{100 * found['bootstrap']['confidence']:g}"
    intervals = (
        "no intervals: too few folds or speakers" if found["why_no_intervals"] else rf"{percent}\% intervals by bootstrap over speakers"
    )
    caption = (
        f"{demo}WA and UA (\\%) on {escape(found['corpus'])}, {found['n']} test utterances of {found['n_speakers']} speakers, "
        f"folds {' '.join(map(str, found['folds']))} pooled; {intervals}."
    )
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{caption}}}",
            r"\begin{tabular}{llcccc}",
            r"\toprule",
            r" & & \multicolumn{2}{c}{dominant} & \multicolumn{2}{c}{all} \\",
            r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}",
            r"Row & Target & WA & UA & WA & UA \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escape(text: str) -> str:
    r"""Return text as LaTeX must have it to print it.

    >>> escape("my_row & 5%")
    'my\\_row \\& 5\\%'
    """
    return "".join(ESCAPED.get(character, character) for character in text)


def _number(estimate: dict, best: float | None) -> str:
    value, low, high = (estimate[name] for name in ("value", "low", "high"))
    if value is None:
        return "--"
    text = f"{100 * value:.1f}"
    text = rf"\textbf{{{text}}}" if value == best else text
    return text if low is None else rf"{text} {{\scriptsize [{100 * low:.1f}, {100 * high:.1f}]}}"
