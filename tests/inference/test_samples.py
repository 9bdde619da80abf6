"""Samples in memory: the same recording has the same answer, in whatever form and through whatever door it comes."""

from array import array

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from bundles import RATE, speech

from mlee_sb import Sound
from mlee_sb.errors import InputError
from mlee_sb.inference.samples import MOST_CHANNELS
from mlee_sb.models.waveforms import say_once

ONE = speech(0.6)
OTHER = speech(0.6, seed=1)
BOTH = np.stack([ONE, OTHER])  # [channels, n]


def of_stream(classifier, samples, rate=RATE):
    stream = classifier.stream(rate, 0.5, 0.25)
    return stream.feed(samples) + stream.finish()


DOORS = {  # of one recording
    "predict": lambda classifier, samples: classifier.predict(samples, sample_rate=RATE),
    "predict_many": lambda classifier, samples: list(classifier.predict_many([samples], sample_rate=RATE)),
    "timeline": lambda classifier, samples: classifier.timeline(samples, 0.5, 0.25, sample_rate=RATE).segments,
    "stream": of_stream,
}
EACH_DOOR = pytest.mark.parametrize("ask", DOORS.values(), ids=DOORS)

FORMS_OF_ONE = {
    "[n]": ONE,
    "[1, n] as torchaudio gives it": torch.from_numpy(ONE)[None],
    "[n, 1] as soundfile gives it": ONE[:, None],
    "two equal channels [2, n]": np.stack([ONE, ONE]),
    "two equal channels [n, 2]": torch.from_numpy(np.stack([ONE, ONE], axis=1)),
    "doubles": ONE.astype(np.float64),
    "gradients": torch.from_numpy(ONE).requires_grad_(),
    "list": ONE.tolist(),
    "array of the standard library": array("f", ONE.tolist()),
    "view of memory": memoryview(ONE),
    "column of a table": pd.Series(ONE),
    "list of lists": [ONE.tolist(), ONE.tolist()],
    "tuple of arrays": (ONE, ONE),
    "list of tensors without a side": list(torch.from_numpy(ONE)),
}


@EACH_DOOR
@pytest.mark.parametrize("form", FORMS_OF_ONE.values(), ids=FORMS_OF_ONE)
def test_a_recording_has_one_answer_in_whatever_form_it_comes(classifier, ask, form):
    said, expected = ask(classifier, form), ask(classifier, torch.from_numpy(ONE))
    assert said == expected and said


@EACH_DOOR
def test_channels_are_mixed_whichever_side_they_are_on(classifier, ask):
    mixed = ask(classifier, (ONE + OTHER) / 2)
    assert ask(classifier, BOTH) == ask(classifier, BOTH.T) == ask(classifier, torch.from_numpy(BOTH).double()) == mixed


def test_channels_that_are_not_heard_are_told_as_those_of_a_file(classifier, caplog):
    say_once.cache_clear()
    classifier.predict(np.stack([ONE, -ONE]), sample_rate=RATE)
    classifier.classify_batch([ONE, np.stack([ONE, 0 * ONE])])
    assert "samples: the 2 channels cancel each other" in caplog.text and "waveforms: channel 2 of 2 is silent" in caplog.text


def test_a_door_without_a_rate_takes_a_sound(classifier):
    with pytest.raises(InputError, match=r"or Sound\(samples, 16000\)"):
        classifier.classify_file(ONE)
    assert classifier.classify_file(Sound(ONE, RATE))[3] == classifier.classify_batch(ONE)[3]


@EACH_DOOR
def test_half_precision_is_taken_for_what_it_holds(classifier, ask):
    half = ONE.astype(np.float16)
    assert ask(classifier, half) == ask(classifier, torch.from_numpy(half)) == ask(classifier, half.astype(np.float32))


