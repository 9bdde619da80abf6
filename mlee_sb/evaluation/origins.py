"""Whether the rows of a report are of the same code, and its heads of the encoders that lie beside them."""

from collections.abc import Iterable, Sequence

from mlee_sb.evaluation.cells import Cells
from mlee_sb.evaluation.protocol.stages import frozen_encoders, key_of
from mlee_sb.evaluation.results import SOURCE, VERSION, StageResult

NOT_NOTED = "not noted (trained with an older version)"
ROWS_NAMED = 4  # of those that a caution is about


def doubts(cells: Cells, stages: Sequence[StageResult]) -> list[str]:
    """Why the rows may differ in more than the method: a caution each.

    Parameters
    ----------
    cells : what is compared
    stages : all finished stages of these results, encoders that are not compared too
    """
    compared = [stage for cell in cells.cells for folds in cell.stages.values() for stage in folds.values()]
    return [*_other_code(compared), *_other_encoders(compared, stages)]


def _other_code(compared: list[StageResult]) -> list[str]:
    """Versions and sources in which stages differ. A stage that was trained without a module has no source of it."""
    values: dict[str, dict[str, list[StageResult]]] = {}
    for stage in compared:
        identity = stage.identity
        for name in {VERSION, f"{SOURCE}mlee_sb", *(name for name in identity if name.startswith(SOURCE))}:
            values.setdefault(name, {}).setdefault(str(identity.get(name, NOT_NOTED)), []).append(stage)
    return [
        f"Rows were trained with different code, and may differ for that: {name} is "
        + "; ".join(f"{value} for {_rows(of)}" for value, of in sorted(by_value.items()))
        + ". Train them again with one version."
        for name, by_value in sorted(values.items())
        if len(by_value) > 1
    ]


def _other_encoders(compared: list[StageResult], stages: Sequence[StageResult]) -> list[str]:
    by_key = {key_of(stage.identity): stage for stage in stages}
    found: dict[str, list[StageResult]] = {}
    for stage in compared:
        for name, encoder in frozen_encoders(stage, by_key).items():
            if encoder is None:
                found.setdefault(name, []).append(stage)
    return [
        f"The encoder {name} of {_rows(heads)} was trained again since, or is not among these results: in {len(heads)} "
        f"stage{'s' if len(heads) > 1 else ''} the head is not one of the encoder that lies here. Train these rows again."
        for name, heads in sorted(found.items())
    ]


def _rows(stages: Iterable[StageResult]) -> str:
    names = list(dict.fromkeys(f"{stage.row} ({stage.train_set})" for stage in stages))
    return ", ".join(names[:ROWS_NAMED]) + (f" and {len(names) - ROWS_NAMED} more" if len(names) > ROWS_NAMED else "")
