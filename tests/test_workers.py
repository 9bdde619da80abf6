"""Worker processes end with the process that started them, and forks do not wait for threads that they do not have."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc are those of Linux")
SECONDS = 60  # after which something hangs

WITH_IDLE_WORKERS = """
import os, time
from joblib import Parallel, delayed
from mlee_sb.workers import leave_with_the_starter

if __name__ == "__main__":
    tell = lambda i: time.sleep(0.1) or os.getpid()
    print(*set(Parallel(2, initializer=leave_with_the_starter)(delayed(tell)(i) for i in range(4))), flush=True)
    time.sleep(1000)
"""
FORKED_AFTER_USE = """
import os, sys, torch
import mlee_sb.models.device

def use():
    return torch.nn.functional.conv1d(torch.ones(4, 8, 100_000), torch.ones(8, 8, 9)).sum()

torch.set_num_threads(2)
use()
if os.fork() == 0:
    use()
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
THREADS_OF_A_SERVER = "import os, mlee_sb.training.sweeps.worker; print(len(os.listdir('/proc/self/task')))"


def runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@LINUX
def test_idle_workers_end_when_the_process_that_started_them_is_killed(tmp_path):
    (tmp_path / "script.py").write_text(WITH_IDLE_WORKERS)
    starter = subprocess.Popen([sys.executable, tmp_path / "script.py"], stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    with starter:
        workers = [int(word) for word in starter.stdout.readline().split()]
        assert workers and all(map(runs, workers))
        starter.kill()
    end = time.monotonic() + SECONDS
    while any(map(runs, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    left = [worker for worker in workers if runs(worker)]
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert not left


@LINUX
def test_a_fork_of_a_process_that_has_computed_with_threads_computes_with_one(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", FORKED_AFTER_USE], start_new_session=True)
    try:
        assert process.wait(timeout=SECONDS) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@LINUX
def test_the_server_of_stages_has_no_threads_when_it_forks():
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", THREADS_OF_A_SERVER], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "1"
