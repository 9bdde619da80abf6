#!/usr/bin/env python
"""Tell how well the posterior of each row ranks existence: the AUC of each emotion, as if its posterior were a probability of existence.

python docs/studies/posterior_as_existence.py results/crema_d

The value of a row is the mean over its emotions and seeds, over the test utterances of all folds. For mlee it is its existence AUC.
"""

import sys
from dataclasses import replace

import numpy as np

from mlee_sb.errors import InputError
from mlee_sb.evaluation.cells import read_cells
from mlee_sb.evaluation.metrics import existence_auc
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.evaluation.results import find_stages


def auc(predictions: Predictions) -> float:
    """Return the AUC of existence, mean over the emotions, with the posterior in the place of probabilities of existence."""
    taken = replace(predictions, existence=predictions.posterior)
    return float(existence_auc(taken, np.ones((1, len(taken)))).mean())


def main() -> int:
    """Print a line for each row and return the exit status."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    try:
        cells = read_cells(find_stages(sys.argv[1])).cells
    except InputError as error:
        raise SystemExit(str(error)) from None
    for cell in cells:
        values = [auc(predictions) for predictions in cell.predictions.values()]
        print(f"{cell.row:34} {100 * np.mean(values):.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
