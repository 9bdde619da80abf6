"""The names of models: short, different, and without a word of where they lie."""

from html import escape

import pytest
from bundles import write_bundle

from mlee_sb.errors import InputError
from mlee_sb.inference.box import box_in_words
from mlee_sb.web.models import Shelf, find_models
from mlee_sb.web.page import page_html

from .asking import LIMITS


@pytest.fixture
def results(tmp_path):
    """Models of two runs with the same folders below them."""
    for place in ("first/mlee/fold1/model", "first/mlee/fold2/model", "second/mlee/fold1/model"):
        write_bundle(tmp_path / place)
    return tmp_path


def named(results, *places: str) -> list[str]:
    return list(find_models([str(results / place) for place in places]))


def test_a_name_is_what_tells_models_apart(results):
    assert named(results, "first") == ["mlee/fold1", "mlee/fold2"]
    assert named(results, "first/mlee/fold1") == named(results, "first/mlee/fold1/model") == ["fold1"]
    assert named(results, "first", "second") == ["first/mlee/fold1", "mlee/fold2", "second/mlee/fold1"]
    assert named(results, "second/mlee/fold1", "first/mlee/fold1/model") == ["second/mlee/fold1", "first/mlee/fold1"]
    assert named(results, "first", "first/mlee/fold2") == ["mlee/fold1", "mlee/fold2"]


def test_a_name_on_the_hub_stays_what_it_is(results):
    sources = [str(results / "second/mlee/fold1"), "mlee/fold1"]
    assert find_models(sources) == {"fold1": sources[0], "mlee/fold1": "mlee/fold1"}
    assert list(find_models([str(results / "second"), "mlee/fold1"])) == ["second/mlee/fold1", "mlee/fold1"]


def test_a_visitor_is_not_told_where_a_broken_model_lies(results):
    shelf = Shelf(find_models([str(results / "first")]), hub=False, most=2)
    (results / "first/mlee/fold2/model/config.json").write_text("{")
    with pytest.raises(InputError, match="^mlee/fold2") as told:
        shelf.get_for_a_visitor("mlee/fold2")
    assert str(results) not in str(told.value)


def test_what_a_visitor_must_know_of_the_model_in_the_box_is_on_the_page_and_at_its_answers(results):
    words = box_in_words()
    shelf = Shelf(find_models([]), hub=False, most=1)
    assert escape(words) in page_html(shelf, LIMITS) and shelf.get().about == words
    other = Shelf(find_models([str(results / "first")]), hub=False, most=1)
    assert "in the box" not in page_html(other, LIMITS)
