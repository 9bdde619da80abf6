"""An evaluation file in the format of IEMOCAP: what all listeners said about the utterances of a dialog."""

from collections.abc import Iterable

from mlee_sb.corpora.base import OTHER
from mlee_sb.demo.annotators import Vote
from mlee_sb.demo.plan import Turn

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"

LABELS = {
    "neu": "Neutral",
    "hap": "Happiness",
    "sad": "Sadness",
    "ang": "Anger",
    "exc": "Excited",
    "fru": "Frustration",
    "sur": "Surprise",
    OTHER: "Other",
}
"""The names of the emotions in the lines of votes."""


def evaluation_file(turns: Iterable[Turn]) -> str:
    """Return the text of the evaluation file of a dialog."""
    return "\n\n".join([HEADER, *("\n".join(_block(turn)) for turn in turns)]) + "\n"


def vote_line(vote: Vote) -> str:
    r"""Return the line with the categories of a vote.

    >>> vote_line(Vote("E2", ("neu", "fru")))
    'C-E2:\tNeutral; Frustration;\t()'
    >>> vote_line(Vote("E4", ("oth",), "curious"))
    'C-E4:\tOther;\t(curious)'
    """
    return f"C-{vote.annotator}:\t{' '.join(f'{LABELS[code]};' for code in vote.codes)}\t({vote.comment})"


def _block(turn: Turn) -> list[str]:
    judgement = turn.judgement
    # The dimensions of the summary are the mean over the evaluators, without the speaker's own rating.
    ratings = [rating for rating in judgement.ratings if rating.annotator.startswith("E")]
    means = [sum(getattr(r, name) for r in ratings) / len(ratings) for name in ("valence", "activation", "dominance")]
    return [
        f"[{turn.start:.4f} - {turn.start + turn.seconds:.4f}]\t{turn.id}\t{judgement.dominant}\t[{', '.join(f'{m:.4f}' for m in means)}]",
        *(vote_line(vote) for vote in (*judgement.votes, judgement.self_report)),
        *(f"A-{r.annotator}:\tval {r.valence}; act {r.activation}; dom  {r.dominance};\t()" for r in judgement.ratings),
    ]
