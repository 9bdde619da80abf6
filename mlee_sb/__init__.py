"""Speech emotion recognition that learns from the votes of several annotators (MLEE, Ando et al., Interspeech 2019)."""

from mlee_sb.version import __version__

__all__ = ["EmotionClassifier", "Sound", "__version__", "train"]


def __getattr__(name: str):
    """Import torch only when a model is used or trained: preparing a corpus needs none."""
    if name == "EmotionClassifier":
        from mlee_sb.inference.classifier import EmotionClassifier

        return EmotionClassifier
    if name == "Sound":
        from mlee_sb.inference.audio_input import Sound

        return Sound
    if name == "train":
        from mlee_sb.experiment.train import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
