"""Settings: the paper's values, checked before hours are spent."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from bundles import paper_encoder

from mlee_sb.errors import InputError
from mlee_sb.targets import DENSE, find_target
from mlee_sb.training.hparams_tree import LARGEST_FILE
from mlee_sb.training.settings import nested, overridable, read_settings

FILES = [file for file in sorted(Path("hparams").glob("*.yaml")) if file.stem not in ("base", "frozen")]  # of rows


@pytest.mark.parametrize(
    ("file", "row", "lr"),
    [
        ("dominant", "dominant_soft", 5e-4),
        ("mlee", "mlee", 2e-4),
        ("mlee_pretrain", "mlee_pretrain_soft", 1e-4),
        ("mlee_fusion", "mlee_fusion_soft", 5e-5),
    ],
)
def test_each_file_has_the_learning_rate_of_the_paper_and_hands_it_to_adam(file, row, lr):
    settings = read_settings(f"hparams/{file}.yaml")
    assert settings["row"] == row
    assert settings["lr"] == lr and settings["opt_class"]["lr"] == lr
    assert settings["opt_class"]["!"] == "!name:torch.optim.Adam"
    assert settings["batch_size"] == 16 and settings["speeds"] == [0.9, 1.0, 1.1]
    assert settings["emotions"] is None and settings["min_votes"] == 1
    assert settings["alpha"] == 0.75


def test_the_optimizer_steps_as_plain_adam_does():
    """In one pass over all weights; the reference has none of our settings."""
    settings = read_settings("hparams/mlee.yaml")["opt_class"]
    del settings["!"]
    start = torch.randn(64, 16, generator=torch.Generator().manual_seed(1))
    ours, plain = start.clone().requires_grad_(), start.clone().requires_grad_()
    for weight, optimizer in ((ours, torch.optim.Adam([ours], **settings)), (plain, torch.optim.Adam([plain], lr=2e-4, foreach=False))):
        for i in range(20):
            weight.grad = torch.randn(start.shape, generator=torch.Generator().manual_seed(i))
            optimizer.step()
    torch.testing.assert_close(ours - start, plain - start, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("file", ["dominant", "mlee"])
def test_both_encoders_are_that_of_table_2_on_the_spectrogram_of_the_paper(file):
    encoder = read_settings(f"hparams/{file}.yaml")["encoder"]
    front_end = encoder["front_end"]
    assert (front_end["sample_rate"], front_end["window_ms"], front_end["shift_ms"]) == (16000, 40, 10)
    assert (front_end["dft_length"], front_end["max_frequency"]) == (1600, 4000)
    assert encoder["channels"] == [16, 24, 32]
    assert encoder["kernels"] == [[12, 16], [8, 12], [5, 7]] and encoder["strides"] == [[2, 2], [1, 1], [1, 1]]
    assert (encoder["pool"], encoder["lstm_size"]) == (2, 128)
    assert (paper_encoder().front_end.n_features, paper_encoder().embedding_size) == (400, 256)


def test_every_setting_of_the_parts_tells_what_it_does():
    lines = [line for part in Path("hparams/parts").glob("*.yaml") for line in part.read_text().splitlines()]
    silent = [line for line in lines if re.match(r" *\w+: [^!]", line) and "#" not in line]
    assert not silent


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_setting_tells_what_it_does(file):
    silent = [name for name, (_, comment) in overridable(file).items() if not comment]
    assert not silent


def test_a_changed_setting_reaches_what_refers_to_it():
    settings = read_settings("hparams/mlee_fusion.yaml", {"lr": 0.1, "target": "hard"})
    assert settings["opt_class"]["lr"] == 0.1
    assert settings["row"] == "mlee_fusion_hard" and settings["requires"]["dominant"]["target"] == "hard"


def test_the_smoothing_of_a_fusion_is_that_of_its_dominant_stage():
    assert read_settings("hparams/mlee_fusion.yaml", {"alpha": 0.1})["requires"]["dominant"]["alpha"] == 0.1


def test_a_setting_of_a_required_stage_is_written_with_its_name():
    assert overridable("hparams/mlee_fusion.yaml")["mlee.lr"][0] == 2e-4
    settings = read_settings("hparams/mlee_fusion.yaml", nested({"mlee.lr": 0.2}))
    assert settings["requires"]["mlee"] == {"hparams": "mlee.yaml", "lr": 0.2}


@pytest.mark.parametrize(
    ("file", "overrides", "message"),
    [
        ("mlee", {"learning_rate": 1.0}, "unknown setting of mlee.yaml 'learning_rate'"),
        ("mlee", {"bach_size": 1}, "did you mean 'batch_size'"),
        ("mlee", {"batch_size": 1.5}, "batch_size is 1.5, and must be a whole number"),
        ("mlee", {"lr": float("nan")}, "lr is nan, and must be above 0"),
        ("mlee", {"lr": True}, "lr is True, and must be a number"),
        ("mlee", {"class_weights": 1}, "must be True or False"),
        (
            "mlee",
            {"target": "soft"},
            "mlee.yaml trains existence and cannot train soft, which belongs to other rows: choose from existence$",
        ),
        ("dominant", {"target": "existence"}, "dominant.yaml trains soft and cannot train existence, .*: choose from .*hard, .*soft$"),
        ("dominant", {"target": "sfot"}, "unknown target 'sfot': did you mean 'soft'"),
        ("mlee", {"train_set": "al"}, "did you mean 'all'"),
        ("mlee", {"loss_mean": "weihgted"}, "did you mean 'weighted'"),
        ("dominant", {"class_frequency": "target"}, "did you mean 'targets'"),
        ("mlee", {"precision": "fp64"}, "did you mean 'fp16'|unknown precision 'fp64'"),
        ("mlee", {"seed": -1}, "seed is -1, and must be 0 or more"),
        ("mlee", {"seed": 2**32}, "must be 4294967295 or less"),
        ("mlee", {"num_workers": -1}, "num_workers is -1, and must be 0 or more"),
        ("mlee", {"speeds": [1.0, 1.0]}, "must be different factors"),
        ("mlee", {"speeds": [0.0]}, "must be different factors"),
        ("mlee", {"embedding_dropout": 1.0}, "embedding_dropout is 1.0, and must be 0 or more and below 1"),
        ("mlee", {"gain_db": -1}, "gain_db is -1, and must be 0 or more"),
        ("mlee", {"noise_snr_db": "loud"}, "noise_snr_db is 'loud', and must be a number"),
        ("mlee", {"time_mask_frames": 0.5}, "must be a whole number"),
        ("mlee", {"level_db": "loud"}, "level_db is 'loud', and must be a number"),
        ("mlee_fusoin", {}, "did you mean 'mlee_fusion.yaml'"),
    ],
)
def test_a_wrong_setting_is_named(file, overrides, message):
    with pytest.raises(InputError, match=message):
        read_settings(f"hparams/{file}.yaml", overrides)


@pytest.mark.parametrize("text", ["a: [1", "- a\n- b\n", "lr: !ref <nothing>\n"])
def test_a_file_that_is_no_hparams_file_is_named(tmp_path, text):
    (tmp_path / "broken.yaml").write_text(text)
    with pytest.raises(InputError, match="broken.yaml"):
        read_settings(tmp_path / "broken.yaml")


def test_a_level_reaches_the_front_end_of_a_row_and_is_refused_where_none_takes_it(tmp_path):
    assert read_settings("hparams/mlee.yaml")["encoder"]["front_end"]["level_db"] is None
    assert read_settings("hparams/mlee.yaml", {"level_db": -25.0})["encoder"]["front_end"]["level_db"] == -25
    file = edited(tmp_path, "mlee.yaml", "lr: 0.0002", "lr: 0.0002\nencoder: !include:parts/paper_encoder.yaml")
    assert read_settings(file)["level_db"] is None
    with pytest.raises(InputError, match=r"mlee.yaml: level_db is -25, and the encoder of this row does not take it: .*!ref <level_db>"):
        read_settings(file, {"level_db": -25})


def edited(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of hparams/ with one text in one of its files replaced; the file."""
    copied = shutil.copytree("hparams", folder / "hparams")
    text = (copied / file).read_text()
    assert old in text
    (copied / file).write_text(text.replace(old, new))
    return copied / file


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("base.yaml", "patience: 5", "patiense: 5", "unknown setting in mlee.yaml 'patiense': did you mean 'patience'"),
        ("mlee.yaml", "lr: 0.0002", "lr: 0.0002\nweight_decay: 0.1", "unknown setting in mlee.yaml 'weight_decay'"),
        ("parts/paper_encoder.yaml", "lstm_size", "lstm_sise", "encoder in mlee.yaml 'lstm_sise': did you mean 'lstm_size'"),
        ("parts/features.yaml", "window_ms", "windw_ms", "encoder.front_end in mlee.yaml 'windw_ms': did you mean 'window_ms'"),
        ("parts/classifier.yaml", "hidden_size", "hiden_size", "classifier in mlee.yaml 'hiden_size': did you mean 'hidden_size'"),
        ("parts/adam.yaml", "betas", "beta", "opt_class in mlee.yaml 'beta': did you mean 'betas'"),
        ("base.yaml", "    lr: !ref <lr>", "    lrr: !ref <lr>", "opt_class in mlee.yaml 'lrr': did you mean 'lr'"),
        (
            "parts/paper_encoder.yaml",
            ".PaperEncoder",
            ".PaperEncodr",
            "there is no class mlee_sb.models.encoders.cnn_blstm_attention.PaperEncodr",
        ),
        ("base.yaml", "max_epochs: 50", "# max_epochs: 50", "mlee.yaml: the setting max_epochs is missing"),
        ("base.yaml", "patience: 5", "patiense: 5  # not <patiense>", "unknown setting in mlee.yaml 'patiense'"),
        ("base.yaml", "class_weights: True", "class_weights: Flase", "class_weights is 'Flase', and must be True or False"),
        ("base.yaml", "emotions: null", "emotions: neu", "emotions is 'neu', and must be a list"),
        ("base.yaml", "batch_size: 16", "batch_size: 16.5", "batch_size is 16.5, and must be a whole number"),
        ("base.yaml", "requires: {}", "requires: 0", "requires is 0, and must be settings by name"),
        ("base.yaml", "requires: {}", "requires: {mlee: mlee.yaml}", "requires mlee: 'mlee.yaml': give it an hparams file"),
        ("base.yaml", "requires: {}", "requires: {mlee: {target: !a:b c}}", "requires mlee: {'target': {'!': '!a:b'}}: give it an hparams"),
        ("base.yaml", "requires: {}", "requires: {mlee: {hprams: mlee.yaml}}", "give it an hparams file: {hparams: mlee.yaml}"),
    ],
)
def test_a_name_in_a_file_that_nothing_reads_is_an_error_with_the_nearest_one(tmp_path, file, old, new, message):
    edited(tmp_path, file, old, new)
    with pytest.raises(InputError, match=re.escape(message)):
        read_settings(tmp_path / "hparams" / "mlee.yaml")


