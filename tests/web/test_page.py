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
WIDTHS = (700, 1200)
LONG = 34.0  # seconds

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A short recording, a long one, and something that is none."""
    folder = tmp_path_factory.mktemp("sounds")
    write_speech(folder / "hello.wav", 2.0)
    write_speech(folder / "meeting.flac", LONG, seed=1)
    write_speech(folder / "spoken.wav", 5.0, 48000, seed=2)
    (folder / "<img src=x onerror=alert(1)>.wav").write_text("<b>no audio</b>")
    return folder


@pytest.fixture(scope="module")
def browser(sounds):
    flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--autoplay-policy=no-user-gesture-required"]
    with chromium(*flags, f"--use-file-for-fake-audio-capture={sounds / 'spoken.wav'}") as browser:
        yield browser


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(120_000)  # milliseconds: a busy machine may take its time
    expect.set_options(timeout=120_000)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(address)
    yield page
    page.close()


def give(page, *files: Path):
    """Choose files; return the cards of their answers when all are there."""
    page.locator("#files").set_input_files([str(file) for file in files])
    cards = page.locator(".card")
    expect(page.locator(".waiting")).to_have_count(0)
    return cards


def test_it_says_what_the_model_says_of_a_short_recording(page, sounds, classifier):
    card = give(page, sounds / "hello.wav").first
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


def test_a_long_recording_is_a_picture_that_plays_from_where_it_is_clicked(page, sounds):
    card = give(page, sounds / "meeting.flac").first
    picture, sound = card.locator(".plays"), card.locator("audio")
    card.locator("img").evaluate("image => image.decode()")
    begins, ends = (float(picture.get_attribute(f"data-{side}")) for side in ("begins", "ends"))
    assert 0 < begins < 0.2 and 0.8 < ends <= 1
    box = picture.bounding_box()
    for share in (0.25, 0.75):
        picture.click(position={"x": box["width"] * (begins + share * (ends - begins)), "y": box["height"] / 2})
        assert sound.evaluate("sound => sound.currentTime") == pytest.approx(share * LONG, abs=2)
        assert not sound.evaluate("sound => sound.paused")
        sound.evaluate("sound => sound.pause()")
    expect(card.locator(".cursor")).to_be_visible()
    card.locator("[data-at]").first.click()
    assert sound.evaluate("sound => sound.currentTime") < 2


def test_the_table_of_a_long_recording_is_that_of_the_command_line(page, sounds, classifier):
    card = give(page, sounds / "meeting.flac").first
    with page.expect_download() as download:
        card.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "meeting.csv"
    table = Path(download.value.path()).read_text()
    assert table == classifier.timeline(sounds / "meeting.flac").to_frame().to_csv(index=False, lineterminator="\n")
    assert list(csv.DictReader(io.StringIO(table)))[1]["start"] == "2.0"


def test_several_files_are_dropped_and_what_is_no_audio_is_shown_as_text(page, sounds):
    hostile = next(file for file in sounds.iterdir() if file.name.startswith("<"))
    cards = give(page, sounds / "hello.wav", hostile)
    assert cards.locator("h2").all_inner_texts() == ["hello.wav", hostile.name]
    expect(cards.nth(1).locator(".error")).to_contain_text("onerror=alert(1)>.wav: cannot be read as audio")
    assert page.locator("img").count() == 0 and page.said != ["1"]
    cards.first.get_by_role("button", name="Remove").click()
    expect(page.locator(".card")).to_have_count(1)


def test_what_is_too_large_is_not_sent(page, tmp_path):
    large = tmp_path / "large.wav"
    large.write_bytes(bytes(LIMITS.bytes + 1))
    card = give(page, large).first
    expect(card.locator(".error")).to_have_text("larger than 4 MB, the most that this server takes")
    assert not [url for url in page.asked if url.endswith("/answer")]


def test_it_works_without_a_network_and_asks_nobody_else(page, sounds, address):
    give(page, sounds / "hello.wav", sounds / "meeting.flac")
    assert page.said == []
    assert {url for url in page.asked if not url.startswith(("data:", "blob:"))} == {
        address,
        f"{address}static/page.css",
        f"{address}static/page.js",
        f"{address}answer",
    }


def test_another_model_is_chosen(browser, bundle, sounds, tmp_path_factory):
    existence = write_bundle(tmp_path_factory.mktemp("second") / "existence", small_existence())
    with running([bundle, existence], hub=True) as address:
        page = browser.new_page()
        page.set_default_timeout(120_000)
        page.goto(address)
        page.get_by_label("Model").select_option(str(existence))
        card = give(page, sounds / "hello.wav").first
        expect(card).to_contain_text(f"{existence}: mlee, trained on crema_d")
        expect(card.locator(".bars thead")).not_to_contain_text("dominant")
        page.get_by_label("or one on the hub").fill("no/../name")
        expect(give(page, sounds / "hello.wav").first.locator(".error")).to_contain_text("unknown model")
        page.close()


def test_silence_is_told_as_such(page, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    card = give(page, tmp_path / "silent.wav").first
    expect(card.locator(".verdict")).to_have_text(NO_SPEECH)
    expect(card.locator(".bars")).to_have_count(0)


@pytest.fixture(scope="module")
def shown(bundle, sounds, tmp_path_factory):
    """The model and the recordings that pictures for docs/ show: MLEE_MODEL, and speech of the DEMO corpus. Otherwise the small ones."""
    if not SCREENSHOTS:
        return bundle, [sounds / "hello.wav", sounds / "meeting.flac"]
    release = make_demo_release(tmp_path_factory.mktemp("demo") / "release", utterances_per_speaker=4, scripted_per_speaker=0)
    clips = sorted(release.rglob("*.wav"))[-8:]
    folder = tmp_path_factory.mktemp("shown")
    shutil.copy(clips[0], folder / "hello.wav")
    parts = [soundfile.read(clip, dtype="float32") for clip in clips]
    soundfile.write(folder / "meeting.wav", np.concatenate([samples for samples, _ in parts]), parts[0][1])
    return os.environ["MLEE_MODEL"], [folder / "hello.wav", folder / "meeting.wav"]


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_cut_off(browser, shown, width):
    model, files = shown
    with running([model], hub=True) as address:
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(address)
        give(page, *files)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS, f"serve_{width}.png"), full_page=True)
        page.close()
