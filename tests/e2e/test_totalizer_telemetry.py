"""What totalizer tells of itself: spans, events and lag as a sidecar gets them; HTTP; the log."""

import json
import re
import signal
import time

import pytest

from lib.adder import Broker
from lib.metrics import get
from lib.peer import (
    BYE,
    CONSUMED,
    CONSUMER,
    ERROR,
    FAILED,
    HELLO,
    LAG,
    LINK,
    SAMPLED,
    SERVER,
    UNSET,
)
from lib.process import program, run
from lib.recorder import Recorder
from lib.totalizer import WRONG_OPTION, Kafka, Totalizer
from lib.wait import wait_for

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path, partitions=2) as running:
        yield running


@pytest.fixture
def kafka(broker):
    return Kafka(broker.address)


@pytest.fixture
def recorder(tmp_path):
    with Recorder(tmp_path / "s") as running:
        yield running


@pytest.fixture
def totalizer(tmp_path, broker, recorder):
    with Totalizer(tmp_path, broker.address, socket=recorder.path) as running:
        running.wait_healthy()
        yield running


def rfc3339(ns):
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9))
    return f"{seconds}.{ns % 10**9:09d}Z"


def offsets(spans):
    """By the offset of their message."""
    return {s.attrs["messaging.kafka.offset"]: s for s in spans}


def test_span_of_a_message(totalizer, kafka, recorder):
    kafka.send_sum(5, 1, headers=[("traceparent", PARENT.encode())])
    kafka.flush()
    [span] = recorder.wait_spans("process sums")
    assert (span.kind, span.status, span.message) == (CONSUMER, UNSET, None)
    assert (span.trace, span.parent) == (TRACE, SPAN)
    assert span.attrs == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "sums",
        "messaging.destination.partition.id": "1",
        "messaging.consumer.group.name": "totalizer",
        "messaging.kafka.offset": 0,
    }
    [link] = recorder.wait_events(LINK)
    assert link[1:4] == [bytes.fromhex(span.id), bytes.fromhex(TRACE), bytes.fromhex(SPAN)]


def test_where_the_producer_is_found(totalizer, kafka, recorder):
    other, zero = f"00-{'a' * 32}-{'b' * 16}-01".encode(), f"00-{'0' * 32}-{'b' * 16}-01".encode()
    ids = {"trace_id": TRACE, "span_id": SPAN}
    kafka.send_sum(1, headers=[("traceparent", other), ("traceparent", PARENT.encode())])
    kafka.send_sum(1, headers=[("traceparent", other)], **ids)
    kafka.send_sum(1, headers=[("traceparent", zero)], **ids)
    kafka.send_sum(1, headers=[("traceparent", None)], **ids)
    kafka.send_sum(1, **ids)
    kafka.send_sum(1, trace_id=TRACE)
    kafka.send_sum(1, headers=[("TraceParent", other)])  # Kafka's keys are case-sensitive
    kafka.flush()
    spans = offsets(recorder.wait_spans("process sums", 7))
    assert [spans[n].parent for n in range(7)] == [SPAN, "b" * 16, SPAN, SPAN, SPAN, None, None]
    assert [spans[n].trace for n in range(5)] == [TRACE, "a" * 32, TRACE, TRACE, TRACE]
    assert len({spans[5].trace, spans[6].trace, TRACE}) == 3
    assert len(recorder.wait_events(LINK, 5)) == 5


def test_unsampled_message_is_counted_without_ids(totalizer, kafka, recorder):
    kafka.send_sum(1, headers=[("traceparent", f"00-{TRACE}-{SPAN}-00".encode())])
    kafka.send_sum(1, headers=[("traceparent", PARENT.encode())])
    kafka.flush()
    unsampled, sampled = recorder.wait_events(CONSUMED, 2)
    # Both come: durations are measured from the unsampled as well.
    spans = offsets(recorder.wait_spans("process sums", 2))
    assert [spans[n].flags & SAMPLED for n in range(2)] == [0, SAMPLED]
    assert not any(unsampled[5:7])
    assert sampled[5:7] == [bytes.fromhex(TRACE), bytes.fromhex(spans[1].id)]


def test_consumed_has_both_times(totalizer, kafka, recorder):
    produced = time.time_ns()
    kafka.send_sum(3, 1, produced_at=rfc3339(produced))
    kafka.send_sum(3, 1)
    kafka.flush()
    known, unknown = recorder.wait_events(CONSUMED, 2)
    assert known[1:4] == ["sums", 1, produced]
    assert produced < known[4] <= time.time_ns()
    assert unknown[1:4] == ["sums", 1, None]


