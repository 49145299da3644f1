"""adder on Apache Kafka: what it acknowledged is in the log, once."""

import collections
import uuid

import pytest

from lib import topics
from lib.adder import Adder, read_topic
from lib.parts import Kafka
from lib.wait import wait_for

PARTITIONS = 12


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Kafka(tmp_path_factory.mktemp("kafka"), partitions=0) as running:
        yield running


def start_calls(adder, first, count):
    """{sum: future of it} for so many sums from first on, all at once."""
    numbers = range(first, first + count)
    return {number: adder.start(number - 1, 1, timeout=120) for number in numbers}


def assert_stored_once(calls, brokers, topic):
    """Each answered sum stands in the log exactly once, each other one at most once."""
    errors = {number: call.exception(timeout=120) for number, call in calls.items()}  # all ended
    stored = collections.Counter(m["sum"] for _, _, m, _ in read_topic(brokers, topic))
    outcomes = collections.Counter()
    for number, error in errors.items():
        outcomes[error and f"{error.code().name} {error.details()}"] += 1
        if error is None:
            assert calls[number].result() == number and stored[number] == 1, (number, stored[number])
    assert max(stored.values()) == 1 and stored.keys() <= calls.keys()
    return outcomes


def test_first_calls_after_its_topic_was_made(tmp_path, broker):
    """adder waits until each partition of it answers; what it then acknowledges is there."""
    for _ in range(3):
        topic = f"sums-{uuid.uuid4().hex[:8]}"
        with Adder(tmp_path, broker.address, f"--topic={topic}", ready=False) as adder:
            adder.wait_log("event=kafka_waiting")
            assert adder.get("/readyz")[0] == 503
            topics.create(broker.address, topic, PARTITIONS, wait=False)
            adder.wait_ready()
            calls = start_calls(adder, 1, 300)
            assert assert_stored_once(calls, broker.address, topic) == {None: 300}
            adder.terminate()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_calls_through_a_broker_restart(tmp_path, broker, end):
    """With more patience than the outage lasts, no caller gets an error: clean, and by kill -9."""
    topic = f"sums-{uuid.uuid4().hex[:8]}"
    topics.create(broker.address, topic, PARTITIONS)
    patience = "--kafka=message.timeout.ms=120000"
    with Adder(tmp_path, broker.address, f"--topic={topic}", patience) as adder:
        calls = start_calls(adder, 1, 500)
        wait_for(lambda: any(c.done() for c in calls.values()), "a first answer")
        getattr(broker, end)()
        during = start_calls(adder, 1001, 500)
        adder.arrived()
        broker.start()
        calls.update(during)
        calls.update(start_calls(adder, 2001, 500))
        assert assert_stored_once(calls, broker.address, topic) == {None: 1500}
        adder.terminate()


def test_calls_while_the_broker_is_away(tmp_path, broker):
    """Past adder's patience each call gets an error; nothing stands in the log twice."""
    topic = f"sums-{uuid.uuid4().hex[:8]}"
    topics.create(broker.address, topic, PARTITIONS)
    patience = "--kafka=message.timeout.ms=2000"
    with Adder(tmp_path, broker.address, f"--topic={topic}", patience) as adder:
        assert adder.sum(1, 1) == 2
        broker.pause()
        calls = start_calls(adder, 1001, 200)
        for call in calls.values():
            assert call.exception(timeout=120) is not None
        broker.go_on()
        wait_for(lambda: adder.start(2, 1).exception() is None, "it to answer again", 60)
        adder.terminate()
    stored = collections.Counter(m["sum"] for _, _, m, _ in read_topic(broker.address, topic))
    assert stored[2] == 1 and max(stored[n] for n in calls) <= 1
