"""A person's own corpus has a name of its own: the folder's, or the one that was given."""

import pytest
from releases import prepare_quietly, write_iemocap

from mlee_sb.corpora.manifest import read_protocol, reader_of
from mlee_sb.corpora.own_name import LONGEST, own_name
from mlee_sb.errors import InputError
from mlee_sb.experiment.prepare_corpus import main


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("calls", "calls"),
        ("calls/", "calls"),
        ("calls/wavs/..", "calls"),
        ("Calls 2026 (part 1)", "Calls_2026_part_1"),
        ("Gespräche", "Gesprache"),
        (".hidden", "hidden"),
        ("a{b}%c&d", "a_b_c_d"),
        ("v1.2-final_", "v1.2-final"),
        ("x" * 200, "x" * LONGEST),
        ("录音2026", "2026"),
    ],
)
def test_the_name_of_a_folder_is_made_safe(tmp_path, folder, name):
    assert own_name("", f"{tmp_path}/{folder}") == name


def test_the_folder_in_which_a_person_stands_has_a_name_too(tmp_path, monkeypatch):
    (tmp_path / "calls").mkdir()
    monkeypatch.chdir(tmp_path / "calls")
    assert own_name("", ".") == "calls"


@pytest.mark.parametrize("folder", ["录音", "___", "/"])
def test_a_folder_whose_name_cannot_be_used_is_refused_with_the_flag_that_helps(folder):
    with pytest.raises(InputError, match=r"is called after its folder, and .* cannot be the name of a corpus: give a name with --name, of"):
        own_name("", f"/{folder}")


@pytest.mark.parametrize("given", ["..", ".", "a/b", "a\\b", " ", "a b", "-n", "_n", "ä", "a\n", "x" * (LONGEST + 1)])
def test_a_given_name_that_cannot_stand_in_a_path_is_refused_as_it_is(given):
    with pytest.raises(InputError) as refused:
        own_name(given, "/data/calls")
    assert str(refused.value).startswith(f"--name {given} cannot be the name of a corpus: give a name with --name, of letters")


@pytest.mark.parametrize("name", ["iemocap", "IEMOCAP", "crema_d", "demo", "vote_table"])
def test_the_name_of_a_reader_is_no_name_of_an_own_corpus(name):
    for given, folder in ((name, "/data/calls"), ("", f"/data/{name}")):
        with pytest.raises(InputError, match="the name of a reader of other corpora: give a name with --name"):
            own_name(given, folder)


def test_the_protocol_says_the_name_and_the_reader(data, tmp_path):
    for options, name in (({}, "data"), ({"name": "calls_2026"}, "calls_2026")):
        prepare_quietly("vote_table", data, tmp_path / "out", **options)
        protocol = read_protocol(tmp_path / "out")
        assert (protocol["corpus"], reader_of(protocol)) == (name, "vote_table")


def test_a_release_keeps_the_name_of_its_reader_wherever_it_lies(tmp_path):
    protocol = prepare_quietly("iemocap", write_iemocap(tmp_path / "somewhere"), tmp_path / "out")
    assert (protocol["corpus"], reader_of(protocol)) == ("iemocap", "iemocap")


def test_the_report_of_prepare_calls_the_corpus_by_its_name(data, tmp_path, capsys):
    assert main(["vote_table", str(data), "--output", str(tmp_path / "out"), "--name", "calls"]) == 0
    assert "calls: 4 utterances of 4 speakers are used" in capsys.readouterr().out
