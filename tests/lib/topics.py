"""Topics of a test's own on a broker that several tests share, and their logs as they stand."""

import uuid

import confluent_kafka
from confluent_kafka import admin

from lib.totalizer import Kafka
from lib.wait import PATIENCE, wait_for

# Acknowledged means: in the log, once, whatever the broker goes through. With more than one request
# in flight, a partition that is only starting may lose what librdkafka calls stored.
SAFE = {"enable.idempotence": True, "max.in.flight": 1, "message.timeout.ms": 300_000}


def create(brokers, name, partitions, wait=True):
    """Create a topic; return when each partition answers, unless told not to wait."""
    client = admin.AdminClient({"bootstrap.servers": brokers})
    made = client.create_topics([admin.NewTopic(name, partitions, 1)])
    made[name].result(60 * PATIENCE)
    if wait:
        _wait_partitions(brokers, name, partitions)


def _wait_partitions(brokers, name, partitions):
    consumer = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": "nobody"})

    def answered(number):
        try:
            where = confluent_kafka.TopicPartition(name, number)
            return consumer.get_watermark_offsets(where, 1) is not None
        except confluent_kafka.KafkaException:
            return False

    try:
        for number in range(partitions):
            wait_for(lambda n=number: answered(n), f"partition {number} of {name}", 60)
    finally:
        consumer.close()


def delete(brokers, name):
    """Delete a topic."""
    client = admin.AdminClient({"bootstrap.servers": brokers})
    gone = client.delete_topics([name])
    gone[name].result(60 * PATIENCE)


def empty(brokers, name, partitions):
    """Remove all that stands in a topic, as retention would."""
    client = admin.AdminClient({"bootstrap.servers": brokers})
    ends = [
        confluent_kafka.TopicPartition(name, number, confluent_kafka.OFFSET_END)
        for number in range(partitions)
    ]
    for answer in client.delete_records(ends).values():
        answer.result(60 * PATIENCE)


def sums(brokers, partitions):
    """A lib.totalizer.Kafka with a new topic and group, whose producer is SAFE."""
    name = f"sums-{uuid.uuid4().hex[:8]}"
    create(brokers, name, partitions)
    return Kafka(brokers, name, f"totalizer-{name}", partitions, SAFE)
