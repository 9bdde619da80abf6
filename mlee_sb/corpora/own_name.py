"""The name of a person's own corpus: what it is called in paths of results, in reports and on model cards."""

import re
import unicodedata
from pathlib import Path

from mlee_sb.corpora.base import corpus_names
from mlee_sb.errors import InputError

OPTION = "name"  # of the readers whose corpora have names of their own

USABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LONGEST = 64  # characters: it becomes a part of paths
REMEDY = f"give a name with --{OPTION}, of letters, digits, - _ and . (at most {LONGEST}, a letter or digit first), for example calls_2026"


def own_name(given: str, data_folder: str | Path) -> str:
    """Return the name of an own corpus: the one that was given, or the name of its folder.

    What cannot stand in a path, in LaTeX or on a model card is replaced in the name of a folder, and refused in a name that was given.

    Parameters
    ----------
    given : the name, or "" to take that of the folder
    data_folder : the folder; links and ``..`` are followed

    Raises
    ------
    InputError
        if the name cannot be used, or a reader has it: such results would look like those of that corpus

    >>> own_name("calls_2026", "/data/my corpus"), own_name("", "/data/my corpus/")
    ('calls_2026', 'my_corpus')
    """
    folder = Path(data_folder).resolve()
    name = given or _made_safe(folder.name)
    where = f"--{OPTION} {given}" if given else f"{folder}: a corpus is called after its folder, and {folder.name!r}"
    if not USABLE.fullmatch(name) or len(name) > LONGEST:
        raise InputError(f"{where} cannot be the name of a corpus: {REMEDY}")
    if name.lower() in map(str.lower, corpus_names()):  # on some disks, IEMOCAP and iemocap are one folder
        raise InputError(f"{where} is the name of a reader of other corpora: {REMEDY}")
    return name


def _made_safe(name: str) -> str:
    """Replace what is no ASCII letter, digit, - _ or a dot: an accent is left out, anything else becomes _."""
    without_accents = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    return re.sub(r"[^A-Za-z0-9._-]+", "_", without_accents).strip("._-")[:LONGEST]
