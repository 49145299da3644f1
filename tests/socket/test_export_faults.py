"""Collectors that are absent, slow, rude or refuse: what can be kept is kept, the rest counted."""

import email.utils
import os
import time

import pytest

from lib import peer as wire
from lib import stats
from lib.collector import Answer, Collector
from lib.ports import free_port
from lib.rude import RudeServer
from lib.wait import wait_for

OK = Answer.ok()
QUICK = ["--drain-timeout=200ms"]
RETRIED = ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"]
REJECTED = [
    "UNKNOWN", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "UNIMPLEMENTED", "INTERNAL", "UNAUTHENTICATED",
]  # fmt: skip
UNAVAILABLE = {"grpc": Answer.grpc("UNAVAILABLE"), "http/protobuf": Answer.http(503)}
BAD = {"grpc": Answer.grpc("INVALID_ARGUMENT"), "http/protobuf": Answer.http(400)}


def one_span(start_sidecar, protocol, answer):
    """A Collector that gives this answer to the first request; the sidecar, fed with one span."""
    collector = Collector(protocol)
    collector.script(answer)
    # No metrics: libcurl repeats by itself what a connection that it reuses did not answer.
    sidecar = start_sidecar(*QUICK, "--metrics-exporter=none", collector=collector)
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"))
        sidecar.settle(peer)
    return collector, sidecar


@pytest.mark.parametrize(
    "protocol, answer",
    [("grpc", Answer.grpc(code)) for code in RETRIED]
    + [("http/protobuf", Answer.http(status)) for status in (429, 502, 503, 504)]
    + [("http/protobuf", Answer.cut())],
    ids=lambda a: f"{a.what}-{a.code}" if isinstance(a, Answer) else a.split("/")[0],
)
def test_retried(start_sidecar, protocol, answer):
    """The same request again, after a pause; acknowledged once."""
    collector, sidecar = one_span(start_sidecar, protocol, answer)
    with collector:
        first, second = collector.wait_for_requests(2)
        assert first.message == second.message
        assert second.at - first.at > 0.7
        stats.check_ledger(sidecar.wait_counters(acknowledged=1, export_retry_traces=1, pending=0))
        assert len(collector.spans) == 1


@pytest.mark.parametrize(
    "protocol, answer",
    [("grpc", Answer.grpc(code)) for code in REJECTED]
    + [
        ("http/protobuf", Answer.http(status))
        for status in (400, 401, 403, 404, 413, 500, 501, 505)
    ],
    ids=lambda a: f"{a.what}-{a.code}" if isinstance(a, Answer) else a.split("/")[0],
)
def test_rejected(start_sidecar, protocol, answer):
    """Given up at once and counted; what comes after is sent."""
    collector, sidecar = one_span(start_sidecar, protocol, answer)
    with collector:
        stats.check_ledger(
            sidecar.wait_counters(dropped_rejected=1, export_rejected_traces=1, acknowledged=0)
        )
        with sidecar.peer() as peer:
            peer.send(wire.whole("next"))
            collector.wait_for_span("next")
        assert len(collector.traces()) == 2
        assert "rejected" in sidecar.log()


def waited(start_sidecar, protocol, answer):
    """The pause between the first request and its repetition."""
    collector, sidecar = one_span(start_sidecar, protocol, answer)
    with collector:
        first, second = collector.wait_for_requests(2)
        sidecar.wait_counters(acknowledged=1)
        return second.at - first.at


def test_retry_info(start_sidecar):
    answer = Answer.grpc("RESOURCE_EXHAUSTED", retry_after=2.5)
    assert 2.4 < waited(start_sidecar, "grpc", answer) < 6


def test_retry_info_of_unavailable(start_sidecar):
    assert 2.4 < waited(start_sidecar, "grpc", Answer.grpc("UNAVAILABLE", retry_after=2.5)) < 6


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_seconds(start_sidecar, status):
    answer = Answer.http(status, retry_after="3")
    assert 2.9 < waited(start_sidecar, "http/protobuf", answer) < 7


def test_retry_after_date(start_sidecar):
    answer = Answer.http(503, retry_after=email.utils.formatdate(time.time() + 4, usegmt=True))
    assert 2 < waited(start_sidecar, "http/protobuf", answer) < 8


