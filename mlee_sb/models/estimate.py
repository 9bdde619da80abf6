"""What a model takes to hear a second of audio, estimated from its settings before anything is computed: they may come from a stranger."""

from torch import nn

from mlee_sb.errors import InputError
from mlee_sb.models.config import LARGEST_AUDIO

MOST_NUMBERS = 2**26  # that are there at one time, 256 MB; the paper's encoder has about a tenth of them
MOST_PRODUCTS = 2**34  # some seconds of one core; the paper's encoder has about 1 % of them


def check_estimate(what: str, numbers: int, products: int = 0) -> None:
    """Refuse settings with which a second of audio takes more than that of any honest model.

    Parameters
    ----------
    what : the beginning of the message: the settings, and their values
    numbers : that are there at one time
    products : that are computed

    Raises
    ------
    InputError
        if there are more than `MOST_NUMBERS` or `MOST_PRODUCTS`
    """
    for found, most, word in ((numbers, MOST_NUMBERS, "numbers in memory"), (products, MOST_PRODUCTS, "products")):
        if found > most:
            raise InputError(f"{what}: a second of audio would take {found:,} {word}, and at most {most:,} are allowed")


def check_model(model: nn.Module) -> None:
    """Refuse an `EmotionModel` that could not answer a test tone in little memory and time. It may be on the meta device.

    Raises
    ------
    InputError
        if its sample rate or shortest waveform is no number of any model, or as `check_estimate`
    """
    for name in ("sample_rate", "min_samples"):
        if not isinstance(value := getattr(model, name), int) or not 1 <= value <= LARGEST_AUDIO:
            raise InputError(f"{name} is {value!r:.40}, and must be a whole number from 1 to {LARGEST_AUDIO:,}")
    for encoder in model.encoders:
        check_estimate(f"{encoder.settings}", *encoder.work(max(model.sample_rate, model.min_samples)))
    for head in (model.classifier, *([model.presence.classifier] if model.presence else [])):
        if hasattr(head, "work"):  # others compute no more than their weights, whose size is checked
            check_estimate(f"{head.settings}", *head.work())
