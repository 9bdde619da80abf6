"""Fixed parts on disk: computed once by runs side by side and one after another, mapped, and told of before the disk is full."""

import errno
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from releases import write_wav

from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError
from mlee_sb.models.waveforms import load_waveform
from mlee_sb.training import data as data_module
from mlee_sb.training import fixed_values
from mlee_sb.training.fixed_values import keep, kept

from .conftest import EMOTIONS, SPEAKERS, VOTES, prepared
from .extracting import Layers, data_in, part_in, wanted_of

SCRIPT = Path(__file__).with_name("extracting.py")
ON_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc tells what is mapped")


@pytest.fixture
def folder(tmp_path):
    """A corpus of four speakers, with six utterances each."""
    prepared(tmp_path)
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """The names of the recordings that are read."""
    found, load = [], data_module.load_waveform
    monkeypatch.setattr(data_module, "load_waveform", lambda path, *how, **piece: found.append(path.name) or load(path, *how, **piece))
    return found


def computed(folder, part=None, data=None, speeds=(1.0,)):
    """What is said while the values of the corpus are computed."""
    said, data = [], data or data_in(folder)
    keep([part or part_in(folder)], wanted_of(data, speeds), data, "cpu", said.append)
    return said


def values_of(folder, part=None, speeds=(1.0,)):
    """The values of all rows of the corpus that are on disk, by ID."""
    data, found = data_in(folder), {}
    for rows, _ in wanted_of(data):
        ids = rows["ID"].tolist()
        found |= dict(zip(ids, kept([part or part_in(folder)], rows, data, speeds[:1], ids), strict=True))
    return found


def files_in(folder):
    return sorted(part_in(folder).folder.glob("*.safetensors"))


def wavs_of(folder):
    return sorted(path.name for path in (folder / "release").glob("*.wav"))


def test_a_value_is_that_of_its_utterance_alone(folder):
    computed(folder)
    for ID, value in values_of(folder).items():
        waveform = load_waveform(folder / "release" / f"{ID}.wav", 16000)
        torch.testing.assert_close(value, Layers().fixed(waveform[None], torch.tensor([len(waveform)]))[0][0])


def test_runs_side_by_side_share_the_work_and_compute_nothing_twice(folder):
    logs = ["reads.1", "reads.2"]
    with ThreadPoolExecutor() as pool:
        runs = [[sys.executable, SCRIPT, folder, own, other] for own, other in (logs, logs[::-1])]
        list(pool.map(lambda command: subprocess.run(command, check=True, capture_output=True), runs))
    first, second = ((folder / log).read_text().split() for log in logs)
    assert first and second and sorted(first + second) == wavs_of(folder)
    assert len(files_in(folder)) == len(SPEAKERS) and len(values_of(folder)) == len(SPEAKERS) * len(VOTES)


def test_a_run_goes_on_where_another_was_killed_and_clears_away_what_it_left(folder, reads):
    done = subprocess.run([sys.executable, SCRIPT, folder, "reads.1", "reads.1", str(2 * len(VOTES) + 1)], capture_output=True)
    assert done.returncode == -9
    finished = {path: path.stat().st_mtime_ns for path in files_in(folder)}
    assert len(finished) == 2
    locks = sorted(part_in(folder).folder.glob(".*.lock"))
    unfinished = next(lock for lock in locks if not lock.with_name(lock.name[1 : -len(".lock")]).exists())
    left = unfinished.with_name(unfinished.name.replace(".lock", ".elsewhere.1.partial"))
    left.write_bytes(b"half")
    computed(folder)
    assert len(reads) == 2 * len(VOTES) and not left.exists() and len(files_in(folder)) == len(SPEAKERS)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished


def test_a_file_that_was_cut_off_is_computed_again(folder, reads):
    computed(folder)
    whole = {ID: value.clone() for ID, value in values_of(folder).items()}
    reads.clear()
    file = files_in(folder)[0]
    file.write_bytes(file.read_bytes()[:100])
    computed(folder)
    assert len(reads) == len(VOTES) and all(torch.equal(value, whole[ID]) for ID, value in values_of(folder).items())


def test_only_what_hangs_on_a_changed_recording_is_computed_again(folder, reads):
    computed(folder, speeds=(0.9, 1.0))
    write_wav(folder / "release/c0.wav", seconds=0.3)
    shutil.rmtree(folder / "manifests")
    prepare("vote_table", folder / "release", folder / "manifests", EMOTIONS, say=lambda line: None)
    reads.clear()
    computed(folder, speeds=(0.9, 1.0))
    assert sorted(reads) == sorted([f"c{number}.wav" for number in range(len(VOTES))] * 2)
    assert len(values_of(folder)["c0"]) == 30


