"""What one would choose by the primary score: every row beside the best one, how sure that is, and what a row costs."""

from mlee_sb.evaluation.choice import ALIKE, BEST, UNTESTED, WORSE
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.report.entries import (
    NOTHING,
    Entry,
    Table,
    estimate_entry,
    names_of,
    score_entry,
    share_entry,
    shown_as,
    text_entry,
    title_of,
)

WORDS = {BEST: "best", ALIKE: "cannot be told from the best", WORSE: "worse", UNTESTED: "not tested"}
MEGABYTE = 1e6  # bytes


def choice(found: dict) -> Table:
    """Return the rows from the best to the worst by the primary score, with the share of resamples in which each is the best one."""
    rows = found["choice"]["rows"] if found["choice"] else []
    name, cells = found["primary"], {(cell["row"], cell["train_set"]): cell for cell in found["cells"]}
    title = SCORES[name].title
    shown = [
        [
            *names_of(one),
            score_entry(cells[one["row"], one["train_set"]]["pooled"], name),
            share_entry(one["best_in"]),
            text_entry(NOTHING) if one["said"] == BEST else estimate_entry(one["behind"], shown_as(name, signed=True)),
            text_entry(WORDS[one["said"]]),
            *_costs(cells[one["row"], one["train_set"]]["costs"]),
        ]
        for one in rows
    ]
    header = ["row", "target", "train set", title, "best in, %", "behind the best", "what that says", "minutes", "MB"]
    terms = {
        title: SCORES[name].meaning,
        "best in, %": "in how many resamples of the speakers the row has the best score, the same resamples for all rows",
        "behind the best": "by how much the best row is better, with an interval that is wide enough for all rows together",
        "minutes": "how long a model and the encoders that it froze trained, in the mean, on the machine that they trained on",
        "MB": "the file of the weights that a model needs, without a pretrained network below it",
    }
    return Table("choice", "What would I choose?", header, shown, [verdict(found), *_notes(found)] if rows else [], terms)


def verdict(found: dict) -> str:
    """Return which rows remain to choose from by the primary score, in a sentence or two."""
    rows, title = found["choice"]["rows"], SCORES[found["primary"]].title
    best, others = rows[0], rows[1:]
    alike = [one for one in others if one["said"] == ALIKE]
    untested = [one for one in others if one["said"] == UNTESTED]
    if untested:
        return f"By {title}, {_name(best)} is the best row here. Not every row could be tested against it, so that may be chance."
    if not others:
        return f"By {title} there is nothing to choose: only {_name(best)} has this score."
    if not alike:
        return f"By {title}, choose {_name(best)}: every other row is worse, also when one counts that it is the best of {len(rows)}."
    if len(alike) == len(others):
        return f"By {title}, {_name(best)} is the best row here, and none of the others can be told from it: choose by what else counts."
    listed = "; ".join(map(_name, alike))
    return (
        f"By {title}, {_name(best)} is the best row here, and {len(alike)} of the others cannot be told from it: {listed}. "
        f"Choose among these {len(alike) + 1} by what else counts for you: other scores, or the cost of training."
    )


def _notes(found: dict) -> list[str]:
    """Return how the table is to be read."""
    rows, level = found["choice"]["rows"], found["bootstrap"]["confidence"]
    lacking = [title_of(row) for row in found["choice"]["left_out"]]
    return [
        "The best of many rows is partly the luckiest one: on other speakers its lead will probably be smaller, and another row may lead. "
        f"So each row is tested against the best one at {1 - level:.2g} / {max(len(rows) - 1, 1)}, with the t test of the claims. Where "
        f"these tests keep their level, the truly best row is among those that are not called worse in {level:.0%} of test sets like this "
        "one. That a row is not called worse does not show that it is as good.",
        "In how many resamples a row is the best one tells how much hangs on these speakers. It does not count the luck of a single "
        "training, which more seeds make smaller, and is not the probability that a row is the best one in truth.",
        *([f"Without this score, and not in the table: {'; '.join(lacking)}."] if lacking else []),
    ]


def _costs(costs: dict) -> list[Entry]:
    seconds, size = costs["seconds"], costs["bytes"]
    return [
        text_entry(NOTHING) if seconds is None else Entry(f"{seconds / 60:.1f}", seconds),
        text_entry(NOTHING) if size is None else Entry(f"{size / MEGABYTE:.1f}", size),
    ]


def _name(one: dict) -> str:
    return f"{title_of(one['row'])} ({one['train_set']})"
