"""What is known of a score beside its formula: how it is called, read, and compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlee_sb.evaluation.metrics.decisions import has_dominant
from mlee_sb.evaluation.predictions import Predictions
from mlee_sb.targets import Output

Groups = Callable[[Predictions], np.ndarray]  # predictions -> bool [n] or [n, m]


@dataclass(frozen=True)
class Score:
    """A score by name.

    Attributes
    ----------
    title : as tables print it
    meaning : what it tells, for somebody who does not know it
    of : (predictions, weights [r, n]) -> [r]
    theme : what it is about, one of `THEMES`: scores of one theme stand in one table
    higher_is_better : direction
    percent : whether people read it in percent
    needs : the output whose probabilities it scores, or one like it; None where every output has it
    counted : predictions -> bool [n], the utterances that it is about
    by_emotion : for a mean over the emotions, in which a rare one counts as much as a frequent one: predictions -> bool [n, m], the m
        groups of utterances that decide its terms; None for other scores
    widest : the largest difference that two models can have
    """

    title: str
    meaning: str
    of: Callable[[Predictions, np.ndarray], np.ndarray]
    theme: str
    higher_is_better: bool = True
    percent: bool = True
    needs: Output | None = None
    counted: Groups = has_dominant
    by_emotion: Groups | None = None
    widest: float = 1.0

    def defined_for(self, predictions: Predictions) -> bool:
        """Return whether a stage with these predictions has the score at all.

        A head has no score of existence: it repeats the existence of the encoder that it stands on.
        """
        return self.known_to(predictions.output)

    def known_to(self, output: Output) -> bool:
        """Return whether a model with this output has the score."""
        return self.needs is None or isinstance(output, type(self.needs))

    def groups(self, predictions: Predictions) -> np.ndarray:
        """Return the groups of utterances that decide the score, bool [n, m]: one, or those of `by_emotion` that are not empty."""
        if self.by_emotion is None:
            return self.counted(predictions)[:, None]
        groups = self.by_emotion(predictions)
        return groups[:, groups.any(axis=0)]

    def same_emotions(self, predictions: Predictions, parts: Sequence[np.ndarray]) -> bool:
        """Return whether the score is a mean over the same emotions in each of some parts (bool [n]) of the utterances as in all."""
        return self.by_emotion is None or all(self.groups(predictions)[rows].any(axis=0).all() for rows in parts)
