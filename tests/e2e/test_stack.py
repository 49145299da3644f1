"""What the programs owe together: one trace, an exact total, pages that Prometheus accepts."""

import json
import subprocess

import topic
from caller import METHOD, Caller, Load

from lib.process import ROOT
from lib.wait import wait_for

SERVER, PRODUCER, CONSUMER = 2, 4, 5
LATENCY_MS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000]
SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

# Every metric of the README's table: type, labels beside service_name, on whose page.
TABLE = {
    "kafka_message_delivery_latency": ("histogram", {"topic"}, "totalizer"),
    "kafka_messages_produced_total": ("counter", {"topic"}, "adder"),
    "kafka_messages_consumed_total": ("counter", {"topic"}, "totalizer"),
    "kafka_producer_errors_total": ("counter", {"topic", "error_type"}, "adder"),
    "kafka_consumer_errors_total": ("counter", {"topic", "error_type"}, "totalizer"),
    "kafka_consumer_lag": ("gauge", {"topic", "partition"}, "totalizer"),
    "kafka_consumer_lag_age": ("gauge", {"topic", "partition"}, "totalizer"),
    "kafka_message_clock_skew_total": ("counter", {"topic"}, "totalizer"),
    "http_server_request_duration": (
        "histogram",
        {"http_request_method", "url_scheme", "http_route", "http_response_status_code"},
        "totalizer",
    ),
    "rpc_server_call_duration": (
        "histogram",
        {"rpc_system_name", "rpc_method", "rpc_response_status_code"},
        "adder",
    ),
    "messaging_client_operation_duration": (
        "histogram",
        {"messaging_destination_name", "messaging_operation_name", "messaging_operation_type"},
        "adder",
    ),
    "messaging_process_duration": (
        "histogram",
        {
            "messaging_destination_name",
            "messaging_operation_name",
            "messaging_operation_type",
            "messaging_consumer_group_name",
        },
        "totalizer",
    ),
}


def spans_of(collector, trace_id, count):
    """The spans of a trace by name, once there are so many."""

    def found():
        spans = [s for s in collector.spans if s.raw.trace_id == trace_id]
        return spans if len(spans) >= count else None

    spans = wait_for(found, lambda: f"{count} spans of one trace, of {len(collector.spans)}")
    assert len(spans) == count, [s.name for s in spans]
    return {s.name: s for s in spans}


def test_one_trace(traced):
    """Caller's traceparent, RPC server span, `send sums`, `process sums`: one trace."""
    stack, collector = traced
    with Caller(stack.ports["ADDER_GRPC"]) as caller:
        outcome = caller.call(20, 22)
    assert (outcome.code, outcome.sum) == ("OK", 42)
    spans = spans_of(collector, outcome.trace_id, 3)
    server, send, process = spans[METHOD[1:]], spans["send sums"], spans["process sums"]

    assert server.raw.kind == SERVER and server.raw.parent_span_id == outcome.span_id
    assert server.attributes["rpc.system.name"] == "grpc"
    assert server.attributes["rpc.method"] == METHOD[1:]
    assert server.attributes["rpc.response.status_code"] == "OK"
    assert server.raw.flags & 0x300 == 0x300  # the parent is remote, and known to be

    assert send.raw.kind == PRODUCER and send.raw.parent_span_id == server.raw.span_id
    assert send.attributes["messaging.system"] == "kafka"
    assert send.attributes["messaging.destination.name"] == "sums"

    assert process.raw.kind == CONSUMER and process.raw.parent_span_id == send.raw.span_id
    assert [(k.trace_id, k.span_id) for k in process.raw.links] == [
        (outcome.trace_id, send.raw.span_id)
    ]
    assert process.attributes["messaging.consumer.group.name"] == "totalizer"

    assert server.resource["service.name"] == send.resource["service.name"] == "adder"
    assert process.resource["service.name"] == "totalizer"
    assert all(s.resource["service.version"] for s in spans.values())
    for span in spans.values():
        assert span.raw.status.code == 0, span
        assert span.raw.start_time_unix_nano <= span.raw.end_time_unix_nano
    assert server.raw.start_time_unix_nano <= send.raw.start_time_unix_nano
    assert send.raw.end_time_unix_nano <= server.raw.end_time_unix_nano
    assert send.raw.start_time_unix_nano <= process.raw.start_time_unix_nano


