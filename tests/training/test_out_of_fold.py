"""A stage that is calibrated on its training speakers, too: each judged by an inner model that never heard it."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from packages import write_package
from safetensors import safe_open

from mlee_sb.calibration import CROSS, fit
from mlee_sb.corpora.base import load_corpus
from mlee_sb.errors import InputError
from mlee_sb.evaluation.protocol.check import check_protocol
from mlee_sb.evaluation.protocol.findings import UNCHECKED
from mlee_sb.evaluation.scores import score_folder
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.waveforms import load_waveform
from mlee_sb.training import inputs as inputs_module
from mlee_sb.training import out_of_fold
from mlee_sb.training.brains import EmotionBrain
from mlee_sb.training.inputs import stage_inputs
from mlee_sb.training.out_of_fold import InnerModels
from mlee_sb.training.run import run
from mlee_sb.training.stage import make_stage, plan

from .conftest import EMOTIONS, VOTES, prepared

PACKAGE = "author_with_a_fixed_part"
CODE = """
import torch
from torch import nn
from mlee_sb.models.encoders.base import Encoder

class Projected(Encoder):
    sample_rate, min_samples, embedding_size, settings = 16000, 400, 4, {}
    def __init__(self):
        super().__init__()
        self.frozen = nn.Parameter(torch.linspace(-1, 1, 1200).view(400, 3), requires_grad=False)
        self.register_buffer("heard", torch.zeros(()))
        self.dense = nn.Linear(3, 4)
    def fixed(self, waveforms, n_samples):
        return waveforms.unfold(-1, 400, 400) @ self.frozen, n_samples // 400
    def fit_statistics(self, batches):
        self.heard.fill_(sum(len(values) for values, _ in batches))
    def learned(self, fixed, lengths):
        valid = (torch.arange(fixed.shape[1]) < lengths.unsqueeze(1)).unsqueeze(-1)
        return self.dense((fixed.abs() * valid).sum(1) / lengths.unsqueeze(1))
    def parameter_groups(self):
        return {"lr": list(self.dense.parameters())}
"""
ENCODER = {"encoder": f"!new:{PACKAGE}.Projected {{}}"}
SPEAKERS = "abcdef"  # fold 1 tests a, validates on b, trains on c to f
GROUPS = [["c", "f"], ["d"], ["e"]]
SMALL = {"max_epochs": 3, "batch_size": 4, "speeds": [0.9, 1.0], "lr": 0.05}
CALIBRATED = {"calibration": CROSS, "calibration_groups": 3}


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory):
    """The plug-in, where Python finds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(write_package(tmp_path_factory.mktemp("package"), PACKAGE, CODE, encoders={"projected": "Projected"}))
        yield


@pytest.fixture(scope="module")
def hparams(tmp_path_factory):
    """The hparams with the small encoder in the place of the paper's."""
    folder = shutil.copytree("hparams", tmp_path_factory.mktemp("hparams") / "hparams")
    (folder / "encoders/paper.yaml").write_text(f"encoder: !new:{PACKAGE}.Projected {{}}\n")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("corpus"), dict.fromkeys(SPEAKERS, VOTES))


def stage_of(row, hparams, data, results, **overrides):
    overrides = {"emotions": EMOTIONS, "fold": 1, **SMALL, **CALIBRATED, **overrides}
    if row == "mlee_fusion":
        overrides["requires"] = {"mlee": SMALL, "dominant": SMALL}
    return make_stage(hparams / f"{row}.yaml", overrides, data, results)


def trained(stage, say=lambda line: None):
    run(stage, "cpu", score_folder, say=say)
    return stage


@pytest.fixture(scope="module")
def fusion(hparams, data, tmp_path_factory):
    """A fusion whose stages are all calibrated across."""
    return trained(stage_of("mlee_fusion", hparams, data, tmp_path_factory.mktemp("results")))


def inner_files(stage):
    return sorted(stage.files.inner.glob("*"))


