"""Stopping a process where it stands, and letting it go on. Standard library only."""

import os
import pathlib
import signal
import threading
import time

PATIENCE = 30  # s until a thread that waits for a disk stands
_STANDING, _ENDED = frozenset("Tt"), frozenset("ZX")


def freeze(pid):
    """SIGSTOP; return when no thread of the process runs any more, which is after kill() returns.

    ProcessLookupError: it has ended. TimeoutError: it does not stand.
    """
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + PATIENCE
    pause = threading.Event()
    while not _stands(pid):
        if time.monotonic() > deadline:
            raise TimeoutError(f"process {pid} does not stop")
        pause.wait(0.001)


def thaw(pid):
    """SIGCONT. ProcessLookupError: it has ended."""
    os.kill(pid, signal.SIGCONT)


def _stands(pid):
    """True when every thread that has not ended is stopped."""
    states = set()
    try:
        threads = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
    except FileNotFoundError:
        threads = []
    for thread in threads:
        try:
            # After the name, which may hold anything, comes the state.
            states.add((thread / "stat").read_text().rpartition(")")[2].split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has just ended
    if states <= _ENDED:
        raise ProcessLookupError(f"process {pid} has ended")
    return states <= _STANDING | _ENDED
