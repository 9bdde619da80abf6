"""The plots of the report: every label can be read, whatever the emotions and rows are called, in light and in dark."""

import re
from itertools import combinations

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.text import Text

from mlee_sb import fonts
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.report.page import write_report
from mlee_sb.evaluation.report.plots import MARKERS, all_plots
from mlee_sb.evaluation.report.style import COLOURS, Plot
from mlee_sb.evaluation.report.tables import all_tables
from mlee_sb.targets import TRAIN_SETS

from .fabricated import fabricate
from .test_report import figure

QUICK = {"resamples": 20}
SEVEN = ["neutral", "happiness", "sadness", "frustration", "excitement", "disappointment", "surprise"]
LONG_ROW = "mlee_fusion_soft@encoder=pretrained,learn_layers=2,upstream=openai_whisper-base"


def found_of(folder, emotions, **how) -> dict:
    return evaluate(fabricate(folder, emotions=emotions, folds=(1, 2), **how), **QUICK)


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    return found_of(tmp_path_factory.mktemp("four"), ["neu", "hap", "sad", "ang"], rows=["dominant_soft", LONG_ROW], train_sets=["all"])


@pytest.fixture(scope="module")
def seven(tmp_path_factory):
    return found_of(tmp_path_factory.mktemp("seven"), SEVEN, rows=["dominant_hard", "dominant_soft", "mlee", LONG_ROW])


@pytest.fixture(scope="module")
def plots_of_four(four):
    return all_plots(four)


@pytest.fixture(scope="module")
def plots_of_seven(seven):
    return all_plots(seven)


def boxes(plot: Plot) -> dict[Text, np.ndarray]:
    """Return the corners of each text that is drawn, in pixels: left, bottom, right, top."""
    canvas = FigureCanvasAgg(plot.figure)
    canvas.draw()
    axes = [axis for ax in plot.figure.axes for axis in (ax.xaxis, ax.yaxis)]
    # matplotlib keeps labels of ticks that it does not draw: beyond the limits, or of a panel that is switched off
    all_ticks = {text for axis in axes for tick in axis.get_major_ticks() for text in (tick.label1, tick.label2)}
    drawn_ticks = {tick.label1 for axis in axes if axis.axes.axison for tick in axis._update_ticks()}
    texts = [text for text in plot.figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    return {text: text.get_window_extent(canvas.get_renderer()).extents for text in texts if text not in all_ticks or text in drawn_ticks}


def faults_of(plot: Plot) -> list[str]:
    """Return which labels overlap, and which are cut off by the edge of the picture."""
    width, height = plot.figure.bbox.size
    drawn = list(boxes(plot).items())
    cut = [text.get_text() for text, (left, bottom, right, top) in drawn if min(left, bottom, width - right, height - top) < 0]
    both = [
        f"{one.get_text()} | {other.get_text()}"
        for (one, a), (other, b) in combinations(drawn, 2)
        if min(a[2], b[2]) - max(a[0], b[0]) > 1 and min(a[3], b[3]) - max(a[1], b[1]) > 1
    ]
    return cut + both


@pytest.mark.parametrize("plots", ["plots_of_four", "plots_of_seven"])
def test_no_label_covers_another_and_none_is_cut(plots, request):
    faults = {plot.key: faults_of(plot) for plot in request.getfixturevalue(plots)}
    assert faults.keys() > {"forest", "forest_sets", "forest_sets_2", "forest_posteriors", "confusions", "reliability", "curves"}
    assert not {key: found for key, found in faults.items() if found}


def test_each_score_that_a_row_has_is_drawn_once_with_its_interval_and_a_row_that_lacks_it_is_not(seven, plots_of_seven):
    forests = [plot for plot in plots_of_seven if plot.key.startswith("forest")]
    panels = [ax for plot in forests for ax in plot.figure.axes]
    shown = [ax.get_xlabel().split("\n")[0].removesuffix(" in %") for ax in panels]
    there = {name for cell in seven["cells"] for name in cell["pooled"]}
    assert sorted(shown) == sorted(SCORES[name].title for name in there)
    for ax, name in zip(panels, [name for title in shown for name, score in SCORES.items() if score.title == title], strict=True):
        found = [cell["pooled"][name]["value"] for cell in seven["cells"] if name in cell["pooled"]]
        drawn = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() in MARKERS]
        assert drawn == pytest.approx([(100 if SCORES[name].percent else 1) * value for value in found])
        assert ("lower is better" in ax.get_xlabel()) != SCORES[name].higher_is_better


