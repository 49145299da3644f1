"""totalizer's sum: exact, whatever happens to it, to its group and to the broker."""

import re
import signal

import pytest

from lib.adder import Broker
from lib.ports import free_port
from lib.sums import STATE, Load, assert_committed, fill
from lib.totalizer import UNREADABLE, WRONG_LOG, Kafka, Totalizer
from lib.wait import wait_for

PARTITIONS = 4
# A killed or stopped member's partitions move after so long, not after totalizer's own 6 s.
BRIEF = "--kafka=session.timeout.ms=2500"


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path, partitions=PARTITIONS) as running:
        yield running


@pytest.fixture
def kafka(broker):
    return Kafka(broker.address)


def test_exact_total_over_all_partitions(tmp_path, kafka):
    fill(kafka, 5000)
    with kafka.totalizer(tmp_path) as totalizer:
        totalizer.wait_total(kafka.total, kafka.count)
        assert abs(kafka.total) > 2**64  # more than an int64, or a double, could hold
        assert totalizer.wait_healthy() == {"status": "ok", "assigned": 4, "owned": 4}
        fill(kafka, 100, seed=2)
        found = totalizer.wait_total(kafka.total, kafka.count)
        assert found["partitions"] == PARTITIONS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", found["as_of"])
        totalizer.terminate()
        assert_committed(kafka, kafka.total, kafka.count)


def test_empty_topic_is_zero(tmp_path, kafka):
    with kafka.totalizer(tmp_path) as totalizer:
        totalizer.wait_healthy()
        found = totalizer.results()
        assert (found["result"], found["count"], found["partitions"]) == (0, 0, PARTITIONS)
        totalizer.terminate()


def test_commits_while_running(tmp_path, kafka):
    fill(kafka, 50)
    with kafka.totalizer(tmp_path) as totalizer:
        totalizer.wait_total(kafka.total, kafka.count)
        wait_for(
            lambda: all(STATE.fullmatch(m or "") for _, m in kafka.committed(PARTITIONS).values()),
            "commits",
        )
        assert_committed(kafka, kafka.total, kafka.count)
        totalizer.terminate()


def test_killed_and_started_again(tmp_path, kafka):
    with Load(kafka) as load:
        for turn in range(3):
            with kafka.totalizer(tmp_path, BRIEF, name=f"n{turn}") as totalizer:
                load.wait_more(200)
                wait_for(
                    lambda t=totalizer, n=kafka.count: (t.results() or {"count": 0})["count"] >= n,
                    "it to catch up",
                    30,
                )
                totalizer.kill()
    with kafka.totalizer(tmp_path, BRIEF) as totalizer:
        totalizer.wait_total(kafka.total, kafka.count, 40)
        totalizer.terminate()
    assert_committed(kafka, kafka.total, kafka.count)


def test_stopped_and_started_again_reads_nothing_twice(tmp_path, kafka):
    fill(kafka, 1000)
    with kafka.totalizer(tmp_path) as totalizer:
        totalizer.wait_total(kafka.total, kafka.count)
        totalizer.terminate()
    assert_committed(kafka, kafka.total, kafka.count)
    with kafka.totalizer(tmp_path, name="again") as totalizer:
        totalizer.wait_healthy()
        assert totalizer.log().count("offset=250 end=250") == PARTITIONS
        totalizer.wait_total(kafka.total, kafka.count)
        totalizer.terminate()


