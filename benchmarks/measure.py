"""How the benchmarks measure: candidates by turns in one run, medians and spread, ratios to a reference."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEAST = 1e-9  # of any unit: memory that did not grow at all is taken for this much
PACKAGES = ("mlee_sb", "torch", "torchaudio", "speechbrain", "numpy", "pandas")


@dataclass
class Result:
    """Seconds (or whatever `unit` says) of each candidate over the repeats. The first candidate is the reference.

    Attributes
    ----------
    name : what was measured
    unit : of the values
    values : candidate -> one value a repeat
    notes : what a reader must know
    """

    name: str
    unit: str
    values: dict[str, list[float]]
    notes: list[str] = field(default_factory=list)

    def ratios(self) -> dict[str, float]:
        """How many times less than the reference each candidate takes, by medians."""
        medians = {name: max(LEAST, statistics.median(values)) for name, values in self.values.items()}
        reference, *_ = medians.values()
        return {name: reference / median for name, median in medians.items()}

    def lines(self) -> list[str]:
        """A table for a person."""
        ratios, found = self.ratios(), [f"\n{self.name} ({self.unit})"]
        for name, values in self.values.items():
            spread = f"{min(values):.4g} to {max(values):.4g}"
            found.append(f"  {name:44} {statistics.median(values):10.4g}   [{spread}] x{len(values)}   {ratios[name]:6.2f}")
        return [*found, *(f"  {note}" for note in self.notes)]

    def as_json(self) -> dict:
        """For a file."""
        figures = {
            name: {"median": statistics.median(values), "spread": [min(values), max(values)], "repeats": values}
            for name, values in self.values.items()
        }
        return {"name": self.name, "unit": self.unit, "values": figures, "ratios": self.ratios(), "notes": self.notes}


def by_turns(name: str, unit: str, candidates: dict[str, Callable[[], float]], repeats: int, notes: list[str] | None = None) -> Result:
    """Ask each candidate for a value, by turns, so that what else the machine does hits all alike."""
    values: dict[str, list[float]] = {candidate: [] for candidate in candidates}
    for _ in range(repeats):
        for candidate, measure in candidates.items():
            values[candidate].append(measure())
    return Result(name, unit, values, notes or [])


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_own_process(script: str, *arguments: object, threads: int | None = None) -> float:
    """The number that a script prints last: for what must not share a process (malloc settings, imports, peak memory)."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if threads:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    command = [sys.executable, str(ROOT / "benchmarks" / script), *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def status_of(field: str, process: int | str = "self") -> float:
    """Megabytes that a process holds (``"VmRSS"``) or held at most (``"VmHWM"``). getrusage would count those of its parent, too."""
    return int(next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith(field)).split()[1]) / 1024


def peak_memory() -> float:
    """Megabytes that this process held at most, and with it the workers it still has (in each what they share is counted again)."""
    workers = [worker for thread in Path("/proc/self/task").iterdir() for worker in (thread / "children").read_text().split()]
    return status_of("VmHWM") + sum(status_of("VmHWM", int(worker)) for worker in workers)


def machine(threads: int, device: str) -> dict:
    """What the figures depend on besides the code."""
    import torch  # not above: preparations are measured, too, and know no torch

    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "unknown")
    return {
        "processor": model,
        "cpus": os.cpu_count(),
        "threads": threads,
        "device": device if device == "cpu" else f"{device}: {torch.cuda.get_device_name(device)}",
        "system": platform.system(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def write(path: Path, results: list[Result], about: dict) -> None:
    """All results of a run as one JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps({"machine": about, "results": [result.as_json() for result in results]}, indent=1, allow_nan=False) + "\n",
        encoding="utf-8",
    )
