"""Kills: a command is ended at any moment or file operation; the same command again leaves what one leaves that nobody disturbed."""

import os
import signal
import time
from contextlib import suppress
from random import Random

from children import HUNG, Ended
from commands import NO_END, Command, Undisturbed, made_good
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
    _strike(first, how, at, random)
    status, text = first.wait(), first.end()
    if status == NO_END:
        return where, Ended(HUNG, f"{name} of which a {how} was killed", text[-300:])
    return where, made_good(world, name, output, clean, "after a kill")


def _strike(command: Command, how: str, at: float, random: Random) -> None:
    if how == OPERATION:
        return
    time.sleep(at)
    found = command.descendants() if how == WORKER else []
    with suppress(ProcessLookupError):
        os.kill(random.choice(found) if found else command.child, signal.SIGKILL)
