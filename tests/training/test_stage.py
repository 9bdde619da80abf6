"""What makes two stages the same, and what a stage needs first."""

import json
import shutil
import zipfile
from dataclasses import replace

import pytest

from mlee_sb.errors import InputError
from mlee_sb.training import source_code
from mlee_sb.training.build import built
from mlee_sb.training.stage import make_stage, plan
from mlee_sb.whole_stage import note_files

from .conftest import finished


def test_a_fusion_needs_the_existence_model_and_then_the_dominant_model(stage):
    assert [part.settings["row"] for part in plan(stage("mlee_fusion"))] == ["mlee", "dominant_soft", "mlee_fusion_soft"]


def test_required_stages_share_what_they_must_share(stage):
    parts = plan(stage("mlee_fusion", seed=5, train_set="dominant", precision="bf16"))
    assert {(p.settings["seed"], p.settings["train_set"], p.settings["precision"]) for p in parts} == {(5, "dominant", "bf16")}


def test_the_hard_dominant_model_is_one_stage_for_both_train_sets(stage):
    both = [plan(stage("mlee_fusion", target="hard", train_set=train_set)) for train_set in ("dominant", "all")]
    (of_dominant,), (of_all,) = [[p for p in parts if p.settings["row"] == "dominant_hard"] for parts in both]
    assert of_dominant.folder == of_all.folder and of_dominant.key == of_all.key
    assert both[0][-1].folder != both[1][-1].folder and both[0][0].key != both[1][0].key


def test_a_stage_lies_where_the_design_says(stage, tmp_path):
    assert stage("mlee_fusion", seed=2).folder == tmp_path / "results/release/mlee_fusion_soft/all/seed2/fold1"


def test_the_pretrained_row_and_the_fusion_build_on_the_same_existence_model(stage):
    assert plan(stage("mlee_pretrain"))[0].key == plan(stage("mlee_fusion"))[0].key


@pytest.mark.parametrize(
    "change",
    [
        {"lr": 0.1},
        {"seed": 2},
        {"alpha": 0.5},
        {"speeds": [1.0]},
        {"loss_mean": "weighted"},
        {"class_frequency": "dominant"},
        {"level_db": -25},
        {"embedding_dropout": 0.3},
        {"curriculum_bins": 2},
        {"requires": {"mlee": {"lr": 0.1}}},
    ],
)
def test_what_changes_the_result_changes_the_stage(stage, change):
    assert stage("mlee_fusion", **change).key != stage("mlee_fusion").key


def test_a_level_is_that_of_the_encoders_too(stage):
    fusion = stage("mlee_fusion", level_db=-25.0)
    assert {part.settings["level_db"] for part in plan(fusion)} == {-25.0}
    assert fusion.row == "mlee_fusion_soft@level_db=-25.0"


def test_rows_of_one_seed_draw_from_other_random_numbers_and_a_row_from_its_own(stage):
    rows = [stage("mlee"), stage("dominant"), stage("dominant", target="hard"), stage("mlee_fusion"), stage("mlee", seed=2)]
    assert len({part.random_seed for part in rows}) == len(rows)
    assert stage("mlee").random_seed == stage("mlee_fusion").requires["mlee"].random_seed


def test_what_changes_no_result_leaves_the_stage(stage):
    assert stage("mlee_fusion", num_workers=2).key == stage("mlee_fusion").key
    assert stage("dominant", target="hard", alpha=0.5).key == stage("dominant", target="hard").key
    assert stage("dominant", target="hard", class_frequency="dominant").key == stage("dominant", target="hard").key


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"fold": 5}, "unknown fold '5'"),
        ({"emotions": ["hap", "neu"]}, "hap neu: the manifests in .*manifests were prepared for neu hap: leave it out"),
        ({"min_votes": 2}, "--min_votes 2: the manifests in .*manifests were prepared with 1: leave it out"),
    ],
)
def test_what_is_not_in_the_manifests_is_refused(stage, wrong, message):
    with pytest.raises(InputError, match=message):
        stage("mlee", **wrong)


