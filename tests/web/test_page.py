"""The page in a real browser, with a microphone that plays a recording: what a person sees, hears and downloads."""

import csv
import io
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browsers import chromium, needs_chromium
from bundles import EMOTIONS, small_existence, write_bundle, write_speech
from playwright.sync_api import expect

from mlee_sb.demo import make_demo_release
from mlee_sb.inference.answers import NO_SPEECH
from mlee_sb.web.page import WORDS

from .asking import LIMITS, running

SCREENSHOTS = os.environ.get("MLEE_SCREENSHOTS")  # a folder: pictures of the page are written there, for docs/
PATIENCE = 120_000  # milliseconds: a busy machine may take its time
WIDTHS = (390, 700, 1200)
LONG = 18.0  # seconds
HOSTILE = "<img src=x onerror=alert(1)>.wav"

pytestmark = needs_chromium
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A short recording, a long one, one to be spoken, and something that is none."""
    folder = tmp_path_factory.mktemp("sounds")
    write_speech(folder / "hello.wav", 2.0)
    write_speech(folder / "meeting.flac", LONG, seed=1)
    write_speech(folder / "spoken.wav", 5.0, 48000, seed=2)
    (folder / HOSTILE).write_text("<b>no audio</b>")
    return folder


@pytest.fixture(scope="module")
def browser(sounds):
    flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"]
    with chromium(*flags, f"--use-file-for-fake-audio-capture={sounds / 'spoken.wav'}") as browser:
        yield browser


def opened(browser, address: str):
    """Open the page; `said` is what its scripts complained of, `asked` are the addresses that it asked."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("dialog", lambda dialog: page.said.append(dialog.message))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address)
    return page


@pytest.fixture
def page(browser, address):
    page = opened(browser, address)
    yield page
    page.close()


@pytest.fixture(scope="module")
def answered(browser, address, sounds):
    """A page with the answers for the short and the long recording."""
    page = opened(browser, address)
    give(page, sounds / "hello.wav", sounds / "meeting.flac")
    yield page
    page.close()


def give(page, *files: Path):
    """Choose files; return the cards of all answers when they are there."""
    page.locator("#files").set_input_files([str(file) for file in files])
    expect(page.locator(".waiting")).to_have_count(0)
    return page.locator(".card")


def test_it_says_what_the_model_says_of_a_short_recording(answered, sounds, classifier):
    card = answered.locator(".card").first
    said = classifier.predict(sounds / "hello.wav")
    expect(card.locator("h2")).to_have_text("hello.wav")
    expect(card.locator(".verdict strong")).to_have_text(WORDS.get(said.dominant, said.abstained))
    rows = card.locator(".bars tbody tr")
    expect(rows).to_have_count(len(EMOTIONS))
    for row, emotion in zip(rows.all(), EMOTIONS, strict=True):
        expect(row.locator("th")).to_have_text(WORDS[emotion])
        expect(row.locator("td.number").first).to_have_text(f"{said.presence[emotion]:.0%}")
        assert float(row.locator("rect").first.get_attribute("width")) == pytest.approx(100 * said.presence[emotion], abs=0.1)
    assert card.locator(".note b").all_inner_texts() == [WORDS[emotion] for emotion in said.candidates]
    expect(card.locator("svg.look")).to_have_count(2)
    expect(card).to_contain_text("DEMO")


def test_a_long_recording_is_a_picture_that_plays_from_where_it_is_clicked(answered):
    card = answered.locator(".card").nth(1)
    picture, sound = card.locator(".plays"), card.locator("audio")
    card.locator("img").evaluate("image => image.decode()")
    begins, ends = (float(picture.get_attribute(f"data-{side}")) for side in ("begins", "ends"))
    assert 0 < begins < 0.2 and 0.8 < ends <= 1
    sound.evaluate("sound => { sound.play = async () => { sound.played_from = sound.currentTime; }; }")  # or it would play on meanwhile
    box = picture.bounding_box()
    for share in (0.25, 0.75):
        picture.click(position={"x": box["width"] * (begins + share * (ends - begins)), "y": box["height"] / 2})
        assert sound.evaluate("sound => sound.played_from") == pytest.approx(share * LONG, abs=0.1)
    expect(card.locator(".cursor")).to_be_visible()
    cursor = card.locator(".cursor").evaluate("cursor => parseFloat(cursor.style.left) / 100")
    assert cursor == pytest.approx(begins + 0.75 * (ends - begins), abs=0.01)
    card.locator("[data-at]").first.click()
    assert sound.evaluate("sound => sound.played_from") == 0


def test_the_table_of_a_long_recording_is_that_of_the_command_line(answered, sounds, classifier):
    with answered.expect_download() as download:
        answered.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "meeting.csv"
    table = Path(download.value.path()).read_text()
    assert table == classifier.timeline(sounds / "meeting.flac").as_csv()
    assert list(csv.DictReader(io.StringIO(table)))[1]["start"] == "2.0"