@EACH_DOOR
@pytest.mark.parametrize(
    "samples, words",
    [
        ((ONE * 32767).astype(np.int16), "of int16: give floats in -1 to 1.*samples / 32768"),
        (torch.from_numpy((ONE * 2**31).astype(np.int32)), "of int32: give floats .*samples / 2147483648"),
        ((128 + 100 * ONE).astype(np.uint8), "of uint8: give floats .*128"),
        ((ONE * 32767).astype(int).tolist(), "of int64: give floats"),
        (ONE > 0, "of bool: give floats"),
        (memoryview(b"RIFF"), "of uint8: give floats"),
        (torch.from_numpy(ONE).to_sparse(), "give a dense one"),
        (ONE * 32768, "beyond full scale.*divide 16-bit ones by 32768"),
        (np.append(ONE, np.nan), "not finite"),
        (np.stack([ONE, np.full_like(ONE, np.inf)]), "not finite"),
        (np.zeros((2, 2, 9000)), r"of shape \[2, 2, 9000\]: give \[n\], \[channels, n\] or \[n, channels\]"),
        (np.zeros((2, 2)), r"of shape \[2, 2\]: which side is that of the channels"),
        (np.zeros((MOST_CHANNELS + 1, 9000)), "a recording has 8 channels at most; several recordings are for predict_many"),
        ([ONE, OTHER[:9]], "in rows of one length"),
    ],
)
def test_what_is_no_recording_is_refused_at_every_door(classifier, ask, samples, words):
    with pytest.raises(InputError, match=f"^(samples|samples.0.|what was fed): .*{words}"):
        ask(classifier, samples)


@pytest.mark.parametrize("ask", [DOORS[name] for name in DOORS if name != "stream"])
@pytest.mark.parametrize("empty", [[], np.zeros(0), torch.zeros(2, 0), np.zeros((0, 2))])
def test_no_samples_are_no_recording(classifier, ask, empty):
    with pytest.raises(InputError, match=r"samples(\[0\])?: (no samples|a list of float64|.* of shape)"):
        ask(classifier, empty)


@pytest.mark.parametrize("rate, words", [(None, "samples do not tell their rate"), (0, "sample_rate 0"), ("16k", "sample_rate '16k'")])
def test_samples_without_a_rate_are_refused(classifier, rate, words):
    for ask in (lambda **rate: classifier.predict(ONE, **rate), lambda **rate: classifier.timeline(ONE, **rate)):
        with pytest.raises(InputError, match=words):
            ask(sample_rate=rate)
    with pytest.raises(InputError, match=rf"samples\[0\]: {words}|{words}"):
        list(classifier.predict_many([ONE], sample_rate=rate))


def test_samples_at_another_rate_are_resampled_as_a_file_of_them_is(classifier, tmp_path):
    fast = speech(0.7, rate=44100)
    soundfile.write(tmp_path / "fast.wav", fast, 44100, subtype="FLOAT")
    assert classifier.predict(fast, sample_rate=44100) == classifier.predict(tmp_path / "fast.wav")
    of_samples, of_file = classifier.timeline(fast, sample_rate=44100), classifier.timeline(tmp_path / "fast.wav")
    assert of_samples == of_file


# Many, and batches


def test_files_and_samples_of_several_rates_are_answered_together(classifier, hello):
    slow = speech(0.9, rate=8000)
    said = list(classifier.predict_many([ONE, hello, Sound(slow, 8000)], sample_rate=RATE))
    alone = [classifier.predict(ONE, sample_rate=RATE), classifier.predict(hello), classifier.predict(slow, sample_rate=8000)]
    assert [one.seconds for one in said] == [one.seconds for one in alone]
    for one, other in zip(said, alone, strict=True):
        np.testing.assert_allclose(list(one.posterior.values()), list(other.posterior.values()), atol=1e-5)


def test_an_array_of_recordings_is_many(classifier):
    said = list(classifier.predict_many(BOTH, sample_rate=RATE))
    assert len(said) == 2 and said[0].posterior == pytest.approx(classifier.predict(ONE, sample_rate=RATE).posterior, abs=1e-5)


@pytest.mark.parametrize("one", [ONE, torch.from_numpy(ONE), ONE.tolist()])
def test_one_recording_is_not_many(classifier, one):
    with pytest.raises(InputError, match="samples: these are of one recording: give a list of recordings, or call predict"):
        classifier.predict_many(one, sample_rate=RATE)


@pytest.mark.parametrize("many", [pd.Series, np.array, tuple, set, iter])
def test_names_of_files_may_come_in_anything_that_holds_them(classifier, hello, many):
    (said,) = classifier.predict_many(many([str(hello)]))
    assert said == classifier.predict(hello)


def test_a_bad_recording_of_many_is_told_by_its_number(classifier):
    good, bad, last = classifier.predict_many([ONE, ONE * 1e6, OTHER], sample_rate=RATE, on_error="return")
    assert good.posterior and last.posterior and str(bad).startswith("samples[1]: samples beyond full scale")


BATCHES = {
    "classify_batch": lambda classifier, *given: classifier.classify_batch(*given)[0],
    "encode_batch": lambda classifier, *given: classifier.encode_batch(*given),
}
EACH_BATCH = pytest.mark.parametrize("ask", BATCHES.values(), ids=BATCHES)


