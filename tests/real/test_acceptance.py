"""The acceptance checklist, on the real parts: what a user looks at, through the APIs that the pages use."""

import json
import math
import os
import time
import urllib.parse

import backends
import dashboard
import pytest
import topic
from caller import Caller, Load
from confluent_kafka import Producer
from world import Real

from lib.adder import Adder
from lib.metrics import get
from lib.parts import answers
from lib.ports import free_port
from lib.totalizer import Totalizer
from lib.wait import wait_for

LATENCY_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000]
PATHS = ("sidecar", "collector")  # the two ways that metrics come to Prometheus, by job


def quiet(real):
    """Wait until nothing is on its way, to the last scrape; how many messages totalizer's sidecar has
    counted since it started."""
    real.wait_results(topic.total(real.ports["BROKER"])[1], timeout=60)
    count = None
    for path in PATHS:
        real.wait_query(
            f'sum(kafka_messages_consumed_total{{job="{path}"}}) or vector(0)',
            "what the sidecar's page says",
            lambda rows: rows[0][1] == real.page("totalizer").total("kafka_messages_consumed_total"),
        )
        count = real.page("totalizer").total("kafka_messages_consumed_total")
    return count


def test_a_grpc_call_has_a_trace_in_jaeger(real):
    """Its RPC server span is the child of the caller's, and says what the call was."""
    with Caller(real.ports["ADDER_GRPC"]) as caller:
        outcome = caller.call(20, 22)
    assert (outcome.code, outcome.sum) == ("OK", 42)
    spans = real.trace(outcome.trace_id, 3)
    (server,) = [span for span in spans if span["kind"] == "server"]
    assert server["service"] == "adder" and server["name"] == backends.RPC
    assert server["parent"] == outcome.span_id.hex()
    assert server["tags"]["rpc.system.name"] == "grpc"
    assert server["tags"]["rpc.response.status_code"] == "OK"
    assert 0 < server["duration_us"] <= (outcome.ended - outcome.began) * 1e6


def test_producing_and_consuming_are_in_one_trace_with_the_call(real):
    """`send sums` is the child of the call, `process sums` that of `send sums`, and linked to it."""
    with Caller(real.ports["ADDER_GRPC"]) as caller:
        outcome = caller.call(1, 2)
    spans = real.trace(outcome.trace_id, 3)
    server, send, process = backends.chain(spans)
    assert server["parent"] == outcome.span_id.hex()
    assert (send["service"], send["kind"]) == ("adder", "producer")
    assert (process["service"], process["kind"]) == ("totalizer", "consumer")
    for span in (send, process):
        assert span["tags"]["messaging.system"] == "kafka"
        assert span["tags"]["messaging.destination.name"] == "sums"
    sent = backends.jaeger_otlp(real.ports["JAEGER"], outcome.trace_id.hex())
    (process,) = [span for span in sent if span["name"] == "process sums"]
    assert process["parentSpanId"] == send["span_id"]
    links = [(link["traceId"], link["spanId"]) for link in process["links"]]
    assert links == [(outcome.trace_id.hex(), send["span_id"])]


def test_an_erroneous_call_is_an_error_in_jaeger(real):
    """A sum that does not fit: the server span alone, in error, with the status code."""
    with Caller(real.ports["ADDER_GRPC"]) as caller:
        outcome = caller.call(2**63 - 1, 1)
    assert outcome.code == "OUT_OF_RANGE"
    (server,) = real.trace(outcome.trace_id, 1)
    assert server["tags"]["rpc.response.status_code"] == "OUT_OF_RANGE"


def test_a_log_line_finds_its_trace_in_jaeger(tmp_path, real):
    """What adder logs of a call carries the trace_id, and the span_id of the call's own span."""
    with Adder(
        tmp_path,
        f"127.0.0.1:{real.ports['BROKER']}",
        "--log-format=json",
        "--log-level=debug",
        env={"SIDECAR_SOCKET": str(real.folder / "adder.sock")},
    ) as adder:
        caller = f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"
        assert adder.sum(3, 4, metadata=[("traceparent", caller)]) == 7
        adder.terminate()
    lines = [json.loads(line) for line in adder.log().splitlines()]
    (call,) = [line for line in lines if line["event"] == "call"]
    spans = real.trace(bytes.fromhex(call["trace_id"]), 3)
    server, _, process = backends.chain(spans)
    assert server["span_id"] == call["span_id"]
    assert process["service"] == "totalizer"


def test_prometheus_has_the_latency_histogram(real):
    """Every bucket, cumulative, and as many observations as messages were consumed."""
    with Load(real.ports["ADDER_GRPC"]) as load:
        wait_for(lambda: len(load.good) >= 100, "100 calls")
    count = quiet(real)
    for path in PATHS:
        rows = real.query(f'sum by (le) (kafka_message_delivery_latency_bucket{{job="{path}"}})')
        buckets = sorted((float(labels["le"]), value) for labels, value in rows)
        assert [bound for bound, _ in buckets] == [*LATENCY_MS, math.inf]
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)
        assert buckets[-1][1] == count
        ((_, total),) = real.query(
            f'sum(kafka_message_delivery_latency_count{{job="{path}", topic="sums"}})'
        )
        assert total == count


