"""Emotions over time: the same from a file, from its parts as they come, and from a clip that is one window."""

import json
import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from bundles import EMOTIONS, RATE, speech, write_speech

from mlee_sb import fonts
from mlee_sb.errors import InputError
from mlee_sb.inference.answers import NO_SPEECH, Prediction
from mlee_sb.inference.predictor import Predictor
from mlee_sb.inference.stream import Segment
from mlee_sb.inference.timeline import NOT_SURE, Timeline

WINDOW, HOP = 1.0, 0.5


def said(dominant, presence=(0.2, 0.7, 0.6), abstained=None):
    values = dict(zip(EMOTIONS, presence, strict=True))
    return Prediction(dominant, abstained, 0.8, values, values, ("hap",), 0.9, 1.0, 1.0)


def spans(timeline):
    return [(s.start, s.end) for s in timeline.segments]


@pytest.mark.parametrize("rate, channels", [(16000, 1), (44100, 2), (8000, 1)])
def test_of_a_clip_shorter_than_a_window_it_says_what_predict_says(classifier, tmp_path, rate, channels):
    path = write_speech(tmp_path / "a.wav", 0.8, rate, channels)
    (segment,) = classifier.timeline(path, window=1.0, hop=0.5).segments
    assert segment.prediction == classifier.predict(path)
    assert (segment.start, segment.end) == (0, pytest.approx(0.8))


@pytest.mark.parametrize(
    "seconds, expected",
    [
        (1.0, [(0, 1)]),
        (1.2, [(0, 1), (0.2, 1.2)]),
        (1.5, [(0, 1), (0.5, 1.5)]),
        (2.25, [(0, 1), (0.5, 1.5), (1, 2), (1.25, 2.25)]),
    ],
)
def test_windows_begin_at_every_hop_and_the_last_ends_with_the_audio(classifier, tmp_path, seconds, expected):
    timeline = classifier.timeline(write_speech(tmp_path / "a.wav", seconds), WINDOW, HOP)
    assert spans(timeline) == [pytest.approx(span) for span in expected]
    assert timeline.seconds == pytest.approx(seconds)


def test_a_window_is_what_a_file_of_it_would_be(classifier, tmp_path):
    samples = speech(3.2)  # the last window begins before the last but one is over
    soundfile.write(tmp_path / "all.wav", samples, RATE, subtype="FLOAT")
    timeline = classifier.timeline(tmp_path / "all.wav", WINDOW, HOP)
    for segment in timeline.segments:
        cut = samples[round(segment.start * RATE) : round(segment.end * RATE)]
        soundfile.write(tmp_path / "cut.wav", cut, RATE, subtype="FLOAT")
        assert classifier.predict(tmp_path / "cut.wav") == segment.prediction


def test_the_last_part_of_a_frame_is_heard_too(classifier):
    stream = classifier.stream(RATE)
    stream.feed(np.concatenate([np.zeros(640), np.sin(np.arange(740))]).astype(np.float32))
    (segment,) = stream.finish()
    assert segment.prediction.speech == pytest.approx(3 / 5)


@pytest.mark.parametrize("rate, channels", [(16000, 1), (48000, 2), (11025, 1)])
@pytest.mark.parametrize("size", [160, 4801, 10**6])
def test_live_audio_is_answered_as_its_file_is_however_it_comes(classifier, tmp_path, rate, channels, size):
    path = write_speech(tmp_path / "a.wav", 4.3, rate, channels)
    samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    stream = classifier.stream(rate, WINDOW, HOP)
    segments = []
    for start in range(0, len(samples), size):
        segments += stream.feed(samples[start : start + size])
    segments += stream.finish()
    timeline = classifier.timeline(path, WINDOW, HOP)
    assert segments == timeline.segments and len(segments) == 8
    assert stream.finish() == []


def test_an_answer_comes_as_soon_as_its_window_is_complete(classifier):
    stream = classifier.stream(RATE, WINDOW, HOP)
    samples = speech(2.0)
    assert stream.feed(samples[: RATE - 1]) == []
    assert [(s.start, s.end) for s in stream.feed(samples[RATE - 1 : RATE])] == [(0, 1)]
    assert len(stream.feed(samples[RATE:])) == 2


