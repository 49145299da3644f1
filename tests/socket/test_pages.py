"""HTTP: /metrics, /healthz, /readyz, and everything that is not one of them."""

import re
import socket
import subprocess

import pytest

from lib import metrics
from lib import peer as wire
from lib.process import ROOT
from lib.rude import RudeServer
from lib.stats import STATS
from lib.wait import wait_for


def test_routes(sidecar):
    for path in ("/healthz", "/readyz", "/metrics", "/metrics?x=1"):
        assert sidecar.get(path)[0] == 200, path
    status, _, body = sidecar.get("/nowhere")
    assert status == 404 and b"/metrics" in body


def raw(sidecar, request):
    """The whole answer to raw bytes; the server must close or the request must say so."""
    with socket.create_connection(("127.0.0.1", sidecar.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_methods(sidecar):
    tail = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    head = raw(sidecar, b"HEAD /metrics" + tail)
    assert head.startswith(b"HTTP/1.1 200") and head.endswith(b"\r\n\r\n")
    for method in (b"POST", b"PUT", b"DELETE"):
        answer = raw(sidecar, method + b" /metrics" + tail)
        assert answer.startswith(b"HTTP/1.1 405") and re.search(rb"(?i)\r\nallow:.*GET", answer)


def test_garbage(sidecar):
    for request in (b"GET\r\n\r\n", b"GET /metrics HTTP/9.9\r\n\r\n"):
        assert not raw(sidecar, request).startswith(b"HTTP/1.1 200")
    with socket.create_connection(("127.0.0.1", sidecar.port)) as noise:
        noise.sendall(b"\x00\x01\x02\r\n\r\n")
        assert sidecar.get("/healthz")[0] == 200


def test_slow_client_does_not_hold_others(sidecar):
    with socket.create_connection(("127.0.0.1", sidecar.port)) as slow:
        slow.sendall(b"GET /metr")
        assert sidecar.get("/healthz")[0] == 200


def test_one_service_can_not_outgrow_the_page(sidecar):
    """33 histograms, 2,000 label sets each, long names: there is a page, with every sample."""

    def everything():
        status, _, body = sidecar.get("/metrics")
        assert status == 200, body
        counts = re.findall(rb"^n+\d+_count{.*} (\d+)$", body, re.MULTILINE)
        return body if sum(map(int, counts)) == 33 * 2000 else None

    with sidecar.peer() as peer:
        peer.send(*([wire.STRING, i, f"{'n' * 248}{i:02}"] for i in range(33)))
        for k in range(2000):
            peer.send(*([wire.MEASURE, 3, i, None, 1, {"k": f"{k:020}"}] for i in range(33)))
        body = wait_for(everything, "66,000 samples")
    assert len(body) < 25 << 20
    assert body.count(b"\nn") < 65536
    assert body.count(b"otel_metric_overflow") > 0


def test_every_self_metric_is_documented(sidecar):
    """Each line of stat.def stands on the page from the start, or once a service is known."""
    with sidecar.peer() as peer:
        scrape = sidecar.settle(peer)
    for name, labels in STATS.values():
        assert scrape.samples(name, **labels), (name, labels)
    for family in scrape.families.values():
        # The parser takes _total off a counter's name.
        assert family.type in ("counter", "gauge", "histogram"), family


def test_process_metrics(sidecar):
    """By the names that Prometheus' own libraries use."""
    wanted = {
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
    }
    # The first hundredth of a second of CPU takes a few scrapes.
    scrape = wait_for(lambda: (m := sidecar.metrics()) and wanted <= m.names() and m, wanted)
    assert scrape.value("process_resident_memory_bytes") == pytest.approx(
        sidecar.rss_kib() * 1024, rel=0.5
    )


def test_scrapes_are_counted(sidecar):
    first = sidecar.counters()["scrapes"]
    assert sidecar.counters()["scrapes"] == first + 1


def test_every_kafka_metric(sidecar):
    """One peer that says everything: names, types and labels of the table in the README."""
    now = wire.now()
    with sidecar.peer() as peer:
        peer.send(
            [wire.PRODUCED, "sums", 0, now],
            [wire.CONSUMED, "sums", 0, now - 2_000_000, now],
            [wire.CONSUMED, "sums", 0, now, now - 5],
            [wire.ERROR, 0, "sums", "_MSG_TIMED_OUT"],
            [wire.ERROR, 1, None, "_TRANSPORT"],
            [wire.LAG, "sums", 0, 5, now],
        )
        scrape = sidecar.settle(peer)
    wanted = {
        "kafka_message_delivery_latency_count": {"topic"},
        "kafka_messages_produced_total": {"topic"},
        "kafka_messages_consumed_total": {"topic"},
        "kafka_producer_errors_total": {"topic", "error_type"},
        "kafka_consumer_errors_total": {"topic", "error_type"},
        "kafka_consumer_lag": {"topic", "partition"},
        "kafka_consumer_lag_age": {"topic", "partition"},
        "kafka_message_clock_skew_total": {"topic"},
    }
    for name, labels in wanted.items():
        found, _ = scrape.samples(name)[0]
        assert set(found) == labels | {"service_name"}, name
        assert found["service_name"] == "svc"
    bounds = sorted(scrape.buckets("kafka_message_delivery_latency"))
    assert bounds == [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, float("inf")]


def test_doubles_are_shortest(sidecar):
    """le="2.5", le="1": bounds print as Prometheus' own libraries print them."""
    with sidecar.peer() as peer:
        peer.send([wire.CONSUMED, "t", 0, 1, 2], [wire.MEASURE, 3, "h", "s", 1])
        text = sidecar.settle(peer).text
    found = set(re.findall(r'le="([^"]*)"', text))
    assert {"1", "2500", "+Inf", "0.005", "7.5"} <= found


def test_promtool(sidecar):
    test_every_kafka_metric(sidecar)
    page = sidecar.get("/metrics")[2]
    command = [ROOT / "dev" / "promtool", "check", "metrics"]
    checked = subprocess.run(command, input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, b""), checked


def test_not_ready_while_draining(start_sidecar):
    """After SIGTERM /readyz says 503 for as long as the drain takes, and /healthz still 200."""
    with RudeServer("silent") as silent:
        silent.protocol = "grpc"
        sidecar = start_sidecar("--drain-timeout=3s", collector=silent)
        with sidecar.peer() as peer:
            peer.send(wire.whole())
            sidecar.wait_metric("sidecar_spans_pending", 1)
        port = sidecar.port
        sidecar.signal(15)
        wait_for(lambda: metrics.get(port, "/readyz")[0] == 503, "503 from /readyz")
        assert metrics.get(port, "/healthz")[0] == 200
        assert sidecar.wait_exit() == 0
