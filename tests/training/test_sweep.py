"""Many stages in one run: in which order, what a failed or killed one costs, and that nothing about it changes a figure."""

import importlib
import itertools
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import distributed
import pytest

from mlee_sb.errors import InputError
from mlee_sb.evaluation.scores import score_folder
from mlee_sb.training.run import run
from mlee_sb.training.stage import plan
from mlee_sb.training.sweeps import backends, process
from mlee_sb.training.sweeps.backends import Workers, open_backend
from mlee_sb.training.sweeps.process import DIED, FAILED, FINISHED, Ending, make_task, train_in_own_process
from mlee_sb.training.sweeps.sweep import REUSED, SKIPPED, kind, sweep, waves

from .conftest import finished, prepared, stage_on

ONE_EPOCH = {"max_epochs": 1, "batch_size": 4, "speeds": [1.0]}
FOLDS = (1, 2, 3, 4)


class FakeWorkers(Workers):
    """Workers that train nothing: how a stage ends is told by its row, for each time it is begun."""

    def __init__(self, jobs=1, **endings):
        super().__init__(jobs)
        self.endings, self.begun = {row: list(states) for row, states in endings.items()}, []

    def train(self, tasks):
        self.begun.append([task.stage.name for task in tasks])
        for task in tasks:
            state = self.endings.get(task.stage.settings["row"], [FINISHED]).pop(0)
            yield Ending(task.stage.folder, state, reason="" if state == FINISHED else "out of luck")


def run_sweep(stages, workers, say=lambda line: None):
    outcomes = sweep(stages, workers, "cpu", score_folder, threads=1, say=say)
    return {outcome.stage.settings["row"]: outcome for outcome in outcomes}


@pytest.fixture
def fusion(stage):
    """The three stages of a fusion."""
    return plan(stage("mlee_fusion"))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def fusions(corpus, tmp_path):
    """The stages of a fusion and of a pretrained classifier, on four folds."""
    wanted = [stage_on(corpus, tmp_path, row, fold=fold) for fold in FOLDS for row in ("mlee_fusion", "mlee_pretrain")]
    return plan(*wanted)


def test_a_stage_that_several_require_is_planned_once(fusions):
    assert len(fusions) == len({stage.folder for stage in fusions}) == 4 * len(FOLDS)
    assert [kind(stage) for stage in fusions].count("encoder") == 2 * len(FOLDS)


def test_two_settings_for_one_folder_are_refused(corpus, tmp_path):
    """A file of one's own has other settings, and the name of a row that is there already."""
    own = shutil.copytree("hparams", tmp_path / "hparams") / "mlee.yaml"
    own.write_text(own.read_text().replace("lr: 0.0002", "lr: 0.1"))
    existence = stage_on(corpus, tmp_path / "results", str(own.with_suffix("")))
    with pytest.raises(InputError, match="two stages with different settings would share this folder"):
        plan(existence, stage_on(corpus, tmp_path / "results", "mlee_pretrain"))


def test_a_required_stage_and_one_of_other_settings_are_planned_side_by_side(corpus, tmp_path):
    existence, pretrain = (stage_on(corpus, tmp_path, row, **changed) for row, changed in (("mlee", {"lr": 0.1}), ("mlee_pretrain", {})))
    assert [part.name.split(" ")[0] for part in plan(existence, pretrain)] == ["mlee@lr=0.1", "mlee", "mlee_pretrain_soft"]


def test_a_wave_has_the_encoders_of_some_folds_and_then_the_heads_of_the_wave_before(fusions):
    found = [[(stage.settings["fold"], kind(stage)) for stage in wave] for wave in waves(fusions, jobs=2)]
    encoders, heads = ([(fold, what) for fold in FOLDS for _ in range(2)] for what in ("encoder", "head"))
    assert found == [encoders[:4], encoders[4:] + heads[:4], heads[4:]]


def test_no_stage_waits_in_the_wave_of_one_that_it_requires(fusions):
    before = set()
    for wave in waves(fusions, jobs=3):
        assert all(part.folder in before for stage in wave for part in stage.requires.values())
        before |= {stage.folder for stage in wave}
    assert before == {stage.folder for stage in fusions}


