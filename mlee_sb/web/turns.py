"""Whose turn it is: a few answers at a time, each in a thread. Others wait without a thread, and who goes away is not answered."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from fastapi import HTTPException, Request

from mlee_sb.web.statuses import BUSY

LOOK_SECONDS = 0.2  # [choice] between two looks whether somebody still waits for an answer
GIVEN_UP = "the server ends: ask again when it runs"  # who closed the connection does not read this

Check = Callable[[], None]  # work calls it between its steps; it raises GivenUp when nobody waits for the answer
T = TypeVar("T")


class GivenUp(Exception):
    """Nobody waits for an answer any more: its visitor closed the connection, or the server ends."""


class Turns:
    """Runs work for requests, in the order in which they come.

    Parameters
    ----------
    at_once : how much work runs at the same time
    ending : tells whether the server ends
    """

    def __init__(self, at_once: int, ending: Callable[[], bool]):
        self.threads, self.ending = ThreadPoolExecutor(at_once), ending  # others wait in its queue

    async def take(self, request: Request, work: Callable[[Check], T]) -> T:
        """Wait for a turn, run work in a thread, and return what it returns.

        If the connection is closed, work that waits is dropped, and work that runs keeps its turn until its next check. If the server
        ends, nobody waits for work: it ends by itself at its next check.

        Raises
        ------
        HTTPException
            if the connection was closed, or the server ends
        """
        given_up = Event()

        def check() -> None:
            if given_up.is_set():
                raise GivenUp

        running = self.threads.submit(work, check)
        answer = asyncio.wrap_future(running)
        watch = asyncio.create_task(self._watch(request, given_up, running, answer))
        try:
            await asyncio.wait([answer])
        finally:
            watch.cancel()
            answer.cancel()  # if this request is cut off
            given_up.set()
        try:
            return answer.result()
        except (GivenUp, asyncio.CancelledError):
            raise HTTPException(BUSY, GIVEN_UP) from None

    async def _watch(self, request: Request, given_up: Event, running: Future, answer: asyncio.Future) -> None:
        while True:
            ending = self.ending()
            if ending or await request.is_disconnected():
                given_up.set()
                running.cancel()  # if it has not begun
            if ending:
                answer.cancel()
            await asyncio.sleep(LOOK_SECONDS)
