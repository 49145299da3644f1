"""adder when something is wrong: the broker, the start, the stop, the sidecard."""

import json
import os
import shlex
import signal
import socket
import subprocess
import threading

import grpc
import pytest

from lib import proto
from lib.adder import NOT_SERVING, SERVING, SUM, Adder, Broker, read_topic
from lib.http2 import GOAWAY, RawCall
from lib.ports import free_port
from lib.process import clean_env, program, run
from lib.wait import wait_for

CODE = grpc.StatusCode

# A plugin for librdkafka: with the first acknowledgement the producer's sequence is broken.
BROKEN_SEQUENCE = b"""
#include <librdkafka/rdkafka.h>
static rd_kafka_resp_err_t acknowledged(rd_kafka_t *k, rd_kafka_message_t *m, void *arg) {
    return rd_kafka_test_fatal_error(k, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "the test");
}
static rd_kafka_resp_err_t made(rd_kafka_t *k, const rd_kafka_conf_t *c, void *a, char *e, size_t n) {
    return rd_kafka_interceptor_add_on_acknowledgement(k, "test", acknowledged, NULL);
}
rd_kafka_resp_err_t conf_init(rd_kafka_conf_t *c, void **arg, char *e, size_t n) {
    return rd_kafka_conf_interceptor_add_on_new(c, "test", made, NULL);
}
"""


@pytest.fixture
def broker(tmp_path):
    with Broker(tmp_path) as running:
        yield running


def test_broker_absent_at_start_then_there(tmp_path):
    port = free_port()
    with Adder(tmp_path, f"127.0.0.1:{port}", ready=False) as adder:
        assert adder.get("/healthz") == (200, "ok\n")
        wait_for(lambda: "no metadata" in adder.get("/readyz")[1], "a reason on /readyz")
        status, text = adder.get("/readyz")
        assert status == 503 and text.startswith("not ready: topic sums: ")
        assert adder.check() == NOT_SERVING
        code, text = adder.refusal(1, 2)
        assert code == CODE.UNAVAILABLE and "nothing was published" in text
        watch = adder.watch()
        assert next(watch) == NOT_SERVING
        with Broker(tmp_path, port) as broker:
            adder.wait_ready()
            assert next(watch) == SERVING
            assert adder.sum(1, 2) == 3
            assert [m["sum"] for _, _, m, _ in read_topic(broker.address)] == [3]
            watch.cancel()
            adder.terminate()
    assert adder.log().count("event=kafka_ready") == 1


def test_broker_paused_during_the_partition_queries(tmp_path, broker):
    broker.pause()
    with Adder(tmp_path, broker.address, ready=False) as adder:
        wait_for(lambda: "no metadata" in adder.get("/readyz")[1], "a reason on /readyz")
        assert adder.check() == NOT_SERVING
        broker.go_on()
        adder.wait_ready()
        adder.terminate()


def test_broker_paused_and_continued(tmp_path, broker):
    """Calls wait through the pause; nothing is lost or doubled, and readiness stays."""
    with Adder(tmp_path, broker.address) as adder:
        assert adder.sum(0, 0) == 0
        broker.pause()
        futures = [adder.start(n, 0) for n in range(1, 101)]
        assert adder.get("/readyz")[0] == 200
        broker.go_on()
        assert sum(f.result() for f in futures) == 5050
        assert sum(m["sum"] for _, _, m, _ in read_topic(broker.address)) == 5050
        adder.terminate()
        assert "ok=101 " in adder.log() and "unavailable=0" in adder.log()


def test_broker_paused_for_longer_than_messages_live(tmp_path, broker):
    options = ["--kafka=message.timeout.ms=1000"]
    with Adder(tmp_path, broker.address, *options) as adder:
        broker.pause()
        code, text = adder.refusal(1, 2)
        assert code == CODE.UNAVAILABLE and text.endswith("_MSG_TIMED_OUT")
        broker.go_on()
        wait_for(lambda: adder.start(2, 3).exception() is None, "a sum to be published again")
        adder.terminate()
        assert "event=kafka_send_failed" in adder.log()


def test_full_queue_is_unavailable_at_once(tmp_path, broker):
    options = ["--kafka=queue.buffering.max.messages=1"]
    with Adder(tmp_path, broker.address, *options) as adder:
        broker.pause()
        futures = [adder.start(n, 0) for n in range(4)]
        wait_for(lambda: sum(f.done() for f in futures) == 3, "three refusals")
        broker.go_on()
        errors = [e for e in (f.exception() for f in futures) if e is not None]
        assert [e.code() for e in errors] == [CODE.UNAVAILABLE] * 3
        assert all(e.details().endswith("_QUEUE_FULL") for e in errors)
        assert adder.sum(1, 1) == 2
        adder.terminate()


