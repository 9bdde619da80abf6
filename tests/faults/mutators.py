"""Ways to spoil a file: its bytes, its words, its cells, its values. All is drawn from one `Random`, so that it is there again."""

import json
import re
import struct
from random import Random

ODD_VALUES = [None, True, False, 0, -1, 1, 7, 2**31, 2**63, 10**30, 1e308, -0.5, float("nan"), float("inf"), "", "a", "=1+1", "[/]"]
ODD_VALUES += ["\x1b[2J", "a" * 5000, "../..", "/etc/passwd", "\ud800", [], [[]], {}, {"a": 1}, [1] * 1000, ["a", None], "1", "0.5"]
ODD_WORDS = [b"", b"0", b"-1", b"nan", b"inf", b"1e999", b"null", b"9" * 400, b"=1+1", b"[/]", b"\x1b[2J", b"\xff\xfe", b"\0", b'"']
ODD_WORDS += [
    b"a" * 9000,
    b",,,,",
    b"\r",
    b"\n\n",
    b"{}",
    b"[]",
    b"true",
    b"../..",
    b"!new:os.system",
    b"&a [*a]",
    b"\xef\xbb\xbf",
    b"\xfc",
]
ODD_NUMBERS = [0, 1, 2, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]
DEEP = b"[" * 5000
LOST = 0.02  # share of tries in which nothing but the name of a file is left, or its length, as after a power loss
HEADER = 64  # bytes at the beginning of a recording, in which most of what is told of it stands


def of_bytes(content: bytes, random: Random) -> bytes:
    """Spoil some bytes, wherever they are."""
    changed = bytearray(content)
    where = random.randrange(len(changed) + 1)
    much = min(random.choice([1, 2, 4, 16, 256, 4096]), len(changed) - where)
    match random.randrange(7):
        case 0:
            for _ in range(random.choice([1, 3, 20])):
                changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        case 1:
            del changed[where:]
        case 2:
            del changed[where : where + much]
        case 3:
            changed[where:where] = changed[where : where + much] * random.choice([1, 2, 50])
        case 4:
            changed[where : where + much] = bytes([random.choice([0, 255])]) * much
        case 5:
            changed[where:where] = random.randbytes(random.choice([1, 16, 1000]))
        case 6 if len(changed) > 4:
            place = random.randrange(max(1, min(HEADER, len(changed) - 4)))
            struct.pack_into(random.choice("<>") + "I", changed, place, random.choice(ODD_NUMBERS))
    return bytes(changed)


def of_text(content: bytes, random: Random) -> bytes:
    """Spoil words or lines."""
    lines = content.splitlines(keepends=True) or [b""]
    where = random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            del lines[where]
        case 1:
            lines.insert(where, lines[random.randrange(len(lines))])
        case 2:
            other = random.randrange(len(lines))
            lines[where], lines[other] = lines[other], lines[where]
        case _:
            lines[where] = _one_word_changed(lines[where], random)
    return b"".join(lines)


def _one_word_changed(line: bytes, random: Random) -> bytes:
    words = list(re.finditer(rb"[^\s,:;\"]+", line))
    if not words:
        return line + random.choice(ODD_WORDS)
    word = random.choice(words)
    return line[: word.start()] + random.choice(ODD_WORDS) + line[word.end() :]


def of_json(content: bytes, random: Random) -> bytes:
    """Spoil a value, or the name of one."""
    if random.random() < 0.02:
        return DEEP
    tree = json.loads(content)
    holder, name = random.choice(_places(tree))
    match random.randrange(4):
        case 0:
            del holder[name]
        case 1 if isinstance(holder, dict):
            holder[str(random.choice(ODD_VALUES))[:50]] = holder.pop(name)
        case _:
            holder[name] = random.choice(ODD_VALUES)
    return json.dumps(tree).encode()


def _places(tree) -> list[tuple]:
    found, todo = [], [tree]
    while todo:
        node = todo.pop()
        names = list(node) if isinstance(node, dict) else range(len(node))
        found += [(node, name) for name in names]
        todo += [node[name] for name in names if isinstance(node[name], dict | list) and node[name]]
    return found


def of_safetensors(content: bytes, random: Random) -> bytes:
    """Spoil the header of weights, which is JSON behind its length."""
    (length,) = struct.unpack("<Q", content[:8])
    header = (of_json if random.random() < 0.7 else of_bytes)(content[8 : 8 + length], random)
    told = len(header) if random.random() < 0.9 else random.choice([*ODD_NUMBERS, 2**63])
    return struct.pack("<Q", told) + header + content[8 + length :]


def spoilt(name: str, content: bytes, random: Random) -> bytes:
    """Spoil a file in a way that is fit for its kind, and now and then as mere bytes."""
    if random.random() < LOST:
        return random.choice([b"", bytes(len(content))])
    text = name.endswith((".csv", ".yaml", ".txt", ".json"))
    ways = [of_bytes, of_text] if text else [of_bytes]
    ways += [of_json, of_json] if name.endswith(".json") else [of_text, of_text] if text else []
    ways += [of_safetensors, of_safetensors] if name.endswith(".safetensors") else []
    for _ in range(random.choice([1, 1, 1, 2])):
        try:
            content = random.choice(ways)(content, random)
        except (ValueError, IndexError, struct.error, RecursionError):  # the second change of what is no JSON any more, or of nothing
            content = of_bytes(content or b"a", random)
    return content