def test_a_failed_stage_costs_those_that_require_it_and_no_other(fusion):
    workers, said = FakeWorkers(dominant_soft=[FAILED]), []
    outcomes = run_sweep(fusion, workers, said.append)
    assert [outcome.state for outcome in outcomes.values()] == [FINISHED, FAILED, SKIPPED]
    assert outcomes["dominant_soft"].reason == "out of luck"
    assert outcomes["mlee_fusion_soft"].reason.startswith("requires dominant_soft") and "failed" in outcomes["mlee_fusion_soft"].reason
    assert len(said) == 3 and "skipped" in said[-1]


def test_a_killed_stage_is_begun_again_alone_after_the_others(fusion):
    workers = FakeWorkers(jobs=2, mlee=[DIED, FINISHED])
    outcomes = run_sweep(fusion, workers)
    encoders, again, head = workers.begun
    assert len(encoders) == 2 and again == [fusion[0].name] and head == [fusion[2].name]
    assert {outcome.state for outcome in outcomes.values()} == {FINISHED}


def test_a_stage_that_is_killed_again_has_failed(fusion):
    outcomes = run_sweep(fusion, FakeWorkers(mlee=[DIED, DIED]))
    assert [outcome.state for outcome in outcomes.values()] == [FAILED, FINISHED, SKIPPED]


def test_what_is_finished_is_reused_and_what_is_only_trained_is_scored(fusion):
    finished(fusion[0]).files.scores.write_text("{}")
    finished(fusion[1])
    workers = FakeWorkers()
    assert run_sweep(fusion, workers)["mlee"].state == REUSED
    assert workers.begun[0] == [fusion[1].name]


def test_the_loss_of_a_worker_is_told_of_the_stages_that_it_cost(fusion, monkeypatch):
    monkeypatch.setattr("mlee_sb.training.sweeps.backends.delayed", lambda function: lambda task, *more: (_lost, (task,), {}))
    tasks = [type("Task", (), {"stage": part}) for part in fusion[:2]]
    endings = list(Workers(jobs=1).train(tasks))
    assert [(ending.folder, ending.state, ending.reason) for ending in endings] == [
        (fusion[0].folder, FINISHED, ""),
        (fusion[1].folder, DIED, "a worker was lost"),
    ]


def _lost(task):
    if task.stage.settings["row"] == "mlee":
        return Ending(task.stage.folder, FINISHED)
    raise RuntimeError("a worker was lost\nsomehow")


MORTAL = """
import os, signal
from pathlib import Path
from mlee_sb.models.encoders import cnn_blstm_attention
class PaperEncoder(cnn_blstm_attention.PaperEncoder):
    def __init__(self, **settings):
        with open(Path(__file__).with_name("deaths"), "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
"""


def plug_in(folder: Path, code: str) -> Path:
    """hparams of an encoder with other code."""
    (folder / "plug_in_of_a_test.py").write_text(code)
    hparams = shutil.copytree("hparams", folder / "hparams")
    part = hparams / "parts/paper_encoder.yaml"
    part.write_text(part.read_text().replace("!new:mlee_sb.models.encoders.cnn_blstm_attention.", "!new:plug_in_of_a_test."))
    return hparams


