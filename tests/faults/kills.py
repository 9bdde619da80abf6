"""Kills: a command is ended at any moment or file operation; the same command again leaves what one leaves that nobody disturbed."""

import os
import shutil
import signal
import time
from contextlib import suppress
from random import Random

from children import HUNG, KILLED, RETURNED, WRONG, Ended
from commands import HUNG as NO_END
from commands import Command, Undisturbed, contents, hidden
from operations import Operations, kills_at
from world import World

SHARES = {"prepare": 35, "train": 40, "report": 20, "sweep": 10}  # kills of each command, 105 in all
OPERATION, MOMENT, WORKER = "operation", "moment", "worker"


def kill(world: World, name: str, number: int, seed: int, clean: Undisturbed) -> tuple[str, Ended]:
    """Kill a command once, and run it again. Return how and where it was killed, and how it ended."""
    random = Random(f"{seed} kill {name} {number}")
    output = world.folder / "killed" / f"{name}{number}"
    how = (OPERATION, WORKER if name == "sweep" else MOMENT, MOMENT)[number % 3 if name == "sweep" else number % 2]
    at = random.randint(1, clean.operations) if how == OPERATION else random.uniform(0.05, 1.0) * clean.seconds
    where = f"{name} {number}, {how} {at:.2f}"
    first = Command(world, name, output, (lambda: Operations(output, kills_at(at)).watch()) if how == OPERATION else lambda: None)
    try:
        _strike(first, how, at, random)
        status = first.wait()
        if status == NO_END:
            return where, Ended(HUNG, f"{name} of which a {how} was killed", first.text()[-300:])
        again = Command(world, name, output)
        status = again.wait()
        text = again.text()
        again.end()
        ended = _judged(name, status, text, output, clean)
    finally:
        first.end()
    if ended.how == RETURNED:
        shutil.rmtree(output)
    return where, ended


def _strike(command: Command, how: str, at: float, random: Random) -> None:
    if how == OPERATION:
        return
    time.sleep(at)
    found = command.descendants() if how == WORKER else []
    with suppress(ProcessLookupError):
        os.kill(random.choice(found) if found else command.child, signal.SIGKILL)


def _judged(name: str, status: int | str | None, text: str, output, clean: Undisturbed) -> Ended:
    """Compare what lies there with what an undisturbed run leaves."""
    if status == NO_END:
        return Ended(HUNG, f"{name} after a kill", text[-300:])
    if status != 0:
        return Ended(KILLED, f"{name} after a kill: status {status}", text[-500:])
    found = contents(output)
    if others := sorted(path for path, content in clean.files.items() if found.get(path) != content):
        return Ended(WRONG, f"{name} after a kill: other files", ", ".join(others[:5]))
    if left := sorted(hidden(output) - clean.hidden):
        return Ended(WRONG, f"{name} after a kill: something is left", ", ".join(left[:5]))
    return Ended(RETURNED)
