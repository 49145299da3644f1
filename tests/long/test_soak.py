"""sidecard among many clients that come and go: nothing grows, nothing is lost, nothing is left.

SOAK: whole factor on how much is done (1, some minutes for all soaks).
"""

import os
import random
import subprocess
import time

from clients import Clients

from lib.collector import Answer
from lib.collector_grpc import GrpcCollector
from lib.process import ROOT
from lib.stats import DROPS, check_ledger, counters
from lib.wait import wait_for

IN_FLIGHT = 4  # requests at a time
SOAK = int(os.environ.get("SOAK", "1"))
WARM = 3  # rounds, after which everything has been as full as it will be
# More than allocators leave between two equal rounds. Seen to find a leak of 256 bytes a connection;
# smaller ones take a larger SOAK, or the sanitizer below if nothing refers to what is leaked.
GROWTH_KIB = 1024


class Tally(GrpcCollector):
    """A fake Collector that counts spans and forgets them."""

    def __init__(self):
        super().__init__()
        self.accepted = 0

    def take(self, signal, message, headers, size):
        request = super().take(signal, message, headers, size)
        with self._lock:
            self.accepted += len(self._spans)
            self._spans, self._requests = [], []
        return request


def descriptors(sidecar):
    """How many it has open."""
    return len(os.listdir(f"/proc/{sidecar.pid}/fd"))


def wait_empty(sidecar):
    """Wait until no client is there, no span is open, and none is on its way; a scrape."""

    def empty():
        page = sidecar.metrics()
        found = counters(page)
        busy = {name: found[name] for name in ("connections", "open_spans", "pending")}
        return page if not any(busy.values()) else None

    return wait_for(empty, lambda: f"it to be empty: {sidecar.counters()}\n{sidecar.log()}", 120)


def check(page, clients, collector):
    """Every span that was sent is where it belongs; how many there were."""
    for service, expected in clients.expected.items():
        found = check_ledger(page, service_name=service)
        assert {name: found[name] for name in expected} == expected, service
    found = check_ledger(page)
    # What a client that resumes will send again is dropped on purpose; nothing else is.
    lost = {cause: found[cause] for cause in DROPS if cause != "dropped_resumed" and found[cause]}
    assert not lost
    assert collector.accepted == found["acknowledged"]
    return found


def soak(start_sidecar, rounds, **keywords):
    """Rounds of all clients; [(spans so far, KiB of RSS)] after each."""
    measured = []
    with Tally() as collector:
        environment = {
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_METRIC_EXPORT_INTERVAL": "5000",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "600000",  # a request that is held is not given up
            # What is freed goes back to the kernel: else a leak would hide in the room that the
            # fullest queue has left.
            "MALLOC_MMAP_THRESHOLD_": "8192",
            "MALLOC_TRIM_THRESHOLD_": "0",
        }
        sidecar = start_sidecar(collector=collector, env=environment, **keywords)
        clients = Clients(sidecar, random.Random(1))
        clients.spread()
        wait_empty(sidecar)
        at_start = descriptors(sidecar)
        # The first round's spans are all in the queue at once.
        collector.script(*[Answer.hold()] * IN_FLIGHT)
        for _ in range(rounds):
            clients.run()
            collector.release()
            found = check(wait_empty(sidecar), clients, collector)
            wait_for(
                lambda: descriptors(sidecar) <= at_start,
                lambda: f"{at_start} descriptors, there are {descriptors(sidecar)}",
            )
            collector.script(*[Answer.grpc("UNAVAILABLE", retry_after=0.1)] * 3)
            measured.append((found["started"], sidecar.rss_kib()))
        assert found["abandoned_evicted"] > 0 and found["bad_too_many_strings"] >= rounds
        sidecar.terminate()
    return measured


def report(title, measured, seconds):
    """Lines for the figures."""
    spans, sizes = measured[-1][0], ", ".join(f"{size / 1024:.1f}" for _, size in measured)
    return f"{title}: {spans:,.0f} spans in {seconds:.0f} s; RSS after each round, MiB: {sizes}"


def test_memory_and_descriptors_do_not_grow(start_sidecar, figures):
    """Whatever clients do, however they end; every span of theirs arrives at the Collector, once."""
    begin = time.monotonic()
    measured = soak(start_sidecar, WARM + 7 * SOAK)
    figures(report("sidecard's soak", measured, time.monotonic() - begin))
    warm = max(size for _, size in measured[:WARM])
    assert min(size for _, size in measured[-3:]) <= warm + GROWTH_KIB, measured


def test_sanitizers_find_nothing(start_sidecar, figures):
    """The same under AddressSanitizer and UBSan, and no leak at the end."""
    subprocess.run(
        ["make", "-s", "FLAVOUR=asan", "build/asan/sidecard"], cwd=ROOT, check=True, timeout=600
    )
    begin = time.monotonic()
    measured = soak(start_sidecar, 3 * SOAK, flavour="asan")
    figures(report("sidecard's soak under ASan", measured, time.monotonic() - begin))
