"""Every vector against the Python model of the protocol: two independent readings agree."""

import itertools
import math

import msgpack
import pytest

from lib import vectors
from lib.msgpack_walk import Bin, Map, Str, event
from lib.protocol import (
    NAMES,
    Incomplete,
    Malformed,
    Refused,
    Skipped,
    attribute,
    is_uint,
    read,
    text,
)
from lib.session import Session

DECODE = vectors.load("decode")
SESSION = vectors.load("session")
ENOUGH = 600  # bytes up to which every place is worth a cut

STRINGS = ("version", "id", "kind", "status", "side", "partition")


def outcome(data):
    """What the model says of the first event, in a vector's words."""
    try:
        said = read(data)
    except Incomplete:
        return {"outcome": "incomplete"}
    except Malformed as fault:
        return {"outcome": "malformed", "cause": fault.args[0]}
    if isinstance(said, Skipped):
        return {"outcome": "skipped", "used": said.used}
    if isinstance(said, Refused):
        return {"outcome": "refused", "cause": said.cause, "used": said.used}
    fields = {name: meaning(said.type, name, item) for name, item in said.fields.items()}
    return {"outcome": "ok", "used": said.used, "event": {"type": said.type, **fields}}


def meaning(kind, field, item):
    """A field in a vector's words."""
    if item is None:
        return None
    if isinstance(item, Bin):
        return item.raw.hex()
    if field == "flags":
        return item & 7
    if field in STRINGS:
        return item
    if field == "drops":
        return [[k.raw.decode(), str(v)] for k, v in item.pairs]
    if isinstance(item, Map):
        return [[text(k), attribute(v)] for k, v in item.pairs]
    if field == "capabilities":
        return [c.raw.decode() for c in item]
    if field == "value":
        return attribute(item)
    if kind == "STRING":
        return item.raw.decode()
    if isinstance(item, Str) or field in (
        "name",
        "topic",
        "error_type",
        "key",
        "unit",
        "message",
        "tracestate",
    ):
        return text(item)
    return str(item)


def expected(vector):
    """The members of a decode vector that say what must come out."""
    return {k: vector[k] for k in ("outcome", "cause", "used", "event") if k in vector}


@pytest.mark.parametrize("vector", DECODE, ids=vectors.ids(DECODE))
def test_decode(vector):
    data = vectors.vector_bytes(vector)
    said = outcome(data)
    assert vectors.same(said, expected(vector)), f"{vector['rule']}: {said}"


@pytest.mark.parametrize("vector", DECODE, ids=vectors.ids(DECODE))
def test_every_start_is_incomplete_or_already_bad(vector):
    data = vectors.vector_bytes(vector)[: vector.get("used")]
    places = range(len(data)) if len(data) <= ENOUGH else (0, 1, 2, len(data) - 1)
    for place in places:
        said = outcome(data[:place])
        if vector["outcome"] == "malformed":
            assert said in ({"outcome": "incomplete"}, expected(vector)), place
        else:
            assert said == {"outcome": "incomplete"}, place


def run(pieces):
    """A session fed with pieces, ended."""
    session = Session(vectors.NOW)
    for piece in pieces:
        session.feed(piece)
    session.end()
    return session


def check(vector, session):
    assert {k: v for k, v in session.counters.items() if v} == {
        k: v for k, v in vector["counters"].items() if v
    }
    assert vectors.same_spans(session.spans, vector["spans"]), session.spans
    for sample in vector.get("series", ()):
        found = session.series.get(vectors.series_key(sample))
        wanted = sample["value"]
        assert found is wanted is None or math.isclose(found, wanted), (sample, session.series)


@pytest.mark.parametrize("vector", SESSION, ids=vectors.ids(SESSION))
def test_session(vector):
    check(vector, run([vectors.vector_bytes(vector)]))