def test_a_stream_holds_little_however_long_it_runs(classifier, monkeypatch):
    monkeypatch.setattr(Predictor, "predict", lambda *_, **__: None)
    stream = classifier.stream(48000, WINDOW, HOP)
    held = []
    for _ in range(300):
        stream.feed(np.zeros(48000, dtype=np.float32))
        held.append(len(stream.audio) + len(stream.heard) + len(stream.resampling.waiting) + len(stream.gate.waiting))
    assert max(held[10:]) <= (WINDOW + HOP + 1) * RATE + 48000
    assert max(held[10:20]) == max(held[280:])


def test_a_file_is_never_held_as_a_whole(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(Predictor, "predict", lambda *_, **__: None)
    with soundfile.SoundFile(tmp_path / "long.wav", "w", 48000, 2, "PCM_16") as file:
        for _ in range(20):
            file.write(np.zeros((48000 * 30, 2), dtype=np.int16))
    tracemalloc.start()
    classifier.timeline(tmp_path / "long.wav", hop=4.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6, "of 230 MB as floats (numpy's memory is seen by tracemalloc)"


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"window": 0.01}, "window 0.01"),
        ({"hop": 0}, "hop 0"),
        ({"window": 1, "hop": 2}, "hop 2"),
        ({"gate": "loud"}, "gate"),
        *(
            ({name: value}, re.escape(f"{name} {value}"))
            for name in ("window", "hop")
            for value in (np.nan, np.inf, -np.inf, 1e308, "long", None)
        ),
        ({"hop": 1e-9}, "hop 1e-09"),
        ({"window": 10**400}, "window 1000"),
        ({"coverage": np.nan}, "coverage is nan"),
        ({"min_confidence": np.nan}, "min_confidence is nan"),
    ],
)
def test_a_wrong_window_is_refused(classifier, hello, arguments, words):
    for ask in (lambda: classifier.timeline(hello, **arguments), lambda: classifier.stream(RATE, **arguments)):
        with pytest.raises(InputError, match=words):
            ask()


def test_a_hop_may_be_as_long_as_the_window_up_to_rounding(classifier):
    assert classifier.stream(RATE, window=0.3, hop=0.1 + 0.2).feed(speech(0.3))


def test_a_recording_too_short_for_the_model_is_refused_and_a_stream_of_it_says_nothing(classifier, tmp_path):
    with pytest.raises(InputError, match=r"a.wav: 30 ms long"):
        classifier.timeline(write_speech(tmp_path / "a.wav", 0.03))
    stream = classifier.stream(RATE)
    assert stream.feed(speech(0.03)) == [] and stream.finish() == []


@pytest.mark.parametrize("samples", [np.zeros(10, dtype=np.int16), np.zeros((2, 2, 2)), np.array([0.0, np.nan])])
def test_samples_that_are_none_are_refused(classifier, samples):
    with pytest.raises(InputError, match="what was fed: .*(samples|floats)"):
        classifier.stream(RATE).feed(samples)


def test_a_finished_stream_takes_no_more(classifier):
    stream = classifier.stream(RATE)
    stream.finish()
    with pytest.raises(InputError, match="finished"):
        stream.feed(np.zeros(100, dtype=np.float32))


@pytest.mark.parametrize("gain_db", [-40, 20])
def test_the_level_of_a_recording_changes_neither_where_there_is_speech_nor_how_much(classifier, tmp_path, gain_db):
    samples = np.concatenate([speech(1.1), np.zeros(RATE), speech(2.3, seed=1)]) + 1e-4 * np.random.default_rng(0).standard_normal(70400)
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", samples * 10 ** (gain_db / 20), RATE, subtype="FLOAT")
    one, other = (classifier.timeline(tmp_path / name, WINDOW, HOP) for name in ("a.wav", "b.wav"))
    assert one.speech == other.speech and len(one.speech) == 2
    assert [s.prediction.speech for s in one.segments] == [s.prediction.speech for s in other.segments]
    assert classifier.predict(tmp_path / "a.wav").speech == classifier.predict(tmp_path / "b.wav").speech


