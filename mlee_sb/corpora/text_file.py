"""The text of a file that another program wrote: UTF-8, UTF-16 and UTF-32 are recognised, a code page must be named."""

import codecs
import re
import zipfile
from pathlib import Path

from mlee_sb.errors import InputError

UTF_8 = "utf-8"
MARKS = {  # byte order mark -> encoding; the longer ones first, because the mark of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: UTF_8,
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
NO_TEXT = {  # first bytes -> what such a file is
    b"PK\x03\x04": "a zip archive",
    b"\xd0\xcf\x11\xe0": "an Excel workbook (xls)",
    b"\x1f\x8b": "a gzip archive",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "a database (SQLite)",
    b"%PDF": "a PDF",
    b"{\\rtf": "a text document (rtf)",
    b"{": "JSON",
    b"[{": "JSON",
    b"<": "HTML or XML",
}
SPREADSHEETS = {"xl/": "an Excel workbook (xlsx)", "content.xml": "an OpenDocument spreadsheet (ods)"}  # names in the archive
LINE_END = re.compile(r"\r\n|\r|\n")
LOST = "\ufffd"  # what a program writes in the place of a letter that it cannot read
FIRST_BYTES = 64  # from which UTF-16 without a mark is told: the names of the first columns
SHOWN_TEXT = 80  # characters of a line that an error shows


def read_text(path: Path, encoding: str = "", flag: str = "") -> tuple[str, str]:
    """Return the text of a file without its byte order mark, and the name of its encoding.

    Parameters
    ----------
    path : the file
    encoding : what the file is written in; "" to recognise Unicode
    flag : the option that gives `encoding`, for errors; "" where there is none

    Raises
    ------
    InputError
        if the file is missing, is no text, or it is not certain how its bytes are read; the message names the line
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    _refuse_what_is_no_text(path, data)
    mark = next((mark for mark in MARKS if data.startswith(mark)), b"")
    name = MARKS[mark] if mark else encoding or _without_mark(data)
    try:
        if mark and encoding and codecs.lookup(encoding).name[:6] != name[:6]:
            raise InputError(f"{flag} {encoding}: {path} begins with the mark of {name.upper()}: leave the option out")
        text = data[len(mark) :].decode(name)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, {_what_is_wrong(data[len(mark) :], error, name, flag)}") from error
    except LookupError as error:
        raise InputError(f"{flag} {encoding}: no such encoding; give for example cp1252 (Windows, western Europe) or gb18030") from error
    for letter, why in (("\0", "a byte 0: this is no text"), (LOST, "U+FFFD: another program could not read this letter, and lost it")):
        if letter in text:
            line = _line_of(text[: text.index(letter)])
            raise InputError(f"{path}, line {line}: {why}; export the file again, as CSV in UTF-8")
    return text, name


def _refuse_what_is_no_text(path: Path, data: bytes) -> None:
    kind = next((kind for first, kind in NO_TEXT.items() if data.startswith(first)), "")
    if data.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        kind = next((what for start, what in SPREADSHEETS.items() if any(name.startswith(start) for name in names)), kind)
    if kind:
        raise InputError(f"{path}: {kind}, and not a CSV: open it in the program that wrote it and save the table as CSV in UTF-8")


def _without_mark(data: bytes) -> str:
    """Return UTF-16 for bytes that are every second one 0, as Latin letters and commas are in it; UTF-8 for all others."""
    first, second = data[:FIRST_BYTES:2], data[1:FIRST_BYTES:2]
    if len(data) % 2 == 0 and 2 * second.count(0) > len(second) and not first.count(0):
        return "utf-16-le"
    if len(data) % 2 == 0 and 2 * first.count(0) > len(first) and not second.count(0):
        return "utf-16-be"
    return UTF_8


def _what_is_wrong(data: bytes, error: UnicodeDecodeError, name: str, flag: str) -> str:
    before = data[: error.start].decode(name, "replace")
    found = f"line {_line_of(before)}: byte 0x{data[error.start]:02x} is no {name.upper()}"
    if name != UTF_8 or not flag:
        return f"{found}: export the file again, as CSV in UTF-8"
    line = LINE_END.split(data.decode("cp1252", "replace"))[_line_of(before) - 1]
    return (
        f"{found}: it may be of a Windows code page: export the file again, as CSV in UTF-8, or name the code page: with {flag} cp1252, "
        f"this line is {line[:SHOWN_TEXT]!r}"
    )


def _line_of(before: str) -> int:
    """Return the number (from 1) of the line that comes after the text `before`."""
    return len(LINE_END.findall(before)) + 1
