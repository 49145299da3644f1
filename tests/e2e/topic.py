"""The topic of sums, seen without adder or totalizer: confluent-kafka reads and writes it."""

import json
import uuid

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

TOPIC = "sums"


def read(port, timeout=20):
    """Every message from the first to the last, as [(partition, offset, value)]."""
    consumer = Consumer(
        {
            "bootstrap.servers": f"127.0.0.1:{port}",
            "group.id": uuid.uuid4().hex,  # of its own: nothing else may commit to totalizer's
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
        }
    )
    try:
        partitions = consumer.list_topics(TOPIC, timeout).topics[TOPIC].partitions
        consumer.assign([TopicPartition(TOPIC, number, 0) for number in partitions])
        left, found = set(partitions), []
        while left:
            message = consumer.poll(timeout)
            assert message is not None, f"no answer for partitions {left}"
            if message.error() is None:
                found.append((message.partition(), message.offset(), message.value()))
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
                left.discard(message.partition())
        return found
    finally:
        consumer.close()


def total(port):
    """(sum, count) of the valid messages."""
    sums = []
    for _, _, value in read(port):
        try:
            sums.append(json.loads(value)["sum"])
        except (ValueError, KeyError, TypeError):
            continue  # a poison message that a test has put there
    return sum(sums), len(sums)


def produce(port, value, partition=0):
    """Append one message, acknowledged."""
    failed = []
    producer = Producer({"bootstrap.servers": f"127.0.0.1:{port}", "linger.ms": 0})
    producer.produce(
        TOPIC,
        value,
        partition=partition,
        on_delivery=lambda error, _: failed.append(error) if error else None,
    )
    assert producer.flush(20) == 0 and not failed, failed
