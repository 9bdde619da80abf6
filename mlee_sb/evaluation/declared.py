"""What a comparison declares before its figures are seen: its primary score, and which cells are claimed to differ from which baselines.

A declaration is written beside the results when a comparison begins, and stays. Who declares something else later adds a declaration, and
the report tells all of them, each with the number of stages that were finished then.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from mlee_sb.errors import InputError, choose
from mlee_sb.files import write_json
from mlee_sb.stage_folder import VARIANT_MARK
from mlee_sb.typed_files import read_typed

COMPARISONS = "comparisons.json"  # in the folder of the results of a corpus
MOST_PAIRS = 10_000  # of a declaration; a report of more takes minutes and gigabytes
REMEDY = "move the file away; what was declared then counts as declared when the comparison is started again"
NOTHING_ELSE = {"extra": "forbid"}  # for pydantic: an entry of a later version would be lost when the file is written again


@dataclass(frozen=True)
class Pair:
    """A cell and the cell that it is compared with, its baseline.

    Attributes
    ----------
    row, train_set : of the cell, the row with its variant as folders have it (``kld@alpha=0.75``)
    baseline, baseline_train_set : of the baseline, which learns from one train set where its target does
    claimed : whether it is claimed, before the figures are seen, that they differ; else the comparison is exploratory
    """

    row: str
    train_set: str
    baseline: str
    baseline_train_set: str
    claimed: bool = True

    __pydantic_config__: ClassVar = NOTHING_ELSE

    @property
    def of_rows(self) -> "Pair":
        """The same pair without the settings of its rows."""
        return replace(self, row=self.row.partition(VARIANT_MARK)[0], baseline=self.baseline.partition(VARIANT_MARK)[0])


@dataclass(frozen=True)
class Declaration:
    """What was declared of a comparison.

    Attributes
    ----------
    name : of the comparison
    primary : the name of the score that the claims are about
    pairs : what is compared with what
    date : the day on which it was declared, as 2026-11-27; "" for the claims of the paper, where nothing was declared
    stages, finished : how many stages the comparison had then, and how many of them were finished
    rows : name of a row with its variant -> the name that the comparison has for it, in the order of the comparison; empty in files of
        earlier versions
    """

    name: str
    primary: str
    pairs: tuple[Pair, ...]
    date: str = ""
    stages: int = 0
    finished: int = 0
    rows: Mapping[str, str] = field(default_factory=dict)

    __pydantic_config__: ClassVar = NOTHING_ELSE

    def __post_init__(self):
        """Refuse a name that would lead a file of the report out of its folder, and more pairs than a report can show.

        Raises
        ------
        InputError
            if the name is not that of a file, or there are more than `MOST_PAIRS` pairs
        """
        if not self.name.isprintable() or not self.name or Path(self.name).name != self.name:
            raise InputError(f"a comparison is called {self.name!r}, which is no name of a file: give its file another name")
        if len(self.pairs) > MOST_PAIRS:
            raise InputError(f"the comparison {self.name} has {len(self.pairs):,} pairs of rows, and at most {MOST_PAIRS:,} are compared")

    @property
    def claims(self) -> int:
        """How many claims there are, also where some of their rows are missing in a folder of results."""
        return sum(pair.claimed for pair in self.pairs)

    def says_as(self, other: "Declaration") -> bool:
        """Tell whether another declaration has the same primary score and the same pairs."""
        return self.primary == other.primary and set(self.pairs) == set(other.pairs)

    def compares_as(self, other: "Declaration") -> bool:
        """Tell whether another declaration compares the same rows, whatever settings they have and whatever score is primary."""
        return {pair.of_rows for pair in self.pairs} == {pair.of_rows for pair in other.pairs}

    def pairs_of(self, shown: Mapping[str, str]) -> list[Pair]:
        """Return the pairs whose rows are there, with the names that a report gives to rows.

        Parameters
        ----------
        shown : name of a row with its variant -> its name in the report

        >>> pair = Pair("kld@alpha=0.75", "all", "dominant_soft", "all")
        >>> declared = Declaration("own", "ua", (pair,), date="2026-11-27")
        >>> declared.pairs_of({"kld@alpha=0.75": "kld", "dominant_soft": "dominant_soft"})[0].row
        'kld'
        >>> declared.pairs_of({"kld": "kld"})
        []
        """
        if not self.date:  # the paper's claims are about the rows that have the names of the paper
            return list(self.pairs)
        there = [pair for pair in self.pairs if pair.row in shown and pair.baseline in shown]
        return [replace(pair, row=shown[pair.row], baseline=shown[pair.baseline]) for pair in there]


@dataclass(frozen=True)
class _File:
    declared: tuple[Declaration, ...]


def read_declarations(results: str | Path | None) -> list[Declaration]:
    """Read what was declared beside the results of a corpus, the earliest first; [] where nothing was, or `results` is None.

    Raises
    ------
    InputError
        if the file is damaged
    """
    path = None if results is None else Path(results, COMPARISONS)
    if path is None or not path.is_file():
        return []
    found = read_typed(path, _File, REMEDY)["declared"]
    return [Declaration(**{**one, "pairs": tuple(Pair(**pair) for pair in one["pairs"])}) for one in found]


def find_declarations(results: str | Path | None, name: str | None = None) -> list[Declaration]:
    """Read what was declared of one comparison, the earliest first; [] where nothing was declared.

    Parameters
    ----------
    results : the folder of the results of a corpus
    name : of the comparison; by default the one that was declared last

    Raises
    ------
    InputError
        if the file is damaged, or nothing was declared of this comparison
    """
    found = read_declarations(results)
    if not found:
        if name is None:
            return []
        raise InputError(
            f"{results}: no comparison was begun there, and so not {name}: leave --comparison out, or begin it with mlee compare"
        )
    name = found[-1].name if name is None else choose(name, dict.fromkeys(one.name for one in found), "comparison")
    return [one for one in found if one.name == name]


def declare(results: str | Path, declaration: Declaration) -> Declaration:
    """Write what a comparison declares beside its results, and return it with its date.

    Where it is what was declared of this comparison before, that stays, with its date; only how it calls its rows, which is no claim, is
    written anew. The file names the comparison last that was begun last: a report of the whole folder is about this one.
    """
    before = read_declarations(results)
    of_name = [one for one in before if one.name == declaration.name]
    same = [one for one in of_name[-1:] if one.says_as(declaration)]
    today = datetime.now(UTC).date().isoformat()
    dated = replace(same[0], rows=declaration.rows) if same else replace(declaration, date=today)
    write_json(Path(results, COMPARISONS), asdict(_File((*(one for one in before if one not in same), dated))))
    return dated
