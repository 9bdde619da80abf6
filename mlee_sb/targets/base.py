"""The base of all targets: the labels that a stage learns from votes, their class weights, the loss, and the output of the model."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mlee_sb.errors import InputError, choose
from mlee_sb.plugins import TARGETS, load_plugin, registered
from mlee_sb.targets.outputs import DENSE, Output

if TYPE_CHECKING:
    from torch import Tensor

DOMINANT, ALL = "dominant", "all"  # train sets
TRAIN_SETS = (DOMINANT, ALL)
MIN_VOTES = "min_annotator_votes"  # the setting: judgements of the training set that an annotator needs to be learnt
MEMBERS = ("name", "output", "labels", "class_weights", "loss", "weight")
WORDS = {bool: "True or False", int: "a whole number", float: "a number", list: "a list", str: "text", Mapping: "settings by name"}


@dataclass(frozen=True)
class Setting:
    """The values that a setting of an hparams file may have.

    Attributes
    ----------
    kind : bool, int, float (an int will do), str, list or Mapping
    above, least, below : a number must be greater than `above`, not less than `least`, and less than `below`; None allows all
    choices : the words that are allowed; () allows all
    optional : whether None is allowed
    """

    kind: type
    above: float | None = None
    least: float | None = None
    below: float | None = None
    choices: Sequence[str] = ()
    optional: bool = False

    def check(self, name: str, value, file: str | Path) -> None:
        """Raise an InputError that names file, setting and value if the value is not allowed."""
        if value is None and self.optional:
            return
        kind = int | float if self.kind is float else self.kind
        if not isinstance(value, kind) or (isinstance(value, bool) and self.kind is not bool):  # True is an int, too
            raise InputError(f"{file}: {name} is {value!r}, and must be {WORDS[self.kind]}")
        if self.choices:
            choose(value, self.choices, name)
        number = value if self.kind in (int, float) else 1
        bounds = {
            "above {:g}": (self.above, operator.gt),
            "{:g} or more": (self.least, operator.ge),
            "below {:g}": (self.below, operator.lt),
        }
        bounds = {words: bound for words, bound in bounds.items() if bound[0] is not None}
        if not math.isfinite(number) or not all(holds(number, limit) for limit, holds in bounds.values()):
            bounds = [words.format(limit) for words, (limit, _) in bounds.items()]
            raise InputError(f"{file}: {name} is {value!r}, and must be {' and '.join(bounds) or 'finite'}")


class Target:
    """The base class of a target. A package adds a target through an entry point in the group ``mlee_sb.targets``.

    Attributes
    ----------
    name : the name of its entry point
    output : what the K numbers of a model with this target mean
    settings : the settings in an hparams file that belong to this target only: name -> allowed values
    one_train_set : the only train set, for a target that uses the same utterances for both; "" for a target with two different ones
    class_weights_shift : whether class weights shift the posterior to rare emotions, so that they are divided out of it to undo them;
        False where they only say how much an utterance counts
    classifier : the kind of classifier that it needs (`mlee_sb.models.classifiers`)
    all_outputs : whether its loss takes what the classifier returns with ``all_outputs=True``, and not its logits [batch, K]; not with the
        dense classifier, which has no other output
    needs_annotators : whether it learns the votes of each annotator, and not their numbers. A corpus without names of annotators is
        refused, and the setting ``min_annotator_votes``, which must be one of its own, says whose votes it gets
    """

    name: ClassVar[str]
    output: ClassVar[Output]
    settings: ClassVar[Mapping[str, Setting]] = {}
    one_train_set: ClassVar[str] = ""
    class_weights_shift: ClassVar[bool] = True
    classifier: ClassVar[str] = DENSE
    all_outputs: ClassVar[bool] = False
    needs_annotators: ClassVar[bool] = False

    def labels(self, dominant: Sequence[str], votes: np.ndarray, settings: Mapping) -> tuple[np.ndarray, np.ndarray]:
        """Make the labels of n utterances from their votes.

        Parameters
        ----------
        dominant : code of the dominant emotion of each utterance, ``""`` where there is none
        votes : [n, K], how many voted for each emotion. A target that needs annotators gets [n, M, 3] instead: for each vote the number
            of the annotator, the number of the emotion, and its share. An annotator with several labels for an utterance shares 1 among
            them. Utterances with fewer votes than M are filled up with votes whose share is 0
        settings : settings of the stage: ``emotions`` (K codes), ``min_votes``, and those of this target

        Returns
        -------
        labels : [n, K], or of another shape [n, ...] that its loss takes
        usable : bool [n], False for an utterance that this target cannot use
        """
        raise NotImplementedError

    def class_weights(self, labels: np.ndarray, dominant: Sequence[str], settings: Mapping) -> np.ndarray:
        """Return the class weights of the loss.

        Parameters
        ----------
        labels, dominant, settings : as for `labels`, for the utterances that a stage learns from

        Returns
        -------
        np.ndarray
            [K] with a softmax output, [K, 2] (absent, present) with a sigmoid output

        Raises
        ------
        InputError
            if an emotion has no example
        """
        raise NotImplementedError

    def loss(self, logits: Tensor, labels: Tensor, class_weights: Tensor) -> Tensor:
        """Return the loss of each utterance [batch] from logits [batch, K] and labels [batch, K].

        With `all_outputs`, `logits` is the tensor [batch, ...] that the classifier returns for it.
        """
        raise NotImplementedError

    def weight(self, labels: Tensor, class_weights: Tensor) -> Tensor:
        """Return the weight of each utterance [batch] in a mean of the loss that is weighted by class."""
        raise NotImplementedError

    def examples(self, labels: Tensor) -> Tensor:
        """Return how many examples each utterance counts as in a plain mean of the loss [batch]: 1, where a target does not say more."""
        return labels.new_ones(len(labels))

    def training_labels(
        self, train_set: str, dominant: Sequence[str], votes: np.ndarray, settings: Mapping
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return labels, and which utterances a stage may learn from.

        Parameters
        ----------
        train_set : ``"dominant"`` keeps only utterances with a dominant target emotion, ``"all"`` keeps all that the target can use
        dominant, votes, settings : as for `labels`

        Returns
        -------
        labels : float32 [n, K], or another shape [n, ...]
        usable : bool [n]

        >>> settings = {"emotions": ["neu", "hap"], "min_votes": 2, "full_votes": 1}
        >>> find_target("existence").training_labels("dominant", ["neu", ""], np.array([[2, 1], [1, 1]]), settings)[1].tolist()
        [True, False]
        """
        labels, usable = self.labels(dominant, votes, settings)
        if train_set == DOMINANT:
            usable = usable & np.isin(np.asarray(dominant, dtype=object), list(settings["emotions"]))
        return labels.astype(np.float32), usable

    def training_class_weights(self, labels: np.ndarray, dominant: Sequence[str], settings: Mapping) -> np.ndarray:
        """Return the class weights for the training of a stage; all are 1 if its setting `class_weights` is False."""
        weights = self.class_weights(labels, dominant, settings)
        return weights if settings["class_weights"] else np.ones_like(weights)


