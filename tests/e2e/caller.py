"""Calls to adder, made with grpcio and a hand-written encoding of two int64: no code of ours."""

import dataclasses
import os
import threading
import time

import grpc

METHOD = "/sum.SumNumbersService/SumNumbers"
PACE = 0.005  # s between two calls of one thread: the embedded broker keeps 5 MiB a partition
# Codes after which nobody can say whether the sum was published.
UNKNOWN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One call and how it ended."""

    trace_id: bytes
    span_id: bytes  # of the caller's own span, the parent of adder's
    expected: int
    code: str
    sum: int
    began: float  # time.monotonic()
    ended: float


def _varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def _request(x, y):
    return b"\x08" + _varint(x) + b"\x10" + _varint(y)


def _sum(reply):
    """The int64 in field 1; an empty reply is 0."""
    if not reply:
        return 0
    assert reply[0] == 0x08, reply
    value = 0
    for i, byte in enumerate(reply[1:]):
        value |= (byte & 0x7F) << 7 * i
    return value - (1 << 64) if value >> 63 else value


class Caller:
    """A client of adder on 127.0.0.1."""

    def __init__(self, port):
        # gRPC's own back-off after a refused connection is 1 s and more.
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{port}",
            options=[
                ("grpc.max_reconnect_backoff_ms", 100),
                ("grpc.initial_reconnect_backoff_ms", 50),
            ],
        )
        self._call = self._channel.unary_unary(METHOD)

    def call(self, x=2, y=3, timeout=20):
        """One call with a traceparent of its own; never raises for a status."""
        trace_id, span_id = os.urandom(16), os.urandom(8)
        header = f"00-{trace_id.hex()}-{span_id.hex()}-01"
        began = time.monotonic()
        try:
            reply = self._call(_request(x, y), timeout=timeout, metadata=(("traceparent", header),))
            code, total = "OK", _sum(reply)
        except grpc.RpcError as error:
            code, total = error.code().name, 0
        return Outcome(trace_id, span_id, x + y, code, total, began, time.monotonic())

    def close(self):
        """Close the channel; calls under way end as CANCELLED."""
        self._channel.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        return False


class Load:
    """Calls from several threads, one after the other in each, until the block is left.

    .outcomes grows while it runs. Leaving waits for the calls under way.
    """

    def __init__(self, port, threads=4, timeout=20):
        self.outcomes = []
        self._caller = Caller(port)
        self._timeout = timeout
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i + 1,)) for i in range(threads)]

    def _run(self, number):
        made = 0
        while not self._stop.wait(PACE):
            made += 1
            self.outcomes.append(self._caller.call(made, number * 1_000_000, self._timeout))

    def stop(self):
        """No further calls; wait for those under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def good(self):
        """The calls that were answered OK so far."""
        return [o for o in list(self.outcomes) if o.code == "OK"]

    @property
    def unknown(self):
        """The calls whose sum may or may not be in the topic."""
        return [o for o in list(self.outcomes) if o.code in UNKNOWN]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self._caller.close()
        return False
