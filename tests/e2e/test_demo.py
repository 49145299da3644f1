"""dev/demo as a person runs it, after its set-up: on ports of its own, to its own verdict."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile

import pytest
from stack import PYTHON, read_ports

from lib.ports import free_port
from lib.process import ROOT, clean_env
from lib.wait import PATIENCE, wait_for


def start(*arguments, stdout, stderr=subprocess.STDOUT, environment=None):
    """dev/demo.py on free ports."""
    ports = {f"PORT_{name}": str(free_port()) for name in read_ports({})}
    return subprocess.Popen(
        [PYTHON, "-B", ROOT / "dev" / "demo.py", *arguments],
        env=clean_env({**ports, **(environment or {})}),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
    )


def finish(process, timeout=90):
    """(exit status, output)"""
    try:
        output, _ = process.communicate(timeout=timeout * PATIENCE)
    finally:
        process.kill()
    return process.returncode, output.decode()


def children(pid):
    """The pids of a process' children."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as found:
        return [int(child) for child in found.read().split()]


def test_good_run():
    """--seconds ends with 0, plain lines, a last screen, and every finding good."""
    status, output = finish(start("--seconds", "6", "--rate", "150", stdout=subprocess.PIPE))
    assert status == 0, output
    assert "\x1b" not in output
    assert re.search(r"^00:\d\d  calls [\d.]+/s .* ledger closed$", output, re.M), output
    assert re.search(r"both sums +closed +closed", output), output
    assert re.search(r"ok +load: 900 calls \(900 OK\), 0 unknown", output), output
    assert re.search(r"ok +total: exact, -?[\d,]+, as 900 messages .* calls were answered", output)
    assert re.search(r"ok +latency: P50 [\d.]+ ms, P95 [\d.]+ ms, P99 [\d.]+ ms; [1-9]", output)
    assert "FAILED" not in output


def test_message_that_is_no_sum():
    """Put into the topic by hand, it is counted, and changes no finding."""
    port = free_port()
    process = start("--seconds", "6", stdout=subprocess.PIPE, environment={"PORT_BROKER": f"{port}"})
    argv = ["kcat", "-P", "-b", f"127.0.0.1:{port}", "-t", "sums", "-p", "0", "-l", "/dev/stdin"]
    try:
        wait_for(
            lambda: subprocess.run([*argv, "-D", ";"], input=b'no\n sum\xff;{"sum":null}', check=False)
            .returncode == 0,
            "the broker to take it",
            timeout=40,
        )
    finally:
        status, output = finish(process)
    assert status == 0, output
    assert re.search(r"ok +total: exact, -?[\d,]+, as [\d,]+ messages", output), output


def test_bad_run():
    """A broker that dies ends the demo with 1, and the end of its log is shown."""
    process = start("--seconds", "60", stdout=subprocess.PIPE)

    def program(name):
        """The pid of a child of the demo's supervisord."""
        for supervisor in children(process.pid):
            for pid in children(supervisor):
                with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                    if comm.read().strip() == name:
                        return pid
        return None

    try:
        wait_for(lambda: program("adder-call"), "the load to run", timeout=40)
        os.kill(program("broker"), signal.SIGKILL)
    finally:
        status, output = finish(process)
    assert status == 1, output
    assert "broker ended" in output and "event=ready" in output, output


def test_terminal_and_interrupt():
    """On a terminal the screen is refreshed in place; Ctrl-C ends with 0, the cursor given back."""
    master, slave = pty.openpty()
    process = start(stdout=slave, environment={"TERM": "xterm", "COLUMNS": "100", "LINES": "60"})
    os.close(slave)
    output = bytearray()

    def read():
        while select.select([master], [], [], 0)[0]:
            try:
                output.extend(os.read(master, 65536))
            except OSError:
                return True  # the other end is closed
        return False

    try:
        # Drawn over in place twice: the cursor went up to the first line of the screen.
        wait_for(
            lambda: read() or len(re.findall(rb"\x1b\[\d+A\r", output)) >= 2,
            lambda: f"two refreshes in {output!r}",
            timeout=40,
        )
        process.send_signal(signal.SIGINT)
        wait_for(lambda: read() or process.poll() is not None, "the end", timeout=40)
        assert process.wait(timeout=40 * PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert output.count(b"\x1b[?25l") == output.count(b"\x1b[?25h") == 1
    assert b"\x1b[1mLedger" in output and b"\x1b[2J" not in output


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_reader_gone(terminal):
    """A terminal that is closed, or a pipe (| head), ends it, without a trace of it."""
    reader, writer = pty.openpty() if terminal else os.pipe()
    output = bytearray()

    def shown():
        output.extend(os.read(reader, 4096))
        return b"edger" in output

    # tmp_path may be too long for the sockets in it.
    with tempfile.TemporaryDirectory(prefix="demo-") as folder, tempfile.TemporaryFile() as stderr:
        process = start(
            stdout=writer,
            stderr=stderr,
            environment={"TERM": "xterm", "TMPDIR": folder},
        )
        os.close(writer)
        try:
            wait_for(shown, lambda: f"a ledger in {output!r}", timeout=40)
            os.close(reader)
            assert process.wait(timeout=60 * PATIENCE) == 1
        finally:
            process.kill()
            process.wait()
        stderr.seek(0)
        assert re.fullmatch(rb"demo: \[Errno \d+\] [^\n]+\n", stderr.read())
        assert not os.listdir(folder)


def test_port_taken():
    """Before anything starts: which port, and whose."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        process = start(
            "--seconds", "5", stdout=subprocess.PIPE, environment={"PORT_BROKER": str(taken)}
        )
        status, output = finish(process)
    assert status == 1
    line = f"port {taken} (Kafka broker) is in use: free it, or set PORT_BROKER"
    assert line in output and output.count("is in use") == 1, output


@pytest.mark.parametrize(
    "arguments, environment, why",
    [
        (["--seconds", "0"], {}, "an integer above 0 is needed"),
        (["--rate", "x"], {}, "an integer above 0 is needed"),
        (["--rate", "1000", "--seconds", "151"], {}, "at most 150,000 calls"),
        (["--rate", "150001"], {}, "at most 150,000 calls"),
        ([], {"PORT_BROKER": "70000"}, "PORT_BROKER=70000: a port is 1 to 65535"),
    ],
)
def test_wrong_use(arguments, environment, why):
    status, output = finish(start(*arguments, stdout=subprocess.PIPE, environment=environment))
    assert status == 2 and why in output, output
