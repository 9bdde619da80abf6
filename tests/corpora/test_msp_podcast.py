"""The MSP-Podcast reader, against small releases in all forms of its tables, and what happens to them on people's disks."""

import pytest
from msp_releases import CONSENSUS_HEADER, PIECES, SECONDARY, consensus_row, detail, worker, write_csv, write_msp_podcast
from releases import prepare_quietly, skipped_of, write_wav

from mlee_sb.corpora.base import Skipped, Utterance, load_corpus
from mlee_sb.corpora.manifest import read_utterances
from mlee_sb.corpora.msp_podcast import PUBLISHED, MspPodcast
from mlee_sb.errors import InputError

RELEASES = ("1.6", "1.7", "1.9", "1.10", "1.12", "2.0")
FIRST = next(iter(PIECES))
FIRST_ID = FIRST.removesuffix(".wav")


def read(folder, **options) -> dict[str, Utterance | Skipped]:
    return {item.id: item for item in MspPodcast(folder, **options).utterances()}


def read_one(tmp_path, *details: str, code: str = "N") -> Utterance | Skipped:
    """Read a release of one piece, whose ratings are `details`."""
    folder = write_msp_podcast(tmp_path, pieces={FIRST: (code, "1", "Train", [])})
    write_csv(folder / "Labels/labels_detailed.csv", ["FileName", "EmoDetail"], [[FIRST, text] for text in details])
    return read(folder)[FIRST_ID]


