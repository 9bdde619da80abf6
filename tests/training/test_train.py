"""A stage from manifests to its folder: whose statistics it holds, what it leaves alone, what it computes twice."""

import json
import shutil
import time
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from filelock import FileLock, Timeout
from releases import write_wav
from safetensors.torch import load_file

from mlee_sb.errors import InputError
from mlee_sb.evaluation.scores import score_folder
from mlee_sb.files import write_json
from mlee_sb.models.bundle import load_bundle, save_bundle
from mlee_sb.stage_folder import StageFolder
from mlee_sb.training import data as data_module
from mlee_sb.training import fixed_values
from mlee_sb.training.brains import EmotionBrain
from mlee_sb.training.data import WaveformDataset, make_loader
from mlee_sb.training.fixed_parts import fixed_parts, required_models
from mlee_sb.training.fixed_values import keep, kept
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.run import run
from mlee_sb.training.stage import plan
from mlee_sb.training.train_stage import train_stage
from mlee_sb.whole_stage import note_files

from .conftest import prepared, stage_on

ONE_EPOCH = {"max_epochs": 1, "batch_size": 4}
FUSION = {**ONE_EPOCH, "requires": {"mlee": ONE_EPOCH, "dominant": ONE_EPOCH}}


def train(stage):
    train_stage(stage, "cpu", say=lambda line: None)
    return stage


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory):
    """A corpus, and results that hold both encoders of a fusion."""
    folder = tmp_path_factory.mktemp("fusion")
    data = prepared(folder)
    for part in plan(stage_on(data, folder / "results", "mlee_fusion", **FUSION))[:-1]:
        train(part)
    return data, folder / "results"


@pytest.fixture
def fusion(trained_once, tmp_path):
    """The three stages of a fusion; the two with encoders are trained."""
    data, results = trained_once
    return plan(stage_on(data, shutil.copytree(results, tmp_path / "results"), "mlee_fusion", **FUSION))


