"""The dashboards of k8s/config/dashboards: their form, and what each of their queries answers.

There is no Grafana here. What it would ask, Prometheus is asked.
"""

import json
import math
import re

import dashboard
import pytest
import topic
from caller import Load

from lib.process import ROOT
from lib.wait import wait_for

NAMES = ("message-flow", "services", "sidecars")
BOARDS = {name: json.loads((dashboard.FOLDER / f"{name}.json").read_text()) for name in NAMES}
PANELS = [(name, panel) for name in NAMES for panel in BOARDS[name]["panels"]]
# A unit for everything: a number without one misleads. Grafana's names.
UNITS = {"cps", "reqps", "ms", "s", "bytes", "Bps", "percentunit", "short"}
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

each = pytest.mark.parametrize("name", NAMES)


def shown(name):
    """The panels of a dashboard that show something: all but rows."""
    return [panel for panel in BOARDS[name]["panels"] if panel["type"] != "row"]


def test_every_file_is_a_dashboard_that_is_looked_at():
    """Here, and by k8s/config/kustomization.yaml."""
    assert sorted(path.stem for path in dashboard.FOLDER.iterdir()) == sorted(NAMES)
    provisioned = (ROOT / "k8s" / "config" / "kustomization.yaml").read_text()
    for name in NAMES:
        assert f"dashboards/{name}.json" in provisioned


def test_titles_and_ids_are_unique():
    """Of dashboards, and of panels within one."""
    for key in ("uid", "title"):
        assert len({board[key] for board in BOARDS.values()}) == len(NAMES)
    for name, board in BOARDS.items():
        assert re.fullmatch(r"[a-z-]{1,40}", board["uid"])
        for key in ("id", "title"):
            values = [panel[key] for panel in board["panels"]]
            assert len(values) == len(set(values)), (name, key)


@each
def test_no_data_source_is_named(name):
    """It is a variable, for panels, queries and the other variables; nothing else names one."""
    board = BOARDS[name]
    variables = {v["name"]: v for v in board["templating"]["list"]}
    assert list(variables)[0] == "datasource"
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    for variable in variables.values():
        assert variable["label"]
        if variable["type"] == "query":
            assert variable["datasource"] == DATA_SOURCE, variable["name"]
    for panel in shown(name):
        assert panel["datasource"] == DATA_SOURCE, panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == DATA_SOURCE, panel["title"]
    assert set(re.findall(r'"uid": "([^"]*)"', json.dumps(board))) == {
        "${datasource}",
        board["uid"],
    }


@each
def test_variables_are_known_and_used(name):
    """Every $variable of a query is the dashboard's or Grafana's, and none is for nothing."""
    ours = {v["name"] for v in BOARDS[name]["templating"]["list"]}
    used = {"datasource"}
    for panel in shown(name):
        for target in panel["targets"]:
            used |= set(re.findall(r"\$\{?(\w+)", target["expr"]))
    assert used - {"__rate_interval", "__range"} == ours


