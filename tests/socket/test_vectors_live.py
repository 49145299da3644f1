"""Every session vector against a running sidecard: its counters, its exports, its metrics."""

import time

import pytest

from lib import stats, vectors
from lib.exported import CHECKED, as_vector, check_series
from lib.sidecar import Sidecar
from lib.wait import wait_for

VECTORS = vectors.load("session")


@pytest.mark.parametrize("vector", VECTORS, ids=vectors.ids(VECTORS))
def test_session(vector, shared_collector):
    before = len(shared_collector.spans)
    began = time.time_ns()
    with Sidecar(collector=shared_collector) as sidecar:
        peer = sidecar.peer(service=None)
        try:
            peer.send_bytes(vectors.vector_bytes(vector))
        except (BrokenPipeError, ConnectionResetError):
            assert any(c.startswith("bad_") for c in vector["counters"])
        peer.close()
        wanted = {field: vector["counters"].get(field, 0) for field in CHECKED}
        scrape = sidecar.wait_counters(**wanted)
        for sample in vector.get("series", ()):
            check_series(scrape, sample)
        count = len(vector["spans"])
        stats.check_ledger(sidecar.wait_metric("sidecar_spans_acknowledged_total", count))
        wait_for(
            lambda: len(shared_collector.spans) - before >= count, "the spans at the Collector"
        )
    spans = [as_vector(s.raw, began) for s in shared_collector.spans[before:]]
    assert vectors.same_spans(spans, vector["spans"]), spans
