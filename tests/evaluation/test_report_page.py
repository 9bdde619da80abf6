"""The report in a real browser: it renders, needs nothing from anywhere, fits its window, its tables sort and its sound plays."""

import os
from pathlib import Path

import pytest
from browsers import chromium, needs_chromium

from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.report.page import write_report

from .fabricated import fabricate
from .test_report import figure
from .test_report_plots import LONG_ROW, SEVEN

WIDTHS, SMALL_SCREEN = (390, 700, 1200, 1600), 700
LIGHT, DARK = "rgb(255, 255, 255)", "rgb(20, 24, 29)"

SCREENSHOTS, RESULTS = os.environ.get("MLEE_SCREENSHOTS"), os.environ.get("MLEE_RESULTS")

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return evaluate(fabricate(tmp_path_factory.mktemp("results")), resamples=100)


@pytest.fixture(scope="module")
def file(found, tmp_path_factory):
    return write_report(found, tmp_path_factory.mktemp("page") / "report", [figure(1), figure(2, ID="b_02")])


@pytest.fixture
def page(browser, file):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(0)  # a busy machine may take its time; the test itself is given some
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    page.goto(file.as_uri())
    yield page
    page.close()


def column(page, number: int, table: str = "#table3") -> list[str]:
    return page.locator(f"{table} tbody tr td:nth-child({number})").all_inner_texts()


def test_it_renders_without_an_error_and_asks_for_nothing_but_itself(page, file):
    assert page.said == []
    assert [url for url in page.asked if not url.startswith("data:")] == [file.as_uri()]
    sizes = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
    assert len(sizes) == 11 + 2 and min(sizes) > 300, "plots, and figure 3 of two utterances"
    assert all(page.eval_on_selector_all("img", "images => images.map(image => image.alt)"))


def test_a_person_sorts_a_table_by_click_and_by_keyboard(page, found):
    header, before = page.locator("#table3 th").nth(3), column(page, 4)
    button = header.locator("button")
    values = sorted((cell["pooled"]["wa"]["value"] for cell in found["cells"]), reverse=True)
    assert header.get_attribute("aria-sort") == "none"
    button.click()
    assert header.get_attribute("aria-sort") == "descending"
    shown = [text for text in column(page, 4) if "[" in text and "listener" not in text]
    best_first = [float(text.split()[0]) for text in column(page, 4)]
    assert best_first == sorted(best_first, reverse=True) and sorted(column(page, 4)) == sorted(before)
    assert f"{100 * values[0]:.1f}" in {text.split()[0] for text in shown[:3]}
    button.focus()
    page.keyboard.press("Enter")
    assert header.get_attribute("aria-sort") == "ascending"
    worst_first = [float(text.split()[0]) for text in column(page, 4)]
    assert worst_first == sorted(worst_first)
    page.locator("#table3 th button").nth(0).click()
    assert header.get_attribute("aria-sort") == "none" and column(page, 1) == sorted(column(page, 1), key=str.lower)


def test_numbers_sort_as_numbers_and_empty_cells_come_last_either_way(page):
    button = page.locator("#comparisons th button").nth(5)
    for turn in (1, -1):
        button.click()
        differences = [float(text.split()[0]) for text in column(page, 6, "#comparisons")]
        assert differences == sorted(differences, reverse=turn == 1)
    share = page.locator("#table3 th button").nth(6)
    for _ in range(2):
        share.click()
        assert column(page, 7)[-2:] == ["–", "–"]


def test_the_sound_can_be_played(page):
    page.wait_for_function("[...document.querySelectorAll('audio')].every(sound => sound.readyState >= 1)")
    durations = page.eval_on_selector_all("audio", "sounds => sounds.map(sound => sound.duration)")
    assert durations == pytest.approx([1.0, 1.0], abs=0.01)


@pytest.fixture(scope="module")
def wide_file(tmp_path_factory):
    """A report with seven long names of emotions and a row with a long name."""
    folder = tmp_path_factory.mktemp("wide")
    found = evaluate(fabricate(folder, rows=["dominant_soft", "mlee", LONG_ROW], folds=(1, 2), emotions=SEVEN), resamples=20)
    command = f"mlee report /data/results/{'x' * 200} --primary wa"
    return write_report(found, folder / "report", [figure(ID="an_id_without_an_end" * 9)], command=command)


