"""totalizer under test, and the Kafka around it as an independent client sees it."""

import json
import re

import confluent_kafka

from lib import offsets
from lib.metrics import get
from lib.process import Process, program
from lib.wait import wait_for

TOPIC, GROUP = "sums", "totalizer"
FAILED, WRONG_OPTION, UNREADABLE, WRONG_LOG = 1, 2, 3, 4  # exit statuses


class Totalizer(Process):
    """A running totalizer on a port of its own; listening when the constructor returns.

    name: of its log, for tests with several. socket: of a sidecar, else one that nobody has.
    """

    def __init__(self, folder, brokers, *options, name="totalizer", socket=None, env=None):
        argv = [program("totalizer"), "--http=127.0.0.1:0", f"--brokers={brokers}"]
        argv += [f"--sidecar={socket or folder / 'nobody'}", *options]
        super().__init__(argv, folder / f"{name}.log", env)
        self.wait_log("listening")
        self.port = int(re.search(r"http_port\W+(\d+)", self.log())[1])

    def get(self, path, headers=None):
        """(status, JSON) of its HTTP."""
        status, _, body = get(self.port, path, headers)
        return status, json.loads(body)

    def results(self):
        """/v1/results, or None while it is not known."""
        status, body = self.get("/v1/results")
        assert status in (200, 503), (status, body)
        return body if status == 200 else None

    def wait_healthy(self, timeout=30):
        """Wait for 200 on /v1/healthcheck; return its JSON."""

        def healthy():
            assert self.running(), f"it ended:\n{self.log()}"
            status, body = self.get("/v1/healthcheck")
            return body if status == 200 else None

        return wait_for(
            healthy, lambda: f"totalizer to be healthy; its log:\n{self.log()}", timeout
        )

    def wait_owned(self, partitions, timeout=30):
        """Wait until it is healthy and owns so many."""
        wait_for(
            lambda: self.wait_healthy(timeout)["owned"] == partitions,
            lambda: f"{partitions} owned partitions; log:\n{self.log()}",
            timeout,
        )

    def wait_total(self, total, count, timeout=30):
        """Wait for exactly this; more than count messages is wrong at once."""

        def reached():
            assert self.running(), f"it ended:\n{self.log()}"
            seen[:] = [self.results()]
            assert seen[0] is None or seen[0]["count"] <= count, seen
            return seen[0] if seen[0] and seen[0]["count"] == count else None

        seen = []
        found = wait_for(reached, lambda: f"{count} messages: {seen}\n{self.log()}", timeout)
        assert found["result"] == total, found
        return found

    def wait_end(self, total, count, timeout=30):
        """Wait until it ends by itself, with this total or none as its answer all the while; its
        exit status."""

        def ended():
            try:
                answers.append(self.results())
            except OSError:
                pass  # it has closed its port
            return not self.running()

        answers = []
        wait_for(ended, lambda: f"it to end:\n{self.log()}", timeout)
        known = [(answer["result"], answer["count"]) for answer in answers if answer]
        assert set(known) <= {(total, count)}, known
        return self.wait_exit()


class Kafka:
    """The topic and the group, through confluent-kafka.

    properties: further ones of the producer.
    """

    def __init__(self, brokers, topic=TOPIC, group=GROUP, partitions=4, properties=()):
        self.brokers, self.topic, self.group = brokers, topic, group
        self.partitions = partitions
        self.total = self.count = 0  # of the valid sums produced here
        self._producer = confluent_kafka.Producer(
            {"bootstrap.servers": brokers, "linger.ms": 2, **dict(properties)}
        )
        self._failed = []

    def _append(self, value, partition, headers):
        while True:
            try:
                return self._producer.produce(
                    self.topic,
                    value,
                    partition=partition,
                    headers=headers,
                    on_delivery=self._delivered,
                )
            except BufferError:
                self._producer.poll(1)

    def _delivered(self, error, _):
        if error is not None:
            self._failed.append(error)

    def send(self, value, partition=0, headers=None):
        """Append these bytes as a message, whatever they are."""
        self._append(value, partition, headers)

    def send_sum(self, number, partition=0, headers=None, **members):
        """Append a valid message."""
        self._append(json.dumps({"sum": number, **members}), partition, headers)
        self.total += number
        self.count += 1

    def flush(self):
        """Wait for every acknowledgement."""
        assert self._producer.flush(60) == 0 and not self._failed, self._failed

    def totalizer(self, folder, *options, **keywords):
        """A Totalizer of this topic and group; its keywords."""
        where = (f"--topic={self.topic}", f"--group={self.group}")
        return Totalizer(folder, self.brokers, *where, *options, **keywords)

    def committed(self, partitions=None, group=None):
        """{partition: (offset, metadata)} of what the group has; offset -1 where it has none."""
        partitions = partitions or self.partitions
        return offsets.fetch(self.brokers, group or self.group, self.topic, partitions)

    def commit(self, offset, metadata, partition=0):
        """Commit as somebody else would."""
        offsets.commit(self.brokers, self.group, self.topic, partition, offset, metadata)
