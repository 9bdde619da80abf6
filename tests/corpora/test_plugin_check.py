"""A corpus reader of another package that lacks something, or gives something else, is told what, before anything is written."""

from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
from releases import prepare_quietly, write_wav

from mlee_sb.corpora import options
from mlee_sb.corpora.base import Corpus, Fold, Skipped, Utterance, grouped_folds
from mlee_sb.errors import InputError


class Good(Corpus):
    """Three speakers, each with an utterance. The subclasses break one thing."""

    name, emotions, default_emotions = "good", ("neu", "hap"), ("neu", "hap")
    fields: dict = {}  # in the place of those of a good utterance

    def utterances(self):
        for speaker in "abc":
            good = {"id": speaker, "wav": f"{speaker}.wav", "speaker": speaker, "session": "", "votes": {"neu": 1}, "n_annotators": 1}
            yield Utterance(**(good | self.fields))

    def folds(self, speakers):
        return grouped_folds(speakers, 10)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Prepare the corpus of a reader class, installed under the name ``other``."""
    for speaker in "abc":
        write_wav(tmp_path / "data" / f"{speaker}.wav")

    def prepared(reader, **given):
        monkeypatch.setattr(options, "load_corpus", lambda name: reader)
        return prepare_quietly("other", tmp_path / "data", tmp_path / "out", **given)

    return prepared


@pytest.fixture
def refused(run, tmp_path):
    """The message with which `prepare` refuses a reader class."""

    def message(reader, **given) -> str:
        with pytest.raises(InputError) as caught:
            run(reader, **given)
        assert not (tmp_path / "out").exists()
        said = str(caught.value)
        assert said.startswith("corpus reader ")
        assert said.endswith("(see docs/plugin_corpus.md)")
        return said

    return message


def broken(**members) -> type[Good]:
    return type("Broken", (Good,), members)


def test_a_good_reader_is_no_problem(run):
    assert len(run(Good)["folds"]) == 3


def test_the_error_names_the_class_and_its_module(refused):
    assert refused(broken(name="")).startswith("corpus reader test_plugin_check.Broken: name is ''")


@pytest.mark.parametrize("thing", [len, Path, object(), "my_corpus:MyCorpus", None, pytest])
def test_an_entry_point_that_names_no_corpus_is_refused(refused, thing):
    assert "it is no corpus: an entry point must name a subclass of mlee_sb.corpora.base.Corpus" in refused(thing)


def test_a_reader_without_utterances_is_told(refused):
    class Lacks(Corpus):
        name, emotions, default_emotions = "lacks", ("neu", "hap"), ("neu", "hap")

        def folds(self, speakers):
            return grouped_folds(speakers, 10)

    assert "Lacks: has no utterances(): it must yield an Utterance" in refused(Lacks)


class WithoutFolds(Corpus):
    name, emotions, default_emotions = "without_folds", ("neu", "hap"), ("neu", "hap")

    def utterances(self):
        for place, speaker in enumerate("abc"):
            yield Utterance(speaker, f"{speaker}.wav", speaker, f"s{place}", {"neu": 1}, 1)


def test_a_reader_without_folds_is_told_how_to_write_them(refused):
    assert "WithoutFolds: has no folds(speakers): it must return a list of Fold, for example `def folds" in refused(WithoutFolds)


def test_a_reader_needs_no_folds_of_speakers_where_sessions_are_kept_whole(run):
    assert len(run(WithoutFolds, group="session")["folds"]) == 3


@pytest.mark.parametrize("early", [False, True])
def test_a_constructor_that_forgets_the_one_of_its_base_is_told(refused, early):
    class Forgets(Good):
        def __init__(self, data_folder, *, table: Annotated[str, "which table"] = "a.csv"):
            if early:
                self.table = self.data_folder / table

    assert "Forgets: has no data_folder: its __init__ must call super().__init__(data_folder)" in refused(Forgets)


def test_an_attribute_error_of_its_own_is_not_hidden(run):
    class Careless(Good):
        def __init__(self, data_folder):
            super().__init__(data_folder)
            self.table = self.nothing

    with pytest.raises(AttributeError, match="nothing"):
        run(Careless)


def required(self, data_folder, *, table):
    Corpus.__init__(self, data_folder)


def positional(self, data_folder, table="a.csv"):
    Corpus.__init__(self, data_folder)


def of_a_list(self, data_folder, *, tables=()):
    Corpus.__init__(self, data_folder)


@pytest.mark.parametrize(
    ("constructor", "said"),
    [
        (required, "the option table of its __init__ has no default"),
        (positional, "table of its __init__ must come after *"),
        (of_a_list, "the option tables of its __init__ is () by default: options are text or whole numbers"),
    ],
)
def test_an_option_that_no_command_line_could_give_is_told(refused, constructor, said):
    assert said in refused(broken(__init__=constructor))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"emotions": ()}, "has no emotions"),
        ({"emotions": ("neu")}, "emotions is 'neu': it must be a tuple of codes; ('neu') is no tuple, ('neu',) is one"),
        ({"emotions": None}, "emotions is None: it must be a tuple of codes"),
        ({"emotions": ("neu", 3)}, "emotions is ('neu', 3): it must be a tuple of codes"),
        ({"emotions": {"neu", "hap"}}, "it must be a tuple of codes"),
        ({"emotions": ("neu", "hap", "neu")}, "emotions has a code twice: neu, hap, neu"),
        ({"emotions": ("neu", "hap", "oth")}, "emotions has 'oth', the code of a vote for no emotion"),
        ({"emotions": ("neu", "very sad")}, "emotions has 'very sad', which cannot be a code"),
        ({"emotions": ("neu", "")}, "emotions has '', which cannot be a code"),
        ({"categories": ("neu",)}, "emotions has 'hap', and categories has not: neu"),
        ({"default_emotions": ("neu", "joy")}, "default_emotions has 'joy', and emotions has not: neu, hap"),
        ({"default_emotions": "neu"}, "default_emotions is 'neu'"),
        ({"name": None}, "name is None"),
        ({"dominant_rule": None}, "dominant_rule is None: it must be text"),
        ({"grouping": "person"}, "grouping is 'person': it must be 'speaker' or 'session' or 'split'"),
        ({"speakers": "some"}, "speakers is 'some': it must be 'known' or 'unknown'"),
        ({"fold_options": "folds"}, "fold_options is 'folds': it must be a tuple"),
        ({"fold_options": ("folds",)}, "fold_options has 'folds', and its __init__ has no such option"),
    ],
)
def test_an_attribute_that_cannot_be_is_told(refused, members, said):
    assert said in refused(broken(**members))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "utterances() returned None: it must yield each Utterance"),
        (3, "utterances() returned 3"),
        (["a.wav"], "utterances() gave 'a.wav' as number 1"),
        ([Utterance("a", "a.wav", "a", "", {"neu": 1}, 1), ("b", "b.wav")], "utterances() gave ('b', 'b.wav') as number 2"),
        ([None], "utterances() gave None as number 1"),
        ([{"id": "a", "wav": "a.wav"}], "as number 1: it must give each as an Utterance or a Skipped"),
        ([Skipped("a", "a.wav", "")], "utterances() gave 'a' with reason '': it must be text (str), and not empty"),
        ([Skipped("a", Path("a.wav"), "no votes")], "with wav"),
    ],
)
def test_what_is_no_utterance_is_told(refused, given, said):
    assert said in refused(broken(utterances=lambda self: given))


@pytest.mark.parametrize(
    ("field", "value", "must_be"),
    [
        ("id", 7, "text (str)"),
        ("wav", Path("a.wav"), "text (str)"),
        ("speaker", None, "text (str)"),
        ("speaker", 12, "text (str)"),
        ("session", None, "text (str)"),
        ("dominant", None, "text (str)"),
        ("script", None, "text (str)"),
        ("split", 1, "text (str)"),
        ("votes", ["neu", "neu"], "a dictionary, from codes to numbers of annotators"),
        ("votes", {"neu": "2"}, "a dictionary, from codes to numbers of annotators"),
        ("votes", {"neu": None}, "a dictionary, from codes to numbers of annotators"),
        ("votes", {0: 2}, "a dictionary, from codes to numbers of annotators"),
        ("n_annotators", "3", "a whole number (int)"),
        ("n_annotators", 2.5, "a whole number (int)"),
        ("annotations", ("E1", "neu"), "a tuple of (annotator, code)"),
        ("annotations", ((1, "neu"),), "a tuple of (annotator, code)"),
        ("annotations", {"E1": "neu"}, "a tuple of (annotator, code)"),
        ("start", "0.5", "a number of seconds, 0 or more, or None"),
        ("end", -1.0, "a number of seconds, 0 or more, or None"),
        ("end", float("nan"), "a number of seconds, 0 or more, or None"),
    ],
)
def test_a_field_of_a_wrong_type_is_told(refused, field, value, must_be):
    said = refused(broken(fields={field: value}))
    assert f"with {field} {value!r}" in said
    assert f": it must be {must_be} (see" in said


@pytest.mark.parametrize(("votes", "n_annotators"), [({"neu": np.int64(2)}, np.int64(2)), ({"neu": 2.0}, 2), ({}, 0)])
def test_numbers_of_numpy_and_no_votes_are_no_problem_of_the_reader(votes, n_annotators):
    from mlee_sb.corpora.plugin_check import told

    class Reader(Good):
        def __init__(self):
            self.fields = {"votes": votes, "n_annotators": n_annotators}

    assert len(told(Reader())) == 3


@pytest.mark.parametrize("count", [-1, 1.5, float("nan")])
def test_a_count_that_is_none_is_refused(run, count):
    with pytest.raises(InputError, match=r"'a' has .* for neu: a whole number"):
        run(broken(fields={"votes": {"neu": count}}))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "folds() returned [None]: it must return a list of Fold"),
        ("abc", "folds() returned ['a', 'b', 'c']"),
        ([("a", "b", "c")], "folds() returned [('a', 'b', 'c')]"),
        ({"train": ["a"]}, "folds() returned ['train']"),
        ([Fold(1, "a", ("b",), ("c",))], "fold 1 with train 'a': it must be a tuple of names"),
        ([Fold(1, ("a",), ("b",), None)], "fold 1 with test None"),
    ],
)
def test_what_is_no_list_of_folds_is_told(refused, given, said):
    assert said in refused(broken(folds=lambda self, speakers: given))
