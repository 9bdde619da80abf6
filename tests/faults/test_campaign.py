"""A short form of the campaign: the same draws in every run. `make faults` is the whole of it."""

import os
import signal
import time
from pathlib import Path

import disks
import hostile
import kills
import mutations
import pytest
from campaign import MUTATED, jobs_of
from children import HUNG, KILLED, MEMORY, REFUSED, RETURNED, TRACEBACK, WRONG, Ended, Wrong, try_each
from commands import undisturbed
from mutators import spoilt
from outcome import HEADING, KNOWN, Row, known_findings, run_in_words, table, unknown, write_into
from world import make_world

from mlee_sb.errors import InputError

SEED = 1
QUICK = ("recording, wav", "recording, flac", "recording, ogg", "recording, mp3", "labels.csv", "manifests", "list of files")
FAULTS = tuple(number for number, (name, _) in enumerate(disks.FAULTS) if name == "prepare")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world"), onnx=False)


@pytest.fixture(scope="module")
def clean(world):
    return {"prepare": undisturbed(world, "prepare")}


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def hang():
    time.sleep(1000)


def refuse():
    raise InputError("no")


def differ():
    raise Wrong("another row")


def stumble():
    raise KeyError("a")


def swell():
    return len(bytearray(2**33))


def calculate():
    while True:
        pass


ENDS = {RETURNED: int, REFUSED: refuse, WRONG: differ, TRACEBACK: stumble, KILLED: die, HUNG: calculate, MEMORY: swell}


def ends(works, **waits):
    return [ended.how for ended in try_each(lambda number: works[number](), range(len(works)), **waits)]


def test_every_way_to_end_is_told_and_the_next_try_goes_on():
    assert ends(list(ENDS.values()), patience=0.5) == list(ENDS)


def test_what_waits_hangs_only_after_a_time_that_a_busy_machine_may_take(monkeypatch):
    assert ends([lambda: time.sleep(0.3), int], patience=0.1) == [RETURNED, RETURNED]
    monkeypatch.setattr("children.CLOCK", 2)
    assert ends([hang, int], patience=0.1) == [HUNG, RETURNED]


def test_a_file_is_never_written_while_a_child_reads_it(world, monkeypatch):
    def read(folder, path, world):
        files = [other for other in folder.glob("*.csv") if other != path]
        before = [other.stat().st_mtime_ns for other in files]
        time.sleep(0.05)
        if [other.stat().st_mtime_ns for other in files] != before:
            die()
        stumble()

    monkeypatch.setitem(mutations.KINDS, "read slowly", mutations.Kind(1, "manifests", "*.csv", read))
    assert {ended.how for _, ended in mutations.mutate(world, "read slowly", range(10), SEED)} == {TRACEBACK}


def test_a_file_is_spoilt_in_the_same_way_every_time():
    content = b'{"a": [1, 2], "b": "c"}'
    made = [[spoilt("a.json", content, mutations._drawn(SEED, "k", i)) for i in range(50)] for _ in range(2)]
    assert made[0] == made[1] and len(set(made[0])) > 30


@pytest.mark.parametrize("kind", QUICK)
def test_spoilt_files_are_refused_in_words_or_answered(world, kind):
    bad = {name: ended for name, ended in mutations.mutate(world, kind, range(20), SEED) if ended.how not in (RETURNED, REFUSED)}
    assert not bad


@pytest.mark.parametrize("number", range(4))
def test_a_command_that_was_killed_is_made_good_by_the_same_command(world, clean, number):
    _, ended = kills.kill(world, "prepare", number, SEED, clean["prepare"])
    assert ended.how == RETURNED, ended


@pytest.mark.parametrize("number", FAULTS)
def test_a_disk_that_refuses_is_told_with_its_folder(world, clean, number):
    _, ended = disks.refuse(world, number, SEED, clean)
    assert ended.how == RETURNED, ended


@pytest.mark.parametrize("name", ["config, stride 131072", "wav, 3121 Hz", "wav, 15907 Hz", "hparams, itself", "hparams, one another"])
def test_what_is_made_to_harm_is_refused_or_harmless(world, name):
    _, ended = hostile.try_case(world, name)
    assert ended.how in (RETURNED, REFUSED), ended


def test_the_campaign_is_as_large_as_it_says(world):
    jobs = jobs_of(["kills", "mutations", "disks", "hostile"], world)
    tries = {part: sum(len(job.numbers) for job in jobs if job.part == part) for part in ("kills", "mutations", "disks")}
    assert tries["kills"] >= 100 and tries["mutations"] >= MUTATED and tries["disks"] >= 20


def test_a_finding_that_nobody_explained_is_in_the_table_as_unknown(monkeypatch, tmp_path):
    rows = {("mutations", "labels.csv"): (row := Row())}
    row.add("mutations", "labels.csv", "a.csv 1", Ended(RETURNED))
    row.add("mutations", "labels.csv", "a.csv 2", Ended(TRACEBACK, "KeyError in a.py:b", "'x'"))
    assert unknown(rows) == ["mutations: traceback KeyError in a.py:b"]
    for kind in ("labels.csv", "**all**"):
        assert f"| mutations | {kind} | 2 | 1 | 0 | 1 | 0 |" in table(rows)
    assert "**unknown**" in table(rows)
    monkeypatch.setattr("outcome.KNOWN", path := tmp_path / "known.toml")
    path.write_text('[[known]]\nfinding = "mutations: traceback KeyError in a.py"\nwhy = "nobody reads it"\n')
    assert unknown(rows) == [] and "nobody reads it" in table(rows)


def test_the_table_takes_the_place_of_the_one_before_with_the_run_that_it_is_of(tmp_path):
    page = tmp_path / "campaign.md"
    page.write_text(f"# Title\n{HEADING}\nOf an earlier run.\n\n| old |\n")
    write_into(page, run_in_words(["--only", "kills"], seed=7, minutes=6.6, load=0.25))
    title, told = page.read_text().split(HEADING)
    assert title == "# Title\n" and "| old |" not in told
    assert "Of `python tests/faults/campaign.py --only kills`, seed 7, commit " in told and "load of 0.2 at its begin, 7 minutes." in told


def test_every_known_finding_has_a_reason():
    assert Path(KNOWN).is_file() and all(len(why) > 20 for why in known_findings().values())