def test_it_works_without_a_network_and_asks_nobody_else(answered, address):
    assert answered.said == []
    asked = {url for url in answered.asked if not url.startswith(("data:", "blob:"))}
    assert asked == {address, *(address + own for own in ("static/page.css", "static/page.js", "answer"))}


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off(answered, width):
    answered.set_viewport_size({"width": width, "height": 900})
    assert answered.evaluate("document.documentElement.scrollWidth") <= width


def test_a_person_speaks(page):
    page.get_by_role("button", name="Speak").click()
    expect(page.locator("#speak")).to_contain_text("Stop (1 s)")
    page.locator("#speak").click()
    card = page.locator(".card").first
    expect(card.locator("h2")).to_have_text("recording 1.wav")
    expect(card.locator(".bars tbody tr")).to_have_count(len(EMOTIONS))
    expect(page.get_by_role("button", name="Speak")).to_be_visible()
    assert card.locator("audio").evaluate("sound => sound.duration") > 0.5
    assert page.said == []


def test_what_is_spoken_is_small_and_ends_before_it_is_larger_than_the_server_takes(page):
    page.evaluate(
        """() => {
            const make = URL.createObjectURL;
            URL.createObjectURL = file => {
                file.arrayBuffer().then(wav => { document.body.dataset.rate = new DataView(wav).getUint32(24, true); });
                return make.call(URL, file);
            };
        }"""
    )
    longest = "(megabytes, minutes) => { Object.assign(document.body.dataset, { megabytes, minutes }); return longestSeconds(); }"
    assert [page.evaluate(f"([a, b]) => ({longest})(a, b)", given) for given in ([200, 60], [32, 60])] == [3599, 999]
    page.evaluate(f"({longest})(0.07, 60)")
    page.get_by_role("button", name="Speak").click()
    expect(page.locator(".card h2")).to_have_text("recording 1.wav")  # nobody clicks Stop
    expect(page.locator("body")).to_have_attribute("data-rate", "16000")


def test_what_is_no_audio_or_too_large_is_told_beside_the_rest_and_hostile_names_are_text(page, sounds, tmp_path):
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(LIMITS.bytes + 1))
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    cards = give(page, tmp_path / "silent.wav", sounds / HOSTILE, large)
    assert cards.locator("h2").all_inner_texts() == ["silent.wav", HOSTILE, "large.wav"]
    expect(cards.nth(0).locator(".verdict")).to_have_text(NO_SPEECH)
    expect(cards.nth(1).locator(".error")).to_contain_text(f"{HOSTILE}: cannot be read as audio")
    expect(cards.nth(2).locator(".error")).to_have_text("larger than 4 MB, the most that this server takes")
    assert len([url for url in page.asked if url.endswith("/answer")]) == 2, "what is too large is not sent"
    assert page.locator("img").count() == page.locator(".bars").count() == 0
    assert not [words for words in page.said if "400" not in words], "the browser notes the status of what is refused, and no more"
    cards.first.get_by_role("button", name="Remove").click()
    expect(cards).to_have_count(2)


def test_files_are_dropped(page):
    dropped = "() => { const files = new DataTransfer(); files.items.add(new File(['no audio'], 'dropped.wav')); return files; }"
    page.locator("#drop").dispatch_event("drop", {"dataTransfer": page.evaluate_handle(dropped)})
    expect(page.locator(".card .error")).to_contain_text("dropped.wav: cannot be read as audio")


def test_another_model_is_chosen_and_a_wrong_name_told(browser, bundle, sounds, tmp_path):
    existence = write_bundle(tmp_path / "existence", small_existence())
    with running([bundle, existence], hub=True) as address:
        page = opened(browser, address)
        page.get_by_label("Model").select_option("existence")
        card = give(page, sounds / "hello.wav").first
        expect(card).to_contain_text("existence: mlee, trained on crema_d")
        expect(card.locator(".bars thead")).not_to_contain_text("dominant")
        page.get_by_label("or one on the hub").fill("no/../name")
        expect(give(page, sounds / "hello.wav").first.locator(".error")).to_contain_text("unknown model 'no/../name'")
        page.close()


@pytest.mark.skipif(
    not SCREENSHOTS,
    reason="writes pictures for docs/ where MLEE_SCREENSHOTS names a folder; of the models in MLEE_MODEL, or the default one",
)
def test_the_page_is_photographed(browser, tmp_path):
    """With generated speech: a clip, and some clips one after the other."""
    release = make_demo_release(tmp_path / "release", utterances_per_speaker=4, scripted_per_speaker=0)
    clips = sorted(release.rglob("*.wav"))[-8:]
    shutil.copy(clips[0], tmp_path / "hello.wav")
    parts = [soundfile.read(clip, dtype="float32") for clip in clips]
    soundfile.write(tmp_path / "meeting.wav", np.concatenate([samples for samples, _ in parts]), parts[0][1])
    models = os.environ.get("MLEE_MODEL", "").split()
    with running(models, hub=True) as address:
        page = opened(browser, address)
        give(page, tmp_path / "meeting.wav")
        for model in page.locator("#model option").all_inner_texts():
            page.get_by_label("Model").select_option(model)
            give(page, tmp_path / "hello.wav")
        page.locator("img").evaluate("image => image.decode()")
        page.screenshot(path=Path(SCREENSHOTS, "serve.png"), full_page=True)
        page.close()