# The age of messages in ms, each in the middle of a bucket, and how many of 100 have it.
AGES = ((175, 60), (375, 33), (750, 5), (1750, 2))
ROUND = sum(share for _, share in AGES)
WINDOW = "30s"  # of the rates: what is produced here takes less


class Aged:
    """Messages that were made some time ago, all under one parent span, and when totalizer got them."""

    def __init__(self, ports):
        self._ports = ports
        self._trace_id = os.urandom(16).hex()
        self._made = {}  # (partition, offset): us
        broker = {"bootstrap.servers": f"127.0.0.1:{ports['BROKER']}", "linger.ms": 0}
        self._producer = Producer(broker)
        self._header = f"00-{self._trace_id}-{os.urandom(8).hex()}-01"

    def produce(self):
        """A round of them, as AGES says."""
        for age, share in AGES:
            for number in range(share):
                self._send(time.time_ns() - age * 1_000_000, number % 12)
        assert self._producer.flush(30) == 0

    def _send(self, made, partition):
        seconds, ns = divmod(made, 1_000_000_000)
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))

        def acknowledged(error, message):
            assert error is None, error
            self._made[message.partition(), message.offset()] = made // 1000

        self._producer.produce(
            topic.TOPIC,
            json.dumps({"sum": 1, "produced_at": f"{at}.{ns:09d}Z"}),
            partition=partition,
            headers={"traceparent": self._header},
            on_delivery=acknowledged,
        )
        self._producer.poll(0)

    def latencies(self):
        """In ms, sorted: from when each was made to when Jaeger says that its processing began."""
        found = []
        for span in backends.jaeger_trace(self._ports["JAEGER"], self._trace_id):
            tags = span["tags"]
            where = int(tags["messaging.destination.partition.id"]), tags["messaging.kafka.offset"]
            found.append((span["start_us"] - self._made[where]) / 1000)
        return sorted(found)


def interpolated(q, values):
    """The quantile as histogram_quantile() would give it, had it these very values."""
    bounds = [0, *LATENCY_MS]
    rank, below = q * len(values), 0
    for lower, upper in zip(bounds, bounds[1:]):
        inside = sum(lower < value <= upper for value in values)
        if below + inside >= rank:
            return lower + (upper - lower) * (rank - below) / inside
        below += inside
    return bounds[-1]


def test_percentiles_on_the_dashboard_are_those_of_the_messages(real):
    """P50, P95 and P99 by the dashboard's own queries, against what the test measures itself: it knows
    when it made each message, and sees in Jaeger when each was processed."""
    queries = dashboard.queries("message-flow", "Delivery latency", WINDOW)
    assert {legend.split()[0] for legend in queries} == {"P50", "P95", "P99"}
    with Caller(real.ports["ADDER_GRPC"]) as caller:
        assert caller.call().code == "OK"  # a rate needs a first sample
    quiet(real)
    for expression in queries.values():
        real.wait_query(
            expression, "no traffic in the window", lambda rows: not finite(rows), timeout=60
        )
    aged = Aged(real.ports)
    for rounds in (1, 2, 3, 4):
        aged.produce()
        wait_for(
            lambda n=rounds: len(aged.latencies()) == n * ROUND,
            lambda n=rounds: f"{n * ROUND} spans in Jaeger, there are {len(aged.latencies())}",
            timeout=30,
        )
        quiet(real)
    latencies = aged.latencies()
    for path in PATHS:
        shown = dashboard.queries("message-flow", "Delivery latency", WINDOW, job=path)
        for legend, expression in shown.items():
            q = int(legend[1:3]) / 100
            rows = real.wait_query(expression, legend, finite)
            ((labels, value),) = rows
            assert labels == {"topic": "sums"}
            measured = latencies[math.ceil(q * len(latencies)) - 1]
            assert bucket(value) == bucket(measured), (path, legend, value, measured)
            assert value == pytest.approx(interpolated(q, latencies), rel=0.02), (path, legend)


def finite(rows):
    """True when there is a value, and it is a number."""
    return bool(rows) and all(math.isfinite(value) for _, value in rows)


def bucket(value):
    """The index of the histogram's bucket."""
    return sum(value > bound for bound in LATENCY_MS)


# What both ways must agree on when all is quiet: what the services measure, and the ledger of their spans.
SAME = "kafka_message.*|kafka_.*_total|kafka_consumer_lag|rpc_.*|messaging_.*|sidecar_spans_.*_total"
# An age, and what a sidecar says of itself, differ between two instants; but not in name and labels.
ALSO = f"{SAME}|kafka_.*|http_server_.*|sidecar_.*|process_.*"


