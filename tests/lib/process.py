"""A program under test: started with an environment of its own, its log kept, ended by its pid."""

import os
import pathlib
import signal
import subprocess

from freeze import freeze, thaw

from lib.wait import PATIENCE, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAVOUR = os.environ.get("FLAVOUR", "release")
BUILD = ROOT / "build" / FLAVOUR

# Variables that would change what a program under test does; each test says what it wants.
_OURS = ("OTEL_", "SIDECAR_", "ADDER_", "TOTALIZER_", "KAFKA_", "LISTEN_", "NOTIFY_SOCKET")
_SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=99",
    "TSAN_OPTIONS": "exitcode=99",
}
_REPORTS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "WARNING: ThreadSanitizer",
    "runtime error:",
)


def program(name, flavour=FLAVOUR):
    """The path of one of the project's programs, built in the flavour under test ($FLAVOUR)."""
    path = ROOT / "build" / flavour / name
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: make FLAVOUR={flavour}")
    return path


def clean_env(extra=None):
    """This process's environment without anything that configures the programs, plus extra."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
    for name, value in _SANITIZERS.items():
        env.setdefault(name, value)
    env.update(extra or {})
    return env


def run(argv, env=None, timeout=20, stdin=None):
    """Run to the end: a CompletedProcess with stdout and stderr as text."""
    return subprocess.run(
        [str(a) for a in argv],
        env=clean_env(env),
        capture_output=True,
        text=True,
        stdin=stdin or subprocess.DEVNULL,
        timeout=timeout * PATIENCE,
        check=False,
    )


class Process:
    """A running program. Use as a context manager: leaving it kills what is still there.

    log: the file with stdout and stderr together. pass_fds and preexec as in subprocess.Popen.
    """

    def __init__(self, argv, log, env=None, pass_fds=(), preexec=None):
        self.argv = [str(a) for a in argv]
        self.log_path = pathlib.Path(log)
        with open(self.log_path, "wb") as out:
            self._popen = subprocess.Popen(
                self.argv,
                env=clean_env(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=pass_fds,
                preexec_fn=preexec,
            )

    @property
    def pid(self):
        """The process id."""
        return self._popen.pid

    def log(self):
        """Everything it has written so far."""
        return self.log_path.read_text(errors="replace")

    def running(self):
        """True until it has ended (and reaps it then)."""
        return self._popen.poll() is None

    def wait_log(self, text, timeout=10):
        """Wait until text stands in the log."""
        wait_for(
            lambda: text in self.log() or not self.running(),
            f"{text!r} in {self.log_path}",
            timeout,
        )
        assert text in self.log(), f"ended without {text!r}:\n{self.log()}"

    def signal(self, number):
        """Send a signal; no error when it has ended already."""
        self._popen.send_signal(number)

    def pause(self):
        """Stop it where it stands: its connections stay, nothing is answered."""
        freeze(self.pid)

    def go_on(self):
        """Let it run again after pause()."""
        thaw(self.pid)

    def wait_exit(self, timeout=20):
        """Wait for the end and return the exit status (negative: the signal that killed it)."""
        wait_for(
            lambda: not self.running(),
            lambda: f"{self.argv[0]} to end; its log:\n{self.log()}",
            timeout,
        )
        return self._popen.returncode

    def terminate(self, expect=0, timeout=20):
        """SIGTERM, wait, and check the exit status and that no sanitizer complained."""
        if self.running():
            self.signal(signal.SIGTERM)
        status = self.wait_exit(timeout)
        self.check_log()
        assert status == expect, (
            f"{self.argv[0]} exited with {status}, not {expect}; its log:\n{self.log()}"
        )

    def check_log(self):
        """No sanitizer report may stand in the log."""
        log = self.log()
        assert not any(word in log for word in _REPORTS), f"sanitizer report:\n{log}"

    def kill(self):
        """SIGKILL and reap; fine when it has ended already."""
        if self.running():
            self._popen.kill()
        self._popen.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        return False
