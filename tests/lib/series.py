"""The protocol as a model: what a sample does to the series of one service (see lib.session)."""

import collections
import re

COUNTER, UPDOWN, GAUGE, HISTOGRAM = range(4)
LATENCY = "kafka_message_delivery_latency"
LATENCY_BOUNDS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
SECONDS_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
DEFAULT_BOUNDS = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)

_PREFIXES = ("kafka_", "sidecar_", "process_")
_RED = (
    "http_server_request_duration",
    "rpc_server_call_duration",
    "messaging_client_operation_duration",
    "messaging_process_duration",
)


def exposed_name(name, counter=False):
    """A metric's name on /metrics."""
    mapped = re.sub(r"_+", "_", re.sub(r"[^a-zA-Z0-9_:]", "_", name))
    mapped = "_" + mapped if mapped[:1].isdigit() else mapped
    if counter and not mapped.endswith("_total"):
        return mapped.rstrip("_") + "_total"
    return mapped


def _label(value):
    """An attribute's value as a label's."""
    kind, plain = next(iter(value.items()))
    if kind == "bool":
        return "true" if plain else "false"
    return plain


class Meter:
    """The series of one service."""

    def __init__(self):
        self.service = ""
        self._counts = collections.Counter()
        self._known = {}

    def samples(self):
        """{(name, labels as sorted pairs): value}."""
        return dict(self._counts)

    def _key(self, name, labels):
        return name, tuple(sorted({"service_name": self.service, **labels}.items()))

    def _add(self, name, value=1, **labels):
        self._counts[self._key(name, labels)] += value

    def _grow(self, name, count, **labels):
        key = self._key(name, labels)
        self._counts[key] = min(self._counts[key] + count, 2**63 - 1)

    def _observe(self, name, bounds, value, **labels):
        for bound in (*bounds, float("inf")):
            self._add(name + "_bucket", int(value <= bound), le=str(float(bound)), **labels)
        self._add(name + "_sum", value, **labels)
        self._add(name + "_count", **labels)

    def produced(self, topic, count):
        """PRODUCED."""
        self._grow("kafka_messages_produced_total", count, topic=topic)

    def consumed(self, topic, produced_at, consumed_at):
        """CONSUMED; produced_at None: no latency."""
        self._add("kafka_messages_consumed_total", topic=topic)
        if produced_at is not None:
            if consumed_at < produced_at:
                self._add("kafka_message_clock_skew_total", topic=topic)
            self._observe(
                LATENCY, LATENCY_BOUNDS, max(0, consumed_at - produced_at) / 1e6, topic=topic
            )

    def error(self, side, topic, error_type, count):
        """ERROR; side 0 is the producer."""
        name = ("kafka_producer_errors_total", "kafka_consumer_errors_total")[side]
        self._grow(name, count, topic=topic, error_type=error_type)

    def measure(self, kind, name, unit, value, attrs):
        """MEASURE: None, or the cause for which it is refused."""
        exposed = exposed_name(name, kind == COUNTER)
        if exposed.startswith(_PREFIXES) or exposed_name(name) in _RED:
            return "reserved_name"
        instrument = (name, kind, unit)
        if any(self._known.get(key, instrument) != instrument for key in (name, exposed)):
            return "instrument_conflict"
        self._known[name] = self._known[exposed] = instrument
        labels = {re.sub(r"\W", "_", key): _label(v) for key, v in attrs.items()}
        if kind == COUNTER:
            self._add(exposed, value, **labels)
        elif kind == HISTOGRAM:
            self._observe(
                exposed, SECONDS_BOUNDS if unit == "s" else DEFAULT_BOUNDS, value, **labels
            )
        return None