def plug_in(folder, monkeypatch, name):
    """An encoder in a package of another author, of two files."""
    package = folder / name
    package.mkdir()
    (package / "__init__.py").write_text("from .layers import Mean\n")
    (package / "layers.py").write_text("class Mean:\n    def __init__(self, size=1):\n        self.size = size\n")
    monkeypatch.syspath_prepend(str(folder))
    return package


def hparams_with(folder, module):
    """A copy of hparams/ in which MLEE has another encoder than the paper's."""
    copied = shutil.copytree("hparams", folder / f"hparams_{module}")
    with (copied / "mlee.yaml").open("a") as file:
        file.write(f"encoder: !new:{module}.Mean\n    size: 2\n")
    return copied


def forget_hashes():
    """Another process would look at the files again."""
    source_code._plug_in_hash.cache_clear()
    source_code._our_hash.cache_clear()


@pytest.mark.parametrize("file", ["layers.py", "__init__.py"])
def test_a_plug_in_whose_source_changed_is_another_stage(data, tmp_path, monkeypatch, file):
    name = f"mean_{file.removesuffix('.py').strip('_')}"
    package, on, hparams = plug_in(tmp_path, monkeypatch, name), data(), hparams_with(tmp_path, name)
    overrides = {"emotions": ["neu", "hap"]}
    before = make_stage(hparams / "mlee_fusion.yaml", overrides, on, tmp_path / "results").key
    assert make_stage(hparams / "mlee_fusion.yaml", overrides, on, tmp_path / "results").key == before
    (package / file).write_text((package / file).read_text() + "# changed\n")
    forget_hashes()
    assert make_stage(hparams / "mlee_fusion.yaml", overrides, on, tmp_path / "results").key != before


def test_of_a_plug_in_of_one_file_what_it_imports_from_its_folder_counts_too(data, tmp_path, monkeypatch):
    folder = tmp_path / "authors"
    folder.mkdir()
    (folder / "mean_alone.py").write_text("import torch, mean_helper\nclass Mean:\n    def __init__(self, size=1):\n        pass\n")
    (folder / "mean_helper.py").write_text("SCALE = 1\n")
    (folder / "not_imported.py").write_text("")
    monkeypatch.syspath_prepend(str(folder))
    on, hparams = data(), hparams_with(tmp_path, "mean_alone")
    keys = []
    for file, text in (("not_imported.py", "# changed\n"), ("mean_helper.py", "SCALE = 2\n")):
        keys.append(make_stage(hparams / "mlee.yaml", {"emotions": ["neu", "hap"]}, on, tmp_path / "results").key)
        (folder / file).write_text(text)
        forget_hashes()
    keys.append(make_stage(hparams / "mlee.yaml", {"emotions": ["neu", "hap"]}, on, tmp_path / "results").key)
    assert keys[0] == keys[1] != keys[2]


def zipped(folder, name, text):
    """A module of one file in an archive that Python imports from."""
    with zipfile.ZipFile(folder / "authors.zip", "w") as archive:
        archive.writestr(f"{name}.py", text)
    return folder / "authors.zip"


def test_the_source_of_a_module_in_an_archive_is_the_archive(data, tmp_path, monkeypatch):
    archive = zipped(tmp_path, "mean_zipped", "class Mean:\n    def __init__(self, size=1):\n        pass\n")
    monkeypatch.syspath_prepend(str(archive))
    on, hparams = data(), hparams_with(tmp_path, "mean_zipped")
    before = make_stage(hparams / "mlee.yaml", {"emotions": ["neu", "hap"]}, on, tmp_path / "results").key
    zipped(tmp_path, "mean_zipped", "class Mean:\n    def __init__(self, size=2):\n        pass\n")
    forget_hashes()
    assert make_stage(hparams / "mlee.yaml", {"emotions": ["neu", "hap"]}, on, tmp_path / "results").key != before


