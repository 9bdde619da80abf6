"""What a comparison file holds (hparams/compare/NAME.yaml): rows, encoders, targets, train sets, the primary score and the claims."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlee_sb.errors import InputError, choose
from mlee_sb.evaluation import paper
from mlee_sb.evaluation.metrics import find_score
from mlee_sb.experiment.hparams_files import ENDINGS, find_comparison
from mlee_sb.targets import DENSE, SOFTMAX, TRAIN_SETS, target_names
from mlee_sb.training.hparams_tree import read_plain
from mlee_sb.typed_files import check_types

OF_THE_PAPER = "paper"  # in the place of claims: those of mlee_sb/evaluation/paper.py


@dataclass(frozen=True)
class Chosen:
    """A row or an encoder of a comparison, with the settings that it has there.

    Attributes
    ----------
    name : of the row (or the path of its hparams file), or of the encoder
    settings : name -> value; those of a required stage begin with its name. From a command line, values are text
    """

    name: str
    settings: Mapping = field(default_factory=dict)

    @classmethod
    def of(cls, entry: str | Mapping) -> "Chosen":
        """Return what a word of a command line or an entry of a file names.

        Raises
        ------
        InputError
            if it is neither ``name``, ``name:setting=value,setting=value`` nor ``{name: {setting: value}}``

        >>> Chosen.of("kld:alpha=0.75,speeds=0.9 1.1")
        Chosen(name='kld', settings={'alpha': '0.75', 'speeds': '0.9 1.1'})
        >>> Chosen.of({"kld": {"alpha": 0.75}}) == Chosen("kld", {"alpha": 0.75})
        True
        """
        if not isinstance(entry, str):
            if len(entry) != 1:
                raise InputError(f"{', '.join(entry) or entry}: one name with its settings is one entry: begin a new line with - for each")
            ((name, settings),) = entry.items()
            return cls(name, settings or {})
        name, colon, text = entry.partition(":")
        parts = re.split(r",(?=[\w.]+=)", text) if colon else []
        if not all("=" in part for part in parts):
            raise InputError(f"{entry}: settings are written as {name}:setting=value,setting=value")
        return cls(name, dict(part.split("=", 1) for part in parts))


@dataclass
class _File:
    """The entries of a comparison file, and what they may hold."""

    rows: list[str | dict[str, dict | None]]
    targets: list[str] = field(default_factory=lambda: ["soft"])
    train_sets: list[str] = field(default_factory=lambda: ["all"])
    encoders: list[str | dict[str, dict | None]] = field(default_factory=list)
    primary: str = paper.PRIMARY
    baseline: str = ""
    claims: str | dict[str, str] = field(default_factory=dict)
    settings: dict[str, str | bool | int | float | list] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes
    ----------
    name, file : of the comparison, and where it stands
    rows : hparams files by name, with settings
    in_file : the rows of the file, whatever rows are chosen
    targets : of the rows whose names tell their targets
    train_sets : of all rows
    encoders : below all rows; none for the encoder of the rows' files
    primary : the score that the claims are about, by its name in `mlee_sb.evaluation.metrics.SCORES`
    baseline : the row that every other row is compared with; "" where `claims` name the baselines
    claims : row -> its baseline. Empty where every row is claimed to differ from `baseline`
    of_the_paper : whether the claims are those of `mlee_sb.evaluation.paper`
    settings : flags of the command, with the values that they have where nobody gives them
    """

    name: str
    file: Path
    rows: tuple[Chosen, ...]
    in_file: tuple[Chosen, ...]
    targets: tuple[str, ...]
    train_sets: tuple[str, ...]
    encoders: tuple[Chosen, ...]
    primary: str
    baseline: str
    claims: Mapping[str, str]
    of_the_paper: bool
    settings: Mapping

    def given(self, **chosen: Sequence | str | None) -> "Comparison":
        """Return the comparison with what was given on a command line in the place of what the file says. None leaves the file's.

        Raises
        ------
        InputError
            if a target, a train set or a score is unknown
        """
        given = {name: value for name, value in chosen.items() if value is not None}
        for name in ("rows", "encoders"):
            if name in given:
                given[name] = tuple(map(Chosen.of, given[name]))
        if "baseline" in given:
            given |= {"claims": {}, "of_the_paper": False}
        return replace(self, **given).checked()

    def checked(self) -> "Comparison":
        """Return the comparison with the name of its primary score. Raise an InputError if a target, train set or score is unknown."""
        for name, found, known in (("target", self.targets, target_names(SOFTMAX, DENSE)), ("train_set", self.train_sets, TRAIN_SETS)):
            for value in found:
                choose(value, known, name)
        return replace(self, primary=find_score(self.primary, "primary score"))

    def pairs(self, rows: Iterable[str]) -> dict[str, str]:
        """Return the baseline of each row that is claimed to differ from one.

        Parameters
        ----------
        rows : the names of the rows that are trained, with their settings (``kld@alpha=0.75``)

        Raises
        ------
        InputError
            if there are no claims, or the baseline is none of the rows
        """
        if self.claims:
            return dict(self.claims)
        rows = list(dict.fromkeys(rows))
        if not self.baseline:
            raise InputError(f"{self.file}: no claims: name the baseline of all rows (baseline: {rows[0]}), or claims with their baselines")
        if self.baseline not in rows:
            raise InputError(
                f"the baseline {self.baseline} is none of the rows ({', '.join(rows)}): add its row to --rows, or name another one: "
                f"--baseline {rows[0]}"
            )
        return {row: self.baseline for row in rows if row != self.baseline}


def read_comparison(word: str | Path, folder: str | Path | None = None) -> Comparison:
    """Read a comparison file.

    Parameters
    ----------
    word : its path, or the name of one in hparams/compare
    folder : the folder of the hparams files; by default ./hparams and then that of mlee_sb

    Raises
    ------
    InputError
        if there is no such file, it is damaged, or an entry, a target, a train set or a score is unknown
    """
    file = find_comparison(word, folder)
    content = read_plain(file)
    for name in content:
        choose(name, _File.__dataclass_fields__, f"entry in {file}")
    check_types(content, _File, file, "correct the file; docs/compare.md shows one")
    found = _File(**content)
    of_the_paper = found.claims == OF_THE_PAPER
    if isinstance(found.claims, str) and not of_the_paper:
        raise InputError(
            f"{file}: claims is {found.claims!r}, and must be {OF_THE_PAPER}, or rows with their baselines: {{mlee: dominant_soft}}"
        )
    for name in ("rows", "targets", "train_sets"):
        if not getattr(found, name):
            raise InputError(f"{file}: {name} is empty: name the {name} to compare")
    rows = tuple(_beside(file, Chosen.of(entry)) for entry in found.rows)
    encoders = tuple(map(Chosen.of, found.encoders))
    claims = {} if of_the_paper else found.claims
    lists = {"targets": tuple(found.targets), "train_sets": tuple(found.train_sets)}
    texts = {"primary": found.primary, "baseline": found.baseline, "settings": found.settings}
    return Comparison(file.stem, file, rows, rows, encoders=encoders, claims=claims, of_the_paper=of_the_paper, **lists, **texts).checked()


def _beside(file: Path, row: Chosen) -> Chosen:
    """Return a row whose hparams file lies beside the comparison file with its path from here; another row as it is."""
    path = file.parent / row.name
    return replace(row, name=str(path)) if path.suffix in ENDINGS and path.is_file() else row
