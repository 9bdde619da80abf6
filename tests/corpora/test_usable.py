"""One check for all corpora: what a reader tells is held to what votes can be, whichever reader it is."""

import numpy as np
import pytest
from releases import prepare_quietly, skipped_of, write_crema_d, write_table, write_wav
from told import tell

from mlee_sb.corpora.base import Utterance
from mlee_sb.errors import InputError

GOOD = [Utterance(name, f"{name}.wav", name, "", {"neu": 2, "hap": 1}, 3, "neu") for name in "abcd"]
USUAL = {"id": "bad", "wav": "e.wav", "speaker": "e", "session": "", "votes": {"neu": 1}, "n_annotators": 3}


@pytest.fixture
def prepared(monkeypatch, tmp_path):
    """Prepare four good utterances and a bad one, and return what was skipped."""
    data = tmp_path / "data"
    data.mkdir()
    for name in "abcde":
        write_wav(data / f"{name}.wav")

    def prepared(**bad):
        tell(monkeypatch, [*GOOD, Utterance(**USUAL | bad)])
        prepare_quietly("told", data, tmp_path / "out")
        return skipped_of(tmp_path / "out")

    return prepared


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"votes": {"neu": -2}}, "'bad' has -2 for neu: a whole number"),
        ({"votes": {"neu": 1.5}}, "'bad' has 1.5 for neu"),
        ({"votes": {"neu": float("nan")}}, "'bad' has nan for neu"),
        ({"votes": {"neu": 10**9}, "n_annotators": 10**9}, "'bad' has 1000000000 for neu"),
        ({"n_annotators": -1}, "'bad' has -1 for the number of annotators"),
        ({"votes": {"joy": 1}}, "'bad' has the code 'joy'"),
        ({"annotations": (("e1", "hap"),)}, "'bad' has other votes than annotations"),
        ({"annotations": (("e1", "neu"), ("E1 ", "neu")), "votes": {"neu": 2}}, "an annotator is written in several ways"),
    ],
)
def test_what_no_votes_can_be_is_refused_with_the_utterance(prepared, bad, message):
    with pytest.raises(InputError, match=message):
        prepared(**bad)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"votes": {"neu": 30}, "n_annotators": 9}, "more votes than annotators: 30 for neu, of 9"),
        ({"votes": {"neu": 0}}, "no votes"),
        ({"wav": "../e.wav"}, "wav path leaves the data folder: it has '..' in it"),
        ({"wav": "a.wav"}, "duplicated wav: used as a"),
        ({"id": "a"}, "duplicated ID: the first one is used"),
    ],
)
def test_a_single_utterance_that_cannot_be_used_is_skipped_with_its_reason(prepared, bad, reason):
    assert prepared(**bad) == {bad.get("id", "bad"): reason}


def test_counts_of_other_libraries_are_counts(prepared):
    assert prepared(votes={"neu": np.int64(2)}, n_annotators=np.int64(3)) == {}


def test_a_negative_count_in_crema_d_is_refused(tmp_path):
    data = write_crema_d(
        tmp_path / "data", {f"{actor}_IEO_HAP_XX": (-2 if actor == 1003 else 1, 0, 0, 3, 6, 0) for actor in range(1001, 1005)}
    )
    with pytest.raises(InputError, match="'1003_IEO_HAP_XX' has -2 for ang"):
        prepare_quietly("crema_d", data, tmp_path / "out")


def test_a_table_of_crema_d_that_lost_the_numbers_of_its_rows_is_refused(tmp_path):
    data = write_crema_d(tmp_path / "data")
    table = data / "processedResults/tabulatedVotes.csv"
    table.write_text("\n".join(line.partition(",")[2] for line in table.read_text().splitlines()) + "\n")
    with pytest.raises(InputError, match=r"tabulatedVotes\.csv, line 2: \d+ in the first column \('A'\), which must hold the numbers"):
        prepare_quietly("crema_d", data, tmp_path / "out")


def test_a_negative_count_in_a_table_is_refused(tmp_path):
    with pytest.raises(InputError, match="-2"):
        prepare_quietly("vote_table", write_table(tmp_path, "wav,speaker,votes_neu,votes_hap\na.wav,a,-2,3\n"), tmp_path / "out")