def test_message_carries_its_producer(traced):
    """The ids in the JSON are those of the `send sums` span."""
    stack, collector = traced
    with Caller(stack.ports["ADDER_GRPC"]) as caller:
        outcome = caller.call(-1, -1)
    send = spans_of(collector, outcome.trace_id, 3)["send sums"]
    bodies = [json.loads(value) for _, _, value in topic.read(stack.ports["BROKER"])]
    mine = [b for b in bodies if b["trace_id"] == outcome.trace_id.hex()]
    assert [(b["sum"], b["span_id"]) for b in mine] == [(-2, send.raw.span_id.hex())]


def test_exact_total(traced):
    """/v1/results is the sum over the log, and what the callers were told."""
    stack, _ = traced
    before = topic.total(stack.ports["BROKER"])
    with Load(stack.ports["ADDER_GRPC"]) as load:
        wait_for(lambda: len(load.outcomes) >= 200, "200 calls")
    assert len(load.good) == len(load.outcomes)
    assert all(o.sum == o.expected for o in load.good)
    results = stack.wait_results(before[1] + len(load.good))
    assert topic.total(stack.ports["BROKER"]) == (results["result"], results["count"])
    assert results["result"] == before[0] + sum(o.sum for o in load.good)


def promtool(text):
    """What `promtool check metrics` finds wrong: "" for nothing."""
    run = subprocess.run(
        [ROOT / "dev" / "promtool", "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if run.returncode == 0 else f"exit {run.returncode}: {run.stdout}{run.stderr}"


def test_promtool_finds_something():
    """The checker of the next test does complain."""
    assert "_total" in promtool("# HELP a x\n# TYPE a counter\na 1\n")


def test_every_metric(start_stack):
    """After one producer error, one poison message and one clock that runs ahead, every metric of
    the table is there, with its labels and buckets; promtool accepts both pages."""
    stack = start_stack(adder_options="--kafka message.timeout.ms=1000")
    broker = stack.ports["BROKER"]
    with Caller(stack.ports["ADDER_GRPC"]) as caller:
        assert caller.call().code == "OK"
        stack.wait_results(1)
        stack.pause("broker")
        assert caller.call().code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        stack.resume("broker")
        topic.produce(broker, b"poison")
        topic.produce(broker, b'{"sum": 1, "produced_at": "2100-01-01T00:00:00Z"}')
        wait_for(lambda: caller.call().code == "OK", "adder to answer again")
    stack.wait_results(topic.total(broker)[1])

    pages = {
        "adder": stack.wait_metric("adder", "kafka_producer_errors_total", 1, topic="sums"),
        "totalizer": stack.wait_metric("totalizer", "kafka_message_clock_skew_total", 1),
    }
    poison = pages["totalizer"].value(
        "kafka_consumer_errors_total",
        service_name="totalizer",
        topic="sums",
        error_type="invalid_message",
    )
    assert poison == 1
    for name, (kind, labels, service) in TABLE.items():
        check_metric(pages[service], service, name, kind, labels)
    for service, page in pages.items():
        assert promtool(page.text) == "", service
        assert page.value("sidecar_connections") == 1
        assert page.total("process_resident_memory_bytes") > 0
        started = page.total("sidecar_spans_started_total", service_name=service)
        assert started > 0


def check_metric(page, service, name, kind, labels):
    """The family has that type, and its series at least those labels."""
    family = page.families[name.removesuffix("_total")]
    assert family.type == kind, name
    sample = f"{name}_count" if kind == "histogram" else name
    found = page.samples(sample, service_name=service)
    assert found, name
    for present, _ in found:
        extra = set(present) - labels - {"service_name"}
        assert labels <= set(present) and extra <= {"error_type"}, (name, present)
    if kind == "histogram":
        bounds = LATENCY_MS if name == "kafka_message_delivery_latency" else SECONDS
        for present, _ in found:
            assert list(page.buckets(name, **present)) == [*bounds, float("inf")], name
