"""A gRPC caller made of HTTP/2 frames by hand, for requests that no gRPC library would send."""

import socket
import struct

from lib.wait import PATIENCE, TIMEOUT

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
GOAWAY = 7
_END_STREAM, _END_HEADERS = 1, 4


def _frame(kind, flags, stream, payload):
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes([kind, flags])
        + struct.pack(">I", stream)
        + payload
    )


def _header(name, value):
    """A literal without indexing and without Huffman coding."""
    name, value = name.encode(), value.encode()
    assert len(name) < 127 and len(value) < 127
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


class RawCall:
    """One call on a connection of its own. message None: the stream ends without one."""

    def __init__(self, port, path, message, headers=(), authority="localhost", end=True):
        block = b"".join(
            _header(name, value)
            for name, value in [
                (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", authority),
                ("content-type", "application/grpc"), ("te", "trailers"), *headers,
            ]
        )  # fmt: skip
        closing = _END_STREAM if end else 0
        out = _PREFACE + _frame(_SETTINGS, 0, 0, b"")
        if message is None:
            out += _frame(_HEADERS, _END_HEADERS | closing, 1, block)
        else:
            body = b"\x00" + struct.pack(">I", len(message)) + message
            out += _frame(_HEADERS, _END_HEADERS, 1, block) + _frame(_DATA, closing, 1, body)
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(out)

    def frames(self):
        """The kind of each frame that comes, until the connection ends."""
        self._socket.settimeout(TIMEOUT * PATIENCE)
        with self._socket.makefile("rb") as stream:
            while len(head := stream.read(9)) == 9:
                stream.read(int.from_bytes(head[:3], "big"))
                yield head[3]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
        return False
