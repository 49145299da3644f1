"""MEASURE: a service's own instruments."""

import math

import pytest

from lib import peer as wire

COUNTER, UPDOWN, GAUGE, HISTOGRAM = range(4)


def measure(kind, name, value, unit=None, attrs=None):
    """A MEASURE event."""
    return [wire.MEASURE, kind, name, unit, value, attrs]


def test_gauge_and_updown_belong_to_their_connection(sidecar):
    with sidecar.peer() as one:
        two = sidecar.peer()
        one.send(measure(UPDOWN, "jobs.open", 5), measure(GAUGE, "heat", 20.5))
        sidecar.settle(one)
        two.send(measure(UPDOWN, "jobs.open", 3), measure(UPDOWN, "jobs.open", -1))
        scrape = sidecar.settle(two)
        assert scrape.total("jobs_open") == 7
        assert scrape.families["jobs_open"].type == "gauge"
        assert scrape.value("heat") == 20.5
        two.close()
        scrape = sidecar.wait_counters(connections=1)
        assert scrape.total("jobs_open") == 5 and scrape.value("heat") == 20.5
    scrape = sidecar.wait_counters(connections=0)
    assert not scrape.samples("jobs_open") and not scrape.samples("heat")


def test_gauge_last_value_stands(sidecar):
    with sidecar.peer() as peer:
        peer.send(measure(GAUGE, "heat", 1), measure(GAUGE, "heat", -3, attrs={"room": "a"}))
        peer.send(measure(GAUGE, "heat", 2))
        scrape = sidecar.settle(peer)
        assert scrape.value("heat", room="a") == -3
        assert scrape.total("heat") == -1


def test_counters_and_histograms_survive_their_connection(sidecar):
    for _ in range(2):
        with sidecar.peer() as peer:
            peer.send(measure(COUNTER, "jobs", 2), measure(HISTOGRAM, "wait", 0.5, "s"))
            sidecar.settle(peer)
    scrape = sidecar.metrics()
    assert scrape.value("jobs_total") == 4
    assert scrape.value("wait_count") == 2
    assert scrape.families["wait"].type == "histogram"


def test_conflict_over_connections(sidecar):
    """The first kind and unit of a name win within the service, also over its later connections."""
    with sidecar.peer() as peer:
        peer.send(measure(COUNTER, "x", 1, "s"))
        sidecar.settle(peer)
    with sidecar.peer() as peer, sidecar.peer("other") as other:
        peer.send(measure(GAUGE, "x", 1, "s"), measure(COUNTER, "x", 1, "s"))
        assert sidecar.settle(peer).value("x_total", service_name="svc") == 2
        assert sidecar.counters()["refused_instrument_conflict"] == 1
        other.send(measure(COUNTER, "x", 1, "ms"))
        assert sidecar.settle(other).value("x_total", service_name="other") == 1


def test_services_disagree_on_a_kind(sidecar):
    """Two services may use one name for two kinds; the page must stay well-formed."""
    with sidecar.peer("one") as one, sidecar.peer("two") as two:
        one.send(measure(GAUGE, "size", 1))
        sidecar.settle(one)
        two.send(measure(HISTOGRAM, "size", 1))
        sidecar.settle(two)


def test_two_services_never_share_a_series(sidecar):
    with sidecar.peer("a") as one, sidecar.peer("a", {"service.namespace": "n"}) as two:
        one.send(measure(COUNTER, "c", 1))
        sidecar.settle(one)
        two.send(measure(COUNTER, "c", 10))
        scrape = sidecar.settle(two)
        assert sorted(value for _, value in scrape.samples("c_total")) == [1, 10]


@pytest.mark.parametrize(
    "text", ['say "x"', "back\\slash", "new\nline", "tab\t", "\u20ac\U0001f600", ""]
)
def test_label_values_are_escaped(sidecar, text):
    with sidecar.peer() as peer:
        peer.send(measure(COUNTER, "c", 1, attrs={"k": text, "other": "x"}))
        labels, value = sidecar.settle(peer).samples("c_total")[0]
        assert labels.get("k", "") == text and labels["other"] == "x" and value == 1


