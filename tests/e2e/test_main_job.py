"""From a raw corpus to a fusion model that classifies a file, with the command that a person types."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from speechbrain.inference.classifiers import EncoderClassifier

import mlee_sb
from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.experiment.train import main

from .conftest import OF_ENCODERS, QUICK, command, stage_of

MLEE, DOMINANT = (stage_of(row, max_epochs=2) for row in ("mlee", "dominant_soft"))
FUSION = stage_of("mlee_fusion_soft", max_epochs=2, **OF_ENCODERS)


def test_a_stage_leaves_what_the_design_promises(trained):
    for stage in (FUSION, MLEE, DOMINANT):
        for file in ("predictions.csv", "scores.json", "train_log.txt", "hyperparams.yaml", "save", "model/config.json"):
            assert (trained / stage / file).exists(), (stage, file)
    frame = read_predictions(trained / FUSION / "predictions.csv")
    assert set(frame["speaker"]) == {"s0"}
    np.testing.assert_allclose(frame[["p_neu", "p_hap"]].sum(axis=1), 1, atol=1e-6)
    mlee = read_predictions(trained / MLEE / "predictions.csv")
    assert frame[["e_neu", "e_hap"]].equals(mlee[["p_neu", "p_hap"]].set_axis(["e_neu", "e_hap"], axis=1))


def test_the_fusion_carries_both_encoders_to_the_bit(trained):
    fusion = load_file(trained / FUSION / "model/model.safetensors")
    for number, stage in enumerate([MLEE, DOMINANT]):
        alone = load_file(trained / stage / "model/model.safetensors")
        parts = {name: tensor for name, tensor in alone.items() if name.startswith("encoder.")}
        assert any("running_mean" in name for name in parts) and any("normalizer.mean" in name for name in parts)
        for name, tensor in parts.items():
            assert torch.equal(tensor, fusion[name.replace("encoder.", f"encoder.encoders.{number}.", 1)]), name


def test_a_second_run_reuses_what_is_finished(trained, tones, capsys):
    before = {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()}
    assert main(command(tones, trained.parent, *QUICK)) == 0
    assert capsys.readouterr().out.count("finished before, reused") == 3
    assert {path: path.stat().st_mtime_ns for path in trained.rglob("*") if path.is_file()} == before


def call(tones, results, **settings):
    """The command of the fusion on the tones, in Python."""
    of_tones = {"corpus": "vote_table", "data_folder": tones, "emotions": ["neu", "hap"], "results": results, "device": "cpu"}
    two_epochs = {"max_epochs": 2}
    return mlee_sb.train("mlee_fusion", **{**of_tones, **two_epochs, "mlee": two_epochs, "dominant": two_epochs, "fold": 1, **settings})


def test_a_call_in_python_is_the_same_command_and_returns_its_scores(trained, tones, capsys):
    found = call(tones, trained.parent, lr=np.float64(5e-5), speeds=(0.9, 1, 1.1), seed=np.int64(1))
    assert capsys.readouterr().out.count("finished before, reused") == 3
    assert found.scores == json.loads((trained / FUSION / "scores.json").read_text())
    assert found.folder == trained / FUSION
    assert EmotionClassifier.from_hparams(found.model_folder).emotions == ["neu", "hap"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"lrr": 1e-4}, "unknown setting of mlee_fusion.yaml 'lrr': did you mean 'lr'"),
        ({"mlee": {"learning_rate": 1}}, "unknown setting of mlee_fusion.yaml 'mlee.learning_rate'"),
        ({"batch_size": 1.5}, "batch_size is 1.5, and must be a whole number"),
        ({"lr": "fast"}, "must be a number"),
        ({"class_weights": 1}, "class_weights is 1, and must be True or False"),
        ({"emotions": "neu"}, "emotions is 'neu', and must be a list"),
        ({"target": "sfot"}, "did you mean 'soft'"),
        ({"fold": 11}, "fold '11'"),
        ({"corpus": "vote_tabel"}, "did you mean 'vote_table'"),
        ({"folds": "all"}, "folds 'all': must be of type int"),
        ({"data_folder": "nowhere"}, "nowhere: no such folder"),
    ],
)
def test_a_wrong_word_in_python_is_an_input_error_before_training(tones, tmp_path, settings, said):
    with pytest.raises(InputError, match=re.escape(said)):
        call(tones, tmp_path, **settings)
    assert not list(tmp_path.rglob("save"))


def test_other_settings_get_a_place_beside_and_share_the_encoders(trained, tones, tmp_path, capsys):
    results = shutil.copytree(trained.parent, tmp_path / "results")
    before = {file: file.read_bytes() for file in (results / "tones" / FUSION).rglob("*") if file.is_file()}
    assert main(command(tones, results, *QUICK, "--lr", "0.1")) == 0
    assert capsys.readouterr().out.count("finished before, reused") == 2
    beside = results / "tones" / stage_of("mlee_fusion_soft", max_epochs=2, lr=0.1, **OF_ENCODERS)
    assert (beside / "scores.json").is_file() and all(file.read_bytes() == content for file, content in before.items())


def test_votes_that_changed_since_are_refused_instead_of_trained_on_in_part(trained, tones, tmp_path, capsys):
    changed = shutil.copytree(tones, tmp_path / "tones")
    table = changed / "votes.csv"
    table.write_text(table.read_text().replace("s0_0.wav,s0,3,0,0", "s0_0.wav,s0,1,2,0"))
    assert main(command(changed, trained.parent, *QUICK)) == 2
    assert "the corpus has changed" in capsys.readouterr().err


def test_the_classifier_says_of_a_file_what_the_predictions_say(trained, tones):
    classifier = EmotionClassifier.from_hparams(source=trained / FUSION)
    for row in read_predictions(trained / FUSION / "predictions.csv").itertuples():
        out_prob, score, index, text_lab = classifier.classify_file(tones / f"{row.ID}.wav")
        np.testing.assert_allclose(out_prob.exp()[0], [row.p_neu, row.p_hap], atol=1e-5)
        assert text_lab == [classifier.emotions[index]]
        assert score == out_prob.max()


@pytest.mark.parametrize("stage", [FUSION, MLEE])
def test_speechbrains_encoder_classifier_gives_the_same(trained, tones, stage, tmp_path):
    ours = EmotionClassifier.from_hparams(source=trained / stage / "model")
    theirs = EncoderClassifier.from_hparams(source=str(trained / stage / "model"), savedir=str(tmp_path / "sb"))
    wavs, lengths = torch.randn(2, 9000), torch.tensor([1.0, 0.5])
    torch.testing.assert_close(ours.classify_batch(wavs, lengths)[0], theirs.classify_batch(wavs, lengths)[0])
    file = str(tones / "s0_1.wav")
    assert ours.classify_file(file)[3] == theirs.classify_file(file)[3]
    torch.testing.assert_close(ours.classify_file(file)[0], theirs.classify_file(file)[0])


@pytest.mark.parametrize("ending, rate, channels", [("flac", 44100, 2), ("ogg", 8000, 1), ("mp3", 22050, 2), ("wav", 48000, 3)])
def test_any_common_format_rate_and_number_of_channels_is_classified(trained, tmp_path, ending, rate, channels):
    path = tmp_path / f"a.{ending}"
    classifier = EmotionClassifier.from_hparams(source=trained / FUSION)
    for name, at, tracks in ((path, rate, channels), (tmp_path / "plain.wav", 16000, 1)):
        tone = 0.3 * np.sin(2 * np.pi * 700 * np.arange(at) / at)
        soundfile.write(name, np.repeat(tone[:, None], tracks, axis=1), at)
    expected = classifier.classify_file(tmp_path / "plain.wav")[0].exp()
    torch.testing.assert_close(classifier.classify_file(path)[0].exp(), expected, atol=0.1, rtol=0)
    theirs = EncoderClassifier.from_hparams(source=str(trained / FUSION / "model"), savedir=str(tmp_path / "sb"))
    torch.testing.assert_close(theirs.classify_file(str(path), savedir=str(tmp_path))[0], classifier.classify_file(path)[0])


def test_samples_that_are_not_finite_are_refused(trained):
    with pytest.raises(InputError, match="not finite"):
        EmotionClassifier.from_hparams(source=trained / MLEE).classify_batch(torch.full((1, 9000), torch.nan))


def test_a_bundle_with_a_weight_missing_is_refused(trained, tmp_path):
    from safetensors.torch import save_file

    bundle = shutil.copytree(trained / MLEE / "model", tmp_path / "model")
    weights = load_file(bundle / "model.safetensors")
    weights.pop("classifier.output.bias")
    save_file(weights, bundle / "model.safetensors")
    with pytest.raises(InputError, match="classifier.output.bias"):
        EmotionClassifier.from_hparams(source=bundle)


def test_a_clip_shorter_than_a_window_is_refused_with_its_length(trained, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.ones(160), 16000)
    with pytest.raises(InputError, match="10 ms"):
        EmotionClassifier.from_hparams(source=trained / MLEE).classify_file(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--target", "sfot"], "did you mean 'soft'"),
        (["--trian_set", "all"], "did you mean --train_set"),
        (["--train_set", "dominants"], "did you mean 'dominant'"),
        (["--fold", "11"], "fold '11'"),
        (["--lr", "fast"], "must be a number"),
        (["--batch_size", "0"], "must be above 0"),
        (["--emotions", "neu", "hapy"], "hap"),
        (["--device", "cuda:7"], "cuda:7"),
        (["--device", "meta"], "unknown device 'meta'"),
        (["--data", "x"], "unknown flag --data: did you mean --data_folder"),
        (["--corpus", "vote_tabel"], "did you mean 'vote_table'"),
        (["--data_folder", "nowhere"], "--data_folder nowhere: no such folder"),
        (["--results", "README.md"], "README.md"),
        (["--manifests", "nowhere"], "nowhere"),
    ],
)
def test_a_wrong_word_is_answered_before_training(tones, tmp_path, capsys, flags, said):
    assert main([*command(tones, tmp_path), *flags]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.rglob("save"))


def test_flags_may_stand_before_the_hparams_file(trained, tones):
    hparams, *flags = command(tones, trained.parent, *QUICK)
    assert main([*flags, hparams]) == 0


def test_a_misspelt_hparams_file_is_answered_with_the_nearest(tones, tmp_path, capsys):
    assert main(command(tones, tmp_path, hparams="hparams/mlee_fusoin.yaml")) == 2
    assert "mlee_fusion.yaml" in capsys.readouterr().err


def test_a_killed_run_goes_on_and_ends_as_one_that_was_not_killed(tones, tmp_path, held):
    flags = ["--max_epochs", "5", "--patience", "5", "--speeds", "1.0", "--batch_size", "8"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    words = lambda results, hparams: [sys.executable, "recipes/train.py", *command(tones, results, *flags, hparams=hparams)]  # noqa: E731
    subprocess.run(words(whole, "hparams/mlee.yaml"), check=True, capture_output=True)

    again = words(killed, str(held.hparams / "mlee.yaml"))
    process = held.start(again)
    place = Path("tones") / stage_of("mlee", max_epochs=5, speeds=[1.0], batch_size=8)
    stage = killed / place
    held.wait_for_an_epoch(process, stage)
    process.kill()
    process.wait()
    assert any((stage / "save").glob("CKPT*")) and not (stage / "predictions.csv").exists()

    held.let_go()
    subprocess.run(again, check=True, capture_output=True, env=held.environment)
    log = (stage / "train_log.txt").read_text()
    assert log.count("epoch: 1 -") == 1, "it began anew instead of going on"
    assert (stage / "predictions.csv").read_bytes() == (whole / place / "predictions.csv").read_bytes()
    summaries = [json.loads((s / "save/summary.json").read_text()) for s in (stage, whole / place)]
    assert summaries[0]["losses"] == summaries[1]["losses"]


@pytest.mark.parametrize(
    "words, said", [(["README.md"], "README.md: no hparams file (.yaml): give"), ([], "no hparams file (.yaml) was given: give one")]
)
def test_where_no_hparams_file_is_given_that_is_said_and_not_its_flags_blamed(capsys, words, said):
    assert main([*words, "--fold", "1"]) == 2
    assert said in capsys.readouterr().err


def test_manifests_without_their_recordings_are_answered_with_what_is_missing(capsys):
    assert main(["hparams/mlee.yaml", "--fold", "1", "--manifests", "mine"]) == 2
    assert "--data_folder is missing: give the folder that holds the recordings of mine" in capsys.readouterr().err
