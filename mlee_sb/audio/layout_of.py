"""Find where the samples of a recording lie, by what its first bytes say it is."""

from mlee_sb.audio.layout import AS_IT_IS, Content, Layout
from mlee_sb.audio.riff import riff_layout


def layout_of(content: Content) -> Layout:
    """Return how the bytes of a recording are to be read; `AS_IT_IS` for those of an unknown format."""
    first = bytes(content[:16])
    if first[:4] in (b"RIFF", b"RF64") and first[8:12] == b"WAVE":
        return riff_layout(content)
    return AS_IT_IS
