"""The MSP-IMPROV reader, against small releases, and what happens to them on people's disks."""

import shutil

import pytest
from msp_releases import IMPROV_LETTERS, opinion, summary, write_msp_improv
from releases import prepare_quietly, write_wav

from mlee_sb.corpora.base import Skipped, Utterance, load_corpus
from mlee_sb.corpora.manifest import read_utterances
from mlee_sb.corpora.msp_improv import KINDS, MspImprov
from mlee_sb.errors import InputError

NAME = "S01A-F01-P-FM01"
ID = f"MSP-IMPROV-{NAME}"


def read(folder, **options) -> dict[str, Utterance | Skipped]:
    return {item.id: item for item in MspImprov(folder, **options).utterances()}


def read_one(tmp_path, *lines: str, code: str = "N", name: str = NAME, **options) -> Utterance | Skipped:
    """Read a release of one utterance, whose block has `lines` after its summary."""
    return read(write_msp_improv(tmp_path, [summary(name, code), *lines]), **options)[f"MSP-IMPROV-{name}"]


def test_an_utterance_has_the_votes_of_its_annotators(tmp_path):
    found = read_one(tmp_path, opinion("A1", "Neutral"), opinion("ZL9_x-p1", "Happy"), opinion("A2", "Neutral"))
    assert (found.votes, found.n_annotators, found.dominant) == ({"neu": 2, "hap": 1}, 3, "neu")
    assert found.annotations == (("A1", "neu"), ("ZL9_x-p1", "hap"), ("A2", "neu"))
    assert (found.speaker, found.session) == ("F01", "session1")
    assert found.wav == "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav"


def test_it_is_installed_under_its_name():
    assert load_corpus("msp_improv") is MspImprov


@pytest.mark.parametrize("letter", IMPROV_LETTERS)
def test_the_letter_of_the_summary_is_the_dominant_emotion(tmp_path, letter):
    assert read_one(tmp_path, opinion("A1", "Sad"), code=letter).dominant == IMPROV_LETTERS[letter][:3].lower()


@pytest.mark.parametrize(("code", "dominant"), [("X", ""), ("O", "oth"), ("x", "")])
def test_no_agreement_is_no_dominant_emotion_and_other_is_one(tmp_path, code, dominant):
    assert read_one(tmp_path, opinion("A1", "Other"), code=code).dominant == dominant


def test_an_annotator_who_is_doubled_votes_once(tmp_path):
    corpus = MspImprov(write_msp_improv(tmp_path, [summary(NAME, "S"), *[opinion("A1", "Sad")] * 3, opinion("A2", "Happy")]))
    (found,) = corpus.utterances()
    assert (found.votes, found.n_annotators) == ({"sad": 1, "hap": 1}, 2)
    assert corpus.remarks() == ["2 opinions are there twice (one annotator, one utterance, one vote): each counts once"]


def test_an_annotator_with_two_opinions_leaves_the_utterance_out(tmp_path):
    found = read_one(tmp_path, opinion("A1", "Sad"), opinion("A2", "Sad"), opinion("A1", "Happy"))
    assert found.reason == "two opinions of one annotator: A1 in Evalution.txt, line 4 differs from an earlier line"


def test_one_annotator_may_rate_two_utterances(tmp_path):
    blocks = [[summary(f"S01A-F01-P-FM0{n}", "N"), opinion("A1", heard)] for n, heard in enumerate(["Sad", "Happy"])]
    assert [item.votes for item in read(write_msp_improv(tmp_path, *blocks)).values()] == [{"sad": 1}, {"hap": 1}]


def test_secondary_emotions_are_votes_where_that_is_asked_for(tmp_path):
    lines = opinion("A1", "Sad", "Sad,Frustrated,Depressed"), opinion("A2", "Other", "Other-tired, I think")
    assert read_one(tmp_path, *lines).votes == {"sad": 1, "oth": 1}
    assert read_one(tmp_path, *lines, votes="all").votes == {"sad": 1, "fru": 1, "dep": 1, "oth": 1}


@pytest.mark.parametrize(
    "line",
    [
        *["A3; Sad; Sa", "A3; Sad; Sad; A:3.0; V:4.0;", "A3", ";;;", "; Sad; Sad; A:3.0; V:4.0; D:3.0; N:3.0;", "A3 Sad"],
        *["A3; ; ; A:3.0; V:4.0; D:3.0; N:3.0;", "A:3.0; V:4.0; D:3.0; N:3.0;", "# a note", "MSP-IMPROV-S01A-F01-P-FM02.wav; N; A:1"],
    ],
)
def test_a_damaged_line_leaves_its_utterance_out_and_names_the_line(tmp_path, line):
    found = read_one(tmp_path, opinion("A1", "Sad"), line, opinion("A2", "Sad"))
    assert isinstance(found, Skipped)
    assert found.reason.startswith("damaged line of votes: Evalution.txt, line 3: ")


