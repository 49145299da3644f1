"""OTLP JSON as the Collector's file exporter writes it, decoded by the official package."""

import base64
import json

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from lib.collector import Span, plain
from lib.wait import wait_for

_IDS = ("traceId", "spanId", "parentSpanId")


def _standard(node):
    """The same in protobuf's own JSON, whose bytes are base64 and not hex."""
    if isinstance(node, list):
        return [_standard(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode() if key in _IDS else _standard(value)
        for key, value in node.items()
    }


def spans(request):
    """Every lib.collector.Span of a decoded line of traces."""
    message = json_format.ParseDict(
        _standard(request), trace_service_pb2.ExportTraceServiceRequest()
    )
    return [
        Span(raw, plain(part.resource.attributes), scoped.scope)
        for part in message.resource_spans
        for scoped in part.scope_spans
        for raw in scoped.spans
    ]


def metrics(request):
    """Every metric of a decoded line of metrics: [(resource, Metric)]."""
    message = json_format.ParseDict(
        _standard(request), metrics_service_pb2.ExportMetricsServiceRequest()
    )
    return [
        (plain(part.resource.attributes), metric)
        for part in message.resource_metrics
        for scoped in part.scope_metrics
        for metric in scoped.metrics
    ]


class Written:
    """What a RealCollector has written of a signal since this was made, each line decoded once."""

    def __init__(self, collector, signal="traces"):
        self._collector, self._path = collector, collector.folder / f"{signal}.jsonl"
        self._decode = spans if signal == "traces" else metrics
        # A line that is half written, by the last words of another test's sidecar, is still read.
        self._at = self._path.read_bytes().rfind(b"\n") + 1 if self._path.exists() else 0
        self._found = []

    def found(self):
        """All of it so far."""
        if self._path.exists():
            with open(self._path, "rb") as file:
                file.seek(self._at)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._at += len(whole)
            for line in whole.splitlines():
                self._found += self._decode(json.loads(line))
        return self._found

    def wait(self, count, timeout=60):
        """Wait for so many and return them; more are wrong."""
        wait_for(
            lambda: len(self.found()) >= count,
            lambda: f"{count}, there are {len(self._found)}:\n{self._collector.log()}",
            timeout,
        )
        assert len(self._found) == count
        return self._found
