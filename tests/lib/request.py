"""A request in Kafka's own protocol, for what no client library lets a test do."""

import socket
import struct


def text(value):
    """A string as requests have it."""
    data = value.encode()
    return struct.pack(">h", len(data)) + data


class Answer:
    """Reads the fields of a response one after the other."""

    def __init__(self, data):
        self._data, self._at = data, 0

    def take(self, layout):
        """One number, by its letter of struct; or bytes."""
        values = struct.unpack_from(">" + layout, self._data, self._at)
        self._at += struct.calcsize(">" + layout)
        return values[0]

    def text(self):
        """A string, or None."""
        length = self.take("h")
        return None if length < 0 else self.take(f"{length}s").decode()


def ask(brokers, api, version, body):
    """Send a request on a connection of its own; its Answer."""
    host, port = brokers.rsplit(":", 1)
    request = struct.pack(">hhi", api, version, 1) + text("test") + body
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as stream:
            answer = Answer(stream.read(struct.unpack(">i", stream.read(4))[0]))
    assert answer.take("i") == 1  # the correlation id
    return answer
