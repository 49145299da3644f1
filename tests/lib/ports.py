"""Ports without races: let a program bind port 0, then ask the kernel which one it got."""

import os
import socket

_LISTEN = "0A"  # the state in /proc/net/tcp


def free_port():
    """A port that was free a moment ago, for programs that cannot bind port 0.

    The port is left in TIME_WAIT, so that the kernel gives it to nobody who asks for port 0, while
    a server (which sets SO_REUSEADDR) may bind it.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()
        return listener.getsockname()[1]


def listening_ports(pid):
    """The TCP ports on which the process listens, in the order of its descriptors."""
    inodes = {}
    for family in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{family}", encoding="ascii") as table:
            for line in list(table)[1:]:
                fields = line.split()
                if fields[3] == _LISTEN:
                    inodes[fields[9]] = int(fields[1].rsplit(":", 1)[1], 16)
    ports = []
    for fd in sorted(os.listdir(f"/proc/{pid}/fd"), key=int):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        port = inodes.get(target.removeprefix("socket:[").removesuffix("]"))
        if port is not None and port not in ports:
            ports.append(port)
    return ports
