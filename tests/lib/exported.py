"""What a running sidecard counted, exported and served, in the words of protocol/vectors."""

import math
import time

from lib import stats
from lib.vectors import NOW

_ENDS = {"closed_bye", "closed_lost"} | {f for f in stats.STATS if f.startswith("bad_")}
# The counters that vectors speak of.
CHECKED = _ENDS | {
    "events", "events_unknown", "events_truncated", "attr_invalid", "attr_over_limit",
    "text_cut", "text_cleaned", "end_before_start", "hello_unnamed",
    "ledger_checks", "ledger_gaps", "started", "finished", "unsampled", "dropped_resumed",
    *stats.ENDS,
    *(f for f in stats.LEDGER if f.startswith("client_")),
    *(f for f in stats.STATS if f.startswith("refused_")),
}  # fmt: skip


def _value(any_value):
    """An AnyValue as vectors write it."""
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return {"array": [_value(v) for v in any_value.array_value.values]}
    plain = getattr(any_value, kind)
    name, form = {
        "string_value": ("str", str),
        "bool_value": ("bool", bool),
        "int_value": ("int", str),
        "double_value": ("double", repr),
    }[kind]
    return {name: form(plain)}


def _attributes(pairs):
    assert len({p.key for p in pairs}) == len(pairs)
    return {p.key: _value(p.value) for p in pairs}


def as_vector(span, began):
    """An exported span as vectors write it; the time of receipt becomes theirs."""

    def when(ns):
        return str(NOW if began <= ns <= time.time_ns() else ns)

    assert span.flags & 0x100 and not span.flags & ~0x303
    return {
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex() or None,
        "name": span.name,
        "kind": span.kind,
        "start": when(span.start_time_unix_nano),
        "end": when(span.end_time_unix_nano),
        "flags": span.flags & 3 | (4 if span.flags & 0x200 else 0),
        "status": span.status.code,
        "message": span.status.message,
        "tracestate": span.trace_state,
        "attrs": _attributes(span.attributes),
        "dropped": span.dropped_attributes_count,
        "events": [
            {"time": when(e.time_unix_nano), "name": e.name, "attrs": _attributes(e.attributes)}
            for e in span.events
        ],
        "links": [
            {
                "trace": k.trace_id.hex(),
                "span": k.span_id.hex(),
                "attrs": _attributes(k.attributes),
                "tracestate": k.trace_state,
            }
            for k in span.links
        ],
    }


def check_series(metrics, sample):
    """A vector's sample stands on the page, or does not when it must not."""
    wanted = dict(sample["labels"])
    bound = wanted.pop("le", None)
    found = [
        number
        for labels, number in metrics.samples(sample["name"], **wanted)
        if labels.keys() == sample["labels"].keys()
        and (bound is None or float(labels["le"]) == float(bound))
    ]
    if sample["value"] is None:
        assert found == [], sample
    else:
        assert len(found) == 1 and math.isclose(found[0], sample["value"]), (sample, found)
