"""Targets, front ends and encoders of other authors, trained as stages: registered by an installed package, named in an hparams file."""

import importlib
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from packages import write_package

from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError
from mlee_sb.evaluation.predictions import read_predictions
from mlee_sb.evaluation.scores import score_folder
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.encoders.base import learning
from mlee_sb.training import data as data_module
from mlee_sb.training.brains import EmotionBrain
from mlee_sb.training.checkpoints import AtomicCheckpointer
from mlee_sb.training.fixed_parts import fixed_parts
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.run import run
from mlee_sb.training.settings import overridable, read_settings
from mlee_sb.training.stage import Data, make_stage, plan

from .conftest import EMOTIONS, VOTES

PACKAGE = "authors_plug_ins"
CODE = """
import torch
from torch import nn
from mlee_sb.models.encoders.base import Encoder
from mlee_sb.models.encoders.cnn_blstm_attention import PaperEncoder
from mlee_sb.models.features import LogPowerSpectrogram
from mlee_sb.targets import Setting
from mlee_sb.targets.hard import HardTarget

class Sure(HardTarget):
    name, one_train_set = "sure", ""
    settings = {"agreement": Setting(float, above=0)}
    def labels(self, dominant, votes, settings):
        labels, usable = super().labels(dominant, votes, settings)
        return labels, usable & (votes.max(axis=1) >= settings["agreement"] * votes.sum(axis=1))

class Scaled(LogPowerSpectrogram):
    def __init__(self, **settings):
        super().__init__(**settings)
        self.scale = nn.Parameter(torch.ones(self.n_features))
    def forward(self, waveforms, n_samples):
        features, n_frames = super().forward(waveforms, n_samples)
        return features * self.scale, n_frames

class WithScale(PaperEncoder):
    def parameter_groups(self):
        of_front_end = list(self.front_end.parameters())
        others = [parameter for name, parameter in self.named_parameters() if not name.startswith("front_end.")]
        return {"lr": others, "lr_front_end": of_front_end}

class Projected(Encoder):
    sample_rate, min_samples, embedding_size = 16000, 400, 4
    def __init__(self, bands=3):
        super().__init__()
        self.settings = {"bands": bands}
        self.frozen = nn.Parameter(torch.linspace(-1, 1, 400 * bands).view(400, bands), requires_grad=False)
        self.dense = nn.Linear(bands, 4)
    def fixed(self, waveforms, n_samples):
        return waveforms.unfold(-1, 400, 400) @ self.frozen, n_samples // 400
    def learned(self, fixed, lengths):
        valid = (torch.arange(fixed.shape[1]) < lengths.unsqueeze(1)).unsqueeze(-1)
        return self.dense((fixed.abs() * valid).sum(1) / lengths.unsqueeze(1))
    def parameter_groups(self):
        return {"lr": list(self.dense.parameters())}

class Whole(Projected):
    fixed = Encoder.fixed
    def learned(self, fixed, lengths):
        return super().learned(*Projected.fixed(self, fixed, lengths))
"""
SMALL = {"max_epochs": 2, "batch_size": 4}
LR = 0.05


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory):
    """The plug-ins, where Python finds them."""
    encoders = {"with_scale": "WithScale", "projected": "Projected", "whole": "Whole"}
    plug_ins = {"encoders": encoders, "front_ends": {"scaled": "Scaled"}, "targets": {"sure": "Sure"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(write_package(tmp_path_factory.mktemp("package"), PACKAGE, CODE, **plug_ins))
        yield


@pytest.fixture
def own(tmp_path, data):
    """`own("mlee", "lr_x: 1", results="results", seed=2)` is the stage of a row's file to which lines were added."""
    on, hparams = data(), shutil.copytree("hparams", tmp_path / "hparams")

    def make(row, *lines, results="results", **overrides):
        file = hparams / f"{row}.yaml"
        added = {line.split(":")[0] for line in lines}
        kept = [line for line in Path("hparams", f"{row}.yaml").read_text().splitlines() if line.split(":")[0] not in added]
        file.write_text("\n".join([*kept, *lines]) + "\n")
        return make_stage(file, {"emotions": EMOTIONS, "fold": 1, **SMALL, **overrides}, on, tmp_path / results)

    return make


def trained(stage):
    run(stage, "cpu", score_folder, say=lambda line: None)
    return stage


# A target


def test_a_target_of_a_package_is_trained_scored_and_found_again_by_its_name(own):
    stage = trained(own("dominant", "target: sure", "agreement: 0.9"))
    assert stage.settings["row"] == "dominant_sure" and stage.finished and stage.scored
    sure = [i for i, votes in enumerate(VOTES) if votes in ("3,0,0", "0,3,0")]
    assert sorted(stage_inputs(stage).train["ID"]) == [f"{speaker}{i}" for speaker in "cd" for i in sure]
    frame = read_predictions(stage.files.predictions)
    assert set(frame["target"]) == {"sure"} and set(frame["output"]) == {"softmax"}
    np.testing.assert_allclose(frame[["p_neu", "p_hap"]].sum(axis=1), 1, atol=1e-6)
    summary, bundle = stage.files.read_summary(), load_bundle(stage.model_folder)
    assert (summary.target, summary.output) == ("sure", "softmax")
    assert (bundle.config.labels.target, bundle.config.output) == ("sure", "softmax")


def test_a_setting_of_a_target_belongs_to_the_stages_that_learn_it(own):
    lines = ("target: sure", "agreement: 0.9")
    stage, other = own("dominant", *lines), own("dominant", *lines, agreement=0.8)
    assert stage.key != other.key and "agreement=0.8" in other.variant.split(",") and "agreement" not in stage.variant
    soft, with_agreement = own("dominant", "agreement: 0.9"), own("dominant", "agreement: 0.8")
    assert soft.key == with_agreement.key
    assert "agreement" in overridable(stage.hparams) and "agreement" not in overridable("hparams/mlee.yaml")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["target: sure"], "the setting agreement is missing"),
        (["target: sure", "agrement: 0.9"], "unknown setting in dominant.yaml 'agrement': did you mean 'agreement'"),
        (["target: sure", "agreement: much"], "agreement is 'much', and must be a number"),
        (["target: sure", "agreement: 0"], "agreement is 0, and must be above 0"),
        (["target: suer", "agreement: 0.9"], "unknown target 'suer': did you mean 'sure'"),
    ],
)
def test_a_wrong_setting_of_a_target_is_named(own, lines, message):
    with pytest.raises(InputError, match=message):
        own("dominant", *lines)


