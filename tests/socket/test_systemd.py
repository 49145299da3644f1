"""systemd's two protocols: readiness, and sockets that were opened before the start."""

import contextlib
import os
import pathlib
import re
import socket
import sys

import pytest

from lib import peer as wire

# Puts the socket on descriptor 3 and says so, as systemd does, then becomes its arguments.
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=sys.argv[2] or str(os.getpid()), LISTEN_FDS=sys.argv[3])
os.execv(sys.argv[4], sys.argv[4:])
"""


def activation(sock, pid="", count=1):
    """Keywords of Sidecar for a start with a socket."""
    wrapper = [sys.executable, "-c", ACTIVATE, sock.fileno(), pid, count]
    return {"wrapper": wrapper, "pass_fds": (sock.fileno(),)}


@contextlib.contextmanager
def listener(path, kind=socket.SOCK_STREAM, family=socket.AF_UNIX):
    """A socket as a .socket unit would make it."""
    with socket.socket(family, kind) as sock:
        sock.bind(str(path) if family == socket.AF_UNIX else path)
        if kind == socket.SOCK_STREAM:
            sock.listen(16)
        yield sock


@pytest.mark.parametrize("abstract", [False, True])
def test_notify(start_sidecar, tmp_path, abstract):
    name = f"@sidecar-test-{os.getpid()}" if abstract else str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.settimeout(10)
        sidecar = start_sidecar(env={"NOTIFY_SOCKET": name})
        assert "READY=1" in manager.recv(4096).decode().splitlines()
        sidecar.terminate()
        assert "STOPPING=1" in manager.recv(4096).decode().splitlines()


def test_notify_to_nobody(start_sidecar):
    """A manager that is not there is no reason not to run."""
    start_sidecar(env={"NOTIFY_SOCKET": "/nonexistent/notify"})


def test_activation(start_sidecar, tmp_path):
    """A peer that connected before the start is served; the socket is left as it was found."""
    path = tmp_path / "s"
    with listener(path) as sock:
        early = wire.Peer(path)
        early.send([wire.PRODUCED, "early", 0, None])
        sidecar = start_sidecar(**activation(sock))
        sidecar.wait_metric("kafka_messages_produced_total", 1, topic="early")
        with wire.Peer(path) as late:
            late.send([wire.PRODUCED, "late", 0, None])
            sidecar.wait_metric("kafka_messages_produced_total", 1, topic="late")
        assert not sidecar.socket.exists()
        early.close()
        sidecar.terminate()
    assert path.exists()


def test_activation_of_another_process(start_sidecar, tmp_path):
    """LISTEN_PID of somebody else: not for us, we make our own."""
    with listener(tmp_path / "s") as sock:
        sidecar = start_sidecar(**activation(sock, pid="1"))
        assert sidecar.socket.exists()


@pytest.mark.parametrize(
    "family, kind, count",
    [
        (socket.AF_UNIX, socket.SOCK_DGRAM, 1),
        (socket.AF_INET, socket.SOCK_STREAM, 1),
        (socket.AF_UNIX, socket.SOCK_STREAM, 2),
    ],
)
def test_wrong_socket(start_sidecar, tmp_path, family, kind, count):
    address = tmp_path / "s" if family == socket.AF_UNIX else ("127.0.0.1", 0)
    with listener(address, kind, family) as sock:
        sidecar = start_sidecar(ready=False, **activation(sock, count=count))
        assert sidecar.wait_exit() == 1
        assert "systemd" in sidecar.log()


def test_socket_is_close_on_exec(start_sidecar, tmp_path):
    with listener(tmp_path / "s") as sock:
        sidecar = start_sidecar(**activation(sock))
        flags = re.search(
            r"flags:\s*0?(\d+)", pathlib.Path(f"/proc/{sidecar.pid}/fdinfo/3").read_text()
        )
        assert int(flags[1], 8) & os.O_CLOEXEC
