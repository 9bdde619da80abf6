#!/usr/bin/env python
"""Measure what existence adds to encoders of different strength, with nine listeners and with three, four emotions and six.

python docs/studies/gain.py /data/CREMA-D --base /data/whisper-base --tiny /data/whisper-tiny-en

Each line of CASES is one run of `mlee table3` with soft targets on all utterances, in a folder of its own below --results. A run that was
stopped goes on, and one that is finished is read again. Then gain.csv is written: the UA of dominant recognition, and how much better
the fusion with the MLEE encoder is than that, with the intervals of the report.
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mlee_sb.errors import InputError
from mlee_sb.evaluation.evaluate import evaluate
from mlee_sb.files import written_beside

HERE = Path(__file__).resolve().parent
FEWER = 3  # listeners of each clip in the second half of the cases
EMOTIONS = {4: ("neu", "hap", "sad", "fea"), 6: ("neu", "hap", "sad", "fea", "ang", "dis")}
DOMINANT, FUSION, SET = "dominant_soft", "mlee_fusion_soft", "all"


@dataclass(frozen=True)
class Case:
    """One run: an encoder, the number of target emotions, and of listeners (None: all of the release, about nine).

    `layers` are the hidden states that the encoder weighs, () for all; the first ones hear the sound and little of what is said.
    """

    upstream: str
    layers: tuple[int, ...]
    emotions: int
    listeners: int | None = None

    @property
    def name(self) -> str:
        """The name of its folder."""
        layers = f"layers{'_'.join(map(str, self.layers))}" if self.layers else "layers_all"
        return f"{self.upstream}_{layers}_{self.emotions}_emotions_{self.listeners or 9}_listeners"


ENCODERS = (("base", ()), ("base", (0,)), ("tiny", ()), ("tiny", (0,)))
CASES = [
    *(Case(upstream, layers, emotions) for emotions in EMOTIONS for upstream, layers in ENCODERS),
    *(Case("base", layers, emotions, FEWER) for emotions in EMOTIONS for layers in ((), (0,))),
]


def command(case: Case, given: argparse.Namespace) -> list[str]:
    """Return the command that trains a case."""
    release = given.results / "three_listeners" if case.listeners else given.data_folder
    words = ["--corpus", "vote_table" if case.listeners else "crema_d", "--data_folder", release, "--results", given.results / case.name]
    words += ["--emotions", *EMOTIONS[case.emotions], "--rows", "dominant", "mlee", "mlee_fusion"]
    words += ["--targets", "soft", "--train_sets", SET, "--seeds", *given.seeds, "--calibration", "validation"]
    words += ["--encoder", "pretrained", "--upstream", getattr(given, case.upstream)]
    words += ["--layers", *case.layers] if case.layers else []
    return [str(word) for word in (sys.executable, HERE.parents[1] / "recipes/table3.py", *words)]


def figures(case: Case, results: Path) -> dict:
    """Return the line of gain.csv for a case that is trained: shares with their intervals."""
    (corpus,) = [folder for folder in (results / case.name).iterdir() if folder.is_dir()]
    found = evaluate(corpus)
    cells = {cell["row"]: cell for cell in found["cells"]}
    line = {"upstream": case.upstream, "layers": " ".join(map(str, case.layers)) or "all"}
    line |= {"emotions": case.emotions, "listeners": case.listeners or 9, "n": found["n"], "seeds": len(cells[DOMINANT]["seeds"])}
    line |= _columns("ua_dominant", cells[DOMINANT]["pooled"]["ua"])
    line |= _columns("auc_mlee", cells["mlee"]["pooled"]["existence_auc"])
    (gain,) = [found_one for found_one in found["comparisons"] if found_one["row"] == FUSION and found_one["score"] == "ua"]
    return {**line, **_columns("gain", gain["difference"]), "p": gain["p"]}


def _columns(name: str, estimate: dict) -> dict:
    return {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}


def main() -> int:
    """Train what is missing, write gain.csv and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_folder", type=Path, help="the release of CREMA-D")
    parser.add_argument("--base", required=True, help="whisper-base: a folder, or its name on the hub")
    parser.add_argument("--tiny", required=True, help="whisper-tiny.en, likewise")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--results", type=Path, default=Path("results_gain"))
    parser.add_argument("--output", type=Path, default=HERE / "gain.csv")
    given = parser.parse_args()
    fewer = given.results / "three_listeners"
    if not fewer.is_dir():
        subprocess.run([sys.executable, HERE / "fewer_listeners.py", given.data_folder, fewer, "--listeners", str(FEWER)], check=True)
    for number, case in enumerate(CASES, 1):
        print(f"{case.name} ({number} of {len(CASES)})", flush=True)
        subprocess.run(command(case, given), check=True)
    try:
        table = pd.DataFrame([figures(case, given.results) for case in CASES])
    except InputError as error:
        raise SystemExit(str(error)) from None
    with written_beside(given.output) as beside:
        table.to_csv(beside, index=False, float_format="%.4f", lineterminator="\n")
    print(table.to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
