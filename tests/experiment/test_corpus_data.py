"""Which data a command trains on: manifests that were given, a corpus that is prepared, generated speech."""

import shlex

import pytest
from releases import FOUR_SPEAKERS, called_after_its_reader, prepare_quietly, write_crema_d, write_table

from mlee_sb.corpora.manifest import read_protocol
from mlee_sb.errors import InputError
from mlee_sb.experiment.arguments import corpus_data
from mlee_sb.experiment.prepare_corpus import main as prepare_main

SETTINGS = {"emotions": None, "min_votes": 1}


@pytest.fixture
def data(tmp_path):
    return write_table(tmp_path / "my calls", FOUR_SPEAKERS.replace("votes_other", "votes_sad"))


@pytest.fixture
def manifests(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "manifests", ["neu", "hap"], min_votes=2)
    return tmp_path / "manifests"


def given(tmp_path, data_folder, corpus="vote_table", manifests=None, **options):
    return {"corpus": corpus, "data_folder": str(data_folder), "manifests": manifests, "results": str(tmp_path / "results"), **options}


def test_an_own_corpus_is_prepared_below_its_own_name(data, tmp_path):
    found, overrides = corpus_data(given(tmp_path, data), SETTINGS, {})
    assert found.manifests == tmp_path / "results/my_calls/manifests/neu_hap_sad_min1"
    assert found.protocol["corpus"] == "my_calls"
    assert overrides == {"emotions": ["neu", "hap", "sad"], "min_votes": 1}


def test_a_name_that_is_given_stands_in_the_place_of_that_of_the_folder(data, tmp_path):
    found, _ = corpus_data(given(tmp_path, data, name="calls_2026", folds=3), SETTINGS, {})
    assert found.manifests == tmp_path / "results/calls_2026/manifests/neu_hap_sad_min1_folds_3"
    assert found.protocol["corpus"] == "calls_2026"


def test_codes_of_any_script_and_length_make_folders_that_a_disk_takes(tmp_path):
    codes = [f"{'喜' * 30}{n}" for n in range(4)]
    text = "wav,speaker," + ",".join(f"votes_{code}" for code in codes) + "".join(f"\n{n}.wav,s{n},1,0,1,2" for n in range(4))
    folders = set()
    for emotions in (None, codes[:2], codes[1:]):
        found, _ = corpus_data(given(tmp_path, write_table(tmp_path / "c", text)), {**SETTINGS, "emotions": emotions}, {})
        folders.add(found.manifests.name)
    assert len(folders) == 3 and max(len(name.encode()) for name in folders) < 200


def test_a_target_may_be_typed_in_decomposed_letters(tmp_path):
    text = "wav,speaker,votes_gl\u00fccklich,votes_neu" + "".join(f"\n{n}.wav,s{n},1,1" for n in range(4))
    emotions = ["glu\u0308cklich", "neu"]
    _, overrides = corpus_data(given(tmp_path, write_table(tmp_path / "c", text)), {**SETTINGS, "emotions": emotions}, {})
    assert overrides["emotions"] == ["gl\u00fccklich", "neu"]


def test_two_own_corpora_below_one_folder_of_results_do_not_mix(data, tmp_path):
    other = write_table(tmp_path / "elsewhere/my calls", FOUR_SPEAKERS.replace("votes_other", "votes_sad").replace("anna,2,1", "anna,1,2"))
    before, _ = corpus_data(given(tmp_path, data), SETTINGS, {})
    with pytest.raises(InputError, match="elsewhere/my calls: .* or another --name if this is another corpus"):
        corpus_data(given(tmp_path, other), SETTINGS, {})
    after, _ = corpus_data(given(tmp_path, other, name="other_calls"), SETTINGS, {})
    assert after.manifests == tmp_path / "results/other_calls/manifests/neu_hap_sad_min1"
    assert read_protocol(before.manifests) == before.protocol


def test_another_corpus_in_a_folder_of_the_same_name_is_refused_whatever_its_emotions(data, tmp_path):
    other = write_table(tmp_path / "elsewhere" / data.name, FOUR_SPEAKERS.replace(".wav", "2.wav"))
    corpus_data(given(tmp_path, data), SETTINGS, {})
    with pytest.raises(InputError, match="elsewhere/my calls: another corpus is called my_calls in .*: give this one another name"):
        corpus_data(given(tmp_path, other), SETTINGS, {})
    corpus_data(given(tmp_path, data), {**SETTINGS, "emotions": ["neu", "hap"]}, {})
    corpus_data(given(tmp_path, other, name="other_calls"), SETTINGS, {})