def test_a_name_of_the_users_own_may_be_referred_to(tmp_path):
    file = edited(tmp_path, "mlee.yaml", "lr: 0.0002", "scale: 2\nlr: !ref <scale> * 0.0001")
    assert read_settings(file)["lr"] == pytest.approx(2e-4)


def test_the_arguments_of_what_is_applied_are_checked_too(tmp_path):
    file = edited(tmp_path, "parts/paper_encoder.yaml", "lstm_size", "lstm_sise")
    file.write_text(file.read_text().replace("!new:mlee_sb.models.encoders", "!apply:mlee_sb.models.encoders"))
    with pytest.raises(InputError, match="did you mean 'lstm_size'"):
        read_settings(tmp_path / "hparams" / "mlee.yaml")


def test_a_class_that_python_knows_no_arguments_of_is_left_to_the_user(tmp_path):
    file = edited(tmp_path, "mlee.yaml", "lr: 0.0002", "extra: !new:dict {}\nlr: 0.0002  # !ref <extra>")
    base = file.with_name("base.yaml")
    base.write_text(base.read_text().replace("    lr: !ref <lr>", "    lr: !ref <lr>\n    foreach: !ref <extra>"))
    assert read_settings(file)["lr"] == 0.0002


def with_encoder(folder, text):
    """A copy of hparams/ with another encoder in mlee.yaml; its settings."""
    copied = shutil.copytree("hparams", folder / "hparams", dirs_exist_ok=True)
    file = copied / "mlee.yaml"
    file.write_text(Path("hparams/mlee.yaml").read_text() + f"encoder: {text}\n")
    return read_settings(file)


