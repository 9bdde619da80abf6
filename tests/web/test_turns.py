"""Whose turn it is: more may wait than there are threads, and who goes away is not answered."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event, Semaphore

import pytest

from mlee_sb.errors import InputError
from mlee_sb.inference.classifier import EmotionClassifier
from mlee_sb.web.turns import Turns

from .asking import LIMITS, ask, post, running

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
