"""The real parts by themselves: they start, keep their data, and end, as the other tests rely on."""

import topic

from lib import peer
from lib.parts import Kafka, RealCollector
from lib.wait import wait_for


def test_kafka_keeps_its_log(tmp_path):
    """Messages survive a clean restart and kill -9, on the same port."""
    with Kafka(tmp_path, partitions=3) as kafka:
        topic.produce(kafka.port, b'{"sum": 1}')
        kafka.stop()
        kafka.start()
        topic.produce(kafka.port, b'{"sum": 2}', partition=2)
        kafka.kill()
        kafka.start()
        assert topic.total(kafka.port) == (3, 2)


def test_collector_writes_what_it_receives(tmp_path, start_sidecar):
    """A span from a service's socket stands in the Collector's file."""
    with RealCollector(tmp_path) as collector:
        sidecar = start_sidecar(
            f"--otlp-endpoint={collector.endpoint()}", env={"OTEL_BSP_SCHEDULE_DELAY": "20"}
        )
        with sidecar.peer("shop") as shop:
            shop.send(peer.whole("checkout"))
        (span,) = wait_for(collector.spans, lambda: f"a span:\n{collector.log()}")
        assert span["name"] == "checkout" and span["resource"]["service.name"] == "shop"
        collector.terminate()
