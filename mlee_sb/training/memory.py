"""Memory of a training on a CPU: freed memory is kept for the next batch. Its return to the system takes a quarter of a training step."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h
NEVER_TRIM = 2**31 - 1  # bytes; the largest value that mallopt takes


def keep_freed_memory() -> bool:
    """Tell glibc to keep large freed blocks. Return whether it worked; without glibc nothing happens."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER_TRIM))
