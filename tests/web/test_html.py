"""What the page is sent: nothing that comes from elsewhere is more than text in it."""

import re
from pathlib import Path

from bundles import small_dirichlet, write_bundle, write_speech

from mlee_sb import EmotionClassifier
from mlee_sb.inference.answers import DEMO
from mlee_sb.web.models import Model
from mlee_sb.web.page import answer_html, page_html, timeline_html
from mlee_sb.web.recordings import Recording
from mlee_sb.web.schema import Attention

from .asking import LIMITS

HOSTILE = "\"'><script>alert(1)</script>"


class HostileShelf:
    names = [HOSTILE]
    hub = True
    in_the_box = HOSTILE


def test_an_answer_of_a_demo_says_so_and_that_of_another_model_does_not(classifier, tmp_path):
    path = write_speech(tmp_path / "a.wav", 1.3)
    other = EmotionClassifier.from_hparams(write_bundle(tmp_path / "other"))
    for one, expected in ((classifier, True), (other, False)):
        model, recording = Model("a", "a model", one), Recording("a.wav", path)
        pieces = answer_html(model, recording, one.predict(path), []), timeline_html(model, recording, one.timeline(path, 0.5, 0.25))
        assert [DEMO in piece for piece in pieces] == [expected, expected]


def test_an_answer_tells_how_unsure_a_model_is_that_knows_it(classifier, tmp_path):
    path = write_speech(tmp_path / "a.wav", 1.3)
    for one in (EmotionClassifier(small_dirichlet()), classifier):
        said = one.predict(path)
        piece = answer_html(Model("a", "a model", one), Recording("a.wav", path), said, [])
        told = said.uncertainty and f"unsure by {said.uncertainty.total:.2f} bits (0 is certain, 1.58 the most)"
        assert told in piece if told else "unsure by" not in piece


def test_names_of_models_and_recordings_are_text(classifier, tmp_path):
    path = write_speech(tmp_path / "a.wav", 5.0)
    model, recording = Model(HOSTILE, HOSTILE, classifier), Recording(HOSTILE, path)
    attention = [Attention(encoder=0, seconds=[0.1, 0.2], weights=[0.4, 0.6])]
    pieces = [
        answer_html(model, recording, classifier.predict(path), attention),
        timeline_html(model, recording, classifier.timeline(path)),
        page_html(HostileShelf(), LIMITS),
    ]
    for piece in pieces:
        assert "alert(1)" in piece and not re.search(r"<script>|\"'>", piece)


def test_every_address_in_the_page_is_of_this_server():
    folder = Path(__file__).parents[2] / "mlee_sb/web"
    files = [*(folder / "templates").iterdir(), *(folder / "static").iterdir()]
    assert len(files) == 5
    assert not [file.name for file in files if re.search(r"(https?:)?//\w", file.read_text().replace("// ", ""))]
