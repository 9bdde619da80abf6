"""A reader of another package is held to what it must give."""

import pytest
from releases import prepare_quietly, skipped_of, write_wav

from mlee_sb.corpora import options
from mlee_sb.corpora.base import Corpus, Fold, Utterance
from mlee_sb.corpora.manifest import read_utterances
from mlee_sb.corpora.prepare import prepare
from mlee_sb.errors import InputError


class Plugin(Corpus):
    """Three speakers that its folds know, and one that they do not."""

    name, emotions, default_emotions = "plugin", ("neu", "hap"), ("neu", "hap")
    split = Fold(1, ("a",), ("b",), ("c",))

    def utterances(self):
        for speaker in "abcz":
            write_wav(self.data_folder / f"{speaker}.wav")
            yield Utterance(speaker, f"{speaker}.wav", speaker, "", {"neu": 1}, 1, "neu")

    def folds(self, speakers):
        return [self.split]


@pytest.fixture
def plugin(monkeypatch, tmp_path):
    monkeypatch.setattr(options, "load_corpus", lambda name: Plugin)
    (tmp_path / "data").mkdir()
    return Plugin


def test_a_speaker_in_no_fold_is_skipped(plugin, tmp_path):
    prepare_quietly("plugin", tmp_path / "data", tmp_path / "out")
    assert skipped_of(tmp_path / "out") == {"z": "in no fold: speaker z"}
    assert list(read_utterances(tmp_path / "out")["ID"]) == ["a", "b", "c"]


def test_a_corpus_whose_annotators_say_something_else_than_its_counts_is_refused(plugin, tmp_path, monkeypatch):
    annotations = (("E1", "neu"), ("E2", "hap"))
    monkeypatch.setattr(Plugin, "utterances", lambda self: iter([Utterance("u", "a.wav", "a", "", {"neu": 2}, 2, "neu", annotations)]))
    with pytest.raises(InputError, match="corpus plugin: 'u' has other votes than annotations; its utterances.. must be repaired"):
        prepare_quietly("plugin", tmp_path / "data", tmp_path / "out")


@pytest.mark.parametrize(("votes", "dominant", "code"), [({"neu": 1, "joy": 1}, "neu", "joy"), ({"neu": 1}, "joy", "joy")])
def test_a_corpus_that_gives_votes_for_a_category_that_it_does_not_name_is_refused(plugin, tmp_path, monkeypatch, votes, dominant, code):
    monkeypatch.setattr(Plugin, "utterances", lambda self: iter([Utterance("u", "a.wav", "a", "", votes, 2, dominant)]))
    with pytest.raises(InputError, match=f"corpus plugin: 'u' has the code '{code}', and its categories are neu, hap, oth"):
        prepare_quietly("plugin", tmp_path / "data", tmp_path / "out")


def test_a_corpus_whose_fold_shares_a_speaker_between_splits_is_refused(plugin, tmp_path, monkeypatch):
    monkeypatch.setattr(Plugin, "split", Fold(1, ("a", "b"), ("b",), ("c",)))
    with pytest.raises(InputError, match="fold 1 has 'b' twice"):
        prepare_quietly("plugin", tmp_path / "data", tmp_path / "out")


def test_what_is_made_of_a_demo_says_demo(plugin, tmp_path, monkeypatch):
    monkeypatch.setattr(Plugin, "demo", True)
    said = []
    assert prepare("plugin", tmp_path / "data", tmp_path / "out", say=said.append)["demo"]
    assert said[0].startswith("DEMO")
