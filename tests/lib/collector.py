"""A fake Collector: takes OTLP over gRPC or HTTP, decodes it officially, answers as scripted.

        with Collector("grpc") as collector:
            collector.script(Answer.grpc("UNAVAILABLE"), Answer.ok())
            with Sidecar(collector=collector) as sidecar: ...
            span = collector.wait_for_span("send sums")

A script holds answers for traces requests, in turn, then Answer.ok() for ever; script_metrics()
likewise. Only what was accepted (with ok or partial) counts as spans and metrics; every request
stands in .requests. Decoding is done by the official opentelemetry-proto package.
"""

import dataclasses
import threading
import time

from lib.wait import wait_for


@dataclasses.dataclass(frozen=True)
class Answer:
    """What to answer to one request. Make it with the class methods."""

    what: str
    code: object = None
    message: str = ""
    retry_after: object = None
    rejected: int = 0
    body: bytes = b""

    @classmethod
    def ok(cls):
        """Success."""
        return cls("ok")

    @classmethod
    def partial(cls, rejected, message=""):
        """Success, but so many spans or data points were rejected (0: a warning)."""
        return cls("ok", rejected=rejected, message=message)

    @classmethod
    def grpc(cls, code, message="as scripted", retry_after=None):
        """A gRPC status by its name ("UNAVAILABLE"); retry_after: seconds, sent as RetryInfo."""
        return cls("grpc", code, message, retry_after)

    @classmethod
    def http(cls, status, retry_after=None, body=None):
        """An HTTP status; retry_after: the header's text; body: None for a google.rpc.Status."""
        return cls("http", status, retry_after=retry_after, body=body)

    @classmethod
    def garbage(cls, body=b"\xff\xff\xff\xff not protobuf"):
        """Success by its status, with a body that is no response."""
        return cls("garbage", body=body)

    @classmethod
    def hold(cls):
        """No answer until Collector.release() or close(); then success."""
        return cls("hold")

    @classmethod
    def cut(cls):
        """The request is read and the connection closed without an answer (HTTP only)."""
        return cls("cut")


@dataclasses.dataclass
class Request:
    """One export request as it arrived. message: decoded; headers: with lower-case names."""

    signal: str
    message: object
    headers: dict
    size: int
    answer: Answer
    at: float = dataclasses.field(default_factory=time.monotonic)


@dataclasses.dataclass(frozen=True)
class Span:
    """An accepted span. resource and attributes: plain dictionaries; raw: the protobuf message."""

    raw: object
    resource: dict
    scope: object

    @property
    def name(self):
        """The span's name."""
        return self.raw.name

    @property
    def attributes(self):
        """Its attributes."""
        return plain(self.raw.attributes)


def plain_value(value):
    """An AnyValue as a Python value."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain_value(v) for v in value.array_value.values]
    return getattr(value, kind) if kind else None


def plain(attributes):
    """KeyValues as a dictionary; a key that stands twice is an error."""
    keys = [a.key for a in attributes]
    assert len(keys) == len(set(keys)), f"keys are not unique: {keys}"
    return {a.key: plain_value(a.value) for a in attributes}


def _spans_of(message):
    return [
        Span(raw, plain(part.resource.attributes), scoped.scope)
        for part in message.resource_spans
        for scoped in part.scope_spans
        for raw in scoped.spans
    ]


class Store:
    """What arrived, under one lock, and what to answer next."""

    def __init__(self):
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._scripts = {"traces": [], "metrics": []}
        self._requests = []
        self._spans = []

    def script(self, *answers):
        """Append answers for the traces requests to come."""
        with self._lock:
            self._scripts["traces"].extend(answers)

    def script_metrics(self, *answers):
        """Append answers for the metrics requests to come."""
        with self._lock:
            self._scripts["metrics"].extend(answers)

    def release(self):
        """Let every held request, present and future, be answered."""
        self._released.set()

    def take(self, signal, message, headers, size):
        """A request arrived (called by the servers): what to answer."""
        headers = {k.lower(): v for k, v in headers}
        with self._lock:
            answer = self._scripts[signal].pop(0) if self._scripts[signal] else Answer.ok()
            request = Request(signal, message, headers, size, answer)
            self._requests.append(request)
            if signal == "traces" and answer.what in ("ok", "hold"):
                self._spans.extend(_spans_of(message))
        if answer.what == "hold":
            self._released.wait()
        return request

    @property
    def requests(self):
        """Every request so far."""
        with self._lock:
            return list(self._requests)

    def traces(self):
        """The requests for traces."""
        return [r for r in self.requests if r.signal == "traces"]

    def _accepted(self, signal):
        return [
            r.message
            for r in self.requests
            if r.signal == signal and r.answer.what in ("ok", "hold")
        ]

    @property
    def spans(self):
        """Every accepted span, in order of arrival."""
        with self._lock:
            return list(self._spans)

    def metrics(self, name):
        """Accepted metrics of that name, oldest first: [(resource, Metric), ...]."""
        return [
            (plain(part.resource.attributes), metric)
            for message in self._accepted("metrics")
            for part in message.resource_metrics
            for scoped in part.scope_metrics
            for metric in scoped.metrics
            if metric.name == name
        ]

    def points(self, name, **attributes):
        """The data points with at least these attributes (a dot written as "__") in the newest
        export that has that metric."""
        wanted = {k.replace("__", "."): v for k, v in attributes.items()}
        for _, metric in reversed(self.metrics(name)):
            found = [
                p
                for p in getattr(metric, metric.WhichOneof("data")).data_points
                if wanted.items() <= plain(p.attributes).items()
            ]
            if found:
                return found
        return []

    def wait_for_point(self, name, **attributes):
        """Wait for an accepted metric of that name; its newest point with these attributes."""
        return wait_for(lambda: self.points(name, **attributes), f"metric {name} {attributes}")[0]

    def wait_for_spans(self, count, timeout=10):
        """Wait for at least so many accepted spans."""
        wait_for(
            lambda: len(self.spans) >= count,
            lambda: f"{count} spans, there are {len(self.spans)}",
            timeout,
        )
        return self.spans

    def wait_for_span(self, name, timeout=10):
        """Wait for an accepted span of that name; the first one."""

        def found():
            return next((s for s in self.spans if s.name == name), None)

        return wait_for(
            found, lambda: f"span {name!r} among {[s.name for s in self.spans]}", timeout
        )

    def wait_for_requests(self, count, timeout=10):
        """Wait for at least so many requests for traces, whatever was answered; return them."""
        wait_for(
            lambda: len(self.traces()) >= count,
            lambda: f"{count} requests, there are {len(self.traces())}",
            timeout,
        )
        return self.traces()


def Collector(protocol, port=0):  # pylint: disable=invalid-name
    """A fake Collector for "grpc" or "http/protobuf", listening. .endpoint and .protocol are
    sidecard's option values; a port makes one that comes back where another one was."""
    if protocol == "grpc":
        from lib.collector_grpc import GrpcCollector as kind
    else:
        from lib.collector_http import HttpCollector as kind
    return kind(port)