def test_a_stage_whose_process_is_killed_is_tried_once_more_and_leaves_the_others_alone(corpus, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    places = [plug_in(tmp_path, MORTAL), Path("hparams").absolute()]
    stages = [stage_on(corpus, tmp_path / "results", str(place / "mlee"), fold=fold, **ONE_EPOCH) for fold, place in enumerate(places, 1)]
    with open_backend("loky", jobs=2, threads=1, device="cpu") as workers:
        killed, fellow = sweep(stages, workers, "cpu", score_folder, threads=1, say=lambda line: None)
    assert (killed.state, fellow.state) == (FAILED, FINISHED)
    assert "status -9 (killed" in killed.reason
    assert (tmp_path / "deaths").read_text() == "xx"


@pytest.fixture
def tasks(corpus, tmp_path):
    """Tasks of three stages that train for one epoch. Servers of other tests are out of sight."""
    stages = [stage_on(corpus, tmp_path, "mlee", fold=fold, **ONE_EPOCH) for fold in (1, 2, 3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "_WAITING", [])
        yield [make_task(stage, "cpu", score_folder, threads=1) for stage in stages]
        for server in process._WAITING:
            server._kill()


def trained(task, command: int | None = None) -> Ending:
    return train_in_own_process(task, sys.path, os.getpid() if command is None else command)


def waiting() -> list[int]:
    return [server._process.pid for server in process._WAITING]


def test_stages_that_follow_one_another_are_forks_of_one_server(tasks):
    """The libraries take longer to import than a stage on kept values to train."""
    for task in tasks[:2]:
        assert trained(task).state == FINISHED
        assert "training on cpu" in task.stage.files.run_log.read_text()
    assert len(set(waiting())) == 1
    assert tasks[0].stage.name not in tasks[1].stage.files.run_log.read_text()


def test_a_server_that_waited_too_long_has_ended_and_another_one_trains_the_stage(tasks, monkeypatch):
    monkeypatch.setattr(process, "IDLE", 0.3)
    assert trained(tasks[0]).state == FINISHED
    (server,) = process._WAITING
    assert server._process.wait(timeout=60) == process.ENDED_BY_ITSELF
    assert trained(tasks[1]).state == FINISHED
    assert server not in process._WAITING and len(process._WAITING) == 1


@pytest.fixture
def orphaned(monkeypatch):
    """From now on, each look at the parent of this process finds another one."""
    parents = itertools.count(1)
    monkeypatch.setattr(process.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(process, "LOOKS_UP", 0.01)


def test_a_command_goes_on_after_its_shell_has_ended(tasks, orphaned):
    """With one job the command trains itself, and nohup or a wrapper of cron may leave it without the process that started it."""
    assert trained(tasks[0]).state == FINISHED


def test_a_worker_ends_with_its_command(tasks, orphaned):
    with pytest.raises(SystemExit):
        trained(tasks[0], command=0)
    assert not waiting()


OTHER_CODE = """
import os, sys, time
from pathlib import Path
from mlee_sb.evaluation.scores import score_folder
def score(folder):
    score_folder(folder)
    {lines}
"""
A_DAEMON = """
    if (child := os.fork()) == 0:
        time.sleep(600)
        os._exit(0)
    Path(__file__).with_name("daemon").write_text(str(child))
"""


@pytest.mark.parametrize(
    ("lines", "state", "said"),
    [
        ("print('a word at the end')", FINISHED, "a word at the end"),
        ("sys.exit('sorry')", FAILED, "SystemExit: sorry"),
        ("os._exit(3)", DIED, ""),
        (A_DAEMON, FINISHED, ""),
    ],
    ids=["prints", "exits", "dies", "leaves a daemon"],
)
def test_what_other_code_may_do_in_the_process_of_a_stage(tmp_path, monkeypatch, tasks, lines, state, said):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"code_{state}{len(lines)}.py").write_text(OTHER_CODE.format(lines=lines))
    score = importlib.import_module(f"code_{state}{len(lines)}").score
    try:
        ending = trained(replace(tasks[0], score=score))
        assert (ending.state, ending.reason) == (
            state,
            {FAILED: said, DIED: "its process ended with status 3 (without a word)"}.get(state, ""),
        )
        assert said in tasks[0].stage.files.run_log.read_text()
    finally:
        if (daemon := tmp_path / "daemon").exists():
            os.kill(int(daemon.read_text()), signal.SIGKILL)


def test_a_disk_that_refuses_is_told_apart_from_other_failures(tmp_path, monkeypatch, tasks):
    """The command then ends as one whose own disk is full, and not as one with a bad stage."""
    monkeypatch.syspath_prepend(tmp_path)
    full = "from mlee_sb.disk import refusal; raise refusal(OSError(28, 'no space left'), folder)"
    for name, lines in (("code_full", full), ("code_bad", "raise ValueError('bad')")):
        (tmp_path / f"{name}.py").write_text(OTHER_CODE.format(lines=lines))
    endings = [
        trained(replace(task, score=importlib.import_module(name).score))
        for name, task in zip(("code_full", "code_bad"), tasks, strict=False)
    ]
    assert [(ending.state, ending.refused) for ending in endings] == [(FAILED, True), (FAILED, False)]
    assert str(tasks[0].stage.folder) in endings[0].reason


def test_a_stage_of_another_environment_has_another_server(tasks, monkeypatch):
    assert trained(tasks[0]).state == FINISHED
    monkeypatch.setenv("MLEE_UPSTREAMS", "/elsewhere")
    assert trained(tasks[1]).state == FINISHED
    assert len(set(waiting())) == 2


@pytest.fixture(scope="module")
def alone(corpus, tmp_path_factory):
    """Predictions of two folds, trained one after the other in this process, on one thread, as all tests are."""
    results = tmp_path_factory.mktemp("alone")
    stages = [stage_on(corpus, results, "mlee", fold=fold, **ONE_EPOCH) for fold in (1, 2)]
    for part in stages:
        run(part, "cpu", score_folder, say=lambda line: None)
    return [(part.folder / "predictions.csv").read_bytes() for part in stages]


IN_MANY_PROCESSES = [pytest.param(name, 2, marks=pytest.mark.real) for name in ("ray", "dask")]  # half a minute each to start


@pytest.mark.parametrize(("backend", "jobs"), [("loky", 1), ("loky", 2), *IN_MANY_PROCESSES])
def test_number_of_jobs_and_backend_change_no_figure(alone, corpus, tmp_path, monkeypatch, backend, jobs):
    monkeypatch.setenv("RAY_worker_niceness", "0")  # Ray's workers would wait for all other tests
    stages = [stage_on(corpus, tmp_path, "mlee", fold=fold, **ONE_EPOCH) for fold in (1, 2)[:jobs]]
    with open_backend(backend, jobs, threads=1, device="cpu") as workers:
        outcomes = sweep(stages, workers, "cpu", score_folder, threads=1, say=lambda line: None)
    assert {outcome.state for outcome in outcomes} == {FINISHED}
    assert [(part.folder / "predictions.csv").read_bytes() for part in stages] == alone[:jobs]
    assert all("training on cpu" in outcome.log.read_text() for outcome in outcomes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "looky"}, "did you mean 'loky'"),
        ({"name": "loky", "jobs": 0}, "must be 1 or more"),
        ({"name": "loky", "address": "10.0.0.1:8786"}, "add --backend ray or --backend dask"),
    ],
)
def test_a_backend_that_cannot_be_had_is_answered(given, message):
    with pytest.raises(InputError, match=message), open_backend(**{"jobs": 2, "threads": 1, "device": "cpu", **given}):
        pytest.fail("it was opened")


