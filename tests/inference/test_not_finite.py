"""Neither samples that no recording has nor numbers that are none are ever answered, through whatever door they come."""

import io
import json

import numpy as np
import pytest
import soundfile
import torch
from bundles import RATE, copy_of, small_fusion, speech, write_speech
from speechbrain.inference.classifiers import EncoderClassifier

from mlee_sb import EmotionClassifier
from mlee_sb.cli.app import main
from mlee_sb.errors import InputError

BEYOND = "samples beyond full scale: up to 1e\\+20, and 64 is the most"


@pytest.fixture
def loud(tmp_path):
    """Speech with one sample of 1e20."""
    return written(tmp_path / "loud.wav", with_one(1e20))


def with_one(value: float) -> np.ndarray:
    samples = speech(1.3)
    samples[9000] = value
    return samples


def written(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize(
    "ask",
    [
        lambda classifier, path: classifier.predict(path),
        lambda classifier, path: list(classifier.predict_many([path])),
        lambda classifier, path: classifier.timeline(path, 0.5, 0.25),
        lambda classifier, path: classifier.classify_file(path),
        lambda classifier, path: classifier.attention_file(path),
    ],
    ids=["predict", "predict_many", "timeline", "classify_file", "attention_file"],
)
def test_a_file_with_one_sample_far_beyond_full_scale_is_refused_by_its_name(classifier, loud, ask):
    with pytest.raises(InputError, match=f"loud.wav: {BEYOND}"):
        ask(classifier, loud)


def test_so_is_what_lies_in_memory(classifier, loud):
    with pytest.raises(InputError, match=f"unnamed audio: {BEYOND}"):
        classifier.predict(io.BytesIO(loud.read_bytes()))


@pytest.mark.parametrize("of", [lambda path: path, lambda path: str(path), lambda path: bytes(path)], ids=["Path", "str", "bytes"])
def test_an_opened_file_is_called_by_its_name(classifier, loud, of):
    for ask in (classifier.predict, classifier.timeline):
        with open(of(loud), "rb") as file, pytest.raises(InputError, match=f"^{loud}: {BEYOND}"):
            ask(file)


@pytest.mark.parametrize("name", [0, "<stdin>"], ids=["opened by its descriptor", "as Python opens it"])
def test_standard_input_is_called_so(classifier, loud, name):
    """An io.FileIO takes the name of a file that it is given, as sys.stdin.buffer does."""
    piped = io.BytesIO(loud.read_bytes())
    piped.name = name
    with pytest.raises(InputError, match=f"^standard input: {BEYOND}"):
        classifier.predict(piped)


@pytest.mark.parametrize(
    "ask",
    [
        lambda classifier, samples: classifier.classify_batch(torch.from_numpy(samples)),
        lambda classifier, samples: classifier.encode_batch(torch.from_numpy(samples)),
        lambda classifier, samples: classifier.stream(RATE).feed(samples),
    ],
    ids=["classify_batch", "encode_batch", "stream"],
)
@pytest.mark.parametrize("value, words", [(1e20, BEYOND), (np.nan, "not finite"), (-np.inf, "not finite")])
def test_so_are_arrays(classifier, ask, value, words):
    with pytest.raises(InputError, match=words):
        ask(classifier, with_one(value))


def test_channels_that_cancel_each_other_are_refused_before_they_are_averaged(classifier, tmp_path):
    both = np.stack([with_one(1e20), with_one(-1e20)], axis=1)
    with pytest.raises(InputError, match=BEYOND):
        classifier.predict(written(tmp_path / "both.wav", both))
    with pytest.raises(InputError, match=BEYOND):
        classifier.stream(RATE).feed(both)


def test_a_stream_goes_on_after_samples_that_it_refused(classifier):
    stream = classifier.stream(RATE, 1.0, 0.5)
    with pytest.raises(InputError, match=BEYOND):
        stream.feed(with_one(1e20))
    assert stream.feed(speech(1.0)) == classifier.stream(RATE, 1.0, 0.5).feed(speech(1.0)) != []


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_integers_that_were_cast_to_floats_are_told_with_what_to_divide_by(classifier, tmp_path, bits):
    path = written(tmp_path / "cast.wav", speech(1.3) * 2 ** (bits - 1))
    with pytest.raises(InputError, match=r"cast.wav: .*integers that were cast to floats\? divide 16-bit ones by 32768"):
        classifier.predict(path)


def test_floats_that_overshoot_full_scale_as_mixes_and_recorders_do_are_answered(classifier, tmp_path):
    assert classifier.predict(written(tmp_path / "mix.wav", speech(1.3) * 30)).posterior


# What a model computes


class Broken(torch.nn.Module):
    """A model whose answer to recordings of 9,000 samples is not finite, or `value`."""

    def __init__(self, model, what: str, value: float | None = None):
        super().__init__()
        self.model, self.what = model, what
        self.value = (torch.nan if what == "logits" else torch.inf) if value is None else value
        self.emotions, self.output, self.calibration = model.emotions, model.output, model.calibration
        self.sample_rate, self.min_samples, self.log_probabilities = model.sample_rate, model.min_samples, model.log_probabilities
        self.demo = model.demo

    def logits(self, waveforms, n_samples):
        answers = {name: x.double() for name, x in zip(("logits", "presence"), self.model.logits(waveforms, n_samples), strict=True)}
        answers[self.what][n_samples == 9000, 1] = self.value
        return answers["logits"], answers["presence"]


@pytest.fixture(params=["logits", "presence"])
def broken(request):
    return EmotionClassifier(Broken(small_fusion(), request.param))


@pytest.fixture
def files(tmp_path):
    return [write_speech(tmp_path / f"{n}.wav", n / RATE) for n in (9600, 9000, 9200)]


def test_of_many_files_those_whose_answer_is_not_finite_are_told_and_the_others_answered(broken, files):
    before, said, after = broken.predict_many(files, on_error="return")
    assert isinstance(said, InputError) and str(said).startswith(f"{files[1]}: the answer of the model is not finite")
    assert before.posterior and after.posterior
    with pytest.raises(InputError, match=r"9000.wav: the answer of the model"):
        list(broken.predict_many(files))


def test_an_answer_that_is_not_finite_is_refused_for_a_file_a_timeline_and_a_stream(broken, files):
    for ask in (lambda: broken.predict(files[1]), lambda: broken.timeline(files[1])):
        with pytest.raises(InputError, match=r"9000.wav: the answer of the model"):
            ask()
    stream = broken.stream(RATE)
    stream.feed(speech(9000 / RATE))
    with pytest.raises(InputError, match="what was fed: the answer of the model"):
        stream.finish()


def test_a_finite_logit_of_which_the_calibration_makes_nan_is_no_answer(files, recwarn):
    with pytest.raises(InputError, match=r"9000.wav: the answer of the model"):
        EmotionClassifier(Broken(small_fusion(), "logits", 1.7e308)).predict(files[1])
    assert not recwarn.list


def test_a_model_whose_calibration_divides_by_next_to_nothing_is_refused(bundle, hello, tmp_path, capsys):
    """Of finite logits it would make NaN, which was answered with status 0."""
    spoilt = copy_of(bundle, tmp_path / "spoilt")
    config = json.loads((spoilt / "config.json").read_text())
    config["calibration"]["temperature"] = 5e-324
    (spoilt / "config.json").write_text(json.dumps(config))
    for form in ([], ["--csv"], ["--json"]):
        assert main(["classify", str(hello), "--model", str(spoilt), *form]) == 2
        said = capsys.readouterr()
        assert said.out == "" and "config.json: calibration.temperature: Input should be greater than or equal to 0.05" in said.err


def test_log_posteriors_that_are_not_finite_are_refused(files):
    broken = EmotionClassifier(Broken(small_fusion(), "logits"))
    with pytest.raises(InputError, match=r"9000.wav: the answer of the model"):
        broken.classify_file(files[1])
    with pytest.raises(InputError, match="waveforms: the answer of the model"):
        broken.classify_batch(torch.from_numpy(speech(9600 / RATE)).repeat(2, 1), torch.tensor([9600, 9000]))


def test_features_that_are_not_finite_are_refused_though_a_relu_makes_zeros_of_them(hello, files):
    model = small_fusion()
    classifier = EmotionClassifier(model)
    front_end = model.encoders[1].front_end
    power, network = front_end.forward, model.encoders[1].network
    network.forward = lambda features, lengths: features.nan_to_num(0, 0, 0).relu().mean(1)[:, :12]

    def logarithm_of_nothing(waveforms, n_samples):
        features, n_frames = power(waveforms, n_samples)
        features[n_samples == 9000, 3, 5] = -torch.inf
        return features, n_frames

    front_end.forward = logarithm_of_nothing
    before, said, after = classifier.predict_many(files, on_error="return")
    assert "9000.wav: the answer of the model" in str(said) and before.posterior and after.posterior
    with pytest.raises(InputError, match="waveforms: the answer of the model"):
        classifier.encode_batch(torch.from_numpy(speech(9000 / RATE)))


def test_speechbrains_own_class_answers_nothing_either(bundle, loud, tmp_path):
    theirs = EncoderClassifier.from_hparams(source=str(bundle), savedir=str(tmp_path / "sb"))
    with pytest.raises(InputError, match="waveforms: the answer of the model"):
        theirs.classify_file(str(loud), savedir=str(tmp_path))


def test_the_command_line_reports_the_file_goes_on_and_ends_with_1(bundle, loud, hello, capsys):
    assert main(["classify", str(loud), str(hello), "--model", str(bundle), "--json"]) == 1
    said = capsys.readouterr()
    of_loud, of_hello = (json.loads(line) for line in said.out.splitlines())
    assert "loud.wav: samples beyond full scale" in of_loud["error"] and "loud.wav" in said.err
    assert of_hello["posterior"] and "NaN" not in said.out
    assert main(["timeline", str(loud), "--model", str(bundle)]) == 2
    assert "loud.wav: samples beyond full scale" in capsys.readouterr().err
