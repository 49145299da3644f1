"""Where the socket is: made, replaced when stale, never stolen, removed at the end."""

import ctypes
import socket
import stat

import pytest

from lib import peer as wire
from lib.process import program, run
from lib.sidecar import Sidecar

LONGEST = 107
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1  # linux/prctl.h, linux/capability.h


def refuse(path, *words):
    """sidecard must end with 1 and say why; the path must stand in its words."""
    done = run([program("sidecard"), f"--socket={path}", "--http=127.0.0.1:0"])
    assert done.returncode == 1, done
    assert str(path) in done.stderr and all(w in done.stderr for w in words), done.stderr


def use(sidecar):
    """It takes an event."""
    with sidecar.peer() as peer:
        peer.send([wire.PRODUCED, "t", 0, None])
        sidecar.wait_metric("kafka_messages_produced_total", 1)


def test_made_and_removed(start_sidecar):
    sidecar = start_sidecar()
    use(sidecar)
    sidecar.terminate()
    assert not sidecar.socket.exists()


@pytest.mark.parametrize("mode", [0o660, 0o600, 0o666])
def test_mode(start_sidecar, mode):
    sidecar = start_sidecar(f"--socket-mode={mode:04o}")
    assert stat.S_IMODE(sidecar.socket.stat().st_mode) == mode


def test_mode_by_default(sidecar):
    assert stat.S_IMODE(sidecar.socket.stat().st_mode) == 0o660


def test_folder_is_made(start_sidecar, sidecar):
    use(start_sidecar(socket=sidecar.folder / "new" / "s"))


@pytest.mark.parametrize("path", ["/proc/sidecar.sock", "/nonexistent/folder/sidecar.sock"])
def test_folder_that_cannot_be_written(path):
    refuse(path)


def respect_permissions():
    """In the child: even root's next program may write only where the mode says so."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def test_read_only_folder(start_sidecar, sidecar):
    folder = sidecar.folder / "ro"
    folder.mkdir(mode=0o555)
    late = start_sidecar(ready=False, socket=folder / "s", preexec=respect_permissions)
    assert late.wait_exit() == 1
    assert f"{folder}/s: Permission denied" in late.log()


def padded(folder, length):
    """A path of that many bytes."""
    return folder / ("s" * (length - len(str(folder)) - 1))


def test_longest_path(start_sidecar, sidecar):
    use(start_sidecar(socket=padded(sidecar.folder, LONGEST)))


def test_path_too_long(sidecar):
    path = padded(sidecar.folder, LONGEST + 1)
    done = run([program("sidecard"), f"--socket={path}", "--http=127.0.0.1:0"])
    assert done.returncode == 2
    assert "socket" in done.stderr and str(LONGEST) in done.stderr


def test_stale_file_is_replaced(start_sidecar):
    killed = start_sidecar()
    killed.kill()
    assert killed.socket.exists()
    use(start_sidecar(socket=killed.socket))


def test_alive_is_refused(sidecar):
    """A second daemon says so and ends; the first one does not notice."""
    inode = sidecar.socket.stat().st_ino
    refuse(sidecar.socket, "another daemon")
    assert sidecar.socket.stat().st_ino == inode
    use(sidecar)


def test_alive_though_nobody_accepts(sidecar):
    """A listener with a full backlog is alive too."""
    path = sidecar.folder / "busy"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(0)
        waiting = []
        for _ in range(8):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            try:
                client.connect(str(path))
            except BlockingIOError:
                break
        else:
            pytest.fail("the backlog never filled")
        refuse(path, "another daemon")
        for client in waiting:
            client.close()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_something_else_is_left_alone(sidecar, kind):
    path = sidecar.folder / "other"
    if kind == "file":
        path.write_text("precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(sidecar.folder / "log")
    refuse(path)
    assert path.exists()
    assert kind != "file" or path.read_text() == "precious"


def test_a_successors_socket_is_not_removed(start_sidecar):
    """Whoever took the path over in the meantime keeps it."""
    first = start_sidecar()
    first.socket.unlink()
    with Sidecar(socket=first.socket) as second:
        first.terminate()
        use(second)