def test_an_address_at_which_no_scheduler_answers_is_told(deaf_port, monkeypatch):
    monkeypatch.setattr(backends, "ANSWERS_WITHIN", "1s")
    with pytest.raises(InputError, match="no Dask scheduler answers"), open_backend("dask", 2, 1, "cpu", f"tcp://127.0.0.1:{deaf_port}"):
        pytest.fail("it was opened")


@pytest.mark.parametrize(("backend", "package"), [("ray", "ray"), ("dask", "distributed")])
def test_a_backend_that_is_not_installed_names_what_to_install(monkeypatch, backend, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"pip install 'mlee_sb\[{backend}\]'"), open_backend(backend, 2, 1, "cpu"):
        pytest.fail("it was opened")


def test_a_dask_cluster_that_runs_is_used_and_left_running(corpus, tmp_path):
    here = {"dashboard_address": ":0", "host": "127.0.0.1", "protocol": "tcp"}
    part = stage_on(corpus, tmp_path, "mlee", **ONE_EPOCH)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, **here) as cluster,
        open_backend("dask", None, 1, "cpu", address=cluster.scheduler_address) as workers,
    ):
        assert workers.jobs == 2
        (outcome,) = sweep([part], workers, "cpu", score_folder, threads=1, say=lambda line: None)
        assert outcome.state == FINISHED and cluster.status.name == "running"
