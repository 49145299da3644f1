"""dev/freeze.py, which tests of outages rely on: a process stands at once, and whole."""

import os
import subprocess
import sys

import pytest
from freeze import freeze, thaw

from lib.wait import wait_for

# Four threads that never rest; each counts in eight bytes of its own of a shared file.
BUSY = """
import mmap, os, sys, threading
page = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 4096)
def count(at):
    n = 0
    while True:
        n += 1
        page[at:at + 8] = n.to_bytes(8, "little")
for at in (0, 8, 16, 24):
    threading.Thread(target=count, args=(at,)).start()
"""


@pytest.fixture
def busy(tmp_path):
    """(process, counts): counts() are its threads' now."""
    path = tmp_path / "counts"
    path.write_bytes(bytes(4096))
    with subprocess.Popen([sys.executable, "-c", BUSY, path]) as process:

        def counts():
            page = path.read_bytes()
            return [int.from_bytes(page[at : at + 8], "little") for at in (0, 8, 16, 24)]

        wait_for(lambda: all(counts()), "every thread to count")
        try:
            yield process, counts
        finally:
            process.kill()


def test_nothing_runs_between_freeze_and_thaw(busy):
    process, counts = busy
    for _ in range(20):
        freeze(process.pid)
        before = counts()
        os.sched_yield()
        assert counts() == before
        thaw(process.pid)
        wait_for(lambda b=before: all(n > m for n, m in zip(counts(), b)), "every thread to go on")


def test_a_process_that_has_ended_is_told(busy):
    process, _ = busy
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie
    with pytest.raises(ProcessLookupError):
        freeze(process.pid)
    process.wait()
    with pytest.raises(ProcessLookupError):
        freeze(process.pid)


def test_a_process_that_is_frozen_already_stays_so(busy):
    process, counts = busy
    freeze(process.pid)
    freeze(process.pid)
    before = counts()
    thaw(process.pid)
    wait_for(lambda: counts() != before, "it to go on")