@pytest.mark.parametrize("label", ["Boredom", "Sa", "Sad,Happy", "Frustrated"])
def test_a_label_that_nobody_knows_leaves_the_utterance_out(tmp_path, label):
    assert read_one(tmp_path, opinion("A1", label)).reason == f"unknown label: {label!r} in Evalution.txt, line 2"


@pytest.mark.parametrize("code", ["Z", "Q", "1"])
def test_a_letter_beyond_the_codes_leaves_the_utterance_out(tmp_path, code):
    reason = read_one(tmp_path, opinion("A1", "Sad"), code=code).reason
    assert reason == f"unknown code of the dominant emotion: {code!r} in Evalution.txt, line 1"


@pytest.mark.parametrize("broken", ["UTD-IMPROV-S01A-F02-P-FM01.avi", "UTD-IMPROV-S01A-F02; N;", "UTD-IMPROV-; N; A:3.0;"])
def test_the_votes_below_a_damaged_summary_are_nobody_else_s(tmp_path, broken):
    folder = write_msp_improv(tmp_path, [summary(NAME, "N"), opinion("A1", "Neutral")])
    path = folder / "Evalution.txt"
    path.write_text(path.read_text().rstrip("\n") + f"\n{broken}\n{opinion('A2', 'Sad')}\n")
    found = read(folder)
    assert found[ID].votes == {"neu": 1}
    assert found[""].reason.startswith("damaged summary line: Evalution.txt, line 3: ")


def test_the_votes_below_a_lost_summary_are_nobody_else_s(tmp_path):
    found = read(write_msp_improv(tmp_path, [summary(NAME, "N"), opinion("A1", "Neutral")], [opinion("A2", "Sad"), opinion("A3", "Sad")]))
    assert found[ID].votes == {"neu": 1}
    assert found[""].reason.startswith("votes without an utterance: Evalution.txt, line 4: ")


def test_blocks_need_no_empty_line_between_them(tmp_path):
    folder = write_msp_improv(tmp_path)
    path = folder / "Evalution.txt"
    before = read(folder)
    path.write_text(path.read_text().replace("\n\n", "\n"))
    assert read(folder) == before


@pytest.mark.parametrize("name", ["S01A-X01-P-FM01", "S01A-F-P-FM01", "S01AF01PFM01", "S01A-F01-P"])
def test_a_name_that_does_not_say_who_speaks_leaves_the_utterance_out(tmp_path, name):
    folder = write_msp_improv(tmp_path, [summary(NAME, "N"), opinion("A1", "Sad")])
    path = folder / "Evalution.txt"
    path.write_text(path.read_text().replace(NAME, name))
    assert read(folder)[f"MSP-IMPROV-{name}"].reason.startswith(f"no speaker: {name!r} in Evalution.txt, line 1")


def test_a_kind_that_nobody_knows_leaves_the_utterance_out(tmp_path):
    assert read_one(tmp_path, opinion("A1", "Sad"), name="S01A-F01-Q-FM01").reason == "unknown kind: 'Q' in Evalution.txt, line 1"


def test_recordings_are_found_in_any_folder_and_those_without_votes_are_told(tmp_path):
    folder = write_msp_improv(tmp_path, [summary(NAME, "N"), opinion("A1", "Sad")])
    shutil.move(folder / "session1", folder / "Audio/session1")
    write_wav(folder / "Audio/session1/S02A/P/MSP-IMPROV-S02A-F01-P-FM01.wav")
    (folder / "Audio/._MSP-IMPROV-S01A-F01-P-FM01.wav").write_bytes(b"\0\5\x16\7")
    found = read(folder)
    assert found[ID].wav == f"Audio/session1/S01A/P/{ID}.wav"
    assert found["MSP-IMPROV-S02A-F01-P-FM01"].reason == "wav without an annotation"
    assert len(found) == 2


def test_a_recording_that_is_missing_or_there_twice_is_told(tmp_path):
    folder = write_msp_improv(tmp_path, *([summary(f"S01A-F0{n}-P-FM01", "N"), opinion("A1", "Sad")] for n in (1, 2)))
    next(folder.rglob("*F02*.wav")).unlink()
    write_wav(folder / f"zz/{ID}.wav")
    reasons = [item.reason for item in MspImprov(folder).utterances() if isinstance(item, Skipped)]
    assert reasons == [
        "no recording: no MSP-IMPROV-S01A-F02-P-FM01.wav is in the folders of the release",
        f"doubled wav: session1/S01A/P/{ID}.wav is used",
    ]


