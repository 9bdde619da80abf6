"""The emotions with more than 1 / K of the posterior: the decision that scores count, whatever calibration makes of the posterior."""

from types import SimpleNamespace

import numpy as np
import pytest

from mlee_sb.inference.answers import Asked, make_predictions
from mlee_sb.inference.timeline import as_dict, columns_of
from mlee_sb.targets import SIGMOID, SOFTMAX

EMOTIONS = ["neu", "hap", "sad"]
LOGITS = np.log([[0.5, 0.4, 0.1], [1 / 3, 1 / 3, 1 / 3]])


class Sharper:
    """A calibration that leaves one emotion."""

    presence = None

    def posterior(self, logits):
        return SOFTMAX.probabilities(20 * logits)

    def candidates(self, probabilities, coverage):
        return probabilities > 0.3


def predictions(output, calibration=None, presence=None):
    model = SimpleNamespace(emotions=EMOTIONS, output=output, calibration=calibration, demo=False)
    return make_predictions(model, LOGITS, presence, Asked(), [1.0, 1.0], [1.0, 1.0], ["a", "b"])


@pytest.mark.parametrize("calibration", [None, Sharper()], ids=["as it is", "calibrated"])
def test_the_posterior_before_calibration_decides(calibration):
    clear, even = predictions(SOFTMAX, calibration)
    assert clear.above_chance == ("neu", "hap") and even.above_chance == ()
    assert columns_of(clear, EMOTIONS)["above_chance"] == "neu hap" and as_dict(even)["above_chance"] == ()


def test_a_model_of_existence_alone_has_no_posterior_to_decide_on():
    said = predictions(SIGMOID, presence=LOGITS)[0]
    assert said.above_chance is None and columns_of(said, EMOTIONS)["above_chance"] == ""