def test_the_statistics_of_the_model_are_those_of_the_training_speakers_at_all_speeds(stage):
    trained = train(stage("mlee", **ONE_EPOCH))
    encoder = load_bundle(trained.model_folder).model.encoder
    frame = stage_inputs(trained).train
    assert set(frame["speaker"]) == {"c", "d"}
    data = WaveformDataset(frame, trained.data.data_folder, encoder, torch.zeros(len(frame), 2), [0.9, 1.0, 1.1])
    alone = [data[[item]] for item in range(len(data))]
    frames = torch.cat([encoder.front_end(utterance.inputs, utterance.lengths)[0][0] for utterance in alone])
    torch.testing.assert_close(encoder.normalizer.mean, frames.mean(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(encoder.normalizer.std, frames.std(0, correction=0), atol=1e-4, rtol=1e-4)


class Begun(Exception):
    """Training would begin now."""


def first_weights_and_batches(stage, monkeypatch) -> tuple[dict, list]:
    """What a stage begins with: its weights, and the items of the batches of its first epoch."""
    found = []

    def fit(brain, epochs, train, valid, progressbar):
        train.sampler.set_epoch(1)
        weights = {name: tensor.clone() for name, tensor in brain.modules.state_dict().items()}
        found.extend([weights, list(train.sampler)])
        raise Begun

    monkeypatch.setattr(EmotionBrain, "fit", fit)
    with pytest.raises(Begun):
        train(stage)
    return tuple(found)


def test_the_encoders_of_a_fusion_begin_with_other_weights_and_other_batches(stage, data, monkeypatch):
    """The kind of the mistake: with one seed for both, all 34 tensors were equal to the bit, and on train set dominant the batches too."""
    on = data()
    parts = [stage(row, on=on, train_set="dominant", batch_size=4) for row in ("mlee", "dominant")]
    (mlee, batches), (dominant, other_batches) = (first_weights_and_batches(part, monkeypatch) for part in parts)
    drawn = [
        name for name, tensor in mlee.items() if tensor.is_floating_point() and tensor.unique().numel() > 1 and "normalizer" not in name
    ]
    assert len(drawn) >= 15
    assert not [name for name in drawn if torch.equal(mlee[name], dominant[name])]
    assert batches != other_batches and sorted(sum(batches, [])) == sorted(sum(other_batches, []))


def test_a_row_alone_is_reproducible_to_the_bit(data, tmp_path):
    on = data()
    once, again = (train(stage_on(on, tmp_path / name, "mlee", **ONE_EPOCH)) for name in ("once", "again"))
    assert (once.model_folder / "model.safetensors").read_bytes() == (again.model_folder / "model.safetensors").read_bytes()
    assert (once.folder / "predictions.csv").read_bytes() == (again.folder / "predictions.csv").read_bytes()


def test_statistics_know_nothing_of_validation_and_test_speakers(stage, tmp_path):
    here = train(stage("mlee", **ONE_EPOCH))
    for wav in [*here.data.data_folder.glob("a*.wav"), *here.data.data_folder.glob("b*.wav")]:
        write_wav(wav, seconds=0.3)
    there = train(replace(here, folder=tmp_path / "again"))
    mine, other = (load_bundle(s.model_folder).model.encoder.normalizer for s in (here, there))
    assert torch.equal(mine.mean, other.mean) and torch.equal(mine.std, other.std)


def test_a_frozen_stage_does_not_depend_on_what_was_embedded_before(fusion):
    cold, warm = (train(replace(fusion[-1], folder=fusion[-1].folder / name)) for name in ("cold", "warm"))
    assert (cold.folder / "predictions.csv").read_bytes() == (warm.folder / "predictions.csv").read_bytes()


def test_bf16_trains_on_a_cpu(stage):
    assert train(stage("mlee", **ONE_EPOCH, precision="bf16")).finished


def test_a_learning_rate_that_makes_the_loss_diverge_can_be_lowered_in_the_same_place(stage):
    wrong = stage("mlee", lr=1e30, batch_size=1)
    with pytest.raises(InputError, match="lower lr"):
        train(wrong)
    right = stage("mlee", on=wrong.data, **ONE_EPOCH)
    right.check_folder()
    assert train(right).finished


def test_what_cannot_be_saved_is_refused_before_it_is_trained(stage, monkeypatch):
    monkeypatch.setattr("mlee_sb.models.encoders.cnn_blstm_attention.PaperEncoder.__module__", "elsewhere")
    unregistered = stage("mlee", **ONE_EPOCH)
    with pytest.raises(InputError, match="is not registered"):
        train(unregistered)
    assert not unregistered.files.checkpoints


def test_a_run_waits_for_another_one_that_trains_the_same_stage(stage, monkeypatch):
    part, said, trained = stage("mlee", **ONE_EPOCH), [], []
    part.files.save.mkdir(parents=True)
    other = FileLock(part.files.save / ".lock")
    other.acquire()

    def say(line):
        said.append(line)
        if "another run trains it" in line:  # which ends then, with the stage finished
            train(part)
            monkeypatch.setattr("mlee_sb.training.run.train_stage", lambda *_: trained.append(1))
            other.release()

    def score(folder):
        with pytest.raises(Timeout):  # it is this run's turn, and nobody else's
            FileLock(part.files.save / ".lock").acquire(blocking=False)

    run(part, "cpu", score, say)
    assert "finished before, reused" in said[-1] and not trained


def test_what_a_killed_run_left_half_written_is_cleared_away(stage):
    part = stage("mlee", **ONE_EPOCH)
    (part.folder / ".model.123.partial").mkdir(parents=True)
    (part.folder / ".scores.json.123.partial").write_text("{")
    run(part, "cpu", lambda folder: None, lambda line: None)
    assert not list(part.folder.glob(".*.partial")) and part.finished


@pytest.mark.parametrize("lost", ["model/model.safetensors", "model/config.json", "predictions.csv"])
def test_what_was_taken_away_from_a_finished_stage_comes_back_from_its_checkpoint(stage, lost):
    part = train(stage("mlee", **ONE_EPOCH))
    before, log = (part.folder / "predictions.csv").read_text(), (part.folder / "train_log.txt").read_text()
    weights = load_file(part.model_folder / "model.safetensors")
    (part.folder / lost).unlink()
    run(part, "cpu", lambda folder: None, lambda line: None)
    assert (part.folder / lost).is_file() and (part.folder / "predictions.csv").read_text() == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in load_file(part.model_folder / "model.safetensors").items())
    assert (part.folder / "train_log.txt").read_text() == log  # nothing was learnt anew


@pytest.mark.parametrize("lost", ["model/golden.json", "save/summary.json"])
def test_a_finished_stage_with_an_empty_file_is_trained_again_and_that_is_said(stage, lost):
    part, said = train(stage("mlee", **ONE_EPOCH)), []
    before = {path: path.read_bytes() for path in (part.files.predictions, part.files.model / "model.safetensors")}
    (part.folder / lost).write_bytes(b"")
    run(part, "cpu", lambda folder: None, said.append)
    assert f"{part.folder / lost} is not as it was written: trained again" in said[0]
    assert part.finished and {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("damaged", [1, 3])
def test_a_run_whose_newest_checkpoint_was_damaged_ends_as_if_it_had_not_been_stopped(data, tmp_path, monkeypatch, damaged):
    on, said = data(), []
    whole, part = (stage_on(on, tmp_path / name, "mlee", **ONE_EPOCH | {"max_epochs": 3}) for name in ("whole", "stopped"))
    train(whole)
    monkeypatch.setattr("mlee_sb.training.train_stage._finish", lambda *_: None)  # as if it had been killed before it wrote anything
    train(part)
    monkeypatch.undo()
    for checkpoint in sorted(part.files.checkpoints)[-damaged:]:
        (checkpoint / "classifier.ckpt").write_bytes(b"")
    train_stage(part, "cpu", said.append)
    assert "damaged: the training goes on from the epoch before" in said[0]
    assert part.files.predictions.read_bytes() == whole.files.predictions.read_bytes()
    assert part.files.train_log.read_text() == whole.files.train_log.read_text()


def test_scores_that_are_damaged_are_made_anew(stage):
    part, scored = train(stage("mlee", **ONE_EPOCH)), []
    for text in ("{", "{}"):
        (part.folder / "scores.json").write_text(text)
        run(part, "cpu", scored.append, lambda line: None)
    assert scored == [part.folder]
    for name in ("scores.json", "README.md"):  # of the bundle
        (part.model_folder / name).write_text("")
        run(part, "cpu", scored.append, lambda line: None)
        (part.model_folder / name).write_text("{}")
    assert len(scored) == 3


def test_a_model_knows_nothing_of_its_test_speaker(stage, tmp_path):
    here = train(stage("mlee", **ONE_EPOCH))
    weights = load_file(here.model_folder / "model.safetensors")
    for wav in here.data.data_folder.glob("a*.wav"):  # the test speaker says something else
        write_wav(wav, seconds=0.3)
    there = train(replace(here, folder=tmp_path / "again"))
    assert (there.folder / "predictions.csv").read_text() != (here.folder / "predictions.csv").read_text()
    again = load_file(there.model_folder / "model.safetensors")
    assert all(torch.equal(tensor, again[name]) for name, tensor in weights.items())


def test_training_a_fusion_changes_no_bit_of_an_encoder(fusion):
    before = [load_file(part.model_folder / "model.safetensors") for part in fusion[:-1]]
    model = load_bundle(train(fusion[-1]).model_folder).model
    for encoder, there in zip(model.encoders, before, strict=True):
        for name, tensor in encoder.state_dict().items():
            assert torch.equal(tensor, there[f"encoder.{name}"]), name


def test_a_frozen_stage_reads_each_recording_once_per_speed_and_encoder_whatever_the_epochs(fusion, monkeypatch):
    reads = []
    load = data_module.load_waveform
    monkeypatch.setattr(data_module, "load_waveform", lambda path, *how, **piece: reads.append(path.name) or load(path, *how, **piece))
    train(replace(fusion[-1], settings={**fusion[-1].settings, "max_epochs": 3}))
    of_training = [name for name in reads if name[0] in "cd"]
    inputs = stage_inputs(fusion[-1])
    assert len(of_training) == len(inputs.train_split) * 3 * 2  # speeds, encoders
    assert len(reads) - len(of_training) == (len(inputs.valid_split) + len(inputs.test)) * 2


@pytest.mark.parametrize("target", ["soft", "hard"])
def test_the_second_head_on_an_encoder_reads_no_recording_even_where_it_can_use_others(fusion, stage, monkeypatch, target):
    train(fusion[-1])
    second = stage("mlee_pretrain", on=fusion[-1].data, **ONE_EPOCH, lr=0.1, target=target, requires={"mlee": ONE_EPOCH})
    rows = {len(stage_inputs(part).train) for part in (fusion[-1], second)}
    assert len(rows) == (2 if target == "hard" else 1)
    assert second.requires["mlee"].key == fusion[0].key
    monkeypatch.setattr(data_module, "load_waveform", lambda *_, **__: pytest.fail("a recording was read"))
    train(second)
    assert (second.folder / "predictions.csv").is_file()


def embeddings(part, rows, data, speeds=(1.0,)):
    """What a fixed part gives for some rows at some speeds, computed where it is not kept, [speeds * n, embedding_size]."""
    keep([part], [(rows, speeds)], data, "cpu", say=lambda line: None)
    return torch.stack(list(kept([part], rows, data, speeds, rows["ID"].tolist())))


def parts_of(stage):
    """The encoders that a stage freezes, and where their embeddings are kept."""
    return fixed_parts(stage, None, required_models(stage))


def test_embeddings_do_not_depend_on_their_batch(fusion, tmp_path, monkeypatch):
    part, rows, data = parts_of(fusion[-1])[0], stage_inputs(fusion[0]).train, fusion[0].data
    together = embeddings(replace(part, folder=tmp_path / "a"), rows, data, [0.9, 1.0])
    monkeypatch.setattr(fixed_values, "BATCH_SIZE", 1)
    alone = embeddings(replace(part, folder=tmp_path / "b"), rows, data, [0.9, 1.0])
    assert together.shape == (2 * len(rows), part.module.embedding_size)
    assert ((together - alone).norm(dim=1) / alone.norm(dim=1)).max() < 1e-5


def test_embeddings_of_another_encoder_in_the_same_place_are_made_anew(fusion, tmp_path):
    rows, data = stage_inputs(fusion[0]).valid, fusion[0].data
    first, second = (replace(part, folder=tmp_path) for part in parts_of(fusion[-1]))
    a, b = (embeddings(part, rows, data) for part in (first, second))
    assert not torch.allclose(a, b)
    (loaded,) = make_loader(WaveformDataset(rows, data.data_folder, second.module, torch.zeros(len(rows), 2)), 64, 0)
    with torch.no_grad():
        torch.testing.assert_close(b[loaded.items], second.module(loaded.inputs, loaded.lengths))


def test_a_head_on_an_encoder_that_was_trained_again_is_trained_again_and_reads_its_new_embeddings(fusion):
    """The kind of the mistake: embeddings and heads were known by settings, and the settings of both encoders are equal."""
    mlee, _, head = fusion
    train(head)
    assert head.finished
    before = (head.folder / "predictions.csv").read_text()
    change_weights_of(mlee)
    other = load_bundle(mlee.model_folder)
    assert not head.finished
    said = []
    train_stage(head, "cpu", say=said.append)
    assert head.finished and any("trained again since" in line for line in said)
    assert (head.folder / "predictions.csv").read_text() != before
    frozen = load_bundle(head.model_folder).model.encoders[0]
    assert torch.equal(frozen.network.blstm.weight_ih_l0, other.model.encoder.network.blstm.weight_ih_l0)
    test, (part, _) = stage_inputs(head).test, parts_of(head)
    there = kept([part], test, head.data, [1.0], test["ID"].tolist())  # only read: they must be there, and those of the new weights
    torch.testing.assert_close(torch.stack(list(there)), embeddings(replace(part, folder=head.folder / "fresh"), test, head.data))
    again = (head.folder / "predictions.csv").read_bytes()
    shutil.rmtree(head.folder)
    train(head)
    assert (head.folder / "predictions.csv").read_bytes() == again  # nothing of the old head had been gone on with


def change_weights_of(stage):
    """Train the encoder of a stage again, as far as others can see."""
    other = load_bundle(stage.model_folder)
    other.model.encoder.network.blstm.weight_ih_l0.data.mul_(2)
    save_bundle(stage.model_folder, other.model, other.config.labels.model_dump(), demo=False)
    note_files(stage.files)


def test_a_head_that_is_trained_again_is_scored_again(fusion):
    mlee, _, head = fusion
    run(head, "cpu", score_folder, say=lambda line: None)
    change_weights_of(mlee)
    write_json(head.folder / "scores.json", {"wa": 0.987})
    run(head, "cpu", score_folder, say=lambda line: None)
    assert json.loads((head.folder / "scores.json").read_text())["wa"] != 0.987
    assert (head.model_folder / "scores.json").is_file()


def test_a_head_that_was_killed_while_it_was_trained_again_is_not_taken_for_finished(fusion, monkeypatch):
    mlee, _, head = fusion
    train(head)
    change_weights_of(mlee)

    def killed(*args, **kwargs):
        raise Begun

    monkeypatch.setattr(EmotionBrain, "fit", killed)
    with pytest.raises(Begun):
        train(head)
    assert head.stands_on_its_encoders and not head.finished
    monkeypatch.undo()
    train(head)
    assert head.finished


def test_the_seconds_of_a_stage_are_those_of_all_its_runs(stage, monkeypatch):
    part = stage("mlee", **ONE_EPOCH)
    with monkeypatch.context() as patch:
        patch.setattr(StageFolder, "write_predictions", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        patch.setattr("mlee_sb.training.brains.time", SimpleNamespace(monotonic=lambda: time.monotonic() + 1000))
        with pytest.raises(KeyboardInterrupt):
            train(part)
    train(part)
    assert 1000 < part.files.read_summary().seconds < 1500


def test_what_is_finished_is_told_from_what_was_begun(stage, monkeypatch):
    begun = stage("mlee", **ONE_EPOCH)
    with monkeypatch.context() as patch:
        patch.setattr(StageFolder, "write_predictions", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(begun)
    assert not begun.finished
    assert train(begun).finished
    assert (begun.folder / "train_log.txt").read_text().count("epoch: 1 -") == 1, "the finished epoch was trained again"


def test_what_each_utterance_was_used_for_is_noted(fusion):
    encoder, head = fusion[0], train(fusion[-1])
    statistics = {"training": "train", "class_weights": "train", "selection": "valid", "calibration": "valid_split"}
    for stage, uses in ((encoder, {**statistics, "z_norm": "train"}), (head, statistics)):
        noted = {path.stem: pd.read_csv(path)["ID"].tolist() for path in stage.files.used("training").parent.iterdir()}
        assert noted == {use: getattr(stage_inputs(stage), split)["ID"].tolist() for use, split in uses.items()}
        assert not {ID for ids in noted.values() for ID in ids} & set(stage_inputs(stage).test["ID"])
        assert stage.files.read_summary().class_weights == stage_inputs(stage).class_weights.tolist()
