"""What cannot be used of a release is left out, and skipped.csv says why."""

import os

import pandas as pd
import pytest
from releases import FOUR_SPEAKERS, block, prepare_quietly, skipped_of, write_crema_d, write_dialog, write_iemocap, write_table, write_wav

from mlee_sb.corpora.base import Utterance
from mlee_sb.corpora.manifest import read_utterances
from mlee_sb.corpora.usable import usable


def test_every_utterance_that_is_not_used_is_in_skipped_csv_with_its_reason(tmp_path):
    data = write_iemocap(tmp_path / "data")
    extra = [block(f"Ses02F_impro07_F00{i}", "neu", "C-E1:\tNeutral;\t()") for i in range(5)]
    mute = block("Ses02F_impro07_M000", "xxx", "C-M1:\tNeutral;\t()")
    write_dialog(data, "Ses02F_impro07", [*extra, mute, extra[4]])
    wavs = data / "Session2/sentences/wav/Ses02F_impro07"
    (wavs / "Ses02F_impro07_F000.wav").unlink()
    (wavs / "Ses02F_impro07_F001.wav").write_bytes(b"")
    write_wav(wavs / "Ses02F_impro07_F002.wav", seconds=0)
    write_wav(wavs / "Ses02F_impro07_F003.wav", seconds=0.039)
    write_wav(wavs / "Ses02F_impro07_F099.wav")
    protocol = prepare_quietly("iemocap", data, tmp_path / "out")
    found = pd.read_csv(tmp_path / "out" / "skipped.csv", dtype=str)
    reasons = {row.ID: row.reason.split(":")[0] for row in found.itertuples() if "script" not in row.ID}
    assert reasons == {
        "Ses02F_impro07_F000": "annotation without a wav",
        "Ses02F_impro07_F001": "unreadable",
        "Ses02F_impro07_F002": "zero samples",
        "Ses02F_impro07_F003": "shorter than 40 ms",
        "Ses02F_impro07_F004": "duplicated ID",
        "Ses02F_impro07_M000": "no votes",
        "Ses02F_impro07_F099": "wav without an annotation",
    }
    assert protocol["counts"]["skipped"]["not improvised"] == 5
    assert "Ses02F_impro07_F004" in list(read_utterances(tmp_path / "out")["ID"])  # its first annotation is used


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("9,../data/a.wav,anna,1,0,0", "wav path leaves the data folder: it has '..' in it"),
        ("9,BESIDE/a.wav,anna,1,0,0", "wav path leaves the data folder: it is absolute"),
        ("9,C:\\a.wav,anna,1,0,0", "wav path leaves the data folder: it is absolute"),
        ("9,x\\..\\..\\a.wav,anna,1,0,0", "wav path leaves the data folder: it has '..' in it"),
        ("9,,anna,1,0,0", "no wav path"),
        ("9,e.wav,,1,0,0", "no speaker"),
        ("9,e.wav,anna,0,0,0", "no votes"),
        ("9,a.wav,bert,1,0,0", "duplicated wav: used as 1"),
        (",e.wav,anna,1,0,0", "no ID"),
    ],
)
def test_a_bad_row_of_many_is_skipped_and_said(tmp_path, row, reason):
    data = write_table(tmp_path / "data", f"{FOUR_SPEAKERS}    {row.replace('BESIDE', str(tmp_path))}\n")
    assert prepare_quietly("vote_table", data, tmp_path / "out")["counts"]["utterances"] == 4
    assert skipped_of(tmp_path / "out")[row.split(",")[0]] == reason


def test_an_utterance_with_more_votes_for_an_emotion_than_annotators_is_skipped(tmp_path):
    rows = [line.strip() for line in FOUR_SPEAKERS.strip().splitlines()]
    rows = [f"{rows[0]},n_annotators", *(f"{row},3" for row in rows[1:]), "9,e.wav,anna,4,1,0,3"]
    data = write_table(tmp_path / "data", "\n".join(rows))
    prepare_quietly("vote_table", data, tmp_path / "out")
    assert skipped_of(tmp_path / "out")["9"] == "more votes than annotators: 4 for neu, of 3"


def test_a_second_row_with_the_same_id_is_skipped(tmp_path):
    data = write_table(tmp_path / "data", FOUR_SPEAKERS + "    1,e.wav,bert,0,5,0\n")
    prepare_quietly("vote_table", data, tmp_path / "out")
    assert skipped_of(tmp_path / "out") == {"1": "duplicated ID: the first one is used"}
    assert read_utterances(tmp_path / "out").set_index("ID").loc["1", "wav"] == "a.wav"


def test_names_that_are_no_utf8_end_no_release(tmp_path):
    data = write_crema_d(tmp_path / "data")
    for name in (b"1099_\xfc_ANG_HI.wav", b"\xff\xfe.wav", b"a\x1b[2J.wav"):
        (data / "AudioWAV" / os.fsdecode(name)).write_bytes((data / "AudioWAV/1001_IEO_HAP_XX.wav").read_bytes())
    prepare_quietly("crema_d", data, tmp_path / "out")
    assert {r"1099_\udcfc_ANG_HI", r"\udcff\udcfe"} <= set(skipped_of(tmp_path / "out"))


def test_a_recording_that_no_manifest_can_name_is_skipped_and_said(tmp_path):
    (tmp_path / os.fsdecode(b"M\xfcller.wav")).write_bytes(write_wav(tmp_path / "a.wav").read_bytes())
    told = [Utterance(wav, f"{wav}.wav", "s1", "", {"neu": 1}, 1, "neu") for wav in ("a", "M\udcfcller")]
    found, _, skipped = usable(told, tmp_path, "speaker")
    assert [one.id for one in found] == ["a"]
    assert [one.reason for one in skipped] == ["wav whose name is no UTF-8, which no manifest can hold: rename the file"]
