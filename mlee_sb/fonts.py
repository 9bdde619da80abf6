"""Find fonts for the names in plots: matplotlib's own has no Chinese, Japanese or Korean characters, and draws boxes for them."""

import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from matplotlib.font_manager import findSystemFonts, fontManager, get_font
from matplotlib.ft2font import FT2Font

OWN = "DejaVu Sans"  # comes with matplotlib


def font_families(text: str) -> tuple[list[str], str]:
    """Return font families that together have all characters of a text, matplotlib's own first, and the characters that none has.

    Fonts of the system are looked at only if some character is missing. They are looked for on the disk: matplotlib keeps a list of
    fonts in the user's cache, which does not know a font that was installed later.
    """
    families, missing = [OWN], _lacking(get_font(fontManager.findfont(OWN)), _drawn(text))
    for font in _system_fonts() if missing else ():
        lacking = _lacking(font, missing)
        if len(lacking) < len(missing):
            fontManager.addfont(font.fname)
            families.append(font.family_name)
            missing = lacking
        if not missing:
            break
    return families, "".join(sorted(missing))


def what_is_missing(text: str) -> str:
    """Return a sentence on the characters of a text that no font of this machine has; "" if there are none."""
    _, missing = font_families(text)
    remedy = "install a font that has them (on Debian: apt-get install fonts-noto-cjk)"
    return f"boxes are shown for {' '.join(missing)}, because no font of this machine has these characters: {remedy}" if missing else ""


def width_of(text: str) -> int:
    """Return how many columns a text is wide: two for each Chinese, Japanese or Korean character.

    >>> width_of("neu"), width_of("喜び")
    (3, 4)
    """
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _drawn(text: str) -> set[str]:
    return {character for character in text if character.isprintable()}


def _lacking(font: FT2Font, characters: Iterable[str]) -> set[str]:
    return {character for character in characters if not font.get_char_index(ord(character))}


@cache
def _system_fonts() -> list[FT2Font]:
    """Return the fonts of the system that can be read, upright ones of normal weight first."""
    found = []
    for path in sorted(findSystemFonts(), key=lambda path: ("regular" not in Path(path).name.lower(), path)):
        try:
            found.append(get_font(path))
        except (OSError, RuntimeError, ValueError):
            continue  # no font that matplotlib can read
    return found
