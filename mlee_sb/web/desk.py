"""Where answers are made: a few at a time, of recordings that are not too long."""

from collections.abc import Iterator, Sequence
from threading import BoundedSemaphore

from mlee_sb.errors import InputError, NoAttention
from mlee_sb.inference.answers import Prediction
from mlee_sb.inference.classifier import EmotionClassifier
from mlee_sb.inference.timeline import Timeline
from mlee_sb.models.waveforms import seconds_of
from mlee_sb.web.limits import Limits
from mlee_sb.web.models import Model
from mlee_sb.web.recordings import Recording
from mlee_sb.web.schema import Attention


class Desk:
    """Makes answers for several threads: `limits.at_once` of them at the same time, the others wait."""

    def __init__(self, limits: Limits):
        self.limits, self.turn = limits, BoundedSemaphore(limits.at_once)

    def classify(self, model: Model, recordings: Sequence[Recording], **asked) -> list[Prediction | InputError]:
        """Predict recordings of up to two minutes. Return the predictions in their order, an error in the place of one that there is not.

        Parameters
        ----------
        **asked : see `mlee_sb.inference.answers.Asked`

        Raises
        ------
        InputError
            if an argument is out of its range
        """
        with self.turn:
            return list(model.classifier.predict_many([one.path for one in recordings], on_error="return", **asked))

    def attention(self, model: Model, recording: Recording) -> list[Attention]:
        """Compute where each encoder of a model looks, for those that can tell."""
        with self.turn:
            return list(_attention(model.classifier, recording))

    def timeline(self, model: Model, recording: Recording, window: float, hop: float, **asked) -> Timeline:
        """Predict the emotions over a long recording.

        Parameters
        ----------
        window, hop : in seconds
        **asked : see `mlee_sb.inference.answers.Asked`

        Raises
        ------
        InputError
            if the recording cannot be used or is too long, or an argument is out of its range
        """

        def check_length(seconds: float) -> None:
            if seconds > self.limits.seconds:
                raise InputError(f"{recording.path}: longer than {self.limits.minutes:g} min, the most that this server takes: cut it")

        check_length(seconds_of(recording.path))  # by its header, which may be wrong: so also while it is read
        with self.turn:
            return model.classifier.timeline(recording.path, window, hop, on_progress=check_length, **asked)


def _attention(classifier: EmotionClassifier, recording: Recording) -> Iterator[Attention]:
    for encoder in range(len(getattr(classifier.model, "encoders", []))):
        try:
            seconds, weights = classifier.attention_file(recording.path, encoder)
        except NoAttention:
            continue
        yield Attention(encoder=encoder, seconds=seconds.tolist(), weights=weights.tolist())