@EACH_BATCH
def test_two_rows_are_two_recordings_in_a_batch(classifier, ask):
    rows = ask(classifier, torch.from_numpy(BOTH))
    assert len(rows) == 2
    for form in (BOTH, BOTH.tolist(), [ONE, OTHER], (torch.from_numpy(ONE), OTHER), [ONE[None], OTHER[:, None]]):
        assert ask(classifier, form).equal(rows)


@EACH_BATCH
@pytest.mark.parametrize("form", [ONE, ONE[None], [ONE], [ONE.tolist()], [np.stack([ONE, ONE])]])
def test_one_recording_is_a_batch_of_one(classifier, ask, form):
    assert ask(classifier, form).equal(ask(classifier, torch.from_numpy(ONE)))


@EACH_BATCH
def test_a_list_of_recordings_of_several_lengths_is_padded(classifier, ask):
    short = OTHER[:6000]
    padded = np.stack([ONE, np.pad(short, (0, len(ONE) - len(short)))])
    assert ask(classifier, [ONE, short]).equal(ask(classifier, padded, [len(ONE), len(short)]))
    with pytest.raises(InputError, match="these are their lengths: leave wav_lens out"):
        ask(classifier, [ONE, short], [1.0, 0.6])


@EACH_BATCH
@pytest.mark.parametrize(
    "batch, words",
    [
        (ONE[:, None], r"waveforms of shape \[9600, 1\]: give \[batch, samples\].*1 channels in columns\? One recording is for predict"),
        (BOTH.T, r"waveforms of shape \[9600, 2\]: .*2 channels in columns"),
        (np.zeros((2, 2)), r"waveforms of shape \[2, 2\]"),
        ([ONE, []], r"waveforms\[1\]: a list of float64|waveforms\[1\]: no samples"),
        ([ONE, OTHER * 1e6], r"waveforms\[1\]: samples beyond full scale"),
        ([ONE, OTHER.astype(np.int16)], r"waveforms\[1\]: a ndarray of int16"),
        ([ONE, 0.5], r"waveforms\[1\]: a float: give floats"),
        ([ONE, None], r"waveforms\[1\]: a NoneType"),
        (np.zeros((0, 9600)), r"waveforms of shape \[0, 9600\]"),
        ([], r"waveforms of shape \[0\]"),
    ],
)
def test_what_is_no_batch_is_refused(classifier, ask, batch, words):
    with pytest.raises(InputError, match=f"^{words}"):
        ask(classifier, batch)


# Streams


def test_a_stream_keeps_to_the_side_of_the_channels_in_short_blocks(classifier):
    expected = of_stream(classifier, (ONE + OTHER) / 2)
    for both, axis in ((BOTH, 1), (BOTH.T, 0)):
        stream = classifier.stream(RATE, 0.5, 0.25)
        found = []
        for part in np.split(both, [9000, 9001, 9003, 9003, 9590], axis=axis):  # [2, 1], [2, 2] and [2, 0] among them
            found += stream.feed(part)
        found += stream.finish()
        assert [one.prediction.posterior for one in found] == [pytest.approx(one.prediction.posterior, abs=1e-5) for one in expected]
        assert [one.end for one in found] == [one.end for one in expected]


@pytest.mark.parametrize("nothing", [[], np.zeros((0, 2)), torch.zeros(2, 0), np.zeros(0)])
def test_a_stream_that_has_nothing_now_goes_on(classifier, nothing):
    stream = classifier.stream(RATE, 0.5, 0.25)
    assert stream.feed(nothing) == [] and stream.feed(ONE) == classifier.stream(RATE, 0.5, 0.25).feed(ONE) != []


@pytest.mark.parametrize("given", [None, 0.5, b"RIFF", {"array": ONE}])
def test_what_is_neither_a_file_nor_samples_is_told_by_what_it_is(classifier, given):
    for ask in (classifier.predict, classifier.timeline):
        with pytest.raises(InputError, match=f"a {type(given).__name__}: give the path of a file"):
            ask(given, sample_rate=RATE)


@pytest.mark.parametrize("one", [np.float32(0.5), torch.tensor(0.5), 0.5])
def test_one_number_is_not_many_recordings(classifier, one):
    with pytest.raises(InputError, match=f"a {type(one).__name__}: give a list of files or of samples"):
        classifier.predict_many(one, sample_rate=RATE)
