"""Random streams of events, from sensible to mangled, for comparing a sidecard with the model."""

import msgpack

from lib import peer as wire

KEYS = ["k", "error.type", "", "key" * 100, 0, 1, 4095, 9]
TEXTS = ["op", "", "sums", "x" * 255, "x" * 256, "\u20ac" * 100, 0, 1, 2, 4095, 9, 4096]
VALUES = ["v", "", "v" * 4097, 0, 1, -1, 2**63 - 1, -(2**63), 2**63, 0.5, float("nan"), True, False,
          None, b"bin", [], [1, 2], [1, "a"], ["a", "b"], [[1]], {"a": 1}]  # fmt: skip
TIMES = [1_700_000_000_000_000_000, 1_700_000_000_001_000_000, None, 0, 2**63, 2**63 - 1, 1]
SPAN_IDS = [bytes([i]) * 8 for i in range(1, 5)] + [bytes(8)]
TRACE_IDS = [bytes([9]) * 16, bytes(16)]
LINK = [bytes([8]) * 16, bytes([7]) * 8]


def _common(rng, usual, rare):
    """Mostly something that makes sense."""
    return rng.choice(usual) if rng.random() < 0.93 else rng.choice(rare)


def _attrs(rng):
    if rng.random() < 0.5:
        return None
    size = 130 if rng.random() < 0.01 else rng.randrange(4)
    pairs = {f"n{i}": i for i in range(size)} if size > 4 else {}
    for _ in range(size if size <= 4 else 0):
        pairs[_common(rng, KEYS[:2], KEYS)] = _common(rng, VALUES[:2] + VALUES[9:10], VALUES)
    return pairs


def _time(rng):
    return _common(rng, TIMES[:3], TIMES)


def _text(rng):
    return _common(rng, TEXTS[:3], TEXTS)


def _id(rng):
    return _common(rng, SPAN_IDS[:4], SPAN_IDS)


def _begin(rng):
    parent = rng.choice([None, *SPAN_IDS[:4]])
    flags = rng.choice([1, 1, 1, 0, 3, 5, 255])
    kind = _common(rng, range(6), [6])
    trace = _common(rng, TRACE_IDS[:1], TRACE_IDS)
    return [trace, _id(rng), parent, _text(rng), kind, _time(rng), flags]


def _event(rng):
    """One event that is at least nearly right."""
    status = _common(rng, range(3), [3])
    span = _id(rng)
    return rng.choice([
        lambda: [wire.STRING, _common(rng, [0, 1, 2, 4095], [4096]), _common(rng, ["op"], ["x"])],
        lambda: [wire.SPAN, *_begin(rng), _time(rng), status, _text(rng), _attrs(rng), None],
        lambda: [wire.START, *_begin(rng), _attrs(rng), _text(rng)],
        lambda: [wire.START, *_begin(rng)],
        lambda: [wire.END, span, _time(rng), status, None, _attrs(rng)],
        lambda: [wire.END, span, _time(rng), status],
        lambda: [wire.PRODUCED, _text(rng), 0, _time(rng), rng.choice([None, 1, 7, 0])],
        lambda: [wire.CONSUMED, _text(rng), None, _time(rng), _time(rng)],
        lambda: [wire.ERROR, rng.randrange(3), _text(rng), _text(rng)],
        lambda: [wire.STATS, rng.randrange(3), {"full": rng.randrange(3)}],
        lambda: [wire.ATTR, span, _common(rng, KEYS[:2], KEYS), _common(rng, VALUES[:1], VALUES)],
        lambda: [wire.EVENT, span, _time(rng), _text(rng), _attrs(rng)],
        lambda: [wire.LINK, span, *LINK, _attrs(rng)],
        lambda: [wire.MEASURE, 0, rng.choice(["a.b", "a_b", "c"]), None, rng.choice([1, -1, 0.5])],
        lambda: [rng.choice([15, 200, 2**40]), "from the future", {"x": [1]}],
    ])()  # fmt: skip


def _mangle(rng, data):
    """A few bytes wrong, gone or too many."""
    data = bytearray(data)
    for _ in range(rng.randrange(1, 3)):
        at = rng.randrange(len(data))
        what = rng.random()
        if what < 0.6:
            data[at] = rng.randrange(256)
        elif what < 0.8:
            del data[at]
        else:
            data.insert(at, rng.randrange(256))
        if not data:
            break
    return bytes(data)


def random_stream(rng, service):
    """The bytes of a connection of that service: HELLO and up to 40 events, some of them wrong."""
    hello = [wire.HELLO, 1, {"service.name": service}]
    if rng.random() < 0.2:
        hello.append(["resume"])
    parts = [msgpack.packb(hello)]
    for _ in range(rng.randrange(40)):
        data = msgpack.packb(_event(rng))
        parts.append(_mangle(rng, data) if rng.random() < 0.03 else data)
    if rng.random() < 0.3:
        parts.append(msgpack.packb([wire.BYE]))
    return b"".join(parts)
