#!/usr/bin/env python
"""Write the tables of docs/disagreement.md: all rows of a comparison beside each other, from the report.json of `mlee compare`.

python docs/studies/table_of_rows.py results/crema_d/report/report.json
"""

import json
import sys
from pathlib import Path

from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.report.entries import NOTHING

TABLES = (
    ("ua", "wa", "macro_f1", "top_2", "aurc"),
    ("jensen_shannon", "kullback_leibler", "cross_entropy", "cosine", "entropy_correlation", "nll", "brier", "ece"),
    ("sets_macro_f1", "sets_micro_f1", "hamming_loss", "subset_accuracy", "ranking_precision", "existence_auc", "existence_ap"),
)
WITH_INTERVALS = ("ua", "jensen_shannon", "sets_macro_f1")  # the first score of each table


def entry(cell: dict, name: str) -> str:
    """Return a score of a row as text: in percent where people read it so, with its interval for the first score of a table."""
    found, score = cell["pooled"].get(name), SCORES[name]
    if found is None or found["value"] is None:
        return NOTHING
    scale, digits = (100, 1) if score.percent else (1, 3)
    shown = [f"{scale * found[part]:.{digits}f}" for part in ("value", "low", "high") if found[part] is not None]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]" if name in WITH_INTERVALS and len(shown) == 3 else shown[0]


def table(cells: list[dict], names: tuple[str, ...]) -> str:
    """Return the rows with some scores as a table in Markdown. The best value of each score is bold."""
    lines = [["row", *(SCORES[name].title for name in names)], ["---"] * (len(names) + 1)]
    best = {name: _best(cells, name) for name in names}
    for cell in cells:
        texts = (f"**{entry(cell, name)}**" if cell["row"] in best[name] else entry(cell, name) for name in names)
        lines.append([f"`{cell['row']}`", *texts])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _best(cells: list[dict], name: str) -> list[str]:
    values = {cell["row"]: cell["pooled"][name]["value"] for cell in cells if cell["pooled"].get(name)}
    known = {row: value for row, value in values.items() if value is not None}
    if not known:
        return []
    best = (max if SCORES[name].higher_is_better else min)(known.values())
    return [row for row, value in known.items() if value == best]


def main() -> int:
    """Print the tables and return the exit status."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    cells = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]
    print("\n\n".join(table(cells, names) for names in TABLES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
