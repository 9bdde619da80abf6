#!/usr/bin/env python
"""Make a corpus with fewer listeners out of CREMA-D: each clip keeps a few of its votes, drawn without replacement.

python docs/studies/fewer_listeners.py /data/CREMA-D /data/crema_d_3 --listeners 3

The new folder has a votes.csv for the reader `vote_table`, and a link to the recordings. A clip with fewer votes keeps all of them.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from mlee_sb.corpora.base import Utterance
from mlee_sb.corpora.crema_d import AUDIO, CremaD
from mlee_sb.corpora.manifest import VOTES, vote_columns
from mlee_sb.errors import InputError
from mlee_sb.files import written_beside


def drawn_votes(votes: dict[str, int], listeners: int, rng: np.random.Generator) -> dict[str, int]:
    """Return the votes of some listeners of an utterance, drawn without replacement.

    >>> sum(drawn_votes({"neu": 6, "hap": 3}, 3, np.random.default_rng(0)).values())
    3
    """
    counts = np.array(list(votes.values()))
    drawn = rng.multivariate_hypergeometric(counts, min(listeners, int(counts.sum())))
    return dict(zip(votes, drawn.tolist(), strict=True))


def table(data_folder: Path, listeners: int, seed: int) -> pd.DataFrame:
    """Return the table of votes: wav, speaker, and the votes for each emotion. The order of the clips is that of their names."""
    found = sorted((one for one in CremaD(data_folder).utterances() if isinstance(one, Utterance)), key=lambda one: one.id)
    there = [one for one in found if (data_folder / one.wav).is_file()]
    rng = np.random.default_rng(seed)
    rows = [[one.wav, one.speaker, *drawn_votes(one.votes, listeners, rng).values()] for one in there]
    return pd.DataFrame(rows, columns=["wav", "speaker", *vote_columns(CremaD.emotions)])


def main() -> int:
    """Write the folder and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_folder", type=Path, help="the release of CREMA-D")
    parser.add_argument("output", type=Path, help="the new folder")
    parser.add_argument("--listeners", type=int, default=3, help="votes that each clip keeps (default: 3)")
    parser.add_argument("--seed", type=int, default=1, help="of the draw (default: 1)")
    given = parser.parse_args()
    if given.listeners < 1:
        raise SystemExit(f"--listeners {given.listeners}: must be 1 or more")
    if given.output.exists():
        raise SystemExit(f"{given.output}: exists already, and nothing is overwritten: give the name of a new folder")
    try:
        found = table(given.data_folder, given.listeners, given.seed)
    except InputError as error:
        raise SystemExit(str(error)) from None
    with written_beside(given.output) as beside:
        beside.mkdir(parents=True)
        (beside / AUDIO).symlink_to((given.data_folder / AUDIO).resolve())
        found.to_csv(beside / VOTES, index=False)
    print(f"{len(found)} clips with up to {given.listeners} votes each: {given.output / VOTES}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
