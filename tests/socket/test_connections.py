"""Many peers, slow peers, silent peers, peers that die: nothing else is disturbed."""

import resource
import threading

import msgpack
import pytest

from lib import peer as wire
from lib.wait import wait_for

SESSIONS = 1024


@pytest.fixture
def many_descriptors():
    """Room for more sockets than sidecard takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4 * SESSIONS:
        pytest.skip(f"needs {4 * SESSIONS} descriptors, the hard limit is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * SESSIONS, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_peers(sidecar, count):
    """So many peers, connected and greeted."""
    peers = [sidecar.peer() for _ in range(count)]
    sidecar.wait_metric("sidecar_connections_accepted_total", count)
    return peers


def test_thousand_connections(sidecar, many_descriptors):
    peers = open_peers(sidecar, 1000)
    for peer in peers:
        peer.send(wire.start(), [wire.PRODUCED, "sums", 0, None])
    scrape = sidecar.wait_metric("kafka_messages_produced_total", 1000)
    assert scrape.value("sidecar_connections") == 1000
    assert scrape.value("sidecar_spans_open") == 1000
    for peer in peers:
        peer.close()
    sidecar.wait_counters(connections=0, abandoned_connection_lost=1000, open_spans=0)


def test_one_connection_too_many(sidecar, many_descriptors):
    peers = open_peers(sidecar, SESSIONS)
    assert sidecar.counters()["refused_full"] == 0
    late = sidecar.peer(service=None)
    late.wait_closed()
    sidecar.wait_counters(refused_full=1, connections=SESSIONS)
    # Those that were there are served, and one that leaves makes room.
    peers[0].send([wire.PRODUCED, "sums", 0, None])
    sidecar.wait_metric("kafka_messages_produced_total", 1)
    peers.pop().bye()
    sidecar.wait_counters(connections=SESSIONS - 1)
    peers.append(sidecar.peer())
    peers[-1].send([wire.PRODUCED, "sums", 0, None])
    sidecar.wait_metric("kafka_messages_produced_total", 2)
    for peer in peers:
        peer.close()
    late.close()


def test_no_descriptors_left(start_sidecar):
    """accept() fails for want of descriptors: counted, no busy loop, and it recovers."""
    limit = 48
    sidecar = start_sidecar(
        preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    )
    peers = []
    for _ in range(limit):
        peers.append(sidecar.peer(service=None))
        try:
            peers[-1].send([wire.HELLO, 1, {"service.name": "svc"}])
        except (BrokenPipeError, ConnectionResetError):
            pass
    for peer in peers[limit // 2 :]:
        peer.close()

    def all_gone():
        c = sidecar.counters()
        return (
            c["refused_descriptors"] and c["closed_lost"] + c["refused_descriptors"] == limit // 2
        )

    # Scrapes work again once there are descriptors.
    wait_for(all_gone, lambda: f"half of the connections to go: {sidecar.counters()}")
    peers[0].send([wire.PRODUCED, "sums", 0, None])
    sidecar.wait_metric("kafka_messages_produced_total", 1)
    with sidecar.peer() as fresh:
        fresh.send([wire.PRODUCED, "sums", 0, None])
        sidecar.wait_metric("kafka_messages_produced_total", 2)
    for peer in peers:
        peer.close()


def test_byte_by_byte(sidecar):
    """Each byte is a read of its own; another peer is served all the while."""
    started = wire.start("slow")
    stream = b"".join(
        msgpack.packb(e) for e in ([0, 1, {"service.name": "slow"}], started, wire.end(started))
    )
    other = sidecar.peer("other")
    base = sidecar.settle(other).value("sidecar_received_bytes_total")
    with sidecar.peer(service=None) as slow:
        for count, byte in enumerate(stream, start=1):
            slow.send_bytes(bytes([byte]))
            sidecar.wait_metric("sidecar_received_bytes_total", base + count)
        sidecar.wait_metric("sidecar_spans_finished_total", 1, service_name="slow")
    other.close()


def test_dies_in_the_middle_of_an_event(sidecar):
    event = msgpack.packb(wire.whole("cut"))
    for cut in (1, 2, 20, len(event) - 1):
        with sidecar.peer() as peer:
            peer.send_bytes(event[:cut])
    sidecar.wait_counters(events_truncated=4, closed_lost=4, started=0, bad_malformed=0)


def test_dies_between_events(sidecar):
    with sidecar.peer() as peer:
        peer.send(wire.whole())
    sidecar.wait_counters(events_truncated=0, closed_lost=1, finished=1)


def test_silent_peer(start_sidecar):
    """Who says nothing is closed in time; who said HELLO may be silent for ever."""
    sidecar = start_sidecar("--hello-timeout=200ms")
    greeted = sidecar.peer()
    silent = sidecar.peer(service=None)
    silent.wait_closed()
    sidecar.wait_counters(bad_hello_timeout=1, connections=1)
    greeted.send([wire.PRODUCED, "sums", 0, None])
    sidecar.wait_metric("kafka_messages_produced_total", 1)
    silent.close()
    greeted.close()


def test_trickling_hello(start_sidecar):
    """Bytes do not prolong the time for HELLO: it is counted from the connection on."""
    sidecar = start_sidecar("--hello-timeout=500ms")
    hello = msgpack.packb([0, 1, {"service.name": "x" * 4000}])
    with sidecar.peer(service=None) as peer:
        closed = threading.Event()

        def trickle():
            try:
                for byte in hello[:-1]:
                    peer.send_bytes(bytes([byte]))
                    if closed.wait(0.02):
                        return
            except OSError:
                return

        thread = threading.Thread(target=trickle)
        thread.start()
        sidecar.wait_counters(bad_hello_timeout=1)
        closed.set()
        thread.join()


def test_flood_does_not_starve_others(sidecar):
    """While one peer sends as fast as it can, another one's events and scrapes come through."""
    flood = sidecar.peer("flood")
    block = b"".join(msgpack.packb([wire.PRODUCED, "flood", 0, None]) for _ in range(4000))
    over = threading.Event()

    def send():
        while not over.is_set():
            flood.send_bytes(block)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        with sidecar.peer("calm") as calm:
            for count in range(1, 6):
                calm.send([wire.PRODUCED, "calm", 0, None])
                sidecar.wait_metric("kafka_messages_produced_total", count, topic="calm", timeout=2)
        assert sidecar.metrics().value("kafka_messages_produced_total", topic="flood") > 0
    finally:
        over.set()
        thread.join()
    flood.close()
    sidecar.wait_counters(connections=0, events_truncated=0)


