"""Random streams through a running sidecard and through the model: both say the same of each."""

import os
import random
import time

import pytest

from lib import stats, vectors
from lib.exported import CHECKED, as_vector
from lib.session import Session
from lib.streams import random_stream
from lib.wait import wait_for

STREAMS = 25
SEEDS = [int(s) for s in os.environ.get("TEST_SEEDS", "1 2 3 4 5 6").split()]


def run_model(data):
    """What the model makes of it."""
    session = Session(vectors.NOW)
    session.feed(data)
    session.end()
    return session


def cut(rng, data):
    """The stream in pieces as a kernel might deliver them."""
    while data:
        size = rng.choice([1, 7, 100, 5000])
        yield data[:size]
        data = data[size:]


@pytest.mark.parametrize("seed", SEEDS)
def test_streams(start_sidecar, shared_collector, seed):
    collector = shared_collector
    known = len(collector.spans)
    rng = random.Random(seed)
    sidecar = start_sidecar(collector=collector)
    before = sidecar.counters()
    exported = 0
    for number in range(STREAMS):
        service = f"s{seed}-{number}"
        data = random_stream(rng, service)
        model = run_model(data)
        began = time.time_ns()
        with sidecar.peer(service=None) as peer:
            try:
                for piece in cut(rng, data):
                    peer.send_bytes(piece)
            except OSError:
                pass
        words = f"seed {seed}, stream {number}: {data.hex()}"
        wanted = {k: before[k] + model.counters[k] for k in CHECKED}
        after = settled(sidecar, before)
        assert {k: after[k] - before[k] for k in CHECKED} == {
            k: wanted[k] - before[k] for k in CHECKED
        }, words
        before = after
        exported += len(model.spans)
        spans = collector.wait_for_spans(known + exported)[known + exported - len(model.spans) :]
        assert vectors.same_spans([as_vector(s.raw, began) for s in spans], model.spans), words
    stats.check_ledger(sidecar.wait_counters(pending=0, acknowledged=exported))


def settled(sidecar, before):
    """The counters once the connection is gone."""

    def gone():
        c = sidecar.counters()
        ended = sum(c[k] - before[k] for k in c if k.startswith(("closed_", "bad_")))
        return c if ended == 1 and c["connections"] == 0 else None

    return wait_for(gone, "the connection to end")
