"""What several tests of the protocol check plant in clean results, and how they call it."""

import json
import shutil

import pandas as pd
import soundfile
from stages import MANIFESTS

from mlee_sb.corpora.base import load_corpus
from mlee_sb.evaluation.protocol.check import check_protocol


def check(results, **given):
    return check_protocol(results, load_corpus, **given)


def edit_csv(path, change):
    """Replace a CSV by what `change` makes of its rows, all text."""
    change(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)


def edit_json(path, **values):
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def without_manifests(results):
    shutil.rmtree(results / MANIFESTS)


def a_test_utterance_in_training(results):
    row = pd.read_csv(results / MANIFESTS / "fold1/test.csv", dtype=str, keep_default_na=False).iloc[:1]
    edit_csv(results / MANIFESTS / "fold1/train.csv", lambda rows: pd.concat([rows, row]))


def a_test_recording_in_another_container(results):
    """The samples of a0 under the name of d2, as FLAC, under a header of another rate."""
    samples, _ = soundfile.read(results.parent / "release/a0.wav", dtype="int16")
    soundfile.write(results.parent / "release/d2.wav", samples, 22_050, format="FLAC", subtype="PCM_24")