def test_speakers_are_dealt_into_groups_and_each_is_left_out_once(fusion):
    for stage in plan(fusion):
        inputs = stage_inputs(stage)
        assert [group.speakers for group in inputs.groups] == GROUPS
        for group in inputs.groups:
            assert set(inputs.train["speaker"][group.rest]) == set("cdef") - set(group.speakers)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_calibration_is_fitted_on_what_inner_models_say_of_speakers_that_they_did_not_hear(fusion, number):
    stage = plan(fusion)[number]
    inputs, bundle = stage_inputs(stage), load_bundle(stage.model_folder)
    inner = InnerModels(stage, stage.files.read_summary().epochs, "cpu", print)
    found = bundle.model.calibration
    assert (found.method, found.n_speakers, found.n_utterances) == (CROSS, 5, 20)
    noted = pd.read_csv(stage.files.used("calibration"))["ID"].tolist()
    assert noted == [*inputs.train_split["ID"], *inputs.valid_split["ID"]]
    rows = pd.concat([inputs.train_split, inputs.valid_split])
    logits = torch.cat([inner.out_of_fold(), own_logits(bundle.model, stage, inputs.valid_split)]).numpy()
    dominant = [EMOTIONS.index(code) if code in EMOTIONS else -1 for code in rows["dominant"]]
    exists = rows[[f"exist_{emotion}" for emotion in EMOTIONS]].to_numpy() if stage.target.output.knows_existence else None
    expected = fit(logits, dominant, rows["speaker"].tolist(), exists, CROSS)
    assert found.temperature == pytest.approx(expected.temperature, rel=1e-3)
    assert found.thresholds == pytest.approx(expected.thresholds, abs=1e-4)


def test_what_each_inner_model_was_trained_on_and_judged_is_noted(fusion):
    for stage in plan(fusion):
        noted = pd.read_csv(stage.files.used_by_inner, dtype=str)
        assert not noted.duplicated().any()
        by_use = {key: set(rows["ID"]) for key, rows in noted.groupby(["group", "use"])}
        inputs = stage_inputs(stage)
        for number, group in enumerate(GROUPS, start=1):
            out = inputs.train_split["speaker"].isin(group)
            heard, judged = by_use.pop((str(number), "training")), by_use.pop((str(number), "calibration"))
            assert judged == set(inputs.train_split["ID"][out]) and heard <= set(inputs.train_split["ID"][~out])
            assert heard >= set(inputs.train["ID"][~inputs.train["speaker"].isin(group)])
        assert not by_use
    checked = check_protocol(fusion.files.path.parents[4], load_corpus, [fusion.data.manifests])
    assert not checked.leaks and not [finding for finding in checked.of(UNCHECKED) if finding.kind == "use"]


def test_the_note_tells_what_was_really_used_also_of_an_inner_encoder_and_of_an_earlier_run(hparams, data, tmp_path, monkeypatch):
    fusion, groups = stage_of("mlee_fusion", hparams, data, tmp_path), inputs_module._groups
    mlee = plan(fusion)[0]

    def leaking(stage, *rest):
        for number, group in enumerate(groups(stage, *rest)):
            yield replace(group, rest=group.rest | True) if (stage.row, number) == (mlee.row, 1) else group

    with monkeypatch.context() as patch:
        patch.setattr(inputs_module, "_groups", leaking)
        trained(mlee)
    trained(fusion)
    for stage in plan(fusion):
        noted = pd.read_csv(stage.files.used_by_inner, dtype=str)
        heard = noted[(noted["group"] == "2") & (noted["use"] == "training")]["ID"]
        assert any(id_.startswith("d") for id_ in heard) == (stage.row != plan(fusion)[1].row), "dominant hears none of it"
    leaks = check_protocol(tmp_path, load_corpus, [data.manifests]).leaks
    said = [(leak.where, leak.values) for leak in leaks if leak.what == "speakers that inner model 2 was trained on, and judged"]
    assert said == [(str(stage.files.used_by_inner), ("d",)) for stage in (mlee, fusion)]


@torch.no_grad()
def own_logits(model, stage, frame):
    waveforms = [load_waveform(stage.data.data_folder / wav, 16000) for wav in frame["wav"]]
    return torch.cat([model.logits(waveform.unsqueeze(0), torch.tensor([len(waveform)]))[0] for waveform in waveforms])


def test_no_inner_model_learns_from_a_speaker_that_it_judges(hparams, data, tmp_path, monkeypatch):
    heard, judged = [], []
    fit_, predict = EmotionBrain.fit, EmotionBrain.predict

    def speakers(loader):
        part = loader.dataset
        ids = part.whole.ids if isinstance(part, out_of_fold.Part) else part.ids
        items = part.numbers if isinstance(part, out_of_fold.Part) else range(len(part))
        return {ids[item % len(ids)][0] for item in items}

    fits = lambda brain, epochs, loader, *rest, **flags: heard.append(speakers(loader)) or fit_(brain, epochs, loader, *rest, **flags)  # noqa: E731
    monkeypatch.setattr(EmotionBrain, "fit", fits)
    monkeypatch.setattr(EmotionBrain, "predict", lambda brain, loader: judged.append(speakers(loader)) or predict(brain, loader))
    trained(stage_of("mlee_fusion", hparams, data, tmp_path))
    for stage in range(3):  # of each stage, the stage itself comes first: it judges validation and test
        own, *inner = heard[4 * stage : 4 * stage + 4]
        validation, test, *left_out = judged[5 * stage : 5 * stage + 5]
        assert own == set("cdef") and (validation, test) == ({"b"}, {"a"})
        assert left_out == [set(group) for group in GROUPS]
        assert all(of_inner == set("cdef") - out for of_inner, out in zip(inner, left_out, strict=True))
    assert len(heard) == 12 and len(judged) == 15


