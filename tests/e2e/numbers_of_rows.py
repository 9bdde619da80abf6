"""A short training of every row, and the numbers that it gave when they were kept: `tests/e2e/numbers/`.

They were kept with version 0.2.0 (commit 51a4aca), before the redesign of 0.3.0, on the machine that `machine` describes there.
`python tests/e2e/numbers_of_rows.py RESULTS` keeps those of a folder of results anew: only where numbers are meant to change.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

NUMBERS = Path(__file__).parent / "numbers"
LOSSES = NUMBERS / "losses.json"
PROBABILITIES = ("p_", "e_")
ROWS = ("dominant", "mlee", "mlee_pretrain", "mlee_fusion")
EPOCHS = {"dominant": "1", "mlee": "1", "mlee_pretrain": "2", "mlee_fusion": "2"}
FLAGS = ["--train_sets", "all", "--folds", "3", "--seeds", "1", "--device", "cpu", "--jobs", "1", "--threads", "1"]
for row in ROWS:
    FLAGS += [f"--{row}.max_epochs", EPOCHS[row], f"--{row}.speeds", "0.9"]


def machine() -> dict[str, str]:
    """Describe how this machine rounds: its processor, the libraries, and the bits of a small computation."""
    wanted = ("model name", "model", "stepping", "cache size", "flags")
    path = Path("/proc/cpuinfo")
    lines = path.read_text().split("\n\n")[0].splitlines() if path.is_file() else []
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    processor = {name.strip(): value.strip() for name, value in found.items() if name.strip() in wanted}
    digest = hashlib.sha256(json.dumps(processor, sort_keys=True).encode()).hexdigest()[:16]
    return {"processor": digest, "torch": torch.__version__, "numpy": np.__version__, "bits": _bits()}


def _bits() -> str:
    """The bits of a Fourier transform, a convolution, an LSTM and the gradients of both, in plain torch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            waveform, conv, lstm = (
                torch.randn(3, 16000),
                nn.Conv2d(1, 16, (16, 12), stride=(2, 2)),
                nn.LSTM(16 * 195, 128, bidirectional=True),
            )
            power = torch.fft.rfft(waveform.unfold(1, 640, 160), n=1600)[..., :400].abs().square().add(1e-8).log()
            hidden = conv(power.unsqueeze(1)).relu().permute(2, 0, 1, 3).flatten(2)  # [steps, batch, channels * bins]
            out, _ = lstm(hidden)
            out.square().mean().backward()
    finally:
        torch.set_num_threads(threads)
    digest = hashlib.sha256(out.detach().numpy().tobytes())
    for parameter in (*conv.parameters(), *lstm.parameters()):
        digest.update(parameter.grad.numpy().tobytes())
    return digest.hexdigest()[:16]


def numbers_of(results: Path) -> dict[str, tuple[dict, pd.DataFrame]]:
    """Row -> losses, and the probabilities of each test utterance as text, from the stages below a folder of results."""
    found = {}
    for path in sorted(results.rglob("save/summary.json")):
        summary = json.loads(path.read_text())
        frame = pd.read_csv(path.parents[1] / "predictions.csv", dtype=str)
        columns = [column for column in frame if column == "ID" or column.startswith(PROBABILITIES)]
        found[summary["row"]] = summary["losses"], frame[columns]
    return found


def kept_numbers() -> tuple[dict[str, str], dict[str, tuple[dict, pd.DataFrame]]]:
    """The machine that the numbers were kept on, and the numbers as `numbers_of` gives them."""
    content = json.loads(LOSSES.read_text())
    return content["machine"], {row: (losses, pd.read_csv(NUMBERS / f"{row}.csv", dtype=str)) for row, losses in content["losses"].items()}


def keep(results: Path) -> None:
    """Write the numbers of a folder of results."""
    numbers = numbers_of(results)
    LOSSES.write_text(json.dumps({"machine": machine(), "losses": {row: losses for row, (losses, _) in numbers.items()}}, indent=1) + "\n")
    for row, (_, frame) in numbers.items():
        frame.to_csv(NUMBERS / f"{row}.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
