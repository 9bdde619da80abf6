"""Speech emotion recognition that learns from the votes of several annotators (MLEE, Ando et al., Interspeech 2019)."""

__version__ = "0.1.0"
