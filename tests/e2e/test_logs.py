"""Logs that find traces: what adder and totalizer log of a call or a message carries its ids."""

import json

import pytest

from lib.adder import Adder, Broker
from lib.process import program, run
from lib.recorder import Recorder
from lib.totalizer import Kafka, Totalizer
from lib.wait import wait_for

CALL = "sum.SumNumbersService/SumNumbers"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = f"00-{TRACE}-00f067aa0ba902b7-01"
JSON = ["--log-format=json", "--log-level=debug"]


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path) as running:
        yield running


@pytest.fixture
def recorder(tmp_path):
    with Recorder(tmp_path / "s") as running:
        yield running


def lines(process):
    """Every whole line of its log, each of which must be JSON with the members all have."""
    found = [json.loads(line) for line in process.log().split("\n")[:-1]]
    for line in found:
        assert list(line)[:4] == ["time", "level", "program", "event"], line
    return found


def of_event(process, event):
    """The lines with this event."""
    return [line for line in lines(process) if line["event"] == event]


def ids(line):
    """What finds the trace."""
    return {k: line[k] for k in ("trace_id", "span_id", "trace_flags") if k in line}


def call(adder, *options):
    return run([program("adder-call"), f"--address={adder.address}", *options])


def test_a_failing_calls_lines_have_the_callers_trace(tmp_path, broker, recorder):
    options = [*JSON, "--kafka=message.timeout.ms=1000"]
    with Adder(tmp_path, broker.address, *options) as adder:
        broker.pause()
        assert call(adder, f"--traceparent={HEADER}", "1", "2").returncode != 0
        broker.go_on()
        [span] = recorder.wait_spans(CALL)
        adder.terminate()
    [failed] = of_event(adder, "kafka_send_failed")
    assert (failed["level"], failed["error"], failed["messages"]) == ("warn", "_MSG_TIMED_OUT", 1)
    [answered] = of_event(adder, "call")
    assert (answered["level"], answered["code"]) == ("debug", "UNAVAILABLE")
    assert answered["reason"].endswith("_MSG_TIMED_OUT") and answered["duration_ms"] >= 900
    expected = {"trace_id": TRACE, "span_id": span.id, "trace_flags": "01"}
    assert ids(failed) == ids(answered) == expected


def test_every_call_has_a_line_and_no_other_line_its_ids(tmp_path, broker, recorder):
    with Adder(tmp_path, broker.address, *JSON) as adder:
        futures = [adder.start(n, n) for n in range(200)]
        assert sum(f.result() for f in futures) == 2 * sum(range(200))
        adder.refusal(2**63 - 1, 1, metadata=[("traceparent", HEADER[:-2] + "00")])
        spans = {s.id: s.trace for s in recorder.wait_spans(CALL, 201)}
        adder.terminate()
    told = of_event(adder, "call")
    assert {line["span_id"]: line["trace_id"] for line in told} == spans
    assert sorted(line["code"] for line in told) == ["OK"] * 200 + ["OUT_OF_RANGE"]
    assert all(0 < line["duration_ms"] < 60_000 for line in told)
    assert ids(told[-1])["trace_id"] == TRACE and ids(told[-1])["trace_flags"] == "00"
    assert not any(ids(line) for line in lines(adder) if line["event"] != "call")


def test_a_refused_calls_line_has_ids_in_text_too(tmp_path, broker):
    with Adder(tmp_path, broker.address, "--max-calls=1") as adder:
        broker.pause()
        futures = [adder.start(n, 0, metadata=[("traceparent", HEADER)]) for n in range(2)]
        wait_for(lambda: any(f.done() for f in futures), "one refusal")
        broker.go_on()
        adder.wait_log(f"event=calls_refused trace_id={TRACE} span_id=")
        adder.terminate()
    assert adder.log().count("trace_id=") == 1  # what went well is not told at info


def test_a_poison_messages_line_has_its_trace(tmp_path, broker, recorder):
    kafka = Kafka(broker.address)
    with Totalizer(tmp_path, broker.address, *JSON, socket=recorder.path) as totalizer:
        totalizer.wait_healthy()
        kafka.send(b"poison \x1b\xff\"\n", 1, headers=[("traceparent", HEADER.encode())])
        kafka.send_sum(5, 1, trace_id="a" * 32, span_id="b" * 16)
        kafka.flush()
        totalizer.wait_total(5, 1)
        spans = recorder.wait_spans("process sums", 2)
        spans = {s.attrs["messaging.kafka.offset"]: s for s in spans}
        totalizer.get("/v1/results", {"traceparent": HEADER})
        [page] = wait_for(
            lambda: [s for s in recorder.spans("GET /v1/results") if s.trace == TRACE],
            "the span of the request",
        )
        totalizer.terminate()
    [poison] = of_event(totalizer, "invalid_message")
    assert (poison["level"], poison["partition"], poison["offset"]) == ("warn", 1, 0)
    assert ids(poison) == {"trace_id": TRACE, "span_id": spans[0].id, "trace_flags": "01"}
    [applied] = of_event(totalizer, "applied")
    assert (applied["topic"], applied["offset"], applied["sum"]) == ("sums", 1, 5)
    assert (applied["trace_id"], applied["span_id"]) == ("a" * 32, spans[1].id)
    asked = [line for line in of_event(totalizer, "request") if line["trace_id"] == TRACE]
    assert [(line["path"], line["status"]) for line in asked] == [("/v1/results", 200)]
    assert asked[0]["span_id"] == page.id and asked[0]["duration_ms"] > 0
    about = {"invalid_message", "applied", "request"}
    assert not any(ids(line) for line in lines(totalizer) if line["event"] not in about)


def test_without_telemetry_lines_carry_the_callers_ids(tmp_path, broker):
    with Adder(tmp_path, broker.address, *JSON, env={"OTEL_SDK_DISABLED": "true"}) as adder:
        adder.sum(1, 1, metadata=[("traceparent", HEADER)])
        adder.sum(2, 2)
        adder.terminate()
    first, second = of_event(adder, "call")
    assert (first["trace_id"], first["span_id"]) == (TRACE, "00f067aa0ba902b7")
    assert ids(second) == {}


@pytest.mark.parametrize("name, prefix", [("adder", "ADDER"), ("totalizer", "TOTALIZER")])
def test_the_format_is_an_option(name, prefix):
    def told(*options, env=None):
        return run([program(name), "--check", *options], env).stdout

    variable = f"{prefix}_LOG_FORMAT"
    assert "--log-format=text\n" in told()
    assert "--log-format=json\n" in told("--log-format=JSON")
    assert "--log-format=json\n" in told(env={variable: "json"})
    assert "--log-format=text\n" in told("--log-format=text", env={variable: "json"})
    wrong = run([program(name), "--log-format=xml"])
    assert wrong.returncode == 2 and "text" in wrong.stderr and "json" in wrong.stderr
