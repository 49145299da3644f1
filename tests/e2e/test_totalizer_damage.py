"""A batch in the log that cannot be read: nothing of it is added, and nobody answers as if it were
not there."""

import pytest

from lib.adder import Broker
from lib.batches import GZIP, NO_CODEC, append, batch
from lib.peer import ERROR
from lib.recorder import Recorder
from lib.sums import assert_committed
from lib.totalizer import FAILED, TOPIC, Kafka
from lib.wait import wait_for

SUM = b'{"sum":1}'
GARBAGE = b"neither records nor what a compressor makes of them"

DAMAGED = {
    # A bit that turned after the producer's checksum: still a message, and another sum.
    "checksum": (batch(SUM).replace(SUM, b'{"sum":9}'), "_BAD_MSG"),
    "compression": (batch(SUM, SUM, codec=GZIP, records=GARBAGE), "_BAD_COMPRESSION"),
    "codec": (batch(SUM, SUM, codec=NO_CODEC, records=GARBAGE), "_NOT_IMPLEMENTED"),
}


@pytest.fixture
def kafka(tmp_path):
    with Broker(tmp_path, partitions=1) as broker:
        yield Kafka(broker.address, partitions=1)


def wait_failed(totalizer, count):
    """It ends, says why, and never answers anything but so many ones."""
    assert totalizer.wait_end(count, count, 20) == FAILED
    why = f"partition 0 cannot be read from offset {count} on: "
    assert f'event=consumer_failed topic=sums group=totalizer reason="{why}' in totalizer.log()


@pytest.mark.parametrize("damage", DAMAGED)
def test_batch_that_cannot_be_read(tmp_path, kafka, damage):
    data, error = DAMAGED[damage]
    with (
        Recorder(tmp_path / "s") as recorder,
        kafka.totalizer(tmp_path, socket=recorder.path) as totalizer,
    ):
        assert append(kafka.brokers, TOPIC, batch(SUM, SUM)) == 0
        totalizer.wait_total(2, 2)
        wait_for(lambda: kafka.committed()[0][0] == 2, "the commit")
        append(kafka.brokers, TOPIC, data)
        append(kafka.brokers, TOPIC, batch(SUM))
        wait_failed(totalizer, 2)
        assert error in {e[3] for e in recorder.wait_events(ERROR)}
    assert_committed(kafka, 2, 2)
    # A restart tries again: here in vain. The good batches around it may come in one fetch.
    with kafka.totalizer(tmp_path, name="again") as totalizer:
        wait_failed(totalizer, 2)
    assert_committed(kafka, 2, 2)


def test_damage_in_the_midst_of_a_backlog(tmp_path, kafka):
    """What stands before it is added, not what stands behind it."""
    for data in (batch(SUM), batch(SUM, SUM), DAMAGED["checksum"][0], batch(SUM)):
        append(kafka.brokers, TOPIC, data)
    with kafka.totalizer(tmp_path) as totalizer:
        assert totalizer.wait_exit() == FAILED
        assert "partition 0 cannot be read from offset 3 on: " in totalizer.log()
    assert kafka.committed()[0][0] <= 3
