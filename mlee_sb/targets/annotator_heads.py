"""The target with one head for each annotator (Davani, Díaz and Prabhakaran 2022)."""

from mlee_sb.targets.annotators import AnnotatorTarget


class AnnotatorHeadsTarget(AnnotatorTarget):
    """What each annotator heard, learnt by a head of their own on a shared layer; the answer is the mean over the heads.

    Davani, Díaz and Prabhakaran 2022, "Dealing with disagreements: looking beyond the majority vote in subjective annotations",
    Transactions of the Association for Computational Linguistics 10.
    """

    name = classifier = "annotator_heads"
