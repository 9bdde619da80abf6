"""Where the protocol check looks for recordings: where training found them, and it says where that was."""

import json

import pytest
from stages import ENCODER, HEAD, write_results

from mlee_sb.cli.app import main
from mlee_sb.corpora.base import load_corpus
from mlee_sb.errors import InputError
from mlee_sb.evaluation.protocol.check import check_protocol
from mlee_sb.evaluation.protocol.findings import UNCHECKED
from mlee_sb.stage_folder import StageFolder


@pytest.fixture
def results(tmp_path):
    return write_results(tmp_path)


def replaced(results):
    """The end of a recording of the release is another one."""
    path = results.parent / "release/c1.wav"
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes(byte ^ 1 for byte in content[-2:]))


def not_compared(checked) -> list[str]:
    return [finding.what for finding in checked.of(UNCHECKED) if finding.kind == "copy"]


def test_recordings_are_found_where_training_found_them(results, tmp_path):
    replaced(results)
    StageFolder(results / HEAD).note_data_folder(tmp_path / "release")
    checked = check_protocol(results, load_corpus)
    assert [leak.kind for leak in checked.leaks] == ["recording"] and checked.data_folders == (str(tmp_path / "release"),)


def test_a_folder_that_is_given_goes_before(results, tmp_path):
    replaced(results)
    StageFolder(results / HEAD).note_data_folder(tmp_path / "release")
    checked = check_protocol(results, load_corpus, data_folder=results)
    assert not checked.leaks and checked.data_folders == (str(results),)


@pytest.mark.parametrize("holds", [[], ["other.wav"]], ids=["empty", "with another corpus"])
def test_a_noted_folder_without_any_of_the_recordings_is_passed_over(results, tmp_path, capsys, holds):
    (tmp_path / "before").mkdir()
    for name in holds:
        (tmp_path / "before" / name).touch()
    StageFolder(results / ENCODER).note_data_folder(tmp_path / "before")  # the first one that is asked
    StageFolder(results / HEAD).note_data_folder(tmp_path / "release")
    checked = check_protocol(results, load_corpus)
    assert not not_compared(checked) and checked.data_folders == (str(tmp_path / "release"),)
    main(["check-protocol", str(results)])
    assert f"recordings were looked for in {tmp_path / 'release'}\n" in capsys.readouterr().out
    main(["check-protocol", str(results), "--json"])
    assert json.loads(capsys.readouterr().out)["data_folders"] == [str(tmp_path / "release")]


def test_recordings_that_were_moved_since_training_are_asked_for(results, tmp_path):
    (tmp_path / "emptied").mkdir()
    StageFolder(results / ENCODER).note_data_folder(tmp_path / "emptied")
    StageFolder(results / HEAD).note_data_folder(tmp_path / "gone")
    checked = check_protocol(results, load_corpus)
    (what,) = not_compared(checked)
    assert f"training found them, in {tmp_path / 'emptied'}, {tmp_path / 'gone'}: give --data_folder" in what
    assert checked.data_folders == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "data_folder is missing"),
        ('{"data_folder": null}', "data_folder is null"),
        ('{"data_folder": ""}', 'data_folder is ""'),
        ('{"data_folder": 1}', "data_folder is 1"),
        ("{", "Expecting"),
    ],
)
def test_a_damaged_note_is_an_error_that_a_given_folder_helps(results, tmp_path, content, words):
    (results / HEAD / "save/data_folder.json").write_text(content)
    with pytest.raises(InputError, match=r"data_folder\.json: .*: give --data_folder$") as refused:
        check_protocol(results, load_corpus)
    assert words in str(refused.value)
    assert check_protocol(results, load_corpus, data_folder=tmp_path / "release").data_folders == (str(tmp_path / "release"),)
