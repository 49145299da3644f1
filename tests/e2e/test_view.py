"""The demo's own arithmetic and screen: pure, so tried without anything running."""

import dataclasses
import math
import random
import re
import types

import figures
import pytest
import scrape
import verdict
import view

BOUNDS = [1, 5, 10, 25, 50, 100, 250, 500, 1000, math.inf]
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def histogram(values):
    """Cumulative buckets over BOUNDS."""
    return [(bound, sum(v <= bound for v in values)) for bound in BOUNDS]


@pytest.mark.parametrize(
    "buckets, q, expected",
    [
        ([], 0.5, math.nan),
        ([(1, 0), (math.inf, 0)], 0.5, math.nan),
        ([(1, 10), (math.inf, 10)], 0.5, 0.5),
        ([(1, 10), (2, 10), (math.inf, 10)], 1.0, 1.0),
        ([(1, 0), (2, 10), (math.inf, 10)], 0.5, 1.5),
        ([(1, 1), (2, 1), (4, 2), (math.inf, 2)], 0.75, 3.0),
        ([(1, 0), (2, 0), (math.inf, 4)], 0.99, 2),
    ],
)
def test_quantile(buckets, q, expected):
    assert scrape.quantile(q, buckets) == pytest.approx(expected, nan_ok=True)


def test_quantile_lies_in_the_bucket_of_the_true_one():
    source = random.Random(1)
    for _ in range(200):
        values = [source.lognormvariate(2, 1.5) for _ in range(source.randint(1, 300))]
        for q in (0.5, 0.95, 0.99):
            true = sorted(values)[math.ceil(q * len(values)) - 1]
            upper = next(b for b in BOUNDS if true <= b)
            lower = max([b for b in BOUNDS if b < upper], default=0)
            found = scrape.quantile(q, histogram(values))
            assert lower <= found <= (upper if math.isfinite(upper) else lower)


def test_page():
    page = scrape.Page(
        '# TYPE a counter\na{x="1",y="q\\"u\\\\o\\nte"} 2\na{x="2"} 3 1700000000\nb +Inf\n'
    )
    assert page.total("a") == 5 and page.total("a", x="1") == 2 and page.total("c") == 0
    assert page.find("a", x="1")[0][0]["y"] == 'q"u\\o\nte'
    assert page.highest("b") == math.inf and page.highest("c") is None
    with pytest.raises(ValueError):
        scrape.Page("not a sample\n")


def test_since_takes_a_fall_for_a_restart():
    newer, older = scrape.Page("a 7\nb 3\nc 1\n"), scrape.Page("a 5\nb 9\n")
    added = newer.since(older)
    assert (added.total("a"), added.total("b"), added.total("c")) == (2, 3, 1)


def ledger(**changes):
    """A closed one, with changes."""
    values = {
        "service": "adder",
        "started": 100,
        "finished": 90,
        "abandoned": 6,
        "open": 4,
        "acknowledged": 80,
        "pending": 10,
        "unsampled": 1,
        "dropped": 5,
        "events": 300,
        "gaps": 0,
        "lost": 0,
    }
    return figures.Ledger(**{**values, **changes})


WHOLE = {"started": 91, "finished": 91, "abandoned": 0, "open": 0, "acknowledged": 90, "pending": 0,
         "dropped": 0}  # fmt: skip


def test_ledger_closes():
    assert ledger().closed()
    for field in dataclasses.fields(figures.Ledger):
        if field.name not in ("service", "events", "lost"):
            assert not ledger(**{field.name: getattr(ledger(), field.name) + 1}).closed(), (
                field.name
            )


def shown(**changes):
    """Figures of a good run, with changes."""
    spans = [
        {"service": "adder", "name": "a/Sum", "depth": 0, "offset_us": 0, "duration_us": 3000},
        {"service": "totalizer", "name": "p", "depth": 9, "offset_us": 2999, "duration_us": 0},
    ]
    values = {
        "flows": [
            figures.Flow(name, 200.04, 12345678, 1)
            for name in (
                "calls answered",
                "messages produced",
                "messages consumed",
                "spans exported",
            )
        ],
        "latencies": [
            figures.Latency("delivery, topic sums", (1.0, 20.0, 300.0)),
            figures.Latency("call " + "x" * 300, (math.nan,) * 3),
        ],
        "lag": 0,
        "lag_age": 0.2,
        "ledgers": [
            ledger(**WHOLE),
            ledger(service="totalizer", **WHOLE),
        ],
        "results": {"result": 2**100, "count": 10},
        "sink": {
            "spans": 180,
            "duplicates": 0,
            "metric_points": 5,
            "services": {"adder": {"a": 90}, "totalizer": {"p": 90}},
            "trace": {"trace_id": "ab" * 16, "spans": spans},
        },
        "absent": [],
        "window": 30.0,
    }
    return figures.Figures(**{**values, **changes})


