"""One channel of a recording, or an answer for each: the two ends of a telephone line are not one person."""

import csv
import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from bundles import RATE, speech, write_bundle

from mlee_sb import EmotionClassifier, Sound
from mlee_sb.cli.app import main
from mlee_sb.errors import InputError

AGENT, CALLER = speech(1.2), speech(1.2, seed=1) * np.linspace(1, 0.3, round(1.2 * RATE), dtype=np.float32)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("channels") / "model")


@pytest.fixture(scope="module")
def classifier(bundle):
    return EmotionClassifier.from_hparams(bundle)


@pytest.fixture
def call(tmp_path):
    soundfile.write(tmp_path / "call.wav", np.stack([AGENT, CALLER], axis=1), RATE, subtype="FLOAT")
    return tmp_path / "call.wav"


@pytest.fixture
def expected(classifier):
    return [classifier.predict(one, sample_rate=RATE) for one in (AGENT, CALLER)]


def run(capsys, *words):
    status = main([str(word) for word in words])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_python_hears_the_channel_that_is_asked_for(classifier, call, expected):
    assert [classifier.predict(call, channel=channel) for channel in (1, 2)] == expected
    both = np.stack([AGENT, CALLER])
    assert [classifier.predict(both, sample_rate=RATE, channel=channel) for channel in (1, 2)] == expected
    assert [classifier.predict(sound) for sound in Sound(call).each_channel()] == expected
    assert [classifier.predict(sound) for sound in Sound(both.T, RATE).each_channel()] == expected
    many = [*classifier.predict_many([call, both], sample_rate=RATE, channel=2), *classifier.predict_many(Sound(call).each_channel())]
    for one, other in zip(many, [expected[1], expected[1], *expected], strict=True):
        assert one.posterior == pytest.approx(other.posterior, abs=1e-5)


def test_a_timeline_of_a_channel_is_that_of_a_recording_of_it(classifier, call, tmp_path):
    soundfile.write(tmp_path / "caller.wav", CALLER, RATE, subtype="FLOAT")
    of_channel, alone = classifier.timeline(call, 0.5, 0.25, channel=2), classifier.timeline(tmp_path / "caller.wav", 0.5, 0.25)
    assert of_channel.segments == alone.segments and (of_channel.channel, alone.channel) == (2, None)


@pytest.mark.parametrize("channel", [3, 0, -1, "2", 1.0, True])
def test_a_channel_that_there_is_not_is_refused(classifier, call, channel):
    for ask in (classifier.predict, classifier.timeline):
        with pytest.raises(InputError, match=f"call.wav: channel {channel!r}: give one from 1 to 2"):
            ask(call, channel=channel)
    with pytest.raises(InputError, match=f"samples: channel {channel!r}: give one from 1 to 1"):
        classifier.predict(AGENT, sample_rate=RATE, channel=channel)


def test_the_command_line_answers_for_one_channel(bundle, call, capsys, expected):
    status, out, _ = run(capsys, "classify", call, "--model", bundle, "--channel", 2, "--json")
    said = json.loads(out)
    assert (status, said["file"], said["channel"]) == (0, str(call), 2) and said["posterior"] == expected[1].posterior
    status, out, _ = run(capsys, "classify", call, "--model", bundle, "--json")
    assert "channel" not in json.loads(out)


def test_the_command_line_answers_for_each_channel_in_every_form(bundle, call, tmp_path, capsys, expected):
    soundfile.write(tmp_path / "mono.wav", AGENT, RATE)
    (tmp_path / "bad.wav").write_bytes(b"nothing")
    words = ("classify", call, tmp_path / "mono.wav", tmp_path / "bad.wav", "--model", bundle, "--channel", "each")
    status, out, err = run(capsys, *words)
    assert [line.split()[0].rpartition("/")[2] for line in out.splitlines()[2:]] == ["call.wav[1]", "call.wav[2]", "mono.wav[1]"]
    assert status == 1 and err.count("bad.wav: cannot be read as audio") == 1
    _, out, _ = run(capsys, *words, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["file"].rpartition("/")[2], row["channel"]) for row in rows] == [
        ("call.wav", "1"),
        ("call.wav", "2"),
        ("mono.wav", "1"),
        ("bad.wav", ""),
    ]
    _, out, _ = run(capsys, *words, "--json")
    objects = [json.loads(line) for line in out.splitlines()]
    assert [one["channel"] for one in objects] == [1, 2, 1, None]
    assert [one["posterior"] for one in objects[:2]] == [pytest.approx(one.posterior, abs=1e-5) for one in expected]


def test_audio_in_a_pipe_has_channels_too(bundle, call, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(call.read_bytes())))
    _, out, _ = run(capsys, "classify", "-", "--model", bundle, "--channel", "each", "--json")
    assert [json.loads(line)["channel"] for line in out.splitlines()] == [1, 2]


def test_timelines_of_each_channel_are_told_in_every_form(bundle, call, tmp_path, capsys):
    words = ("timeline", call, "--model", bundle, "--channel", "each", "--window", 0.5, "--hop", 0.25)
    _, out, _ = run(capsys, *words)
    assert "dominant on channel 1" in out and "dominant on channel 2" in out
    _, out, _ = run(capsys, *words, "--json")
    assert [json.loads(line)["channel"] for line in out.splitlines()] == [1, 2]
    _, out, _ = run(capsys, *words, "--csv")
    assert [row["channel"] for row in csv.DictReader(io.StringIO(out))] == ["1"] * 4 + ["2"] * 4
    status, _, err = run(capsys, *words, "--plot", tmp_path / "a.png")
    assert status == 2 and "--channel each: --audacity and --plot are of one channel" in err
    assert run(capsys, *words[:5], 2, "--plot", tmp_path / "a.png")[0] == 0 and (tmp_path / "a.png").is_file()


@pytest.mark.parametrize("channel", ["0", "two", "-1", "1.5", "", "3"])
@pytest.mark.parametrize("command", ["classify", "timeline"])
def test_a_wrong_channel_is_refused(bundle, call, capsys, command, channel):
    status, _, err = run(capsys, command, call, "--model", bundle, f"--channel={channel}")
    assert status in (1, 2) and ("channel 3: give one from 1 to 2" if channel == "3" else "give the number of a channel, from 1") in err