@pytest.mark.parametrize(
    "attributes, label, value",
    [
        ({"a.b-c": 1}, "a_b_c", "1"),
        ({"ok": True}, "ok", "true"),
        ({"no": False}, "no", "false"),
        ({"i": -7}, "i", "-7"),
        ({"d": 0.5}, "d", "0.5"),
        ({"1st": "x"}, "key_1st", "x"),
    ],
)
def test_labels(sidecar, attributes, label, value):
    with sidecar.peer() as peer:
        peer.send(measure(COUNTER, "c", 1, attrs=attributes))
        labels, _ = sidecar.settle(peer).samples("c_total")[0]
        assert labels[label] == value


def test_labels_that_collide(sidecar):
    """Two keys that become one label, or ours: the page still holds each label once."""
    with sidecar.peer() as peer:
        peer.send(measure(COUNTER, "c", 1, attrs={"a.b": "1", "a_b": "2"}))
        peer.send(measure(COUNTER, "d", 1, attrs={"service.name": "not me"}))
        peer.send(measure(HISTOGRAM, "h", 1, attrs={"le": "mine"}))
        scrape = sidecar.settle(peer)
        labels, _ = scrape.samples("c_total")[0]
        assert "1" in labels["a_b"] and "2" in labels["a_b"]
        assert scrape.value("d_total", service_name="svc", exported_service_name="not me") == 1
        assert scrape.value("h_count", exported_le="mine") == 1
        assert scrape.buckets("h", exported_le="mine")[math.inf] == 1


@pytest.mark.parametrize(
    "value", [0.1, 1e-300, 1e300, 123456789.125, 2**53, 5e-324, 1.7976931348623157e308]
)
def test_values_round_trip(sidecar, value):
    with sidecar.peer() as peer:
        peer.send(measure(GAUGE, "g", float(value)))
        assert sidecar.settle(peer).value("g") == value


def test_sums_stay_finite_or_say_infinity(sidecar):
    """Adding up the largest doubles overflows to +Inf, which the text format has a word for."""
    with sidecar.peer() as peer:
        peer.send(*(measure(COUNTER, "c", 1.7e308) for _ in range(3)))
        assert sidecar.settle(peer).value("c_total") == math.inf


def test_instruments_at_the_limit(sidecar):
    """256 instruments of a service; one more is refused and counted."""
    with sidecar.peer() as peer:
        peer.send(*(measure(COUNTER, f"c{i}", 1) for i in range(256)))
        sidecar.settle(peer)
        assert sidecar.counters()["refused_series_full"] == 0
        peer.send(measure(COUNTER, "c256", 1), measure(COUNTER, "c255", 1))
        scrape = sidecar.settle(peer)
        assert scrape.value("c255_total") == 2 and "c256_total" not in scrape.names()
        assert sidecar.counters()["refused_series_full"] == 1


def test_over_otlp(start_sidecar, collector):
    """Instruments reach the Collector with their kinds, units and attributes."""
    sidecar = start_sidecar(collector=collector)
    with sidecar.peer("svc") as peer:
        peer.send(
            measure(COUNTER, "jobs.done", 3, "{job}", {"queue": "a"}),
            measure(GAUGE, "heat", 1.5, "Cel"),
            measure(UPDOWN, "jobs.open", -2),
            measure(HISTOGRAM, "wait", 0.3, "s"),
        )
        sidecar.settle(peer)
        counter = collector.wait_for_point("jobs.done", queue="a")
        gauge = collector.wait_for_point("heat")
        updown = collector.wait_for_point("jobs.open")
        histogram = collector.wait_for_point("wait")
    assert number(counter) == 3 and number(gauge) == 1.5 and number(updown) == -2
    assert histogram.count == 1 and histogram.sum == 0.3
    assert len(histogram.bucket_counts) == len(histogram.explicit_bounds) + 1 == 15
    assert counter.start_time_unix_nano and counter.time_unix_nano >= counter.start_time_unix_nano
    _, metric = collector.metrics("jobs.done")[-1]
    assert metric.unit == "{job}" and metric.sum.is_monotonic
    assert metric.sum.aggregation_temporality == 2
    _, metric = collector.metrics("jobs.open")[-1]
    assert metric.WhichOneof("data") == "sum" and not metric.sum.is_monotonic
    resource, metric = collector.metrics("heat")[-1]
    assert metric.unit == "Cel" and metric.WhichOneof("data") == "gauge"
    assert resource["service.name"] == "svc" and resource["service.instance.id"]


def number(point):
    """The value of a number data point."""
    return getattr(point, point.WhichOneof("value"))
