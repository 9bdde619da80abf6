"""The figures that Ando et al. (Interspeech 2019) report for IEMOCAP, in percent, and how their tables name the rows."""

from mlee_sb.evaluation.declared import Declaration, Pair
from mlee_sb.targets import TRAIN_SETS
from mlee_sb.targets.base import DOMINANT

CITATION = (
    "A. Ando, R. Masumura, H. Kamiyama, S. Kobashikawa and Y. Aono: Speech Emotion Recognition based on Multi-Label Emotion Existence "
    "Model. Proceedings of Interspeech 2019, Graz, pages 2818 to 2822"
)

CORPUS = "iemocap"
EMOTIONS = ("neu", "hap", "sad", "ang")

ROWS = {
    "dominant_hard": ("Dominant recognition", "hard"),
    "dominant_soft": ("Dominant recognition", "soft"),
    "mlee": ("MLEE only", "-"),
    "mlee_pretrain_hard": ("MLEE pre-training", "hard"),
    "mlee_pretrain_soft": ("MLEE pre-training", "soft"),
    "mlee_fusion_hard": ("MLEE pre-training fusion", "hard"),
    "mlee_fusion_soft": ("MLEE pre-training fusion", "soft"),
}
"""Rows of table 3 in its order: title and target."""

ONE_FOR_BOTH = ("dominant_hard",)
"""Rows whose stage is the same for both train sets, because a hard target uses only utterances with a dominant emotion."""

TABLE_1 = {
    "dominant": {"neu": 58.2, "hap": 15.4, "sad": 30.5, "ang": 15.9},
    "all": {"neu": 45.2, "hap": 24.0, "sad": 19.8, "ang": 17.8},
}
"""Share of the utterances of each set in which an emotion exists."""

TABLE_3 = {
    "dominant_hard": {"dominant": (59.5, 61.6), "all": (59.5, 61.6)},
    "dominant_soft": {"dominant": (62.5, 62.9), "all": (64.4, 63.9)},
    "mlee": {"dominant": (66.3, 60.9), "all": (64.4, 64.0)},
    "mlee_pretrain_hard": {"dominant": (62.7, 62.6), "all": (65.6, 63.0)},
    "mlee_pretrain_soft": {"dominant": (64.3, 62.3), "all": (64.6, 64.4)},
    "mlee_fusion_hard": {"dominant": (63.4, 62.9), "all": (65.1, 63.9)},
    "mlee_fusion_soft": {"dominant": (64.4, 63.7), "all": (66.1, 65.4)},
}
"""WA and UA of each row with each train set."""

BASELINES = {
    "mlee": "dominant_soft",
    "mlee_pretrain_hard": "dominant_hard",
    "mlee_pretrain_soft": "dominant_soft",
    "mlee_fusion_hard": "dominant_hard",
    "mlee_fusion_soft": "dominant_soft",
    "dominant_soft": "dominant_hard",
}
"""The row with which each row is compared: does existence help, with the same target? And do soft targets?"""

DECLARED = ("mlee_pretrain_hard", "mlee_pretrain_soft", "mlee_fusion_hard", "mlee_fusion_soft")
"""Rows whose difference from their baseline is a claim that is declared before the figures are seen. With both train sets these are
eight claims, tested together. Every other comparison is exploratory. [choice]"""

PRIMARY = "ua"
"""The one score that the claims are about. WA is mostly about the most frequent emotion. [choice]"""

NAME = "table3"
"""The name of the comparison that trains the rows of table 3."""

DECLARATION = Declaration(
    NAME,
    PRIMARY,
    tuple(
        Pair(row, train_set, baseline, DOMINANT if baseline in ONE_FOR_BOTH else train_set, claimed=row in DECLARED)
        for row, baseline in BASELINES.items()
        for train_set in TRAIN_SETS
    ),
)
"""What the report compares where nothing else was declared beside the results."""


def why_no_figures(corpus: str, emotions: list[str], demo: bool) -> str:
    """Return why the paper's figures do not stand beside those of this corpus; "" where they do."""
    if demo:
        return "DEMO: the paper's figures are for IEMOCAP, and this is generated speech"
    if corpus != CORPUS:
        return f"the paper's figures are for IEMOCAP, and this is {corpus}"
    if tuple(emotions) != EMOTIONS:
        return f"the paper's figures are for the emotions {' '.join(EMOTIONS)}, and these are {' '.join(emotions)}"
    return ""
