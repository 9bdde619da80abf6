"""`mlee`, as a person types it."""

import json
import shutil
import subprocess
import sys
from importlib.metadata import entry_points

import pytest
from stages import ENCODER, MANIFESTS, TRAIN, write_results

from mlee_sb.cli.app import main
from mlee_sb.evaluation.protocol import check
from mlee_sb.stage_folder import StageFolder
from mlee_sb.start import mlee


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_results(tmp_path_factory.mktemp("clean")).parent


@pytest.fixture
def results(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy") / "results"


def test_help_is_there_without_torch():
    code = "import sys; from mlee_sb.cli.app import main; status = main(['--help']); print(status, {'torch', 'pandas'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "check-protocol" in done.stdout and done.stdout.endswith("0 set()\n")


def test_a_protocol_is_checked_without_torch(results):
    code = "import sys; from mlee_sb.cli.app import main; status = main(sys.argv[1:]); print(status, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "check-protocol", results], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("3 False\n")


def test_the_program_mlee_is_installed():
    (point,) = entry_points(group="console_scripts", name="mlee")
    assert point.load() is mlee


def test_results_without_a_leak_that_could_not_be_looked_through_end_with_3_and_say_why(results, capsys):
    assert main(["check-protocol", str(results)]) == 3
    said = capsys.readouterr().out
    assert "not checked  copy: no --data_folder was given" in said
    assert said.splitlines()[-1] == "2 stages and 4 folds looked at: 0 leaks, 0 notes, 2 not checked; no leak in what could be checked"


def test_leaks_end_with_1_and_are_named(results, capsys):
    StageFolder(results / ENCODER).note_use("training", [*TRAIN, "a1"])
    assert main(["check-protocol", str(results), "--data_folder", str(results.parent / "release")]) == 1
    said = capsys.readouterr().out
    assert "leak  use: utterances trained on, though they are of the test set or its speakers: a1\n" in said
    assert f"    {results / ENCODER}/save/used/training.csv\n" in said
    assert said.splitlines()[-1] == "2 stages and 4 folds looked at: 2 leaks, 0 notes, 1 not checked"


def test_json_is_one_object_with_every_value(results, capsys):
    StageFolder(results / ENCODER).note_use("training", [*TRAIN, *(f"x{number}" for number in range(20))])
    assert main(["check-protocol", str(results), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    (leak,) = said["leaks"]
    assert leak["kind"] == "use" and len(leak["values"]) == 20
    assert (said["stages"], said["folds"], said["notes"]) == (2, 4, [])
    assert {finding["kind"] for finding in said["unchecked"]} == {"copy", "text"}


def test_many_values_are_counted_in_a_line(results, capsys):
    StageFolder(results / ENCODER).note_use("training", [*TRAIN, *(f"x{number:02d}" for number in range(20))])
    main(["check-protocol", str(results)])
    assert "x00, x01, x02, x03, x04, x05, x06, x07, ... (20 in all)\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check-protocol", "nowhere"], "error: nowhere: no finished stage below it"),
        (["check-protocol", "RESULTS", "--data_folder", "nowhere"], "error: nowhere: no such folder"),
        (["check-protocol", "RESULTS", "--manifests", "nowhere"], "error: nowhere: no manifests in it"),
        (["check-protocol"], "Missing argument 'RESULTS'"),
        (["chek-protocol", "RESULTS"], "No such command 'chek-protocol'"),
    ],
)
def test_a_wrong_input_ends_with_2_and_a_message(results, arguments, message, capsys):
    assert main([str(results) if word == "RESULTS" else word for word in arguments]) == 2
    said = capsys.readouterr()
    assert message in said.err and not said.out


def test_manifests_that_lie_elsewhere_are_given_by_their_folder(results, tmp_path, capsys):
    elsewhere = shutil.move(results / MANIFESTS, tmp_path / "elsewhere")
    assert main(["check-protocol", str(results), "--manifests", str(elsewhere)]) == 3
    assert "4 folds looked at" in capsys.readouterr().out


def test_a_fault_of_the_program_is_shown_as_one(results, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(check, "check_protocol", broken)
    with pytest.raises(ZeroDivisionError):
        main(["check-protocol", str(results)])