def test_string_store(sidecar):
    """16 MiB of strings: further ones are refused, the connections live, room comes back."""
    peers = []
    for number in range(17):
        peer = sidecar.peer()
        text = [f"{number:04}-{i:04}".ljust(255, "x") for i in range(4096)]
        peer.send(*([wire.STRING, i, text[i]] for i in range(4096)))
        peer.send([wire.PRODUCED, 4095, 0, None])
        sidecar.settle(peer)
        peers.append(peer)
    c = sidecar.counters()
    assert c["refused_string_store_full"] > 0
    assert c["refused_unknown_string"] >= 1
    assert c["connections"] == 17
    for peer in peers:
        peer.close()
    sidecar.wait_counters(connections=0, string_bytes=0)
    with sidecar.peer() as peer:
        peer.send([wire.STRING, 0, "again"], [wire.PRODUCED, 0, 0, None])
        sidecar.wait_metric("kafka_messages_produced_total", 1, topic="again")


def test_attribute_store(sidecar):
    """16 MiB of attributes of open spans: further ones are dropped, their spans stand."""
    attrs = {f"k{i}": "v" * 4000 for i in range(4)}
    with sidecar.peer() as peer:
        for _ in range(100):
            peer.send(*(wire.start(attrs=attrs) for _ in range(12)))
        sidecar.settle(peer)
        c = sidecar.counters()
        assert c["open_spans"] == 1200
        assert 15 << 20 < c["attribute_bytes"] <= 16 << 20
        assert c["attr_store_full"] > 0
    sidecar.wait_counters(open_spans=0, attribute_bytes=0, abandoned_connection_lost=1200)
