"""Becomes another program that dies with its parent: ``python launch.py PARENT PROGRAM ARG...``.

Run as a script, by its path, so it imports nothing of ours. Asking the kernel here, after the
fork, needs no Python code between fork and exec, where other threads' locks may be held.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h


def die_with_parent(parent: int) -> None:
    """Ask for SIGKILL at the parent's death; leave at once when it is already dead.

    The kernel means the parent *thread*, so whoever starts this keeps the thread alive. Where
    there is no such call (not Linux) the program outlives a killed parent.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - no shell is wanted
