"""What people give: the file of an utterance, samples and lengths in any form; what is none of these is refused by what it is."""

import io

import numpy as np
import pytest
import soundfile
import torch
from bundles import RATE, speech

from mlee_sb.errors import InputError


def test_an_hour_is_no_utterance(classifier, tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 121, dtype=np.int16), 8000)
    with pytest.raises(InputError, match=r"long.wav: 121 s long.*timeline"):
        classifier.predict(tmp_path / "long.wav")
    with pytest.raises(InputError, match=r"unnamed audio: 121 s long"):
        classifier.predict(io.BytesIO((tmp_path / "long.wav").read_bytes()))


OF_SAMPLES = {
    "classify_batch": lambda classifier, samples: classifier.classify_batch(samples)[0],
    "encode_batch": lambda classifier, samples: classifier.encode_batch(samples),
    "stream": lambda classifier, samples: classifier.stream(RATE, 0.5, 0.25).feed(samples),
}
ASK = pytest.mark.parametrize("ask", OF_SAMPLES.values(), ids=OF_SAMPLES)


@ASK
@pytest.mark.parametrize(
    "taken",
    [
        lambda samples: samples,
        lambda samples: samples.astype(np.float64),
        lambda samples: samples.astype(">f4"),
        lambda samples: samples[::-1].copy()[::-1],
        lambda samples: samples.tolist(),
        lambda samples: torch.from_numpy(samples).double().requires_grad_(),
        lambda samples: list(torch.from_numpy(samples)),
    ],
    ids=["array", "doubles", "other endian", "backwards in memory", "list", "tensor with gradients", "list of tensors"],
)
def test_floats_are_taken_as_people_have_them(classifier, ask, taken):
    samples = speech(0.5)
    found, expected = ask(classifier, taken(samples)), ask(classifier, torch.from_numpy(samples))
    assert len(found) == 1 and (found.equal(expected) if isinstance(found, torch.Tensor) else found == expected)


@ASK
@pytest.mark.parametrize(
    "samples, words",
    [
        (np.zeros(9000, np.int16), "a ndarray of int16: give floats in -1 to 1.*: of int16 these are samples / 32768$"),
        (torch.zeros(9000, dtype=torch.int16), "a Tensor of int16: give floats"),
        (np.zeros(9000, np.uint8), "a ndarray of uint8: give floats"),
        ([0] * 9000, "a list of int64: give floats"),
        (None, "a NoneType: give floats"),
        ("hello.wav", "a str: give floats .*a file is for predict"),
        (b"RIFF", "a bytes: give floats"),
        ((sample for sample in (0.1, 0.2)), "a generator: give floats"),
        (["a.wav", "b.wav"], "a list of <U5: give floats"),
        (np.zeros(9000, complex), "a ndarray of complex128: give floats"),
        (np.full(9000, 1e300), "not finite"),
        (np.zeros((2, 2, 2)), r"of shape \[2, 2, 2\]: give"),
        (0.5, "a float: give floats"),
        (np.float64(0.5), r"of shape \[\]: give"),
    ],
)
def test_what_are_no_such_samples_is_refused_by_what_they_are(classifier, ask, samples, words):
    with pytest.raises(InputError, match=f"^(waveforms|what was fed).*{words}"):
        ask(classifier, samples)


@pytest.mark.parametrize("lengths", [np.array([8000, 4000]), [8000, 4000], [1.0, 0.5], torch.tensor([1.0, 0.5])])
def test_lengths_are_taken_as_people_have_them_too(classifier, lengths):
    samples = np.stack([speech(0.5), np.pad(speech(0.25, seed=1), (0, 4000))])
    expected = classifier.classify_batch(torch.from_numpy(samples), torch.tensor([8000, 4000]))[0]
    assert classifier.classify_batch(samples, lengths)[0].equal(expected)


@pytest.mark.parametrize("lengths", [[8000], [1.0, np.nan], [8001, 1000], [0, 1000], "two", [[8000, 4000]], [8000, None], 1.0])
def test_what_are_no_lengths_is_refused(classifier, lengths):
    with pytest.raises(InputError, match=r"wav_lens .*give one length for each of 2 waveforms, up to 8000 samples"):
        classifier.classify_batch(np.zeros((2, 8000)), lengths)


def closed(path):
    with open(path, "rb") as file:
        return file


@pytest.mark.parametrize(
    "ask, message",
    [
        (lambda classifier, hello: classifier.predict(None), "a NoneType: give the path of a file, or a file that is open"),
        (lambda classifier, hello: classifier.predict(bytes(hello)), "a bytes: give the path of a file, or a file that is open"),
        (lambda classifier, hello: classifier.timeline(x for x in ()), "a generator: give the path of a file, or a file that is open"),
        (lambda classifier, hello: classifier.predict(io.StringIO("a")), "unnamed audio: a file that is open for reading text: .*'rb'"),
        (lambda classifier, hello: classifier.predict(closed(hello)), "hello.wav: a file that is closed"),
        (lambda classifier, hello: list(classifier.predict_many([hello, None])), "a NoneType: give the path of a file"),
        (lambda classifier, hello: classifier.predict_many(None), "a NoneType: give a list of files or of samples"),
        (lambda classifier, hello: classifier.predict_many(hello.read_bytes()), "this is one file or folder: give a list of files"),
        (lambda classifier, hello: classifier.predict(hello, sample_rate=RATE), "hello.wav: sample_rate 16000 is for samples"),
        (lambda classifier, hello: classifier.predict(hello.parent), "a folder: give the files in it"),
        (lambda classifier, hello: classifier.predict_many(str(hello)), "give a list of files"),
        (lambda classifier, hello: classifier.stream(0), "sample_rate 0: give a whole number of Hz"),
        (lambda classifier, hello: classifier.stream("16k"), "sample_rate '16k'"),
        (lambda classifier, hello: classifier.predict_many([hello], batch_size=np.nan), "batch_size is nan, and must be 1 or more"),
    ],
)
def test_what_is_no_recording_is_answered_with_what_to_give(classifier, hello, ask, message):
    with pytest.raises(InputError, match=message):
        ask(classifier, hello)
