"""How plots of the report look: sizes, colours for paper and for a dark screen, fonts, and the file that they become."""

import base64
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from mlee_sb.fonts import font_families, width_of

WIDTH = 9.0  # inches of a plot, at most
PIXELS = 114  # of a page for an inch
DOTS = 130  # an inch, of what is no line and no text: the spectrogram
SMALL = 8  # points, of labels
COLUMN = 0.068  # inches: how wide a character of that size is
LINE = 0.155  # inches from one line of that size to the next

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito 2008: colour-blind people tell them apart
PAPER, INK, SOFT, FAINT = "#ffffff", "#1b1f24", "#5b6570", "#d9dee3"
ON_DARK = {PAPER: "#14181d", INK: "#e6e9ec", SOFT: "#a0aab4", FAINT: "#3a424b", COLOURS[0]: "#4ba3db"}
"""What takes the place of a colour on a dark screen. The page has the same colours."""


@dataclass(frozen=True)
class Plot:
    """A picture of the report.

    Attributes
    ----------
    key : its name in links and files
    table : the key of the table below which it stands; "" for a picture of its own
    title : what it is
    alt : in words what it shows, for people who cannot see it
    figure : what was drawn
    svg : the picture as a file. It changes its colours on a dark screen
    """

    key: str
    table: str
    title: str
    alt: str
    figure: Figure
    svg: str

    @property
    def pixels(self) -> int:
        """Its width on a page: labels are a little smaller than the text there."""
        return round(self.figure.get_figwidth() * PIXELS)

    @property
    def data_uri(self) -> str:
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


@contextmanager
def style_for(text: str) -> Iterator[None]:
    """Draw with the colours of the page, and with fonts that have the characters of `text`. Names are never read as formulas."""
    families, _ = font_families(text)
    ink = {f"{what}.color": INK for what in ("text", "xtick", "ytick")}
    grounds = {f"{what}.facecolor": PAPER for what in ("figure", "axes", "savefig")}
    lines = {"axes.edgecolor": SOFT, "axes.labelcolor": INK, "grid.color": FAINT, "legend.edgecolor": FAINT}
    of_svg = {"svg.hashsalt": "mlee_sb", "svg.fonttype": "path", "svg.image_inline": True}
    with rc_context({**ink, **grounds, **lines, **of_svg, "font.family": families, "text.parse_math": False}):
        yield


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure of some inches."""
    return Figure(figsize=(width, height), dpi=DOTS, layout="constrained")


def plot_of(key: str, title: str, alt: str, figure: Figure, table: str = "") -> Plot:
    """Return a plot from what was drawn: the same file for the same figure. Call it inside of `style_for`."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the page says which characters no font has
        FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    return Plot(key, table, title, alt, figure, _with_dark_colours(buffer.getvalue()))


def wrapped(text: str, width: int) -> str:
    """Return a text in lines of at most `width` columns. A line ends after a space or a comma, else after another sign or in a word.

    >>> wrapped("MLEE only (encoder=pretrained, upstream=whisper_base)", 32)
    'MLEE only (encoder=pretrained,\\nupstream=whisper_base)'
    """
    lines = [""]
    for part in re.findall(r"[^\s,;/]*[\s,;/]?", text):
        if width_of(lines[-1] + part.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += part
        while width_of(lines[-1].rstrip()) > width:
            cut = _cut(lines[-1], width)
            lines[-1:] = [lines[-1][:cut], lines[-1][cut:]]
    return "\n".join(line.rstrip() for line in lines)


def _cut(word: str, width: int) -> int:
    """Return after how many characters a word that is too long is cut: after the last sign that fits, or where it no longer fits."""
    fits = next(n for n in range(len(word), 0, -1) if n == 1 or width_of(word[:n]) <= width)
    signs = [match.end() for match in re.finditer(r"[=@_-]", word[:fits])]
    return signs[-1] if signs else fits


def _with_dark_colours(svg: str) -> str:
    """Give a picture the colours of `ON_DARK` where the screen is dark. Programs that do not know of this show it as on paper."""
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark}!important}}' for light, dark in ON_DARK.items() for what in ("fill", "stroke")
    )
    return svg.replace("<defs>", f"<defs><style>@media (prefers-color-scheme:dark){{{rules}}}</style>", 1)