def test_without_emotions_the_targets_of_a_release_are_those_of_its_reader(tmp_path):
    found, overrides = corpus_data(given(tmp_path, write_crema_d(tmp_path / "release"), "crema_d"), SETTINGS, {})
    assert overrides["emotions"] == found.protocol["emotions"] == ["neu", "hap", "sad", "ang"]
    assert found.manifests == tmp_path / "results/crema_d/manifests/neu_hap_sad_ang_min1"


def test_emotions_of_a_flag_or_a_file_are_the_targets(data, tmp_path):
    found, overrides = corpus_data(given(tmp_path, data), {**SETTINGS, "emotions": ["sad", "neu"]}, {})
    assert overrides["emotions"] == found.protocol["emotions"] == ["sad", "neu"]


def test_without_emotions_the_targets_are_those_of_the_manifests(data, manifests, tmp_path):
    for corpus in (None, "vote_table"):
        found, overrides = corpus_data(given(tmp_path, data, corpus, manifests), SETTINGS, {})
        assert found.manifests == manifests
        assert overrides == {"emotions": ["neu", "hap"], "min_votes": 2}


@pytest.mark.parametrize(
    ("settings", "overrides", "options", "words"),
    [
        (
            {"emotions": ["neu", "sad"]},
            {},
            {},
            "prepared with --emotions neu hap, not with --emotions neu sad: leave --emotions out, or prepare again",
        ),
        ({"emotions": ["hap", "neu"]}, {"emotions": ["hap", "neu"]}, {}, "not with --emotions hap neu"),
        ({}, {"min_votes": 3}, {}, "prepared with --min_votes 2, not with --min_votes 3"),
        ({}, {}, {"name": "calls_2026"}, "prepared with --name my_calls, not with --name calls_2026"),
        ({}, {}, {"folds": 3}, "not with --folds 3: leave --folds out, or prepare again"),
    ],
)
def test_manifests_that_are_not_as_asked_are_refused_with_a_command_that_makes_such(
    data, manifests, tmp_path, settings, overrides, options, words
):
    settings = {**SETTINGS, **settings, **overrides}
    with pytest.raises(InputError) as refused:
        corpus_data(given(tmp_path, data, manifests=manifests, **options), settings, overrides)
    said = str(refused.value)
    assert said.startswith(f"{manifests}: ") and words in said
    again = tmp_path / "again"
    assert prepare_main(shlex.split(said.partition("mlee prepare ")[2].replace("NEW_FOLDER", str(again)))) == 0
    found, _ = corpus_data(given(tmp_path, data, manifests=again, **options), settings, overrides)
    assert found.protocol["emotions"] == (settings["emotions"] or ["neu", "hap"])


def test_the_command_makes_a_final_fold_again(data, tmp_path):
    prepare_quietly("vote_table", data, tmp_path / "final", ["neu", "hap"], final=1)
    with pytest.raises(InputError) as refused:
        corpus_data(given(tmp_path, data, manifests=tmp_path / "final"), {**SETTINGS, "min_votes": 2}, {"min_votes": 2})
    command = str(refused.value).partition("mlee prepare ")[2].replace("NEW_FOLDER", str(tmp_path / "again"))
    assert prepare_main(shlex.split(command)) == 0
    assert read_protocol(tmp_path / "again")["folds"] == read_protocol(tmp_path / "final")["folds"]


def test_manifests_of_another_reader_than_corpus_says_are_refused(data, manifests, tmp_path):
    with pytest.raises(InputError, match="prepared from the corpus vote_table, not from --corpus crema_d: leave --corpus out"):
        corpus_data(given(tmp_path, data, "crema_d", manifests), SETTINGS, {})


def test_manifests_from_before_corpora_had_names_are_still_used(data, manifests, tmp_path):
    called_after_its_reader(manifests)
    for corpus in (None, "vote_table"):
        found, _ = corpus_data(given(tmp_path, data, corpus, manifests), SETTINGS, {})
        assert found.protocol["corpus"] == "vote_table"
