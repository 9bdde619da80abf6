"""Files that are whole or not there: beside their place, on the disk, and what killed runs leave."""

import errno
import os
import resource
import subprocess
import sys
import textwrap
import time

import pytest

from mlee_sb import files
from mlee_sb.disk import DiskError, line_for, told
from mlee_sb.errors import InputError
from mlee_sb.files import clear_left, folder_beside, is_hidden, read_json, write_text, written_beside

KILLED_AMID_RENAMES = """
    import os, sys
    from pathlib import Path
    from mlee_sb import files

    rename, done = Path.rename, []
    def rename_once(self, target):
        if done:
            os._exit(9)
        done.append(rename(self, target))
    Path.rename = rename_once
    with files.written_beside(sys.argv[1]) as beside:
        beside.mkdir()
        (beside / "new").touch()
"""


def left_by(process: int, path, ending: str = "partial", host: str | None = None):
    """A folder that a process left beside `path`."""
    left = path.with_name(f".{path.name}.{host or files._host()}.{process}.{ending}")
    left.mkdir(parents=True)
    (left / "half").write_text("{")
    return left


@pytest.fixture
def ended() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_file_and_its_folder_are_on_the_disk_before_the_file_has_its_name_and_after(tmp_path, monkeypatch):
    said, replace, fsync = [], os.replace, os.fsync

    def name_of(descriptor):
        return os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))

    monkeypatch.setattr(os, "fsync", lambda descriptor: (said.append(name_of(descriptor)), fsync(descriptor)))
    monkeypatch.setattr(os, "replace", lambda old, new: (said.append("rename"), replace(old, new)))
    write_text(tmp_path / "a.txt", "whole")
    assert [name.split(".")[1] if name.startswith(".") else name for name in said] == ["a", "rename", tmp_path.name]


def test_everything_in_a_folder_is_on_the_disk_before_the_folder_has_its_name(tmp_path, monkeypatch):
    synced, fsync = set(), os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.add(os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))), fsync(fd)))
    with written_beside(tmp_path / "folder") as beside:
        (beside / "in").mkdir(parents=True)
        (beside / "in" / "file").write_text("x")
        (beside / "link").symlink_to("nowhere")
        assert not synced
    assert {"file", "in"} < synced


def test_a_run_that_is_killed_between_the_two_renames_of_a_folder_loses_nothing(tmp_path):
    whole = tmp_path / "manifests"
    whole.mkdir()
    (whole / "before").touch()
    died = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED_AMID_RENAMES), str(whole)])
    assert died.returncode == 9 and not whole.exists()
    clear_left(tmp_path, "manifests")
    assert [path.name for path in tmp_path.iterdir()] == ["manifests"] and (whole / "before").is_file()


def test_what_a_killed_run_left_is_cleared_by_the_next_one_that_writes_there(tmp_path, ended):
    path = tmp_path / "report"
    gone = [left_by(ended, path), left_by(1, path, host="elsewhere")]
    path.mkdir()
    gone.append(left_by(ended, path, "old"))
    os.utime(gone[1], (time.time() - 2 * files.ABANDONED,) * 2)
    here = [left_by(os.getppid(), path), left_by(1, path, host="elsewhere-too"), left_by(ended, tmp_path / "another")]
    with written_beside(path) as beside:
        beside.mkdir()
    assert not any(left.exists() for left in gone)
    assert all(left.exists() for left in here), "others may still write them"
    clear_left(tmp_path, alone=True)
    assert [left.name for left in tmp_path.iterdir()] == ["report"]


def test_a_folder_to_try_in_is_hidden_and_gone_at_the_end(tmp_path):
    with pytest.raises(RuntimeError), folder_beside(tmp_path / "a") as beside:
        assert beside.is_dir() and is_hidden(beside / "b", tmp_path)
        raise RuntimeError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "ask its owner"),
        (errno.EIO, "reports errors"),
    ],
)
def test_a_disk_that_refuses_is_named_with_what_to_do_and_the_old_file_stays(tmp_path, monkeypatch, number, says):
    write_text(tmp_path / "a.txt", "before")

    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskError, match=f"^{tmp_path}: .*{says}"):
        write_text(tmp_path / "a.txt", "after")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"] and (tmp_path / "a.txt").read_text() == "before"


def test_the_folder_that_a_person_knows_is_named_and_not_the_hidden_one_in_it(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskError, match=f"^{tmp_path}: the disk is full"), folder_beside(tmp_path / "a") as beside:
        write_text(beside / "b" / "c.txt", "x")


def test_a_name_that_is_too_long_is_told(tmp_path):
    with pytest.raises(DiskError, match="name is too long"):
        write_text(tmp_path / ("a" * 300), "x")


def test_a_library_that_hides_why_it_could_not_write_is_seen_through(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(RuntimeError), told(tmp_path):  # not the disk
        raise RuntimeError("file write failed")
    with pytest.raises(DiskError, match="is full"), told(tmp_path):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskError, match="is full"), told(tmp_path):
        raise RuntimeError("file write failed")


def test_what_filled_the_disk_is_removed_only_after_a_look_at_the_disk(tmp_path, monkeypatch):
    def refuse(descriptor):
        if list(tmp_path.glob(".a.bin.*")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskError, match=f"^{tmp_path}: the disk is full"), written_beside(tmp_path / "a.bin") as beside:
        beside.write_bytes(b"half")
        raise RuntimeError("file write failed")
    assert not list(tmp_path.iterdir())


def test_a_file_elsewhere_that_may_not_be_read_is_not_the_fault_of_the_folder(tmp_path):
    with pytest.raises(PermissionError), told(tmp_path):
        raise PermissionError(errno.EACCES, "Permission denied", "/elsewhere/a.wav")


def test_an_error_of_the_system_is_shown_as_what_to_do_or_as_it_is():
    assert line_for(OSError(errno.ENOSPC, "No space left on device")).startswith("standard output: the disk is full")
    assert line_for(FileNotFoundError(errno.ENOENT, "No such file", "a.wav")) == "[Errno 2] No such file: 'a.wav'"


def test_of_a_copy_the_disk_of_the_new_file_is_named(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device", "/elsewhere/a.ckpt", None, str(tmp_path / "a.ckpt"))
    assert line_for(full).startswith(f"{tmp_path / 'a.ckpt'}: the disk is full")
    with pytest.raises(DiskError, match=f"^{tmp_path}: the disk is full"), told(tmp_path):
        raise full


def test_a_disk_that_takes_only_a_part_is_full(tmp_path, monkeypatch):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))  # a short write is no error of the system
    try:
        with pytest.raises(DiskError, match=f"^{tmp_path}: a file here may not be so large"), told(tmp_path):
            raise RuntimeError("file write failed")
        monkeypatch.setattr("mlee_sb.disk.PROBE", 1)
        with pytest.raises(DiskError, match=f"^{tmp_path}: a file here may not be so large"), told(tmp_path):
            (tmp_path / "half").write_bytes(bytes(20_000))
            raise RuntimeError("unexpected pos 20096 vs 20000")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_where_a_folder_must_be_is_told(tmp_path):
    (tmp_path / "results").touch()
    with pytest.raises(DiskError, match="a file is where a folder must be: give another folder"):
        write_text(tmp_path / "results" / "a" / "b.txt", "x")


def test_a_folder_where_a_file_must_be_is_told(tmp_path):
    with pytest.raises(InputError, match=f"^{tmp_path}: damaged .*: train again"):
        read_json(tmp_path, "train again")
