"""A person's own words for emotions: a CSV with the columns ``label`` and ``code``, a row a label. Labels of one code are merged.

::

    label,code
    Positive-{Happy},hap
    exc,hap
    none of these,oth
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlee_sb.corpora.codes import code_of, refuse_what_is_no_code
from mlee_sb.corpora.manifest.identities import folded
from mlee_sb.corpora.text_table import read_text_table
from mlee_sb.errors import InputError

LABEL, CODE = "label", "code"


@dataclass(frozen=True)
class Labels:
    """The codes of labels. A label is found however its case, spaces and accents are written.

    Attributes
    ----------
    path : the file
    codes : label, as `folded` gives it -> code
    """

    path: Path
    codes: Mapping[str, str]

    def code_of(self, label: str) -> str:
        """Return the code of a label; "" if the file does not have the label.

        >>> Labels(Path("labels.csv"), {"positive-{happy}": "hap"}).code_of("Positive-{Happy} ")
        'hap'
        """
        return self.codes.get(folded(label), "")

    def words(self, labels: Iterable[str]) -> str:
        """Return which codes these labels get, as a sentence says it. A label that is its own code is left out.

        >>> Labels(Path("labels.csv"), {"exc": "hap", "hap": "hap", "happy": "hap"}).words(["hap", "exc", "Happy"])
        'Happy, exc -> hap'
        """
        by_code: dict[str, set[str]] = {}
        for label in labels:
            code = self.code_of(label)
            if code and code != label:
                by_code.setdefault(code, set()).add(label)
        return "; ".join(f"{', '.join(sorted(by_code[code]))} -> {code}" for code in sorted(by_code))


def read_labels(path: str | Path) -> Labels:
    """Return the codes that a file gives to labels.

    Raises
    ------
    InputError
        if the file cannot be read as a table with these columns, a label has two codes, a cell is empty, or a code cannot be one
    """
    path = Path(path)
    table = read_text_table(path, (LABEL, CODE))
    for column in (LABEL, CODE):
        if column not in table.cells:
            raise InputError(f"{path}: no column {column!r}; it has {', '.join(table.names.values())}: the header must be {LABEL},{CODE}")
    codes: dict[str, str] = {}
    for line, label, given in zip(table.cells.index, table.cells[LABEL], table.cells[CODE], strict=True):
        if not label or not given:
            raise InputError(f"{path}, line {line}: the {CODE if label else LABEL} is empty; the code of a vote for no emotion is oth")
        code = code_of(given)
        refuse_what_is_no_code(code, f"{path}, line {line}")
        first = codes.setdefault(folded(label), code)
        if first != code:
            raise InputError(f"{path}, line {line}: the label {label!r} has the code {code!r}, and {first!r} on an earlier line")
    return Labels(path, codes)
