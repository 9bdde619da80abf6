"""Backends, by name, that run the stages of a sweep: joblib's loky on this machine, or a Ray or Dask cluster."""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType

from joblib import Parallel, cpu_count, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor

from mlee_sb.errors import InputError, choose
from mlee_sb.training.sweeps.process import DIED, Ending, Task, train_in_own_process
from mlee_sb.workers import leave_with_the_starter

ANSWERS_WITHIN = "30s"  # how long to wait for a scheduler, which may run on a busy machine

THIS_MACHINE = "loky"  # the backend that needs no cluster


@dataclass(frozen=True)
class Workers:
    """Workers, `jobs` of them. `tells_each` says whether the backend reports each task when it ends, or all tasks at the end."""

    jobs: int
    tells_each: bool = True

    def train(self, tasks: Sequence[Task]) -> Iterator[Ending]:
        """Train tasks that do not require one another, started in their order. Yield how each one ended, when it ends."""
        left = {task.stage.folder for task in tasks}
        import_path = [os.path.abspath(folder) for folder in sys.path]
        how = {"return_as": "generator_unordered"} if self.tells_each else {}
        parallel = Parallel(n_jobs=self.jobs, batch_size=1, pre_dispatch=self.jobs, **how)
        try:
            for ending in parallel(delayed(train_in_own_process)(task, import_path, os.getpid()) for task in tasks):
                left.discard(ending.folder)
                yield ending
        except Exception as error:  # a worker was lost, and with it the work of all others
            yield from [Ending(task.stage.folder, DIED, str(error).strip().split("\n")[0]) for task in tasks if task.stage.folder in left]


def check_workers(name: str, jobs: int | None, threads: int) -> None:
    """Raise an InputError for an unknown backend, or for fewer than one job or thread."""
    choose(name, BACKENDS, "backend")
    if threads < 1 or (jobs is not None and jobs < 1):
        raise InputError(f"--jobs {jobs} --threads {threads}: each must be 1 or more")


@contextmanager
def open_backend(name: str, jobs: int | None, threads: int, device: str, address: str | None = None) -> Iterator[Workers]:
    """Yield the workers of a backend, and close them at the end. A cluster that was already running is not stopped.

    Parameters
    ----------
    name : one of `BACKENDS`
    jobs : number of stages at the same time; None for as many as the CPUs allow, or 1 on a GPU of this machine
    threads : CPU threads of a stage
    device : the device that the stages are trained on
    address : address of a running Ray or Dask cluster; None to start one on this machine, for this run only

    Raises
    ------
    InputError
        if the backend is unknown, is not installed, cannot be reached, or has no room for `jobs`
    """
    check_workers(name, jobs, threads)
    if address and name == THIS_MACHINE:
        raise InputError(f"--address {address}: the backend {THIS_MACHINE} is for this machine; add --backend ray or --backend dask")
    if not jobs and not address:
        jobs = 1 if device.startswith("cuda") else max(1, cpu_count() // threads)
    if jobs == 1 and not address:
        name = THIS_MACHINE  # joblib runs a single job without any backend
    with _one_ctrl_c_is_enough(), BACKENDS[name](jobs, threads, device, address) as workers:
        yield workers


@contextmanager
def _one_ctrl_c_is_enough() -> Iterator[None]:
    """Ignore Ctrl-C after the first one. While workers are being closed, a second one would leave some of them running."""

    def stop(number, frame):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _loky(jobs: int, threads: int, device: str, address: None) -> Iterator[Workers]:
    with parallel_config(THIS_MACHINE, initializer=_begin_worker):
        try:
            yield Workers(jobs)
        finally:
            if jobs > 1:
                get_reusable_executor().shutdown(kill_workers=True)


@contextmanager
def _dask(jobs: int | None, threads: int, device: str, address: str | None) -> Iterator[Workers]:
    distributed = _installed("distributed", extra="dask")
    if address:
        try:
            cluster, client = None, distributed.Client(address, timeout=ANSWERS_WITHIN)
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(f"--address {address}: no Dask scheduler answers there ({error})") from error
    else:
        here = {"dashboard_address": ":0", "memory_limit": 0, "host": "127.0.0.1"}  # stages have their own processes: no limit is needed
        cluster = distributed.LocalCluster(n_workers=jobs, threads_per_worker=1, silence_logs="CRITICAL", **here)
        client = distributed.Client(cluster)
    try:
        jobs = _room(jobs, sum(client.ncores().values()), address)
        with parallel_config("dask", client=client):
            yield Workers(jobs)
    finally:
        client.close()
        if cluster:
            cluster.close()


@contextmanager
def _ray(jobs: int | None, threads: int, device: str, address: str | None) -> Iterator[Workers]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = _installed("ray", extra="ray")
    _installed("ray.util.joblib", extra="ray").register_ray()
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address:
            ray.init(address=address, **quiet)
        else:
            ray.init(address="local", num_cpus=jobs * threads, include_dashboard=False, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(f"--address {address}: no Ray cluster answers there ({error})") from error
    try:
        needs = {"num_cpus": threads, "num_gpus": int(device.startswith("cuda"))}
        there = ray.cluster_resources()
        room = int(there.get("CPU", 0)) // threads
        if needs["num_gpus"]:
            room = min(room, int(there.get("GPU", 0)))
        jobs = _room(jobs, room, address)
        with parallel_config("ray", ray_remote_args=needs):
            yield Workers(jobs, tells_each=False)
    finally:
        ray.shutdown()


BACKENDS: dict[str, Callable] = {THIS_MACHINE: _loky, "ray": _ray, "dask": _dask}


def _room(jobs: int | None, room: int, address: str | None) -> int:
    """Return the number of jobs. Raise an InputError if the cluster has no room for them."""
    if room < max(2, jobs or 0):  # with one job, joblib would train on this machine
        raise InputError(f"--address {address}: the cluster has room for {room} stages at a time, and --jobs must be from 2 to that")
    return jobs or room


def _installed(module: str, extra: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"--backend {extra} needs a package that is not installed: pip install 'mlee_sb[{extra}]' ({error})") from error


def _begin_worker() -> None:
    """Ignore Ctrl-C in a worker: it reaches every process of a terminal, but the command stops its workers itself, and they end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_with_the_starter()