@pytest.mark.parametrize(("dialogs", "kinds"), [("all", "PRST"), ("improvised", "ST"), ("target", "T"), ("read", "R"), ("natural", "P")])
def test_the_kinds_that_are_asked_for_are_read(tmp_path, dialogs, kinds):
    found = read(write_msp_improv(tmp_path), dialogs=dialogs)
    assert {item.id.split("-")[4] for item in found.values() if isinstance(item, Utterance)} == set(kinds)
    assert all(item.reason.startswith("not of the kinds") for item in found.values() if isinstance(item, Skipped))
    assert len(found) == 2 * 6 * len(KINDS)


def test_each_speaker_is_tested_once_and_the_partner_validates(tmp_path):
    folds = prepare_quietly("msp_improv", write_msp_improv(tmp_path / "data"), tmp_path / "out")["folds"]
    assert [fold["test"] for fold in folds] == [[f"{sex}0{n}"] for sex in "FM" for n in range(1, 7)]
    assert [fold["valid"] for fold in folds] == [[f"{sex}0{n}"] for sex in "MF" for n in range(1, 7)]
    assert {len(fold["train"]) for fold in folds} == {10}


def test_the_next_speaker_validates_where_that_is_asked_for(tmp_path):
    folds = MspImprov(write_msp_improv(tmp_path, sessions=2), validation="next").folds(["F01", "F02", "M01"])
    assert [fold.valid for fold in folds] == [("F02",), ("M01",), ("F01",)]


def test_a_speaker_without_a_partner_is_told_what_to_do(tmp_path):
    with pytest.raises(InputError, match="F02 is the only speaker of session2 .* give --validation next"):
        MspImprov(write_msp_improv(tmp_path, sessions=2)).folds(["F01", "F02", "M01"])


def test_sessions_are_kept_whole_where_that_is_asked_for(tmp_path):
    folds = prepare_quietly("msp_improv", write_msp_improv(tmp_path / "data"), tmp_path / "out", group="session")["folds"]
    assert [fold["test"] for fold in folds] == [[f"session{n}"] for n in range(1, 7)]


def test_the_target_sentences_are_the_scripts(tmp_path):
    prepare_quietly("msp_improv", write_msp_improv(tmp_path / "data"), tmp_path / "out")
    table = read_utterances(tmp_path / "out")
    scripts = {(row.ID.split("-")[4], row.script) for row in table.itertuples()}
    assert scripts == {("R", "S01"), ("T", "S01"), ("P", ""), ("S", "")}


@pytest.mark.parametrize("line_end", ["\r\n", "\r"])
def test_line_ends_may_be_those_of_windows_and_of_old_macs(tmp_path, line_end):
    before = read(write_msp_improv(tmp_path / "unix"))
    assert read(write_msp_improv(tmp_path / "other", line_end=line_end)) == before


@pytest.mark.parametrize(
    "saved", [lambda text: text.encode("utf-8-sig"), lambda text: text.encode("utf-16"), lambda text: (" " + text).encode()]
)
def test_a_file_that_another_program_saved_again_is_read(tmp_path, saved):
    folder = write_msp_improv(tmp_path)
    before, path = read(folder), folder / "Evalution.txt"
    path.write_bytes(saved(path.read_text()))
    assert read(folder) == before


def test_trailing_fields_and_the_right_spelling_of_the_file_do_not_matter(tmp_path):
    folder = write_msp_improv(tmp_path, [summary(NAME, "N") + " ;; ", opinion("A1", "Sad") + " ; "])
    (folder / "Evalution.txt").rename(folder / "Evaluation.txt")
    assert read(folder)[ID].votes == {"sad": 1}


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path):
    folder = write_msp_improv(tmp_path)
    path = folder / "Evalution.txt"
    path.write_bytes(path.read_bytes().replace(b"ear-1", b"ear\xff", 1))
    with pytest.raises(InputError, match="Evalution.txt, line 3: byte 0xff"):
        read(folder)


def test_a_folder_without_the_evaluation_is_refused(tmp_path):
    with pytest.raises(InputError, match="no Evalution.txt in it; the data folder must be the MSP-IMPROV release"):
        MspImprov(tmp_path)


def test_the_whole_release_is_compared_with_the_published_totals_and_a_part_of_it_is_not(tmp_path):
    folder = write_msp_improv(tmp_path)
    whole, part = MspImprov(folder), MspImprov(folder, dialogs="read")
    assert [(check.found, check.published) for check in whole.checks(list(whole.utterances()))] == [("48", "8438"), ("48", "7798")]
    assert part.checks(list(part.utterances())) == []
