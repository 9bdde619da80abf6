"""Predict many recordings: those of like length are computed together, and the predictions come in the order of the recordings."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from torch import Tensor

from mlee_sb.errors import InputError
from mlee_sb.inference.answers import MIN_SPEECH, Prediction
from mlee_sb.inference.audio_input import Sound
from mlee_sb.inference.predictor import Predictor
from mlee_sb.models.waveforms import pad

POOL = 512  # recordings that are sorted by length together
BATCH_SECONDS = {"cpu": 12, "cuda": 240}  # of a batch, padding included: a larger batch does not fit into the cache of a CPU
RAISE, RETURN = ON_ERROR = ("raise", "return")


def predict_sounds(
    predictor: Predictor,
    sounds: Iterable[Sound],
    batch_size: int,
    on_error: str,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Iterator[Prediction | InputError]:
    """Yield the prediction of each recording, in their order.

    Parameters
    ----------
    predictor : makes the predictions
    sounds : any number of recordings; they are taken `POOL` at a time
    batch_size : recordings that are computed together, at most
    on_error : `RAISE` the error of a recording that cannot be used, or `RETURN` it in the place of its prediction
    on_progress : called after each batch with the number of its recordings
    """
    sounds, most_seconds = iter(sounds), BATCH_SECONDS[predictor.device.split(":")[0]]
    while pool := list(islice(sounds, POOL)):
        found: list[Prediction | InputError | None] = [None] * len(pool)
        for batch in batches_of_like_length([sound.rough_seconds() for sound in pool], batch_size, most_seconds):
            for i, prediction in _predict_batch(predictor, {i: pool[i] for i in batch}):
                if on_error == RAISE and isinstance(prediction, InputError):
                    raise prediction
                found[i] = prediction
            on_progress(len(batch))
        yield from found


def batches_of_like_length(seconds: list[float], batch_size: int, most_seconds: float) -> Iterator[list[int]]:
    """Yield the indices of recordings in batches, the longest recordings first.

    The longest come first because the shorter ones then fit into the memory that is already there.

    Parameters
    ----------
    seconds : the length of each recording
    batch_size : recordings of a batch, at most
    most_seconds : of a batch with its padding, at most; a longer recording is a batch of its own

    >>> list(batches_of_like_length([1.0, 3.0, 2.0, 9.0], batch_size=2, most_seconds=8))
    [[3], [1, 2], [0]]
    """
    batch: list[int] = []
    for i in sorted(range(len(seconds)), key=seconds.__getitem__, reverse=True):
        if batch and (len(batch) == batch_size or seconds[batch[0]] * (len(batch) + 1) > most_seconds):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


def _predict_batch(predictor: Predictor, sounds: dict[int, Sound]) -> Iterator[tuple[int, Prediction | InputError]]:
    """Yield (number, prediction or error) of each numbered recording; only those with speech are computed, together."""
    with_speech: list[tuple[int, Tensor, float]] = []
    for number, sound in sounds.items():
        try:
            waveform = predictor.load(sound)
        except InputError as error:
            yield number, error
            continue
        speech = predictor.share_of_speech(waveform)  # an error here is of the gate, not of this recording: it is raised
        if speech < MIN_SPEECH:
            yield number, predictor.without_speech(waveform, speech)
        else:
            with_speech.append((number, waveform, speech))
    if with_speech:
        numbers, waveforms, speech = zip(*with_speech, strict=True)
        names = [sounds[number].name for number in numbers]
        yield from zip(numbers, predictor.predict_batch(*pad(list(waveforms)), speech, names), strict=True)