def test_modules_in_lists_and_arguments_without_names_are_part_of_the_settings(tmp_path):
    relu, tanh = (with_encoder(tmp_path, f"!new:torch.nn.Sequential [!new:torch.nn.{name} []]") for name in ("ReLU", "Tanh"))
    assert relu != tanh
    eight, nine = (with_encoder(tmp_path, f"!new:torch.nn.Linear [8, {n}]") for n in (8, 9))
    assert eight != nine
    with pytest.raises(InputError, match="did you mean 'inplace'"):
        with_encoder(tmp_path, "!new:torch.nn.Sequential\n    - !new:torch.nn.ReLU\n        inplase: True")


def test_a_head_may_be_given_its_arguments_by_place(tmp_path):
    edited(tmp_path, "base.yaml", "!include:parts/classifier.yaml", "!name:mlee_sb.models.dense_classifier.DenseClassifier [64]")
    assert read_settings(tmp_path / "hparams/mlee.yaml")["classifier"] != read_settings("hparams/mlee.yaml")["classifier"]


def test_a_target_may_be_referred_to(tmp_path):
    file = edited(tmp_path, "dominant.yaml", "target: soft ", "goal: soft\ntarget: !ref <goal> ")
    assert read_settings(file)["target"] == "soft" and read_settings(file, {"target": "hard"})["row"] == "dominant_hard"
    with pytest.raises(InputError, match="trains soft and cannot train existence"):
        read_settings(file, {"target": "existence"})