def test_silence_is_not_asked_about_and_speech_is_found(classifier, tmp_path):
    samples = np.concatenate([np.zeros(2 * RATE), speech(1.5), np.zeros(2 * RATE)])
    soundfile.write(tmp_path / "a.wav", samples, RATE)
    timeline = classifier.timeline(tmp_path / "a.wav", WINDOW, HOP)
    ((start, end),) = timeline.speech
    assert (start, end) == (pytest.approx(2.0, abs=0.03), pytest.approx(3.5, abs=0.03))
    frame = timeline.to_frame()
    silent = frame["speech"] < 0.1
    assert frame.loc[silent, "abstained"].eq(NO_SPEECH).all() and frame.loc[silent, "p_neu"].isna().all()
    assert frame.loc[~silent, "p_neu"].notna().all() and silent.sum() == 6


# What people want it as


@pytest.fixture
def timeline():
    predictions = [
        said("hap"),
        said("hap"),
        said(None, abstained="not confident enough"),
        said("sad"),
        said(None, abstained=NO_SPEECH),
        said("hap"),
    ]
    segments = [Segment(float(i), i + 2.0, prediction) for i, prediction in enumerate(predictions)]
    return Timeline(segments, [(0.0, 5.5)], EMOTIONS, 7.0)


def test_labels_are_joined_and_reach_from_end_to_end(timeline):
    assert timeline.labels() == [(0.0, 2.5, "hap"), (2.5, 3.5, NOT_SURE), (3.5, 4.5, "sad"), (5.5, 7.0, "hap")]
    assert (0.0, 7.0, "hap") in timeline.labels("presence") and not any(label == "neu" for *_, label in timeline.labels("presence"))


def test_it_is_written_as_audacity_csv_and_json_reads_them(timeline, tmp_path):
    timeline.to_audacity(tmp_path / "labels.txt")
    lines = [line.split("\t") for line in (tmp_path / "labels.txt").read_text().splitlines()]
    assert lines[0] == ["0.000000", "2.500000", "hap"] and all(len(line) == 3 for line in lines)
    timeline.to_csv(tmp_path / "a.csv")
    frame = pd.read_csv(tmp_path / "a.csv", keep_default_na=False)
    assert list(frame)[:4] == ["start", "end", "dominant", "abstained"] and len(frame) == 6
    assert {f"{prefix}{emotion}" for prefix in ("p_", "e_") for emotion in EMOTIONS} <= set(frame)
    timeline.to_json(tmp_path / "a.json")
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["emotions"] == EMOTIONS and found["segments"][3]["dominant"] == "sad" and found["speech"] == [[0.0, 5.5]]


@pytest.mark.parametrize("ending, begins", [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_it_is_drawn(timeline, tmp_path, ending, begins):
    timeline.plot(tmp_path / f"a{ending}")
    assert (tmp_path / f"a{ending}").read_bytes().startswith(begins)


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_a_code_that_no_font_has_is_said_once(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(fonts, "_system_fonts", lambda: [])
    with pytest.warns(UserWarning) as warned:
        Timeline([], [], ["生气", "neu"], 1.0).plot(tmp_path / f"a{ending}")
    (said,) = {str(warning.message) for warning in warned}
    assert "boxes are shown for 气 生, because no font of this machine has these characters: install a font" in said


def test_what_cannot_be_drawn_or_labelled_is_refused(timeline, tmp_path):
    with pytest.raises(InputError, match=r"a.gif"):
        timeline.plot(tmp_path / "a.gif")
    with pytest.raises(InputError, match="did you mean 'presence'"):
        timeline.labels("presense")


def test_a_timeline_without_a_window_is_drawn_and_written_too(tmp_path):
    empty = Timeline([], [], EMOTIONS, 0.0)
    empty.plot(tmp_path / "a.png")
    empty.to_csv(tmp_path / "a.csv")
    assert empty.labels() == []


def test_tensors_are_fed_like_arrays(classifier):
    stream, other = classifier.stream(RATE, WINDOW, HOP), classifier.stream(RATE, WINDOW, HOP)
    samples = speech(1.5)
    assert stream.feed(torch.from_numpy(samples)) == other.feed(samples) != []


def test_a_sample_rate_may_come_from_numpy(classifier):
    stream = classifier.stream(np.int64(RATE), WINDOW, HOP)
    assert stream.feed(speech(1.5))