def test_graceful_stop_under_load_loses_no_acknowledged_sum(tmp_path, broker):
    with Adder(tmp_path, broker.address) as adder:
        load = subprocess.Popen(
            [program("adder-call"), f"--address={adder.address}", "--rate=1000", "--seconds=30",
             "--deadline=5s", "--json"],
            stdout=subprocess.PIPE, env=clean_env(), text=True,
        )  # fmt: skip
        try:
            acked = 300
            wait_for(lambda: len(read_topic(broker.address)) > acked, "load to flow", 20)
            adder.terminate()
            load.send_signal(signal.SIGINT)
            result = json.loads(load.communicate(timeout=30)[0])
        finally:
            load.kill()
            load.wait()
    assert load.returncode == 1
    messages = [m["sum"] for _, _, m, _ in read_topic(broker.address)]
    assert acked < result["ok"] <= len(messages) <= result["ok"] + result["unknown"]
    # adder answered each message it published: what was acknowledged is exactly what is there.
    assert f"ok={len(messages)} " in adder.log()
    if len(messages) == result["ok"]:
        assert sum(messages) == result["sum"]


def test_stop_waits_for_calls_under_way(tmp_path, broker):
    with Adder(tmp_path, broker.address) as adder:
        assert adder.check() == SERVING
        broker.pause()
        futures = [adder.start(n, 0) for n in range(10)]
        adder.arrived()
        adder.signal(signal.SIGTERM)
        wait_for(lambda: adder.get("/readyz") == (503, "not ready: shutting down\n"), "the drain")
        broker.go_on()
        assert sorted(f.result() for f in futures) == list(range(10))
        assert adder.wait_exit() == 0


def test_old_connections_end_without_an_error(tmp_path, broker):
    """--max-connection-age: a client is told to go, and a load over many connections has no error."""
    with Adder(tmp_path, broker.address, "--max-connection-age=100ms") as adder:
        with RawCall(adder.port, SUM, proto.encode({1: 1, 2: 2})) as call:
            assert GOAWAY in call.frames()
        address = f"--address={adder.address}"
        load = run([program("adder-call"), address, "--rate=500", "--seconds=3", "--json"])
        assert json.loads(load.stdout)["codes"] == {"OK": 1500}


def test_stop_gives_up_after_the_grace(tmp_path, broker):
    with Adder(tmp_path, broker.address, "--grace=300ms") as adder:
        assert adder.check() == SERVING
        broker.pause()
        future = adder.start(1, 2)
        adder.arrived()
        adder.signal(signal.SIGTERM)
        assert future.exception().code() == CODE.UNAVAILABLE
        assert adder.wait_exit() == 0
        assert "event=grace_over" in adder.log()
        adder.check_log()
        broker.go_on()


def test_a_second_signal_ends_it_at_once(tmp_path, broker):
    with Adder(tmp_path, broker.address, "--grace=1h") as adder:
        assert adder.check() == SERVING
        broker.pause()
        future = adder.start(1, 2)
        adder.arrived()
        adder.signal(signal.SIGTERM)
        adder.wait_log("event=stopping")
        adder.signal(signal.SIGTERM)
        assert adder.wait_exit() == 1
        assert future.exception().code() in (CODE.UNAVAILABLE, CODE.CANCELLED)
        broker.go_on()


def test_a_second_signal_ends_its_last_flush(tmp_path, broker):
    """Nobody waits for the message any more, but the broker may still take it."""
    with Adder(tmp_path, broker.address, "--grace=1h") as adder:
        broker.pause()
        assert adder.refusal(1, 2, timeout=0.3)[0] == CODE.DEADLINE_EXCEEDED
        adder.signal(signal.SIGTERM)
        adder.wait_log("event=flushing")
        adder.signal(signal.SIGTERM)
        assert adder.wait_exit() == 1
        broker.go_on()


def test_stop_before_the_broker_was_ever_there(tmp_path):
    with Adder(tmp_path, f"127.0.0.1:{free_port()}", ready=False) as adder:
        adder.terminate()


def test_a_fatal_error_of_the_producer_ends_it(tmp_path, broker):
    plugin = tmp_path / "plugin.so"
    compiler = [os.environ.get("CC", "cc"), "-x", "c", "-shared", "-fPIC", "-o", plugin, "-"]
    subprocess.run(compiler, input=BROKEN_SEQUENCE, check=True)
    with Adder(tmp_path, broker.address, f"--kafka=plugin.library.paths={plugin}") as adder:
        watch = adder.watch()
        assert next(watch) == SERVING
        assert adder.sum(1, 2) == 3
        assert next(watch) == NOT_SERVING
        assert adder.wait_exit() == 1
        adder.check_log()
    assert [m["sum"] for _, _, m, _ in read_topic(broker.address)] == [3]
    assert "event=kafka_fatal topic=sums" in adder.log() and "ok=1 " in adder.log()