@pytest.mark.parametrize("vector", SESSION, ids=vectors.ids(SESSION))
def test_session_cut_anywhere(vector):
    data = vectors.vector_bytes(vector)
    if len(data) <= ENOUGH:
        check(vector, run(bytes([byte]) for byte in data))
        places = range(len(data))
    else:
        places = (1, len(data) // 2, len(data) - 1)
    for place in places:
        check(vector, run([data[:place], data[place:]]))


@pytest.mark.parametrize("vector", SESSION, ids=vectors.ids(SESSION))
def test_session_ledger_closes(vector):
    count = vector["counters"]
    abandoned = sum(v for k, v in count.items() if k.startswith("abandoned_"))
    assert count.get("started", 0) == count.get("finished", 0) + abandoned
    gone = count.get("unsampled", 0) + count.get("dropped_resumed", 0)
    assert count.get("started", 0) == len(vector["spans"]) + gone


def test_every_type_and_cause_has_vectors():
    """A rule without a case is a rule that nobody has tried."""
    good = {v["event"]["type"] for v in DECODE if v["outcome"] == "ok"}
    assert good == set(NAMES)
    causes = {v.get("cause") for v in DECODE}
    assert causes == {
        None,
        "malformed",
        "version",
        "too_many_strings",
        "too_deep",
        "oversized",
        "invalid",
    }
    counters = set().union(*(v["counters"] for v in SESSION))
    for (
        name
    ) in "malformed oversized too_deep no_hello repeated_hello version string_redefined".split():
        assert "bad_" + name in counters
    for name in "invalid unknown_string duplicate_start unmatched span_full reserved_name".split():
        assert "refused_" + name in counters
    assert {"bad_too_many_strings", "refused_instrument_conflict"} <= counters


def test_names_match_files():
    for level in ("decode", "session"):
        stems = sorted(path.stem for path in (vectors.VECTORS / level).glob("*.json"))
        assert stems == sorted(v["name"] for v in vectors.load(level))
        assert all(v["level"] == level and v["rule"] for v in vectors.load(level))


def plain(item):
    """An item of our reader as the msgpack package would give it."""
    if isinstance(item, (Str, Bin)):
        return item.raw
    if isinstance(item, list):
        return [plain(i) for i in item]
    if isinstance(item, Map):
        return [(plain(k), plain(v)) for k, v in item.pairs]
    return item


def test_reader_agrees_with_msgpack_package():
    """Our walk over MessagePack, item by item, against the package's."""
    seen = 0
    for vector in DECODE:
        if vector["outcome"] not in ("ok", "refused", "skipped") or "ext" in vector["name"]:
            continue
        data = vectors.vector_bytes(vector)[: vector["used"]]
        theirs = msgpack.unpackb(data, raw=True, strict_map_key=False, object_pairs_hook=list)
        assert repr(plain(event(data)[0])) == repr(theirs), vector["name"]
        seen += 1
    assert seen > 100


def test_canonical_vectors_are_what_the_package_writes():
    """A client that encodes with the msgpack package writes the canonical layout unawares."""
    for vector in DECODE:
        if not vector["name"].endswith("_canonical"):
            continue
        data = vectors.vector_bytes(vector)
        items, _ = event(data)
        again = [
            i.raw.decode() if isinstance(i, Str)
            else i.raw if isinstance(i, Bin)
            else {k.raw.decode(): v.raw.decode() for k, v in i.pairs} if isinstance(i, Map)
            else i
            for i in items
        ]  # fmt: skip
        assert msgpack.packb(again, use_bin_type=True) == data


def test_ids_of_the_wire_are_in_order():
    """Type numbers: the position in NAMES, as the vectors' bytes say."""
    for vector, number in itertools.product(DECODE, range(len(NAMES))):
        if vector["outcome"] == "ok" and vector["event"]["type"] == NAMES[number]:
            items, _ = event(vectors.vector_bytes(vector))
            assert is_uint(items[0]) and items[0] == number