def test_retry_after_of_any_request(start_sidecar):
    """Of requests in flight together, the one that asks for most counts, not the first to fail."""
    with Collector("http/protobuf") as collector:
        collector.script(*(Answer.http(503),) * 3, Answer.http(503, retry_after="3"))
        sidecar = start_sidecar(*QUICK, "--metrics-exporter=none", collector=collector)
        peers = [sidecar.peer() for _ in range(4)]
        for peer in peers:
            peer.send(wire.start("op"))
            sidecar.settle(peer)
        sidecar.pause()
        for peer in peers:
            peer.close()  # each is a request of its own, at once
        sidecar.go_on()
        fourth, fifth = collector.wait_for_requests(5)[3:5]
        assert fifth.at - fourth.at > 2.9
        stats.check_ledger(sidecar.wait_counters(acknowledged=4, export_retry_traces=4))


def test_partial_success(start_sidecar, collector):
    """Rejected spans are counted as such, never retried; a warning costs nothing."""
    collector.script(Answer.partial(3, "too old"), Answer.partial(0, "a warning"))
    sidecar = start_sidecar(collector=collector, env={"OTEL_BSP_SCHEDULE_DELAY": "100"})
    with sidecar.peer() as peer:
        peer.send(*(wire.whole() for _ in range(10)))
        sidecar.wait_counters(acknowledged=7, dropped_rejected=3)
        peer.send(wire.whole())
        stats.check_ledger(
            sidecar.wait_counters(acknowledged=8, dropped_rejected=3, export_partial=2)
        )
    assert len(collector.traces()) == 2
    assert "too old" in sidecar.log()


