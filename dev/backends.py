"""What arrived at the real parts, asked through the APIs that their own pages use.

Standard library only.
"""

import collections
import json
import math
import urllib.parse

import dashboard
from scrape import Page
from stack import http_get

RPC = "sum.SumNumbersService/SumNumbers"
QUANTILES = ("P50", "P95", "P99")


def ask(port, path, **parameters):
    """The JSON of a GET; OSError when the answer is not 200."""
    query = urllib.parse.urlencode(parameters)
    status, body = http_get(port, f"{path}?{query}" if query else path, timeout=10)
    if status != 200:
        raise OSError(f"{path}: {status}: {body[:300].decode(errors='replace')}")
    return json.loads(body)


def prometheus(port, expression):
    """An instant query: [(labels, value)]."""
    answer = ask(port, "/api/v1/query", query=expression)
    return [(row["metric"], float(row["value"][1])) for row in answer["data"]["result"]]


def jaeger_trace(port, trace_id):
    """The spans of one trace as Jaeger has them, [] when it knows none."""
    try:
        found = ask(port, f"/api/traces/{trace_id}")["data"]
    except OSError as error:
        if ": 404:" in str(error):
            return []
        raise
    return _spans(found[0]) if found else []


def jaeger_otlp(port, trace_id):
    """The spans of one trace as OTLP JSON, which has all that was sent: parents beside links."""
    found = ask(port, f"/api/v3/traces/{trace_id}")["result"]
    return [
        span
        for batch in found["resourceSpans"]
        for scope in batch["scopeSpans"]
        for span in scope["spans"]
    ]


def jaeger_traces(port, service, limit=20):
    """The newest traces with a span of that service, each a list of spans."""
    found = ask(port, "/api/traces", service=service, limit=limit)["data"]
    return [_spans(trace) for trace in found]


def _spans(trace):
    """Jaeger's JSON as plain dicts; parent: a span id or None.

    Of a parent that is also linked to, this API tells the link (FOLLOWS_FROM) only; Jaeger's page
    draws the span below it all the same, and so do we.
    """
    spans = []
    for span in trace["spans"]:
        tags = {tag["key"]: tag["value"] for tag in span["tags"]}
        parents = [r for r in span["references"] if r["traceID"] == span["traceID"]]
        parents.sort(key=lambda r: r["refType"] != "CHILD_OF")
        spans.append(
            {
                "trace_id": span["traceID"],
                "span_id": span["spanID"],
                "parent": parents[0]["spanID"] if parents else None,
                "service": trace["processes"][span["processID"]]["serviceName"],
                "name": span["operationName"],
                "kind": tags.get("span.kind"),
                "tags": tags,
                "start_us": span["startTime"],
                "duration_us": span["duration"],
            }
        )
    return sorted(spans, key=lambda s: s["start_us"])


def chain(spans):
    """(RPC server span, send, process) when each is the parent of the next, and the first is the
    child of a caller elsewhere; None when they are not."""
    by_name = {span["name"]: span for span in spans}
    found = tuple(by_name.get(name) for name in (RPC, "send sums", "process sums"))
    if None in found:
        return None
    server, send, process = found
    ids = {span["span_id"] for span in spans}
    linked = send["parent"] == server["span_id"] and process["parent"] == send["span_id"]
    return found if linked and server["parent"] and server["parent"] not in ids else None


def status(ports):
    """The Collector's and Jaeger's side, in the form of the sink's /status; None: no answer."""
    try:
        code, body = http_get(ports["COLLECTOR_SELF"], "/metrics")
        page = Page(body.decode()) if code == 200 else None
        traces = jaeger_traces(ports["JAEGER"], "adder")
    except (OSError, ValueError):
        return None
    if page is None:
        return None
    services = collections.defaultdict(collections.Counter)
    for span in (span for spans in traces for span in spans):
        services[span["service"]][span["name"]] += 1
    whole = next((spans for spans in traces if chain(spans)), None)
    return {
        "name": "Collector",
        "spans": int(page.total("otelcol_receiver_accepted_spans")),
        "duplicates": None,
        "metric_points": int(page.total("otelcol_receiver_accepted_metric_points")),
        "services": services,
        "trace": _bars(whole) if whole else None,
    }


def _bars(spans):
    """A trace as the view draws it."""
    ids = {span["span_id"]: span for span in spans}

    def depth(span):
        steps = 0
        while span["parent"] in ids and steps < len(spans):
            span, steps = ids[span["parent"]], steps + 1
        return steps

    first = spans[0]["start_us"]
    return {
        "trace_id": spans[0]["trace_id"],
        "spans": [
            {
                "service": span["service"],
                "name": span["name"],
                "depth": depth(span),
                "offset_us": span["start_us"] - first,
                "duration_us": span["duration_us"],
            }
            for span in spans
        ],
    }


def judge(ports):
    """[(good, sentence)] about the trace in Jaeger and the percentiles in Prometheus."""
    return [_judge_trace(ports), _judge_percentiles(ports)]


def _judge_trace(ports):
    try:
        traces = jaeger_traces(ports["JAEGER"], "totalizer")
    except OSError as error:
        return False, f"Jaeger: {error}"
    whole = next((spans for spans in traces if chain(spans)), None)
    if whole is None:
        return False, f"Jaeger: no whole trace among {len(traces)}"
    names = ", ".join(span["name"].rsplit("/", 1)[-1] for span in chain(whole))
    return True, f"Jaeger: trace {whole[0]['trace_id']} has {names} under its caller"


def _judge_percentiles(ports):
    found = {}
    try:
        for legend, expression in dashboard.queries("message-flow", "Delivery latency").items():
            for _, value in prometheus(ports["PROMETHEUS"], expression):
                found[legend.split()[0]] = value
    except OSError as error:
        return False, f"Prometheus: {error}"
    words = ", ".join(f"{name} {found.get(name, math.nan):.2f} ms" for name in QUANTILES)
    good = all(math.isfinite(found.get(name, math.nan)) for name in QUANTILES)
    return good, f"Prometheus: {words}, by the dashboard's queries"
