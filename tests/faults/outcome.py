"""What the campaign found: rows of tries, the table in Markdown, and which run it was."""

import os
import platform
import re
import shlex
import subprocess
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from children import GIGABYTE, HARMLESS, REFUSED, RETURNED, Ended

HERE = Path(__file__).resolve().parent
KNOWN = HERE / "known.toml"
PARTS = ("kills", "mutations", "disks", "hostile")
NO_TIME = "no time"
HEADING = "\n## The table\n"


@dataclass
class Row:
    """A row of the table: how many tries, how they ended, and one try of each finding."""

    ends: Counter = field(default_factory=Counter)
    findings: dict[str, list[str]] = field(default_factory=dict)

    def add(self, part: str, kind: str, name: str, ended: Ended) -> None:
        """Count a try of a kind in a part of the campaign."""
        self.ends[ended.how] += 1
        if ended.how not in (*HARMLESS, NO_TIME):
            key = f"{part}: {ended.how} {ended.where or kind}"
            self.findings.setdefault(key, []).append(f"{name}: {ended.said}")


def known_findings() -> dict[str, str]:
    """Return the findings that are known: beginning of their key -> why they are not mended."""
    return {one["finding"]: one["why"] for one in tomllib.loads(KNOWN.read_text(encoding="utf-8")).get("known", [])}


def unknown(rows: dict[tuple[str, str], Row]) -> list[str]:
    """Return the keys of findings that nobody has explained."""
    known = tuple(known_findings())
    return sorted({key for row in rows.values() for key in row.findings if not (known and key.startswith(known))})


def _line(part: str, kind: str, ends: Counter) -> str:
    bad = sum(times for how, times in ends.items() if how not in (*HARMLESS, NO_TIME))
    return f"| {part} | {kind} | {ends.total() - ends[NO_TIME]:,} | {ends[RETURNED]:,} | {ends[REFUSED]:,} | {bad} | {ends[NO_TIME]} |"


def table(rows: dict[tuple[str, str], Row]) -> str:
    """Return the tries and findings in Markdown."""
    lines = ["| part | what | tries | answered as before | refused in words | findings | not tried |", "|---|---|---|---|---|---|---|"]
    for part in [part for part in PARTS if any(of == part for of, _ in rows)]:
        of_part = {kind: rows[of, kind].ends for of, kind in sorted(rows) if of == part}
        of_part["**all**"] = sum(of_part.values(), Counter())
        lines += [_line(part, kind, ends) for kind, ends in of_part.items()]
    known, found = known_findings(), Counter()
    for row in rows.values():
        found.update({key: len(names) for key, names in row.findings.items()})
    lines += ["", "| finding | tries | known, and why |", "|---|---|---|"] if found else ["", "No finding."]
    for key, times in sorted(found.items()):
        why = next((why for begin, why in known.items() if key.startswith(begin)), "**unknown**")
        lines.append(f"| `{key.replace('|', ' ')}` | {times} | {why} |")
    return "\n".join(lines)


def run_in_words(words: list[str], seed: int, minutes: float, load: float) -> str:
    """Return which run it was: command, seed, commit, day, machine and minutes."""
    described = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=HERE, capture_output=True, text=True)
    commit = described.stdout.strip() or "unknown"
    cores, memory = len(os.sched_getaffinity(0)), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE
    processor = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    machine = f"{cores} CPU cores ({processor[1] if processor else platform.machine()}), {memory:.0f} GB of memory"
    command = shlex.join(["python", "tests/faults/campaign.py", *words])
    return (
        f"Of `{command}`, seed {seed}, commit {commit}, {date.today()}, on {machine}, with a load of {load:.1f} at its begin, "
        f"{minutes:.0f} minutes."
    )


def write_into(page: Path, text: str) -> None:
    """Write a text into a page, in the place of all that stands below the heading of the table."""
    above, heading, _ = page.read_text(encoding="utf-8").partition(HEADING)
    if not heading:
        raise SystemExit(f"{page}: no heading {HEADING.strip()!r} in it")
    page.write_text(f"{above}{heading}\n{text}\n", encoding="utf-8")