@pytest.mark.parametrize(
    "body",
    [b"\xff\xff\xff\xff not protobuf", b"\x0a\xff", b"x" * 100_000],
    ids=["bad", "cut", "long"],
)
def test_garbage_after_success(start_sidecar, collector, body):
    """A success whose body makes no sense is not sent again; what follows is."""
    collector.script(Answer.garbage(body))
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"))
        sidecar.wait_counters(started=1, pending=0)
        peer.send(wire.whole("next"))
        collector.wait_for_span("next")
        c = stats.check_ledger(sidecar.wait_counters(started=2, pending=0))
    assert c["acknowledged"] + c["dropped_rejected"] == 2
    assert len(collector.traces()) == 2


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize(
    "manner",
    ["close", b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", os.urandom(256)],
    ids=["close", "text", "http", "noise"],
)
def test_not_a_collector(start_sidecar, protocol, manner):
    """Whatever answers there: the sidecar serves on and its ledger closes."""
    with RudeServer(manner) as rude:
        rude.protocol = protocol
        sidecar = start_sidecar("--drain-timeout=200ms", collector=rude)
        with sidecar.peer() as peer:
            peer.send(wire.whole("op"))
            sidecar.settle(peer)
            sidecar.wait_metric("sidecar_spans_started_total", 1)
            peer.send([wire.PRODUCED, "t", 0, None])
            stats.check_ledger(sidecar.wait_metric("kafka_messages_produced_total", 1))
        sidecar.terminate()
        assert rude.accepted > 0


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_absent_then_there(start_sidecar, protocol):
    """What was ended while there was no Collector is delivered once there is one."""
    port = free_port()
    sidecar = start_sidecar(
        f"--otlp-endpoint=http://127.0.0.1:{port}",
        f"--otlp-protocol={protocol}",
        "--schedule-delay=20ms",
    )
    with sidecar.peer() as peer:
        peer.send(*(wire.whole("early") for _ in range(10)))
        sidecar.wait_metric("sidecar_export_requests_total", 1, signal="traces", outcome="retry")
        sidecar.wait_counters(pending=10)
        with Collector(protocol, port) as collector:
            collector.wait_for_spans(10)
            stats.check_ledger(sidecar.wait_counters(acknowledged=10, pending=0))
    assert 1 <= sidecar.log().count("event=export_failed") <= 2


def test_gone_and_back(start_sidecar, collector):
    """A Collector that restarts on its port loses nothing."""
    sidecar = start_sidecar(*QUICK, collector=collector)
    with sidecar.peer() as peer:
        peer.send(wire.whole("before"))
        collector.wait_for_span("before")
        sidecar.wait_counters(acknowledged=1)
        collector.close()
        peer.send(*(wire.whole("while") for _ in range(10)))
        sidecar.wait_counters(started=11, pending=10)
        with Collector(collector.protocol, collector.port) as again:
            again.wait_for_spans(10)
            stats.check_ledger(sidecar.wait_counters(acknowledged=11, pending=0))


def test_slow(start_sidecar, collector):
    """No answer within the time-out: tried again; /metrics and peers are served all the while."""
    collector.script(Answer.hold())
    sidecar = start_sidecar(collector=collector, env={"OTEL_EXPORTER_OTLP_TIMEOUT": "300"})
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"))
        collector.wait_for_requests(2)
        stats.check_ledger(sidecar.wait_counters(acknowledged=1, export_retry_traces=1))


def test_in_flight_is_bounded(start_sidecar, collector):
    """At most 4 requests at a time; the others wait and then go."""
    collector.script(*(Answer.hold() for _ in range(20)))
    sidecar = start_sidecar(collector=collector, env={"OTEL_METRICS_EXPORTER": "none"})
    with sidecar.peer() as peer:
        for count in range(1, 11):
            peer.send(wire.whole("op"))
            sidecar.wait_counters(queue_batches=count, pending=count)
        assert len(collector.traces()) == 4
        collector.release()
        collector.wait_for_spans(10)
        stats.check_ledger(sidecar.wait_counters(acknowledged=10, pending=0, queue_batches=0))


def test_queue_is_bounded(start_sidecar, collector):
    """A Collector that refuses for long: the oldest gives way, counted; the newest arrive."""
    collector.script(*(UNAVAILABLE[collector.protocol] for _ in range(3)))
    sidecar = start_sidecar("--queue-max=2MiB", collector=collector)
    count = 700
    with sidecar.peer() as peer:
        for i in range(count):
            # Random text does not compress.
            peer.send(wire.whole(f"op {i}", attrs={"k": os.urandom(2048).hex()}))
        scrape = sidecar.settle(peer)
        assert (
            scrape.value("sidecar_queue_bytes")
            <= scrape.value("sidecar_queue_limit_bytes")
            == 2 << 20
        )
        collector.wait_for_span(f"op {count - 1}", timeout=30)
        c = stats.check_ledger(sidecar.wait_counters(pending=0, timeout=30))
    # All arrive or are counted.
    assert c["acknowledged"] + c["dropped_queue_full"] == count
    assert len({s.name for s in collector.spans}) == c["acknowledged"]


def test_metrics_do_not_wait_for_traces(start_sidecar, collector):
    """Each signal has its own patience: spans that are refused leave metrics alone."""
    collector.script(*(UNAVAILABLE[collector.protocol] for _ in range(50)))
    sidecar = start_sidecar(*QUICK, collector=collector)
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"), [wire.PRODUCED, "t", 0, None])
        collector.wait_for_requests(1)
        collector.wait_for_point("kafka.messages.produced.total")


def test_traces_do_not_wait_for_metrics(start_sidecar, collector):
    collector.script_metrics(*(BAD[collector.protocol] for _ in range(5)))
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"), [wire.PRODUCED, "t", 0, None])
        collector.wait_for_span("op")
        collector.wait_for_point("kafka.messages.produced.total")
    assert sidecar.counters()["metrics_dropped"] >= 5


def test_slow_traces_leave_a_place_for_metrics(start_sidecar, collector):
    collector.script(*(Answer.hold() for _ in range(20)))
    sidecar = start_sidecar(collector=collector)
    for count in range(1, 7):
        with sidecar.peer() as peer:
            peer.send(wire.start("abandoned"))  # which makes a request of its own, at once
        sidecar.wait_counters(pending=count)
    with sidecar.peer() as peer:
        peer.send([wire.PRODUCED, "t", 0, None])
        collector.wait_for_point("kafka.messages.produced.total")
        assert len(collector.traces()) == 3
        collector.release()
        collector.wait_for_spans(6)


def test_slow_metrics_leave_places_for_traces(start_sidecar, collector):
    """They go one by one, as a later one is worth more than all before."""
    collector.script_metrics(*(Answer.hold() for _ in range(100)))
    sidecar = start_sidecar(collector=collector)
    wait_for(lambda: sidecar.counters()["queue_batches"] >= 6, "metrics to wait")
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"))
        collector.wait_for_span("op")
        assert len(collector.requests) - len(collector.traces()) == 1
        collector.release()
