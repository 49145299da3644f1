"""What adder tells its sidecard, seen by a socket that only records."""

import re
import signal

import grpc
import pytest

from lib.adder import Adder, Broker, read_topic
from lib.http2 import RawCall
from lib.peer import BYE, ERROR, FAILED, HELLO, PRODUCED, PRODUCER, SERVER, STATS, UNSET
from lib.recorder import Recorder
from lib.wait import wait_for

CODE = grpc.StatusCode
CALL = "sum.SumNumbersService/SumNumbers"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
HEADER = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path) as running:
        yield running


@pytest.fixture
def recorder(tmp_path):
    with Recorder(tmp_path / "s") as running:
        yield running


@pytest.fixture
def adder(tmp_path, broker, recorder):
    assert recorder.path == str(tmp_path / "s")
    with Adder(tmp_path, broker.address) as running:
        running.wait_log("event=sidecar_connected")
        yield running
        broker.go_on()
        running.terminate()


def test_one_call_is_two_spans_of_the_callers_trace(adder, broker, recorder):
    assert adder.sum(2, 3, metadata=[("traceparent", HEADER)]) == 5
    [server] = recorder.wait_spans(CALL)
    [send] = recorder.wait_spans("send sums")
    [(partition, _, message, headers)] = read_topic(broker.address)

    assert (server.kind, server.status) == (SERVER, UNSET)
    assert (server.trace, server.parent) == (TRACE, "00f067aa0ba902b7")
    assert server.flags == 1 | 4  # sampled, and the parent is remote
    assert server.attrs == {
        "rpc.system.name": "grpc",
        "rpc.method": CALL,
        "rpc.response.status_code": "OK",
        "server.address": "127.0.0.1",
        "server.port": adder.port,
    }

    assert (send.kind, send.status) == (PRODUCER, UNSET)
    assert (send.trace, send.parent) == (TRACE, server.id)
    assert send.attrs == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "sums",
        "messaging.destination.partition.id": str(partition),
        "messaging.kafka.offset": 0,
    }
    assert (message["trace_id"], message["span_id"]) == (TRACE, send.id)
    assert headers["traceparent"] == f"00-{TRACE}-{send.id}-01"

    [produced] = recorder.wait_events(PRODUCED)
    assert produced[1:3] == ["sums", partition]
    seconds, fraction = divmod(produced[3], 10**9)
    assert message["produced_at"].endswith(f".{fraction:09}Z") and seconds > 1_700_000_000
    assert recorder.events(ERROR) == []


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["junk"],
        [HEADER, HEADER],
        [HEADER.upper()],
        [HEADER + "-x"],
        [HEADER.replace("00-4", "ff-4")],
    ],
)
def test_without_a_usable_traceparent_a_new_trace_begins(adder, recorder, values):
    # By hand: a gRPC library sends a header that is given twice once.
    with RawCall(adder.port, "/" + CALL, b"", [("traceparent", v) for v in values]):
        [server] = recorder.wait_spans(CALL)
    [send] = recorder.wait_spans("send sums")
    assert server.parent is None and server.trace not in (TRACE, "0" * 32)
    assert (send.trace, send.parent) == (server.trace, server.id)


def test_the_callers_decision_not_to_sample_is_kept(adder, broker, recorder):
    adder.sum(1, 1, metadata=[("traceparent", HEADER[:-2] + "00")])
    [server] = recorder.wait_spans(CALL)
    [send] = recorder.wait_spans("send sums")
    assert server.flags & 1 == send.flags & 1 == 0
    [(_, _, _, headers)] = read_topic(broker.address)
    assert headers["traceparent"].endswith("-00")


def test_a_refused_sum_is_no_error_of_the_server(adder, recorder):
    assert adder.refusal(2**63 - 1, 1)[0] == CODE.OUT_OF_RANGE
    [server] = recorder.wait_spans(CALL)
    assert server.status == UNSET and "error.type" not in server.attrs
    assert server.attrs["rpc.response.status_code"] == "OUT_OF_RANGE"
    assert recorder.spans("send sums") == []


