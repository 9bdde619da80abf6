"""Find out whether the rows of a report differ in more than the method: in settings, in code, or in the encoders of their heads."""

from collections.abc import Iterable, Sequence

from mlee_sb.evaluation.cells import Cells
from mlee_sb.evaluation.results import StageResult, by_key, frozen_encoders
from mlee_sb.stage_folder import SOURCE, VERSION, row_name

NOT_NOTED = "not noted (trained with an older version)"
ROWS_NAMED = 4  # of those that a caution is about
OUR_SOURCE = f"{SOURCE}mlee_sb"

Named = tuple[str, StageResult]  # a stage, with its row and train set for a person


def doubts(cells: Cells, stages: Sequence[StageResult]) -> list[str]:
    """Return why the rows may differ in more than the method, a caution for each reason.

    Parameters
    ----------
    cells : what is compared
    stages : all finished stages of these results, also encoders that are not compared
    """
    compared = [(f"{cell.row} ({cell.train_set})", stage) for cell in cells.cells for stage in cell.all_stages]
    return [*_other_settings(cells), *_other_code(compared), *_other_encoders(compared, stages)]


def _other_settings(cells: Cells) -> list[str]:
    """Name the changed settings of rows whose names do not tell them."""
    changed: dict[str, list[str]] = {}
    for cell in cells.cells:
        if cell.variant and cell.row != row_name(cell.all_stages[0].summary.row, cell.variant):
            changed.setdefault(cell.variant, []).append(cell.row)
    if not changed:
        return []
    listed = "; ".join(f"{', '.join(dict.fromkeys(rows))}: {variant}" for variant, rows in changed.items())
    return [f"Rows were trained with other settings than those of their hparams files. {listed}."]


def _other_code(compared: list[Named]) -> list[str]:
    """Name versions and sources in which stages differ. A stage that was trained without a module has no source of it."""
    values: dict[str, dict[str, list[str]]] = {}
    for name, stage in compared:
        identity = stage.identity
        for entry in {VERSION, OUR_SOURCE, *(entry for entry in identity if entry.startswith(SOURCE))}:
            values.setdefault(entry, {}).setdefault(str(identity.get(entry, NOT_NOTED)), []).append(name)
    return [
        f"Rows were trained with different code, and may differ for that reason: {entry} is "
        + "; ".join(f"{value} for {_rows(names)}" for value, names in sorted(by_value.items()))
        + ". Train them again with one version."
        for entry, by_value in sorted(values.items())
        if len(by_value) > 1
    ]


def _other_encoders(compared: list[Named], stages: Sequence[StageResult]) -> list[str]:
    """Name the heads whose encoder is not the one that lies among these results."""
    there = by_key(stages)
    found: dict[str, list[str]] = {}
    for name, stage in compared:
        for encoder, one in frozen_encoders(stage, there).items():
            if one is None:
                found.setdefault(encoder, []).append(name)
    return [
        f"The encoder {encoder} of {_rows(heads)} was trained again since, or is not among these results: in {len(heads)} "
        f"stage{'s' if len(heads) > 1 else ''} the head does not stand on the encoder that lies here. Train these rows again."
        for encoder, heads in sorted(found.items())
    ]


def _rows(names: Iterable[str]) -> str:
    names = list(dict.fromkeys(names))
    return ", ".join(names[:ROWS_NAMED]) + (f" and {len(names) - ROWS_NAMED} more" if len(names) > ROWS_NAMED else "")
