"""The real parts by themselves: they start, keep their data, and end, as the other tests rely on."""

import topic

from lib import peer
from lib.collector import Collector
from lib.parts import CONFIG, Kafka, RealCollector, answers, part
from lib.ports import free_port
from lib.process import Process
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


def test_jaeger_does_not_trace_itself(tmp_path):
    """Whoever looks at traces makes none: what the Collector counts are the services' own."""
    names = ("JAEGER", "JAEGER_GRPC", "JAEGER_OTLP", "JAEGER_HEALTH")
    ports = {name: free_port() for name in names}
    with Collector("grpc") as collector:
        env = {f"PORT_{name}": str(port) for name, port in ports.items()}
        env |= {"BIND": "127.0.0.1", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        argv = [part("jaeger") / "jaeger", "--config", CONFIG / "jaeger.yaml"]
        with Process(argv, tmp_path / "jaeger.log", env) as jaeger:
            wait_for(lambda: answers(ports["JAEGER_HEALTH"], "/status"), jaeger.log, 60)
            assert answers(ports["JAEGER"], "/api/services")
            jaeger.terminate()  # which sends what waits
        assert not collector.requests
