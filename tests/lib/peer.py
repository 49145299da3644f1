"""A peer of sidecard: what a service is to it. Speaks the protocol through the msgpack package."""

import os
import socket
import time

import msgpack

from lib.wait import wait_for

(
    HELLO,
    STRING,
    SPAN,
    START,
    END,
    PRODUCED,
    CONSUMED,
    ERROR,
    LAG,
    STATS,
    BYE,
    ATTR,
    EVENT,
    LINK,
    MEASURE,
) = range(15)
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)
UNSET, OK, FAILED = range(3)
SAMPLED, RANDOM, REMOTE = 1, 2, 4


def now():
    """Wall-clock time in ns, as events carry it."""
    return time.time_ns()


def new_trace():
    """A fresh trace id."""
    return os.urandom(16)


def new_span():
    """A fresh span id."""
    return os.urandom(8)


def start(
    name="op",
    trace=None,
    span=None,
    parent=None,
    kind=INTERNAL,
    at=None,
    flags=SAMPLED,
    attrs=None,
    tracestate=None,
):
    """A START event; event[1] and event[2] are its ids."""
    return [
        START,
        trace or new_trace(),
        span or new_span(),
        parent,
        name,
        kind,
        at or now(),
        flags,
        attrs,
        tracestate,
    ]


def end(started, status=UNSET, at=None, message=None, attrs=None):
    """The END event of a START event (or of a span id)."""
    span = started if isinstance(started, bytes) else started[2]
    return [END, span, at or now(), status, message, attrs]


def whole(
    name="op",
    trace=None,
    span=None,
    parent=None,
    kind=INTERNAL,
    at=None,
    flags=SAMPLED,
    took=1_000_000,
    status=UNSET,
    message=None,
    attrs=None,
    tracestate=None,
):
    """A SPAN event: began at `at`, took so many ns."""
    begun = at or now()
    return [
        SPAN,
        trace or new_trace(),
        span or new_span(),
        parent,
        name,
        kind,
        begun,
        flags,
        begun + took,
        status,
        message,
        attrs,
        tracestate,
    ]


class Peer:
    """One connection. Says HELLO with service.name unless service is None."""

    def __init__(self, path, service="svc", resource=None, capabilities=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sent = 0
        try:
            self.socket.connect(str(path))
            if service is not None:
                attributes = {"service.name": service, **(resource or {})}
                self.send(
                    [HELLO, 1, attributes] + ([capabilities] if capabilities is not None else [])
                )
        except BaseException:
            self.socket.close()
            raise

    def send(self, *events):
        """Encode and send whole events; self.sent counts them for STATS."""
        self.send_bytes(b"".join(msgpack.packb(e, use_bin_type=True) for e in events))
        self.sent += len(events)

    def send_bytes(self, data):
        """Send bytes as they are."""
        self.socket.sendall(data)

    def stats(self, drops=None):
        """Say STATS: how many events were sent before this one."""
        self.send([STATS, self.sent] + ([drops] if drops is not None else []))

    def bye(self):
        """End cleanly."""
        self.send([BYE])
        self.close()

    def close(self):
        """End without a word, as a crash does."""
        self.socket.close()

    def wait_closed(self, timeout=10):
        """Wait until sidecard has closed the connection; it must not have said anything."""
        self.socket.setblocking(False)

        def closed():
            try:
                data = self.socket.recv(1)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                return True
            assert data == b"", "sidecard wrote to its peer"
            return True

        wait_for(closed, "sidecard to close the connection", timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        return False