def change(path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8", newline="")


@pytest.mark.parametrize("release", RELEASES)
def test_all_releases_tell_the_same_of_the_same_ratings(tmp_path, release):
    found = read(write_msp_podcast(tmp_path, release))
    piece = found["MSP-PODCAST_0001_0008"]
    assert (piece.votes, piece.n_annotators, piece.dominant) == ({"neu": 2, "hap": 1}, 3, "neu")
    assert piece.annotations == ((worker(0), "neu"), (worker(1), "neu"), (worker(2), "hap"))
    assert piece.wav == f"{'Audio' if release == '1.6' else 'Audios'}/{FIRST}"
    assert [item.split for item in found.values()] == ["train", "train", "train", "valid", "test1", "test2"]
    assert [item.session for item in found.values()] == ["0001", "0001", "0002", "0003", "0004", "0005"]
    assert [item.speaker for item in found.values()] == ["1", "", "2", "3", "4", "5"]


def test_it_is_installed_under_its_name():
    assert load_corpus("msp_podcast") is MspPodcast


def test_the_corpus_s_own_sets_are_the_fold_and_each_test_set_keeps_its_name(tmp_path):
    protocol = prepare_quietly("msp_podcast", write_msp_podcast(tmp_path / "data"), tmp_path / "out")
    (fold,) = protocol["folds"]
    assert (fold["train"], fold["valid"], fold["test"]) == (["train"], ["valid"], ["test1", "test2"])
    assert set(read_utterances(tmp_path / "out")["split"]) == {"train", "valid", "test1", "test2"}


def test_an_unknown_speaker_is_one_of_its_podcast(tmp_path):
    prepare_quietly("msp_podcast", write_msp_podcast(tmp_path / "data"), tmp_path / "out")
    speakers = read_utterances(tmp_path / "out").set_index("ID")["speaker"]
    assert speakers["MSP-PODCAST_0001_0019"] == "unknown:0001"


def test_a_model_is_never_tested_on_a_podcast_that_it_knows_if_folds_are_made_of_podcasts(tmp_path):
    protocol = prepare_quietly("msp_podcast", write_msp_podcast(tmp_path / "data"), tmp_path / "out", group="session")
    assert [fold["test"] for fold in protocol["folds"]] == [["0001"], ["0002"], ["0003"], ["0004"], ["0005"]]


def test_there_are_ten_folds_of_podcasts_however_many_there_are(tmp_path):
    corpus = MspPodcast(write_msp_podcast(tmp_path))
    assert len(corpus.session_folds([f"{n:04}" for n in range(2000)])) == 10


def test_no_agreement_is_no_dominant_emotion_and_free_text_is_a_vote_for_none(tmp_path):
    piece = read(write_msp_podcast(tmp_path))["MSP-PODCAST_0004_0011"]
    assert (piece.dominant, piece.votes) == ("", {"fea": 1, "sur": 1, "oth": 1})


def test_other_is_a_dominant_emotion_of_its_own(tmp_path):
    assert read_one(tmp_path, detail("W1", "Other"), code="O").dominant == "oth"


def test_a_secondary_emotion_is_a_vote_only_where_that_is_asked_for(tmp_path):
    folder = write_msp_podcast(tmp_path)
    assert read(folder)[FIRST_ID].votes == {"neu": 2, "hap": 1}
    assert read(folder, votes="all")[FIRST_ID].votes == {"neu": 3, "hap": 1, "cnc": 3}
    assert "cnc" in MspPodcast(folder, votes="all").categories
    assert "cnc" not in MspPodcast(folder).categories


def test_with_all_votes_an_annotator_has_one_for_each_emotion(tmp_path):
    folder = write_msp_podcast(tmp_path)
    change(folder / "Labels/labels_detailed.csv", SECONDARY, "Neutral,Neutral,Dissapointed,Disappointed,Other-puzzled, a bit")
    piece = read(folder, votes="all")[FIRST_ID]
    assert piece.votes == {"neu": 3, "dsp": 3, "oth": 3, "hap": 1}
    assert piece.n_annotators == 3


def test_free_text_with_semicolons_hides_no_secondary_emotion(tmp_path):
    folder = write_msp_podcast(tmp_path)
    secondary = read(folder, votes="all")["MSP-PODCAST_0004_0011"].votes
    assert secondary == {"fea": 1, "sur": 1, "oth": 1, "neu": 3, "cnc": 3}


@pytest.mark.parametrize("free", ["Other", "Other-Curious", "Other-(laughs) [I think]", "Other-a; b; c", "other-no idea", "Other-A: none"])
def test_whatever_somebody_wrote_after_other_is_a_vote_for_no_emotion(tmp_path, free):
    assert read_one(tmp_path, detail("W1", free), detail("W2", "Sad")).votes == {"oth": 1, "sad": 1}


def test_a_rating_without_secondary_emotions_or_without_values_is_a_vote(tmp_path):
    found = read_one(tmp_path, "W1; Sad; A:4.0; V:2.0; D:3.0;", detail("W2", "Sad", ""), "W3; Happy; Happy; A:NaN; V:NaN; D:NaN;")
    assert found.votes == {"sad": 2, "hap": 1}


@pytest.mark.parametrize(
    "line",
    [
        *["WORKER01; Happy; Hap", "WORKER01; Happy; Happy; A:4.0; V:5", "; Happy; Happy; A:4.0; V:5.0; D:4.0;", "", "WORKER01"],
        *["A:4.0; V:5.0; D:4.0;", "WORKER01; ; ; A:4.0; V:5.0; D:4.0;", "two words; Happy; ; A:4.0; V:5.0; D:4.0;", "Happy,Happy"],
    ],
)
def test_a_damaged_rating_leaves_its_piece_out_and_names_the_line(tmp_path, line):
    found = read_one(tmp_path, detail("W1", "Sad"), line, detail("W2", "Sad"))
    assert isinstance(found, Skipped)
    assert found.reason.startswith("damaged line of votes: labels_detailed.csv, line 3: ")


@pytest.mark.parametrize("release", ["1.6", "2.0"])
def test_a_rating_without_its_worker_is_damaged_in_the_form_of_columns_too(tmp_path, release):
    folder = write_msp_podcast(tmp_path, release)
    change(next(folder.glob("*/labels_detailed.csv")), f"{FIRST},{worker(1)}", f"{FIRST},")
    assert read(folder)[FIRST_ID].reason.startswith("damaged line of votes: labels_detailed.csv, line 3")


def test_a_worker_who_is_there_twice_votes_once(tmp_path):
    folder = write_msp_podcast(tmp_path, pieces={FIRST: ("S", "1", "Train", [])})
    rows = [[FIRST, detail("W1", "Sad")], [FIRST, detail("W1", "Sad")], [FIRST, detail("W2", "Happy")]]
    write_csv(folder / "Labels/labels_detailed.csv", ["FileName", "EmoDetail"], rows)
    corpus = MspPodcast(folder)
    (piece,) = corpus.utterances()
    assert (piece.votes, piece.n_annotators) == ({"sad": 1, "hap": 1}, 2)
    assert any("1 opinions are there twice" in remark for remark in corpus.remarks())


def test_a_worker_with_two_opinions_leaves_the_piece_out(tmp_path):
    found = read_one(tmp_path, detail("W1", "Sad"), detail("W2", "Sad"), detail("W1", "Happy"))
    assert found.reason == "two opinions of one annotator: W1 in labels_detailed.csv, line 4 differs from an earlier line"


@pytest.mark.parametrize("label", ["Boredom", "Hap", "N", "Neutral,Happy", "Excited"])
def test_a_primary_emotion_that_nobody_knows_leaves_the_piece_out(tmp_path, label):
    assert read_one(tmp_path, detail("W1", label)).reason == f"unknown label: {label!r} in labels_detailed.csv, line 2"


@pytest.mark.parametrize("code", ["Z", "NH", "neutral", "1", ""])
def test_a_consensus_beyond_the_codes_leaves_the_piece_out(tmp_path, code):
    assert read_one(tmp_path, detail("W1", "Sad"), code=code).reason.startswith("unknown code of the dominant emotion: EmoClass ")


def test_what_is_in_one_table_only_is_told(tmp_path):
    folder = write_msp_podcast(tmp_path)
    write_wav(folder / "Audios/MSP-PODCAST_0009_0001.wav")
    write_wav(folder / "Audios/MSP-PODCAST_test3_0001.wav")
    (folder / "Audios/._MSP-PODCAST_0001_0008.wav").write_bytes(b"\0\5\x16\7")
    change(folder / "Labels/labels_consensus.csv", FIRST, "MSP-PODCAST_0001_0099.wav")
    found = read(folder)
    assert found[FIRST_ID].reason == "ratings without a row in labels_consensus.csv"
    assert found["MSP-PODCAST_0001_0099"].reason == "no ratings: it is not in labels_detailed.csv"
    assert found["MSP-PODCAST_0009_0001"].reason == "wav without an annotation"
    assert found["MSP-PODCAST_test3_0001"].reason == "test set without public labels"
    assert len(found) == len(PIECES) + 3


def test_a_recording_that_is_missing_and_a_piece_in_no_set_are_skipped(tmp_path):
    folder = write_msp_podcast(tmp_path / "data", pieces=PIECES | {"MSP-PODCAST_0007_0001.wav": ("N", "7", "", ["Neutral"])})
    (folder / "Audios/MSP-PODCAST_0001_0019.wav").unlink()
    prepare_quietly("msp_podcast", folder, tmp_path / "out")
    skipped = skipped_of(tmp_path / "out")
    assert set(skipped) == {"MSP-PODCAST_0001_0019", "MSP-PODCAST_0007_0001"}
    assert skipped["MSP-PODCAST_0007_0001"].startswith("no split")


@pytest.mark.parametrize(
    "saved",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: "\n".join(line + "," for line in text.splitlines()).encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
        lambda text: text.replace("FileName", "filename").replace("EmoDetail", " EmoDetail ").encode(),
    ],
)
def test_tables_that_other_programs_saved_again_are_read(tmp_path, saved):
    folder = write_msp_podcast(tmp_path)
    before = read(folder)
    for table in (folder / "Labels").glob("*.csv"):
        table.write_bytes(saved(table.read_text()))
    after = read(folder)
    assert [(item.votes, item.split) for item in after.values()] == [(item.votes, item.split) for item in before.values()]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",Train\n", ",Trian\n", r"labels_consensus.csv, line 2: split 'Trian'"),
        ("EmoClass", "EmoKlass", r"labels_consensus.csv: no column 'emoclass'.*it has FileName, EmoKlass"),
        ("Split_Set", "Set", r"labels_consensus.csv: no column 'split_set'"),
        (",1,Female", ",Female", r"labels_consensus.csv, line 2: 7 fields"),
    ],
)
def test_a_consensus_table_that_cannot_be_understood_is_refused_with_its_line(tmp_path, old, new, message):
    folder = write_msp_podcast(tmp_path)
    change(folder / "Labels/labels_consensus.csv", old, new)
    with pytest.raises(InputError, match=message):
        read(folder)


