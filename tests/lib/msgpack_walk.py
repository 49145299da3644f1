"""MessagePack, item by item and no further than needed: where events begin and end in a stream.

The msgpack package decodes whole objects and forgives much; the protocol's rules are about headers,
bytes and nesting, so the model reads them itself. Integers, floats, bools and None are Python's;
the rest are the classes here.
"""

import dataclasses
import struct

EVENT_MAX = 16384
DEPTH_MAX = 8


class Incomplete(Exception):
    """The bytes end before the item does."""


class Malformed(Exception):
    """The connection must end; args[0] is the cause."""


@dataclasses.dataclass(frozen=True)
class Str:
    """A str: its bytes, which need not be UTF-8."""

    raw: bytes


@dataclasses.dataclass(frozen=True)
class Bin:
    """A bin."""

    raw: bytes


@dataclasses.dataclass(frozen=True)
class Map:
    """A map: its pairs in wire order, equal keys included."""

    pairs: tuple


@dataclasses.dataclass(frozen=True)
class Ext:
    """An extension of any type."""

    raw: bytes


# first byte -> (what, format of the number that follows)
_SIZED = {
    0xC4: (Bin, ">B"), 0xC5: (Bin, ">H"), 0xC6: (Bin, ">I"),
    0xC7: (Ext, ">B"), 0xC8: (Ext, ">H"), 0xC9: (Ext, ">I"),
    0xD9: (Str, ">B"), 0xDA: (Str, ">H"), 0xDB: (Str, ">I"),
    0xDC: (list, ">H"), 0xDD: (list, ">I"), 0xDE: (Map, ">H"), 0xDF: (Map, ">I"),
}  # fmt: skip
_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


class _Reader:
    def __init__(self, data):
        self._data = data
        self._announced = 1
        self.at = 0

    def take(self, size):
        """The next bytes of the event."""
        end = self.at + size
        if end > EVENT_MAX:
            raise Malformed("oversized")
        if end > len(self._data):
            raise Incomplete
        taken = self._data[self.at : end]
        self.at = end
        return taken

    def number(self, form):
        """A big-endian number."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def item(self, depth):
        """One item whose parents are `depth` containers."""
        first = self.take(1)[0]
        if first < 0x80:
            return first
        if first >= 0xE0:
            return first - 0x100
        if first in _CONSTANTS:
            return _CONSTANTS[first]
        if first in _NUMBERS:
            return self.number(_NUMBERS[first])
        if first == 0xC1:
            raise Malformed("malformed")
        if 0xD4 <= first <= 0xD8:
            return Ext(self.take(1 + (1 << (first - 0xD4))))
        if first < 0x90:
            kind, count = Map, first & 0x0F
        elif first < 0xA0:
            kind, count = list, first & 0x0F
        elif first < 0xC0:
            kind, count = Str, first & 0x1F
        else:
            kind, form = _SIZED[first]
            count = self.number(form)
        return self._sized(kind, count, depth)

    def _sized(self, kind, count, depth):
        if kind is Ext:
            return Ext(self.take(1 + count))
        if kind in (Str, Bin):
            return kind(self.take(count))
        if depth + 1 > DEPTH_MAX:
            raise Malformed("too_deep")
        self._announced += count if kind is list else 2 * count
        if self._announced > EVENT_MAX:
            raise Malformed("oversized")
        if kind is list:
            return [self.item(depth + 1) for _ in range(count)]
        return Map(tuple((self.item(depth + 1), self.item(depth + 1)) for _ in range(count)))


def event(data):
    """The first event of data: (its elements as a list, the bytes it takes).

    Raises Incomplete, or Malformed with `malformed`, `oversized` or `too_deep`.
    """
    if data and not (0x90 <= data[0] <= 0x9F or data[0] in (0xDC, 0xDD)):
        raise Malformed("malformed")
    reader = _Reader(data)
    return reader.item(0), reader.at