STATE = types.SimpleNamespace(
    elapsed=3725,
    load="load 200/s, 1 of 2 calls",
    addresses=[("http://localhost:9090/metrics", "adder's sidecar")] * 5,
    warnings=["adder is fatal"],
)
NOTHING = shown(
    flows=[figures.Flow(n, math.nan, 0, 0) for n in "abcd"],
    latencies=[],
    lag=None,
    lag_age=None,
    ledgers=[],
    results=None,
    sink=None,
    absent=["the sink"],
)


@pytest.mark.parametrize("given", [shown(), NOTHING], ids=["full", "nothing"])
def test_screen_fits_every_terminal(given):
    for width in range(1, 140):
        for height in (1, 5, 10, 23, 24, 30, 40, 60):
            plain = view.screen(given, STATE, width, height, False)
            assert len(plain) <= height and max(map(len, plain)) <= width
            coloured = view.screen(given, STATE, width, height, True)
            assert [ANSI.sub("", line).rstrip() for line in coloured] == plain


def test_screen_says_everything():
    text = "\n".join(view.screen(shown(), STATE, 100, 60, False))
    for word in (
        "1:02:05",
        "200.0",
        "12,345,678",
        "1.00        20.0         300",
        f"{2**100:,}",
        "both sums                     closed      closed",
        "180 spans",
        "ab" * 16,
        "adder is fatal",
        "localhost:9090",
    ):
        assert word in text, word
    assert "\x1b" not in text
    assert "both sums                       open" in "\n".join(
        view.screen(shown(ledgers=[ledger(open=5)]), STATE, 100, 60, False)
    )


def test_plain_line():
    line = view.plain(shown(), STATE)
    assert "\n" not in line and "P50/P95/P99 1.00/20.0/300 ms" in line and "ledger closed" in line
    assert "ledger not closed: adder" in view.plain(shown(ledgers=[ledger(gaps=1)]), STATE)
    assert "the sink does not answer" in view.plain(NOTHING, STATE)


LOG = verdict.Log(10, 2**100, True)
LOAD = verdict.Load(10, 10, 2**100, 0, {"OK": 10})


def failures(given=None, load=LOAD, log=LOG):
    """The first words of what the verdict finds wrong."""
    return [text.split(":")[0] for ok, text in verdict.judge(given or shown(), load, log) if not ok]


def test_verdict_accepts_a_good_run():
    assert not failures()


def test_verdict_without_a_known_outcome_compares_with_the_log_alone():
    assert not failures(load=dataclasses.replace(LOAD, total=5, unknown=1))


@pytest.mark.parametrize(
    "given, load, log, wrong",
    [
        ({"absent": ["the sink"]}, LOAD, LOG, "no answer from the sink"),
        ({}, None, LOG, "load"),
        ({}, dataclasses.replace(LOAD, acknowledged=0), LOG, "load"),
        ({}, dataclasses.replace(LOAD, total=5), LOG, "total"),
        ({}, LOAD, dataclasses.replace(LOG, total=5), "total"),
        ({}, LOAD, dataclasses.replace(LOG, count=11), "total"),
        ({}, LOAD, dataclasses.replace(LOG, whole=False), "total"),
        ({}, LOAD, dataclasses.replace(LOG, error="kcat: exit 1"), "total"),
        ({"latencies": []}, LOAD, LOG, "latency"),
        ({"ledgers": [ledger(open=5)]}, LOAD, LOG, "ledger"),
        ({"sink": {**shown().sink, "spans": 179}}, LOAD, LOG, "spans"),
        ({"sink": {**shown().sink, "services": {"adder": {"a": 180}}}}, LOAD, LOG, "spans"),
        ({"sink": {**shown().sink, "trace": None}}, LOAD, LOG, "spans"),
        ({"sink": {**shown().sink, "duplicates": 1}}, LOAD, LOG, "spans"),
        ({"ledgers": [ledger(**{**WHOLE, "started": 92, "abandoned": 1})]}, LOAD, LOG, "spans"),
        ({"ledgers": [ledger(**{**WHOLE, "acknowledged": 80, "dropped": 10})]}, LOAD, LOG, "spans"),
        ({"ledgers": [ledger(**WHOLE, lost=1)]}, LOAD, LOG, "spans"),
    ],
)
def test_verdict_finds(given, load, log, wrong):
    assert wrong in failures(shown(**given), load, log)


def test_verdict_wants_finite_percentiles_and_a_rate():
    unmeasured = figures.Latency("delivery, topic sums", (1.0, 2.0, math.nan))
    assert failures(shown(latencies=[unmeasured])) == ["latency"]
    still = [dataclasses.replace(flow, rate=0.0) for flow in shown().flows]
    assert failures(shown(flows=still)) == ["latency"]


def test_load_report():
    line = '{"calls":3,"ok":2,"unknown":1,"sum":99999999999999999999,"codes":{"OK":2}}'
    assert verdict.read_load(f"warning\n{line}\n").total == 99999999999999999999
    assert verdict.read_load("") is None and verdict.read_load("{}\n[]\n") is None
