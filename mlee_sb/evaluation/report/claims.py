"""The comparisons of the report: what was claimed beforehand, what is only explored, and what that shows."""

from mlee_sb.evaluation import paper
from mlee_sb.evaluation.comparisons import POWER, ROUNDING
from mlee_sb.evaluation.metrics import SCORES
from mlee_sb.evaluation.report.entries import (
    NOTHING,
    Entry,
    Table,
    estimate_entry,
    names_of,
    p_entry,
    shown_as,
    text_entry,
    title_of,
)

P = "how probable a difference of this size or a larger one would be if there were none in truth"


def comparisons(found: dict) -> Table:
    """Return the claims that were declared beforehand: of the paper, each MLEE row against dominant recognition with its target."""
    claims, n = _claims(found), found["declared"]["claims"]
    rows = [
        [*_compared(claim), p_entry(claim["p"]), p_entry(claim["p_holm"]), _detectable(claim), text_entry(_units(claim))]
        for claim in claims
    ]
    score, level = SCORES[found["primary"]].title, 1 - found["bootstrap"]["confidence"]
    notes = [
        f"{n} claims are declared{_before(found)}: {_what_is_claimed(found)} {score}. The corrected p counts all of them (Holm), also "
        f"those that are missing here or cannot be tested. A difference is sure where the corrected p is below {level:g}.",
        *declared_words(found),
        *_chosen_words(found),
        f"Differences are {_scale_of(found['primary'])}. p and interval come from one t test: difference / standard error, where the "
        "standard error is found by leaving out one unit at a time (jackknife). Units are the speakers, or the folds where these give the "
        "larger standard error, because the speakers of a fold are judged by one trained model. The degrees of freedom (df) are always "
        "those of the fewer units. Intervals are not corrected.",
        *_detectable_words(claims, found["primary"], level, n),
        verdict(found),
    ]
    header = ["row", "target", "train set", "against", "score", "difference", "p", "p, corrected", "detectable gain", "units"]
    terms = {
        "difference": _difference_words(claims),
        "p": P,
        "p, corrected": f"the same, made larger because {n} claims are tested at once: this is the one to judge by",
        "detectable gain": "the smallest true gain that these speakers would probably have shown",
        "units": "what the test counts as independent, and its degrees of freedom",
    }
    of_the_paper = ": MLEE pre-training and fusion against dominant recognition" if found["declared"]["of_the_paper"] else ""
    return Table("comparisons", f"Declared claims{of_the_paper}", header, rows, notes, terms)


def exploratory(found: dict) -> Table:
    """Return all other comparisons, from which nothing can be concluded."""
    others = [comparison for comparison in found["comparisons"] if not comparison["declared"]]
    rows = [[*_compared(comparison), p_entry(comparison["p"]), text_entry(_units(comparison))] for comparison in others]
    notes = [
        "These comparisons were not declared beforehand, and are not corrected for their number: of twenty such lines without any true "
        "difference, one is expected to have p below 0.05. They may suggest what to test next, on other speakers. They prove nothing.",
    ]
    if found["class_weights_undone"]:
        notes.append("With the class weights undone no claim is declared: the claims are about the decisions as trained.")
    header = ["row", "target", "train set", "against", "score", "difference", "p, uncorrected", "units"]
    other = "" if found["class_weights_undone"] else "other "
    terms = {"difference": _difference_words(others), "p, uncorrected": P}
    return Table("exploratory", f"Exploratory: all {other}differences between rows", header, rows, notes, terms)


def verdict(found: dict) -> str:
    """Return what the declared claims show, in a sentence or two."""
    tested = [claim for claim in _claims(found) if claim["p_holm"] is not None]
    if not tested:
        return found["why_no_intervals"] or "None of the claims can be tested: one of the emotions comes from too few speakers."
    sure = [claim for claim in tested if claim["p_holm"] < 1 - found["bootstrap"]["confidence"]]
    if not sure:
        return "After correction, none of the claims is sure: with these speakers, no row can be called better than its baseline."
    return f"After correction, these claims are sure: {'; '.join(map(_in_words, sure))}." + (
        " The other claims are not sure." if len(sure) < len(tested) else ""
    )


def _claims(found: dict) -> list[dict]:
    return [comparison for comparison in found["comparisons"] if comparison["declared"]]


def _compared(comparison: dict) -> list[Entry]:
    score, baseline = SCORES[comparison["score"]].title, title_of(comparison["baseline"])
    difference = estimate_entry(comparison["difference"], shown_as(comparison["score"], signed=True))
    return [*names_of(comparison), text_entry(baseline), text_entry(score), difference]


