"""What the view shows, computed from what the programs answer over HTTP.

    history = History()
    history.add(take(ports))
    figures = history.figures()

Standard library only.
"""

import collections
import dataclasses
import json
import math
import time

from scrape import Page
from stack import TOPIC, http_get

RATE_SECONDS = 5  # a rate is what was added over this long
QUANTILE_SECONDS = 30  # percentiles are those of this long
QUANTILES = (0.50, 0.95, 0.99)
# (name of the histogram, the label that tells its series apart, what to call them, factor to ms)
LATENCIES = (
    ("kafka_message_delivery_latency", "topic", "delivery, topic {}", 1),
    ("rpc_server_call_duration", "rpc_method", "call {}", 1000),
    ("messaging_client_operation_duration", "messaging_destination_name", "send {}", 1000),
    ("messaging_process_duration", "messaging_destination_name", "process {}", 1000),
)


@dataclasses.dataclass
class Sample:
    """Everything at one instant; None where nobody answered."""

    at: float
    pages: dict  # {"adder": Page or None, "totalizer": ...}
    results: dict = None
    sink: dict = None


@dataclasses.dataclass
class Flow:
    """One kind of thing that moves: how many a second, in all, and how many failed."""

    name: str
    rate: float
    total: float
    errors: float


@dataclasses.dataclass
class Latency:
    """P50, P95 and P99 in ms; NaN where nothing was measured.

    Below the histogram's first bound a quantile is a guess, which the view does not print.
    """

    name: str
    quantiles: tuple
    first_bound: float = 0.0


@dataclasses.dataclass
class Ledger:
    """One service's spans as its sidecar accounts for them."""

    service: str
    started: float
    finished: float
    abandoned: float
    open: float
    acknowledged: float
    pending: float
    unsampled: float
    dropped: float
    events: float  # received from the service
    gaps: float  # that the service says it sent and that did not arrive
    lost: float  # that the service's library could not send

    def closed(self):
        """Both sums of the ledger hold, and every event that was sent was received."""
        ended = self.finished + self.abandoned
        return (
            self.started == ended + self.open
            and ended == self.acknowledged + self.pending + self.unsampled + self.dropped
            and self.gaps == 0
        )


@dataclasses.dataclass
class Figures:
    """Everything the view shows."""

    flows: list
    latencies: list
    lag: float  # messages; None: nothing assigned
    lag_age: float  # s
    ledgers: list
    results: dict
    sink: dict
    absent: list  # who did not answer
    window: float  # s that the percentiles cover


def _json(port, path):
    try:
        status, body = http_get(port, path)
        return json.loads(body) if status == 200 else None
    except (OSError, ValueError):
        return None


def _page(port):
    try:
        status, body = http_get(port, "/metrics")
        return Page(body.decode()) if status == 200 else None
    except OSError:
        return None


def sink_status(ports):
    """What arrived at the sink; None: no answer."""
    return _json(ports["OTLP_HTTP"], "/status")


def take(ports, status=sink_status):
    """Ask everybody once. status(ports): what arrived at the Collector, in the form of dev/sink."""
    return Sample(
        at=time.monotonic(),
        pages={name: _page(ports[f"{name.upper()}_METRICS"]) for name in ("adder", "totalizer")},
        results=_json(ports["TOTALIZER"], "/v1/results"),
        sink=status(ports),
    )


def read_ledger(service, page):
    """The service's ledger on its sidecar's page."""

    def total(name):
        return page.total(f"sidecar_spans_{name}", service_name=service)

    return Ledger(
        service=service,
        started=total("started_total"),
        finished=total("finished_total"),
        abandoned=total("abandoned_total"),
        open=total("live"),
        acknowledged=total("acknowledged_total"),
        pending=total("pending"),
        unsampled=total("unsampled_total"),
        dropped=total("dropped_total"),
        events=page.total("sidecar_events_received_total"),
        gaps=page.total("sidecar_ledger_gaps_total"),
        lost=page.total("sidecar_client_dropped_total", service_name=service),
    )


