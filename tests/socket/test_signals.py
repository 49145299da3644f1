"""The way down: SIGTERM drains, a second one does not wait, SIGHUP is no end."""

import re
import signal
import threading

import pytest

from lib import peer as wire
from lib.collector import Answer
from lib.rude import RudeServer
from lib.wait import PATIENCE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain(start_sidecar, collector, number):
    """What was received is exported before it ends, however long batches would have waited."""
    sidecar = start_sidecar(collector=collector, env={"OTEL_BSP_SCHEDULE_DELAY": "600000"})
    with sidecar.peer() as peer:
        peer.send(*(wire.whole("op") for _ in range(50)), [wire.PRODUCED, "t", 0, None])
        sidecar.settle(peer)
        sidecar.signal(number)
        peer.wait_closed()
        assert sidecar.wait_exit() == 0
    assert len(collector.spans) == 50
    assert collector.points("kafka.messages.produced.total", topic="t")
    assert not sidecar.socket.exists()


def test_drain_without_spans(start_sidecar, collector):
    """Metrics go out a last time, whether or not spans wait too."""
    sidecar = start_sidecar(collector=collector, env={"OTEL_METRIC_EXPORT_INTERVAL": "600000"})
    with sidecar.peer() as peer:
        peer.send([wire.PRODUCED, "t", 0, None, 7])
        sidecar.settle(peer)
        sidecar.terminate()
    assert [p.as_int for p in collector.points("kafka.messages.produced.total", topic="t")] == [7]
    assert "export_dropped" not in sidecar.log()


def test_drain_under_load(start_sidecar, collector):
    """Everything it had received when SIGTERM came, and read after it, is at the Collector."""
    sidecar = start_sidecar("--drain-timeout=20s", collector=collector)
    peers = [sidecar.peer(f"load {i}") for i in range(4)]

    def load(peer):
        try:
            while True:
                peer.send(*(wire.whole("op") for _ in range(50)))
        except OSError:
            pass

    threads = [threading.Thread(target=load, args=(peer,)) for peer in peers]
    for thread in threads:
        thread.start()
    collector.wait_for_spans(2000, timeout=30)
    sidecar.signal(signal.SIGTERM)
    assert sidecar.wait_exit(timeout=40) == 0
    for thread in threads:
        thread.join()
    for peer in peers:
        peer.close()
    events = int(re.search(r"event=stopped .*?events=(\d+)", sidecar.log())[1])
    ids = [s.raw.span_id for s in collector.spans]
    assert len(ids) == len(set(ids)) == events - len(peers)


def test_drain_waits_for_a_slow_collector(start_sidecar, collector):
    """A Collector that refuses at first and then takes it, within the time."""
    refusal = {"grpc": Answer.grpc("UNAVAILABLE"), "http/protobuf": Answer.http(503)}
    collector.script(refusal[collector.protocol], refusal[collector.protocol])
    sidecar = start_sidecar("--drain-timeout=20s", collector=collector,
                            env={"OTEL_BSP_SCHEDULE_DELAY": "600000"})  # fmt: skip
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"))
        sidecar.settle(peer)
        sidecar.terminate()
    assert [s.name for s in collector.spans] == ["op"]


def silent(start_sidecar, rude, *options):
    """A sidecar that exports to somebody who never answers, with three spans on their way."""
    rude.protocol = "grpc"
    sidecar = start_sidecar(*options, collector=rude)
    with sidecar.peer() as peer:
        peer.send(*(wire.whole("op") for _ in range(3)))
        sidecar.wait_counters(pending=3)
    sidecar.wait_counters(connections=0)
    return sidecar


def test_drain_timeout(start_sidecar):
    """It ends in time all the same, with 0, and says what was dropped."""
    with RudeServer("silent") as rude:
        sidecar = silent(start_sidecar, rude, "--drain-timeout=300ms")
        sidecar.terminate(timeout=5)
        assert re.search(r"dropped.*spans=3", sidecar.log()), sidecar.log()


def test_second_signal(start_sidecar):
    """It does not wait for the Collector then."""
    with RudeServer("silent") as rude:
        sidecar = silent(start_sidecar, rude, "--drain-timeout=10m")
        sidecar.signal(signal.SIGTERM)
        sidecar.wait_log("event=draining")
        assert sidecar.running()
        sidecar.signal(signal.SIGTERM)
        assert sidecar.wait_exit(timeout=5) == 0
        assert re.search(r"dropped.*spans=3", sidecar.log()), sidecar.log()


def test_no_new_connections_while_draining(start_sidecar):
    with RudeServer("silent") as rude:
        sidecar = silent(start_sidecar, rude, f"--drain-timeout={int(2000 * PATIENCE)}ms")
        sidecar.signal(signal.SIGTERM)
        sidecar.wait_log("event=draining")
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            sidecar.peer()
        assert sidecar.wait_exit() == 0


def test_hangup(start_sidecar, collector):
    """SIGHUP reads the TLS files again and disturbs nothing."""
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer() as peer:
        started = wire.start("op")
        peer.send(started)
        sidecar.settle(peer)
        sidecar.signal(signal.SIGHUP)
        sidecar.wait_log("event=reloading")
        peer.send(wire.end(started))
        collector.wait_for_span("op")


def test_idle_end(start_sidecar, collector):
    """Nothing to drain: it ends at once."""
    sidecar = start_sidecar("--drain-timeout=10m", collector=collector)
    sidecar.terminate(timeout=5)