def test_a_detailed_table_without_its_columns_is_refused(tmp_path):
    folder = write_msp_podcast(tmp_path)
    change(folder / "Labels/labels_detailed.csv", "EmoDetail", "Detail")
    with pytest.raises(InputError, match="labels_detailed.csv: no column 'workerid'.*it has FileName, Detail"):
        read(folder)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("Labels", "no folder Labels in it with the tables of labels"),
        ("Audios", "no folder Audios in it with the recordings"),
        ("Labels/labels_consensus.csv", "no labels_consensus.csv in it"),
        ("Labels/labels_detailed.csv", "no labels_detailed.csv in it"),
    ],
)
def test_a_folder_that_is_no_release_is_refused(tmp_path, missing, message):
    folder = write_msp_podcast(tmp_path)
    (folder / missing).rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=message):
        MspPodcast(folder)


def test_a_known_release_is_compared_with_what_two_sources_published(tmp_path):
    corpus = MspPodcast(write_msp_podcast(tmp_path))
    checks = corpus.checks(list(corpus.utterances()))
    assert [(check.found, int(check.published)) for check in checks] == list(zip("3111", PUBLISHED["1.11"].values(), strict=True))
    assert corpus.remarks() == []


@pytest.mark.parametrize(("release", "remark"), [("1.12", "no two sources tell those of 1.12"), ("", "no readme.txt says which")])
def test_a_release_of_which_no_two_sources_tell_the_counts_is_not_compared(tmp_path, release, remark):
    folder = write_msp_podcast(tmp_path, "1.12")
    if not release:
        (folder / "readme.txt").unlink()
    corpus = MspPodcast(folder)
    assert corpus.checks(list(corpus.utterances())) == []
    assert remark in corpus.remarks()[0]


def test_a_row_that_is_there_twice_is_used_once(tmp_path):
    folder = write_msp_podcast(tmp_path / "data")
    rows = [consensus_row(file, code, speaker, split) for file, (code, speaker, split, _) in [*PIECES.items(), *PIECES.items()]]
    write_csv(folder / "Labels/labels_consensus.csv", CONSENSUS_HEADER, rows)
    prepare_quietly("msp_podcast", folder, tmp_path / "out")
    assert len(read_utterances(tmp_path / "out")) == len(PIECES)
