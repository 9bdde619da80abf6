"""A model with the output `dirichlet` tells how unsure it is, wherever it answers; and abstains above what is asked for."""

import json

import numpy as np
import pytest
import torch
from bundles import EMOTIONS, RATE, small_dirichlet, write_bundle, write_speech
from scipy.special import softmax
from typer.testing import CliRunner

from mlee_sb import EmotionClassifier
from mlee_sb.cli.app import app
from mlee_sb.errors import InputError
from mlee_sb.inference.answers import DISPUTED, UNTOLD, Asked, make_predictions
from mlee_sb.inference.hub import Place
from mlee_sb.inference.verify import verify
from mlee_sb.models.waveforms import load_waveform
from mlee_sb.uncertainty import Uncertainty

PARTS = ["uncertainty_listeners", "uncertainty_model", "uncertainty_total"]


@pytest.fixture(scope="module")
def unsure(tmp_path_factory):
    """The bundle of a model that tells its uncertainty."""
    return write_bundle(tmp_path_factory.mktemp("unsure") / "model", small_dirichlet())


def logits_of(model, sound):
    waveform = load_waveform(sound, RATE)
    with torch.no_grad():
        return model.logits(waveform.unsqueeze(0), torch.tensor([len(waveform)]))[0].double().numpy()


def test_the_uncertainty_is_that_of_the_logits_and_calibration_changes_the_posterior_only(unsure, hello):
    classifier = EmotionClassifier.from_hparams(unsure)
    said, logits = classifier.predict(hello), logits_of(classifier.model, hello)
    assert list(said.posterior.values()) == pytest.approx(softmax(logits[0] / 0.7))
    assert said.uncertainty == Uncertainty.of(softmax(logits[0]), np.exp(logits[0]).sum())
    assert 0 < said.uncertainty.listeners < said.uncertainty.total <= np.log2(len(EMOTIONS))


def test_above_the_uncertainty_that_is_asked_for_it_abstains_and_says_which_part_is_larger(hello):
    model = small_dirichlet()
    concentrations = {DISPUTED: 300.0, UNTOLD: 0.3}
    for why, concentration in concentrations.items():
        logits = np.log(concentration * np.array([[0.5, 0.4, 0.1]]))
        (told,) = make_predictions(model, logits, None, Asked(coverage=0.3), [1.0], [1.0], ["hello"])
        (limited,) = make_predictions(
            model, logits, None, Asked(coverage=0.3, max_uncertainty=told.uncertainty.total - 1e-6), [1.0], [1.0], ["hello"]
        )
        (allowed,) = make_predictions(
            model, logits, None, Asked(coverage=0.3, max_uncertainty=told.uncertainty.total), [1.0], [1.0], ["hello"]
        )
        assert told.dominant == allowed.dominant == "neu" and (limited.dominant, limited.abstained) == (None, why)
        assert limited.uncertainty == told.uncertainty


def test_what_is_not_finite_is_an_error_and_no_uncertainty():
    model = small_dirichlet()
    logits = np.array([[np.nan, 0.0, 0.0], [1.0, 0.0, 0.0]])
    wrong, right = make_predictions(model, logits, None, Asked(), [1.0] * 2, [1.0] * 2, ["one", "two"])
    assert isinstance(wrong, InputError) and right.uncertainty.total > 0


def test_silence_has_no_uncertainty(unsure):
    said = EmotionClassifier.from_hparams(unsure).predict(np.zeros(RATE, dtype=np.float32), sample_rate=RATE)
    assert said.uncertainty is None and said.dominant is None


def test_a_model_that_does_not_know_it_tells_none_and_refuses_a_limit_at_once(classifier, hello):
    assert classifier.predict(hello).uncertainty is None
    for ask in (classifier.predict, classifier.predict_many, classifier.timeline):
        with pytest.raises(InputError, match="max_uncertainty is 1.0, and this model does not know its uncertainty"):
            ask("nowhere.wav", max_uncertainty=1.0)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "much"])
def test_a_limit_is_a_number_of_bits(value):
    with pytest.raises(InputError, match="max_uncertainty is .*must be a number of bits, 0 or more"):
        Asked(max_uncertainty=value)


def test_the_command_line_tells_it_in_every_form(unsure, hello):
    def said(*flags):
        done = CliRunner().invoke(app, ["classify", str(hello), "--model", str(unsure), *flags])
        assert done.exit_code == 0, done.output
        return done.stdout

    expected = EmotionClassifier.from_hparams(unsure).predict(hello).uncertainty
    assert json.loads(said("--json"))["uncertainty"] == pytest.approx(
        {"listeners": expected.listeners, "model": expected.model, "total": expected.total}
    )
    header, row = (line.split(",") for line in said("--csv").splitlines())
    assert [float(row[header.index(part)]) for part in PARTS] == pytest.approx(
        [expected.listeners, expected.model, expected.total], abs=1e-6
    )
    table = said()
    assert "unsure, in bits" in table and f"{expected.total:.2f}" in table
    assert DISPUTED in said("--max_uncertainty", "0") or UNTOLD in said("--max_uncertainty", "0")


def test_a_timeline_tells_it_of_each_window(unsure, tmp_path):
    timeline = EmotionClassifier.from_hparams(unsure).timeline(write_speech(tmp_path / "long.wav", 3.0), 1.0, 0.5)
    frame = timeline.to_frame()
    parts, total = frame[PARTS[:2]].to_numpy().sum(axis=1), frame[PARTS[2]].to_numpy()
    assert parts == pytest.approx(total, abs=2e-6) and (total > 0).all()
    assert timeline.as_json()["segments"][0]["uncertainty"]["total"] > 0


def test_its_bundle_is_whole_and_speechbrain_gives_its_posterior(unsure, hello, tmp_path):
    from speechbrain.inference.classifiers import EncoderClassifier

    failed = [check.seen for check in verify(Place(unsure, unsure)) if not check.passed]
    assert failed == []
    theirs = EncoderClassifier.from_hparams(source=str(unsure), savedir=str(tmp_path))
    ours = EmotionClassifier.from_hparams(unsure)
    waveform = load_waveform(hello, RATE).unsqueeze(0)
    torch.testing.assert_close(theirs.classify_batch(waveform)[0], ours.classify_batch(waveform)[0])
