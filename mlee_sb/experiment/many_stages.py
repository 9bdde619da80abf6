"""What the commands that train many stages have in common: flags, the plan, and the lines at the end."""

import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial

import pandas as pd

from mlee_sb.corpora.manifest import fold_numbers
from mlee_sb.disk import DiskError, check_writable
from mlee_sb.errors import InputError, choose
from mlee_sb.evaluation.declared import Declaration, declare
from mlee_sb.evaluation.predictions import read_predictions, tests_nobody
from mlee_sb.evaluation.scores import scores
from mlee_sb.experiment.finish import finish
from mlee_sb.experiment.make_report import FOLDER, make_report
from mlee_sb.experiment.parser import Parser
from mlee_sb.files import json_text
from mlee_sb.stage_folder import above_rows
from mlee_sb.training.distributed import launched
from mlee_sb.training.run import check_device, check_stages, keep_fixed_parts, note_upstreams
from mlee_sb.training.stage import Stage, plan
from mlee_sb.training.sweeps.backends import BACKENDS, THIS_MACHINE, check_workers, open_backend
from mlee_sb.training.sweeps.sweep import FAILED, SKIPPED, Outcome, done, kind, sweep

ALL = "all"
DEMO_NOTE = "DEMO: generated speech and simulated annotators; these figures say nothing about the method"


def add_sweep_flags(parser: Parser) -> None:
    """Offer the flags that say which folds, where and how many at a time."""
    group = parser.add_argument_group("folds and workers")
    group.add_argument("--folds", nargs="+", default=[ALL], metavar="K", help="all (default), or numbers of folds: 1 3 5")
    group.add_argument(
        "--jobs", type=int, help="stages that are trained at the same time (default: as many as there are CPUs for; 1 on a GPU)"
    )
    group.add_argument("--threads", type=int, default=1, help="CPU threads of each stage (default: 1); changes rounding")
    group.add_argument("--backend", default="loky", metavar="|".join(BACKENDS), help="where to train: this machine, or a cluster")
    group.add_argument(
        "--address",
        help="of a Ray cluster or Dask scheduler that runs (default: one on this machine, for this run). Its machines need this package, "
        "and the data and --results at the same paths. After Ctrl-C a Dask cluster still finishes the stages that it has begun",
    )
    group.add_argument("--dry-run", action="store_true", help="show the plan and train nothing")
    group.add_argument("--json", action="store_true", help="with --dry-run: the plan, stage by stage, as one JSON object")


def output_of(given: dict) -> redirect_stdout:
    """Return where lines for a person go until the plan is made: with --json, stdout is for the object alone."""
    if given["json"] and not given["dry_run"]:
        raise InputError("--json shows the plan: add --dry-run")
    check_workers(given["backend"], given["jobs"], given["threads"])
    return redirect_stdout(sys.stderr if given["json"] else sys.stdout)


def chosen_folds(words: Sequence[str], protocol: dict) -> list[int]:
    """Return the numbers of the folds that --folds names.

    Raises
    ------
    InputError
        if one is not in the protocol
    """
    folds = fold_numbers(protocol)
    if list(words) == [ALL]:
        return folds
    if ALL in words:
        raise InputError(f"--folds {' '.join(words)}: either all or numbers")
    return sorted({int(choose(word, map(str, folds), "fold")) for word in words})


def train_all(wanted: Iterable[Stage], given: dict, declaration: Declaration | None = None) -> int:
    """Show the plan of the stages that are wanted, and train them unless it is a dry run.

    Parameters
    ----------
    wanted : the stages
    given : the flags of the command
    declaration : what the comparison declares, which is written before anything is trained; None for what is no comparison

    Returns
    -------
    int
        the exit status: 0, or 1 if a stage failed or the report could not be written

    Raises
    ------
    DiskError
        if a stage failed because the disk of the results refuses to write
    """
    if launched():
        raise InputError("started by torchrun, each of its processes would train everything: start it with python, and give --jobs")
    wanted = list({stage.folder: stage for stage in wanted}.values())
    stages = plan(*wanted)
    check_stages(stages)
    if given["json"]:
        print(json_text(_as_json(stages), indent=2))
        return 0
    print("\n".join(_plan_lines(stages)), flush=True)
    if given["dry_run"]:
        return 0
    device = check_device(given["device"], "fp32")
    say = partial(print, flush=True)  # a log file is read while it grows
    if declaration:
        counted = replace(declaration, stages=len(wanted), finished=sum(map(done, wanted)))
        declaration = declare(above_rows(wanted[0].folder), counted)
    note_upstreams(stages)
    if given["backend"] == THIS_MACHINE:
        keep_fixed_parts([stage for stage in stages if not done(stage)], device, say)
    with open_backend(given["backend"], given["jobs"], given["threads"], device, given["address"]) as workers:
        say(f"training on {device} with {workers.jobs} jobs; Ctrl-C stops, and the same command goes on")
        outcomes = sweep(stages, workers, device, finish, given["threads"], say)
    print("\n".join(_end_lines(wanted, outcomes)))
    if refused := [outcome.reason for outcome in outcomes if outcome.refused]:
        raise InputError(refused[0])
    if any(outcome.state == FAILED for outcome in outcomes):
        check_writable(above_rows(wanted[0].folder))  # a full disk is for a person to mend, and not the fault of a stage
    reported = _report(wanted, outcomes, given["command"], declaration.name if declaration else None)
    return 0 if reported and all(outcome.stands for outcome in outcomes) else 1


