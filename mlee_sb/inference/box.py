"""The model in the box: it comes with the package, and answers where no other model is named."""

import sys
from pathlib import Path

from mlee_sb.errors import InputError
from mlee_sb.files import read_json
from mlee_sb.models.bundle_files import CONFIG, SCORES
from mlee_sb.models.config import read_config
from mlee_sb.stage_folder import TRAINED_ON

FOLDER = Path(__file__).resolve().parents[1] / "box"
NO_MODEL = "this copy of mlee_sb has no model in the box: install it again, or name a model"
OF_THE_SPEECH = "acted American English"  # what a user must know of its corpus before anything else


def box_folder() -> Path:
    """Return the folder of the model in the box.

    Raises
    ------
    InputError
        if this copy of the package has none
    """
    if not (FOLDER / CONFIG).is_file():
        raise InputError(f"{FOLDER}: {NO_MODEL}")
    return FOLDER


def box_in_words() -> str:
    """Return which model is in the box, and what it was trained on, in one line."""
    config = read_config(box_folder())
    heard = read_json(FOLDER / SCORES, NO_MODEL)[TRAINED_ON]
    on = " and ".join(upstream.files.name for upstream in config.upstreams)
    return (
        f"{config.labels.row} on {on}, trained on {heard['utterances']:,} utterances of {heard['speakers']} speakers of "
        f"{config.labels.corpus} ({OF_THE_SPEECH})"
    )


def open_box() -> Path:
    """Return the folder of the model in the box, and say on stderr that this model answers, because nobody named one."""
    print(f"the model in the box answers: {box_in_words()}", file=sys.stderr)
    return box_folder()