def test_an_unreadable_request_is_an_error_of_the_server(adder, recorder):
    with pytest.raises(grpc.RpcError):
        adder.channel().unary_unary("/" + CALL)(b"\x08", timeout=20)
    [server] = recorder.wait_spans(CALL)
    assert server.status == FAILED and server.message == "unreadable request"
    assert server.attrs["error.type"] == "INTERNAL"
    assert server.attrs["rpc.response.status_code"] == "INTERNAL"


def test_a_request_that_is_too_large_ends_as_the_caller_hears(adder, recorder):
    with pytest.raises(grpc.RpcError) as error:
        adder.channel().unary_unary("/" + CALL)(bytes(70_000), timeout=20)
    assert error.value.code() == CODE.RESOURCE_EXHAUSTED
    [server] = recorder.wait_spans(CALL)
    assert server.status == UNSET
    assert server.attrs["rpc.response.status_code"] == "RESOURCE_EXHAUSTED"


def test_a_failed_message_is_an_error_of_both_spans(tmp_path, broker, recorder):
    with Adder(tmp_path, broker.address, "--kafka=message.timeout.ms=1000") as adder:
        broker.pause()
        assert adder.refusal(1, 2)[0] == CODE.UNAVAILABLE
        broker.go_on()
        [server] = recorder.wait_spans(CALL)
        [send] = recorder.wait_spans("send sums")
        assert server.status == send.status == FAILED
        assert server.attrs["error.type"] == "UNAVAILABLE"
        assert send.attrs["error.type"] == "_MSG_TIMED_OUT"
        assert "messaging.kafka.offset" not in send.attrs
        [error] = recorder.wait_events(ERROR)
        assert error[1:4] == [0, "sums", "_MSG_TIMED_OUT"]
        assert recorder.events(PRODUCED) == []
        adder.terminate()


@pytest.mark.parametrize("timeout", [0.7, 1, 2])
def test_the_caller_that_goes_first(adder, broker, recorder, timeout):
    """Its span ends at once; the message's ends when the broker has answered."""
    broker.pause()
    assert adder.refusal(1, 2, timeout=timeout)[0] == CODE.DEADLINE_EXCEEDED
    [server] = recorder.wait_spans(CALL)
    assert server.status == FAILED and server.attrs["error.type"] == "DEADLINE_EXCEEDED"
    [send] = recorder.spans("send sums")
    assert send.status is None
    future = adder.start(3, 4)
    wait_for(lambda: len(recorder.spans("send sums")) == 2, "the second message")
    future.cancel()
    ended = recorder.wait_spans(CALL, 2)
    assert ended[1].status == UNSET
    assert ended[1].attrs["rpc.response.status_code"] == "CANCELLED"
    broker.go_on()
    assert {s.status for s in recorder.wait_spans("send sums", 2)} == {UNSET}
    recorder.wait_events(PRODUCED, 2)


def test_refused_for_load(tmp_path, broker, recorder):
    with Adder(tmp_path, broker.address, "--max-calls=1") as adder:
        broker.pause()
        futures = [adder.start(n, 0) for n in range(2)]
        wait_for(lambda: any(f.done() for f in futures), "one refusal")
        broker.go_on()
        errors = [f.exception() for f in futures]
        assert [e.code() for e in errors if e] == [CODE.RESOURCE_EXHAUSTED]
        spans = recorder.wait_spans(CALL, 2)
        codes = {s.attrs["rpc.response.status_code"]: s.status for s in spans}
        assert codes == {"OK": UNSET, "RESOURCE_EXHAUSTED": UNSET}
        adder.terminate()


def test_who_it_says_it_is(tmp_path, broker, recorder):
    with Adder(tmp_path, broker.address) as adder:
        [hello] = recorder.wait_events(HELLO)
        assert hello[2]["service.name"] == "adder"
        assert hello[2]["service.version"]
        adder.terminate()
        recorder.wait_events(BYE)


@pytest.mark.parametrize(
    "env",
    [{"OTEL_SERVICE_NAME": "sums-eu"}, {"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=sums-eu"}],
)
def test_the_environment_names_the_service(tmp_path, broker, recorder, env):
    with Adder(tmp_path, broker.address, env=env) as adder:
        [hello] = recorder.wait_events(HELLO)
        assert hello[2]["service.name"] == "sums-eu"
        adder.terminate()