class History:
    """The samples of the last while, and the figures they give."""

    def __init__(self):
        self._first = None
        self._samples = collections.deque()

    def add(self, sample):
        """Append one; what is too old to matter goes."""
        self._first = self._first or sample
        self._samples.append(sample)
        while sample.at - self._samples[0].at > QUANTILE_SECONDS:
            self._samples.popleft()

    def _ago(self, seconds):
        """The newest sample at least that old, else the oldest there is."""
        newest = self._samples[-1]
        best = self._samples[0]
        for sample in self._samples:
            if newest.at - sample.at >= seconds:
                best = sample
        return best

    def figures(self, whole=False):
        """Of now. whole: rates and percentiles are those of everything since the first sample."""
        newest = self._samples[-1]
        recent = self._first if whole else self._ago(RATE_SECONDS)
        window = self._first if whole else self._samples[0]
        added = {name: _since(newest, recent, name) for name in newest.pages}
        spread = {name: _since(newest, window, name) for name in newest.pages}
        total = {name: page or Page() for name, page in newest.pages.items()}
        seconds = newest.at - recent.at
        lag = [page.find("kafka_consumer_lag") for page in total.values()]
        return Figures(
            flows=_flows(total, added, seconds),
            latencies=_latencies(spread),
            lag=sum(v for found in lag for _, v in found) if any(lag) else None,
            lag_age=total["totalizer"].highest("kafka_consumer_lag_age"),
            ledgers=[read_ledger(name, page) for name, page in total.items()],
            results=newest.results,
            sink=newest.sink,
            absent=[f"{name}'s sidecar" for name, page in newest.pages.items() if page is None]
            + (["totalizer"] if newest.results is None else [])
            + (["the sink"] if newest.sink is None else []),
            window=newest.at - window.at,
        )


def _since(newest, older, name):
    """What was added; nothing when either page is missing, for a gap is not a burst."""
    if newest.pages[name] is None or older.pages[name] is None:
        return Page()
    return newest.pages[name].since(older.pages[name])


def _flows(total, added, seconds):
    def flow(title, service, name, errors):
        where = ("adder", "totalizer") if service is None else (service,)
        rate = sum(added[w].total(name) for w in where) / seconds if seconds > 0 else math.nan
        return Flow(title, rate, sum(total[w].total(name) for w in where), errors)

    calls = total["adder"].find("rpc_server_call_duration_count")
    return [
        flow(
            "calls answered",
            "adder",
            "rpc_server_call_duration_count",
            sum(value for labels, value in calls if labels.get("error_type")),
        ),
        flow(
            "messages produced",
            "adder",
            "kafka_messages_produced_total",
            total["adder"].total("kafka_producer_errors_total"),
        ),
        flow(
            "messages consumed",
            "totalizer",
            "kafka_messages_consumed_total",
            total["totalizer"].total("kafka_consumer_errors_total"),
        ),
        flow(
            "spans exported",
            None,
            "sidecar_spans_acknowledged_total",
            sum(page.total("sidecar_spans_dropped_total") for page in total.values()),
        ),
    ]


def _latencies(spread):
    latencies = []
    for name, label, title, factor in LATENCIES:
        for page in spread.values():
            for value in page.values(f"{name}_bucket", label):
                quantiles = tuple(
                    factor * page.quantile(q, name, **{label: value}) for q in QUANTILES
                )
                first = factor * page.buckets(name, **{label: value})[0][0]
                latencies.append(Latency(title.format(value.rsplit("/", 1)[-1]), quantiles, first))
    return latencies


def delivery(figures):
    """The delivery latency of the demo's topic; None before the first message."""
    title = LATENCIES[0][2].format(TOPIC)
    return next((latency for latency in figures.latencies if latency.name == title), None)
