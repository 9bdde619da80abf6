"""Where answers are made, of recordings that are not too long."""

from collections.abc import Iterator, Sequence

from mlee_sb.errors import InputError, NoAttention
from mlee_sb.inference.answers import Prediction
from mlee_sb.inference.audio_input import Sound
from mlee_sb.inference.classifier import EmotionClassifier
from mlee_sb.inference.timeline import Timeline
from mlee_sb.models.waveforms import seconds_of
from mlee_sb.web.limits import Limits
from mlee_sb.web.models import Model
from mlee_sb.web.recordings import Recording
from mlee_sb.web.schema import Attention
from mlee_sb.web.turns import Check


class Desk:
    """Makes answers, step by step: before each step, `check` raises if nobody waits for the answer any more."""

    def __init__(self, limits: Limits):
        self.limits = limits

    def classify(self, model: Model, recordings: Sequence[Recording], check: Check, **asked) -> list[Prediction | InputError]:
        """Predict recordings of up to two minutes. Return the predictions in their order, an error in the place of one that there is not.

        Parameters
        ----------
        **asked : see `mlee_sb.inference.answers.Asked`, and ``channel``

        Raises
        ------
        InputError
            if an argument is out of its range
        """
        paths = [one.path for one in recordings]
        return list(model.classifier.predict_many(paths, on_error="return", on_progress=lambda files: check(), **asked))

    def attention(self, model: Model, recording: Recording, check: Check, channel: int | None = None) -> list[Attention]:
        """Compute where each encoder of a model looks in a recording, or in one of its channels, for those that can tell."""
        check()
        return list(_attention(model.classifier, Sound(recording.path, channel=channel)))

    def timeline(self, model: Model, recording: Recording, window: float, hop: float, check: Check, **asked) -> Timeline:
        """Predict the emotions over a long recording.

        Parameters
        ----------
        window, hop : in seconds
        **asked : see `mlee_sb.inference.answers.Asked`, and ``channel``

        Raises
        ------
        InputError
            if the recording cannot be used or is too long, or an argument is out of its range
        """

        def check_length(seconds: float) -> None:
            check()
            if seconds > self.limits.seconds:
                raise InputError(f"{recording.path}: longer than {self.limits.minutes:g} min, the most that this server takes: cut it")

        check_length(seconds_of(recording.path))  # by its header, which may be wrong: so also while it is read
        return model.classifier.timeline(recording.path, window, hop, on_progress=check_length, **asked)


def _attention(classifier: EmotionClassifier, sound: Sound) -> Iterator[Attention]:
    for encoder in range(len(getattr(classifier.model, "encoders", []))):
        try:
            seconds, weights = classifier.attention_file(sound, encoder)
        except NoAttention:
            continue
        yield Attention(encoder=encoder, seconds=seconds.tolist(), weights=weights.tolist())
