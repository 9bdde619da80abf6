"""Card and info of a model say whose utterances calibrated it."""

import pytest
from bundles import copy_of

from mlee_sb.calibration import CROSS, SPEAKERS, VALIDATION
from mlee_sb.files import read_json, write_json
from mlee_sb.inference.card import write_card
from mlee_sb.inference.hub import Place
from mlee_sb.inference.model_facts import facts


@pytest.mark.parametrize("method", [None, VALIDATION, CROSS])
def test_card_and_info_say_whose_utterances_calibrated_a_model(bundle, tmp_path, method):
    model = copy_of(bundle, tmp_path / "model")
    config = read_json(model / "config.json", "")
    noted = {name: value for name, value in config["calibration"].items() if name != "method"}
    write_json(model / "config.json", {**config, "calibration": {**noted, **({"method": method} if method else {})}})
    words = f"5 {SPEAKERS[method or VALIDATION]}"
    assert facts(Place(model, model))["calibrated"] == f"on 100 utterances of {words}"
    assert f"100 utterances with a dominant emotion of {words}" in write_card(model).read_text()
