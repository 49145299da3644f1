"""OTLP over gRPC and HTTP when all goes well: what is sent, how, and how often."""

import pytest

from lib import peer as wire
from lib import stats
from lib.collector import Collector
from lib.collector_http import HttpCollector
from lib.wait import wait_for


def test_everything_arrives_once(start_sidecar, collector):
    """Thousands of spans over many requests: each id once, the ledger closed."""
    sidecar = start_sidecar(collector=collector)
    events = [wire.whole(f"op {i % 7}", attrs={"i": i}) for i in range(5000)]
    with sidecar.peer() as peer:
        for at in range(0, len(events), 100):
            peer.send(*events[at : at + 100])
        collector.wait_for_spans(5000, timeout=30)
    assert sorted(s.raw.span_id for s in collector.spans) == sorted(e[2] for e in events)
    assert {s.raw.span_id: s.attributes["i"] for s in collector.spans} == {
        e[2]: e[11]["i"] for e in events
    }
    c = stats.check_ledger(sidecar.wait_counters(acknowledged=5000, pending=0, queue_batches=0))
    assert c["export_ok_traces"] == len(collector.traces())


def test_request(start_sidecar, collector):
    """Headers: our own, a user agent that names us, gzip by default."""
    sidecar = start_sidecar(
        collector=collector,
        env={"OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret,x-team=a%20b"},
    )
    with sidecar.peer() as peer:
        peer.send(*(wire.whole("op", attrs={"k": "v" * 100}) for _ in range(200)))
        request = collector.wait_for_requests(1)[0]
    assert request.headers["api-key"] == "secret"
    assert request.headers["x-team"] == "a b"
    assert "sidecard/" in request.headers["user-agent"]
    if collector.protocol != "grpc":
        assert request.headers["content-encoding"] == "gzip"
        assert request.size < len(request.message.SerializeToString()) / 2
        assert "expect" not in request.headers


def test_compression_off(start_sidecar):
    with Collector("http/protobuf") as collector:
        sidecar = start_sidecar("--otlp-compression=none", collector=collector)
        with sidecar.peer() as peer:
            peer.send(wire.whole("op"))
            request = collector.wait_for_requests(1)[0]
    assert "content-encoding" not in request.headers


def test_no_empty_requests(start_sidecar, collector):
    """Without spans no traces request is sent, however long we look at metrics go by."""
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer() as peer:
        peer.send(wire.whole(flags=0), [wire.PRODUCED, "t", 0, None])
        sidecar.settle(peer)
        collector.wait_for_point("kafka.messages.produced.total")
    assert collector.traces() == []


def test_http_paths():
    """A general endpoint gets the signal's path; a signal's own is used as it is."""
    from lib.sidecar import Sidecar

    with HttpCollector(prefix="/otlp") as collector:
        for options in (
            [f"--otlp-endpoint={collector.endpoint}"],
            [f"--otlp-endpoint={collector.endpoint}/"],
            [f"--otlp-traces-endpoint={collector.endpoint}/v1/traces"],
        ):
            before = len(collector.spans)
            with Sidecar(
                "--otlp-protocol=http/protobuf", "--schedule-delay=20ms", *options
            ) as sidecar:
                with sidecar.peer() as peer:
                    peer.send(wire.whole("op"))
                    collector.wait_for_spans(before + 1)


def test_signals_apart(start_sidecar):
    """Traces over one protocol to one place, metrics over the other to another."""
    with Collector("grpc") as traces, Collector("http/protobuf") as metrics:
        sidecar = start_sidecar(
            f"--otlp-traces-endpoint={traces.endpoint}",
            "--otlp-traces-protocol=grpc",
            f"--otlp-metrics-endpoint={metrics.endpoint}/v1/metrics",
            "--otlp-metrics-protocol=http/protobuf",
            "--schedule-delay=20ms",
            "--metric-interval=100ms",
        )
        with sidecar.peer() as peer:
            peer.send(wire.whole("op"), [wire.PRODUCED, "t", 0, None])
            traces.wait_for_span("op")
            metrics.wait_for_point("kafka.messages.produced.total", topic="t")
        assert not metrics.traces() and len(traces.requests) == len(traces.traces())


