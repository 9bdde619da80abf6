"""Write the report: one HTML file that needs no other file, a Markdown file with its plots beside it, a table in LaTeX, and all numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from mlee_sb.disk import check_writable
from mlee_sb.errors import InputError, printable_lines
from mlee_sb.evaluation import paper
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.report.attention import AttentionFigure
from mlee_sb.evaluation.report.entries import Table, between, paper_names
from mlee_sb.evaluation.report.latex import latex_table
from mlee_sb.evaluation.report.plots import all_plots, drawn_names
from mlee_sb.evaluation.report.style import COLOURS, FAINT, INK, ON_DARK, PAPER, SOFT
from mlee_sb.evaluation.report.tables import all_tables
from mlee_sb.files import write_json, written_beside
from mlee_sb.fonts import what_is_missing
from mlee_sb.targets.hard import HardTarget
from mlee_sb.version import __version__

HTML, MARKDOWN, NUMBERS, PLOTS = "report.html", "report.md", "report.json", "plots"
LATEX = ".tex"  # after the name of the comparison
LONG = 60  # characters of an entry that may be broken into lines
HASH_SHOWN = 12  # digits of a hash that people compare
MEANT_IN_MARKDOWN = "\\`*_{}[]<>#|$~"
WITH_WEIGHTS = "as trained, with class weights"


@dataclass(frozen=True)
class Section:
    """A table and the plots that belong to it, as the page shows them."""

    table: Table
    plots: list


@dataclass(frozen=True)
class Made:
    """When and with what the report was made, and the command that makes it again ("" where none does)."""

    date: str
    version: str
    command: str


CSS_COLOURS = {"paper": PAPER, "ink": INK, "soft": SOFT, "line": FAINT, "accent": COLOURS[0]}


def write_report(
    found: dict, output: str | Path, attention: Sequence[AttentionFigure] = (), no_attention: str = "", command: str = ""
) -> Path:
    """Write the report, whole or not at all. Replace an older report at `output`.

    Parameters
    ----------
    found : as `mlee_sb.evaluation.evaluate.evaluate` returns it
    output : folder to write: report.html, report.md with plots/, table3.tex (or that of another comparison), report.json
    attention : figure 3, a figure for each utterance
    no_attention : why there is no figure 3, or which rows are not in it
    command : what makes the report again, for its reader; "" where it was made from Python

    Returns
    -------
    Path
        the HTML file

    Raises
    ------
    InputError
        as `check_output`
    """
    output = Path(output)
    check_output(output)
    made = Made(datetime.now(UTC).date().isoformat(), __version__, command)
    plots = all_plots(found)
    sections = [Section(table, [plot for plot in plots if plot.table == table.key]) for table in all_tables(found)]
    context = {
        "found": found,
        "facts": _facts(found, made),
        "command": command,
        "colours": CSS_COLOURS,
        "on_dark": ON_DARK,
        "long": LONG,
        "sections": sections,
        "attention": list(attention),
        "no_attention": no_attention,
        "plots_folder": PLOTS,
    }
    with written_beside(output) as beside:
        (beside / PLOTS).mkdir(parents=True)
        (beside / HTML).write_text(_render("report.html.j2", context, escape=True), encoding="utf-8")
        (beside / MARKDOWN).write_text(_render("report.md.j2", context, escape=False), encoding="utf-8")
        (beside / f"{found['declared']['name']}{LATEX}").write_text(latex_table(found), encoding="utf-8")
        write_json(beside / NUMBERS, {**found, "made": asdict(made)})
        for plot in [*plots, *(figure.plot for figure in attention)]:
            (beside / PLOTS / f"{plot.key}.svg").write_text(plot.svg, encoding="utf-8")
    return output / HTML


def check_output(output: Path) -> None:
    """Check that a report can be written to a folder, and that nothing else than an older report is replaced.

    Raises
    ------
    InputError
        if `output` is a file, or a folder that holds other things, or its disk refuses to write
    """
    check_writable(output.parent)
    if output.exists() and (not output.is_dir() or (any(output.iterdir()) and not (output / NUMBERS).is_file())):
        raise InputError(f"{output}: holds something that is not a report, and it would be replaced: give another --output")


def _facts(found: dict, made: Made) -> list[tuple[str, str]]:
    """Return what was evaluated, when and with what, as pairs of a name and words for a person."""
    seeds = sorted({seed for cell in found["cells"] for seed in cell["seeds"]})
    bootstrap = found["bootstrap"]
    intervals = f"{100 * bootstrap['confidence']:g}%, {bootstrap['resamples']} resamples of the speakers, seed {bootstrap['seed']}"
    decisions = "at the frequencies of the training set (class weights undone)" if found["class_weights_undone"] else WITH_WEIGHTS
    claims = (
        f"none: they are about decisions {WITH_WEIGHTS}; all comparisons are exploratory"
        if found["class_weights_undone"]
        else f"about {SCORES[found['primary']].title}; all other comparisons are exploratory"
    )
    return [
        ("corpus", found["corpus"]),
        ("emotions", " ".join(found["emotions"])),
        ("folds", " ".join(map(str, found["folds"])) + "".join(f"; left out: {words}" for words in found["left_out"])),
        ("seeds", " ".join(map(str, seeds))),
        ("training utterances", _training_sets(found)),
        ("test utterances", f"{found['n_all']}, of which {found['n']} with a dominant emotion, of {found['n_speakers']} speakers"),
        ("intervals", found["why_no_intervals"] or intervals),
        *(("caution", words) for words in [*found["cautions"], *_missing_fonts(drawn_names(found))]),
        ("claims", claims),
        ("decisions", decisions),
        ("protocol", found["protocol_hash"][:HASH_SHOWN]),
        ("method", f"{paper.CITATION}."),
        ("made", f"{made.date} with mlee_sb {made.version}"),
    ]


def _training_sets(found: dict) -> str:
    """Return how large the training sets are: for each train set, the fewest and the most utterances of a model.

    Hard targets are apart: whatever the train set, they learn from utterances with a dominant emotion only.
    """
    sizes: dict[str, list] = {}
    for cell in found["cells"]:
        name = "hard targets" if paper_names(cell["row"])[1] == HardTarget.name else cell["train_set"]
        sizes.setdefault(name, []).extend(stage["training"] for stage in cell["trained"])
    known = {name: values for name, values in sizes.items() if any(values)}
    return "; ".join(f"{name}: {between(values).text}" for name, values in known.items()) or "not noted by these models"


def _missing_fonts(text: str) -> list[str]:
    """Return that plots cannot show some characters, where no font of this machine has them."""
    sentence = what_is_missing(text)
    return [f"In plots, {sentence} and make the report again."] * bool(sentence)


def _render(template: str, context: dict, escape: bool) -> str:
    environment = Environment(
        autoescape=escape, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, finalize=_shown
    )
    environment.filters["markdown"] = markdown_escape
    source = (files("mlee_sb.evaluation.report") / "templates" / template).read_text(encoding="utf-8")
    return environment.from_string(source).render(context)


def _shown(value: object) -> object:
    """Return a value as a page shows it. An annotator or a corpus may have any name, and whoever prints the page to a terminal sees it."""
    is_markup = hasattr(value, "__html__")  # what the template itself marked as safe
    return printable_lines(value) if isinstance(value, str) and not is_markup else value


def markdown_escape(text: str) -> str:
    r"""Return text as Markdown must have it to show it, also in a table.

    >>> markdown_escape("a|b_c\nd")
    'a\\|b\\_c d'
    """
    return "".join(f"\\{character}" if character in MEANT_IN_MARKDOWN else character for character in text).replace("\n", " ")