def test_health_and_reflection_are_not_traced(adder, recorder):
    assert adder.check() == 1
    watch = adder.watch()
    next(watch)
    watch.cancel()
    adder.sum(1, 1)
    recorder.wait_spans(CALL)
    assert {s.name for s in recorder.spans()} == {CALL, "send sums"}


def test_disabled_telemetry_passes_the_callers_context_on(tmp_path, broker):
    with Adder(tmp_path, broker.address, env={"OTEL_SDK_DISABLED": "true"}) as adder:
        adder.sum(1, 1, metadata=[("traceparent", HEADER)])
        adder.sum(2, 2)
        messages = {m["sum"]: (m, h, k) for _, k, m, h in read_topic(broker.address)}
        message, headers, _ = messages[2]
        assert headers == {"traceparent": HEADER}
        assert (message["trace_id"], message["span_id"]) == (TRACE, "00f067aa0ba902b7")
        message, headers, key = messages[4]
        assert (list(message), headers, key) == (["sum", "produced_at"], {}, None)
        adder.terminate()


@pytest.mark.parametrize(
    "authority, expected",
    [
        ("sums.example", {"server.address": "sums.example"}),
        ("sums.example:50051", {"server.address": "sums.example", "server.port": 50051}),
        ("[::1]:7", {"server.address": "::1", "server.port": 7}),
        ("sums.example:x", {}),
    ],
)
def test_the_address_is_the_one_that_the_caller_used(adder, recorder, authority, expected):
    with RawCall(adder.port, "/" + CALL, b"", authority=authority):
        [server] = recorder.wait_spans(CALL)
    assert {k: v for k, v in server.attrs.items() if k.startswith("server.")} == expected


def test_a_call_without_a_request(adder, recorder):
    with RawCall(adder.port, "/" + CALL, None):
        [server] = recorder.wait_spans(CALL)
    assert server.status == FAILED and server.message == "no request"


def test_a_call_that_breaks_off_before_its_request(adder, recorder):
    with RawCall(adder.port, "/" + CALL, None, end=False):
        wait_for(lambda: recorder.spans(CALL), "the span to begin")
    [server] = recorder.wait_spans(CALL)
    assert server.attrs["rpc.response.status_code"] == "CANCELLED"


def test_an_absent_sidecard_is_one_line_and_no_more(tmp_path, broker):
    with Adder(tmp_path, broker.address) as adder:
        adder.wait_log("event=sidecar_absent")
        assert [adder.sum(n, 0) for n in range(50)] == list(range(50))
        assert adder.get("/readyz") == (200, "ready\n")
        with Recorder(tmp_path / "s") as recorder:
            adder.wait_log("event=sidecar_connected")
            adder.sum(1, 1)
            recorder.wait_spans(CALL)
            adder.terminate()
    assert adder.log().count("event=sidecar_absent") == 1


def test_what_no_sidecard_took_is_counted(tmp_path, broker):
    with Adder(tmp_path, broker.address) as adder:
        futures = [adder.start(n, 0) for n in range(2000)]
        assert sum(f.result() for f in futures) == sum(range(2000))
        adder.terminate()
    lost = re.search(r"event=telemetry_lost events=(\d+) (.*)", adder.log())
    assert lost and int(lost[1]) >= 2000
    assert sum(map(int, re.findall(r"=(\d+)", lost[2]))) == int(lost[1]), lost[0]


def test_events_of_a_load_add_up(adder, recorder):
    """Spans end on other threads than they began: none may be lost, doubled or out of order."""
    futures = [adder.start(n, n) for n in range(3000)]
    assert sum(f.result() for f in futures) == 2 * sum(range(3000))
    servers = recorder.wait_spans(CALL, 3000)
    sends = recorder.wait_spans("send sums", 3000)
    recorder.wait_events(PRODUCED, 3000)
    assert len(servers) == len(sends) == len(recorder.events(PRODUCED)) == 3000
    assert {s.parent for s in sends} == {s.id for s in servers}
    adder.signal(signal.SIGTERM)
    assert adder.wait_exit() == 0
    recorder.wait_events(BYE)
    assert all(len(e) < 3 or not e[2] for e in recorder.events(STATS)), "events were dropped"
