"""The protocol as a model: what a decoder says of one event, from PROTOCOL.md alone.

        read(data)	-> Event, Skipped, Refused, or raises Malformed or Incomplete

Plain and slow on purpose: a second reading, with which vectors, decoder and client are compared.
"""

import dataclasses
import math
import re

from lib.msgpack_walk import Bin, Incomplete, Malformed, Map, Str, event

__all__ = ["Event", "Incomplete", "Malformed", "Refused", "Skipped", "attribute", "read", "text"]

NAMES = (
    "HELLO STRING SPAN START END PRODUCED CONSUMED ERROR LAG STATS BYE ATTR EVENT LINK MEASURE"
).split()
VERSION, STRING_IDS = 1, 4096
INT64_MAX, PARTITION_MAX = 2**63 - 1, 2**31 - 1
KINDS, STATUSES, SIDES, INSTRUMENTS = 6, 3, 2, 4
COUNTER = 0

# Fields after the type, in wire order: name:shape, "?" = may be left out, shapes below.
_FIELDS = {
    "HELLO": "version:version resource:resource capabilities?:capabilities",
    "STRING": "id:string_id text:str",
    "SPAN": "trace:id16 span:id8 parent:id8|nil name:text kind:kind start:time|nil flags:flags"
    " end:time|nil status:status message?:text attrs?:attrs tracestate?:text",
    "START": "trace:id16 span:id8 parent:id8|nil name:text kind:kind start:time|nil flags:flags"
    " attrs?:attrs tracestate?:text",
    "END": "span:id8 end:time|nil status:status message?:text attrs?:attrs",
    "PRODUCED": "topic:text partition:partition|nil produced_at:time|nil count?:count",
    "CONSUMED": "topic:text partition:partition|nil produced_at:time|nil consumed_at:time|nil"
    " trace?:id16 span?:id8",
    "ERROR": "side:side topic:text|nil error_type:text count?:count",
    "LAG": "topic:text partition:partition lag:uint|nil as_of?:time",
    "STATS": "sent:uint drops?:drops",
    "BYE": "",
    "ATTR": "span:id8 key:text value:any",
    "EVENT": "span:id8 time:time|nil name:text attrs?:attrs",
    "LINK": "span:id8 linked_trace:id16 linked_span:id8 attrs?:attrs tracestate?:text",
    "MEASURE": "kind:instrument name:text unit?:text value:number attrs?:attrs",
}
_ENUMS = {"kind": KINDS, "status": STATUSES, "side": SIDES, "instrument": INSTRUMENTS}


def is_uint(item):
    """An integer of any format that is not negative; a bool is none."""
    return isinstance(item, int) and not isinstance(item, bool) and item >= 0


def is_int64(item):
    """Whether an integer fits int64."""
    return -INT64_MAX - 1 <= item <= INT64_MAX


def is_number(item):
    """An integer or a float."""
    return isinstance(item, (int, float)) and not isinstance(item, bool)


def is_text(item):
    """A str, or the id of one."""
    return isinstance(item, Str) or is_uint(item)


def _is_map(item, key, value):
    return isinstance(item, Map) and all(key(k) and value(v) for k, v in item.pairs)


def _is_str(item):
    return isinstance(item, Str)


def _anything(_):
    return True


_SHAPES = {
    "version": is_uint,
    "string_id": is_uint,
    "str": _is_str,
    "text": is_text,
    "id16": lambda item: isinstance(item, Bin) and len(item.raw) == 16,
    "id8": lambda item: isinstance(item, Bin) and len(item.raw) == 8,
    "resource": lambda item: _is_map(item, _is_str, _anything),
    "attrs": lambda item: _is_map(item, is_text, _anything),
    "drops": lambda item: _is_map(item, _is_str, is_uint),
    "capabilities": lambda item: isinstance(item, list) and all(map(_is_str, item)),
    "number": is_number,
    "any": _anything,
    **dict.fromkeys("time flags count partition uint kind status side instrument".split(), is_uint),
}


@dataclasses.dataclass
class Event:
    """A well-formed, acceptable event. fields: name -> item as read (None: nil or absent)."""

    type: str
    fields: dict
    used: int


@dataclasses.dataclass
class Skipped:
    """An event of a type that version 1 does not know."""

    used: int


@dataclasses.dataclass
class Refused:
    """An event to be dropped and counted."""

    cause: str
    used: int