def _detectable(claim: dict) -> Entry:
    gain = claim["detectable"]
    return text_entry(NOTHING) if gain is None else Entry(shown_as(claim["score"])(gain), gain)


def _units(comparison: dict) -> str:
    return NOTHING if comparison["units"] is None else f"{comparison['units']} ({comparison['df']} df)"


def declared_words(found: dict) -> list[str]:
    """Return when the claims were declared, how much was finished then, and what was declared of the same comparison before."""
    declared = found["declared"]
    if _always_declared(found):
        return []
    said = [f"The comparison {declared['name']} declared them on {declared['date']}, {_when(declared)}."]
    if declared["finished"]:
        said.append("If their figures were seen, these are not claims, and nothing here is sure.")
    if before := declared["before"]:
        listed = "; ".join(f"on {one['date']} {one['claims']} claims about {SCORES[one['primary']].title}, {_when(one)}" for one in before)
        said.append(f"It had declared something else before: {listed}. What is declared anew after figures were seen is no claim.")
    return said


def _when(declared: dict) -> str:
    if not declared["finished"]:
        return f"before any of its {declared['stages']} stages was finished"
    return f"when {declared['finished']} of its {declared['stages']} stages were finished"


def _always_declared(found: dict) -> bool:
    """Tell whether the claims are those that this package declares of the paper's table, whoever trains it and when."""
    declared = found["declared"]
    return declared["of_the_paper"] and declared["primary"] == paper.PRIMARY and not declared["before"]


def _before(found: dict) -> str:
    return " before the figures are seen" if _always_declared(found) or not found["declared"]["finished"] else ""


def _what_is_claimed(found: dict) -> str:
    if found["declared"]["of_the_paper"]:
        return "MLEE pre-training, alone and in the fusion, changes"
    return "each row differs from its baseline in"


def _chosen_words(found: dict) -> list[str]:
    """Return who chose the score of the claims, where it is not the declared one."""
    if found["primary"] == found["declared"]["primary"]:
        return []
    chosen, declared = (SCORES[name].title for name in (found["primary"], found["declared"]["primary"]))
    return [
        f"The person who made this report chose that the claims are about {chosen} and not about {declared}. If that was after figures "
        "were seen, these are not claims, and nothing here is sure."
    ]


def _difference_words(comparisons: list[dict]) -> str:
    lower = sorted({SCORES[c["score"]].title for c in comparisons if not SCORES[c["score"]].higher_is_better})
    return "score of the row less that of the row in the column against, with its interval: above 0 the row is better" + (
        f", in {' and '.join(lower)} below 0" * bool(lower)
    )


def _scale_of(name: str) -> str:
    return "in percentage points" if SCORES[name].percent else "on the scale of the score"


def _detectable_words(claims: list[dict], primary: str, level: float, n: int) -> list[str]:
    """Return how large a true gain must be to be found, and how exactly that is known."""
    found = [claim for claim in claims if claim["detectable"] is not None]
    too_large = sum(claim["detectable"] is None and (claim["error"] or 0) >= ROUNDING for claim in claims)
    none = [f"For {too_large} of the claims, not even the largest gain could be found: there are too few folds or speakers."] * bool(
        too_large
    )
    if not found:
        return none
    least, most = (shown_as(primary)(end(claim["detectable"] for claim in found)) for end in (min, max))
    points = " points" if SCORES[primary].percent else ""
    unsure = max((2 * claim["df"]) ** -0.5 for claim in found)
    return [
        f"Detectable gain: the smallest true gain that a test at {level:g} / {n} finds in {POWER:.0%} of test sets like this "
        f"one, here {least} to {most}{points}. It is about (t at half that level + t at {POWER:.0%}) x standard error, "
        f"and as uncertain as the standard error: by about {unsure:.0%}. A smaller gain may be true and not be found.",
        *none,
    ]


def _in_words(comparison: dict) -> str:
    name, difference = comparison["score"], comparison["difference"]["value"]
    score = SCORES[name]
    better = "better" if (difference > 0) == score.higher_is_better else "worse"
    row, baseline = title_of(comparison["row"]), title_of(comparison["baseline"])
    size = f"{shown_as(name)(abs(difference))}{' points' if score.percent else ''}"
    return f"{row} ({comparison['train_set']}) is {better} than {baseline} in {score.title} by {size}"
