"""The protocol check on what training really leaves: clean as it is, and named where its code is made to leak."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from mlee_sb.corpora.base import load_corpus
from mlee_sb.corpora.prepare import prepare
from mlee_sb.evaluation.protocol.check import check_protocol
from mlee_sb.evaluation.protocol.findings import UNCHECKED
from mlee_sb.experiment.train import main
from mlee_sb.training import inputs
from mlee_sb.training import train_stage as train

from .conftest import command

TEST_SET = tuple(f"s0_{number}" for number in range(6))


def test_what_training_leaves_is_clean(trained, tones):
    for data_folder in (tones, None):  # None: training noted where it found the recordings
        checked = check_protocol(trained, load_corpus, data_folder=data_folder)
        assert not checked.leaks
        assert (checked.stages, checked.folds) == (3, 6)
        assert {finding.kind for finding in checked.of(UNCHECKED)} == {"text"}, "a vote table does not say which text was spoken"


def test_where_the_recordings_lay_is_told_to_nobody_who_gets_the_model(trained, tones):
    place = str(tones.resolve())
    telling = {file.parent.name for file in trained.rglob("*") if file.is_file() and place.encode() in file.read_bytes()}
    assert telling == {"save"}


def test_votes_that_were_edited_in_a_fold_are_not_trained_on(tones, tmp_path, capsys):
    prepare("vote_table", tones, tmp_path / "manifests", ["neu", "hap"], say=lambda line: None)
    train_csv = tmp_path / "manifests/fold1/train.csv"
    train_csv.write_text(train_csv.read_text().replace(",s3,,,,3,3,0,0,", ",s3,,,,3,77,0,0,", 1))
    flags = ["--manifests", str(tmp_path / "manifests"), "--data_folder", str(tones), "--results", str(tmp_path / "results")]
    assert main(["hparams/mlee.yaml", "--fold", "1", "--device", "cpu", *flags]) == 2
    assert "train.csv: 's3_0': votes_neu is '77', and '3' in utterances.csv; run mlee prepare" in capsys.readouterr().err
    assert not list(tmp_path.rglob("CKPT*"))


def z_norm_of_training_and_test(monkeypatch):
    """Also what is trained on, as both come from one data set."""
    loaders = train._loaders

    def leaky(stage, found, *rest):
        rows, labels = pd.concat([found.train, found.test]), torch.cat([found.train_labels, found.no_labels(found.test)])
        return loaders(stage, replace(found, train=rows, train_labels=labels), *rest)

    monkeypatch.setattr(train, "_loaders", leaky)


def _splits_changed(monkeypatch, change):
    read_fold = inputs.read_fold
    monkeypatch.setattr(inputs, "read_fold", lambda *given: change(read_fold(*given)))


def an_epoch_chosen_on_the_test_set(monkeypatch):
    _splits_changed(monkeypatch, lambda splits: splits | {"valid": splits["test"]})


def some_of_the_test_set_in_training(monkeypatch):
    """Two of them: all six have the votes of every other speaker's six, which would leave the class weights as they are."""
    _splits_changed(monkeypatch, lambda splits: splits | {"train": pd.concat([splits["train"], splits["test"].iloc[:2]])})


@pytest.mark.parametrize(
    ("leak", "uses", "utterances"),
    [
        (z_norm_of_training_and_test, {"z_norm", "training"}, TEST_SET),
        (an_epoch_chosen_on_the_test_set, {"selection", "calibration"}, TEST_SET),
        (some_of_the_test_set_in_training, {"z_norm", "training", "class_weights"}, TEST_SET[:2]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_training_that_is_made_to_leak_is_found_out(tones, tmp_path, monkeypatch, leak, uses, utterances):
    leak(monkeypatch)
    assert main(command(tones, tmp_path, "--max_epochs", "1", "--speeds", "1.0", hparams="hparams/mlee.yaml")) == 0
    leaks = check_protocol(tmp_path, load_corpus).leaks
    used = {finding.where.rpartition("/")[2].removesuffix(".csv"): finding.values for finding in leaks if finding.kind == "use"}
    assert used == dict.fromkeys(uses, utterances)
    others = {finding.kind for finding in leaks} - {"use"}
    assert others == ({"class_weights"} if "class_weights" in uses else set())