def fields_of(name):
    """[(field, shape, nil is legal, may be left out)] in wire order."""
    rows = []
    for entry in _FIELDS[name].split():
        field, shape = entry.split(":")
        optional = field.endswith("?")
        rows.append(
            (field.rstrip("?"), shape.removesuffix("|nil"), optional or "|nil" in shape, optional)
        )
    return rows


def _shape(name, items):
    """The event's fields by name; raises Malformed."""
    fields = {}
    for index, (field, shape, nil, optional) in enumerate(fields_of(name), start=1):
        if index >= len(items):
            # What is left out must be optional, and everything after it as well.
            if not optional:
                raise Malformed("malformed")
            fields[field] = None
        elif items[index] is None:
            if not nil:
                raise Malformed("malformed")
            fields[field] = None
        elif _SHAPES[shape](items[index]):
            fields[field] = items[index]
        else:
            raise Malformed("malformed")
        if shape == "version" and fields[field] != VERSION:
            raise Malformed("version")
    if name == "STRING" and fields["id"] >= STRING_IDS:
        raise Malformed("too_many_strings")
    return fields


def _invalid(shape, item, fields):
    """True when a field of the right shape has a value that is refused."""
    if shape in ("id16", "id8"):
        return not any(item.raw)
    if shape in ("time", "count"):
        return not 0 < item <= INT64_MAX
    if shape == "uint":
        return item > INT64_MAX
    if shape == "partition":
        return item > PARTITION_MAX
    if shape == "drops":
        return any(count > INT64_MAX for _, count in item.pairs)
    if shape == "number":
        fits = math.isfinite(item) if isinstance(item, float) else is_int64(item)
        return not fits or (fields["kind"] == COUNTER and item < 0)
    return False


def _nameless(item, strings):
    """An instrument's name of which nothing would be left on /metrics."""
    if is_uint(item) and strings is None:
        return False
    return not re.search(rb"[A-Za-z0-9]", strings[item].encode() if is_uint(item) else item.raw)


def _refusal(name, fields, strings):
    """Why an event of good shape is refused, or None. strings: by id; None: any."""
    rows = fields_of(name)
    for field, shape, _, _ in rows:
        item = fields[field]
        texts = (
            [item]
            if shape == "text"
            else [key for key, _ in item.pairs]
            if shape == "attrs" and item
            else []
        )
        if strings is not None and any(is_uint(t) and t not in strings for t in texts):
            return "unknown_string"
        if item is not None and _invalid(shape, item, fields):
            return "invalid"
        if name == "CONSUMED" and field == "span" and (item is None) != (fields["trace"] is None):
            return "invalid"
        if name == "MEASURE" and field == "name" and _nameless(item, strings):
            return "invalid"
    if any(shape in _ENUMS and fields[field] >= _ENUMS[shape] for field, shape, _, _ in rows):
        return "invalid"
    return None


def read(data, strings=None, first=None):
    """The first event of data.

    strings: those of this connection by id, None: do not look. first: True when HELLO must
    come, False when it must not, None: do not look. Raises Incomplete or Malformed.
    """
    items, used = event(data)
    if not items or not is_uint(items[0]):
        raise Malformed("malformed")
    if first is not None and (items[0] == 0) != first:
        raise Malformed("no_hello" if first else "repeated_hello")
    if items[0] >= len(NAMES):
        return Skipped(used)
    name = NAMES[items[0]]
    fields = _shape(name, items)
    cause = _refusal(name, fields, strings)
    return Refused(cause, used) if cause else Event(name, fields, used)


def text(item):
    """A text as vectors write it."""
    return {"id": item} if is_uint(item) else {"text": item.raw.decode()}


def attribute(item):
    """An attribute's value as vectors write it; None when it is none that the protocol has."""
    if isinstance(item, list):
        values = [attribute(v) for v in item if not isinstance(v, list)]
        alike = len({next(iter(v), None) if v else None for v in values}) <= 1
        return (
            {"array": values} if len(values) == len(item) and alike and None not in values else None
        )
    if isinstance(item, bool):
        return {"bool": item}
    if isinstance(item, int):
        return {"int": str(item)} if is_int64(item) else None
    if isinstance(item, float):
        return {"double": repr(item)}
    if isinstance(item, Str):
        return {"str": item.raw.decode()}
    return None
