"""Consumer lag and its age: the rules of PROTOCOL.md's Kafka section, on /metrics."""

import time

import pytest

from lib import peer as wire
from lib.wait import wait_for

LAG, AGE = "kafka_consumer_lag", "kafka_consumer_lag_age"
SECOND = 1_000_000_000


def lag(partition, messages, as_of=None, topic="sums"):
    """A LAG event."""
    return [wire.LAG, topic, partition, messages, as_of]


def test_lag_and_age(sidecar):
    with sidecar.peer() as peer:
        began = time.time()
        peer.send(lag(0, 12, wire.now() - 30 * SECOND), lag(1, 0, wire.now()))
        scrape = sidecar.settle(peer)
        assert scrape.value(LAG, service_name="svc", topic="sums", partition="0") == 12
        assert scrape.value(LAG, partition="1") == 0
        took = time.time() - began
        assert (
            29.5
            <= scrape.value(AGE, service_name="svc", topic="sums", partition="0")
            <= 30.5 + took
        )
        assert 0 <= scrape.value(AGE, partition="1") <= 0.5 + took


def test_age_grows_by_itself(sidecar):
    with sidecar.peer() as peer:
        peer.send(lag(0, 1, wire.now() - SECOND))
        first = sidecar.settle(peer).value(AGE)
        wait_for(lambda: sidecar.metrics().value(AGE) > first + 0.2, "the age to grow")


def test_age_is_never_negative(sidecar):
    with sidecar.peer() as peer:
        peer.send(lag(0, 1, wire.now() + 3600 * SECOND))
        assert 0 <= sidecar.settle(peer).value(AGE) < 5


def test_as_of_nil_keeps_the_origin(sidecar):
    """Even at lag 0, and from another connection."""
    with sidecar.peer() as peer, sidecar.peer() as other:
        peer.send(lag(0, 5, wire.now() - 100 * SECOND), lag(0, 0))
        scrape = sidecar.settle(peer)
        assert scrape.value(LAG) == 0 and scrape.value(AGE) >= 99
        other.send(lag(0, 7))
        scrape = sidecar.settle(other)
        assert scrape.value(LAG) == 7 and scrape.value(AGE) >= 99
        other.send(lag(0, 7, wire.now()))
        assert sidecar.settle(other).value(AGE) < 50


def test_as_of_nil_at_first_is_now(sidecar):
    with sidecar.peer() as peer:
        peer.send(lag(0, 5))
        assert 0 <= sidecar.settle(peer).value(AGE) < 5


def test_revoked(sidecar):
    with sidecar.peer() as peer:
        peer.send(lag(0, 5), lag(1, 5), lag(0, None))
        scrape = sidecar.settle(peer)
        assert [s[0]["partition"] for s in scrape.samples(LAG)] == ["1"]
        assert [s[0]["partition"] for s in scrape.samples(AGE)] == ["1"]


def test_revoked_by_a_former_owner(sidecar):
    """After a rebalance the former owner's late word is ignored while the new owner lives."""
    with sidecar.peer() as old, sidecar.peer() as new:
        old.send(lag(0, 5))
        sidecar.settle(old)
        new.send(lag(0, 6))
        sidecar.settle(new)
        old.send(lag(0, None))
        assert sidecar.settle(old).value(LAG) == 6
        old.bye()
        assert sidecar.wait_counters(closed_bye=1).value(LAG) == 6


def test_bye_removes(sidecar):
    peer = sidecar.peer()
    peer.send(lag(0, 5), lag(1, 6))
    sidecar.settle(peer)
    peer.bye()
    scrape = sidecar.wait_counters(closed_bye=1)
    assert not scrape.samples(LAG) and not scrape.samples(AGE)


@pytest.mark.parametrize("fault", [b"", b"\x90"])
def test_death_keeps_the_age(sidecar, fault):
    """Crash or malformed event: the lag goes, the age grows on until somebody reports."""
    peer = sidecar.peer()
    peer.send(lag(0, 5, wire.now() - 10 * SECOND))
    sidecar.settle(peer)
    peer.send_bytes(fault)
    peer.close()
    scrape = sidecar.wait_counters(connections=0)
    age = scrape.value(AGE)
    assert not scrape.samples(LAG) and age >= 9.5
    wait_for(lambda: sidecar.metrics().value(AGE) > age + 0.2, "the age to grow on")
    with sidecar.peer("another") as stranger:
        stranger.send(lag(0, 1, wire.now()))
        assert sidecar.settle(stranger).value(AGE, service_name="svc") >= 9.5
    with sidecar.peer() as heir:
        heir.send(lag(0, 3, wire.now()))
        scrape = sidecar.settle(heir)
        assert scrape.value(LAG, service_name="svc") == 3
        assert scrape.value(AGE, service_name="svc") < 9


def test_death_of_a_former_owner(sidecar):
    with sidecar.peer() as new:
        old = sidecar.peer()
        old.send(lag(0, 5))
        sidecar.settle(old)
        new.send(lag(0, 6))
        sidecar.settle(new)
        old.close()
        assert sidecar.wait_counters(connections=1).value(LAG) == 6


def test_partitions_at_the_limit(sidecar):
    """1,024 partitions of a topic; LAG of one more is refused."""
    with sidecar.peer() as peer:
        peer.send(*(lag(p, p) for p in range(1024)))
        scrape = sidecar.settle(peer)
        assert len(scrape.samples(LAG)) == 1024
        peer.send(lag(1024, 1), lag(5, 50))
        scrape = sidecar.settle(peer)
        assert len(scrape.samples(LAG)) == 1024
        assert scrape.value(LAG, partition="5") == 50
        assert sidecar.counters()["refused_lag_cap"] == 1


def test_topics_at_the_limit(sidecar):
    """256 topics; others share a series, but not a lag."""
    with sidecar.peer() as peer:
        peer.send(*([wire.PRODUCED, f"t{i}", 0, None] for i in range(300)))
        peer.send(lag(0, 1, topic="t255"), lag(0, 1, topic="t256"), lag(0, 1, topic="new"))
        scrape = sidecar.settle(peer)
        name = "kafka_messages_produced_total"
        assert scrape.total(name) == 300
        assert scrape.value(name, otel_metric_overflow="true") == 44
        assert scrape.value(name, topic="t255") == 1 and not scrape.samples(name, topic="t256")
        assert [s[0]["topic"] for s in scrape.samples(LAG)] == ["t255"]
        assert sidecar.counters()["refused_lag_cap"] == 2
    # Another service has topics of its own.
    with sidecar.peer("other") as peer:
        peer.send([wire.PRODUCED, "t299", 0, None])
        assert sidecar.settle(peer).value(name, service_name="other", topic="t299") == 1