def test_what_lies_beside_a_plug_in_and_is_no_source_of_it_stops_nothing(data, tmp_path, monkeypatch):
    folder = tmp_path / "authors"
    (folder / "mlee_sb").mkdir(parents=True)
    (folder / "mlee_sb" / "report.py").write_text("")
    (folder / "no_python.py").write_text("this is no Python")
    (folder / ".#mean_beside.py").symlink_to("nowhere")
    text = "import mlee_sb.labels\ntry:\n    import no_python\nexcept SyntaxError:\n    pass\n"
    (folder / "mean_beside.py").write_text(text + "class Mean:\n    def __init__(self, size=1):\n        pass\n")
    monkeypatch.syspath_prepend(str(folder))
    on, hparams = data(), hparams_with(tmp_path, "mean_beside")
    before = make_stage(hparams / "mlee.yaml", {"emotions": ["neu", "hap"]}, on, tmp_path / "results").key
    (folder / "mlee_sb" / "report.py").write_text("# changed\n")
    forget_hashes()
    assert make_stage(hparams / "mlee.yaml", {"emotions": ["neu", "hap"]}, on, tmp_path / "results").key == before


def test_a_stage_whose_model_and_checkpoints_were_deleted_keeps_its_settings_as_long_as_its_results_stand(stage):
    part = finished(stage("mlee_fusion"))
    shutil.rmtree(part.model_folder)
    other = replace(part, settings={**part.settings, "lr": 0.5})
    with pytest.raises(InputError, match="holds results of other settings"):
        other.check_folder()
    part.check_folder()


def test_what_is_begun_again_is_not_finished(stage):
    part = finished(stage("mlee"))
    part.begin_on_its_encoders()
    assert not part.finished and not part.files.summary.exists()


def test_another_version_of_this_package_is_another_stage(stage, monkeypatch):
    before = stage("mlee").key
    monkeypatch.setattr(source_code, "__version__", "9.9.9")
    assert stage("mlee").key != before


