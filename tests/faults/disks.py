"""Disks that refuse: each command ends with status 2 and the folder, what was there stays, and with space the same command goes on."""

import errno
import shutil
from pathlib import Path
from random import Random

from children import HUNG, RETURNED, TRACEBACK, WRONG, Ended
from commands import NO_END, Command, Undisturbed, contents, limit_files, made_good
from operations import Operations, refuses_from
from world import World

ERRORS = ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO")
SIZE = "EFBIG"  # of a limit on the size of files: the one that comes at the writing of bytes, also from libraries that are no Python
NAMES = ("prepare", "train", "report", "sweep")
FAULTS = tuple((name, error) for name in NAMES for error in (*ERRORS, SIZE))


def refuse(world: World, number: int, seed: int, clean: dict[str, Undisturbed]) -> tuple[str, Ended]:
    """Refuse what a command writes, from a drawn operation on. Return which fault that was, and how it ended."""
    name, error = FAULTS[number % len(FAULTS)]
    random = Random(f"{seed} disk {number}")
    output = world.folder / "full" / f"{name}{number}"
    output.mkdir(parents=True)
    if name in ("prepare", "report"):  # an earlier run, whose files must stay
        shutil.copytree(world.folder / "undisturbed" / f"{name}0", output, dirs_exist_ok=True)
    old = contents(output)
    at = random.randint(1, clean[name].operations)
    size = random.choice((0, 4_000, 20_000, 2_000_000))

    def before() -> None:
        if error == SIZE:
            limit_files(size)
        else:
            Operations(output, refuses_from(at, getattr(errno, error))).watch()

    status = (run := Command(world, name, output, before)).wait()
    text = run.end()
    where = f"{name} {number}, {error} from {at if error != SIZE else f'{size} bytes'} on"
    ended = _judged(name, error, status, text, output)
    there = {path.read_bytes() for path in output.rglob("*") if path.is_file()}
    if ended.how == RETURNED and status != 0 and not set(old.values()) <= there:
        ended = Ended(WRONG, f"{name}, {error}: what was there is lost", text[-300:])
    return where, ended if ended.how != RETURNED else made_good(world, name, output, clean[name], f"after {error}")


def _judged(name: str, error: str, status: int | str, text: str, output: Path) -> Ended:
    if status == NO_END:
        return Ended(HUNG, f"{name}, {error}", text[-300:])
    if "Traceback" in text:
        return Ended(TRACEBACK, f"{name}, {error}", text[-600:])
    if status == 0:  # it wrote to other places only: of what it found, nothing was to be done again
        return Ended(RETURNED)
    if status not in (1, 2):
        return Ended(WRONG, f"{name}, {error}: status {status}", text[-300:])
    if str(output) not in text or "error" not in text:
        return Ended(WRONG, f"{name}, {error}: the folder is not named", text[-300:])
    return Ended(RETURNED)
