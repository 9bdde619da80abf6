"""The command line of `prepare`."""

import argparse
from collections.abc import Sequence
from functools import partial

from mlee_sb.corpora.base import corpus_names, load_corpus
from mlee_sb.corpora.options import add_flags
from mlee_sb.corpora.prepare import prepare
from mlee_sb.experiment.parser import Parser
from mlee_sb.start import exit_status


def main(arguments: Sequence[str], description: str = "", program: str | None = None) -> int:
    """Prepare a corpus as `arguments` say; return the exit status: 0, or 2 where the input cannot be used."""
    return exit_status(partial(_prepare, arguments, description, program), "stopped: nothing was written")


def _prepare(arguments: Sequence[str], description: str, program: str | None) -> int:
    given = vars(_parser(arguments, description, program).parse_args(arguments))
    prepare(given.pop("corpus"), **given)
    print(f"written to {given['output']}")
    return 0


def _parser(arguments: Sequence[str], description: str, program: str | None) -> Parser:
    parser = Parser(prog=program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", metavar="CORPUS", help=f"one of: {', '.join(corpus_names())}")
    parser.add_argument("data_folder", metavar="DATA_FOLDER", help="the folder that holds the release")
    parser.add_argument("--output", required=True, metavar="OUT", help="the folder to write the manifests to")
    parser.add_argument("--emotions", nargs="+", metavar="CODE", help="the target emotions (default: the corpus's own)")
    parser.add_argument("--min_votes", type=int, default=1, help="votes from which an emotion exists (default and paper: 1)")
    parser.add_argument(
        "--final",
        type=int,
        metavar="N",
        help="one fold without test speakers: N speakers validate and all others train. For a model that is made for use; how good it is, "
        "the folds without --final tell",
    )
    if arguments and not arguments[0].startswith("-"):  # the corpus comes first: it decides which other flags there are
        add_flags(parser, load_corpus(arguments[0]), only_given=True)
    return parser
