"""Classify a file, and a folder, with a model in memory."""

import tempfile
from pathlib import Path

import corpus
from measure import Result, by_turns, seconds
from speechbrain.inference.classifiers import EncoderClassifier
from training_step import our_encoder, our_head

from mlee_sb import EmotionClassifier
from mlee_sb.models.bundle import save_bundle
from mlee_sb.models.emotion_model import EmotionModel
from mlee_sb.targets import SOFTMAX

EMOTIONS = ["neu", "hap", "sad", "ang"]
LABELS = {
    "target": "soft",
    "train_set": "all",
    "min_votes": 1,
    "alpha": 0.75,
    "corpus": "noise",
    "row": "dominant_soft",
    "fold": 1,
    "seed": 1,
}


def write_bundle(folder: Path) -> Path:
    """The paper's encoder with a head, not trained: it takes the same time."""
    encoder = our_encoder()
    model = EmotionModel(encoder, our_head(encoder.embedding_size, len(EMOTIONS)), EMOTIONS, SOFTMAX)
    save_bundle(folder, model, LABELS, demo=True)
    return folder


def measure(repeats: int, n_files: int) -> list[Result]:
    """One 3 s file, and a folder of n_files of them."""
    with tempfile.TemporaryDirectory() as temporary:
        bundle = write_bundle(Path(temporary) / "model")
        files = corpus.write_folder(Path(temporary) / "wavs", [3.0] * n_files)
        ours = EmotionClassifier.from_hparams(bundle)
        theirs = EncoderClassifier.from_hparams(source=str(bundle), savedir=f"{temporary}/sb")

        def speechbrain(paths):
            for path in paths:
                theirs.classify_file(str(path), savedir=temporary)

        one = {
            "SpeechBrain's EncoderClassifier": lambda: speechbrain(files[:1]),
            "ours: classify_file": lambda: ours.classify_file(files[0]),
        }
        one["ours: predict"] = lambda: ours.predict(files[0])
        if (features := egemaps()) is not None:
            one = {"openSMILE eGeMAPS, features alone": lambda: features(files[0]), **one}
        for work in one.values():
            work()
        file = by_turns("one 3 s file, warm", "ms", {name: lambda w=work: 1000 * seconds(w) for name, work in one.items()}, 10 * repeats)
        many = {
            "SpeechBrain's EncoderClassifier": lambda: seconds(lambda: speechbrain(files)),
            "ours: predict_many": lambda: seconds(lambda: list(ours.predict_many(files))),
        }
        return [file, by_turns(f"a folder of {n_files} files of 3 s", "s", many, repeats)]


def egemaps():
    """openSMILE's feature extraction of a file; None where it is not installed (pip install opensmile)."""
    try:
        import opensmile
    except ImportError:
        return None
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    return lambda path: smile.process_file(str(path))
