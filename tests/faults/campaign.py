#!/usr/bin/env python
"""Try to break it: kills, mutated inputs, disks that refuse, hostile input. A table of tries and findings at the end.

python tests/faults/campaign.py                            all of it, under 30 minutes on two cores
python tests/faults/campaign.py --only mutations --seed 7  one part, with other draws
python tests/faults/campaign.py --write docs/campaign.md   all of it, and the table into the page that shows it

Exit status: 0 no finding but known ones (known.toml), 1 others, or the time did not suffice.
"""

import argparse
import functools
import multiprocessing
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":  # pytest finds the helpers itself
    sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parents[1])]
    os.environ["OMP_NUM_THREADS"] = "1"

import disks  # noqa: E402
import hostile  # noqa: E402
import kills  # noqa: E402
import mutations  # noqa: E402
import torch  # noqa: E402
from children import Ended  # noqa: E402
from commands import Undisturbed, undisturbed  # noqa: E402
from outcome import HEADING, NO_TIME, PARTS, Row, run_in_words, table, unknown, write_into  # noqa: E402
from tqdm import tqdm  # noqa: E402
from world import World, make_world  # noqa: E402

import mlee_sb.cli.app  # noqa: E402  a child begins with what is imported here
import mlee_sb.experiment.cross_validate  # noqa: E402
import mlee_sb.experiment.make_report  # noqa: E402
import mlee_sb.experiment.train  # noqa: E402, F401

MUTATED, AT_ONCE, BATCH = 10_000, 2, 100


@dataclass(frozen=True)
class Job:
    """Some tries of one kind in one part of the campaign."""

    part: str
    kind: str
    numbers: range = field(default=range(1))


@dataclass(frozen=True)
class Campaign:
    """What every try needs: the files, the seed, the time at which it must end, and what undisturbed commands leave."""

    world: World
    seed: int
    end: float
    clean: dict[str, Undisturbed]


def jobs_of(parts: list[str], world: World, mutated: int = MUTATED) -> list[Job]:
    """Return all jobs, the longest first."""
    found = [Job("kills", name, range(i, i + 1)) for name in ("sweep", "train", "report", "prepare") for i in range(kills.SHARES[name])]
    found += [Job("disks", disks.FAULTS[i][0], range(i, i + 1)) for i in reversed(range(len(disks.FAULTS)))]
    found += [Job("hostile", file) for file in hostile.OF_THE_SUITE] + [Job("hostile", name) for name in hostile.cases(world)]
    whole = sum(kind.share for kind in mutations.KINDS.values())
    for name, kind in mutations.KINDS.items():
        last = -(-mutated * kind.share // whole)
        found += [Job("mutations", name, range(i, int(min(i + BATCH, last)))) for i in range(0, int(last), BATCH)]
    return [job for job in found if job.part in parts]


def do(campaign: Campaign, job: Job) -> tuple[Job, list[tuple[str, Ended]]]:
    """Do one job; what comes after the end of the time is only counted."""
    world, (number, *_) = campaign.world, job.numbers
    if time.monotonic() > campaign.end:
        return job, [(NO_TIME, Ended(NO_TIME))] * len(job.numbers)
    if job.part == "kills":
        return job, [kills.kill(world, job.kind, number, campaign.seed, campaign.clean[job.kind])]
    if job.part == "disks":
        return job, [disks.refuse(world, number, campaign.seed, campaign.clean)]
    if job.part == "mutations":
        return job, list(mutations.mutate(world, job.kind, job.numbers, campaign.seed))
    if job.kind in hostile.OF_THE_SUITE:
        return job, list(hostile.of_the_suite(job.kind, world.folder))
    return job, [hostile.try_case(world, job.kind)]


def run(parts: list[str], seed: int, minutes: float, folder: Path, mutated: int = MUTATED) -> dict[tuple[str, str], Row]:
    """Run the campaign in a folder, two tries at a time; return its rows by part and kind."""
    torch.set_num_threads(1)
    end = time.monotonic() + 60 * minutes
    world = make_world(folder)
    commands = kills.SHARES if {"kills", "disks"} & set(parts) else ()
    campaign = Campaign(world, seed, end, {name: undisturbed(world, name) for name in commands})
    rows: dict[tuple[str, str], Row] = {}
    jobs = jobs_of(parts, world, mutated)
    with multiprocessing.get_context("fork").Pool(AT_ONCE) as pool:
        done = pool.imap_unordered(functools.partial(do, campaign), jobs)
        for job, found in tqdm(done, total=len(jobs), unit="job", mininterval=5):
            shown = "cases" if job.part == "hostile" and job.kind not in hostile.OF_THE_SUITE else job.kind
            for name, ended in found:
                rows.setdefault((job.part, shown), Row()).add(job.part, job.kind, name, ended)
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for, print the table, and return the exit status."""
    writes = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    writes.add_argument("--write", type=Path, metavar="PAGE", help=f"a page whose part below '{HEADING.strip()}' the table replaces")
    parser = argparse.ArgumentParser(parents=[writes], description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of all draws")
    parser.add_argument("--minutes", type=float, default=30, help="after which nothing new is begun")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="some parts")
    parser.add_argument("--mutated", type=int, default=MUTATED, help="how many inputs are spoilt")
    asked = parser.parse_args(arguments)
    begin, (load, _, _) = time.monotonic(), os.getloadavg()
    with TemporaryDirectory(prefix="faults") as folder:
        rows = run(asked.only, asked.seed, asked.minutes, Path(folder), asked.mutated)
    for row in rows.values():
        for key, names in row.findings.items():
            print(f"{key}\n" + "\n".join(f"    {name!r:.700}" for name in names[:3]))
    _, words = writes.parse_known_args(arguments)  # where the table goes does not change it
    text = f"{run_in_words(words, asked.seed, (time.monotonic() - begin) / 60, load)}\n\n{table(rows)}"
    print(f"\n{text}")
    if asked.write:
        write_into(asked.write, text)
    not_tried = sum(row.ends[NO_TIME] for row in rows.values())
    return 1 if unknown(rows) or not_tried else 0


if __name__ == "__main__":
    sys.exit(main())