# A front end that learns, with a learning rate of its own


def with_scale(own, tmp_path, *lines, **overrides):
    """The MLEE row with the encoder `WithScale` on the front end `Scaled`; its BLSTM is small."""
    for part, old, new in (
        ("paper_encoder", "mlee_sb.models.encoders.cnn_blstm_attention.PaperEncoder", f"{PACKAGE}.WithScale"),
        ("features", "mlee_sb.models.features.LogPowerSpectrogram", f"{PACKAGE}.Scaled"),
    ):
        file = tmp_path / f"hparams/parts/{part}.yaml"
        file.write_text(file.read_text().replace(old, new).replace("lstm_size: 128", "lstm_size: 6"))
    return own("mlee", *lines, **overrides)


def test_a_front_end_with_parameters_is_learnt_and_kept_in_the_bundle(own, tmp_path):
    stage = trained(with_scale(own, tmp_path, f"lr_front_end: {LR}"))
    scale = load_bundle(stage.model_folder).model.encoder.front_end.scale
    assert scale.isfinite().all() and (scale != 1).any()
    assert (scale - 1).abs().max() > 0.001, "it was learnt with lr, and not with lr_front_end"


class Begun(Exception):
    """Training would begin now."""


def test_each_group_of_parameters_has_its_learning_rate_in_the_optimiser(own, tmp_path, monkeypatch):
    found = []

    def fit(brain, *_, **__):
        brain.init_optimizers()
        found.extend((group["lr"], len(group["params"])) for group in brain.optimizer.param_groups)
        raise Begun

    monkeypatch.setattr(EmotionBrain, "fit", fit)
    stage = with_scale(own, tmp_path, f"lr_front_end: {LR}")
    with pytest.raises(Begun):
        trained(stage)
    rates = dict(found)
    assert set(rates) == {stage.settings["lr"], LR} and rates[LR] == 1 and rates[stage.settings["lr"]] > 10


def test_a_learning_rate_of_a_group_makes_another_stage(own, tmp_path):
    line = f"lr_front_end: {LR}"
    stage, other = with_scale(own, tmp_path, line), with_scale(own, tmp_path, line, lr_front_end=0.01)
    assert stage.key != other.key and "lr_front_end=0.01" in other.variant


@pytest.mark.parametrize(
    ("plug_in", "lines", "message"),
    [
        (True, [], "WithScale: its parameters 'lr_front_end' have no learning rate: add lr_front_end to the hparams file"),
        (False, ["lr_front_end: 0.1"], "lr_front_end: PaperEncoder has no parameters with this learning rate: it has lr"),
        (True, ["lr_frontend: 0.1", "lr_front_end: 0.1"], "lr_frontend: WithScale has no parameters with this .*: it has lr, lr_front_end"),
    ],
)
def test_a_group_without_a_rate_and_a_rate_without_a_group_are_told_before_training(own, tmp_path, plug_in, lines, message):
    stage = with_scale(own, tmp_path, *lines) if plug_in else own("mlee", *lines)
    with pytest.raises(InputError, match=message):
        trained(stage)
    assert not stage.files.begun


