"""Recordings that visitors send, as files."""

import io

import pytest

from mlee_sb.errors import InputError
from mlee_sb.web.recordings import kept_for_the_answer


def test_an_error_tells_the_visitors_name_of_a_recording_among_many_and_none_is_left():
    with (
        pytest.raises(InputError, match="^10.wav: faulty$"),
        kept_for_the_answer([(f"{n}.wav", io.BytesIO(b"a")) for n in range(12)]) as kept,
    ):
        raise InputError(f"{kept[10].path}: faulty")
    assert not kept[0].path.parent.exists()