def find_target(name: str) -> Target:
    """Return the target that is registered under a name.

    Raises
    ------
    InputError
        if there is no such target, or what is registered is not a target: the message names the class and what is missing or wrong

    >>> find_target("soft").output.name
    'softmax'
    """
    kind = load_plugin(TARGETS, name, "target")
    where = f"target {name!r} ({kind.__module__}.{kind.__qualname__})"
    if not inspect.isclass(kind) or not issubclass(kind, Target):
        raise InputError(f"{where}: must be a subclass of mlee_sb.targets.Target")
    for member in MEMBERS:
        found = getattr(kind, member, None)
        if found is None or found is getattr(Target, member, None):
            raise InputError(f"{where}: has no {member}: a target needs {', '.join(MEMBERS)}")
    if not isinstance(kind.output, Output) or kind.name != name:
        raise InputError(f"{where}: its output must be one of mlee_sb.targets.OUTPUTS, and its name {name!r} as in the entry point")
    _check_needs(kind, where)
    return kind()


def _check_needs(kind: type[Target], where: str) -> None:
    """Refuse a target whose members do not go together, which its training would tell in its first step, or after its last."""
    if kind.all_outputs and kind.classifier == DENSE:
        raise InputError(f"{where}: all_outputs is True, and its classifier {DENSE!r} has K logits only: give it another kind")
    if kind.needs_annotators and MIN_VOTES not in kind.settings:
        raise InputError(f"{where}: needs_annotators is True, so its settings must have {MIN_VOTES!r}: Setting(int, above=0)")


def target_names(output: Output | None = None, classifier: str | None = None) -> list[str]:
    """Return the names of the registered targets, sorted: of those with this output, and with this kind of classifier, if they are given.

    >>> from mlee_sb.targets.outputs import SIGMOID
    >>> target_names(SIGMOID)
    ['existence']
    """
    wanted = {name: value for name, value in (("output", output), ("classifier", classifier)) if value is not None}
    if not wanted:
        return list(registered(TARGETS))
    return [target.name for target in usable_targets() if all(getattr(target, name) == value for name, value in wanted.items())]


def usable_targets() -> list[Target]:
    """Return all registered targets that can be used: a package with a damaged one does not stop the others."""
    return [target for name in registered(TARGETS) if (target := _usable(name))]


def _usable(name: str) -> Target | None:
    try:
        return find_target(name)
    except InputError:
        return None