@pytest.mark.parametrize(("rate", "message"), [("0", "lr_front_end is 0, and must be above 0"), ("fast", "'fast', and must be a number")])
def test_a_learning_rate_that_is_none_is_named(own, tmp_path, rate, message):
    with pytest.raises(InputError, match=message):
        with_scale(own, tmp_path, f"lr_front_end: {rate}")


# An encoder with a fixed part of its own


PROJECTED = f"encoder: !new:{PACKAGE}.Projected {{}}"


@pytest.fixture
def reads(monkeypatch):
    """The names of the recordings that are read."""
    found, load = [], data_module.load_waveform
    monkeypatch.setattr(data_module, "load_waveform", lambda path, *how, **piece: found.append(path.name) or load(path, *how, **piece))
    return found


def kept_in(stage):
    return sorted((stage.folder.parents[3] / "upstream").iterdir())


def test_a_fixed_part_is_computed_once_for_each_utterance_and_speed_whatever_stages_share_it(own, reads):
    first = trained(own("mlee", PROJECTED))
    inputs = stage_inputs(first)
    once = [*inputs.train_split["wav"]] * 3 + [*inputs.valid_split["wav"], *inputs.test["wav"]]  # speeds
    assert sorted(reads) == sorted(once)
    reads.clear()
    others = [own("mlee", PROJECTED, seed=2), own("dominant", PROJECTED), own("dominant", PROJECTED, lr=0.1, speeds=[0.9])]
    for stage in others:
        trained(stage)
    assert reads == [] and len(kept_in(first)) == 1
    assert len({stage.folder for stage in (first, *others)}) == 4 and all(stage.finished for stage in others)


def test_the_fixed_part_of_another_encoder_is_computed_anew_beside(own, reads):
    first = trained(own("mlee", PROJECTED))
    reads.clear()
    trained(own("mlee", PROJECTED.replace("{}", "{bands: 5}"), results="results", seed=2))
    assert reads and len(kept_in(first)) == 2


def test_a_fixed_part_is_known_by_what_does_not_learn(own):
    stage = own("mlee", PROJECTED)
    encoders = [importlib.import_module(PACKAGE).Projected() for _ in range(3)]
    with torch.no_grad():
        next(learning(encoders[1])).add_(1)
        encoders[2].frozen.add_(1)
    same, learnt, other = (fixed_parts(stage, encoder, {})[0].key for encoder in encoders)
    assert same == learnt != other


def test_what_is_kept_gives_the_numbers_of_what_is_computed_in_every_epoch(own):
    kept, computed = (
        trained(own("mlee", line, results=name))
        for name, line in (("kept", PROJECTED), ("computed", PROJECTED.replace("Projected", "Whole")))
    )
    assert (kept.folder.parents[3] / "upstream").is_dir() and not (computed.folder.parents[3] / "upstream").exists()
    losses = [list(stage.files.read_summary().losses.values()) for stage in (kept, computed)]
    np.testing.assert_allclose(*losses, rtol=1e-5)
    columns = ["p_neu", "p_hap", "e_neu", "e_hap"]
    np.testing.assert_allclose(*(pd.read_csv(stage.files.predictions)[columns] for stage in (kept, computed)), atol=1e-5)
    weights = [load_bundle(stage.model_folder).model.encoder.dense.weight for stage in (kept, computed)]
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-6)


def test_a_fusion_freezes_encoders_of_a_package_and_trains_its_head_alone(own):
    for row in ("mlee", "dominant"):
        own(row, PROJECTED)
    fusion = own("mlee_fusion", requires={"mlee": SMALL, "dominant": SMALL})
    before = []
    for part in plan(fusion)[:-1]:
        before.append(load_bundle(trained(part).model_folder).model.encoder.state_dict())
    model = load_bundle(trained(fusion).model_folder).model
    for encoder, there in zip(model.encoders, before, strict=True):
        assert all(torch.equal(tensor, there[name]) for name, tensor in encoder.state_dict().items())


def test_a_fixed_part_that_was_taken_away_is_computed_anew_and_is_the_same(own, reads):
    stage = trained(own("mlee", PROJECTED))
    predictions = stage.files.predictions.read_bytes()
    shutil.rmtree(stage.folder)
    for folder in kept_in(stage):
        shutil.rmtree(folder)
    reads.clear()
    trained(stage)
    assert reads and stage.files.predictions.read_bytes() == predictions


