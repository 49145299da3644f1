"""protocol/vectors as Python objects (their format: protocol/vectors/README.md)."""

import json

from lib.process import ROOT

VECTORS = ROOT / "protocol" / "vectors"
NOW = 1_800_000_000_000_000_000


def load(level):
    """Every vector of a level, by name."""
    return [json.loads(path.read_text()) for path in sorted((VECTORS / level).glob("*.json"))]


def part_bytes(part):
    """One part of a vector's bytes."""
    if isinstance(part, str):
        return bytes.fromhex(part)
    return bytes.fromhex(part["repeat"]) * part["times"]


def vector_bytes(vector):
    """All its bytes."""
    return b"".join(map(part_bytes, vector["bytes"]))


def ids(vectors):
    """Names for pytest.mark.parametrize."""
    return [v["name"] for v in vectors]


def series_key(sample):
    """A vector's sample as a key: (name, labels as sorted pairs), `le` as a float's text."""
    return sample["name"], tuple(sorted(sample["labels"].items()))


def same(left, right):
    """Whether two things say the same, doubles compared by value and NaN like NaN."""
    if isinstance(left, dict) and isinstance(right, dict):
        if left.keys() == {"double"} == right.keys():
            return repr(float(left["double"])) == repr(float(right["double"]))
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


def same_spans(left, right):
    """Whether two lists hold the same spans, in any order."""

    def in_order(spans):
        return sorted(spans, key=lambda span: json.dumps(span, sort_keys=True))

    return same(in_order(left), in_order(right))
