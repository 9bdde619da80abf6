"""Train the grid of table 3: rows by targets by train sets, on every fold and for every seed. It is the comparison of that name."""

from collections.abc import Sequence

from mlee_sb.evaluation import paper
from mlee_sb.experiment import compare


def main(arguments: Sequence[str], description: str = "", program: str | None = None) -> int:
    """Train what `arguments` ask for. Return the exit status: 0, 1 if a stage or report failed, 2 for wrong input, 130 after Ctrl-C."""
    return compare.main(arguments, description, program, preset=paper.NAME)
