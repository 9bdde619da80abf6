"""Several users and machines on one folder: locks that all may use, and disks that have none."""

import errno
import fcntl
import os
import stat
import subprocess
import sys

import pytest
from filelock import FileLock, Timeout

from mlee_sb.disk import DiskError
from mlee_sb.locks import check_lockable

HOLDS = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def refusing(number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_disk_without_locks_is_told_instead_of_waited_for(tmp_path, monkeypatch, number):
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    with pytest.raises(DiskError, match=f"^{tmp_path}: the disk has no locks .flock.*local disk"):
        check_lockable(tmp_path / ".lock")


def test_a_lock_of_another_user_who_lets_nobody_write_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "open", refusing(errno.EACCES))  # root may everything
    with pytest.raises(DiskError, match="ask its owner for the right .docs/clusters.md"):
        check_lockable(tmp_path / ".lock")


def test_a_lock_that_another_process_holds_can_be_waited_for_and_is_open_when_that_is_killed(tmp_path):
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLDS, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        check_lockable(path)
        with pytest.raises(Timeout):
            FileLock(path).acquire(timeout=0)
        other.kill()
    with FileLock(path).acquire(timeout=0):
        check_lockable(path)


@pytest.mark.parametrize(("umask", "rights"), [(0o002, 0o664), (0o077, 0o600)])
def test_who_may_lock_is_what_the_umask_says(tmp_path, umask, rights):
    before = os.umask(umask)
    try:
        check_lockable(tmp_path / ".lock")
        FileLock(tmp_path / ".lock").acquire(timeout=0).lock.release()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / ".lock").stat().st_mode) == rights