@each
def test_panels_lie_side_by_side(name):
    """On Grafana's 24 columns, without gaps or overlaps."""
    taken = set()
    for panel in BOARDS[name]["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert cells and not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    assert len(taken) == 24 * (1 + max(y for _, y in taken)), "a gap"


@pytest.mark.parametrize(
    "panel", [p for _, p in PANELS if p["type"] != "row"], ids=lambda panel: panel["title"]
)
def test_panel_explains_itself(panel):
    """A sentence for people, a unit, and a legend for every line."""
    assert panel["type"] in ("timeseries", "stat", "heatmap")
    assert panel["description"].endswith("."), "a description is a sentence"
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    references = [target["refId"] for target in panel["targets"]]
    assert references and len(references) == len(set(references))
    for target in panel["targets"]:
        assert target["legendFormat"]
        # A legend shows labels that the query leaves, all of them.
        labels = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        grouped = [set(re.split(r",\s*", g)) for g in re.findall(r"by \(([^)]*)\)", target["expr"])]
        if grouped and panel["type"] == "timeseries":
            left = grouped[0] - {"le"}
            assert labels <= left, (panel["title"], labels, left)
            assert left - {"le", "partition"} <= labels, (panel["title"], labels, left)


def test_time_and_rates_have_their_units():
    """Seconds as s, milliseconds as ms, and a rate is per second."""
    unit_of = {
        "kafka_message_delivery_latency_bucket": "ms",
        "kafka_consumer_lag_age": "s",
        "rpc_server_call_duration_bucket": "s",
        "http_server_request_duration_bucket": "s",
        "sidecar_queue_bytes": "bytes",
        "sidecar_export_bytes_total": "Bps",
        "process_resident_memory_bytes": "bytes",
    }
    for metric, unit in unit_of.items():
        showing = [p for _, p in PANELS for t in p.get("targets", ()) if metric in t["expr"]]
        assert showing, metric
        assert {panel["fieldConfig"]["defaults"]["unit"] for panel in showing} == {unit}, metric
    for _, panel in PANELS:
        for target in panel.get("targets", ()):
            if target["expr"].startswith("sum by") and "(rate(" in target["expr"]:
                assert panel["fieldConfig"]["defaults"]["unit"] in (
                    "cps",
                    "reqps",
                    "Bps",
                    "percentunit",
                )


def test_what_must_be_nothing_is_red_as_soon_as_it_is_not():
    """The ledger may not add up either way; events only get lost."""
    steps = {
        panel["title"]: [
            (step["value"], step["color"])
            for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        ]
        for panel in shown("sidecars")
        if panel["type"] == "stat"
    }
    for title in ("Started, but not accounted for", "Ended, but not accounted for"):
        assert steps[title] == [(None, "red"), (0, "green"), (1, "red")]
    assert steps["Events lost on the socket"] == [(None, "green"), (1, "red")]


# ---- against the running stack


@pytest.fixture(scope="module")
def busy(real):
    """The stack while sums are added."""
    with Load(real.ports["ADDER_GRPC"], threads=2):
        yield real


def queries(name, title, path="sidecar"):
    """The panel's queries for a test's short time; path: which way the series came."""
    filled = dashboard.queries(name, title, rate_interval="20s", job=path)
    return {legend: query.replace("$__range", "1m") for legend, query in filled.items()}


def metrics_in(expression):
    """The names of the metrics in a query: words before a brace."""
    return set(re.findall(r"([a-z_][a-z0-9_]*)\{", expression))


# What nothing makes while all is well: these have no series until it happens.
QUIET = {
    "kafka_producer_errors_total",
    "kafka_consumer_errors_total",
    "kafka_message_clock_skew_total",
}


def test_queries_ask_for_metrics_that_are_exported(busy):
    """No metric in them that neither sidecar has; but errors, which show when they happen."""
    asked = set()
    for _, panel in PANELS:
        for target in panel.get("targets", ()):
            asked |= metrics_in(target["expr"])
    assert len(asked) > 25
    missing = set()

    def exported():
        assert busy.results() is not None  # HTTP has its panels too
        pages = busy.page("adder").names() | busy.page("totalizer").names()
        missing.clear()
        missing.update(asked - QUIET - pages)
        return not missing

    wait_for(exported, lambda: f"{missing} on a sidecar's /metrics", 20)


@pytest.mark.parametrize("path", ["sidecar", "collector"])
@pytest.mark.parametrize(
    "name, title",
    [(name, panel["title"]) for name, panel in PANELS if panel["type"] != "row"],
)
def test_every_query_has_an_answer(busy, name, title, path):
    """Real numbers from the real Prometheus while sums are added, whichever way they came."""
    for legend, expression in queries(name, title, path).items():
        if metrics_in(expression) & QUIET:
            busy.query(expression)  # understood; an answer comes with the first error
            continue
        wanted = set(re.findall(r"{{(\w+)}}", legend))

        def good(rows):
            busy.results()  # HTTP has its panels too
            return any(math.isfinite(value) for _, value in rows)  # NaN: a route that nobody asks

        rows = busy.wait_query(expression, f"{title}: {legend}", good, timeout=60)
        for labels, value in rows:
            assert math.isnan(value) or value >= 0, (legend, rows)
            assert wanted - {"error_type"} <= set(labels), (legend, rows)  # of failures only


def test_errors_show_when_they_happen(busy):
    """The error panels' queries, once there is an error to see: messages that are none.

    The first of a kind makes the series; only those after it are an increase to rate().
    """
    found = queries("message-flow", "Errors")
    (expression,) = [q for q in found.values() if "kafka_consumer_errors_total" in q]
    kind = {"topic": "sums", "error_type": "invalid_message"}

    def shows(least):
        return lambda rows: any(labels == kind and value >= least for labels, value in rows)

    topic.produce(busy.ports["BROKER"], b"this is no sum")
    busy.wait_query(expression, "the series", shows(0), timeout=60)
    topic.produce(busy.ports["BROKER"], b"nor is this")
    busy.wait_query(expression, "the error", shows(0.01), timeout=60)


def test_ledger_panels_say_zero(busy):
    """What every span is accounted for means: 0 while spans come and go."""
    for title in ("Started, but not accounted for", "Ended, but not accounted for"):
        (expression,) = queries("sidecars", title).values()
        wait_for(lambda e=expression: [v for _, v in busy.query(e)] == [0], f"{title} to be 0", 60)
