"""The protocol as a model: what a sidecar makes of one connection. Plain and slow on purpose.

        session = Session(now)
        session.feed(data)	as often as there are bytes, cut anywhere
        session.end()		the stream has ended
        session.counters, session.spans, session.series	as in protocol/vectors/README.md

Left out, for they need more than one connection or a clock that turns: lag, gauges, time-outs,
eviction.
"""

import collections

from lib.msgpack_walk import Incomplete, Malformed, Map, Str
from lib.protocol import NAMES, Refused, Skipped, attribute, is_uint, read
from lib.series import Meter

TEXT_MAX, VALUE_MAX = 255, 4096
ATTRS_MAX, EVENTS_MAX, LINKS_MAX = 128, 128, 128
UNSET, OK, FAILED = range(3)
INTERNAL = 1
SAMPLED, FLAGS = 1, 7
CLIENT_CAUSES = b"full", b"large", b"disconnected", b"invalid"

MESSAGES = {
    "connection_lost": "connection ended while the span was open",
    "closed": "connection closed with the span open",
    "protocol": "connection broke the protocol",
}


def clean(raw):
    """Bytes as text: each byte that is no part of well-formed UTF-8 becomes "?"."""
    out, at = [], 0
    while at < len(raw):
        try:
            out.append(raw[at:].decode())
            break
        except UnicodeDecodeError as error:
            # Not error.end: to Python a cut sequence is one error, here each byte is one.
            out.append(raw[at : at + error.start].decode() + "?")
            at += error.start + 1
    return "".join(out)


def cut(text, limit):
    """The longest start of text that is at most limit bytes of UTF-8."""
    return text.encode()[:limit].decode(errors="ignore")