# Base, and files of one's own


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_rows_file_begins_with_the_base_and_says_only_what_is_its_own(file):
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    own = {line.split(":")[0] for line in lines if re.match(r"\w", line)}
    freezes = "requires" in own
    assert lines[0] == ("!include:frozen.yaml" if freezes else "!include:base.yaml")
    target = find_target(read_settings(file)["target"])
    of_the_row = {"row", "target", "lr", *(["requires"] if freezes else []), *(["classifier"] if target.classifier != DENSE else [])}
    assert own - target.settings.keys() - {"first", "curriculum_bins"} == of_the_row
    assert own < read_settings(file).keys()


def test_what_a_file_says_replaces_what_the_base_says_and_leaves_the_rest(tmp_path):
    file = edited(tmp_path, "mlee.yaml", "lr: 0.0002", "patience: 7   # mine\nlr: 0.0002")
    before, settings = read_settings("hparams/mlee.yaml"), read_settings(file)
    assert (before["patience"], settings["patience"]) == (5, 7)
    assert {**settings, "patience": 5} == {**before, "encoder": settings["encoder"]}
    assert (
        overridable(file)["patience"] == (7, "mine") and overridable(file)["batch_size"] == overridable("hparams/mlee.yaml")["batch_size"]
    )


def test_a_row_of_ones_own_may_lie_in_another_folder_and_include_the_base_of_the_checkout(tmp_path):
    shutil.copytree("hparams", tmp_path / "hparams")
    own = tmp_path / "mine/small.yaml"
    own.parent.mkdir()
    own.write_text("!include:../hparams/base.yaml\nrow: small\ntarget: existence\nlr: 0.01\n")
    settings = read_settings(own, {"batch_size": 4})
    assert (settings["row"], settings["batch_size"], settings["opt_class"]["lr"]) == ("small", 4, 0.01)
    assert settings["encoder"]["lstm_size"] == read_settings("hparams/mlee.yaml")["encoder"]["lstm_size"]


def test_a_base_that_is_not_there_is_named(tmp_path):
    (tmp_path / "small.yaml").write_text("!include:../nowhere/base.yaml\nrow: small\n")
    with pytest.raises(InputError, match=r"nowhere/base.yaml: no such hparams file"):
        read_settings(tmp_path / "small.yaml")


def test_a_name_in_the_file_that_a_setting_of_the_base_leads_to_is_resolved(tmp_path):
    """HyperPyYAML resolves settings in their order: the optimiser of the base takes `lr`, and this one refers to a third."""
    file = edited(tmp_path, "mlee.yaml", "lr: 0.0002", "scale: 2\nlr: !ref <scale> * 0.0001")
    assert read_settings(file)["opt_class"]["lr"] == pytest.approx(2e-4)


