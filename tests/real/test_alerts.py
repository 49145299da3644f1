"""The acceptance checklist's alerts: each fires on Alertmanager when its threshold is really exceeded, and
resolves after. The rules are the real ones, with shorter durations; `promtool test rules` tests those."""

import contextlib
import json
import os
import threading

import pytest
from caller import Load
from freeze import freeze, thaw

from lib import peer
from lib.process import ROOT, run
from lib.parts import part
from lib.totalizer import Kafka
from lib.wait import wait_for

RULES = ROOT / "k8s" / "config" / "prometheus-rules.yaml"


def test_alert_rules_pass_their_unit_tests():
    """promtool test rules: every rule, with its real durations, fires when it should and not before."""
    tests = RULES.with_name("prometheus-rules-test.yaml")
    tested = run([part("prometheus") / "promtool", "test", "rules", tests])
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.fixture
def calm(real):
    """The stack while no alert fires; after the test none fires either."""
    real.wait_resolved(*NAMES)
    yield real
    real.wait_resolved(*NAMES)


NAMES = (
    "DeliveryLatencyHigh",
    "DeliveryLatencyCritical",
    "ConsumerLagHigh",
    "SpansDropped",
    "LedgerGap",
    "EventsDroppedByService",
    "ExportFailing",
    "TargetDown",
    "NoSidecar",
)


def test_every_alert_rule_has_a_test_here(real):
    """Prometheus has loaded just the rules that these tests know."""
    found = real.rules()
    assert sorted(found) == sorted(NAMES)


@contextlib.contextmanager
def throttled(pid, on, off):
    """Let a process run for `on` of every `on` + `off` seconds, as a starved machine would."""
    end = threading.Event()

    def work():
        while not end.is_set():
            freeze(pid)
            end.wait(off)
            thaw(pid)
            end.wait(on)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_high_delivery_latency_alerts_and_resolves(calm):
    """totalizer gets to run every 1.6 s only: P99 is above 1 s, and so above 500 ms."""
    with Load(calm.ports["ADDER_GRPC"]) as load:
        wait_for(lambda: len(load.good) >= 10, "calls")
        with throttled(calm.pid("totalizer"), on=0.3, off=1.6):
            calm.wait_alerts("DeliveryLatencyHigh", "DeliveryLatencyCritical", topic="sums")
        calm.wait_resolved("DeliveryLatencyHigh", "DeliveryLatencyCritical")


def test_consumer_lag_alerts_and_resolves(calm):
    """More messages than a starved totalizer can take: more than 1,000 wait."""
    kafka = Kafka(f"127.0.0.1:{calm.ports['BROKER']}")
    stop = threading.Event()

    def flood():
        while not stop.is_set():
            for number in range(1200):
                kafka.send_sum(1, number % 12)
            stop.wait(0.1)
        kafka.flush()

    thread = threading.Thread(target=flood)
    with throttled(calm.pid("totalizer"), on=0.002, off=0.3):
        thread.start()
        try:
            calm.wait_alerts("ConsumerLagHigh", topic="sums", service_name="totalizer")
        finally:
            stop.set()
            thread.join()
    calm.wait_resolved("ConsumerLagHigh")


def test_a_collector_that_is_down_alerts_and_resolves(calm):
    """Its targets are down, exports fail, and a service that sends much loses spans."""
    wanted = {"SpansDropped", "TargetDown", "ExportFailing"}
    fired = set()

    def all_have_fired():
        # Not to be compressed: the bounded queue is full soon, and stays so.
        for _ in range(100):
            flood.send(peer.whole("op", attrs={"noise": os.urandom(4000).hex()}))
        fired.update(calm.alerts(service_name="flood", cause="queue_full"))
        fired.update(calm.alerts(job="collector"))
        # The sidecar tries ever more rarely: with these durations this one fires for a while only.
        fired.update(calm.alerts(signal="traces"))
        return wanted <= fired

    with calm.stopped("collector"):
        with peer.Peer(calm.folder / "adder.sock", "flood") as flood:
            wait_for(all_have_fired, lambda: f"{wanted}; {fired} have fired", timeout=90)
            flood.bye()
    calm.wait_resolved("TargetDown", "SpansDropped", "ExportFailing")


def test_events_that_do_not_arrive_alert_and_resolve(calm):
    """A service says that it sent more than came, and that it dropped some itself."""
    with peer.Peer(calm.folder / "adder.sock", "liar") as liar:
        liar.stats(drops={})
        dropped = 'sidecar_client_dropped_total{job="sidecar", service_name="liar", cause="full"}'
        calm.wait_query(dropped, "a first sample, for a rate needs two")
        liar.sent += 5
        liar.stats(drops={"full": 3})
        calm.wait_alerts("LedgerGap", job="sidecar")
        calm.wait_alerts("EventsDroppedByService", service_name="liar", cause="full")
        liar.bye()
    calm.wait_resolved("LedgerGap", "EventsDroppedByService")


def test_a_sidecar_that_is_down_alerts_and_resolves(calm):
    """Its page does not answer; the other's does."""
    with calm.stopped("totalizer-sidecar"):
        calm.wait_alerts("TargetDown", instance=f"127.0.0.1:{calm.ports['TOTALIZER_METRICS']}")
        assert "TargetDown" not in calm.alerts(
            instance=f"127.0.0.1:{calm.ports['ADDER_METRICS']}"
        )
    calm.wait_resolved("TargetDown")


def test_no_sidecar_among_the_targets_alerts_and_resolves(calm):
    """Prometheus is told of no sidecar at all."""
    targets = calm.folder / "config" / "sidecar.targets.yaml"
    before = targets.read_text()
    write(targets, json.dumps([]))
    try:
        calm.wait_alerts("NoSidecar")
    finally:
        write(targets, before)
    calm.wait_resolved("NoSidecar")


def write(path, text):
    """Replace the file at once, as Prometheus wants it."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.rename(path)
