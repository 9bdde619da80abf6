"""Small releases, written as their makers write them, for the tests to read."""

import json
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from mlee_sb.corpora.manifest import FINGERPRINTS, PROTOCOL, SKIPPED, UTTERANCES, VOTES_HASH
from mlee_sb.corpora.manifest.protocol import READER, protocol_hash
from mlee_sb.corpora.prepare import prepare
from mlee_sb.files import sha256_of

HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"


def write_wav(path: Path, seconds: float = 0.1, rate: int = 16_000, channels: int = 1, subtype: str = "PCM_16") -> Path:
    """A recording of noise, of a loudness of its own: other names, other recordings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(zlib.crc32(path.name.encode()))
    noise = random.uniform(0.1, 0.9) * random.uniform(-0.5, 0.5, (round(seconds * rate), channels))
    soundfile.write(path, noise, rate, subtype=subtype)
    return path


def block(utterance: str, code: str, *lines: str) -> bytes:
    """An utterance's part of an evaluation file: its summary line, then `lines`."""
    summary = f"[6.2901 - 8.2357]\t{utterance}\t{code}\t[2.5000, 2.5000, 2.5000]"
    return "\n".join([summary, *lines]).encode("latin-1")


def write_dialog(folder: Path, dialog: str, blocks: list[bytes], line_end: bytes = b"\n", wavs: bool = True) -> Path:
    """An IEMOCAP dialog, with a wav for each of its utterances; return its evaluation file."""
    session = folder / f"Session{dialog.split('_')[0][-2]}"
    path = session / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = b"\n\n".join([HEADER.encode(), *blocks]) + b"\n"
    path.write_bytes(content.replace(b"\n", line_end))
    (session / "sentences" / "wav" / dialog).mkdir(parents=True, exist_ok=True)
    for one in blocks if wavs else []:
        utterance = one.decode("latin-1").split("\t")[1]
        write_wav(session / "sentences" / "wav" / dialog / f"{utterance}.wav")
    return path


def write_iemocap(folder: Path, sessions: int = 5) -> Path:
    """An IEMOCAP release of `sessions` sessions, in each an improvised dialog of two turns a speaker and a scripted one."""
    for session in range(1, sessions + 1):
        improvised, scripted = f"Ses0{session}F_impro01", f"Ses0{session}M_script01_1"
        turns = [
            block(f"{improvised}_{sex}00{turn}", code, f"C-E1:\t{label};\t()", "C-E2:\tNeutral;\t()", "C-E3:\tNeutral; Sadness;\t()")
            for sex in "FM"
            for turn, (code, label) in enumerate([("neu", "Neutral"), ("hap", "Happiness")])
        ]
        write_dialog(folder, improvised, turns)
        write_dialog(folder, scripted, [block(f"{scripted}_F000", "ang", "C-E1:\tAnger;\t()")])
    return folder


VOTES_HEADER = '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"'


