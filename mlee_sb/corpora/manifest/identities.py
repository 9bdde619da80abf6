"""Names of speakers, annotators and labels: two spellings of one name are one person, and a split by raw text would not see it."""

import unicodedata
from collections.abc import Iterable

SHOWN = 5  # groups of spellings that an error lists
UNKNOWN = "unknown"

NOBODY = (UNKNOWN, "unk", "n/a", "nan", "null", "none", "?")
"""What tables write for a speaker that is not known, folded. "NA" is not among them: people have such initials."""

UNKNOWN_SPEAKERS = (
    "Each session (or recording, where there is none) counts as one speaker. A person may be heard in training and in test, so scores "
    "may be too good; intervals take sessions for people, and may be too narrow."
)
"""What it means for scores that speakers are not known (--speakers unknown)."""


def folded(name: str) -> str:
    """Return what is left of a name without the ways to write it: Unicode's forms, case, spaces and signs without a width.

    >>> folded("Zoë ") == folded("zoe\\u0308"), folded("Dr.  No")
    (True, 'dr. no')
    """
    if name.isascii():
        return " ".join(name.lower().split())
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", visible.casefold()).split())


def names_nobody(speaker: str) -> bool:
    """Tell whether the name of a speaker says that nobody knows who speaks: all who are called so would count as one person.

    >>> names_nobody("Unknown"), names_nobody("nan"), names_nobody("anna")
    (True, True, False)
    """
    return folded(speaker) in NOBODY


def near_equal(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of names that differ in nothing but how they are written, sorted, each with its spellings.

    >>> near_equal(["anna", "Bert", "Anna", "anna"])
    [('Anna', 'anna')]
    """
    spellings: dict[str, set[str]] = {}
    for name in set(names):
        spellings.setdefault(folded(name), set()).add(name)
    return sorted(tuple(sorted(same)) for same in spellings.values() if len(same) > 1)


def listed(groups: Iterable[tuple[str, ...]]) -> str:
    """Return groups of spellings for an error, each name in quotes, with what cannot be seen escaped.

    >>> listed([("Anna", "anna"), ("Zoe\\u0308", "Zoë")])
    "'Anna' = 'anna'; 'Zoe\\\\u0308' = 'Zo\\\\xeb'"
    """
    groups = list(groups)
    more = f"; and {len(groups) - SHOWN} more" if len(groups) > SHOWN else ""
    return "; ".join(" = ".join(map(_visible, group)) for group in groups[:SHOWN]) + more


def _visible(name: str) -> str:
    """Return a name in quotes; composed and decomposed letters look alike, so letters beyond ASCII are escaped."""
    return ascii(name)


def stand_in(place: str) -> str:
    """Return the name that stands for the unknown person who spoke in a session or a recording.

    >>> stand_in("Ses1"), is_stand_in(stand_in("Ses1")), is_stand_in("anna")
    ('unknown:Ses1', True, False)
    """
    return f"{UNKNOWN}:{place}"


def is_stand_in(speaker: str) -> bool:
    """Tell whether a name is one that `stand_in` returns."""
    return speaker.startswith(stand_in(""))
