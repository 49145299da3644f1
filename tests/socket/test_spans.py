"""Spans through a running sidecard: how they end, whose they are, and that the ledger closes."""

import signal

from lib import peer as wire
from lib import stats


def test_pair_with_the_rest(sidecar, collector, start_sidecar):
    """Without an endpoint spans are counted as dropped, with one they arrive."""
    with sidecar.peer() as peer:
        peer.send(wire.whole("nowhere"))
        stats.check_ledger(sidecar.wait_counters(dropped_no_endpoint=1, acknowledged=0))
    exporting = start_sidecar(collector=collector)
    with exporting.peer() as peer:
        peer.send(wire.whole("somewhere"))
        collector.wait_for_span("somewhere")
        stats.check_ledger(exporting.wait_counters(dropped_no_endpoint=0, acknowledged=1))


def test_no_endpoint_is_said_once(sidecar):
    with sidecar.peer() as peer:
        peer.send(*(wire.whole() for _ in range(100)))
        sidecar.wait_counters(dropped_no_endpoint=100)
    assert sidecar.log().count("no_endpoint") == 1


def test_resource(start_sidecar, collector):
    """A span carries its peer's resource, over what the sidecar adds."""
    sidecar = start_sidecar(
        collector=collector,
        env={
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.version=sidecar"
        },
    )
    with sidecar.peer("adder", {"service.version": "1.2.3", "host.cpus": 2}) as peer:
        peer.send(wire.whole("op"))
        span = collector.wait_for_span("op")
    assert span.resource["service.name"] == "adder"
    assert span.resource["service.version"] == "1.2.3"
    assert span.resource["host.cpus"] == 2
    assert span.resource["deployment.environment.name"] == "test"


def test_two_services_in_one_batch(start_sidecar, collector):
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer("one") as one, sidecar.peer("two") as two:
        one.send(*(wire.whole("a") for _ in range(50)))
        two.send(*(wire.whole("b") for _ in range(50)))
        spans = collector.wait_for_spans(100)
    assert {(s.name, s.resource["service.name"]) for s in spans} == {("a", "one"), ("b", "two")}
    scrape = sidecar.wait_counters(acknowledged=100)
    for service in ("one", "two"):
        c = stats.check_ledger(scrape, service_name=service)
        assert c["acknowledged"] == 50


def test_unknown_service(start_sidecar, collector):
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer(service=None) as peer:
        peer.send([wire.HELLO, 1, {}], wire.whole("op"))
        assert collector.wait_for_span("op").resource["service.name"] == "unknown_service"


def test_no_peer_ends_anothers_span(sidecar):
    started = wire.start()
    with sidecar.peer() as owner, sidecar.peer() as other:
        owner.send(started)
        sidecar.settle(owner)
        other.send(wire.end(started), [wire.ATTR, started[2], "k", "v"])
        sidecar.wait_counters(refused_unmatched=2, open_spans=1)
        # And the same id may be open on both.
        other.send(started)
        sidecar.wait_counters(open_spans=2, refused_duplicate_start=0)
        owner.send(wire.end(started))
        sidecar.wait_counters(open_spans=1, finished=1)


def test_connection_lost_is_exported_at_once(start_sidecar, collector):
    """A crash is seen in well under a second, however long batches wait."""
    sidecar = start_sidecar(collector=collector, env={"OTEL_BSP_SCHEDULE_DELAY": "600000"})
    peer = sidecar.peer()
    peer.send(wire.start("crashed", attrs={"k": 1}))
    sidecar.settle(peer)
    peer.close()
    span = collector.wait_for_span("crashed", timeout=1)
    assert span.raw.status.code == wire.FAILED
    assert span.raw.status.message == "connection ended while the span was open"
    assert span.attributes == {"k": 1, "error.type": "connection_lost"}


def test_strings_outlive_their_connection(start_sidecar, collector):
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer() as peer:
        peer.send([wire.STRING, 0, "interned name"], [wire.STRING, 1, "interned key"])
        peer.send(wire.start(0, attrs={1: "v"}))
        sidecar.settle(peer)
    span = collector.wait_for_span("interned name")
    assert span.attributes["interned key"] == "v"
    sidecar.wait_counters(string_bytes=0)


def test_timeout(start_sidecar, collector):
    """A span that is open for too long is ended; its END is unmatched then."""
    sidecar = start_sidecar("--span-timeout=300ms", collector=collector)
    started = wire.start("slow")
    with sidecar.peer() as peer:
        peer.send(started)
        span = collector.wait_for_span("slow")
        assert span.raw.status.message == "span was open for too long"
        assert span.attributes["error.type"] == "timeout"
        peer.send(wire.end(started))
        stats.check_ledger(
            sidecar.wait_counters(abandoned_timeout=1, refused_unmatched=1, finished=0)
        )


