"""The demo release: the same bytes from the same seed, IEMOCAP's layout, voices that follow the emotion, listeners who disagree."""

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import astuple, replace

import numpy as np
import pytest
import soundfile

from mlee_sb.corpora.base import Skipped, Utterance, load_corpus
from mlee_sb.corpora.demo import Demo
from mlee_sb.corpora.iemocap import DEMO_MARKER, NOT_IMPROVISED, Iemocap
from mlee_sb.demo import annotators, make_demo_release, release
from mlee_sb.demo.emotions import pure
from mlee_sb.demo.phones import draw_utterance
from mlee_sb.demo.plan import Settings, plan_release
from mlee_sb.demo.prosody import draw_prosody, mean_prosody
from mlee_sb.demo.release import say
from mlee_sb.demo.speakers import draw_speakers
from mlee_sb.errors import InputError

pyworld = pytest.importorskip("pyworld", reason="the extra `demo` is not installed")

SMALL = {"speakers": 10, "utterances_per_speaker": 2, "scripted_per_speaker": 1}
SMALLEST = {"speakers": 4, "utterances_per_speaker": 1, "scripted_per_speaker": 1}


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_demo_release(tmp_path_factory.mktemp("demo") / "release", **SMALL)


@pytest.fixture(scope="module")
def recordings(small):
    return {path.stem: soundfile.read(path) for path in sorted(small.rglob("*.wav"))}


@pytest.fixture(scope="module")
def turns():
    """All turns of a release of the usual size, without their sound."""
    return plan_release(Settings())


def test_same_seed_same_bytes_in_another_process_with_another_number_of_jobs(small, tmp_path, monkeypatch):
    code = f"from mlee_sb.demo import make_demo_release; make_demo_release({str(tmp_path / 'other')!r}, **{SMALL!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert digests(tmp_path / "other") == digests(small)
    monkeypatch.setattr(release, "FEW", 0)
    monkeypatch.setattr(release, "cpu_count", lambda: 2)
    assert digests(make_demo_release(tmp_path / "two_jobs", **SMALL)) == digests(small)


def test_an_utterance_does_not_depend_on_what_was_said_before_it():
    first, second = plan_release(Settings(**SMALLEST))[:2]
    alone = say(second)
    say(first)
    assert np.array_equal(say(second), alone)


def test_another_seed_gives_other_votes_and_another_sound_in_every_file(tmp_path):
    one, two = (digests(make_demo_release(tmp_path / str(seed), seed=seed, **SMALLEST)) for seed in (0, 1))
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] == two[name]] == ["README.txt"]


def test_iemocaps_own_reader_reads_it(small):
    items = list(Iemocap(small).utterances())
    used = [item for item in items if isinstance(item, Utterance)]
    assert Counter(utterance.speaker for utterance in used) == {f"Ses0{n}{sex}": 2 for n in range(1, 6) for sex in "FM"}
    assert all(utterance.n_annotators == 3 for utterance in used)
    assert all((small / utterance.wav).is_file() for utterance in used)
    assert Counter(item.reason for item in items if isinstance(item, Skipped)) == {NOT_IMPROVISED: 10}
    assert len(list(Iemocap(small, dialogs="all").utterances())) == len(list(small.rglob("*.wav"))) == 30


def test_the_reader_finds_the_votes_and_the_dominant_emotion_that_were_planned(small):
    planned = {turn.id: turn.judgement for turn in plan_release(Settings(**SMALL))}
    for utterance in Iemocap(small, dialogs="all").utterances():
        judgement = planned[utterance.id]
        assert utterance.annotations == tuple((vote.annotator, code) for vote in judgement.votes for code in vote.codes)
        assert utterance.dominant == judgement.dominant.replace("xxx", "")


def test_every_line_of_an_evaluation_file_is_one_that_iemocap_has(small):
    times = r"\[\d+\.\d{4} - \d+\.\d{4}\]"
    known = [
        r"% \[START_TIME - END_TIME\] TURN_NAME EMOTION \[V, A, D\]",
        times + r"\tSes0\d[FM]_(impro|script)\d\d(_1)?_[FM]\d{3}\t[a-z]{3}\t\[[1-5]\.\d{4}, [1-5]\.\d{4}, [1-5]\.\d{4}\]",
        r"C-(E[1-6]|F1|M1):\t([A-Z][a-z]+;)( [A-Z][a-z]+;)*\t\(.*\)",
        r"A-(E[1-6]|F1|M1):\tval [1-5]; act [1-5]; dom  [1-5];\t\(\)",
        "",
    ]
    for path in small.rglob("EmoEvaluation/*.txt"):
        for line in path.read_text().splitlines():
            assert any(re.fullmatch(pattern, line) for pattern in known), line


def test_the_demo_corpus_says_demo_and_compares_with_no_published_count(small):
    corpus = load_corpus("demo")(small)
    assert (type(corpus), corpus.demo, corpus.checks(list(corpus.utterances()))) == (Demo, True, [])
    assert "DEMO: generated speech. No real person" in (small / "README.txt").read_text()
    assert json.loads((small / DEMO_MARKER).read_text())["demo"] is True


