"""Where the pages of an ogg (Vorbis, Opus, FLAC, Speex) lie: recordings may follow one another, and libsndfile reads the first."""

from collections.abc import Iterator

from mlee_sb.audio.layout import AS_IT_IS, JOINED, Content, Layout

MARK = b"OggS"
HEADER = 27  # bytes of a page before the sizes of its segments
FLAGS = 5  # place of them in the header
BEGIN, END = 2, 4  # flags of the first and the last page of a stream


def ogg_layout(content: Content) -> Layout:
    """Return how an ogg is to be read: all recordings in it. It was cut off if its last page ends too early."""
    starts: list[int] = []
    at, flags, has_ended, in_begin = 0, 0, False, False
    for at, flags, end in _pages(content):
        if end > len(content):
            return Layout(cut=f"truncated: its last page ends {end - len(content)} bytes after the end of the file: copy it again")
        if flags & BEGIN and not in_begin:  # several streams of one recording begin together
            starts.append(at)
            has_ended = False
        in_begin, has_ended = bool(flags & BEGIN), has_ended or bool(flags & END)
    if not starts:
        return AS_IT_IS
    remarks = (
        [] if has_ended else ["its last page is not marked as the last one, as in a stream that was broken off: what is there is used"]
    )
    if len(starts) == 1:
        return Layout(remark="".join(remarks))
    ends = [*starts[1:], len(content)]
    links = tuple(((start, end - start),) for start, end in zip(starts, ends, strict=True))
    return Layout(links, "; ".join([JOINED, *remarks]))


def _pages(content: Content) -> Iterator[tuple[int, int, int]]:
    """Yield the place, the flags and the end of each page; the end is beyond that of the file where a page was cut off."""
    at = 0
    while 0 <= at < len(content):
        if content[at : at + len(MARK)] != MARK:
            at = content.find(MARK, at)
            continue
        if at + HEADER > len(content):
            yield at, 0, at + HEADER
            return
        segments = content[at + HEADER : at + HEADER + content[at + HEADER - 1]]
        end = at + HEADER + content[at + HEADER - 1] + sum(segments)
        yield at, content[at + FLAGS], end
        at = end
