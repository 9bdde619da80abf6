"""Small releases of the MSP lab's corpora, written as the sources in the readers' docstrings describe them."""

import csv
import io
from pathlib import Path

from releases import write_wav

CONSENSUS_HEADER = ["FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set"]

TRAIN, DEVELOPMENT, TEST1, TEST2 = "Train", "Development", "Test1", "Test2"

PIECES = {
    "MSP-PODCAST_0001_0008.wav": ("N", "1", TRAIN, ["Neutral", "Neutral", "Happy"]),
    "MSP-PODCAST_0001_0019.wav": ("H", "Unknown", TRAIN, ["Happy", "Happy", "Sad"]),
    "MSP-PODCAST_0002_0003.wav": ("S", "2", TRAIN, ["Sad", "Sad", "Disgust"]),
    "MSP-PODCAST_0003_0150.wav": ("A", "3", DEVELOPMENT, ["Angry", "Angry", "Contempt"]),
    "MSP-PODCAST_0004_0011.wav": ("X", "4", TEST1, ["Fear", "Surprise", "Other-Sleepy; yawning, twice"]),
    "MSP-PODCAST_0005_0042_0001.wav": ("N", "5", TEST2, ["Neutral", "Neutral", "Neutral"]),
}
"""File -> EmoClass, SpkrID, Split_Set, and the primary emotion of each worker."""

SECONDARY = "Neutral,Concerned"


def consensus_row(file: str, code: str, speaker: str, split: str) -> list[str]:
    return [file, code, "4.200000", "3.800000", "4.000000", speaker, "Female", split]


def detail(worker: str, primary: str, secondary: str = SECONDARY) -> str:
    return f"{worker}; {primary}; {secondary}; A:4.000000; V:5.000000; D:4.000000;"


def worker(number: int) -> str:
    return f"WORKER{number:08}"


def detailed_rows(release: str, pieces: dict) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of labels_detailed.csv, as this release writes them."""
    ratings = [(file, worker(n), primary) for file, (*_, heard) in pieces.items() for n, primary in enumerate(heard)]
    if release in ("1.6", "2.0"):
        who = "Workers" if release == "1.6" else "WorkerID"
        header = ["FileName", who, "EmoClass_Major", "EmoClass_Second", "EmoAct", "EmoVal", "EmoDom"]
        return header, [[file, name, primary, SECONDARY, "4", "5", "4"] for file, name, primary in ratings]
    return ["FileName", "EmoDetail"], [[file, detail(name, primary)] for file, name, primary in ratings]


def write_csv(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


def write_msp_podcast(folder: Path, release: str = "1.11", pieces: dict | None = None) -> Path:
    """An MSP-Podcast release in the form of `release`, with a recording for each piece."""
    pieces = PIECES if pieces is None else pieces
    labels = folder / {"1.6": "label", "1.9": "labels"}.get(release, "Labels")
    consensus = "labels_consensus.csv" if release in ("1.10", "1.11", "1.12", "2.0") else "labels_concensus.csv"
    dev = "Validation" if release == "1.6" else DEVELOPMENT
    rows = [
        consensus_row(file, code, speaker, dev if split == DEVELOPMENT else split) for file, (code, speaker, split, _) in pieces.items()
    ]
    write_csv(labels / consensus, CONSENSUS_HEADER, rows)
    write_csv(labels / "labels_detailed.csv", *detailed_rows(release, pieces))
    (folder / "readme.txt").write_text(f"#  MSP-PODCAST Database  #\n#  Release {release} (June 6, 2024)  #\n")
    for file in pieces:
        write_wav(folder / ("Audio" if release == "1.6" else "Audios") / file)
    return folder


def summary(name: str, code: str) -> str:
    return f"UTD-IMPROV-{name}.avi; {code}; A:3.000000; V:3.500000; D:3.000000 ; N:4.000000;"


def opinion(annotator: str, primary: str, secondary: str = "Neutral") -> str:
    return f"{annotator}; {primary}; {secondary}; A:3.000000; V:4.000000; D:3.000000; N:NaN;"


IMPROV_LETTERS = {"A": "Angry", "H": "Happy", "S": "Sad", "N": "Neutral"}


def write_msp_improv(folder: Path, *blocks: list[str], sessions: int = 6, line_end: str = "\n") -> Path:
    """An MSP-IMPROV release: the `blocks` of its evaluation file; by default one of each kind for both speakers of each session."""
    if not blocks:
        kinds = {"A": "P", "H": "R", "S": "S", "N": "T"}
        blocks = tuple(
            [summary(f"S01{code}-{sex}{session:02}-{kinds[code]}-FM01", code), *(opinion(f"ear-{n}", heard) for n in range(3))]
            for session in range(1, sessions + 1)
            for sex in "FM"
            for code, heard in IMPROV_LETTERS.items()
        )
    text = "\n\n".join("\n".join(block) for block in blocks) + "\n\n"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Evalution.txt").write_bytes(text.replace("\n", line_end).encode())
    for block in blocks:
        name = block[0].split(";")[0].removeprefix("UTD-IMPROV-").removesuffix(".avi")
        sentence, speaker, kind, *_ = [*name.split("-"), "", "", ""]
        if speaker:
            write_wav(folder / f"session{speaker[-1]}" / sentence / kind / f"MSP-IMPROV-{name}.wav")
    return folder
