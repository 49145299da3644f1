"""What stands around the services in a demo: a broker in memory and a sink, or the real parts.

Both kinds have the same attributes and functions; the demo knows no other difference.
"""

import time

import backends
import figures
from realstack import RealStack
from stack import Stack

# The embedded broker keeps the last 5 MiB of a partition, and a message takes 280 bytes of it when
# it comes alone: 12 partitions hold 220,000. The load ends well before the first is forgotten: an
# exact total of a log with its head missing cannot be checked by anybody.
EMBEDDED_CALLS = 150_000


def _address(ports, name, path=""):
    return f"http://localhost:{ports[name]}{path}"


def _services(ports):
    """What there is to open in either world."""
    return [
        (_address(ports, "ADDER_METRICS", "/metrics"), "adder's sidecar"),
        (_address(ports, "TOTALIZER_METRICS", "/metrics"), "totalizer's sidecar"),
        (_address(ports, "TOTALIZER", "/v1/results"), "the total"),
        (f"localhost:{ports['ADDER_GRPC']}", "adder: build/release/adder-call 2 3"),
    ]


class Embedded:
    """A Kafka broker in memory, and a sink that plays the Collector."""

    stack = Stack
    starting = "starting broker, sink, adder, totalizer and their sidecars"
    ready_seconds = 60
    settle_seconds = 30
    calls_max = EMBEDDED_CALLS
    load_ended = "load ended: the broker keeps 5 MiB a partition"
    status = staticmethod(figures.sink_status)

    @staticmethod
    def addresses(ports):
        """[(address, what it is)]"""
        sink = (_address(ports, "OTLP_HTTP", "/status"), "what arrived at the sink")
        return [*_services(ports)[:3], sink, *_services(ports)[3:]]

    @staticmethod
    def judge(_):
        """[(good, sentence)] beside what verdict.py finds."""
        return []


class Real:
    """Apache Kafka, the Collector, Jaeger, Prometheus and Alertmanager."""

    stack = RealStack
    starting = "starting Apache Kafka, Jaeger, Alertmanager, Collector, the services and Prometheus"
    ready_seconds = 240
    settle_seconds = 60
    calls_max = 100_000_000
    load_ended = "load ended"
    status = staticmethod(backends.status)

    @staticmethod
    def addresses(ports):
        """[(address, what it is)]. dev/parts builds the programs without their web pages."""
        trace = "/api/traces?service=adder&limit=1"
        return [
            *_services(ports),
            (_address(ports, "JAEGER", trace), "Jaeger: a trace"),
            (_address(ports, "PROMETHEUS", "/api/v1/alerts"), "Prometheus: alerts"),
            (_address(ports, "ALERTMANAGER", "/api/v2/alerts"), "Alertmanager: what fires"),
            (_address(ports, "COLLECTOR_METRICS", "/metrics"), "metrics through the Collector"),
            (f"localhost:{ports['BROKER']}", "Apache Kafka, topic sums"),
        ]

    @staticmethod
    def judge(ports):
        """[(good, sentence)] beside what verdict.py finds; waits a few scrapes for a bad one."""
        deadline = time.monotonic() + 30
        judged = backends.judge(ports)
        while not all(good for good, _ in judged) and time.monotonic() < deadline:
            time.sleep(1.0)
            judged = backends.judge(ports)
        return judged
