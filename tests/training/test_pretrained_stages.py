"""Stages on a pretrained encoder: how it is chosen, where results lie, what makes two stages the same, and what learns."""

import shutil

import pytest
import torch
from safetensors import safe_open
from upstreams import write_upstream

from mlee_sb.errors import InputError
from mlee_sb.evaluation.scores import score_folder
from mlee_sb.experiment.arguments import chosen_encoders
from mlee_sb.inference.source import find, load_at
from mlee_sb.models.bundle import load_bundle
from mlee_sb.models.upstreams import find as finding
from mlee_sb.models.upstreams.base import Network
from mlee_sb.models.upstreams.networks import read_network
from mlee_sb.noted_upstreams import note_upstream, pinned_commit, upstream_folders
from mlee_sb.stage_folder import UPSTREAM
from mlee_sb.training import train_stage as train_stage_module
from mlee_sb.training.run import check_stages, run
from mlee_sb.training.settings import overridable, read_settings
from mlee_sb.training.stage import plan

MLEE, FUSION = "hparams/mlee.yaml", "hparams/mlee_fusion.yaml"
QUICK = {"max_epochs": 2}


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    return write_upstream(tmp_path_factory.mktemp("upstreams") / "small_whisper", "whisper")


@pytest.fixture
def on_upstream(stage, data, whisper):
    """`on_upstream("mlee", lr=0.1)` is a stage on a small Whisper with random weights."""
    on = data()
    return lambda row, upstream=whisper, **overrides: stage(row, on, encoder="pretrained", upstream=str(upstream), **overrides)


def trained(stage):
    run(stage, "cpu", score_folder, say=lambda line: None)
    return stage


# Choosing


def test_settings_of_the_encoder_replace_those_of_the_row_and_what_is_given_replaces_both():
    row, chosen = read_settings(MLEE), read_settings(MLEE, {"encoder": "pretrained", "upstream": "x", "dropout": 0.25, "max_epochs": 3})
    assert row["lr"] == 2e-4 and row["batch_size"] == 16 and "upstream" not in row
    assert chosen["lr"] == 1e-3 and chosen["batch_size"] == 64 and chosen["calibration"] == "cross"
    assert (chosen["encoder"]["upstream"], chosen["encoder"]["dropout"], chosen["max_epochs"]) == ("x", 0.25, 3)
    assert chosen["row"] == "mlee" and chosen["target"] == "existence"
    assert read_settings(MLEE, {"encoder": "pretrained", "upstream": "x", "lr": 0.5})["lr"] == 0.5


def test_the_paper_is_the_encoder_where_none_is_chosen():
    assert read_settings(MLEE) == read_settings(MLEE, {"encoder": "paper"})


def test_a_row_that_requires_others_passes_the_encoder_on_and_keeps_its_own_rate():
    fusion = read_settings(FUSION, {"encoder": "pretrained", "upstream": "x", "requires": {"mlee": {"encoder": "paper"}}})
    assert fusion["requires"]["mlee"]["encoder"] == "paper" and fusion["requires"]["dominant"]["encoder"] == "pretrained"
    assert fusion["requires"]["dominant"]["upstream"] == "x" and fusion["lr"] == 5e-5
    assert fusion["speeds"] == [1.0] and fusion["calibration"] == "cross", "a head hears what its encoders hear"


@pytest.mark.parametrize(
    "overrides, error",
    [
        ({"encoder": "pretraned"}, "encoder 'pretraned': did you mean 'pretrained'"),
        ({"upstream": "x"}, "setting of mlee.yaml 'upstream'"),
        ({"encoder": "paper", "upstream": "x"}, "setting of mlee.yaml 'upstream'"),
    ],
)
def test_a_wrong_choice_is_refused(overrides, error):
    with pytest.raises(InputError, match=error):
        read_settings(MLEE, overrides)


