"""Waiting for something observable, with a deadline: the one place where a test polls."""

import os
import threading
import time

# Sanitizers, and several test runs beside each other on two cores, make everything slower.
PATIENCE = float(os.environ.get("TEST_PATIENCE", "1"))
TIMEOUT = 10.0
_INTERVAL = 0.01


def wait_for(predicate, what, timeout=TIMEOUT):
    """Call predicate() until what it returns is true, and return that.

    what: words for the failure message, or a function that makes them then. timeout: seconds, times
    TEST_PATIENCE. An exception from predicate is not caught: "not yet" is a false value.
    """
    deadline = time.monotonic() + timeout * PATIENCE
    pause = threading.Event()
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(
                f"waited {timeout * PATIENCE:g} s for {what() if callable(what) else what}"
            )
        pause.wait(_INTERVAL)
