"""adder as its callers see it: sums, health, reflection, deadlines, TLS, adder-call."""

import json
import re
import subprocess
import threading

import grpc
import pytest

from lib import proto
from lib.adder import (
    NOT_SERVING,
    SERVICE,
    SERVICE_UNKNOWN,
    SERVING,
    Adder,
    Broker,
    read_topic,
)
from lib.process import program, run
from lib.wait import wait_for

CODE = grpc.StatusCode
MAX, MIN = 2**63 - 1, -(2**63)


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path) as running:
        yield running


@pytest.fixture
def adder(tmp_path, broker):
    with Adder(tmp_path, broker.address) as running:
        yield running
        running.terminate()


def call(adder, *arguments, timeout=60):
    return run([program("adder-call"), f"--address={adder.address}", *arguments], timeout=timeout)


@pytest.mark.parametrize(
    "x, y", [(2, 3), (-5, 2), (0, 0), (MAX, 0), (MIN, 0), (MAX, MIN), (MAX - 1, 1), (MIN + 1, -1)]
)
def test_sum_is_exact_and_in_kafka(adder, broker, x, y):
    assert adder.sum(x, y) == x + y
    [(_, _, message, _)] = read_topic(broker.address)
    assert message["sum"] == x + y


@pytest.mark.parametrize("x, y", [(MAX, 1), (MIN, -1), (MAX, MAX), (MIN, MIN)])
def test_overflow_is_refused_and_not_published(adder, broker, x, y):
    assert adder.refusal(x, y)[0] == CODE.OUT_OF_RANGE
    assert read_topic(broker.address) == []


def test_message_carries_time_ids_and_header(adder, broker):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    header = f"00-{trace}-00f067aa0ba902b7-01"
    adder.sum(2, 3, metadata=[("traceparent", header)])
    [(_, key, message, headers)] = read_topic(broker.address)
    assert list(message) == ["sum", "produced_at", "trace_id", "span_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", message["produced_at"])
    assert message["trace_id"] == trace
    assert message["span_id"] not in ("00f067aa0ba902b7", "0" * 16)
    assert headers == {"traceparent": f"00-{trace}-{message['span_id']}-01"}
    assert key == message["span_id"]


def test_calls_of_one_trace_spread_over_the_partitions(adder, broker):
    header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    futures = [adder.start(n, 0, metadata=[("traceparent", header)]) for n in range(64)]
    assert [f.result() for f in futures] == list(range(64))
    # All 64 in three or fewer of four partitions: 4 * 0.75**64, once in 25 million runs.
    assert {partition for partition, *_ in read_topic(broker.address)} == {0, 1, 2, 3}


@pytest.mark.parametrize("data", [b"\x08", b"\x0a\xff", b"\xff" * 12])
def test_unreadable_request_is_internal(adder, data):
    method = adder.channel().unary_unary("/sum.SumNumbersService/SumNumbers")
    with pytest.raises(grpc.RpcError) as error:
        method(data, timeout=20)
    assert error.value.code() == CODE.INTERNAL
    assert adder.sum(1, 1) == 2


def test_unknown_fields_are_ignored_and_absent_ones_zero(adder):
    method = adder.channel().unary_unary("/sum.SumNumbersService/SumNumbers", proto.encode)
    assert proto.decode(method({2: 7, 99: "later", 3: 1}, timeout=20)) == {1: [7]}


def test_too_large_and_unknown_methods(adder):
    method = adder.channel().unary_unary("/sum.SumNumbersService/SumNumbers")
    with pytest.raises(grpc.RpcError) as error:
        method(proto.encode({9: b"x" * 70_000}), timeout=20)
    assert error.value.code() == CODE.RESOURCE_EXHAUSTED
    for path in ("/sum.SumNumbersService/Nothing", "/other/Thing", "/"):
        with pytest.raises(grpc.RpcError) as error:
            adder.channel().unary_unary(path)(b"", timeout=20)
        assert error.value.code() == CODE.UNIMPLEMENTED


def test_health_check_and_list(adder):
    assert adder.check() == SERVING
    assert adder.check(SERVICE) == SERVING
    with pytest.raises(grpc.RpcError) as error:
        adder.check("nobody")
    assert error.value.code() == CODE.NOT_FOUND
    everything = adder.channel().unary_unary(
        "/grpc.health.v1.Health/List", proto.encode, proto.decode
    )
    entries = [proto.decode(e) for e in everything({}, timeout=20)[1]]
    states = {e.get(1, [b""])[0].decode(): proto.decode(e[2][0]) for e in entries}
    assert states == {"": {1: [SERVING]}, SERVICE: {1: [SERVING]}}


def test_watch_tells_the_drain_and_ends(adder):
    known, unknown = adder.watch(SERVICE), adder.watch("nobody")
    assert next(known) == SERVING
    assert next(unknown) == SERVICE_UNKNOWN
    adder.signal(15)
    assert next(known) == NOT_SERVING
    for stream in (known, unknown):
        with pytest.raises(grpc.RpcError) as error:
            next(stream)
        assert error.value.code() == CODE.UNAVAILABLE
    assert adder.wait_exit() == 0


def test_watch_that_the_client_leaves(adder):
    for _ in range(3):
        stream = adder.watch()
        assert next(stream) == SERVING
        stream.cancel()
    assert adder.check() == SERVING