def test_recordings_are_one_to_four_seconds_of_16_khz_mono(recordings):
    for samples, rate in recordings.values():
        assert (rate, samples.ndim) == (16_000, 1)
        assert 1.0 <= len(samples) / rate <= 4.0


def test_no_recording_clips_or_is_silent_or_has_digital_silence(recordings):
    for samples, _ in recordings.values():
        assert 0.02 < np.abs(samples).max() < 0.9
        stretches = np.array_split(samples * 32768, len(samples) // 400)  # of 25 ms
        assert min(stretch.std() for stretch in stretches) > 4  # the noise of the room, in steps of 16 bit


def test_a_loud_voice_is_turned_down_and_not_clipped():
    turn = plan_release(Settings(**SMALLEST))[0]
    samples = say(replace(turn, prosody=replace(turn.prosody, energy=40.0)))
    assert 0.88 < np.abs(samples).max() / 32768 < 0.9


def test_about_half_of_the_improvised_utterances_have_a_dominant_target_and_each_emotion_exists_more_often(turns):
    improvised = [turn for turn in turns if "_impro" in turn.id]
    assert len(improvised) == 300
    dominant = Counter(turn.judgement.dominant for turn in improvised)
    targets = ("neu", "hap", "sad", "ang")
    assert 0.4 < sum(dominant[code] for code in targets) / 300 < 0.6
    assert dominant["neu"] == max(dominant[code] for code in targets)
    assert all(dominant[code] >= 15 for code in (*targets, "exc", "fru", "xxx"))
    for code in targets:
        assert sum(any(code in vote.codes for vote in turn.judgement.votes) for turn in improvised) > 1.3 * dominant[code]


def test_annotators_agree_on_some_utterances_and_disagree_on_others(turns):
    unanimous = [len({vote.codes for vote in turn.judgement.votes}) == 1 for turn in turns]
    assert 0.2 < np.mean(unanimous) < 0.6
    several = [len(vote.codes) > 1 for turn in turns for vote in turn.judgement.votes]
    assert 0.02 < np.mean(several) < 0.15
    assert {vote.annotator for turn in turns for vote in turn.judgement.votes} == {f"E{n}" for n in range(1, 7)}
    assert {turn.judgement.self_report.annotator for turn in turns} == {"F1", "M1"}


def test_one_listener_hears_anger_in_most_utterances_and_the_others_do_not(turns):
    heard = defaultdict(list)
    for turn in turns:
        for vote in turn.judgement.votes:
            heard[vote.annotator].append("ang" in vote.codes)
    angry = heard.pop("E4")
    assert np.mean(angry) > 0.6 and max(np.mean(of_other) for of_other in heard.values()) < 0.25


def test_styles_change_no_voice_and_no_vote_of_the_others(turns, monkeypatch):
    monkeypatch.setattr(annotators, "STYLES", {})
    for turn, plain in zip(turns, plan_release(Settings()), strict=True):
        assert (turn.id, turn.seconds, turn.prosody, turn.voice_seed) == (plain.id, plain.seconds, plain.prosody, plain.voice_seed)
        votes = [[vote for vote in one.judgement.votes if vote.annotator != "E4"] for one in (turn, plain)]
        assert votes[0] == votes[1]


def test_votes_follow_the_mixture(turns):
    share = defaultdict(list)
    for turn in turns:
        share[sum("sad" in vote.codes for vote in turn.judgement.votes)].append(turn.mixture["sad"])
    means = [np.mean(share[votes]) for votes in range(4)]
    assert means == sorted(means)
    assert means[3] > 3 * means[0]


def test_mixtures_are_graded(turns):
    for code in ("neu", "hap", "sad", "ang"):
        assert 0.4 < np.median([turn.mixture[code] for turn in turns if max(turn.mixture.values()) == turn.mixture[code]]) < 0.8
    assert all(sum(turn.mixture.values()) == pytest.approx(1) for turn in turns)


def test_prosody_lies_between_those_of_the_emotions_that_are_mixed():
    angry, sad = (np.array(astuple(mean_prosody(pure(code)))) for code in ("ang", "sad"))
    mixed = np.array(astuple(mean_prosody({"ang": 0.25, "sad": 0.75})))
    assert mixed == pytest.approx(0.25 * angry + 0.75 * sad)


def said(speaker, emotion, repetition):
    """Samples of 2.5 s in which `speaker` feels `emotion` and nothing else."""
    rng = np.random.default_rng(repetition)
    prosody = draw_prosody(rng, pure(emotion), speaker)
    turn = plan_release(Settings(**SMALLEST))[0]
    return say(replace(turn, speaker=speaker, seconds=2.5, prosody=prosody, voice_seed=(repetition,))) / 32768


def mean_pitch(samples):
    pitch, _ = pyworld.dio(samples, 16_000, f0_floor=65.0)
    return np.median(pitch[pitch > 0])


def brightness(samples):
    """dB of 2 to 4 kHz against 0 to 1 kHz."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hz = np.fft.rfftfreq(len(samples), 1 / 16_000)
    return 10 * np.log10(power[(hz > 2000) & (hz < 4000)].sum() / power[hz < 1000].sum())


@pytest.mark.parametrize("measure", [mean_pitch, brightness, np.std])
def test_anger_is_higher_brighter_and_louder_than_sadness_in_the_sound_of_every_speaker(measure):
    for speaker in draw_speakers(np.random.default_rng(0), 4):
        angry, sad = (np.mean([measure(said(speaker, code, n)) for n in range(3)]) for code in ("ang", "sad"))
        assert angry > sad


def test_the_pitch_of_the_sound_moves_by_the_semitones_of_the_prosody():
    plain = plan_release(Settings(**SMALLEST))[0]
    low, high = (mean_pitch(say(replace(plain, prosody=replace(plain.prosody, pitch=pitch))) / 32768) for pitch in (-3.0, 3.0))
    assert 12 * np.log2(high / low) == pytest.approx(6, abs=1)


def test_no_two_utterances_say_the_same(turns):
    one, other = (replace(turns[0], voice_seed=turn.voice_seed) for turn in turns[:2])
    assert len({turn.voice_seed for turn in turns}) == len(turns)
    assert not np.array_equal(say(one), say(other))


def test_tempo_is_heard_as_more_segments_in_the_same_time():
    slow, fast = (draw_utterance(np.random.default_rng(0), 3.0, tempo) for tempo in (0.7, 1.4))
    assert len(fast) > 1.3 * len(slow)
    assert sum(segment.seconds for segment in fast) == pytest.approx(3.0)


def test_women_and_men_differ_and_no_two_voices_are_alike():
    speakers = draw_speakers(np.random.default_rng(0), 10)
    assert [speaker.sex for speaker in speakers] == list("FM" * 5)
    assert min(s.pitch_hz for s in speakers if s.sex == "F") > max(s.pitch_hz for s in speakers if s.sex == "M")
    assert len({speaker.pitch_hz for speaker in speakers}) == len({speaker.tract for speaker in speakers}) == 10


def test_the_pitch_of_the_sound_is_that_of_the_speaker():
    for speaker in draw_speakers(np.random.default_rng(0), 4):
        heard = np.mean([mean_pitch(said(speaker, "neu", n)) for n in range(3)])
        assert abs(12 * np.log2(heard / speaker.pitch_hz)) < 3  # semitones


def test_a_finished_release_is_reused(tmp_path):
    folder = make_demo_release(tmp_path / "demo", **SMALLEST)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert make_demo_release(folder, **SMALLEST) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_a_release_with_other_settings_is_refused(tmp_path):
    folder = make_demo_release(tmp_path / "demo", **SMALLEST)
    with pytest.raises(InputError, match=r"other settings: seed 0 \(asked for: 5\)"):
        make_demo_release(folder, seed=5, **SMALLEST)


def test_a_folder_with_something_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="something else than a demo release"):
        make_demo_release(tmp_path, **SMALLEST)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"settings": 3}'])
def test_a_broken_marker_is_refused(tmp_path, content):
    (tmp_path / DEMO_MARKER).write_text(content)
    with pytest.raises(InputError, match=r"DEMO\.json: cannot be read"):
        make_demo_release(tmp_path, **SMALLEST)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "demo").write_text("")
    with pytest.raises(InputError, match="a file, not a folder"):
        make_demo_release(tmp_path / "demo", **SMALLEST)


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "demo").mkdir()
    assert (make_demo_release(tmp_path / "demo", **SMALLEST) / DEMO_MARKER).is_file()


def test_nothing_is_left_of_a_release_that_was_broken_off(tmp_path, monkeypatch):
    def broken(turn):
        raise KeyboardInterrupt

    monkeypatch.setattr(release, "say", broken)
    with pytest.raises(KeyboardInterrupt):
        make_demo_release(tmp_path / "demo", **SMALLEST)
    assert list(tmp_path.iterdir()) == []


def test_without_the_vocoder_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyworld", None)
    with pytest.raises(InputError, match=r'pip install "mlee_sb\[demo\]"'):
        make_demo_release(tmp_path / "demo", **SMALLEST)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"speakers": 3},
        {"speakers": 5},
        {"speakers": 2},
        {"speakers": 12},
        {"utterances_per_speaker": 0},
        {"scripted_per_speaker": -1},
        {"seed": -1},
    ],
)
def test_settings_of_which_no_release_can_be_made_are_refused(tmp_path, settings):
    with pytest.raises(InputError, match=f"{next(iter(settings))} .*: must be"):
        make_demo_release(tmp_path / "demo", **settings)


def test_scripted_dialogs_can_be_left_out(tmp_path):
    folder = make_demo_release(tmp_path / "demo", **SMALLEST | {"scripted_per_speaker": 0})
    assert not list(folder.rglob("*script*"))