def series(real, path, pattern):
    """{(name and labels, but for where it came from): value}."""
    found = {}
    for labels, value in real.query(f'{{job="{path}", __name__=~"{pattern}"}}'):
        key = tuple(sorted((k, v) for k, v in labels.items() if k not in ("job", "instance")))
        assert key not in found or "service_name" not in labels, f"twice: {labels}"
        found[key] = found.get(key, 0) + value
    return found


def test_metrics_are_the_same_scraped_and_through_the_collector(real):
    """The same names, the same labels with service_name from the resource, the same values."""
    with Load(real.ports["ADDER_GRPC"]) as load:
        wait_for(lambda: len(load.good) >= 50, "50 calls")
    with Caller(real.ports["ADDER_GRPC"]) as caller:
        assert caller.call(2**63 - 1, 1).code == "OUT_OF_RANGE"
    quiet(real)
    names = {}
    for path in PATHS:
        names[path] = {frozenset(key) for key in series(real, path, ALSO)}
    assert names["sidecar"] == names["collector"], names["sidecar"] ^ names["collector"]
    assert len(names["sidecar"]) > 100

    def equal():
        both = [series(real, path, SAME) for path in PATHS]
        different.clear()
        different.update(
            {k: [b.get(k) for b in both] for k in both[0] | both[1] if both[0].get(k) != both[1].get(k)}
        )
        return not different

    different = {}
    wait_for(equal, lambda: f"equal values; these differ: {different}", timeout=30)


def test_every_address_that_the_demo_prints_has_something_to_show(real):
    """Figures or JSON, and no page that says what is not there."""
    with Caller(real.ports["ADDER_GRPC"]) as caller:
        real.trace(caller.call(1, 2).trace_id, 3)
    shown = [address for address, _ in Real.addresses(real.ports) if address.startswith("http")]
    assert len(shown) == 7
    for address in shown:
        where = urllib.parse.urlsplit(address)
        status, headers, body = get(where.port, f"{where.path}?{where.query}")
        assert status == 200 and body, address
        assert "html" not in headers["Content-Type"], (address, body)


def test_every_health_endpoint_says_200_when_all_is_well(real):
    """Of all programs, ours and the real parts."""
    for port, path in HEALTH:
        assert answers(real.ports[port], path), (port, path)


HEALTH = (
    ("ADDER_METRICS", "/healthz"),
    ("ADDER_METRICS", "/readyz"),
    ("TOTALIZER_METRICS", "/healthz"),
    ("TOTALIZER_METRICS", "/readyz"),
    ("ADDER_HTTP", "/healthz"),
    ("ADDER_HTTP", "/readyz"),
    ("TOTALIZER", "/healthz"),
    ("TOTALIZER", "/readyz"),
    ("TOTALIZER", "/v1/healthcheck"),
    ("COLLECTOR_HEALTH", "/"),
    ("JAEGER_HEALTH", "/status"),
    ("PROMETHEUS", "/-/healthy"),
    ("PROMETHEUS", "/-/ready"),
    ("ALERTMANAGER", "/-/healthy"),
    ("ALERTMANAGER", "/-/ready"),
)


def test_no_health_endpoint_says_200_when_it_should_not(tmp_path, real):
    """Alive but not ready without a broker; nothing at all from a program that is down."""
    nobody = f"127.0.0.1:{free_port()}"
    with Adder(tmp_path, nobody, ready=False) as adder, Totalizer(tmp_path, nobody) as totalizer:
        wait_for(lambda: "no metadata" in adder.get("/readyz")[1], "adder's reason")
        assert adder.get("/readyz")[0] == 503 and adder.get("/healthz")[0] == 200
        for path in ("/v1/healthcheck", "/readyz"):
            assert get(totalizer.port, path)[0] == 503
        assert get(totalizer.port, "/healthz")[0] == 200
    down = ("adder-sidecar", "totalizer-sidecar", "collector", "jaeger")
    with real.stopped(*down):
        for name in down:
            for port in real.listeners[name]:
                assert not answers(real.ports[port], "/healthz"), port
                assert not any(answers(real.ports[port], path) for p, path in HEALTH if p == port)
        # A service without its sidecar is as ready as before.
        assert real.answers("adder") and real.answers("totalizer")
    real.wait_resolved("TargetDown")


def test_totalizer_is_not_healthy_while_kafka_is_down(real):
    """503 with a reason, alive all the same; 200 again when the broker is back."""
    with real.stopped("broker"):
        wait_for(lambda: not real.answers("totalizer"), "totalizer's health check to fail", 30)
        assert answers(real.ports["TOTALIZER"], "/healthz")
    for name in ("totalizer", "adder"):
        wait_for(lambda n=name: real.answers(n), f"{name} to be ready again", 60)
    with Caller(real.ports["ADDER_GRPC"]) as caller:
        assert caller.call(1, 1, timeout=60).code == "OK"
    quiet(real)

