"""What the fixed part of a pretrained encoder costs, on recordings of real lengths. Prints ms an utterance.

python benchmarks/extraction.py bare|speechbrain|padded|cut UPSTREAM FOLDER       UPSTREAM: a folder with a Whisper model

bare: transformers' own feature extractor and encoder, one file at a time. speechbrain: SpeechBrain's wrapper, batches of 8. Both pad to
30 s. padded, cut: ours, from the files to values on disk.
"""

import sys
import tempfile
from pathlib import Path

import corpus
import pandas as pd
import soundfile
import torch
from measure import Result, by_turns, in_own_process, seconds

from mlee_sb.models.encoders.pretrained import PretrainedEncoder
from mlee_sb.training.fixed_parts import FixedPart
from mlee_sb.training.fixed_values import keep
from mlee_sb.training.stage import Data

TINY = {"d_model": 384, "encoder_layers": 4, "encoder_attention_heads": 6, "encoder_ffn_dim": 1536, "decoder_layers": 0}
BATCH = 8  # of the wrapper


def write_upstream(folder: Path) -> Path:
    """A Whisper encoder of the size of `tiny` with random weights: its time does not depend on them."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperModel

    tokens = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0)
    WhisperModel(WhisperConfig(**TINY, **tokens, vocab_size=8, max_target_positions=8)).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    return folder


def bare(upstream: Path, files: list[Path]) -> None:
    """Give each file to transformers."""
    from transformers import WhisperFeatureExtractor, WhisperModel

    encoder = WhisperModel.from_pretrained(upstream, dtype=torch.float32).encoder.eval()
    features = WhisperFeatureExtractor.from_pretrained(upstream)
    for file in files:
        samples, rate = soundfile.read(file, dtype="float32")
        mel = features(samples, sampling_rate=rate, return_tensors="pt").input_features
        encoder(mel, output_hidden_states=True)


def speechbrain(upstream: Path, files: list[Path]) -> None:
    """Give batches of files to SpeechBrain's wrapper. (It keeps 16-bit weights as they are, which a CPU cannot run: hence float.)"""
    from speechbrain.integrations.huggingface.whisper import Whisper

    with tempfile.TemporaryDirectory() as cache:
        wrapper = Whisper(str(upstream), cache, encoder_only=True, freeze=True, output_all_hiddens=True).eval().float()
        for start in range(0, len(files), BATCH):
            samples = [torch.from_numpy(soundfile.read(file, dtype="float32")[0]) for file in files[start : start + BATCH]]
            wrapper(torch.nn.utils.rnn.pad_sequence(samples, batch_first=True))


def ours(upstream: Path, files: list[Path], context: str) -> None:
    """Compute and write the values of each file, as a training does before its first epoch."""
    encoder = PretrainedEncoder(str(upstream), None, context, "statistics", 64, 1e-3, 0.5, 128, 0)
    durations = [soundfile.info(file).duration for file in files]
    rows = pd.DataFrame({"ID": [f.stem for f in files], "wav": [f.name for f in files], "duration": durations, "speaker": "a"})
    with tempfile.TemporaryDirectory() as folder:
        part = FixedPart(Path(folder), "key", encoder, encoder.fixed, of_corpus=True)
        keep([part], [(rows, (1.0,))], Data(Path(folder), {"hash": ""}, files[0].parent), "cpu", lambda line: None)


@torch.no_grad()
def main(which: str, upstream: str, folder: str) -> None:
    """Print ms an utterance: the second pass over the files, because the first one warms up."""
    files = sorted(Path(folder).glob("*.wav"))
    work = {"bare": bare, "speechbrain": speechbrain}.get(which, lambda *given: ours(*given, which))
    work(Path(upstream), files[: len(files) // 4])
    print(1000 * seconds(lambda: work(Path(upstream), files)) / len(files))


def measure(repeats: int, threads: int, n: int, data_folder: Path | None, upstream: Path | None) -> Result:
    """All four, by turns, each in a process of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        files = corpus.write_folder(Path(temporary, "wavs"), corpus.lengths(n, data_folder))
        network = upstream or write_upstream(Path(temporary, "whisper"))
        names = {"transformers alone, padded to 30 s": "bare", "SpeechBrain's wrapper, padded to 30 s": "speechbrain"}
        names |= {"ours, padded to 30 s": "padded", "ours, cut to its own length": "cut"}
        candidates = {
            name: lambda w=which: in_own_process("extraction.py", w, network, files[0].parent, threads=threads)
            for name, which in names.items()
        }
        what = f"fixed part of a pretrained encoder, {upstream.name if upstream else 'random weights of the size of Whisper tiny'}"
        return by_turns(what, "ms an utterance", candidates, repeats)


if __name__ == "__main__":
    main(*sys.argv[1:])