def test_kafka_metrics(start_sidecar, collector):
    """Names, units, kinds and bounds of the Kafka metrics over OTLP."""
    sidecar = start_sidecar(collector=collector)
    now = wire.now()
    with sidecar.peer("totalizer", {"service.namespace": "demo"}) as peer:
        peer.send(
            [wire.PRODUCED, "sums", 0, now, 3],
            [wire.CONSUMED, "sums", 0, now - 7_000_000, now],
            [wire.ERROR, 0, "sums", "_MSG_TIMED_OUT"],
            [wire.LAG, "sums", 0, 5, now],
        )
        sidecar.settle(peer)
        latency = collector.wait_for_point("kafka.message.delivery.latency", topic="sums")
        collector.wait_for_point("kafka.consumer.lag.age", topic="sums")
        collector.wait_for_point("kafka.producer.errors.total", error_type="_MSG_TIMED_OUT")
    assert list(latency.explicit_bounds) == [
        1,
        5,
        10,
        25,
        50,
        100,
        250,
        500,
        1000,
        2500,
        5000,
        10000,
    ]
    assert latency.count == 1 and latency.sum == 7 and sum(latency.bucket_counts) == 1
    assert latency.bucket_counts[2] == 1
    resource, metric = collector.metrics("kafka.message.delivery.latency")[-1]
    assert metric.unit == "ms" and metric.histogram.aggregation_temporality == 2
    assert resource["service.name"] == "totalizer" and resource["service.namespace"] == "demo"
    _, metric = collector.metrics("kafka.messages.produced.total")[-1]
    assert metric.sum.is_monotonic and metric.unit not in ("", "1")
    _, metric = collector.metrics("kafka.consumer.lag")[-1]
    assert metric.WhichOneof("data") == "gauge" and metric.unit == "{message}"
    _, metric = collector.metrics("kafka.consumer.lag.age")[-1]
    assert metric.WhichOneof("data") == "gauge" and metric.unit == "s"


def test_metrics_are_cumulative(start_sidecar, collector):
    """The start time stands still, the time and the counts go up."""
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer() as peer:
        peer.send([wire.PRODUCED, "t", 0, None])
        first = collector.wait_for_point("kafka.messages.produced.total")
        peer.send([wire.PRODUCED, "t", 0, None])

        def raised():
            point = collector.points("kafka.messages.produced.total")[0]
            return point if point.WhichOneof("value") and value(point) == 2 else None

        second = wait_for(raised, "the counter to go up")
    assert value(first) == 1
    assert second.start_time_unix_nano == first.start_time_unix_nano
    assert second.time_unix_nano > first.time_unix_nano


def value(point):
    """The value of a number data point."""
    return getattr(point, point.WhichOneof("value"))


def test_self_metrics_and_process(start_sidecar, collector):
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"))
        collector.wait_for_point("sidecar.spans.started.total")


@pytest.mark.parametrize("what", ["otlp", "none"])
def test_exporters_can_be_switched_off(start_sidecar, collector, what):
    sidecar = start_sidecar(collector=collector, env={"OTEL_TRACES_EXPORTER": what})
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"), [wire.PRODUCED, "t", 0, None])
        collector.wait_for_point("kafka.messages.produced.total")
        sent = int(what == "otlp")
        scrape = sidecar.wait_counters(acknowledged=sent, dropped_no_endpoint=1 - sent)
        stats.check_ledger(scrape)


def test_large_batches_are_split(start_sidecar, collector):
    """No request comes near the 4 MiB that servers take, and nothing is lost."""
    attrs = {"k": "v" * 4000, "l": "w" * 4000}
    sidecar = start_sidecar(collector=collector, env={"OTEL_BSP_SCHEDULE_DELAY": "1000"})
    with sidecar.peer() as peer:
        for _ in range(80):
            peer.send(*(wire.whole("big", attrs=attrs) for _ in range(10)))
        collector.wait_for_spans(800, timeout=30)
    sizes = [len(r.message.SerializeToString()) for r in collector.traces()]
    assert max(sizes) <= 2 << 20
    stats.check_ledger(sidecar.wait_counters(acknowledged=800))
