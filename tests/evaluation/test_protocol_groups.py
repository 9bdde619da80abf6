"""The protocol check where folds are made of sessions or of a corpus's own sets, of pieces of recordings, and of unknown speakers."""

import pytest
from releases import write_wav
from told import tell

from mlee_sb.corpora.base import Utterance
from mlee_sb.corpora.manifest import UTTERANCES, near_equal, read_protocol
from mlee_sb.corpora.prepare import prepare
from mlee_sb.evaluation.protocol import manifests as manifest_check
from mlee_sb.evaluation.protocol.findings import LEAK, NOTE, UNCHECKED

CALL = {"session": "", "votes": {"neu": 1}, "n_annotators": 1, "dominant": "neu"}


@pytest.fixture
def found(monkeypatch, tmp_path):
    """Prepare utterances, and return what the check finds in their manifests as (severity, kind, values), after an edit of a file."""

    def found(told, edit=lambda folder: None, **given):
        tell(monkeypatch, told)
        for utterance in told:
            write_wav(tmp_path / "data" / utterance.wav, seconds=1.0)
        folder = tmp_path / "out"
        prepare("told", tmp_path / "data", folder, say=lambda line: None, **given)
        edit(folder)
        manifests = manifest_check.read_raw(folder, read_protocol(folder))
        return [(one.severity, one.kind, one.values) for one in manifest_check.check_manifests(manifests, None, False, None)]

    return found


def told(rows) -> list[Utterance]:
    return [Utterance(**{"id": f"u{i}", "wav": f"u{i}.wav", "speaker": f"s{i}", **CALL, **row}) for i, row in enumerate(rows)]


PAIRS = told([{"session": f"Ses{i // 2}"} for i in range(6)])


def test_speaker_folds_that_split_a_session_leak_and_session_folds_do_not(found):
    assert (LEAK, "session", ("Ses0",)) in found(PAIRS)
    of_sessions = found(PAIRS, group="session")
    assert not [one for one in of_sessions if one[0] == LEAK or one[1] == "session"]


def test_a_session_that_was_moved_into_training_by_hand_is_found(found):
    def edit(folder):
        train, test = folder / "fold1/train.csv", folder / "fold1/test.csv"
        train.write_text(train.read_text() + test.read_text().splitlines()[1] + "\n")

    leaks = [one for one in found(PAIRS, edit, group="session") if one[0] == LEAK]
    assert (LEAK, "session", ("Ses0",)) in leaks and (LEAK, "speaker", ("s0",)) in leaks and (LEAK, "copy", ("u0",)) in leaks


def test_a_corpus_divided_by_itself_is_clean_as_prepared(found):
    rows = told([{"split": split} for split in ("train", "valid", "test1", "test2")])
    assert [one for one in found(rows, group="split") if one[0] == LEAK] == []


@pytest.mark.parametrize(("end", "leaks"), [(0.5, ()), (0.6, ("call.wav",)), (None, ("call.wav",))])
def test_the_same_seconds_of_a_recording_on_two_sides_are_a_copy(found, end, leaks):
    pieces = [{"wav": "call.wav", "start": None, "end": end}, {"wav": "call.wav", "start": 0.5, "end": 1.0}, {}, {}]
    copies = {values for severity, kind, values in found(told(pieces)) if kind == "copy"}
    assert copies == ({leaks} if leaks else set())


def test_scripts_of_the_manifests_are_texts(found):
    rows = told([{"script": "a"}, {"script": "b"}, {"script": "c"}, {"script": "a"}])
    assert {values for severity, kind, values in found(rows) if (severity, kind) == (LEAK, "text")} == {("a",)}


def test_unknown_speakers_are_noted(found):
    rows = told([{"speaker": ""}, {}, {}, {}])
    assert (NOTE, "speaker", ("unknown:u0",)) in found(rows, speakers="unknown")


def test_an_unknown_speaker_on_two_sides_is_not_known_to_be_a_leak_and_its_session_is_one(found):
    rows = told([{"speaker": "", "session": "Ses0", "split": split} for split in ("train", "test")] + [{"split": "valid"}])
    of_both = found(rows, group="split", speakers="unknown")
    assert (UNCHECKED, "speaker", ("unknown:Ses0",)) in of_both
    assert [(kind, values) for severity, kind, values in of_both if severity == LEAK] == [("session", ("Ses0",))]


def test_two_spellings_of_a_speaker_in_manifests_of_an_earlier_version_are_a_leak(found):
    def edit(folder):
        for path in [folder / UTTERANCES, *folder.glob("fold*/*.csv")]:
            path.write_text(path.read_text().replace(",s1,", ",S0 ,"))

    assert (LEAK, "speaker", ("S0 ", "s0")) in found(told([{}, {}, {}, {}]), edit)


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["a", "A", "b", "B", "c"], [("A", "a"), ("B", "b")]),
        (["x\u200b", "x"], [("x", "x\u200b")]),
        (["a b", "a\u00a0b", "a\tb"], [("a\tb", "a b", "a\u00a0b")]),
        (["\uff21", "a"], [("a", "\uff21")]),
        (["İ", "i̇"], [("i̇", "İ")]),
        (["1", "01", "1.0"], []),
        (["e1", "e2", ""], []),
        ([], []),
    ],
)
def test_names_are_near_equal_where_only_their_writing_differs(names, groups):
    assert near_equal(names) == groups
