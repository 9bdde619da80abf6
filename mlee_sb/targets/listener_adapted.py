"""The target of a classifier that is adapted to each listener (Ando et al. 2021)."""

from mlee_sb.targets.annotators import AnnotatorTarget


class ListenerAdaptedTarget(AnnotatorTarget):
    """What each listener heard, learnt by one classifier that is told who listens; the answer is the mean over the listeners.

    Ando, Mori, Kobashikawa and Toda 2021, "Speech emotion recognition based on listener adaptive models", ICASSP.
    """

    name = classifier = "listener_adapted"
