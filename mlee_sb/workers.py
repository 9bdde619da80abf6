"""Worker processes that end with the process that started them, also where that is killed and can tell them nothing."""

import os
import threading
import time

LOOKS_UP = 1.0  # seconds between two looks


def leave_with_the_starter() -> None:
    """Start to watch, in a worker, the process that started it: the worker ends when that one has ended. For `initializer` of joblib."""
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()


def _watch(starter: int) -> None:
    while os.getppid() == starter:
        time.sleep(LOOKS_UP)
    os._exit(1)
