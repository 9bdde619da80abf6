"""A curriculum by agreement: utterances on which the listeners agree are heard first, and those on which they disagree join later.

Lotfian and Busso 2019 (Curriculum learning for speech emotion recognition from crowdsourced labels, IEEE/ACM TASLP 27): what is ambiguous
for humans is taken to be ambiguous for a model, too. [choice] The disagreement is the entropy of the votes, and bins of equal size join one
after another: only the abstract of the paper could be read here, which gives neither its measures in detail nor its numbers.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mlee_sb.corpora.manifest import vote_columns_in
from mlee_sb.labels import vote_entropy
from mlee_sb.training.check_settings import BIN_EPOCHS, BINS, epochs_before_all


def first_epochs(rows: pd.DataFrame, settings: Mapping, seed: int) -> Tensor | None:
    """Return the number of the first epoch that hears each utterance; None where all of them are heard from the first one on.

    The utterances are sorted by the entropy of all their votes, also of those for no target emotion, and dealt into bins of equal size.
    Equal entropies are in random order: in that of the rows, the first bin would be the first speakers.

    Parameters
    ----------
    rows : n rows of a manifest, of the training set
    settings : settings of the stage: the number of bins, and the epochs from one bin to the next
    seed : for the order of equal entropies

    Returns
    -------
    Tensor
        int64 [n], from 1

    >>> rows = pd.DataFrame({"votes_neu": [1, 3, 2], "votes_hap": [1, 0, 1]})
    >>> first_epochs(rows, {"curriculum_bins": 3, "curriculum_epochs": 2}, seed=1).tolist()
    [5, 1, 3]
    """
    if not epochs_before_all(settings):
        return None
    entropy = vote_entropy(rows[vote_columns_in(rows.columns)].to_numpy())
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    easiest_first = shuffled[np.argsort(entropy[shuffled], kind="stable")]
    bins = np.empty(len(rows), dtype=np.int64)
    bins[easiest_first] = np.arange(len(rows)) * settings[BINS] // len(rows)
    return torch.from_numpy(1 + bins * settings[BIN_EPOCHS])