def test_an_inner_model_hears_its_own_speakers_in_the_order_of_a_curriculum(hparams, data, tmp_path, monkeypatch):
    heard = []

    def fit_(brain, epochs, loader, progressbar):
        loader.sampler.set_epoch(1)
        items = [loader.dataset.numbers[item] for batch in loader.sampler for item in batch]
        heard.append({loader.dataset.whole.ids[item % len(loader.dataset.whole.ids)] for item in items})

    monkeypatch.setattr(EmotionBrain, "fit", fit_)
    stage = stage_of("curriculum", hparams, data, tmp_path, curriculum_bins=2, curriculum_epochs=1)
    InnerModels(stage, 2, "cpu", lambda line: None).train_missing()
    agreed, split = ({f"{speaker}{number}" for speaker in "cdef" for number in numbers} for numbers in ((0, 1), (2, 3)))
    assert len(heard) == len(GROUPS)
    for group, of_first_epoch in zip(GROUPS, heard, strict=True):
        rest = {id_ for id_ in agreed if id_[0] not in group}
        assert rest < of_first_epoch < rest | split and not {id_[0] for id_ in of_first_epoch} & set(group)


def test_inner_statistics_and_class_weights_are_those_of_the_speakers_that_were_heard(hparams, data, tmp_path, monkeypatch):
    weights, make_brain = [], out_of_fold.make_brain
    monkeypatch.setattr(out_of_fold, "make_brain", lambda *args, **of: weights.append(args[4]) or make_brain(*args, **of))
    uneven = prepared(tmp_path / "uneven", {s: VOTES[: len(VOTES) - "cdef".find(s)] if s in "cdef" else VOTES for s in SPEAKERS})
    stage = trained(stage_of("dominant", hparams, uneven, tmp_path / "results", target="hard"))
    inputs = stage_inputs(stage)
    for number, group in enumerate(GROUPS):
        rest = inputs.train[~inputs.train["speaker"].isin(group)]
        counts = np.array([(rest["dominant"] == emotion).sum() for emotion in EMOTIONS])
        torch.testing.assert_close(weights[2 * number], torch.tensor(len(rest) / (2 * counts), dtype=torch.float32))
        with safe_open(stage.files.inner_model(number), framework="pt") as file:
            assert file.get_tensor("encoder.heard") == 2 * len(rest)  # speeds


def test_the_numbers_of_the_stage_itself_do_not_change_by_a_bit(fusion, hparams, data, tmp_path):
    plain = trained(stage_of("mlee_fusion", hparams, data, tmp_path, calibration="validation"))
    for one, other in zip(plan(plain), plan(fusion), strict=True):
        assert one.files.predictions.read_bytes() == other.files.predictions.read_bytes()
        assert one.files.read_summary().losses == other.files.read_summary().losses
        assert one.files.weights == other.files.weights
        assert load_bundle(one.model_folder).model.calibration.method == "validation" and not inner_files(one)


def test_inner_models_differ_from_the_stage_and_from_one_another_and_are_small(fusion):
    mlee = plan(fusion)[0]
    biases = [load_bundle(mlee.model_folder).model.encoder.dense.bias]
    for file in inner_files(mlee):
        with safe_open(file, framework="pt") as opened:
            assert "encoder.frozen" not in opened.keys()  # noqa: SIM118, it is no dictionary
            biases.append(opened.get_tensor("encoder.dense.bias"))
    assert len(biases) == 4
    assert not any(torch.equal(one, other) for i, one in enumerate(biases) for other in biases[:i])


def inner_trainings(said):
    return [line for line in said if line.startswith("  calibration ")]


def contents(stage):
    return {file.name: file.read_bytes() for file in inner_files(stage)}


