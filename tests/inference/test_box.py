"""The model that comes with the package: its files, its answers, and who hears of it.

After `make model`, `python tests/inference/test_box.py CREMA-D` writes what the new model says into box_golden.json.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from speechbrain.inference.classifiers import EncoderClassifier

from mlee_sb import EmotionClassifier
from mlee_sb.demo import make_demo_release
from mlee_sb.errors import InputError
from mlee_sb.experiment.make_model import EMOTIONS, LARGEST, MADE_FROM
from mlee_sb.files import write_json
from mlee_sb.inference import box
from mlee_sb.inference.hub import Place
from mlee_sb.inference.publish import PRIVATE
from mlee_sb.inference.verify import verify
from mlee_sb.models.bundle_files import FILES

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "box_golden.json"
"""What it says of generated speech, and of real clips; name -> ``posterior`` and ``presence``, calibrated."""
CLIPS = ("1001_DFA_ANG_XX", "1001_IEO_HAP_HI", "1002_IEO_SAD_HI", "1077_TIE_SAD_XX")
TOLERANCE = 2e-3  # of a probability: processors round differently, and so do vocoders


@pytest.fixture(scope="module")
def classifier():
    return EmotionClassifier.from_hparams()


def generate(folder: Path) -> dict[str, Path]:
    """The generated speech of four speakers: name -> file."""
    release = make_demo_release(folder / "release", speakers=4, utterances_per_speaker=1, scripted_per_speaker=0)
    return {file.stem: file for file in sorted(release.rglob("*.wav"))}


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def golden():
    return json.loads(GOLDEN.read_text())


def real(folder: Path) -> dict[str, Path]:
    """Some real clips: name -> file."""
    return {name: folder / "AudioWAV" / f"{name}.wav" for name in CLIPS}


def answers(classifier, file: Path) -> dict:
    said = classifier.predict(file)
    return {"posterior": said.posterior, "presence": said.presence}


def hold(golden: dict, classifier, files: dict[str, Path]) -> None:
    assert golden.keys() == files.keys()
    for name, file in files.items():
        for kind, by_emotion in answers(classifier, file).items():
            assert by_emotion == pytest.approx(golden[name][kind], abs=TOLERANCE), (name, kind)


def test_it_says_of_generated_speech_what_it_said_when_it_was_made(classifier, generated, golden):
    hold(golden["generated"], classifier, generated)


def test_it_says_of_real_speech_what_it_said_when_it_was_made(classifier, crema_d_folder, golden):
    hold(golden["crema_d"], classifier, real(crema_d_folder))


def test_speechbrains_class_reads_it_with_the_same_answers(classifier, generated, tmp_path):
    theirs = EncoderClassifier.from_hparams(source=str(box.FOLDER), savedir=str(tmp_path / "sb"))
    for file in list(generated.values())[:2]:
        expected = classifier.classify_file(file)[0].exp()
        torch.testing.assert_close(theirs.classify_file(str(file), savedir=str(tmp_path))[0].exp(), expected, atol=1e-5, rtol=0)


def test_its_files_are_those_of_a_bundle_small_and_right():
    assert {path.name for path in box.FOLDER.iterdir()} == {*FILES, MADE_FROM}
    assert sum(path.stat().st_size for path in box.FOLDER.iterdir()) < LARGEST
    assert all(check.passed for check in verify(Place(box.FOLDER, box.FOLDER)))
    texts = [path.read_text() for path in box.FOLDER.iterdir() if path.suffix in (".json", ".md", ".yaml")]
    assert not [found for text in texts for found in PRIVATE.findall(text)]


def test_its_card_leads_back_to_the_clips_that_it_was_made_from():
    card, clips = (box.FOLDER / "README.md").read_text(), (box.FOLDER / MADE_FROM).read_text().split()
    tested = json.loads((box.FOLDER / "scores.json").read_text())["cross_validated"]
    assert len(set(clips)) == len(clips) == tested["n_all"] and len({clip.split("_")[0] for clip in clips}) == tested["n_speakers"]
    assert f"made from {len(clips):,} clips of CREMA-D, and the release has 7,442. `{MADE_FROM}` beside this card" in card
    assert "openai/whisper-tiny.en" in card and "a local copy, and not fetched from the hub" in card


def test_its_card_gives_credit_and_its_figures():
    card = ModelCard.load(box.FOLDER / "README.md")
    tested = json.loads((box.FOLDER / "scores.json").read_text())["cross_validated"]
    assert tested["folds"] == 10 and list(tested["existence"]) == EMOTIONS
    for emotion in EMOTIONS:
        assert f"| existence AUC {emotion} | {100 * tested['existence'][emotion]['auc']:.1f} |" in card.text
    for level, found in tested["calibrated"]["coverage"].items():
        assert f"| mean number of the candidates at {100 * float(level):.0f} % | {found['mean_size']:.2f} of 6 emotions |" in card.text
    for emotion, brier in tested["calibrated"]["presence_brier"].items():
        assert f"| Brier score of the presence of {emotion}, calibrated (0 is perfect, 1 the worst) | {brier:.3f} |" in card.text
    for name, words in (
        ("wa", "WA (accuracy)"),
        ("ua", "UA (balanced accuracy)"),
        ("existence_auc", "existence AUC, mean over the emotions"),
    ):
        value, low, high = (100 * tested["intervals"][name][part] for part in ("value", "low", "high"))
        assert f"| {words} | {value:.1f} [{low:.1f}, {high:.1f}] |" in card.text
    assert "In brackets: 95 % intervals, by bootstrap over the speakers" in card.text
    ua, low, high = (100 * tested["intervals"]["ua"][part] for part in ("value", "low", "high"))
    assert f"UA of {ua:.1f} (95 % interval {low:.1f} to {high:.1f}; guessing" in (ROOT / "docs/limits.md").read_text()
    notice = (ROOT / "NOTICE").read_text()
    for owed in ("MIT", "OpenAI", "Open Database License", "CREMA-D"):
        assert owed in card.text and owed in notice
    assert "acted" in box.OF_THE_SPEECH and "What it is not good for" in card.text


def test_it_answers_where_no_model_is_named_and_one_line_says_so(capsys):
    EmotionClassifier.from_hparams()
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    words = r"the model in the box answers: mlee_fusion_soft on \S+, trained on [\d,]+ utterances of \d+ speakers of crema_d \(acted"
    assert re.match(words, said.err)
    EmotionClassifier.from_hparams(box.box_folder())
    assert capsys.readouterr().err == "", "it was named"


def test_a_revision_of_no_model_is_refused():
    with pytest.raises(InputError, match="revision 'main': of which model"):
        EmotionClassifier.from_hparams(revision="main")


def test_a_copy_without_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(box, "FOLDER", tmp_path)
    with pytest.raises(InputError, match="no model in the box: install it again, or name a model"):
        EmotionClassifier.from_hparams()


def test_it_needs_no_transformers_and_no_network(generated):
    """As on a machine that has neither: whoever opens a socket, or imports transformers, fails."""
    code = f"""
import socket, sys
sys.modules["transformers"] = None
def refuse(*_): raise OSError("no network here")
socket.socket.connect = refuse
from mlee_sb.cli.app import main
raise SystemExit(main(["classify", {str(next(iter(generated.values())))!r}, "--json"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["posterior"]) == set(EMOTIONS)


if __name__ == "__main__":
    model = EmotionClassifier.from_hparams()
    with tempfile.TemporaryDirectory() as temporary:
        of = {"generated": generate(Path(temporary)), "crema_d": real(Path(sys.argv[1]))}
        write_json(GOLDEN, {kind: {name: answers(model, file) for name, file in files.items()} for kind, files in of.items()})