@pytest.mark.parametrize(
    "file",
    [
        "labels.py",
        "calibration.py",
        "targets/soft.py",
        "training/brains.py",
        "models/features.py",
        "models/encoders/cnn_blstm_attention.py",
    ],
)
def test_a_change_in_our_own_code_is_another_stage(stage, tmp_path, monkeypatch, file):
    package = shutil.copytree(source_code.PACKAGE, tmp_path / "mlee_sb", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(source_code, "PACKAGE", package)
    forget_hashes()
    before = stage("mlee").key
    (package / file).write_text((package / file).read_text() + "# changed\n")
    forget_hashes()
    assert stage("mlee").key != before
    (package / file).write_text((package / file).read_text().removesuffix("# changed\n"))
    (package / "cli/show.py").write_text("# what is shown changes no result\n")
    forget_hashes()
    assert stage("mlee").key == before
    monkeypatch.undo()
    forget_hashes()


@pytest.mark.parametrize("content", ["{", "[]", "null", ""])
def test_a_damaged_note_of_the_encoders_counts_as_absent(stage, content):
    part = finished(stage("mlee_fusion"))
    assert part.finished
    for required in part.requires.values():
        finished(required)
    part.files.note_encoders({name: required.files.weights for name, required in part.requires.items()})
    assert part.finished
    (part.files.save / "encoders.json").write_text(content)
    assert not part.finished and "is not known: this stage begins anew" in part.begin_on_its_encoders()


@pytest.mark.parametrize("content", ["{", "[]", "null", "", None])
def test_results_without_a_readable_identity_are_not_taken_for_those_of_these_settings(stage, content):
    part = finished(stage("mlee_fusion"))
    part.check_folder()
    part.files.identity.unlink()
    if content is not None:
        part.files.identity.write_text(content)
    with pytest.raises(InputError, match="identity.json: (missing|damaged), so it is not known.*move the folder of this stage away"):
        part.check_folder()


def test_an_identity_that_cannot_be_read_is_written_again_where_the_digests_tell_what_was_in_it(stage):
    part = finished(stage("mlee_fusion"))
    note_files(part.files)
    part.files.identity.write_text("")
    part.check_folder()
    assert not part.finished
    part.mend_identity()
    assert part.finished and part.files.read_identity() == json.loads(json.dumps(part.identity))


def test_checkpoints_of_nobody_knows_which_settings_are_not_gone_on_with(stage):
    part = stage("mlee")
    checkpoint = part.files.save / "CKPT+000001"
    checkpoint.mkdir(parents=True)
    part.files.write_identity(part.identity)
    assert part.begin_on_its_encoders() == "" and checkpoint.is_dir()
    part.files.identity.write_text("{")
    part.check_folder()
    assert "begins anew" in part.begin_on_its_encoders() and not checkpoint.exists()


# Emotions of the manifests, and variants


def test_without_emotions_a_stage_and_what_it_requires_have_those_of_the_manifests(stage):
    assert [part.settings["emotions"] for part in plan(stage("mlee_fusion", emotions=None))] == [["neu", "hap"]] * 3
    assert stage("mlee_fusion", emotions=None).key == stage("mlee_fusion").key
    assert stage("mlee_fusion", emotions=None).folder == stage("mlee_fusion").folder


def test_a_stage_of_another_learning_rate_lies_beside_and_shares_the_encoders(stage):
    as_it_is, other = stage("mlee_fusion"), stage("mlee_fusion", lr=0.001)
    assert other.folder.parents[2] == as_it_is.folder.parents[2].with_name("mlee_fusion_soft@lr=0.001")
    for name, part in as_it_is.requires.items():
        assert other.requires[name].folder == part.folder and other.requires[name].key == part.key
    assert [part.settings["row"] for part in plan(as_it_is, other)] == ["mlee", "dominant_soft", *["mlee_fusion_soft"] * 2]


def test_a_stage_on_an_encoder_of_other_settings_lies_beside_too(stage):
    other = stage("mlee_fusion", requires={"mlee": {"lr": 0.1}})
    assert other.variant == "mlee.lr=0.1" and other.requires["mlee"].variant == "lr=0.1"
    assert other.requires["dominant"].folder == stage("mlee_fusion").requires["dominant"].folder


@pytest.mark.parametrize(
    ("row", "target", "name"),
    [
        ("curriculum", "kld", "curriculum@target=kld"),
        ("repeated_votes", "kld", "repeated_votes@target=kld"),
        ("kld", "soft", "kld@target=soft"),
        ("kld", "kld", "kld"),
        ("dominant", "kld", "dominant_kld"),
    ],
)
def test_another_target_is_in_the_name_of_the_row_or_beside_it(stage, row, target, name):
    made = stage(row, target=target)
    assert made.row == name and made.settings["target"] == target
    assert (made.folder == stage(row).folder) == (made.key == stage(row).key)


def test_the_value_of_the_file_given_again_and_what_changes_no_result_make_no_variant(stage):
    as_it_is = stage("mlee")
    for same in ({"lr": 2e-4}, {"num_workers": 2}, {"speeds": [0.9, 1.0, 1.1]}, {"alpha": 0.5}):
        assert stage("mlee", **same).variant == "" and stage("mlee", **same).folder == as_it_is.folder, same
    assert stage("mlee", seed=2, train_set="dominant").variant == ""
    assert stage("dominant", target="hard", alpha=0.5).variant == "" and stage("dominant", alpha=0.5).variant == "alpha=0.5"


def test_sizes_that_torch_refuses_are_told_with_the_file(stage, tmp_path):
    hparams = shutil.copytree("hparams", tmp_path / "hparams")
    part = hparams / "parts" / "classifier.yaml"
    part.write_text(part.read_text().replace("hidden_size: 64", "hidden_size: -3"))
    with pytest.raises(InputError, match="dominant.yaml: its modules cannot be built .*-3.*correct the settings"):
        built(stage(str(hparams / "dominant")), [])