def test_poison_is_counted_told_and_passed(totalizer, kafka, recorder):
    poison = [b"poison", b"", b'{"sum":9223372036854775808}', b'{"sum":"1"}', b"[]", b"{}"]
    kafka.send_sum(2)
    for value in poison * 50:
        kafka.send(value, headers=[("traceparent", PARENT.encode())])
    kafka.send(None)  # a tombstone
    kafka.send_sum(40)
    kafka.flush()
    count = 50 * len(poison) + 1
    assert totalizer.wait_total(42, 2)["count"] == 2
    for error in recorder.wait_events(ERROR, count):
        assert error == [ERROR, 1, "sums", "invalid_message", 1]
    consumed = recorder.wait_events(CONSUMED, count + 2)
    assert all(e[3] is None for e in consumed) and len(consumed) == count + 2
    spans = offsets(recorder.wait_spans("process sums", count + 2))
    for offset in range(1, count + 1):
        assert spans[offset].status == FAILED and spans[offset].message
        assert spans[offset].attrs["error.type"] == "invalid_message"
    assert spans[1].parent == SPAN and spans[0].status == spans[count + 1].status == UNSET
    totalizer.wait_log("event=invalid_messages topic=sums more=")
    told = re.findall(r"event=invalid_message trace_id=.* offset=(\d+)", totalizer.log())
    rest = re.findall(r"event=invalid_messages topic=sums more=(\d+)", totalizer.log())
    assert told[0] == "1" and len(told) < 10
    assert len(told) + sum(map(int, rest)) == count
    totalizer.terminate()
    assert kafka.committed(1)[0][1] == f"totalizer/1 next={count + 2} count=2 total=42;"


def test_lag_of_owned_partitions_alone(totalizer, kafka, recorder):
    kafka.send_sum(1, produced_at=rfc3339(time.time_ns()))
    kafka.flush()
    totalizer.wait_total(1, 1)
    after = time.time_ns()
    caught_up = wait_for(
        lambda: [e for e in recorder.events(LAG) if e[2] == 0 and (e[4] or 0) > after],
        "a report of partition 0 after it was read",
    )
    assert caught_up[0][:4] == [LAG, "sums", 0, 0] and caught_up[0][4] <= time.time_ns()
    assert {e[2] for e in recorder.events(LAG)} == {0, 1}
    totalizer.terminate()
    ends = wait_for(
        lambda: [e for e in recorder.events(LAG) if len(e) < 4 or e[3] is None],
        "the partitions to be given up",
    )
    assert sorted(e[2] for e in ends) == [0, 1]


def test_lag_ages_while_the_broker_is_paused(totalizer, broker, recorder):
    """Nothing was consumed up to now when nobody can tell what there is."""
    wait_for(lambda: any(e[4] for e in recorder.events(LAG) if len(e) > 4), "a first report")
    broker.pause()
    paused = time.time_ns()
    wait_for(lambda: time.time_ns() > paused + 3 * 10**9, "three seconds of lag reports")
    seen = len(recorder.events(LAG))
    recorder.wait_events(LAG, seen + 2)
    assert all(e[4] < paused for e in recorder.events(LAG)[seen:] if e[3] is not None)
    broker.go_on()


def test_broker_errors_by_name(totalizer, broker, recorder):
    broker.kill()
    names = {e[3] for e in recorder.wait_events(ERROR)}
    assert names <= {"_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE"}, names
    totalizer.wait_log("event=kafka_trouble")
    assert totalizer.log().count("event=kafka_trouble") == 1
    totalizer.terminate()  # there is nobody to commit to: still clean, within the drain timeout


def test_http_spans(totalizer, recorder):
    totalizer.get("/v1/results", {"traceparent": PARENT})
    totalizer.get("/v1/healthcheck")
    assert get(totalizer.port, "/nothing?here")[0] == 404
    [results] = recorder.wait_spans("GET /v1/results")
    assert (results.kind, results.status) == (SERVER, UNSET)
    assert (results.trace, results.parent) == (TRACE, SPAN)
    assert results.attrs == {
        "http.request.method": "GET",
        "url.path": "/v1/results",
        "url.scheme": "http",
        "http.route": "/v1/results",
        "network.protocol.version": "1.1",
        "client.address": "127.0.0.1",
        "http.response.status_code": 200,
    }
    [other] = recorder.wait_spans("GET")
    assert other.attrs["url.path"] == "/nothing" and "http.route" not in other.attrs
    assert other.attrs["http.response.status_code"] == 404 and other.status == UNSET
    recorder.wait_spans("GET /v1/healthcheck")  # one of several: wait_healthy() asked as well


def test_unknown_total_is_an_error_in_its_span(tmp_path, recorder):
    with Totalizer(tmp_path, "127.0.0.1:1", socket=recorder.path) as totalizer:
        status, headers, body = get(totalizer.port, "/v1/results")
        assert (status, headers["Content-Type"]) == (503, "application/json")
        assert json.loads(body)["error"] == "total_unknown"
        [span] = recorder.wait_spans("GET /v1/results")
        assert span.status == FAILED and span.message is None
        assert span.attrs["error.type"] == "503"
        assert span.attrs["http.response.status_code"] == 503
        totalizer.terminate()