def test_flags_are_those_of_the_chosen_encoder():
    assert "upstream" not in overridable(FUSION) and "encoder" in overridable(FUSION)
    both = overridable(FUSION, {"encoder": "pretrained"})
    assert {"upstream", "learn_layers", "mlee.lr_upstream", "dominant.upstream"} <= both.keys() and both["mlee.lr"][0] == 1e-3
    one = overridable(FUSION, chosen_encoders(["--mlee.encoder", "pretrained"]))
    assert "mlee.upstream" in one and "dominant.upstream" not in one and "upstream" not in one


@pytest.mark.parametrize(
    "overrides, error",
    [
        ({"pooling": "mean"}, "pooling 'mean'"),
        ({"context": "half"}, "context 'half'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"attention_size": 0}, "attention_size is 0, and must be a whole number, 1 or more"),
        ({"dense_size": -1}, "dense_size is -1"),
        ({"layers": ["a"]}, r"layers is \['a'\], and must be different whole numbers"),
        ({"layers": [1, 1]}, r"layers is \[1, 1\]"),
        ({"layers": [0, 9]}, "layers: 9: the upstream has hidden states 0 to 3"),
        ({"learn_layers": 4}, "learn_layers is 4, and must be 0 to 3"),
        ({"lr_upstream": 0.0}, "lr_upstream is 0.0"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_is_trained(on_upstream, overrides, error):
    with pytest.raises(InputError, match=error):
        check_stages(plan(on_upstream("mlee", **overrides)))


def test_an_upstream_must_be_named_and_be_there(stage, tmp_path):
    with pytest.raises(InputError, match="mlee.yaml: upstream is not given: name a pretrained network: for example --upstream"):
        stage("mlee", encoder="pretrained")
    with pytest.raises(InputError, match="mlee.yaml: upstream is 3: name a pretrained network"):
        stage("mlee", encoder="pretrained", upstream=3)
    with pytest.raises(InputError, match="upstream nowhere: no such folder, and no name of a model on the hub"):
        stage("mlee", encoder="pretrained", upstream="nowhere")
    with pytest.raises(InputError, match="config.json: missing"):
        stage("mlee", encoder="pretrained", upstream=str(tmp_path))


# Places and identities


def test_folders_name_the_encoder_once(on_upstream):
    fusion = on_upstream("mlee_fusion", dropout=0.25)
    assert fusion.row == "mlee_fusion_soft@dropout=0.25,encoder=pretrained,upstream=small_whisper"
    assert [part.row for part in fusion.requires.values()] == [
        "mlee@dropout=0.25,encoder=pretrained,upstream=small_whisper",
        "dominant_soft@dropout=0.25,encoder=pretrained,upstream=small_whisper",
    ]
    mixed = on_upstream("mlee_fusion", requires={"mlee": {"encoder": "paper"}})
    assert mixed.requires["mlee"].row == "mlee@calibration=cross" and "upstream=small_whisper" in mixed.row and mixed.row != fusion.row


def test_the_weights_make_a_stage_and_not_where_they_lie(on_upstream, whisper, tmp_path, monkeypatch):
    here = on_upstream("mlee_fusion")
    moved = shutil.copytree(whisper, tmp_path / "elsewhere" / whisper.name)
    assert on_upstream("mlee_fusion", moved).key == here.key
    monkeypatch.setattr(finding, "_FOUND", {})
    processor = moved / "preprocessor_config.json"
    processor.write_text(processor.read_text().replace('"chunk_length": 2', '"chunk_length": 2, "hop_length": 80'))
    assert on_upstream("mlee_fusion", moved).key != here.key, "other features are other values"
    monkeypatch.setattr(finding, "_FOUND", {})
    other = write_upstream(tmp_path / "other" / whisper.name, "whisper", d_model=24)
    assert on_upstream("mlee", other).key != on_upstream("mlee").key
    assert on_upstream("mlee", other).folder == on_upstream("mlee").folder, "the second one is refused in this folder"


def test_settings_that_change_nothing_make_no_other_stage(on_upstream):
    plain = on_upstream("mlee")
    assert on_upstream("mlee", lr_upstream=0.5).key == plain.key and on_upstream("mlee", masks=9).key == plain.key
    assert on_upstream("mlee", lr_upstream=0.5, learn_layers=1).key != on_upstream("mlee", learn_layers=1).key
    assert on_upstream("mlee", lr_upstream=0.5).folder == plain.folder


# Training


@pytest.fixture
def count(monkeypatch):
    """The number of utterances that networks compute."""
    found, forward = [], Network.forward

    def counted(self, waveforms, n_samples, layers):
        found.extend(n_samples.tolist())
        return forward(self, waveforms, n_samples, layers)

    monkeypatch.setattr(Network, "forward", counted)
    return found


def utterances(count) -> list[int]:
    """The lengths of the utterances that were computed. The test tone, and what the size of values is told from, have a second or more."""
    return sorted(n for n in count if n < 16000)


def test_a_fusion_computes_each_utterance_once_and_holds_no_weight_of_the_upstream(on_upstream, count, whisper, monkeypatch):
    fusion = trained(on_upstream("mlee_fusion", **QUICK, requires={"mlee": QUICK, "dominant": QUICK}))
    assert len(utterances(count)) == len(fusion.data.recordings)
    for part in plan(fusion):
        assert part.scored
        for file in (*part.files.model.glob("*.safetensors"), *part.files.inner.glob("*.safetensors")):
            with safe_open(file, "pt") as weights:
                assert not [name for name in weights.keys() if "upstream" in name or "model.layers" in name]  # noqa: SIM118
    model = load_at(find(fusion.folder)).model
    first, second = model.encoders
    assert first.upstream is second.upstream, "a fusion on one upstream holds it once"
    assert len(list((fusion.folder.parents[3] / UPSTREAM).glob("*/*.safetensors"))) >= 1
    config = load_at(find(fusion.folder)).config
    assert len(config.upstreams) == 1 and config.upstreams[0].weights.name == whisper.name
    assert str(whisper) not in (fusion.files.model / "config.json").read_text()

    monkeypatch.setattr("mlee_sb.noted_upstreams.NOTES", "gone")
    with pytest.raises(InputError, match="in no folder that is known here: set MLEE_UPSTREAMS"):
        load_at(find(fusion.folder))
    monkeypatch.setenv("MLEE_UPSTREAMS", str(whisper.parent))
    assert load_at(find(fusion.folder)).golden_difference < 1e-6


def test_other_rows_folds_seeds_and_settings_of_what_learns_compute_nothing_again(on_upstream, count):
    trained(on_upstream("mlee", **QUICK))
    before = utterances(count)
    trained(on_upstream("mlee", **QUICK, seed=2, dropout=0.1, dense_size=8))
    trained(on_upstream("dominant", **QUICK, fold=2))
    assert utterances(count) == before
    trained(on_upstream("mlee", **QUICK, layers=[1, 2]))
    assert len(utterances(count)) == 2 * len(before), "other hidden states are other values"


def test_a_folder_that_moved_is_found_where_the_person_says_it_lies_now(on_upstream, whisper, tmp_path, monkeypatch):
    first, second = (tmp_path / place / "w" for place in ("first", "second"))
    shutil.copytree(whisper, first)
    stage = trained(on_upstream("mlee", first, **QUICK))
    first.parent.rename(second.parent)
    monkeypatch.setattr(finding, "_FOUND", {})
    with pytest.raises(InputError, match="set MLEE_UPSTREAMS"):
        load_at(find(stage.folder))
    assert trained(on_upstream("mlee", second, **QUICK)).folder == stage.folder
    assert load_at(find(stage.folder)).golden_difference < 1e-6


def test_notes_of_several_names_of_one_network_stand_side_by_side(tmp_path):
    for name, commit, folder in (("me/w", "a" * 40, "cache"), ("w", None, "here"), ("me/w", "b" * 40, "cache2")):
        note_upstream(tmp_path, "5" * 64, name, commit, tmp_path / folder)
    assert pinned_commit(tmp_path, "me/w") in ("a" * 40, "b" * 40) and pinned_commit(tmp_path, "w") is None
    stage = tmp_path / "row/all/seed1/fold1"
    assert {path.name for path in upstream_folders(stage)} == {"cache", "here", "cache2"} and upstream_folders(tmp_path.parents[-1]) == []


def test_the_paper_and_a_pretrained_encoder_stand_side_by_side(on_upstream):
    quick = {**QUICK, "speeds": [1.0]}
    mixed = {"mlee": {**quick, "encoder": "paper", "calibration": "validation"}, "dominant": {**quick, "calibration": "validation"}}
    fusion = trained(on_upstream("mlee_fusion", **quick, calibration="validation", requires=mixed))
    model = load_at(find(fusion.folder)).model
    assert [type(encoder).__name__ for encoder in model.encoders] == ["PaperEncoder", "PretrainedEncoder"]


def test_layers_that_learn_are_saved_and_resumed_and_the_others_stay(on_upstream, whisper, monkeypatch, tmp_path):
    tuned = {"learn_layers": 1, "lr_upstream": 0.01, "max_epochs": 3, "patience": 3, "calibration": "validation"}
    stage = on_upstream("mlee", **tuned)

    def stop(*arguments, **keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # killed after its second epoch
        saved, save = [], train_stage_module.AtomicCheckpointer.save_epoch

        def save_twice(self, *arguments, **keywords):
            save(self, *arguments, **keywords)
            saved.append(self)
            if len(saved) == 2:
                stop()

        patch.setattr(train_stage_module.AtomicCheckpointer, "save_epoch", save_twice)
        with pytest.raises(KeyboardInterrupt):
            trained(stage)
    assert not stage.finished
    trained(stage)
    assert not list((stage.folder.parents[3] / UPSTREAM).glob("*/*.safetensors")), "nothing is kept"
    unbroken = on_upstream("mlee", **tuned, seed=1)
    shutil.move(stage.folder, tmp_path / "resumed")
    trained(unbroken)
    for file in ("predictions.csv", "model/model.safetensors"):
        assert (tmp_path / "resumed" / file).read_bytes() == (unbroken.folder / file).read_bytes()

    (encoder,) = load_bundle(unbroken.model_folder, places=[whisper]).model.encoders
    fresh = finding.find_upstream(str(whisper))
    there = dict(read_network(fresh.folder).named_parameters())
    changed = {name for name, now in encoder.upstream.network.named_parameters() if not torch.equal(now, there[name])}
    of_top = {name for name in there if name.startswith(("model.layers.2.", "model.layer_norm."))}
    assert changed and changed <= of_top
    assert all(parameter.requires_grad == (name in of_top) for name, parameter in encoder.upstream.network.named_parameters())


def test_attention_pools_frames(on_upstream):
    stage = trained(on_upstream("mlee", **QUICK, pooling="attention"))
    model = load_at(find(stage.folder)).model
    weights, times = model.encoders[0].attention(torch.randn(16000))
    assert float(weights.sum()) == pytest.approx(1, abs=1e-5) and times.shape == weights.shape == (50,)
    assert float(times[0]) == pytest.approx(0.01) and float(times[-1]) == pytest.approx(0.99)


@pytest.mark.parametrize("content", ["", '{"x": 3}'])
def test_a_damaged_note_blocks_no_model_and_is_refused_where_it_would_pin_a_commit(tmp_path, content):
    note_upstream(tmp_path, "a" * 64, "me/one", "1" * 40, tmp_path / "here")
    (notes,) = (tmp_path / UPSTREAM).iterdir()
    (notes / "cut.json").write_text(content)
    assert upstream_folders(tmp_path / "mlee/all/seed1/fold1") == [tmp_path / "here"]
    with pytest.raises(InputError, match=r"cut\.json"):
        pinned_commit(tmp_path, "me/other")