def test_addresses_in_use(tmp_path, broker):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for flag, other in (("--grpc", "--http"), ("--http", "--grpc")):
            done = run([program("adder"), f"{flag}={address}", f"{other}=127.0.0.1:0",
                        f"--brokers={broker.address}"])  # fmt: skip
            assert done.returncode == 1
            assert "event=start_failed" in done.stderr and address in done.stderr


@pytest.mark.parametrize(
    "options, words",
    [
        (["--grpc=nowhere"], "--grpc"),
        (["--grpc-key=k"], "--grpc-key: needs --grpc-cert"),
        (["--grpc-cert=c"], "--grpc-cert: needs --grpc-key"),
        (["--grpc-client-ca=c"], "--grpc-client-ca: needs"),
        (["--brokers="], "--brokers"),
        (["--topic=a/b"], "--topic"),
        (["--topic=" + "t" * 250], "--topic"),
        (["--max-calls=0"], "--max-calls"),
        (["--grace=-1s"], "--grace"),
        (["--max-connection-age=25h"], "--max-connection-age"),
        (["--kafka=acks"], "--kafka"),
        (["--kafka=acks=1"], "--kafka"),
        (["--kafka=enable.idempotence=false"], "--kafka"),
        (["--kafka=max.in.flight.requests.per.connection=5"], "--kafka"),
        (["--kafka=no.such.thing=1"], "no.such.thing"),
        (["5"], "5"),
    ],
)
def test_wrong_options_are_one_line(options, words):
    for extra in ([], ["--check"]):
        done = run([program("adder"), *options, *extra])
        assert done.returncode == 2 and done.stdout == ""
        assert words in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_check_prints_what_parses_back():
    first = run([program("adder"), "--check", "--topic=other", "--kafka=linger.ms=3", "--grace=2s"])
    assert first.returncode == 0 and "--topic=other" in first.stdout
    again = run([program("adder"), "--check", *shlex.split(first.stdout)])
    assert again.stdout == first.stdout


@pytest.mark.parametrize(
    "content", [None, "", "not a certificate", "-----BEGIN CERTIFICATE-----\nAA\n"]
)
def test_unusable_tls_files(tmp_path, broker, content):
    path = tmp_path / "cert.pem"
    if content is not None:
        path.write_text(content)
    done = run([program("adder"), f"--grpc-cert={path}", f"--grpc-key={path}", "--grpc=127.0.0.1:0",
                "--http=127.0.0.1:0", f"--brokers={broker.address}"])  # fmt: skip
    assert done.returncode == 1 and "event=start_failed" in done.stderr


def test_silent_and_broken_connections(tmp_path, broker):
    """Bytes that are not HTTP/2, and connections that say nothing, disturb nobody."""
    with Adder(tmp_path, broker.address) as adder:
        peers = [socket.create_connection(("127.0.0.1", adder.port)) for _ in range(50)]
        for peer in peers[:25]:
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)
        assert adder.sum(2, 2) == 4
        adder.terminate()
        for peer in peers:
            peer.close()


def test_callers_that_die_mid_call(tmp_path, broker):
    with Adder(tmp_path, broker.address, "--max-calls=200") as adder:
        broker.pause()
        loads = [
            subprocess.Popen(
                [program("adder-call"), f"--address={adder.address}", "--rate=1000", "--seconds=9"],
                env=clean_env(), stdout=subprocess.DEVNULL,
            )
            for _ in range(2)
        ]  # fmt: skip
        adder.wait_log("event=calls_refused")
        for load in loads:
            load.kill()
            load.wait()
        broker.go_on()
        wait_for(lambda: adder.start(2, 3).exception() is None, "room for a call again")
        adder.terminate()


def test_sums_from_threads_while_the_broker_stutters(tmp_path, broker):
    sums = []
    with Adder(tmp_path, broker.address) as adder:

        def work():
            sums.extend(adder.sum(n, 1) for n in range(200))

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            broker.pause()
            assert adder.get("/healthz")[0] == 200
            broker.go_on()
        for thread in threads:
            thread.join()
        adder.terminate()
    assert len(sums) == 600
    assert sum(m["sum"] for _, _, m, _ in read_topic(broker.address)) == sum(sums) == 3 * 20_100
