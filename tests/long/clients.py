"""Clients of a sidecard that come and go: each a generator that sends something between two yields.

    clients = Clients(sidecar, random.Random(1))
    clients.spread()            once, so that memory for each of them has been touched
    clients.run()               one round of all kinds, many at a time, in an order of its own
    clients.expected            {service: what the ledger must say of it by now}
"""

import collections
import contextlib
import pathlib
import socket
import subprocess
import sys

import msgpack

from lib import peer as wire
from lib.process import clean_env
from lib.streams import random_stream
from lib.wait import wait_for

AT_ONCE = 150  # of them
FLOODS = 8  # connections of a flood.py; there is one at a time
COUNTER, _UPDOWN, GAUGE, HISTOGRAM = range(4)
SERVICES = [f"svc-{i}" for i in range(20)]
OPEN_SPANS, STRING_IDS, TOPICS, INSTRUMENTS, LABEL_SETS = 131_072, 4096, 256, 256, 2000
FLOOD = pathlib.Path(__file__).with_name("flood.py")


def pack(events):
    """Whole events as bytes."""
    return b"".join(map(msgpack.packb, events))


class Clients:
    """All kinds of clients of one sidecard, and what they have sent it."""

    def __init__(self, sidecar, rng):
        self._sidecar, self._rng = sidecar, rng
        self.expected = collections.defaultdict(collections.Counter)
        self._kinds = {
            self._passing: 2000,
            self._asking: 300,
            self._polite: 150,
            self._crashing: 100,
            self._forgetful: 30,
            self._rambling: 60,
            self._half_greeting: 20,
            self._half_asking: 20,
            self._killed: 4,
            self._naming: 1,
            self._hoarding: 1,
        }

    def spread(self):
        """As many connections as there are at once, with strings all over what each may define."""
        with contextlib.ExitStack() as self._stack:
            peers = [self._peer("spread") for _ in range(AT_ONCE + FLOODS)]
            for peer in peers:
                peer.send(*([wire.STRING, i, "s"] for i in range(0, STRING_IDS, STRING_IDS // 8)))
            self._sidecar.wait_counters(connections=len(peers))

    def run(self):
        """A round."""
        coming = [kind for kind, count in self._kinds.items() for _ in range(count)]
        self._rng.shuffle(coming)
        with contextlib.ExitStack() as self._stack:
            there = []
            while coming or there:
                if coming and len(there) < AT_ONCE:
                    there.append(coming.pop()())
                at = self._rng.randrange(len(there))
                if next(there[at], self) is self:
                    there.pop(at)

    def _peer(self, service):
        return self._stack.enter_context(self._sidecar.peer(service))

    def _count(self, service, **counts):
        self.expected[service].update(counts)

    def _spans(self, service, count):
        """So many STARTs and ENDs with attributes, all of them mixed."""
        names = [f"{service} {i}" for i in range(5)]
        started = [
            wire.start(self._rng.choice(names), attrs={"a": "x" * 50, "n": i}) for i in range(count)
        ]
        ended = [wire.end(start, attrs={"b": [1, 2, 3]}) for start in started]
        self._count(service, started=count, finished=count)
        half = count // 2
        return started[:half] + [e for pair in zip(started[half:], ended) for e in pair] + (
            ended[count - half :]
        )

    # ---- the kinds

    def _passing(self):
        """As short as it gets; some with a word of farewell."""
        service = self._rng.choice(SERVICES)
        peer = self._peer(service)
        peer.send(wire.whole("passing"))
        self._count(service, started=1, finished=1)
        yield
        (peer.bye if self._rng.random() < 0.5 else peer.close)()

    def _asking(self):
        """Of its HTTP side."""
        assert self._sidecar.get("/healthz")[0] == 200
        yield

    def _polite(self):
        """Spans, messages and measurements; STATS; BYE."""
        service = self._rng.choice(SERVICES)
        peer = self._peer(service)
        for _ in range(4):
            peer.send(*self._spans(service, 50))
            topic = f"topic-{self._rng.randrange(10)}"
            now = wire.now()
            peer.send(
                [wire.PRODUCED, topic, 0, now, 3],
                [wire.CONSUMED, topic, 0, now - 10_000_000, now],
                [wire.LAG, topic, self._rng.randrange(4), 5, now],
                [wire.ERROR, 0, topic, "_TRANSPORT"],
                [wire.MEASURE, COUNTER, "orders", None, 1],
                [wire.MEASURE, GAUGE, "depth", None, 7, {"of": topic}],
                [wire.MEASURE, HISTOGRAM, "wait", "s", 0.25],
            )
            yield
        peer.stats()
        peer.bye()

    def _crashing(self):
        """Gone in the middle of an event, with spans open."""
        service = self._rng.choice(SERVICES)
        peer = self._peer(service)
        peer.send(*self._spans(service, 30))
        yield
        left = self._rng.randrange(1, 20)
        peer.send(*(wire.start("left", attrs={"a": "y" * 100}) for _ in range(left)))
        self._count(service, started=left, abandoned_connection_lost=left)
        yield
        event = pack([wire.whole("cut", attrs={"c": "z" * 200})])
        peer.send_bytes(event[: self._rng.randrange(1, len(event))])
        yield
        peer.close()

    def _forgetful(self):
        """BYE with spans open."""
        service = self._rng.choice(SERVICES)
        peer = self._peer(service)
        peer.send(*(wire.start("forgotten") for _ in range(10)))
        self._count(service, started=10, abandoned_closed=10)
        yield
        peer.bye()

    def _rambling(self):
        """Anything, some of it mangled: sidecard may hang up before all of it is sent."""
        peer = self._peer(None)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            peer.send_bytes(random_stream(self._rng, "rambling"))
            yield
        peer.close()

    def _half_greeting(self):
        peer = self._peer(None)
        peer.send_bytes(pack([[wire.HELLO, 1, {"service.name": "nobody"}]])[:-3])
        yield
        yield
        peer.close()

    def _half_asking(self):
        """A scrape that never comes to its end."""
        asking = self._stack.enter_context(
            socket.create_connection(("127.0.0.1", self._sidecar.port))
        )
        asking.sendall(b"GET /metrics HTTP/1.1\r\nHost: h")
        yield
        yield
        asking.close()

    def _killed(self):
        """A process that writes as fast as it can, on several connections, when kill -9 comes."""
        flood = subprocess.Popen(
            [sys.executable, FLOOD, self._sidecar.socket], env=clean_env(), stdin=subprocess.DEVNULL
        )
        self._stack.callback(flood.wait)
        self._stack.callback(flood.kill)
        before = self.received()
        wait_for(lambda: self.received() > before + (1 << 20), "a MiB of a flood", 60)
        flood.kill()
        flood.wait()
        yield

    def _naming(self):
        """One service that has names up to each limit, and beyond it."""
        peer = self._peer("naming")
        for first in range(0, TOPICS + 20, 20):
            topics = [f"t{i}" for i in range(first, first + 20)]
            peer.send(*([wire.PRODUCED, topic, 0, None] for topic in topics))
            yield
        for first in range(0, LABEL_SETS + 200, 200):
            sets = range(first, first + 200)
            peer.send(*([wire.MEASURE, COUNTER, "sets", None, 1, {"of": i}] for i in sets))
            yield
        for first in range(0, INSTRUMENTS + 20, 20):
            names = [f"instrument{i}" for i in range(first, first + 20)]
            peer.send(*([wire.MEASURE, COUNTER, name, None, 1] for name in names))
            yield
        for first in range(0, STRING_IDS, 128):
            ids = range(first, first + 128)
            peer.send(*([wire.STRING, i, f"{self._rng.random()} " + "s" * 200] for i in ids))
            yield
        peer.send_bytes(pack([[wire.STRING, STRING_IDS, "one too many"]]))
        peer.wait_closed()
        peer.close()

    def _hoarding(self):
        """More spans open than there is room for: the oldest give way."""
        count = OPEN_SPANS + 1000
        peer = self._peer("hoarding")
        for _ in range(count // 1000 + 1):
            peer.send(*(wire.start("hoarded", attrs={"k": 1}) for _ in range(1000)))
            self._count("hoarding", started=1000, finished=0)
            yield
        peer.close()

    def received(self):
        """Bytes that sidecard has read. Looked for in the page's bytes, which are long to parse."""
        page = self._sidecar.get("/metrics")[2]
        line = page.partition(b"\nsidecar_received_bytes_total ")[2]
        return float(line.partition(b"\n")[0])
