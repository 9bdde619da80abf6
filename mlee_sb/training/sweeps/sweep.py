"""Many stages in one run: each is trained only once, several run at the same time, and a failure does not stop the others."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from mlee_sb.training.stage import Stage
from mlee_sb.training.sweeps.backends import Workers
from mlee_sb.training.sweeps.process import DIED, FAILED, FINISHED, make_task

REUSED, SKIPPED = "reused", "skipped"  # besides FINISHED and FAILED
SHOWN_RUNNING = 3  # stages that are named beside the bar


@dataclass(frozen=True)
class Outcome:
    """The result of a sweep for one stage: `state` is FINISHED, REUSED, FAILED or SKIPPED, the last two with a `reason` of one line.

    `refused` is as for `Ending`.
    """

    stage: Stage
    state: str
    reason: str = ""
    seconds: float = 0.0
    refused: bool = False

    @property
    def stands(self) -> bool:
        return self.state in (FINISHED, REUSED)

    @property
    def log(self) -> Path:
        return self.stage.files.run_log


def kind(stage: Stage) -> str:
    """Return ``"encoder"`` for a stage that learns from waveforms, ``"head"`` for a stage with the frozen encoders of others."""
    return "head" if stage.requires else "encoder"


def done(stage: Stage) -> bool:
    """Tell whether a stage is trained and scored."""
    return stage.finished and stage.scored


def waves(stages: Sequence[Stage], jobs: int) -> list[list[Stage]]:
    """Return stages in waves, in the order of training. No stage requires another stage of its wave.

    A wave has the encoders of `jobs` folds, and then the heads of the folds of the wave before. So whole folds are finished early, and
    no worker waits for an encoder while there are other stages to train.

    Parameters
    ----------
    stages : each stage after those that it requires, as `mlee_sb.training.stage.plan` returns them
    jobs : number of stages that are trained at the same time
    """
    units = list(dict.fromkeys(_unit(stage) for stage in stages))
    found: dict[int, list[Stage]] = {}
    for stage in sorted(stages, key=_depth):
        found.setdefault(units.index(_unit(stage)) // jobs + _depth(stage), []).append(stage)
    return [found[number] for number in sorted(found)]


def sweep(
    stages: Sequence[Stage], workers: Workers, device: str, score: Callable[[Path], None], threads: int, say: Callable[[str], None]
) -> list[Outcome]:
    """Train those of some stages that are not finished, and return the outcome of each stage.

    If a stage fails, only the stages that require it are skipped. A stage whose process was killed is started again when nothing else
    runs, and fails if it is killed again.

    Parameters
    ----------
    stages : each stage after those that it requires; `mlee_sb.training.run.check_stages` has checked them
    workers : the workers that train, from `mlee_sb.training.sweeps.backends.open_backend`
    device, score : as for `mlee_sb.training.run.run_one`
    threads : CPU threads of each stage; their number changes results by rounding, the number of workers does not
    say : called with each line for a person
    """
    outcomes = {stage.folder: Outcome(stage, REUSED) for stage in stages if done(stage)}
    pending = [stage for stage in stages if stage.folder not in outcomes]
    with tqdm(total=len(stages), initial=len(outcomes), unit="stage", disable=not sys.stderr.isatty(), dynamic_ncols=True) as bar:

        def tell(outcome: Outcome) -> None:
            outcomes[outcome.stage.folder] = outcome
            bar.update()
            with bar.external_write_mode(file=sys.stdout, nolock=True):
                say(f"[{len(outcomes)}/{len(stages)}] {_line(outcome)}")

        if outcomes:
            say(f"[{len(outcomes)}/{len(stages)}] finished before, reused")
        for wave in waves(pending, workers.jobs):
            for stage in wave:
                if missing := [part for part in stage.requires.values() if not outcomes[part.folder].stands]:
                    tell(Outcome(stage, SKIPPED, f"requires {missing[0].name}, which {outcomes[missing[0].folder].state}"))
            ready = [stage for stage in wave if stage.folder not in outcomes]
            for outcome in _train(ready, workers, device, score, threads, bar):
                tell(outcome)
    return [outcomes[stage.folder] for stage in stages]


def _train(stages: list[Stage], workers: Workers, device: str, score: Callable, threads: int, bar: tqdm) -> Iterator[Outcome]:
    """Train stages that do not require one another. Train those whose process died once more, alone."""
    tasks = {task.stage.folder: task for task in (make_task(stage, device, score, threads) for stage in stages)}
    left = dict(zip(tasks, stages, strict=True))
    _show_running(bar, left, workers.jobs)
    died = []
    for ending in workers.train(list(tasks.values())) if tasks else ():
        stage = left.pop(ending.folder)
        _show_running(bar, left, workers.jobs)
        if ending.state == DIED:
            died.append(stage)
        else:
            yield Outcome(stage, ending.state, ending.reason, ending.seconds, ending.refused)
    for stage in died:
        _show_running(bar, {stage.folder: stage}, 1)
        (ending,) = workers.train([tasks[stage.folder.absolute()]])
        state = FAILED if ending.state == DIED else ending.state
        yield Outcome(stage, state, ending.reason, ending.seconds, ending.refused)


def _show_running(bar: tqdm, left: dict[Path, Stage], jobs: int) -> None:
    """Show the running stages beside the bar. Workers take stages in order, so these are the first `jobs` of those that are left."""
    names = [_short(stage) for stage in list(left.values())[:jobs]]
    more = f" and {len(names) - SHOWN_RUNNING} more" if len(names) > SHOWN_RUNNING else ""
    bar.set_postfix_str(", ".join(names[:SHOWN_RUNNING]) + more)


def _short(stage: Stage) -> str:
    return f"{stage.settings['row']} {stage.settings['train_set']} fold {stage.settings['fold']}"


def _line(outcome: Outcome) -> str:
    if outcome.state == FINISHED:
        minutes, seconds = divmod(round(outcome.seconds), 60)
        return f"{outcome.stage.name}: finished in {minutes}:{seconds:02} min"
    return f"{outcome.stage.name}: {outcome.state}: {outcome.reason}"


def _unit(stage: Stage) -> tuple:
    return stage.settings["seed"], stage.settings["fold"]


def _depth(stage: Stage) -> int:
    return 1 + max(map(_depth, stage.requires.values())) if stage.requires else 0