class Session:
    """One connection."""

    def __init__(self, now):
        self.now = now
        self.counters = collections.Counter()
        self.spans = []
        self._buffer = b""
        self._strings = {}
        self._lists = {}  # the same, of strings that are a tracestate
        self._open = {}
        self._received = 0
        self._before = self.counters.copy()
        self._greeted = self._over = self._resume = False
        self._meter = Meter()

    @property
    def series(self):
        """What the meter has: {(name, labels as sorted pairs): value}."""
        return self._meter.samples()

    def feed(self, data):
        """More bytes of the stream."""
        self._buffer += data
        try:
            while self._buffer and not self._over:
                self._before = self.counters.copy()
                self._take(read(self._buffer, self._strings, first=not self._greeted))
        except Incomplete:
            pass
        except Malformed as fault:
            self._forget()
            self.counters["bad_" + fault.args[0]] += 1
            self._close("protocol")

    def end(self):
        """End of stream."""
        if not self._over:
            if self._buffer:
                self.counters["events_truncated"] += 1
            self.counters["closed_lost"] += 1
            self._close("connection_lost")

    def _take(self, event):
        if isinstance(event, Skipped):
            self.counters["events_unknown"] += 1
        elif isinstance(event, Refused):
            self._refuse(event.cause)
        else:
            getattr(self, "_" + event.type.lower())(**event.fields)
        self._buffer = self._buffer[event.used :]
        self._received += 1
        self.counters["events"] += 1

    def _close(self, cause):
        self._over = True
        for span in list(self._open.values()):
            self._finish(span, cause)
        self._buffer = b""

    def _refuse(self, cause):
        self._forget()
        self.counters["refused_" + cause] += 1

    def _forget(self):
        """An event that does not stand counts as that alone, not for its texts and attributes."""
        self.counters = self._before.copy()

    # ---- texts, values, attributes

    def _clean(self, item, limit):
        """A Str as text within its limit, its faults counted."""
        text = clean(item.raw)
        if text.encode() != item.raw:
            self.counters["text_cleaned"] += 1
        if len(text.encode()) > limit:
            self.counters["text_cut"] += 1
        return cut(text, limit)

    def _text(self, item):
        if item is None:
            return ""
        return self._strings[item] if is_uint(item) else self._clean(item, TEXT_MAX)

    def _list(self, item):
        """A tracestate: of one that is too long, the entries that fit whole."""
        text = self._text(item)
        if isinstance(item, Str):
            return self._whole(item, text)
        return self._lists[item] if is_uint(item) else text

    def _whole(self, item, text):
        """Of a list that was cut to text, the entries that are whole."""
        if len(item.raw) <= TEXT_MAX:
            return text
        return ",".join(clean(item.raw)[: len(text) + 1].split(",")[:-1])

    def _value(self, item):
        """An attribute's value as vectors write it; None when it is dropped."""
        if isinstance(item, list):
            values = [None if isinstance(v, list) else self._value(v) for v in item]
            alike = len({next(iter(v)) for v in values if v}) <= 1
            return {"array": values} if alike and None not in values else None
        if isinstance(item, Str):
            return {"str": self._clean(item, VALUE_MAX)}
        return attribute(item)

    def _merge(self, attrs, into):
        """Add attributes to a dictionary, the last of equal keys wins; how many were dropped."""
        dropped = 0
        for key, item in attrs.pairs if attrs else ():
            name, value = self._text(key), self._value(item)
            if not name or value is None:
                self.counters["attr_invalid"] += 1
                dropped += 1
            elif name not in into and len(into) == ATTRS_MAX:
                self.counters["attr_over_limit"] += 1
                dropped += 1
            else:
                into[name] = value
        return dropped

    # ---- spans

    def _begin(self, trace, span, parent, name, kind, start, flags, attrs, tracestate):
        self.counters["started"] += 1
        begun = {
            "trace": trace.raw.hex(), "span": span.raw.hex(), "parent": parent and parent.raw.hex(),
            "name": self._text(name), "kind": kind or INTERNAL, "start": start or self.now,
            "flags": flags & FLAGS, "tracestate": self._list(tracestate), "attrs": {},
            "message": "", "events": [], "links": [],
        }  # fmt: skip
        begun["dropped"] = self._merge(attrs, begun["attrs"])
        return begun

    def _finish(self, span, cause=None):
        self._open.pop(span["span"], None)
        self.counters["abandoned_" + cause if cause else "finished"] += 1
        if cause:
            span.update(status=FAILED, message=MESSAGES[cause], end=max(self.now, span["start"]))
            span["attrs"]["error.type"] = {"str": cause}
        if span["end"] < span["start"]:
            self.counters["end_before_start"] += 1
            span["end"] = span["start"]
        if cause == "protocol" and self._resume:
            self.counters["dropped_resumed"] += 1
        elif not span["flags"] & SAMPLED:
            self.counters["unsampled"] += 1
        else:
            self.spans.append({**span, "start": str(span["start"]), "end": str(span["end"])})

    def _find(self, span):
        found = self._open.get(span.raw.hex())
        if found is None:
            self._refuse("unmatched")
        return found

    def _span(self, end, status, message, **fields):
        span = self._begin(**fields)
        span.update(end=end or self.now, status=status, message=self._text(message))
        # An open span of the same id is another span.
        other = self._open.pop(span["span"], None)
        self._finish(span)
        if other:
            self._open[other["span"]] = other

    def _start(self, **fields):
        if fields["span"].raw.hex() in self._open:
            self._refuse("duplicate_start")
        else:
            span = self._begin(**fields)
            self._open[span["span"]] = span

    def _end(self, span, end, status, message, attrs):
        found = self._find(span)
        if found:
            found["dropped"] += self._merge(attrs, found["attrs"])
            found.update(end=end or self.now, status=status, message=self._text(message))
            self._finish(found)

    def _attr(self, span, key, value):
        found = self._find(span)
        if found:
            found["dropped"] += self._merge(Map(((key, value),)), found["attrs"])

    def _event(self, span, time, name, attrs):
        found = self._find(span)
        if found and len(found["events"]) == EVENTS_MAX:
            self._refuse("span_full")
        elif found:
            event = {"time": str(time or self.now), "name": self._text(name), "attrs": {}}
            self._merge(attrs, event["attrs"])
            found["events"].append(event)

    def _link(self, span, linked_trace, linked_span, attrs, tracestate):
        found = self._find(span)
        if found and len(found["links"]) == LINKS_MAX:
            self._refuse("span_full")
        elif found:
            link = {"trace": linked_trace.raw.hex(), "span": linked_span.raw.hex(), "attrs": {},
                    "tracestate": self._list(tracestate)}  # fmt: skip
            self._merge(attrs, link["attrs"])
            found["links"].append(link)

    # ---- the connection

    def _hello(self, version, resource, capabilities):
        del version
        self._greeted = True
        attrs = {}
        self._merge(resource, attrs)
        self._resume = any(c.raw == b"resume" for c in capabilities or ())
        name = attrs.get("service.name", {}).get("str")
        if not name:
            self.counters["hello_unnamed"] += 1
        self._meter.service = name or "unknown_service"

    def _string(self, id, text):  # pylint: disable=redefined-builtin
        value = self._clean(text, TEXT_MAX)
        if self._strings.setdefault(id, value) != value:
            raise Malformed("string_redefined")
        self._lists[id] = min(self._lists.get(id, value), self._whole(text, value), key=len)

    def _stats(self, sent, drops):
        self.counters["ledger_checks"] += 1
        self._grow("ledger_gaps", sent - self._received)
        told = collections.Counter()
        for cause, count in drops.pairs if drops else ():
            if cause.raw in CLIENT_CAUSES:
                told[cause.raw.decode()] = count
            else:
                told["other"] += count
        for cause, count in told.items():
            self._grow(f"client_{cause}", count)

    def _grow(self, counter, total):
        """Count what a total that is reported again and again has grown by."""
        self.counters[counter] = max(self.counters[counter], total)

    def _bye(self):
        self.counters["closed_bye"] += 1
        self._close("closed")

    # ---- samples

    def _produced(self, topic, partition, produced_at, count):
        del partition, produced_at
        self._meter.produced(self._text(topic), 1 if count is None else count)

    def _consumed(self, topic, partition, produced_at, consumed_at, trace, span):
        del partition, trace, span
        self._meter.consumed(self._text(topic), produced_at, consumed_at or self.now)

    def _error(self, side, topic, error_type, count):
        self._meter.error(
            side, self._text(topic), self._text(error_type), 1 if count is None else count
        )

    def _lag(self, **fields):
        self._text(fields["topic"])

    def _measure(self, kind, name, unit, value, attrs):
        labels = {}
        self._merge(attrs, labels)
        cause = self._meter.measure(kind, self._text(name), self._text(unit), value, labels)
        if cause:
            self._refuse(cause)


assert all(hasattr(Session, "_" + name.lower()) for name in NAMES)
