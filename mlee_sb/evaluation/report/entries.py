"""What a table of the report is made of: entries with their text and the value to sort by, and the names of rows."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mlee_sb.evaluation import paper
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.stage_folder import VARIANT_MARK

NOTHING = "–"


@dataclass(frozen=True)
class Entry:
    """The text of a cell of a table, and the value to sort it by; None for text."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """A table with a title. Every row has as many entries as the header has columns.

    Attributes
    ----------
    key : its name in links and in the code
    title, header, rows : what is shown
    notes : sentences for its reader
    terms : word of the header or of an entry -> what it means, for somebody who does not know it
    """

    key: str
    title: str
    header: list[str]
    rows: list[list[Entry]]
    notes: list[str] = field(default_factory=list)
    terms: Mapping[str, str] = field(default_factory=dict)

    def without_empty_columns(self) -> "Table":
        """Return the table without the columns in which no row has anything, and without their terms."""
        kept = [k for k in range(len(self.header)) if any(row[k].text not in ("", NOTHING) for row in self.rows)]
        dropped = set(self.header) - {self.header[k] for k in kept}
        return replace(
            self,
            header=[self.header[k] for k in kept],
            rows=[[row[k] for k in kept] for row in self.rows],
            terms={term: meaning for term, meaning in self.terms.items() if term not in dropped},
        )


def paper_names(row: str) -> tuple[str, str]:
    """Return the names that the paper's table has for a row and its target, with the settings of a variant; its own for another row.

    >>> paper_names("mlee_fusion_soft@lr=0.1,seed=2"), paper_names("my_row")
    (('MLEE pre-training fusion (lr=0.1, seed=2)', 'soft'), ('my_row', '-'))
    """
    name, _, variant = row.partition(VARIANT_MARK)
    title, target = paper.ROWS.get(name, (name, "-"))
    return f"{title} ({variant.replace(',', ', ')})" if variant else title, target


def title_of(row: str) -> str:
    """Return the name of a row with its target.

    >>> title_of("mlee_fusion_soft"), title_of("mlee"), title_of("my_row")
    ('MLEE pre-training fusion, soft', 'MLEE only', 'my_row')
    """
    title, target = paper_names(row)
    return title if target == "-" else f"{title}, {target}"


def train_sets_of(cell: dict) -> str:
    """Return the train sets for which a cell stands."""
    return "dominant, all" if cell["row"] in paper.ONE_FOR_BOTH else cell["train_set"]


def label_of(cell: dict) -> str:
    """Return the name of a cell in a plot: its row, its target and its train sets."""
    return f"{title_of(cell['row'])}; {train_sets_of(cell)}"


def names_of(cell: dict) -> list[Entry]:
    """Return the first entries of a row of a table: row, target and train sets of a cell."""
    title, target = paper_names(cell["row"])
    return [text_entry(title), text_entry(target), text_entry(train_sets_of(cell))]


def meanings(names: Iterable[str]) -> dict[str, str]:
    """Return what some scores mean, by their titles."""
    return {SCORES[name].title: SCORES[name].meaning for name in names}


def shown_as(name: str, signed: bool = False) -> Callable[[float], str]:
    """Return what writes a value of a score: in percent or as it is, as people read this score; `signed` for a difference.

    >>> shown_as("ua")(0.5), shown_as("ua", signed=True)(0.031), shown_as("nll", signed=True)(-0.1)
    ('50.0', '+3.1', '-0.100')
    """
    sign = "+" if signed else ""
    return (lambda value: f"{100 * value:{sign}.1f}") if SCORES[name].percent else (lambda value: f"{value:{sign}.3f}")


def score_entry(scores: dict, name: str) -> Entry:
    """Return the entry of a score by its name in `SCORES`; nothing where a cell does not have it."""
    return estimate_entry(scores[name], shown_as(name)) if name in scores else text_entry(NOTHING)


def estimate_entry(found: dict, show: Callable[[float], str] | None = None) -> Entry:
    """Return an estimate with its interval, written by `show`, or in percent."""
    show = show or percent
    value, low, high = (found[name] for name in ("value", "low", "high"))
    if value is None:
        return text_entry(NOTHING)
    return Entry(show(value) if low is None else f"{show(value)} [{show(low)}, {show(high)}]", value)


def share_entry(value: float | None) -> Entry:
    """Return a share in percent."""
    return text_entry(NOTHING) if value is None else Entry(percent(value), value)


def p_entry(p: float | None) -> Entry:
    """Return a p value."""
    if p is None:
        return text_entry(NOTHING)
    return Entry("< 0.001" if p < 0.001 else f"{p:.3f}", p)


def between(values: Iterable[float | None], show: Callable[[float], str] = str) -> Entry:
    """Return the smallest and the largest of some values; nothing where none is known.

    >>> between([3, 5, None]).text, between([4, 4]).text, between([None]).text
    ('3 to 5', '4', '–')
    """
    known = [value for value in values if value is not None]
    if not known:
        return text_entry(NOTHING)
    low, high = show(min(known)), show(max(known))
    return Entry(low if low == high else f"{low} to {high}", max(known))


def percent(value: float | None) -> str:
    """Return a share in percent, as text."""
    return NOTHING if value is None else f"{100 * value:.1f}"


def text_entry(words: str) -> Entry:
    """Return an entry that is sorted as text."""
    return Entry(words)


def as_text(entries: Iterable[Entry]) -> list[str]:
    """Return the texts of some entries."""
    return [entry.text for entry in entries]
