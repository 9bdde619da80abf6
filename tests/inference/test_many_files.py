"""Many files are answered as each alone, in their order."""

import sys

import numpy as np
import pytest
from bundles import RATE, write_speech

from mlee_sb.errors import InputError
from mlee_sb.inference import many_files


@pytest.fixture
def files(tmp_path):
    seconds = [1.2, 0.3, 2.5, 0.31, 0.9, 1.21, 0.05]
    return [write_speech(tmp_path / f"{i}.wav", s, seed=i) for i, s in enumerate(seconds)]


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_many_files_are_answered_in_their_order_as_each_alone(classifier, files, batch_size):
    for file, said in zip(files, classifier.predict_many(files, batch_size=batch_size), strict=True):
        alone = classifier.predict(file)
        assert said.dominant == alone.dominant and said.seconds == alone.seconds
        np.testing.assert_allclose(list(said.posterior.values()), list(alone.posterior.values()), atol=1e-5)
        np.testing.assert_allclose(list(said.presence.values()), list(alone.presence.values()), atol=1e-5)


def test_files_of_like_length_are_computed_together_the_longest_first(classifier, files, monkeypatch):
    batches, done = [], []
    answer = classifier.model.logits
    monkeypatch.setattr(classifier.model, "logits", lambda waveforms, n: batches.append(n.tolist()) or answer(waveforms, n))
    list(classifier.predict_many(files, batch_size=3, on_progress=done.append))
    assert [len(batch) for batch in batches] == done == [3, 3, 1]
    assert sorted(sum(batches, []), reverse=True) == sum(batches, [])
    batches.clear()
    monkeypatch.setitem(many_files.BATCH_SECONDS, "cpu", 1.0)
    list(classifier.predict_many(files))
    assert sorted(sum(batches, []), reverse=True) == sum(batches, [])
    assert all(len(batch) == 1 or max(batch) * len(batch) <= RATE for batch in batches) and max(map(len, batches)) > 1


def test_a_bad_file_is_told_in_its_place_or_raised(classifier, files, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    paths = [files[0], tmp_path / "bad.wav", tmp_path / "missing.wav", files[1]]
    said = list(classifier.predict_many(paths, on_error="return"))
    assert [isinstance(one, InputError) for one in said] == [False, True, True, False]
    assert "bad.wav" in str(said[1]) and "missing.wav: no such file" in str(said[2])
    with pytest.raises(InputError, match=r"(bad|missing).wav"):
        list(classifier.predict_many(paths))


def test_no_file_gives_no_answer(classifier):
    assert list(classifier.predict_many([])) == []


def test_a_gate_that_cannot_be_used_is_an_error_of_the_call_and_not_of_each_file(classifier, files, monkeypatch):
    monkeypatch.setitem(sys.modules, "silero_vad", None)
    with pytest.raises(InputError, match="silero-vad is not installed"):
        next(classifier.predict_many(files, gate="silero", on_error="return"))
