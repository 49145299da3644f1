"""flood.py SOCKET -- sends spans to a sidecard on 8 connections, as fast as it takes them, until it is
killed.

Half of them have no end. It is a process of its own because kill -9 cuts what it is writing
anywhere.
"""

import os
import select
import socket
import sys

import msgpack

HELLO = msgpack.packb([0, 1, {"service.name": "flood"}])


def spans():
    """A START and an END, and a START alone."""
    for ends in (True, False):
        span = os.urandom(8)
        yield [3, os.urandom(16), span, None, "flooding", 1, None, 1, {"a": "f" * 80}]
        if ends:
            yield [4, span, None, 0]


def main():
    """Never returns."""
    peers = [socket.socket(socket.AF_UNIX) for _ in range(8)]
    for peer in peers:
        peer.connect(sys.argv[1])
        peer.sendall(HELLO)
        peer.setblocking(False)
    left = dict.fromkeys(peers, b"")
    while True:
        for peer in select.select([], peers, [])[1]:
            data = left[peer] or b"".join(msgpack.packb(e) for _ in range(50) for e in spans())
            left[peer] = data[peer.send(data) :]


main()
