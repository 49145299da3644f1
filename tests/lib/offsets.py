"""A group's committed offsets and their metadata, byte for byte, in Kafka's own protocol.

confluent-kafka takes metadata for a C string: it sends one byte too many, and reads until it meets
a zero.
"""

import struct

from lib.request import ask, text
from lib.wait import wait_for

_OFFSET_COMMIT, _OFFSET_FETCH, _FIND_COORDINATOR = 8, 9, 10
_NO_GENERATION = -1
_NOT_YET = (14, 15, 16)  # coordinator: loading its log, not available, not this broker


def _partitions(answer):
    for _ in range(answer.take("i")):
        answer.text()  # the topic, the only one
        for _ in range(answer.take("i")):
            yield answer.take("i")


def _when_ready(brokers, group, attempt):
    """What attempt() returns, (error, result), once the group has a coordinator.

    A broker makes the topic of all offsets when it is first asked who coordinates a group, and
    reads it again after each start; until then it answers "not yet".
    """

    def ready():
        answer = ask(brokers, _FIND_COORDINATOR, 0, text(group))
        answered[:] = [answer.take("h")]
        if answered[0] == 0:
            answered[:] = attempt()
        return answered[0] not in _NOT_YET

    answered = []
    wait_for(ready, lambda: f"the coordinator of group {group}: error {answered[0]}", 60)
    error, result = answered
    assert error == 0, f"the broker's error {error}"
    return result


def fetch(brokers, group, topic, partitions):
    """{partition: (offset, metadata)}; the offset is -1 where there is no commit."""
    body = text(group) + struct.pack(">i", 1) + text(topic)
    body += struct.pack(f">i{partitions}i", partitions, *range(partitions))

    def attempt():
        answer = ask(brokers, _OFFSET_FETCH, 1, body)
        found, errors = {}, set()
        for number in _partitions(answer):
            found[number] = (answer.take("q"), answer.text())
            errors.add(answer.take("h"))
        return max(errors), found

    return _when_ready(brokers, group, attempt)


def commit(brokers, group, topic, partition, offset, metadata):
    """Commit as somebody who is no member, which a broker allows while the group is empty."""
    body = text(group) + struct.pack(">i", _NO_GENERATION) + text("") + struct.pack(">q", -1)
    body += struct.pack(">i", 1) + text(topic) + struct.pack(">iiq", 1, partition, offset)

    def attempt():
        answer = ask(brokers, _OFFSET_COMMIT, 2, body + text(metadata))
        [error] = [answer.take("h") for _ in _partitions(answer)]
        return error, None

    _when_ready(brokers, group, attempt)