def test_probes(totalizer, recorder):
    assert get(totalizer.port, "/healthz")[0] == get(totalizer.port, "/readyz")[0] == 200
    assert "there are /v1/results" in get(totalizer.port, "/")[2].decode()
    [_] = recorder.wait_spans("GET")
    names = {s.name for s in recorder.spans()}
    assert names <= {"GET", "GET /v1/healthcheck"}  # none of the probes


def test_hello_and_bye(totalizer, recorder):
    [hello] = recorder.wait_events(HELLO)
    assert hello[2]["service.name"] == "totalizer"
    version = run([program("totalizer"), "--version"]).stdout.split()[1]
    assert hello[2]["service.version"] == version
    totalizer.terminate()
    recorder.wait_events(BYE)


@pytest.mark.parametrize(
    "env, name",
    [
        ({"OTEL_SERVICE_NAME": "adder-up"}, "adder-up"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "a=b, service.name=other"}, "other"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "my.service.name=other"}, "totalizer"),
    ],
)
def test_name_from_the_environment(tmp_path, recorder, env, name):
    with Totalizer(tmp_path, "127.0.0.1:1", socket=recorder.path, env=env) as totalizer:
        assert recorder.wait_events(HELLO)[0][2]["service.name"] == name
        totalizer.terminate()


def test_sidecar_comes_later(tmp_path, broker):
    with Totalizer(tmp_path, broker.address, socket=tmp_path / "late") as totalizer:
        totalizer.wait_log("event=sidecar_absent")
        totalizer.wait_healthy()
        with Recorder(tmp_path / "late") as recorder:
            recorder.wait_events(HELLO)
            totalizer.wait_log("event=sidecar_connected")
            assert totalizer.log().count("event=sidecar_absent") == 1
            totalizer.terminate()


def test_what_no_sidecard_took_is_counted(tmp_path, broker, kafka):
    with Totalizer(tmp_path, broker.address) as totalizer:
        kafka.send_sum(5)
        kafka.flush()
        totalizer.wait_total(5, 1)
        totalizer.terminate()
    lost = re.search(r"event=telemetry_lost events=(\d+) (.*)", totalizer.log())
    assert lost and int(lost[1]) >= 3  # CONSUMED and the span of the message
    assert sum(map(int, re.findall(r"=(\d+)", lost[2]))) == int(lost[1]), lost[0]


def test_second_signal_ends_at_once(totalizer, broker):
    broker.pause()  # which keeps it from leaving the group
    totalizer.signal(signal.SIGTERM)
    totalizer.wait_log("event=stopping")
    totalizer.signal(signal.SIGTERM)
    assert totalizer.wait_exit(2) == 1
    assert "event=stopped_at_once" in totalizer.log()


def test_drain_has_an_end(tmp_path, broker, kafka):
    with Totalizer(tmp_path, broker.address, "--drain-timeout=300ms") as totalizer:
        totalizer.wait_healthy()
        broker.pause()
        started = time.monotonic()
        totalizer.terminate()
        assert time.monotonic() - started < 4  # of the 5 s that leaving would take
        assert "event=drain_timeout" in totalizer.log()
        broker.go_on()


@pytest.mark.parametrize(
    "options, words",
    [
        (["--topic=a b"], ["--topic", "1 to 249 characters"]),
        (["--topic="], ["--topic"]),
        (["--group="], ["--group"]),
        (["--kafka=acks"], ["--kafka", "acks", "key=value"]),
        (["--kafka=no.such.property=1"], ["--kafka", "no.such.property"]),
        (["--kafka=enable.auto.commit=true"], ["--kafka", "enable.auto.commit", "always false"]),
        (["--kafka=auto.offset.reset=earliest"], ["--kafka", "auto.offset.reset"]),
        (["--kafka=check.crcs=false"], ["--kafka", "check.crcs", "always true"]),
        (["--http=nowhere"], ["--http", "nowhere"]),
        (["--drain-timeout=1ms"], ["--drain-timeout", "1ms"]),
    ],
)
def test_wrong_options(options, words):
    result = run([program("totalizer"), *options])
    assert result.returncode == WRONG_OPTION
    assert all(word in result.stderr for word in words), result.stderr
    assert len(result.stderr.strip().splitlines()) == 1 and not result.stdout


def test_check_prints_what_parses_back():
    first = run([program("totalizer"), "--check", "--topic=t", "--kafka=session.timeout.ms=9000"])
    assert first.returncode == 0 and "--topic=t" in first.stdout
    again = run([program("totalizer"), "--check", *first.stdout.split()])
    assert again.stdout == first.stdout


def test_address_in_use(tmp_path, totalizer):
    address = f"--http=127.0.0.1:{totalizer.port}"
    result = run([program("totalizer"), address, f"--sidecar={tmp_path}/n"])
    assert result.returncode == 1
    assert "event=start_failed" in result.stderr and str(totalizer.port) in result.stderr
