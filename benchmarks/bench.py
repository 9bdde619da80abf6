#!/usr/bin/env python
"""Run the benchmarks: each prints a table (the first line is the reference, ratios by medians) and goes into one JSON file.

python benchmarks/bench.py [--only NAME ...] [--repeats 3] [--data_folder CREMA-D] [--output FILE]
python benchmarks/bench.py --only training_step at_once --at_once 1 2 4 8 --device cuda
"""

import argparse
from pathlib import Path

import at_once
import box
import classification
import cold
import convolution_peak
import extraction
import frozen
import long_recording
import memory
import padding
import preparation
import reading
import torch
from measure import Result, by_turns, in_own_process, machine, write

NAMES = (
    "training_step",
    "at_once",
    "convolution_peak",
    "padding",
    "reading",
    "frozen",
    "classification",
    "box",
    "cold",
    "preparation",
    "long_recording",
    "extraction",
    "memory",
)


def training_step(options: argparse.Namespace) -> list[Result]:
    """Three versions of a training step, each in a process of its own."""
    words = [*([options.data_folder] if options.data_folder else []), "--device", options.device]
    candidates = {
        name: lambda w=which: in_own_process("training_step.py", w, options.utterances, *words, threads=options.threads)
        for name, which in {"the plain version, fp32": "reference", "ours, fp32": "ours_fp32", "ours, bf16": "ours_bf16"}.items()
    }
    return [by_turns("training step of the paper's encoder, batch 16", "ms an utterance", candidates, options.repeats)]


def run(name: str, options: argparse.Namespace) -> list[Result]:
    """The results of one benchmark."""
    data_folder = Path(options.data_folder) if options.data_folder else None
    return {
        "training_step": lambda: training_step(options),
        "at_once": lambda: [at_once.measure(options.at_once, options.repeats, options.utterances, options.device)],
        "convolution_peak": lambda: [convolution_peak.measure(options.repeats, options.threads)],
        "padding": lambda: [padding.measure(options.corpus, data_folder)],
        "reading": lambda: [reading.measure(options.repeats, options.threads, options.utterances)],
        "frozen": lambda: [frozen.measure(options.repeats, options.threads, options.embeddings, options.epochs)],
        "classification": lambda: classification.measure(options.repeats, options.files),
        "box": lambda: [box.measure(options.repeats, options.clips, data_folder)],
        "cold": lambda: [cold.measure(options.repeats)],
        "preparation": lambda: [preparation.measure(n, options.repeats) for n in (options.table // 10, options.table)],
        "long_recording": lambda: long_recording.measure(options.minutes, options.repeats),
        "extraction": lambda: [extraction.measure(options.repeats, options.threads, options.clips, data_folder, options.upstream)],
        "memory": lambda: memory.measure(options.files // 20, options.repeats),
    }[name]()


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME", help=f"of: {', '.join(NAMES)}")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data_folder", help="a release with wav files, for lengths as they are (default: log-normal, mean 4.5 s)")
    parser.add_argument("--utterances", type=int, default=192, help="of a training pass")
    parser.add_argument("--corpus", type=int, default=2000, help="utterances of the corpus that is batched")
    parser.add_argument("--embeddings", type=int, default=6000, help="of a frozen stage")
    parser.add_argument("--epochs", type=int, default=30, help="of a frozen stage")
    parser.add_argument("--files", type=int, default=1000, help="of the folder that is classified")
    parser.add_argument("--table", type=int, default=100_000, help="utterances of the vote_table")
    parser.add_argument("--minutes", type=float, default=60, help="of the long recording")
    parser.add_argument("--clips", type=int, default=24, help="of extraction, and of the model in the box")
    parser.add_argument("--upstream", type=Path, help="a folder with a Whisper model, for extraction (default: random weights)")
    parser.add_argument("--at_once", type=int, nargs="+", default=[1, 2], metavar="N", help="trainings that share the device")
    parser.add_argument("--device", default="cpu", help="of training_step and at_once; the others are measured on the CPU")
    parser.add_argument("--output", type=Path, help="JSON file (default: benchmarks/results.json, and none with --only)")
    options = parser.parse_args()
    output = options.output or (Path(__file__).parent / "results.json" if options.only == NAMES else None)
    torch.set_num_threads(options.threads)
    results = []
    for name in options.only:
        for result in run(name, options):
            print("\n".join(result.lines()), flush=True)
            results.append(result)
            if output:
                write(output, results, machine(options.threads, options.device))


if __name__ == "__main__":
    main()