def test_replicas_join_and_leave_under_load(tmp_path, kafka):
    """Both answer the whole total, each from its own messages and the other's commits."""
    with Load(kafka) as load, kafka.totalizer(tmp_path, BRIEF, name="first") as first:
        first.wait_owned(PARTITIONS)
        load.wait_more(200)
        with kafka.totalizer(tmp_path, BRIEF, name="second") as second:
            second.wait_owned(PARTITIONS // 2)
            first.wait_owned(PARTITIONS // 2)
            load.wait_more(300)
            second.terminate()
        first.wait_owned(PARTITIONS)
        with kafka.totalizer(tmp_path, BRIEF, name="third") as third:
            third.wait_owned(PARTITIONS // 2)
            load.wait_more(200)
            third.kill()  # its partitions move when its session has ended
            first.wait_owned(PARTITIONS)
            load.wait_more(200)
        with kafka.totalizer(tmp_path, BRIEF, name="fourth") as fourth:
            fourth.wait_owned(PARTITIONS // 2)
            load.__exit__()
            first.wait_total(kafka.total, kafka.count)
            fourth.wait_total(kafka.total, kafka.count)
            first.terminate()
            fourth.wait_owned(PARTITIONS)
            fourth.wait_total(kafka.total, kafka.count)
            fourth.terminate()
    assert_committed(kafka, kafka.total, kafka.count)


def test_replica_without_partitions_is_healthy(tmp_path, kafka):
    """Four partitions and five members leave one with none: it answers all the same."""
    fill(kafka, 100)
    replicas = [kafka.totalizer(tmp_path, name=f"r{n}") for n in range(PARTITIONS + 1)]
    try:
        wait_for(
            lambda: sorted(r.wait_healthy()["owned"] for r in replicas) == [0, 1, 1, 1, 1],
            "one partition for each but one",
            30,
        )
        for replica in replicas:
            replica.wait_total(kafka.total, kafka.count)
        for replica in replicas:
            replica.signal(signal.SIGTERM)
        for replica in replicas:
            assert replica.wait_exit() == 0
            replica.check_log()
    finally:
        for replica in replicas:
            replica.kill()


def test_stopped_replica_continues_as_a_zombie(tmp_path, kafka):
    """SIGSTOP past its session: another takes over; what it still holds then changes nothing."""
    with Load(kafka) as load, kafka.totalizer(tmp_path, BRIEF, name="zombie") as zombie:
        zombie.wait_owned(PARTITIONS)
        load.wait_more(200)
        with kafka.totalizer(tmp_path, BRIEF, name="heir") as heir:
            heir.wait_owned(PARTITIONS // 2)
            zombie.pause()
            heir.wait_owned(PARTITIONS)
            load.wait_more(200)
            zombie.go_on()
            zombie.wait_owned(PARTITIONS // 2, 60)
            zombie.wait_log("lost=true")  # it was told, and not asked
            load.__exit__()
            for replica in (zombie, heir):
                replica.wait_total(kafka.total, kafka.count)
                replica.terminate()
    assert_committed(kafka, kafka.total, kafka.count)


def test_broker_paused_and_continued(tmp_path, broker, kafka):
    """Past the session's end: the assignment is lost and comes back, the total is exact."""
    fill(kafka, 500)
    with kafka.totalizer(tmp_path) as totalizer:
        totalizer.wait_total(kafka.total, kafka.count)
        broker.pause()
        wait_for(
            lambda: (
                totalizer.get("/v1/results")[0] == 503
                and totalizer.get("/v1/healthcheck")[0] == 503
            ),
            "it to say that it knows the total no more",
            20,
        )
        totalizer.wait_log("event=revoked", 20)
        broker.go_on()
        fill(kafka, 500, seed=4)
        totalizer.wait_healthy(40)
        totalizer.wait_total(kafka.total, kafka.count)
        assert "lost=true" in totalizer.log()
        totalizer.terminate()
    assert_committed(kafka, kafka.total, kafka.count)


def test_broker_absent_at_start(tmp_path):
    port = free_port()
    with Totalizer(tmp_path, f"127.0.0.1:{port}") as totalizer:
        totalizer.wait_log("event=kafka_trouble")
        for path, error in (("/v1/results", "total_unknown"), ("/v1/healthcheck", "not_ready")):
            status, body = totalizer.get(path)
            assert (status, body["error"]) == (503, error) and body["reason"]
        with Broker(tmp_path, port=port, partitions=PARTITIONS) as broker:
            kafka = Kafka(broker.address)
            fill(kafka, 100)
            totalizer.wait_healthy(40)
            totalizer.wait_total(kafka.total, kafka.count)
            assert totalizer.log().count("event=kafka_trouble") == 1
            totalizer.wait_log("event=kafka_recovered")
            totalizer.terminate()


def test_broker_came_back_empty(tmp_path, broker, kafka):
    fill(kafka, 400)
    with kafka.totalizer(tmp_path) as totalizer:
        totalizer.wait_total(kafka.total, kafka.count)
        wait_for(lambda: kafka.committed()[0][0] == 100, "the commit")
        port = int(broker.address.rsplit(":", 1)[1])
        broker.kill()
        with Broker(tmp_path, port=port, partitions=PARTITIONS):
            assert totalizer.wait_end(kafka.total, 400, 40) == WRONG_LOG
            assert re.search(
                r"error totalizer event=(offsets_vanished|log_too_short) ", totalizer.log()
            )
            assert kafka.committed()[0][0] < 0  # it left nothing in the new one either


@pytest.mark.parametrize(
    "metadata",
    ["", "v1 100 5", "totalizer/2 next=7 count=1 total=1;", "totalizer/1 next=8 count=1 total=1;"],
)
def test_unreadable_metadata(tmp_path, kafka, metadata):
    fill(kafka, 40)
    kafka.commit(7, metadata)
    with kafka.totalizer(tmp_path) as totalizer:
        assert totalizer.wait_exit() == UNREADABLE
        assert (
            f"error totalizer event=unreadable_metadata topic={kafka.topic} group={kafka.group}"
            " partition=0 " in totalizer.log()
        )
    assert kafka.committed(1)[0] == (7, metadata)  # untouched


def test_commit_beyond_the_end(tmp_path, kafka):
    """The topic was created anew and is shorter than what the group has added up."""
    fill(kafka, 40)
    kafka.commit(11, "totalizer/1 next=11 count=11 total=5;")
    with kafka.totalizer(tmp_path) as totalizer:
        assert totalizer.wait_exit() == WRONG_LOG
        assert "event=log_too_short" in totalizer.log()


def test_gap_is_refused_unless_accepted(tmp_path, kafka):
    """The broker keeps 5 MiB a partition: what it dropped before it was added is a gap."""
    padding = "x" * 50_000
    for number in range(150):
        kafka.send_sum(number, padding=padding)
    kafka.flush()
    with kafka.totalizer(tmp_path) as totalizer:
        assert totalizer.wait_exit() == WRONG_LOG
        assert "event=gap" in totalizer.log() and "--accept-gap" in totalizer.log()
    with kafka.totalizer(tmp_path, "--accept-gap", name="accepting") as totalizer:
        totalizer.wait_log("event=gap_accepted")
        first = int(re.search(r"event=gap_accepted .* from=0 to=(\d+)", totalizer.log())[1])
        assert first > 0
        totalizer.wait_total(sum(range(first, 150)), 150 - first)
        totalizer.terminate()
    assert int(STATE.fullmatch(kafka.committed(1)[0][1])[2]) == 150 - first


# None of its partitions moves while it is stopped.
LASTING = "--kafka=session.timeout.ms=300000"


def overtake(kafka, totalizer):
    """Stop it, fill partitions 0 and 1 until retention has passed what it has read, let it go on.

    The message at an offset is that number in partition 0, a thousand more in partition 1.
    """
    for base in (0, 1000):
        kafka.send_sum(base, base // 1000)
    kafka.flush()
    totalizer.wait_total(kafka.total, kafka.count)
    totalizer.pause()
    padding = "x" * 50_000
    for number in range(1, 150):
        for base in (0, 1000):
            kafka.send_sum(base + number, base // 1000, padding=padding)
    kafka.flush()
    totalizer.go_on()


def test_overtaken_by_retention(tmp_path, kafka):
    with kafka.totalizer(tmp_path, LASTING) as totalizer:
        totalizer.wait_owned(PARTITIONS)
        overtake(kafka, totalizer)
        assert totalizer.wait_exit() == WRONG_LOG
        gap = re.search(r"event=gap .* partition=(\d) offset=(\d+) ", totalizer.log())
    partition, reached = map(int, gap.groups())
    assert 1 <= kafka.committed()[partition][0] <= reached  # nothing beyond it


def test_overtaken_by_retention_and_accepted(tmp_path, kafka):
    with kafka.totalizer(tmp_path, LASTING, "--accept-gap") as totalizer:
        totalizer.wait_owned(PARTITIONS)
        overtake(kafka, totalizer)
        wait_for(lambda: totalizer.log().count("event=gap_accepted ") == 2, "both gaps", 20)
        gaps = re.findall(
            r"event=gap_accepted topic=sums partition=(\d) from=(\d+) to=(\d+)\n", totalizer.log()
        )
        assert sorted(gap[0] for gap in gaps) == ["0", "1"]
        for partition, start, end in (map(int, gap) for gap in gaps):
            assert 1 <= start < end < 150  # what a fetch on its way had brought came before it
            kafka.total -= sum(range(start, end)) + (end - start) * 1000 * partition
            kafka.count -= end - start
        totalizer.wait_total(kafka.total, kafka.count)
        fill(kafka, 100)
        totalizer.wait_total(kafka.total, kafka.count)
        totalizer.wait_owned(PARTITIONS)
        assert "event=revoked" not in totalizer.log()
        totalizer.terminate()
    assert_committed(kafka, kafka.total, kafka.count)


def test_groups_are_apart(tmp_path, kafka):
    fill(kafka, 40)
    other = f"{kafka.group}-other"
    with kafka.totalizer(tmp_path, f"--group={other}") as totalizer:
        totalizer.wait_total(kafka.total, kafka.count)
        totalizer.terminate()
    assert kafka.committed(1, group=other)[0][0] == 10
    assert kafka.committed(1)[0][0] < 0