def test_each_plot_stands_below_a_table_of_the_report(seven, plots_of_seven):
    assert {plot.table for plot in plots_of_seven} <= {table.key for table in all_tables(seven)}


def test_labels_of_figure_3_stand_apart_also_for_many_rows_with_long_names():
    one = figure(names=("hard", LONG_ROW, f"{LONG_ROW}, encoder 2", "MLEE", "a", "b", "c"))
    assert faults_of(one.plot) == []
    assert len(one.plot.figure.axes) == 2 + 7


def test_the_legend_of_the_forest_covers_nothing_and_knows_every_colour(plots_of_seven):
    plot = plots_of_seven[0]
    canvas = FigureCanvasAgg(plot.figure)
    canvas.draw()
    (legend,) = plot.figure.legends
    box = legend.get_window_extent(canvas.get_renderer())
    for ax in plot.figure.axes:
        assert ax.get_legend() is None and not box.overlaps(ax.get_tightbbox(canvas.get_renderer()))
    explained = {text.get_text(): to_hex(line.get_color()) for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)}
    assert {f"train set {name}": colour for name, colour in zip(TRAIN_SETS, COLOURS, strict=False)}.items() <= explained.items()
    drawn = {to_hex(line.get_color()) for ax in plot.figure.axes for line in ax.get_lines()}
    assert drawn == set(explained.values())


def test_a_picture_is_the_same_file_each_time_and_has_colours_for_a_dark_screen(four, plots_of_four):
    once = [plot.svg for plot in plots_of_four]
    assert once == [plot.svg for plot in all_plots(four)]
    for svg in once:
        style = re.search(r"<style>@media \(prefers-color-scheme:dark\)\{(.*?)\}</style>", svg, re.DOTALL)[1]
        assert 'stroke: #1b1f24"]{stroke:#e6e9ec' in style and "fill: #1b1f24" in svg


def a_font(path, characters: str) -> None:
    """Write a font in which each of some characters is a square."""
    pen = TTGlyphPen(None)
    for place, draw in zip([(0, 0), (0, 700), (700, 700), (700, 0)], [pen.moveTo, pen.lineTo, pen.lineTo, pen.lineTo], strict=True):
        draw(place)
    pen.closePath()
    square = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "square"])
    builder.setupCharacterMap({ord(character): "square" for character in characters})
    builder.setupGlyf({".notdef": square, "square": square})
    builder.setupHorizontalMetrics({".notdef": (800, 0), "square": (800, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Squares of a test", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def installed(monkeypatch):
    """Say which font files the system has."""

    def install(*paths):
        monkeypatch.setattr(fonts, "findSystemFonts", lambda: [str(path) for path in paths])
        fonts._system_fonts.cache_clear()

    known = list(fonts.fontManager.ttflist)
    yield install
    fonts._system_fonts.cache_clear()
    fonts.fontManager.ttflist[:] = known


def test_a_font_of_the_system_that_has_the_characters_is_found_and_used(tmp_path, installed):
    a_font(tmp_path / "squares.ttf", "喜怒")
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    installed(tmp_path / "broken.ttf", tmp_path / "squares.ttf")
    assert fonts.font_families("neu 喜怒") == (["DejaVu Sans", "Squares of a test"], "")
    assert fonts.font_families("neu") == (["DejaVu Sans"], ""), "no font is looked for that is not needed"
    found = found_of(tmp_path, ["喜", "怒", "neu"], rows=["dominant_soft"], train_sets=["all"])
    page = write_report(found, tmp_path / "report").read_text(encoding="utf-8")
    assert "boxes are shown" not in page and "Noto Sans CJK JP" in page


def test_where_no_font_has_a_character_the_report_says_which_and_what_to_do(tmp_path, installed):
    installed()
    found = found_of(tmp_path, ["喜", "neu", "hap"], rows=["dominant_soft"], train_sets=["all"])
    output = write_report(found, tmp_path / "report").parent
    for name in ("report.html", "report.md"):
        text = (output / name).read_text(encoding="utf-8").replace("\\", "")
        assert "In plots, boxes are shown for 喜" in text and "install a font" in text


def test_a_name_is_never_read_as_a_formula(tmp_path):
    found = found_of(tmp_path, ["$\\frac$", "neu", "hap"], rows=["mlee", "$x^{$"], train_sets=["all"])
    assert all_plots(found)[0].key == "forest"