def test_a_file_that_includes_itself_is_named(tmp_path):
    (tmp_path / "a.yaml").write_text("!include:b.yaml\nrow: a\n")
    (tmp_path / "b.yaml").write_text("!include:a.yaml  # and back\nrow: b\n")
    with pytest.raises(InputError, match="a.yaml: includes itself"):
        read_settings(tmp_path / "a.yaml")


def test_a_part_that_leads_back_to_its_row_is_named(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "a.yaml").write_text("row: a\nclassifier: !include:parts/b.yaml\n")
    (tmp_path / "parts" / "b.yaml").write_text("size: !include:../a.yaml\n")
    with pytest.raises(InputError, match="a.yaml: includes itself: .* out of .*b.yaml"):
        read_settings(tmp_path / "a.yaml")


def test_a_row_that_requires_itself_is_named(tmp_path):
    file = edited(tmp_path, "fusion.yaml", "hparams: dominant.yaml", "hparams: pretrain.yaml")
    (file.parent / "pretrain.yaml").write_text(file.read_text().replace("hparams: pretrain.yaml", "hparams: fusion.yaml"))
    with pytest.raises(InputError, match="fusion.yaml: requires itself: .* below requires in .*pretrain.yaml"):
        overridable(file)


def test_a_file_that_no_hparams_file_is_as_large_as_is_not_read(tmp_path):
    file = edited(tmp_path, "dominant.yaml", "row:", "#" * LARGEST_FILE + "\nrow:")
    for read in (read_settings, overridable):
        with pytest.raises(InputError, match=r"dominant.yaml: 65,\d+ bytes, and no file of settings is larger than 65,536"):
            read(file)


WRONG_TEXTS = {
    "empty": "",
    "a list": "- lr\n- seed\n",
    "no text": b"\xff\xfe\x00",
    "an anchor that holds itself": "row: &a\n  b: *a\n",
    "anchors that double one another": "a0: &a0 [1, 1]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}]\n" for n in range(14)),
    "deep nesting": "a: " + "[" * 3000,
    "a tag that is no class": "!include:base.yaml\nrow: x\nclassifier: !name:no.such\n",
    "a reference to itself": "!include:base.yaml\nrow: !ref <row>\n",
    "a tag without a value": "!include:base.yaml\nrow: x\nlr: !ref {a: 1}\n",
    "an include of nothing": "!include:base.yaml\nrow: x\nclassifier: !include:nothing.yaml\n",
    "an include of itself": "!include:base.yaml\nrow: x\nclassifier: !include:wrong.yaml\n",
    "required stages that are none": "!include:frozen.yaml\nrow: x\nrequires: 3\n",
    "required stages in a list": "!include:frozen.yaml\nrow: x\nrequires: [mlee]\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG_TEXTS)
def test_whatever_an_hparams_file_holds_an_error_names_it(kind, tmp_path):
    hparams = tmp_path / "hparams"
    shutil.copytree("hparams", hparams)
    text = WRONG_TEXTS[kind]
    wrong = hparams / "wrong.yaml"
    wrong.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match="wrong.yaml"):
        read_settings(wrong)
    with pytest.raises(InputError, match="wrong.yaml"):
        overridable(wrong)
        read_settings(wrong, {"encoder": "pretrained", "upstream": "some/model"})


@pytest.mark.parametrize(
    ("setting", "value"),
    [("eps", "abc"), ("eps", "1e400"), ("eps", ".nan"), ("weight_decay", "[]"), ("weight_decay", "True")],
)
def test_the_arguments_of_a_class_have_the_types_that_it_declares(setting, value, tmp_path):
    hparams = tmp_path / "hparams"
    shutil.copytree("hparams", hparams)
    adam = hparams / "parts" / "adam.yaml"
    adam.write_text(re.sub(rf"(?m)^{setting}: \S+", f"{setting}: {value}", adam.read_text()))
    with pytest.raises(InputError, match=rf"{setting} is .*must be"):
        read_settings(hparams / "mlee.yaml")