@pytest.fixture
def wide_page(browser, wide_file):
    page = browser.new_page(viewport={"width": WIDTHS[0], "height": 500})
    page.set_default_timeout(0)
    page.goto(wide_file.as_uri())
    yield page
    page.close()


def test_tables_and_plots_scroll_inside_their_box_and_the_page_never_does(wide_page):
    of_boxes = "all => all.map(box => [box.getBoundingClientRect().right, box.clientWidth, box.scrollWidth])"
    for width in WIDTHS:
        wide_page.set_viewport_size({"width": width, "height": 900})
        assert wide_page.evaluate("document.documentElement.scrollWidth") <= width
        boxes = wide_page.eval_on_selector_all(".scroll, figure", of_boxes)
        assert all(right <= width for right, _, _ in boxes)
        if width <= SMALL_SCREEN:
            assert any(inside > shown for _, shown, inside in boxes), "something is wider than the window, and can be scrolled to"
        small = wide_page.eval_on_selector_all("img", "all => all.map(image => image.clientWidth / image.naturalWidth)")
        assert min(small) > 0.6, "labels in plots are not made too small to read"


def test_headers_and_names_of_rows_stay_in_sight_while_a_table_scrolls(wide_page):
    places = """box => {
        const at = what => box.querySelector(what).getBoundingClientRect(), edge = box.getBoundingClientRect();
        return [at('th').top - edge.top, at('td').left - edge.left];
    }"""
    wide_page.set_viewport_size({"width": SMALL_SCREEN, "height": 500})
    box = wide_page.locator("#ambiguity .scroll")
    before = box.evaluate(places)
    box.evaluate("box => box.scrollTo(80, 60)")
    assert box.evaluate("box => [box.scrollLeft, box.scrollTop]") == [80, 60] and box.evaluate(places) == before


def test_a_dark_screen_gets_a_dark_page_with_dark_plots_and_paper_a_light_one(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    corner = """
        (async () => {
            const image = document.querySelector('img'), canvas = document.createElement('canvas');
            const copy = new Image(); copy.src = image.src; await copy.decode();
            canvas.width = 9; canvas.height = 9;
            canvas.getContext('2d').drawImage(copy, 0, 0, 9, 9, 0, 0, 9, 9);
            return [...canvas.getContext('2d').getImageData(2, 2, 1, 1).data.slice(0, 3)];
        })()"""
    for media, scheme, expected in (("screen", "light", LIGHT), ("screen", "dark", DARK), ("print", "dark", LIGHT)):
        page.emulate_media(media=media, color_scheme=scheme)
        assert page.evaluate(ground) == expected
        if media == "screen":
            assert f"rgb({', '.join(map(str, page.evaluate(corner)))})" == expected


def test_paper_has_whole_tables_and_no_buttons(page):
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert page.evaluate("getComputedStyle(document.querySelector('.scroll')).overflow") == "visible"
    assert page.evaluate("getComputedStyle(document.querySelector('thead button'), '::after').display") == "none"
    page.set_viewport_size({"width": 1030, "height": 700})  # A4 across, less its margins
    wide = page.eval_on_selector_all("table, img", "all => Math.max(...all.map(one => one.getBoundingClientRect().right))")
    assert wide <= 1030


@pytest.mark.skipif(not (SCREENSHOTS and RESULTS), reason="writes a picture for docs/ where MLEE_SCREENSHOTS and MLEE_RESULTS name folders")
def test_the_report_is_photographed(browser, tmp_path):
    file = write_report(evaluate(RESULTS), tmp_path / "report", command=f"mlee report {Path(RESULTS).name}")
    page = browser.new_page(viewport={"width": 1200, "height": 1500})
    page.goto(file.as_uri())
    page.screenshot(path=Path(SCREENSHOTS, "report.png"))
    page.close()
