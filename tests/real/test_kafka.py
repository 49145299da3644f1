"""The total on Apache Kafka: exact through broker restarts, rebalances and transactions."""

import re
import uuid

import pytest
from confluent_kafka import Producer

from lib import peer, topics
from lib.adder import read_topic
from lib.parts import Kafka
from lib.recorder import Recorder
from lib.sums import Load, assert_committed, fill
from lib.totalizer import WRONG_LOG
from lib.wait import wait_for

PARTITIONS = 12
# A killed member's partitions move after so long, not after totalizer's own 6 s.
BRIEF = "--kafka=session.timeout.ms=2500"


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kafka")
    with Kafka(folder, "group.min.session.timeout.ms=1000", partitions=0) as running:
        yield running


@pytest.fixture
def kafka(broker):
    return topics.sums(broker.address, PARTITIONS)


def assert_log(kafka):
    """What was acknowledged stands in the log once: read by somebody who is neither."""
    log = read_topic(kafka.brokers, kafka.topic)
    assert len(log) == kafka.count
    assert sum(message["sum"] for _, _, message, _ in log) == kafka.total


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_total_is_exact_through_a_broker_restart(tmp_path, broker, kafka, end):
    """Under load, for longer than a session: clean, and by kill -9."""
    with (
        Load(kafka) as load,
        kafka.totalizer(tmp_path, name="first") as first,
        kafka.totalizer(tmp_path, name="second") as second,
    ):
        for replica in (first, second):
            replica.wait_owned(PARTITIONS // 2, 60)
        load.wait_more(500)
        getattr(broker, end)()
        wait_for(lambda: first.results() is None, "it to say that the total is not known", 60)
        broker.start()
        load.wait_more(500)
        load.__exit__()
        for replica in (first, second):
            replica.wait_total(kafka.total, kafka.count, 120)
        for replica in (first, second):
            replica.terminate()
    assert_committed(kafka, kafka.total, kafka.count)
    assert_log(kafka)


def test_three_replicas_share_twelve_partitions_under_load(tmp_path, kafka):
    """They come, one is killed, one leaves: the others have all of it, and no sum twice."""
    with Load(kafka) as load, kafka.totalizer(tmp_path, BRIEF, name="first") as first:
        first.wait_owned(12)
        with (
            kafka.totalizer(tmp_path, BRIEF, name="second") as second,
            kafka.totalizer(tmp_path, BRIEF, name="third") as third,
        ):
            for replica in (first, second, third):
                replica.wait_owned(4, 60)
            load.wait_more(300)
            second.kill()
            first.wait_owned(6, 60)
            third.wait_owned(6, 60)
            load.wait_more(300)
            with kafka.totalizer(tmp_path, BRIEF, name="fourth") as fourth:
                for replica in (first, third, fourth):
                    replica.wait_owned(4, 60)
                load.wait_more(300)
                third.terminate()
                first.wait_owned(6, 60)
                fourth.wait_owned(6, 60)
                load.__exit__()
                for replica in (first, fourth):
                    replica.wait_total(kafka.total, kafka.count, 60)
                fourth.terminate()
        first.wait_owned(12, 60)
        first.wait_total(kafka.total, kafka.count)
        first.terminate()
    assert_committed(kafka, kafka.total, kafka.count)


class Transactions:
    """A foreign producer. It writes 10 messages into each partition at a time."""

    def __init__(self, kafka):
        self._kafka = kafka
        self._producer = Producer(
            {"bootstrap.servers": kafka.brokers, "transactional.id": uuid.uuid4().hex}
        )
        self._producer.init_transactions(60)

    def write(self, number):
        """Begin a transaction, write, and see it all acknowledged."""
        self._producer.begin_transaction()
        for at in range(10 * self._kafka.partitions):
            value = f'{{"sum": {number}}}'
            self._producer.produce(self._kafka.topic, value, partition=at % self._kafka.partitions)
        assert self._producer.flush(60) == 0

    def abort(self):
        """End it: nothing of it counts."""
        self._producer.abort_transaction(60)

    def commit(self, number):
        """End it: all of it counts."""
        self._producer.commit_transaction(60)
        self._kafka.total += number * 10 * self._kafka.partitions
        self._kafka.count += 10 * self._kafka.partitions


def wait_no_lag(recorder, kafka):
    """Wait until the next report of each partition is 0."""
    seen = len(recorder.events(peer.LAG))

    def caught_up():
        last = {e[2]: e[3] for e in recorder.events(peer.LAG)[seen:]}
        return last == dict.fromkeys(range(kafka.partitions), 0)

    wait_for(
        caught_up, lambda: f"no lag anywhere: {recorder.events(peer.LAG)[-kafka.partitions :]}", 30
    )


def test_aborted_transactions_are_not_counted(tmp_path, kafka):
    """Nor waited for: their messages and markers are gaps in the offsets, and no lag."""
    foreign = Transactions(kafka)
    with Recorder(tmp_path / "s") as recorder:
        with kafka.totalizer(tmp_path, socket=tmp_path / "s") as totalizer:
            fill(kafka, 120)
            foreign.write(1)
            foreign.abort()
            foreign.write(10**6)
            foreign.commit(10**6)
            totalizer.wait_total(kafka.total, kafka.count)
            wait_no_lag(recorder, kafka)
            foreign.write(7)
            before = (kafka.total, kafka.count)
            fill(kafka, 120)  # behind an open transaction: not before that ends
            wait_for(
                lambda: {e[3] for e in recorder.events(peer.LAG)[-kafka.partitions :]} == {20},
                "what is held up to be lag",
            )
            totalizer.wait_total(*before)
            foreign.abort()
            totalizer.wait_total(kafka.total, kafka.count)
            foreign.write(7)
            foreign.abort()  # the end of each log: nothing in it ever counts
            wait_no_lag(recorder, kafka)
            totalizer.terminate()
        assert_committed(kafka, kafka.total, kafka.count)
        with kafka.totalizer(tmp_path, socket=tmp_path / "s", name="again") as totalizer:
            totalizer.wait_total(kafka.total, kafka.count)
            wait_no_lag(recorder, kafka)
            fill(kafka, 120, seed=5)
            totalizer.wait_total(kafka.total, kafka.count)
            totalizer.terminate()
    assert_committed(kafka, kafka.total, kafka.count)


def test_ends_of_transactions_that_retention_removed_are_no_gap(tmp_path, kafka):
    """Every log ends in one, where transactions write: all that was added is gone, and no more."""
    foreign = Transactions(kafka)
    foreign.write(1)
    foreign.commit(1)
    with kafka.totalizer(tmp_path) as totalizer:
        totalizer.wait_total(kafka.total, kafka.count)
        wait_for(
            lambda: {offset for offset, _ in kafka.committed().values()} == {10 + 1},
            lambda: f"commits up to the ends: {kafka.committed()}",
        )
        totalizer.terminate()
    assert_committed(kafka, kafka.total, kafka.count)
    topics.empty(kafka.brokers, kafka.topic, PARTITIONS)
    with kafka.totalizer(tmp_path, name="again") as totalizer:
        totalizer.wait_owned(PARTITIONS, 60)
        foreign.write(1)
        foreign.commit(1)
        totalizer.wait_total(kafka.total, kafka.count)
        totalizer.terminate()
    assert_committed(kafka, kafka.total, kafka.count)


def test_all_partitions_overtaken_at_once(tmp_path, kafka):
    """Each gap is passed, and librdkafka is not told to start all over for each of them."""
    options = ["--accept-gap", "--kafka=session.timeout.ms=300000"]
    options += ["--log-level=debug", "--kafka=debug=cgrp"]
    with kafka.totalizer(tmp_path, *options) as totalizer:
        totalizer.wait_owned(PARTITIONS, 60)
        fill(kafka, PARTITIONS)
        totalizer.wait_total(kafka.total, kafka.count)
        started = totalizer.log().count(": new assignment of 12 ")
        totalizer.pause()
        for number in range(20 * PARTITIONS):
            kafka.send_sum(1, number % PARTITIONS)
        kafka.flush()
        topics.empty(kafka.brokers, kafka.topic, PARTITIONS)
        for number in range(PARTITIONS):
            kafka.send_sum(1, number)
        kafka.flush()
        totalizer.go_on()
        wait_for(
            lambda: {offset for offset, _ in kafka.committed().values()} == {22},
            lambda: f"it to pass all gaps:\n{totalizer.log()[-5000:]}",
            30,
        )
        gaps = re.findall(r"event=gap_accepted .* from=(\d+) to=(\d+)\n", totalizer.log())
        assert len(gaps) > PARTITIONS / 2  # a fetch on its way brought some all that is gone now
        missed = sum(int(end) - int(start) for start, end in gaps)
        totalizer.wait_total(kafka.total - missed, kafka.count - missed)
        assert totalizer.log().count(": new assignment of 12 ") - started < len(gaps) / 2
        totalizer.terminate()


def test_topic_deleted_and_created_anew(tmp_path, kafka):
    """A total of messages that nobody has any more is not answered, nor is one from zero."""
    fill(kafka, 240)
    with kafka.totalizer(tmp_path) as totalizer:
        totalizer.wait_total(kafka.total, kafka.count)
        wait_for(lambda: kafka.committed()[0][0] == 20, "the commits")
        topics.delete(kafka.brokers, kafka.topic)
        topics.create(kafka.brokers, kafka.topic, PARTITIONS)
        assert totalizer.wait_end(kafka.total, kafka.count, 60) == WRONG_LOG, totalizer.log()
