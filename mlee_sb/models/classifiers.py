"""The classifiers that a bundle can hold, by their kind. config.json names the kind beside the settings of the classifier.

Each has the entries ``embedding_size`` and ``n_emotions`` in its `settings`, and returns logits [batch, K] for embeddings. One with
further outputs takes ``all_outputs=True``, and then returns what the loss of its target is computed from.
"""

from collections.abc import Mapping

from torch import nn

from mlee_sb.errors import InputError
from mlee_sb.models.annotator_heads import AnnotatorHeads
from mlee_sb.models.dense_classifier import DenseClassifier
from mlee_sb.models.listener_adapted import ListenerAdapted
from mlee_sb.models.multitask_classifier import MultitaskClassifier
from mlee_sb.targets.outputs import DENSE

KIND = "kind"  # entry of config.json
CLASSIFIERS: dict[str, type[nn.Module]] = {
    DENSE: DenseClassifier,
    "annotator_heads": AnnotatorHeads,
    "listener_adapted": ListenerAdapted,
    "multitask": MultitaskClassifier,
}


def kind_of(classifier: type[nn.Module]) -> str | None:
    """Return the kind of a class of classifiers; None for a class that no bundle can hold.

    >>> kind_of(DenseClassifier)
    'dense'
    """
    return next((kind for kind, known in CLASSIFIERS.items() if known is classifier), None)


def describe_classifier(classifier: nn.Module) -> dict:
    """Return the kind and the settings of a classifier. `build_classifier` makes it again from them, without its weights.

    The kind of a `DenseClassifier` is left out, as in bundles of versions that knew no other.

    Raises
    ------
    InputError
        if no bundle can hold a classifier of this class
    """
    kind = kind_of(type(classifier))
    if kind is None:
        known = ", ".join(found.__name__ for found in CLASSIFIERS.values())
        raise InputError(f"classifier: {type(classifier).__name__}: a bundle holds one of {known}, and no other class")
    return {**({} if kind == DENSE else {KIND: kind}), **classifier.settings}


def build_classifier(described: Mapping) -> nn.Module:
    """Build the classifier that `describe_classifier` described, with new weights.

    Raises
    ------
    InputError
        if its kind is not known
    """
    settings = dict(described)
    kind = settings.pop(KIND, DENSE)
    if not isinstance(kind, str) or kind not in CLASSIFIERS:
        raise InputError(f"classifier: there is no kind {kind!r:.40} (known: {', '.join(CLASSIFIERS)}): install a newer mlee_sb")
    return CLASSIFIERS[kind](**settings)
