"""Splits by speaker, and the registry of corpora."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlee_sb.corpora.base import Corpus, corpus_names, grouped_folds, load_corpus
from mlee_sb.errors import InputError


@given(st.sets(st.text(min_size=1), min_size=3, max_size=40), st.integers(3, 12))
def test_no_speaker_is_in_two_splits_and_each_is_tested_once(speakers, n_groups):
    folds = grouped_folds(speakers, n_groups)
    assert len(folds) == min(n_groups, len(speakers))
    for fold in folds:
        assert sorted((*fold.train, *fold.valid, *fold.test)) == sorted(speakers)
        assert fold.train
        assert fold.valid
        assert fold.test
    assert sorted(speaker for fold in folds for speaker in fold.test) == sorted(speakers)


def test_the_order_in_which_speakers_are_given_changes_nothing():
    assert grouped_folds("abcdef", 3) == grouped_folds("fdbeca", 3)


def test_the_shipped_corpora_are_installed_under_their_names():
    assert {"iemocap", "crema_d", "vote_table"} <= set(corpus_names())
    for name in ("iemocap", "crema_d", "vote_table"):
        corpus = load_corpus(name)
        assert issubclass(corpus, Corpus)
        assert corpus.name == name


def test_a_misspelt_corpus_is_answered_with_the_nearest_one():
    with pytest.raises(InputError, match="did you mean 'iemocap'"):
        load_corpus("iemocop")
