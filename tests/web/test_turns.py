"""Whose turn it is: more may wait than there are threads, and who goes away is not answered."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Semaphore
from urllib.parse import urlsplit

import pytest
from fastapi import HTTPException

from mlee_sb.errors import InputError
from mlee_sb.inference.classifier import EmotionClassifier
from mlee_sb.web.turns import GivenUp, Turns

from .asking import LIMITS, ask, form, post, running

MANY = 45  # more than the threads that the server has for what is short
SECONDS = 120  # of patience with a busy machine


class Asking:
    """A request; `gone` tells that its connection was closed."""

    def __init__(self):
        self.gone = Event()

    async def is_disconnected(self) -> bool:
        return self.gone.is_set()


@pytest.fixture
def asked(monkeypatch):
    """Counts the requests that want a turn."""
    counted, take = Semaphore(0), Turns.take

    async def counting(self, *arguments):
        counted.release()
        return await take(self, *arguments)

    monkeypatch.setattr(Turns, "take", counting)
    return counted


def test_the_page_is_there_whatever_waits(bundle, asked, monkeypatch):
    go_on = Event()

    def waiting(*_, **__):
        assert go_on.wait(SECONDS)
        return [InputError("not computed")]

    monkeypatch.setattr(EmotionClassifier, "predict_many", waiting)
    with running([bundle], replace(LIMITS, connections=MANY + 5)) as address, ThreadPoolExecutor(MANY + 1) as threads:
        answers = [threads.submit(post, address, "/api/classify", ("a.wav", b"")) for _ in range(MANY)]
        try:
            assert all(asked.acquire(timeout=SECONDS) for _ in range(MANY))
            for path in ("/", "/static/page.css", "/static/page.js", "/api/models"):
                assert threads.submit(ask, address, path).result(SECONDS)[0] == 200
        finally:
            go_on.set()
        assert [answer.result()[1]["answers"][0]["error"] for answer in answers] == ["not computed"] * MANY


def test_who_goes_away_while_it_waits_is_not_answered():
    async def trial():
        turns, begun, go_on, computed = Turns(1, lambda: False), Event(), Event(), []
        first = asyncio.create_task(turns.take(Asking(), lambda check: (begun.set(), go_on.wait(SECONDS))))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        gone = Asking()
        gone.gone.set()
        with pytest.raises(HTTPException):
            await turns.take(gone, lambda check: computed.append(1))
        go_on.set()
        await first
        assert await turns.take(Asking(), lambda check: "the next") == "the next"
        assert not computed

    asyncio.run(trial())


def test_what_is_computed_for_a_closed_connection_ends(bundle, monkeypatch):
    begun, ended = Event(), Event()

    def timeline(self, path, *_, on_progress, **__):
        begun.set()
        try:
            while not ended.wait(0.01):
                on_progress(0.0)
        except GivenUp:
            ended.set()
            raise

    monkeypatch.setattr(EmotionClassifier, "timeline", timeline)
    monkeypatch.setattr("mlee_sb.web.desk.seconds_of", lambda path: 1.0)
    body, kind = form(("a.wav", b""))
    with running([bundle]) as address:
        host = urlsplit(address)
        with socket.create_connection((host.hostname, host.port)) as connection:
            head = f"POST /api/timeline HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)
            assert begun.wait(SECONDS) and not ended.is_set()
        assert ended.wait(SECONDS)