def test_table_of_open_spans(start_sidecar, collector):
    """At the limit nothing happens; one more evicts the oldest of the peer that holds most."""
    sidecar = start_sidecar("--max-open-spans=100", collector=collector)
    with sidecar.peer("calm") as calm, sidecar.peer("flood") as flood:
        calm_spans = [wire.start(f"calm {i}") for i in range(40)]
        calm.send(*calm_spans)
        sidecar.settle(calm)
        flood.send(*(wire.start(f"flood {i}") for i in range(60)))
        sidecar.wait_counters(open_spans=100, abandoned_evicted=0)
        flood.send(wire.start("flood 60"))
        span = collector.wait_for_span("flood 0")
        assert span.raw.status.message == "too many open spans"
        assert span.attributes["error.type"] == "evicted"
        flood.send(*(wire.start(f"flood {i}") for i in range(61, 161)))
        sidecar.wait_counters(open_spans=100, abandoned_evicted=101)
        calm.send(*map(wire.end, calm_spans))
        scrape = sidecar.wait_counters(finished=40, refused_unmatched=0, open_spans=60)
        assert scrape.total("sidecar_spans_abandoned_total", service_name="calm") == 0
        stats.check_ledger(scrape)
        # A newcomer that finds the table full is served at the flooding peer's cost.
        flood.send(*(wire.start(f"flood {i}") for i in range(161, 201)))
        calm.send(wire.start("late"))
        scrape = sidecar.wait_counters(open_spans=100, started=242)
        assert scrape.total("sidecar_spans_abandoned_total", service_name="calm") == 0


def test_eviction_on_a_tie(start_sidecar, collector):
    """Of two that hold as many, the one that connected first gives way."""
    sidecar = start_sidecar("--max-open-spans=10", collector=collector)
    with sidecar.peer("first") as first, sidecar.peer("second") as second:
        second.send(*(wire.start(f"second {i}") for i in range(5)))
        sidecar.settle(second)
        first.send(*(wire.start(f"first {i}") for i in range(5)))
        sidecar.settle(first)
        second.send(wire.start("one more"))
        assert collector.wait_for_spans(1)[0].name == "first 0"
        sidecar.wait_counters(open_spans=10, abandoned_evicted=1)


def test_shutdown_abandons(start_sidecar, collector):
    """SIGTERM: open spans are exported with the cause; those of who resumes are counted."""
    sidecar = start_sidecar(collector=collector)
    plain = sidecar.peer("plain")
    resuming = sidecar.peer("resuming", capabilities=["resume"])
    plain.send(wire.start("plain"))
    resuming.send(wire.start("resumed"))
    sidecar.wait_counters(open_spans=2)
    sidecar.signal(signal.SIGTERM)
    assert sidecar.wait_exit() == 0
    span = collector.wait_for_span("plain")
    assert span.raw.status.message == "sidecar shut down while the span was open"
    assert span.attributes["error.type"] == "shutdown"
    assert [s.name for s in collector.spans] == ["plain"]
    plain.close()
    resuming.close()


def test_resume_after_protocol_fault(start_sidecar, collector):
    """What a client that resumes writes again is exported once."""
    sidecar = start_sidecar(collector=collector)
    started = wire.start("op")
    with sidecar.peer(capabilities=["resume"]) as peer:
        peer.send(started, [99999, b"fine"], [wire.BYE, 1])
        peer.close()
    with sidecar.peer(capabilities=["resume"]) as peer:
        peer.send(started)
        peer.send_bytes(b"\xc1")
        peer.wait_closed()
    with sidecar.peer(capabilities=["resume"]) as peer:
        peer.send(wire.whole("op", started[1], started[2]), wire.whole("last"))
        collector.wait_for_span("last")
    kept = {"dropped_resumed": 1, "abandoned_closed": 1, "finished": 2, "acknowledged": 3}
    stats.check_ledger(sidecar.wait_counters(**kept))
    # The first said BYE with the span open, the second broke the protocol, the third wrote it. Two
    # requests may be under way, and the later one arrive first.
    causes = [s.attributes.get("error.type") for s in collector.spans if s.name == "op"]
    assert sorted(causes, key=str) == [None, "closed"]


def test_flags_over_otlp(start_sidecar, collector):
    """flags & 3, 0x100 always, 0x200 when the parent is remote."""
    sidecar = start_sidecar(collector=collector)
    wanted = {}
    with sidecar.peer() as peer:
        for flags in (1, 3, 5, 7):
            wanted[f"flags {flags}"] = flags & 3 | 0x100 | (0x200 if flags & 4 else 0)
            peer.send(wire.whole(f"flags {flags}", parent=wire.new_span(), flags=flags))
        spans = collector.wait_for_spans(4)
    assert {s.name: s.raw.flags for s in spans} == wanted


def test_scope_and_schema(start_sidecar, collector):
    """The instrumentation scope names us, not an SDK."""
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer() as peer:
        peer.send(wire.whole("op"))
        assert collector.wait_for_span("op").scope.name