def test_settings_of_an_encoder_of_a_package_are_checked(own):
    with pytest.raises(InputError, match="unknown setting of encoder in mlee.yaml 'band': did you mean 'bands'"):
        own("mlee", PROJECTED.replace("{}", "{band: 5}"))
    assert read_settings(own("mlee", PROJECTED).hparams)["encoder"] == {"!": f"!new:{PACKAGE}.Projected"}


def test_folds_share_what_a_fixed_part_gave_and_a_head_on_it_reads_no_recording(own, reads):
    trained(own("mlee", PROJECTED))
    first = len(reads)
    reads.clear()
    trained(own("mlee", PROJECTED, fold=2))
    one_speaker = len(VOTES)
    assert len(reads) < first and len(reads) <= 2 * 2 * one_speaker, "only the speakers that fold 1 did not train on, at the other speeds"
    reads.clear()
    trained(own("mlee_pretrain"))
    assert reads == [], "its encoder's embeddings come from the fixed part that is kept"


def test_other_recordings_have_another_fixed_part(own, reads, tmp_path):
    stage = trained(own("mlee", PROJECTED))
    reads.clear()
    release = stage.data.data_folder
    for number, wav in enumerate(sorted(release.glob("*.wav"))):
        samples, rate = soundfile.read(wav)
        soundfile.write(wav, np.random.default_rng(number).uniform(-0.3, 0.3, len(samples)), rate)
    prepare("vote_table", release, tmp_path / "again", EMOTIONS, say=lambda line: None)
    shutil.rmtree(stage.folder)
    data = Data(tmp_path / "again", read_protocol(tmp_path / "again"), release)
    trained(make_stage(stage.hparams, stage.overrides, data, tmp_path / "results"))
    assert len(reads) >= len(list(release.glob("*.wav")))


def test_the_code_of_a_target_of_a_package_is_part_of_a_stage(own):
    assert f"source of {PACKAGE}" in own("dominant", "target: sure", "agreement: 0.9").identity


def test_the_setting_of_a_row_and_the_same_one_of_its_encoder_are_two_settings(own):
    alone, both = (own("mlee_pretrain", max_epochs=5, requires={"mlee": of_mlee}) for of_mlee in ({}, {"max_epochs": 5}))
    assert alone.key != both.key and alone.folder != both.folder
    assert len(plan(alone, both)) == 4


def test_a_row_that_requires_others_and_trains_an_encoder_of_its_own_is_refused(own):
    with pytest.raises(InputError, match="mlee.yaml: requires other stages, whose encoders it must freeze"):
        own("mlee", "requires: {dominant: {hparams: dominant.yaml}}")


@pytest.mark.parametrize(
    ("code", "message"),
    [("settings = {'batch_size': Setting(int)}", "all rows have a setting 'batch_size'"), ("output = None", None)],
)
def test_a_faulty_target_of_another_package_is_named_or_leaves_the_rows_alone(own, tmp_path, monkeypatch, code, message):
    before = own("dominant").key
    imports = "from mlee_sb.targets import Setting\nfrom mlee_sb.targets.hard import HardTarget\n"
    lines = f"{imports}class Bad(HardTarget):\n    name = 'bad'\n    {code}\n"
    monkeypatch.syspath_prepend(write_package(tmp_path / "other", f"bad_{bool(message)}", lines, targets={"bad": "Bad"}))
    if message:
        with pytest.raises(InputError, match=message):
            own("dominant", "patience: 3")
    else:
        assert own("dominant").key == before


def test_a_resumed_run_has_the_statistics_of_an_encoder_in_which_nothing_learns(own, monkeypatch):
    plug_ins = importlib.import_module(PACKAGE)
    monkeypatch.setattr(plug_ins.Projected, "parameter_groups", lambda encoder: {})
    monkeypatch.setattr(
        plug_ins.Projected, "fit_statistics", lambda encoder, batches: encoder.dense.bias.data.fill_(float(sum(len(v) for v, _ in batches)))
    )
    whole = trained(own("mlee", PROJECTED, results="whole"))
    stopped = own("mlee", PROJECTED, results="stopped")
    save_epoch, saved = AtomicCheckpointer.save_epoch, []

    def killed(checkpointer, *args, **kwargs):
        save_epoch(checkpointer, *args, **kwargs)
        saved.append(1)
        if len(saved) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(AtomicCheckpointer, "save_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(stopped)
    trained(stopped)
    biases = [load_bundle(stage.model_folder).model.encoder.dense.bias for stage in (whole, stopped)]
    assert torch.equal(*biases) and biases[0].min() > 1
