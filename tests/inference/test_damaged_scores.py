"""scores.json and the card of a bundle: damaged, or of a stranger, they end in a line that names them."""

import json

import pytest
from bundles import copy_of, write_bundle

from mlee_sb.errors import InputError
from mlee_sb.inference.card import write_card
from mlee_sb.inference.hub import Place
from mlee_sb.inference.model_facts import facts
from mlee_sb.inference.publish import first_wrong_figure

FOLD = {"n": 7, "n_all": 8, "wa": 0.5, "ua": 0.25}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("scored") / "model")


@pytest.fixture
def bundle(written, tmp_path):
    return copy_of(written, tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "entry"),
    [
        ({"n": None}, "n"),
        ({"n_all": "8"}, "n_all"),
        ({"wa": [1]}, "wa"),
        ({"ua": 3}, "ua"),
        ({"recall": {"neu": "x"}}, "recall.neu"),
        ({"recall": {"=cmd()": 0.5}}, "recall"),
        ({"existence": [1]}, "existence"),
        ({"intervals": {"ua": 1}}, "intervals.ua"),
        ({"intervals": {}}, "confidence"),
        ({"calibrated": {"coverage": {"x": {"share": 1, "mean_size": 1}}}}, "calibrated.coverage"),
        ({"cross_validated": None}, "cross_validated"),
        ({"trained_on": {}}, "trained_on"),
        ({"folds": "x"}, "folds"),
    ],
)
def test_a_wrong_entry_is_an_error_for_info_and_for_the_card(change, entry, bundle):
    (bundle / "scores.json").write_text(json.dumps(FOLD | change))
    for read in (lambda: facts(Place(bundle, bundle)), lambda: write_card(bundle)):
        with pytest.raises(InputError, match=rf"scores\.json: .*{entry}"):
            read()


def test_scores_without_the_number_of_utterances_are_refused(bundle):
    (bundle / "scores.json").write_text(json.dumps({name: value for name, value in FOLD.items() if name != "n"}))
    with pytest.raises(InputError, match="n is missing beside n_all"):
        write_card(bundle)


@pytest.mark.parametrize("head", ["[", "a: &a [*a"])
def test_a_card_with_a_head_that_cannot_be_read_is_told(head):
    assert "cannot be read" in first_wrong_figure(f"---\n{head}\n---\ntext", FOLD)


def test_names_are_escaped_in_a_card(bundle):
    config = json.loads((bundle / "config.json").read_text())
    (bundle / "scores.json").unlink(missing_ok=True)
    config["labels"]["corpus"] = "a|b<script>`"
    (bundle / "config.json").write_text(json.dumps(config))
    text = write_card(bundle).read_text().split("---", 2)[2]
    assert r"a\|b\<script\>\`" in text and "<script>" not in text
