"""A sidecard that only listens: what a service sends, decoded by the plain msgpack package."""

import collections
import socket
import threading

import msgpack

from lib.peer import END, HELLO, SPAN, START, STRING
from lib.wait import wait_for


class Span:
    """A span as its START and END (or its SPAN) told it. `status` is None while it is open."""

    def __init__(self, trace, span, parent, name, kind, flags, attrs):
        self.trace, self.id, self.parent = trace.hex(), span.hex(), parent and parent.hex()
        self.name, self.kind, self.flags, self.attrs = name, kind, flags, attrs
        self.status = self.message = None


class Recorder:
    """Use as a context manager. Events have their interned strings resolved."""

    def __init__(self, path):
        self.path = str(path)
        self._lock = threading.Lock()
        self._events = []
        self._spans = []
        self._threads = []
        self._connections = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()

    def __enter__(self):
        self._run(self._accept)
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        for connection in self._connections:
            connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        for connection in self._connections:
            connection.close()
        return False

    def _run(self, what, *args):
        thread = threading.Thread(target=what, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self._run(self._read, connection)

    def _read(self, connection):
        unpacker = msgpack.Unpacker(strict_map_key=False)
        strings, spans = {}, {}
        while data := connection.recv(65536):
            unpacker.feed(data)
            for event in unpacker:
                self._take(event, strings, spans)

    def _take(self, event, strings, spans):
        def text(item):
            return strings[item] if isinstance(item, int) else item

        def attributes(index):
            given = event[index] if len(event) > index else None
            return {text(k): v for k, v in (given or {}).items()}

        kind = event[0]
        with self._lock:
            if kind == STRING:
                strings[event[1]] = event[2]
            elif kind in (START, SPAN):
                at = 8 if kind == START else 11
                span = Span(*event[1:4], text(event[4]), event[5], event[7], attributes(at))
                self._spans.append(span)
                if kind == SPAN:
                    span.status, span.message = event[9], event[10] if len(event) > 10 else None
                else:
                    spans[event[2]] = span
            elif kind == END:
                span = spans.pop(event[1])
                span.attrs.update(attributes(5))
                span.status, span.message = event[3], event[4] if len(event) > 4 else None
            else:
                # What these events carry as text stands in their first three fields.
                known = [text(f) if kind != HELLO and i in _TEXTS.get(kind, ()) else f
                         for i, f in enumerate(event)]  # fmt: skip
                self._events.append(known)

    def events(self, kind):
        """The events of that type so far, as lists."""
        with self._lock:
            return [e for e in self._events if e[0] == kind]

    def spans(self, name=None):
        """The spans so far that have that name (None: all)."""
        with self._lock:
            return [s for s in self._spans if name is None or s.name == name]

    def wait_spans(self, name, count=1):
        """Wait for that many ended spans of that name and return them."""

        def ended():
            found = [s for s in self.spans(name) if s.status is not None]
            return found if len(found) >= count else None

        return wait_for(ended, lambda: f"{count} spans {name!r}; there are {self.summary()}")

    def wait_events(self, kind, count=1):
        """Wait for that many events of that type and return them."""
        return wait_for(
            lambda: self.events(kind) if len(self.events(kind)) >= count else None,
            lambda: f"{count} events of type {kind}; there are {len(self.events(kind))}",
        )

    def summary(self):
        """For messages: how many spans there are, by name and status."""
        return dict(collections.Counter((s.name, s.status) for s in self.spans()))


# Positions of text fields in events that are not about spans: PRODUCED, CONSUMED, ERROR, LAG.
_TEXTS = {5: (1,), 6: (1,), 7: (2, 3), 8: (1,)}