def test_a_killed_run_makes_only_what_is_missing_and_the_same(fusion, hparams, data, tmp_path, monkeypatch):
    stage, write, said = stage_of("mlee", hparams, data, tmp_path), out_of_fold._write, []

    def killed(path, *rest):
        if path == stage.files.inner_model(1):
            raise KeyboardInterrupt
        write(path, *rest)

    monkeypatch.setattr(out_of_fold, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(stage)
    assert [file.name for file in inner_files(stage)] == ["group1.safetensors"] and not stage.finished
    monkeypatch.undo()
    trained(stage, said.append)
    assert [line.split(":")[0].strip() for line in inner_trainings(said)] == ["calibration 2/3", "calibration 3/3"]
    whole = plan(fusion)[0]
    assert contents(stage) == contents(whole)
    assert load_bundle(stage.model_folder).model.calibration == load_bundle(whole.model_folder).model.calibration


def test_a_head_makes_missing_or_damaged_inner_models_of_its_required_stages_again(hparams, data, tmp_path):
    fusion = stage_of("mlee_fusion", hparams, data, tmp_path)
    mlee, dominant, _ = plan(fusion)
    trained(mlee)
    trained(dominant)
    before = contents(mlee), contents(dominant)
    mlee.files.inner_model(2).unlink()
    dominant.files.inner_model(0).write_bytes(b"damaged")
    said = []
    trained(fusion, said.append)
    assert (contents(mlee), contents(dominant)) == before
    assert len(inner_trainings(said)) == 2 + 3


def test_a_stage_that_is_trained_anew_has_inner_models_anew(hparams, data, tmp_path):
    stage = trained(stage_of("mlee", hparams, data, tmp_path))
    before = contents(stage)
    for checkpoint in stage.files.checkpoints:
        shutil.rmtree(checkpoint)
    stage.files.summary.unlink()
    said = []
    trained(stage, said.append)
    assert len(inner_trainings(said)) == 3 and contents(stage) == before


def test_an_inner_model_begins_with_first_weights_and_not_with_those_of_a_model_that_heard_its_speakers(hparams, data, tmp_path):
    stage = trained(stage_of("mlee", hparams, data, tmp_path))
    before = contents(stage)
    stage.files.inner_model(2).unlink()
    InnerModels(stage, stage.files.read_summary().epochs, "cpu", lambda line: None).use(2)  # no other was used before it
    assert contents(stage) == before


def test_inner_models_of_other_epochs_are_not_taken(hparams, data, tmp_path):
    stage = trained(stage_of("mlee", hparams, data, tmp_path))
    said = []
    InnerModels(stage, 7, "cpu", said.append).train_missing()
    InnerModels(stage, 7, "cpu", said.append).train_missing()
    assert len(said) == 3


def test_the_papers_encoder_is_calibrated_across_from_waveforms(data, tmp_path):
    small = {"max_epochs": 1, "batch_size": 8, "speeds": [1.0], "calibration": CROSS, "calibration_groups": 2}
    stage = trained(make_stage(Path("hparams/mlee_pretrain.yaml"), {**small, "requires": {"mlee": {**small}}, "fold": 1}, data, tmp_path))
    assert load_bundle(stage.model_folder).model.calibration.method == CROSS
    assert len(inner_files(stage)) == len(inner_files(stage.requires["mlee"])) == 2


# Settings


def test_a_required_stage_has_the_calibration_of_the_stage_that_requires_it(hparams, data, tmp_path):
    stages = plan(stage_of("mlee_fusion", hparams, data, tmp_path))
    assert {(stage.settings["calibration"], stage.settings["calibration_groups"]) for stage in stages} == {(CROSS, 3)}


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"calibration": "validation"}, "calibration is 'validation', and 'cross' .* take calibration out of requires"),
        ({"fold": 2}, "fold is 2, and 1"),
    ],
)
def test_a_required_stage_without_inner_models_for_the_same_groups_is_refused(hparams, data, tmp_path, own, message):
    overrides = {"emotions": EMOTIONS, "fold": 1, **CALIBRATED, "requires": {"mlee": own}}
    with pytest.raises(InputError, match=f"requires mlee: {message}"):
        make_stage(hparams / "mlee_fusion.yaml", overrides, data, tmp_path)
    make_stage(hparams / "mlee_fusion.yaml", {**overrides, "calibration": "validation"}, data, tmp_path)


def test_groups_make_another_stage_only_where_they_are_used(hparams, data, tmp_path):
    def key(**settings):
        return stage_of("mlee", hparams, data, tmp_path, **settings).key

    assert key(calibration_groups=2) != key()
    assert key(calibration="validation", calibration_groups=2) == key(calibration="validation") != key()
    assert "calibration" not in stage_of("mlee", hparams, data, tmp_path, calibration="validation", calibration_groups=2).variant


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        ({"c": VOTES}, "one training speaker cannot be dealt into groups: give --calibration validation"),
        (
            {"c": VOTES, "d": VOTES[:1] * 2},
            "without its speakers c: no training example without 'neu'.* more --calibration_groups, or --calibration valid",
        ),
    ],
)
def test_what_cannot_be_left_out_is_told_before_training(hparams, tmp_path, votes, message):
    data = prepared(tmp_path, {"a": VOTES, "b": VOTES, **votes})
    stage = stage_of("mlee", hparams, data, tmp_path / "results")
    with pytest.raises(InputError, match=message):
        trained(stage)
    assert not stage.files.begun
    trained(stage_of("mlee", hparams, data, tmp_path / "results", calibration="validation"))