def test_deadline_that_has_no_chance(adder, broker):
    """Paused: the acknowledgement cannot come before the deadline."""
    broker.pause()
    assert adder.refusal(1, 2, timeout=0.5)[0] == CODE.DEADLINE_EXCEEDED
    broker.go_on()
    # The message was under way: the caller does not know, and here it was published.
    wait_for(lambda: len(read_topic(broker.address)) == 1, "the message")


def test_cancelled_call_leaves_adder_well(adder, broker):
    broker.pause()
    futures = [adder.start(n, 1) for n in range(20)]
    for future in futures:
        future.cancel()
    broker.go_on()
    assert adder.sum(20, 22) == 42
    adder.terminate()
    assert "refused=0" in adder.log()


def test_more_calls_than_allowed(tmp_path, broker):
    with Adder(tmp_path, broker.address, "--max-calls=3") as adder:
        broker.pause()
        futures = [adder.start(n, 0) for n in range(8)]
        refused = []

        def five():
            refused[:] = [f for f in futures if f.done()]
            return len(refused) == 5

        wait_for(five, "five refusals")
        assert {f.code() for f in refused} == {CODE.RESOURCE_EXHAUSTED}
        assert adder.check() == SERVING
        broker.go_on()
        assert sorted(f.result() for f in futures if f not in refused)
        assert len(read_topic(broker.address)) == 3
        assert adder.sum(1, 1) == 2
        adder.terminate()
        assert "ok=4 refused=5" in adder.log()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A self-signed CA and a server and client certificate of it."""
    folder = tmp_path_factory.mktemp("keys")

    def openssl(line):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)

    new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    openssl(f"req -x509 {new} -keyout ca.key -out ca.pem -subj /CN=ca -days 2")
    (folder / "ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl(f"req {new} -keyout {name}.key -out {name}.csr -subj /CN={name}")
        signed = "-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext"
        openssl(f"x509 -req -in {name}.csr -out {name}.pem {signed}")
    return folder


def test_tls_with_and_without_client_certificates(tmp_path, broker, keys):
    server = [f"--grpc-cert={keys / 'server.pem'}", f"--grpc-key={keys / 'server.key'}"]
    trusted = grpc.ssl_channel_credentials((keys / "ca.pem").read_bytes())
    with Adder(tmp_path, broker.address, *server, credentials=trusted) as adder:
        assert adder.sum(2, 3) == 5
        assert call(adder, f"--ca={keys / 'ca.pem'}", "2", "3").stdout == "5\n"
        assert call(adder, "--deadline=2s", "2", "3").returncode == 1
        adder.terminate()
    mutual = [*server, f"--grpc-client-ca={keys / 'ca.pem'}"]
    with Adder(tmp_path, broker.address, *mutual, credentials=trusted) as adder:
        assert adder.refusal(2, 3, timeout=2)[0] in (CODE.UNAVAILABLE, CODE.DEADLINE_EXCEEDED)
        show = [f"--cert={keys / 'client.pem'}", f"--key={keys / 'client.key'}"]
        assert call(adder, f"--ca={keys / 'ca.pem'}", *show, "2", "3").stdout == "5\n"
        adder.terminate()


def test_a_trust_file_that_holds_no_certificate(tmp_path):
    path = tmp_path / "ca.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nAA\n")
    arguments = ["--address=127.0.0.1:1", f"--ca={path}", "--deadline=10s", "2", "3"]
    failed = run([program("adder-call"), *arguments])
    assert failed.returncode == 1 and "root certificate" in failed.stderr


def test_one_call_from_the_shell(adder):
    assert call(adder, "2", "3").stdout == "5\n"
    assert call(adder, "-7", "-8").stdout == "-15\n"
    failed = call(adder, str(MAX), "1")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert failed.stderr.startswith("adder-call: OUT_OF_RANGE: ")
    assert json.loads(call(adder, "--json", "2", "-3").stdout) == {"code": "OK", "sum": -1}


def test_a_load_from_the_shell(adder, broker):
    done = call(adder, "--rate=500", "--seconds=2", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["calls"] == result["ok"] == 1000 and result["codes"] == {"OK": 1000}
    assert result["unknown"] == 0
    latency = result["latency_ms"]
    assert 0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"]
    messages = read_topic(broker.address)
    assert len({m["trace_id"] for _, _, m, _ in messages}) == 1000
    assert any(m["sum"] < 0 for _, _, m, _ in messages)
    assert sum(m["sum"] for _, _, m, _ in messages) == result["sum"]


def test_wrong_use_of_adder_call():
    for arguments in (
        [],
        ["2"],
        ["2", "x"],
        ["2", str(MAX + 1)],
        ["--rate=0"],
        ["--rate=5", "2", "3"],
        ["--deadline=0", "1", "2"],
        ["--traceparent=a\nb", "1", "2"],
    ):
        done = run([program("adder-call"), *arguments])
        assert done.returncode == 2 and done.stderr.startswith("adder-call: "), done
        assert done.stderr.count("\n") == 1
        if arguments and not arguments[0].startswith("-"):
            assert done.stderr.endswith("all arguments are --option=value, and at the end X Y\n")


def test_many_streams_at_once(adder):
    """Health streams and calls from several threads do not disturb one another."""
    sums, streams = [], [adder.watch() for _ in range(50)]
    assert [next(s) for s in streams] == [SERVING] * 50

    def work():
        sums.append(sum(adder.sum(n, 1) for n in range(100)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [5050] * 4
    for stream in streams:
        stream.cancel()
