"""What is needed of a disk for the locks (filelock) that keep two runs apart, of several users and machines, too."""

import errno
import fcntl
import os
from pathlib import Path

from mlee_sb.disk import told

HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # by another run


def check_lockable(path: str | Path) -> None:
    """Check that a file can be locked, and make it with the rights that the umask gives: for a group of users, they may all have it.

    The lock is flock on a file: the system opens it when a process ends in any way, so what lies around afterwards does no harm. On
    network folders (NFS 4, CIFS, CephFS, Lustre with the option `flock`) it also holds between machines.

    Parameters
    ----------
    path : the file, in a folder that is there

    Raises
    ------
    DiskError
        if the disk has no locks, or the user may not write the file
    """
    with told(Path(path).parent):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in HELD:
                raise
        finally:
            os.close(descriptor)