def test_another_piece_of_a_recording_has_values_of_its_own(folder, reads):
    """A table with c0.wav as a whole, then one with its beginning alone: the ID and the recording are the same."""
    computed(folder)
    whole = values_of(folder)["c0"].clone()
    table = folder / "release/votes.csv"
    header, *rows = table.read_text().splitlines()
    rows = [f"{row},{row.partition('.')[0]}{',0,0.05' if row.startswith('c0.wav') else ',,'}" for row in rows]
    table.write_text("\n".join([f"{header},ID,start,end", *rows]) + "\n")
    shutil.rmtree(folder / "manifests")
    prepare("vote_table", folder / "release", folder / "manifests", EMOTIONS, say=lambda line: None, group="speaker")
    reads.clear()
    computed(folder)
    piece = values_of(folder)["c0"]
    assert "c0.wav" in reads and len(piece) == 5 < len(whole) and torch.equal(piece, whole[:5])


def test_long_speakers_have_several_files(folder, monkeypatch):
    monkeypatch.setattr(fixed_values, "FILE_SECONDS", 0.2)
    computed(folder)
    several = {ID: value.clone() for ID, value in values_of(folder).items()}
    assert len(files_in(folder)) > len(SPEAKERS)
    monkeypatch.undo()
    shutil.rmtree(part_in(folder).folder)
    computed(folder)
    assert len(files_in(folder)) == len(SPEAKERS)
    assert all(torch.equal(value, several[ID]) for ID, value in values_of(folder).items())


@pytest.mark.parametrize("pooled", [False, True])
def test_what_will_be_written_is_said_before(folder, pooled):
    (line,) = computed(folder, part_in(folder, pooled), speeds=(0.9, 1.0))
    found = re.fullmatch(r"  fixed part of Layers: 24 utterances at speeds 0.9, 1, about (\d+) kB in (.*)", line)
    assert found and found[2] == str(part_in(folder).folder)
    assert int(found[1]) * 1e3 == pytest.approx(sum(value.nbytes for value in all_of(folder, pooled)), rel=0.15)
    assert computed(folder, part_in(folder, pooled), speeds=(0.9, 1.0)) == []


def all_of(folder, pooled):
    data = data_in(folder)
    for rows, speeds in wanted_of(data, (0.9, 1.0)):
        yield from kept([part_in(folder, pooled)], rows, data, speeds, rows["ID"].tolist())


def test_a_disk_that_is_too_small_is_told_before_anything_is_computed(folder, reads, monkeypatch):
    monkeypatch.setattr(fixed_values.shutil, "disk_usage", lambda path: SimpleNamespace(free=5000))
    with pytest.raises(InputError, match=r"upstream/key: the fixed part of Layers needs about \d+ kB here, and 5 kB are free.*--results"):
        computed(folder)
    assert reads == [] and files_in(folder) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_is_full_in_the_middle_leaves_whole_files_only(folder, reads, monkeypatch, number):
    written, write = [], Path.write_bytes

    def fills(path, content):
        if len(written) == 2:
            write(path, content[: len(content) // 2])
            raise OSError(number, "no more")
        written.append(path)
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", fills)
    with pytest.raises(InputError, match="begin again"):
        computed(folder)
    assert len(files_in(folder)) == 2 and not list(part_in(folder).folder.glob(".*.partial"))
    monkeypatch.setattr(Path, "write_bytes", write)
    reads.clear()
    computed(folder)
    assert len(reads) == 2 * len(VOTES) and len(values_of(folder)) == len(SPEAKERS) * len(VOTES)


def of_training(folder):
    """The values of the training set, of two speakers."""
    data = data_in(folder)
    rows, speeds = wanted_of(data)[0]
    return kept([part_in(folder)], rows, data, speeds, rows["ID"].tolist())


def mapped(folder):
    """How many files are mapped into the memory of this process."""
    return sum(str(part_in(folder).folder) in line for line in Path("/proc/self/maps").read_text().splitlines())


@ON_LINUX
def test_values_are_maps_of_files_that_are_let_go_again(folder, monkeypatch):
    computed(folder)
    values = of_training(folder)
    assert mapped(folder) == 0
    assert all(value.isfinite().all() for value in values) and mapped(folder) == 2
    monkeypatch.setattr(fixed_values, "MAPPED", 0)
    values = of_training(folder)
    assert all(value.isfinite().all() for value in values) and mapped(folder) == 1


def test_values_that_another_run_computed_again_are_not_taken_for_the_old_ones(folder):
    computed(folder)
    values = of_training(folder)
    for file in files_in(folder):
        file.unlink()
    with pytest.raises(InputError, match="taken away, or computed again"):
        values[0]


def test_values_keep_the_type_that_the_encoder_gives_them(folder, monkeypatch):
    part = part_in(folder)
    monkeypatch.setattr(part.module, "fixed", lambda *given: (Layers().fixed(*given)[0].half(), given[1] // 160))
    object.__setattr__(part, "compute", part.module.fixed)
    computed(folder, part)
    assert {value.dtype for value in values_of(folder).values()} == {torch.float16}
