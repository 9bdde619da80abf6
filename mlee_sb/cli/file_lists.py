"""Lists of files, in the forms in which people and programs write them: one a line, with NUL between them, or a column of a table."""

import codecs
import csv
import io
import logging
import re
from collections.abc import Sequence
from pathlib import Path

from mlee_sb.errors import InputError, choose

logger = logging.getLogger(__name__)

MARKS = (  # at the beginning of a text; that of UTF-32 begins as that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
FILE_COLUMNS = ("file", "path", "wav", "filename", "file_name", "filepath", "file_path", "audio", "recording")  # names of the column
OF_PIECES = ("start", "end", "channel", "begin", "stop", "offset", "duration")  # columns that say which part of a recording is meant
DELIMITERS = ",;\t"
DIALECT = re.compile("sep=.", re.IGNORECASE)  # the first line of a table that Excel wrote
QUOTES = "\"'"
COMMENT = "#"
IN_NO_TEXT = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f]")  # bytes that no list of files has


def has_mark(content: bytes) -> bool:
    """Tell whether something begins with a byte order mark, as a text does."""
    return content.startswith(tuple(mark for mark, _ in MARKS))


def is_text(content: bytes) -> bool:
    """Tell whether something can be a list of files, by its bytes."""
    return has_mark(content) or not IN_NO_TEXT.search(content)


def files_in(content: bytes, where: str, column: str | None = None) -> list[str]:
    """Return the names of files in a list.

    - Text is UTF-8, UTF-16, or UTF-32 with a byte order mark. In UTF-8, other bytes stay as they are: file names may have them.
    - With NUL between the names, as ``find -print0`` writes it, each is taken as it is.
    - A table (commas, semicolons or tabs) has a line of names first. The column of files is `column`, or the first of `FILE_COLUMNS`.
    - Otherwise each line is a name. One that is there is taken as it is. Of others, blanks and quotes around them are left out, and what
      begins with `COMMENT` is a comment.

    Parameters
    ----------
    content : the list
    where : what an error calls it
    column : the column of a table

    Raises
    ------
    InputError
        if it cannot be decoded or names no file, `column` is not in the table, or nobody can tell which column of a table has files

    >>> files_in(b"file,label\\na.wav,1\\n", "list"), files_in(b"a.wav\\0b c.wav\\0", "list"), files_in(b'"a.wav"\\r\\n', "list")
    (['a.wav'], ['a.wav', 'b c.wav'], ['a.wav'])
    """
    names = [name for name in _names(_decoded(content, where), where, column) if name.strip()]
    if not names:
        raise InputError(f"{where}: a list without a file in it: give one name a line")
    return names


def _names(text: str, where: str, column: str | None) -> list[str]:
    if "\0" in text:
        return text.split("\0")
    lines = [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    table = _table(lines, column, where)
    return [_name(line) for line in lines] if table is None else table


def _decoded(content: bytes, where: str) -> str:
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), None) or _without_mark(content)
    try:
        return content.decode(encoding, errors="strict" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape")
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: a list that begins as {encoding}, and is not ({error}): write it as UTF-8") from error


def _without_mark(content: bytes) -> str:
    """Return the encoding of a list without a mark. In UTF-16, every second byte of the letters that most names have is NUL."""
    if len(content) % 2 == 0 and content.count(0) > len(content) / 3:
        for encoding, place in (("utf-16-le", 1), ("utf-16-be", 0)):
            if content[place::2].count(0) > len(content) / 3 and not any(byte == 0 for byte in content[1 - place :: 2]):
                return encoding
    return "utf-8"


def _name(line: str) -> str:
    """Return the name of a file in a line; "" for a comment."""
    if _is_there(line):
        return line
    bare = line.strip()
    if len(bare) > 1 and bare[0] == bare[-1] and bare[0] in QUOTES:
        return bare[1:-1]
    return "" if bare.startswith(COMMENT) and not _is_there(bare) else bare


def _is_there(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # a name that is too long
        return False


def _table(lines: Sequence[str], column: str | None, where: str) -> list[str] | None:
    """Return the files in the column of a table; None if the lines are no table."""
    rows = [line for line in lines if not line.lstrip().startswith(COMMENT) and not DIALECT.fullmatch(line.strip())]
    header = rows[0] if rows else ""
    delimiter = max(DELIMITERS, key=header.count)
    names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    if column is not None:
        choose(column, names, f"column of {where}")
    elif _name(header) and _is_there(_name(header)):
        return None
    else:
        known = {name.casefold(): name for name in reversed(names)}
        column = next((known[name] for name in FILE_COLUMNS if name in known), None)
    if column is None:
        if len(names) > 1 and not any("." in name or "/" in name for name in names):
            raise InputError(f"{where}: a table with the columns {', '.join(names)}: name the one with the files by --column")
        return None
    if pieces := [name for name in names if name.casefold() in OF_PIECES]:
        logger.warning(f"{where}: not used: {', '.join(pieces)}; the answers are of whole recordings (pieces: Sound in Python)")
    place = names.index(column)
    found = csv.reader(io.StringIO("\n".join(rows[1:])), delimiter=delimiter)
    return [row[place].strip() for row in found if len(row) > place]
