"""The program of the process that runs an ONNX file (see `mlee_sb.inference.onnx_process`, which starts it). It imports nothing of ours.

It is given the file, the number of threads, and the bytes that it may take to load the file. On standard output it says, one JSON text a
line, that it is ready, then the metadata of the file, and then for each question the shapes of the answers, followed by their numbers.
"""

import json
import os
import sys
import threading
import time

import numpy as np


def main() -> None:
    """Load the file, and answer questions until there are no more."""
    import onnxruntime

    path, threads, memory = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    threading.Thread(target=end_with_the_parent, args=(os.getppid(),), daemon=True).start()
    say(out, {"ready": True})
    try:
        limit_memory(memory)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        say(out, {"metadata": session.get_modelmeta().custom_metadata_map})
        while question := sys.stdin.buffer.readline():
            answer(session, json.loads(question), out)
    except Exception as error:  # onnxruntime has a type for each kind of damage
        say(out, {"error": f"{type(error).__name__}: {error}"[:1000]})


def answer(session, question: dict, out) -> None:
    """Answer one question: a batch of waveforms, and the number of samples of each."""
    batch, samples = question["batch"], question["samples"]
    waveforms = np.frombuffer(sys.stdin.buffer.read(4 * batch * samples), np.float32).reshape(batch, samples)
    n_samples = np.frombuffer(sys.stdin.buffer.read(8 * batch), np.int64)
    limit_memory(question["memory"])
    values = session.run(None, dict(zip(question["inputs"], (waveforms, n_samples), strict=True)))
    found = [np.asarray(value, np.float32) for value in values]
    say(out, {"shapes": [list(value.shape) for value in found]})
    for value in found:
        out.write(value.tobytes())
    out.flush()


def say(out, message: dict) -> None:
    """Write one line."""
    out.write(json.dumps(message, allow_nan=False).encode() + b"\n")
    out.flush()


def limit_memory(more: int) -> None:
    """Let this process take `more` bytes besides what it has, and no more. (Only Linux has what is needed.)"""
    try:
        import resource

        with open("/proc/self/statm") as pages:
            taken = int(pages.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_AS, (taken + more, resource.getrlimit(resource.RLIMIT_AS)[1]))


def end_with_the_parent(parent: int) -> None:
    """Wait until the process that started this one is gone, and end."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