def write_crema_d(folder: Path, rows: dict[str, tuple[int, ...]] | None = None, actors: int = 12) -> Path:
    """A CREMA-D release: `rows` gives the voice-only votes A D F H N S of a clip; by default a clip or two of each actor."""
    if rows is None:
        rows = {f"{1001 + actor}_IEO_HAP_XX": (0, 0, 0, 3, 6, 0) for actor in range(actors)}
        rows |= {f"{1001 + actor}_DFA_SAD_XX": (0, 0, 2, 0, 3, 5) for actor in range(actors)}
    lines = [VOTES_HEADER]
    for number, (clip, votes) in enumerate(rows.items(), start=1):
        write_wav(folder / "AudioWAV" / f"{clip}.wav")
        heard_seen = {100_000: votes, 200_000: (9, 0, 0, 0, 0, 0), 300_000: (0, 9, 0, 0, 0, 0)}  # voice, face, both
        lines += [f'"{first + number}",{",".join(map(str, v))},"{clip}",{sum(v)},1,"N"' for first, v in heard_seen.items()]
    (folder / "processedResults").mkdir(parents=True, exist_ok=True)
    (folder / "processedResults" / "tabulatedVotes.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_table(folder: Path, text: str, name: str = "votes.csv") -> Path:
    """A table of votes, as the lines of `text`, with a wav for each ``x.wav`` that it names: in `folder` or beside it, nowhere else."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(line.strip() for line in text.strip().splitlines()) + "\n", encoding="utf-8")
    for wav in {field for line in text.split() for field in line.split(",") if field.endswith(".wav") and ".." not in field}:
        assert (folder / wav).is_relative_to(folder.parent), f"{wav}: every test of this machine would write it there"
        write_wav(folder / wav)
    return folder


def write_tables(folder: Path, texts: dict[str, str]) -> None:
    """Tables of a page, by the names of their files, with recordings of three seconds for pieces to lie in."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        for wav in {field for line in text.splitlines() for field in line.split(",") if field.endswith(".wav")}:
            write_wav(folder / wav, seconds=3)


FOUR_SPEAKERS = """
    ID,wav,speaker,votes_neu,votes_hap,votes_other
    1,a.wav,anna,2,1,0
    2,b.wav,bert,1,2,0
    3,c.wav,carl,0,0,3
    4,d.wav,dora,3,0,0
"""


def prepare_quietly(*arguments, **keywords) -> dict:
    """As `prepare`, without its report."""
    return prepare(*arguments, say=lambda line: None, **keywords)


def replace_the_last_sound(wav: Path) -> None:
    """Of as many samples as before; it begins as it did."""
    content = wav.read_bytes()
    wav.write_bytes(content[:-400] + bytes(reversed(content[-400:])))


def files_of(folder: Path) -> dict[str, str]:
    """Path below a folder -> sha256, of all files."""
    return {str(path.relative_to(folder)): sha256_of(path) for path in folder.rglob("*") if path.is_file()}


def skipped_of(manifests: Path) -> dict[str, str]:
    """ID -> reason, of skipped.csv."""
    return pd.read_csv(manifests / SKIPPED, dtype=str, keep_default_na=False).set_index("ID")["reason"].to_dict()


def without_the_hash_of_votes(manifests: Path) -> str:
    """Make manifests those of a version that noted no hash of votes.csv; return their own hash."""
    protocol = json.loads((manifests / PROTOCOL).read_text())
    del protocol[VOTES_HASH]
    return _write_protocol(manifests, protocol)


def called_after_its_reader(manifests: Path) -> str:
    """Make manifests those of a version in which every own corpus was called after its reader; return their own hash."""
    protocol = json.loads((manifests / PROTOCOL).read_text())
    protocol["corpus"] = protocol.pop(READER)
    del protocol["options"]["name"]
    return _write_protocol(manifests, protocol)


def _write_protocol(manifests: Path, protocol: dict) -> str:
    lines, fingerprints = ((manifests / file).read_text().splitlines(keepends=True)[1:] for file in (UTTERANCES, FINGERPRINTS))
    protocol["hash"] = protocol_hash(protocol, lines, [line.strip().split(",")[1] for line in fingerprints])
    (manifests / PROTOCOL).write_text(json.dumps(protocol))
    return protocol["hash"]


LABEL_LINES = [
    "neu neu hap",
    "hap hap hap",
    "neu hap sad",
    "neu neu neu",
]  # votes of the utterances of a speaker, as docs/plugin_corpus.md reads them


def write_label_lines(folder: Path) -> None:
    """The release that the corpus reader of plugin_corpus.md reads."""
    votes = {f"{speaker}/{speaker}{n}.wav": line for speaker in ("anna", "bert", "carl", "dora") for n, line in enumerate(LABEL_LINES)}
    for wav in votes:
        write_wav(folder / wav)
    (folder / "labels.txt").write_text("".join(f"{wav} {line}\n" for wav, line in votes.items()))