def _as_json(stages: list[Stage]) -> dict:
    return {
        "encoders": sum(kind(stage) == "encoder" for stage in stages),
        "heads": sum(kind(stage) == "head" for stage in stages),
        "stages": [
            {
                "row": stage.row,
                **{name: stage.settings[name] for name in ("train_set", "seed", "fold")},
                "kind": kind(stage),
                "requires": [str(part.folder) for part in stage.requires.values()],
                "folder": str(stage.folder),
                "finished": done(stage),
            }
            for stage in stages
        ],
    }


def _plan_lines(stages: list[Stage]) -> list[str]:
    """Return the plan for a person: one line for each row and train set, with the number of its stages."""
    frame = pd.DataFrame(_as_json(stages)["stages"])
    kinds = frame["kind"].value_counts()
    lines = [
        f"plan: {len(frame)} stages, each trained once: {kinds.get('encoder', 0)} encoders and {kinds.get('head', 0)} heads; "
        f"{frame['finished'].sum()} are finished"
    ]
    for (what, row, train_set), part in frame.groupby(["kind", "row", "train_set"], sort=False):
        folds = f"folds {' '.join(map(str, sorted(set(part['fold']))))}  seeds {' '.join(map(str, sorted(set(part['seed']))))}"
        lines.append(f"  {what:8} {row:19} train set {train_set:9} {folds}  ({part['finished'].sum()} of {len(part)} finished)")
    return lines


def _end_lines(wanted: list[Stage], outcomes: list[Outcome]) -> list[str]:
    """Return lines for a person: the pooled scores of each row over its finished folds, and what failed."""
    stands = {outcome.stage.folder for outcome in outcomes if outcome.stands}
    rows: dict[tuple, list[Stage]] = {}
    for stage in wanted:
        rows.setdefault((stage.row, stage.settings["train_set"], stage.settings["seed"]), []).append(stage)
    lines = ["pooled over the folds that stand, in %:"]
    for (row, train_set, seed), stages in rows.items():
        there = [stage for stage in stages if stage.folder in stands]
        lines.append(f"  {row:19} train set {train_set:9} seed {seed}  {_pooled(there)}  {len(there)} of {len(stages)} folds")
    if wanted[0].data.protocol["demo"]:
        lines.append(DEMO_NOTE)
    failed = [outcome for outcome in outcomes if outcome.state == FAILED]
    lines += [f"failed: {outcome.stage.name}: {outcome.reason}\n  see {outcome.log}" for outcome in failed]
    skipped = sum(outcome.state == SKIPPED for outcome in outcomes)
    if failed:
        lines.append(f"{len(failed)} failed and {skipped} that require them were skipped; the same command tries them again")
    return lines


def _report(wanted: list[Stage], outcomes: list[Outcome], command: str, comparison: str | None) -> bool:
    """Write the report of the wanted stages that are finished, and say where it is or why there is none. Return whether there is one.

    `comparison` is the name of that which was declared, None for none.
    """
    stands = {outcome.stage.folder for outcome in outcomes if outcome.stands}
    results = above_rows(wanted[0].folder)
    rows = {results / stage.folder.relative_to(results).parts[0] for stage in wanted}
    output = (rows.pop() if len(rows) == 1 else results) / FOLDER
    data, only = wanted[0].data, stands & {stage.folder for stage in wanted}
    shown = {"progress": sys.stderr.isatty(), "command": command}
    try:
        page = make_report(results, output, data.data_folder, data.manifests, only=only, comparison=comparison, **shown)
    except DiskError:
        raise
    except (InputError, OSError) as error:
        print(f"no report: {error}\n  the stages that are finished stand; the same command tries the report again")
        return False
    print(f"report: {page}")
    return True


def _pooled(stages: list[Stage]) -> str:
    stages = [stage for stage in stages if not tests_nobody(stage.files.predictions)]
    if not stages:
        return "WA  none  UA  none"
    found = scores(pd.concat([read_predictions(stage.files.predictions) for stage in stages], ignore_index=True))
    return "  ".join(f"{name.upper()} " + (" none" if found[name] is None else f"{100 * found[name]:5.1f}") for name in ("wa", "ua"))
