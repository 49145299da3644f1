"""Rate, errors, duration: histograms that spans make by themselves."""

import math

import pytest

from lib import peer as wire

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, math.inf)
MS = 1_000_000

HTTP = {
    "http.request.method": "GET",
    "url.scheme": "http",
    "http.route": "/v1/results",
    "http.response.status_code": 200,
}
RPC = {"rpc.system.name": "grpc", "rpc.method": "sum.S/Add", "rpc.response.status_code": "OK"}
KAFKA = {
    "messaging.system": "kafka",
    "messaging.destination.name": "sums",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
}
# Attributes that are legal on such spans and must not become labels.
NOISE = {
    "url.path": "/v1/results?user=1",
    "client.address": "10.0.0.1",
    "messaging.kafka.offset": 17,
    "user_agent.original": "curl",
}


def labels_of(attributes):
    """Label names and values of the attributes."""
    return {k.replace(".", "_"): str(v) for k, v in attributes.items()}


@pytest.mark.parametrize(
    "kind, attributes, metric",
    [
        (wire.SERVER, HTTP, "http_server_request_duration"),
        (wire.SERVER, RPC, "rpc_server_call_duration"),
        (wire.PRODUCER, KAFKA, "messaging_client_operation_duration"),
        (wire.CLIENT, KAFKA, "messaging_client_operation_duration"),
        (
            wire.CONSUMER,
            {**KAFKA, "messaging.consumer.group.name": "totalizer"},
            "messaging_process_duration",
        ),
    ],
)
def test_histogram(sidecar, kind, attributes, metric):
    with sidecar.peer() as peer:
        peer.send(wire.whole(kind=kind, took=30 * MS, attrs={**attributes, **NOISE}))
        started = wire.start(kind=kind, at=wire.now(), attrs=attributes)
        peer.send(started, wire.end(started, at=started[6] + 300 * MS))
        scrape = sidecar.settle(peer)
    labels = {"service_name": "svc", **labels_of(attributes)}
    labels.pop("messaging_system", None)
    assert scrape.families[metric].type == "histogram"
    assert {k: v for k, v in scrape.samples(metric + "_count")[0][0].items() if v} == labels
    assert scrape.value(metric + "_count", **labels) == 2
    assert math.isclose(scrape.value(metric + "_sum", **labels), 0.33)
    buckets = scrape.buckets(metric, **labels)
    assert tuple(sorted(buckets)) == BOUNDS
    assert (buckets[0.025], buckets[0.05], buckets[0.25], buckets[0.5]) == (0, 1, 1, 2)


@pytest.mark.parametrize(
    "kind, attributes",
    [
        (wire.INTERNAL, {**HTTP, **RPC, **KAFKA}),
        (wire.CLIENT, {**HTTP, **RPC}),
        (wire.SERVER, KAFKA),
        (wire.SERVER, {}),
        (wire.CONSUMER, {}),
    ],
)
def test_other_spans_make_none(sidecar, kind, attributes):
    with sidecar.peer() as peer:
        peer.send(wire.whole(kind=kind, attrs=attributes))
        names = sidecar.settle(peer).names()
    assert not [n for n in names if n.endswith("_duration_count")]


def test_producer_needs_no_system(sidecar):
    """A PRODUCER span is messaging by its kind."""
    with sidecar.peer() as peer:
        peer.send(wire.whole(kind=wire.PRODUCER))
        assert sidecar.settle(peer).total("messaging_client_operation_duration_count") == 1


def test_error_type(sidecar):
    """What the span says; _OTHER when a span in error says nothing; none on success."""
    with sidecar.peer() as peer:
        peer.send(
            wire.whole(kind=wire.SERVER, status=wire.FAILED, attrs={**HTTP, "error.type": "500"})
        )
        peer.send(wire.whole(kind=wire.SERVER, status=wire.FAILED, attrs=HTTP))
        peer.send(wire.whole(kind=wire.SERVER, attrs=HTTP))
        scrape = sidecar.settle(peer)
    counts = {
        labels.get("error_type", ""): value
        for labels, value in scrape.samples("http_server_request_duration_count")
    }
    assert counts == {"500": 1, "_OTHER": 1, "": 1}


def test_unsampled_spans_are_measured(sidecar):
    with sidecar.peer() as peer:
        peer.send(wire.whole(kind=wire.SERVER, flags=0, attrs=HTTP))
        scrape = sidecar.settle(peer)
    assert scrape.total("http_server_request_duration_count") == 1
    assert scrape.total("sidecar_spans_unsampled_total") == 1


def test_abandoned_spans_are_measured(sidecar):
    with sidecar.peer() as peer:
        peer.send(wire.start(kind=wire.SERVER, attrs=HTTP))
        sidecar.settle(peer)
    sidecar.wait_metric("http_server_request_duration_count", 1, error_type="connection_lost")


def test_resumed_spans_are_not(sidecar):
    with sidecar.peer(capabilities=["resume"]) as peer:
        peer.send(wire.start(kind=wire.SERVER, attrs=HTTP))
        peer.send_bytes(b"\xc1")
        peer.wait_closed()
    assert (
        "http_server_request_duration_count" not in sidecar.wait_counters(dropped_resumed=1).names()
    )


def test_bounds_are_inclusive(sidecar):
    with sidecar.peer() as peer:
        for took in (5 * MS, 5 * MS + 1, 10_000 * MS, 10_000 * MS + 1):
            peer.send(wire.whole(kind=wire.SERVER, took=took, attrs=HTTP))
        buckets = sidecar.settle(peer).buckets("http_server_request_duration")
    assert (buckets[0.005], buckets[0.01], buckets[7.5], buckets[10]) == (1, 2, 2, 3)


def test_label_sets_at_the_limit(sidecar):
    """2,000 label sets of a metric of a service; the rest is added up, nothing is lost."""
    metric = "http_server_request_duration_count"
    with sidecar.peer() as peer:
        for route in range(2100):
            peer.send(wire.whole(kind=wire.SERVER, attrs={**HTTP, "http.route": f"/{route}"}))
        scrape = sidecar.settle(peer)
        assert scrape.total(metric) == 2100
        assert scrape.value(metric, otel_metric_overflow="true") >= 100
        assert len(scrape.samples(metric)) <= 2001
        assert sidecar.counters()["overflowed"] == scrape.value(metric, otel_metric_overflow="true")
    with sidecar.peer("other") as peer:
        peer.send(wire.whole(kind=wire.SERVER, attrs={**HTTP, "http.route": "/2099"}))
        assert sidecar.settle(peer).value(metric, service_name="other", http_route="/2099") == 1
