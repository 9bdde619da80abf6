"""A model from a stranger: whatever its hyperparams.yaml would do when it is run, it is not run."""

import pickle
import sys

import pytest
from bundles import copy_of
from hyperpyyaml import load_hyperpyyaml

from mlee_sb import EmotionClassifier
from mlee_sb.errors import InputError, NeedsCode
from mlee_sb.inference.hub import Place
from mlee_sb.inference.verify import verify

PAYLOADS = {
    "apply": "a: !apply:os.system ['touch {mark}']\n",
    "new_popen": "a: !new:subprocess.Popen\n    args: [touch, '{mark}']\n",
    "python_tag": "a: !!python/object/apply:os.system ['touch {mark}']\n",
    "python_tag_in_a_plain_scalar": "a: !!python/object/apply:os.system [touch {mark}]\n",
    "python_tag_as_text": "a: '!!python/object/apply:os.system [touch {mark}]'\nb: !ref <a>\n",
    "python_tag_assembled_by_ref": "a: '!!python/object/apply:os.sys'\nb: !ref \"<a>tem ['touch {mark}']\"\n",
    "applyref": "a: !applyref:os.system ['touch {mark}']\n",
    "arguments_assembled_by_ref": "a: touch\nb: !apply:os.system\n    - !ref '<a> {mark}'\n",
    "module_of_a_trusted_package": "a: !apply:speechbrain.core.os.mkdir ['{mark}']\n",
}
LIVE = [name for name in PAYLOADS if name not in ("python_tag_as_text", "python_tag_assembled_by_ref")]  # with today's HyperPyYAML


@pytest.fixture
def mark(tmp_path):
    """What a payload would make."""
    return tmp_path / "owned"


@pytest.fixture
def spoilt(bundle, tmp_path):
    return copy_of(bundle, tmp_path / "spoilt")


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize("name", LIVE)
def test_the_payloads_would_run_if_they_were_loaded(name, mark):
    """Else the other tests could not fail."""
    loaded = load_hyperpyyaml(PAYLOADS[name].format(mark=mark))
    if name == "new_popen":
        loaded["a"].wait()
    assert mark.exists()


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_hyperparams_yaml_is_not_run(name, spoilt, mark, hello):
    (spoilt / "hyperparams.yaml").write_text(PAYLOADS[name].format(mark=mark))
    before = listing(spoilt)
    EmotionClassifier.from_hparams(spoilt).predict(hello)
    EmotionClassifier.from_hparams(spoilt, trust_remote_code=True).predict(hello)  # not even then: config.json is enough
    assert not mark.exists() and listing(spoilt) == before


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_folder_that_has_nothing_but_a_hyperparams_yaml_is_refused_and_not_run(name, spoilt, mark):
    (spoilt / "config.json").unlink()
    (spoilt / "hyperparams.yaml").write_text(PAYLOADS[name].format(mark=mark))
    before = listing(spoilt)
    with pytest.raises(NeedsCode, match=r"no config.json.*trust_remote_code"):
        EmotionClassifier.from_hparams(spoilt)
    assert not mark.exists() and listing(spoilt) == before


@pytest.mark.parametrize("name", PAYLOADS)
def test_verify_tells_a_hyperparams_yaml_of_somebody_else_without_running_it(name, spoilt, mark):
    (spoilt / "hyperparams.yaml").write_text((spoilt / "hyperparams.yaml").read_text() + PAYLOADS[name].format(mark=mark))
    (wrong,) = [check for check in verify(Place(spoilt, spoilt)) if not check.passed]
    assert "hyperparams.yaml: not what mlee_sb writes" in wrong.seen
    assert not mark.exists()


class Evil:
    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return (open, (self.mark, "w"))


@pytest.mark.parametrize("file", ["classifier.ckpt", "embedding_model.ckpt", "model.safetensors", "config.json", "golden.json"])
def test_a_pickle_is_never_loaded(spoilt, mark, hello, file):
    (spoilt / file).write_bytes(pickle.dumps(Evil(mark)))
    if file.endswith(".ckpt"):
        EmotionClassifier.from_hparams(spoilt).predict(hello)
    else:
        with pytest.raises(InputError, match=file):
            EmotionClassifier.from_hparams(spoilt)
    assert any(not check.passed and file in check.seen for check in verify(Place(spoilt, spoilt)))
    assert not mark.exists()


def test_damage_is_no_reason_to_run_code(spoilt, mark):
    (spoilt / "golden.json").write_text("{}")
    (spoilt / "hyperparams.yaml").write_text(PAYLOADS["apply"].format(mark=mark))
    with pytest.raises(InputError, match=r"golden.json"):
        EmotionClassifier.from_hparams(spoilt, trust_remote_code=True)
    assert not mark.exists()


def test_a_module_that_lies_beside_a_model_is_not_imported(spoilt, hello, mark, monkeypatch):
    (spoilt / "evil_module.py").write_text(f"open({str(mark)!r}, 'w')")
    monkeypatch.chdir(spoilt)
    EmotionClassifier.from_hparams(".").predict(hello)
    assert not mark.exists() and "evil_module" not in sys.modules
