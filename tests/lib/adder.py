"""adder under test, its broker, and what stands in Kafka afterwards."""

import json
import re

import confluent_kafka
import grpc

from lib import proto
from lib.metrics import get
from lib.process import Process, program
from lib.wait import wait_for

SUM = "/sum.SumNumbersService/SumNumbers"
HEALTH = "/grpc.health.v1.Health/"
SERVICE = "sum.SumNumbersService"
UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN = range(4)


class Broker(Process):
    """The embedded broker with topic `sums`."""

    def __init__(self, folder, port=0, partitions=4):
        argv = [program("dev/broker"), f"--port={port}", f"--topic=sums:{partitions}"]
        super().__init__(argv, folder / "broker.log")
        self.wait_log("event=ready")
        self.address = re.search(r"brokers=(\S+)", self.log())[1]


class Adder(Process):
    """A running adder on ports of its own; listening when the constructor returns."""

    def __init__(self, folder, brokers, *options, env=None, ready=True, credentials=None):
        argv = [program("adder"), "--grpc=127.0.0.1:0", "--http=127.0.0.1:0"]
        argv += [f"--brokers={brokers}", *options]
        # A socket that nobody has: no test may reach another's sidecard.
        super().__init__(
            argv, folder / "adder.log", {"SIDECAR_SOCKET": str(folder / "s"), **(env or {})}
        )
        self._credentials = credentials
        self._channel = None
        self.wait_log("listening")
        self.port = int(re.search(r"grpc_port\W+(\d+)", self.log())[1])
        self.http_port = int(re.search(r"http_port\W+(\d+)", self.log())[1])
        if ready:
            self.wait_ready()

    @property
    def address(self):
        """Where it listens for gRPC."""
        return f"127.0.0.1:{self.port}"

    def get(self, path):
        """(status, text) of its HTTP."""
        status, _, body = get(self.http_port, path)
        return status, body.decode()

    def wait_ready(self):
        """Wait for 200 on /readyz."""
        wait_for(lambda: self.get("/readyz")[0] == 200, lambda: f"adder to be ready:\n{self.log()}")

    def channel(self):
        """The one channel to it."""
        if self._channel is None:
            options = [("grpc.enable_http_proxy", 0)]
            if self._credentials is None:
                self._channel = grpc.insecure_channel(self.address, options)
            else:
                self._channel = grpc.secure_channel(self.address, self._credentials, options)
        return self._channel

    def start(self, x, y, timeout=20, metadata=None):
        """Start SumNumbers; a future of its answer as an int."""
        method = self.channel().unary_unary(
            SUM, proto.encode, lambda data: proto.signed(proto.decode(data).get(1, [0])[0])
        )
        return method.future({1: x, 2: y}, timeout=timeout, metadata=metadata)

    def sum(self, x, y, timeout=20, metadata=None):
        """SumNumbers: the sum, or grpc.RpcError."""
        return self.start(x, y, timeout, metadata).result()

    def refusal(self, x, y, timeout=20, metadata=None):
        """(status code, text) of a call that must fail."""
        error = self.start(x, y, timeout, metadata).exception()
        assert error is not None, "the call succeeded"
        return error.code(), error.details()

    def check(self, service=""):
        """Health Check: the serving status."""
        method = self.channel().unary_unary(HEALTH + "Check", proto.encode, proto.decode)
        return method({1: service}, timeout=20).get(1, [UNKNOWN])[0]

    def arrived(self):
        """Return when the calls started so far are adder's: a connection that is there is read in
        order, and so a later call's answer proves it."""
        assert self.check() in (SERVING, NOT_SERVING)

    def watch(self, service="", timeout=60):
        """Health Watch: a stream of serving statuses."""
        method = self.channel().unary_stream(
            HEALTH + "Watch", proto.encode, lambda data: proto.decode(data).get(1, [UNKNOWN])[0]
        )
        return method({1: service}, timeout=timeout)

    def kill(self):
        """Close the channel too."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        super().kill()


def read_topic(brokers, topic="sums"):
    """Every message of the topic now: [(partition, key, JSON, {header: text})]."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": brokers, "group.id": "reader", "enable.auto.commit": False}
    )
    try:
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        ends = {}
        for number in partitions:
            where = confluent_kafka.TopicPartition(topic, number, 0)
            ends[number] = consumer.get_watermark_offsets(where, 10)[1]
        consumer.assign([confluent_kafka.TopicPartition(topic, n, 0) for n in partitions])
        found, wanted = [], sum(ends.values())

        def take():
            for message in consumer.consume(10_000, 0.1):
                assert message.error() is None, message.error()
                headers = {k: v.decode() for k, v in message.headers() or ()}
                key = message.key() and message.key().decode()
                found.append((message.partition(), key, json.loads(message.value()), headers))
            return len(found) >= wanted

        wait_for(take, lambda: f"{wanted} messages, {len(found)} came", 20)
        return found
    finally:
        consumer.close()
