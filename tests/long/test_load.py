"""The source system's targets under load, by k6 on the real parts: gRPC p95 < 200 ms, HTTP p95 < 100
ms, produce to total p95 < 2 s, at 100, 300 and 500 requests a second, to adder and as many to
totalizer at the same time. The thresholds are in load.js.

LOAD_SECONDS: of each run (60).
"""

import json
import os
import resource
import subprocess

import pytest
import topic
from scrape import Page

from lib.process import ROOT, clean_env
from lib.stats import DROPS, check_ledger
from lib.wait import PATIENCE, wait_for

SECONDS = int(os.environ.get("LOAD_SECONDS", "60"))
SERVICES = ("adder", "totalizer")
PROGRAMS = (*SERVICES, "adder-sidecar", "totalizer-sidecar")
TICKS = os.sysconf("SC_CLK_TCK")
TRENDS = {
    "gRPC SumNumbers": "grpc_req_duration{scenario:calls}",
    "HTTP GET /v1/results": "http_req_duration{scenario:results}",
    "produce to total": "produce_to_total",
}
# What the services themselves measure, to compare with: the rest is the network's and k6's.
HISTOGRAMS = {
    "adder's own, of calls": ("adder", "rpc_server_call_duration", 1000),
    "totalizer's own, of GETs": ("totalizer", "http_server_request_duration", 1000),
    "produced to consumed": ("totalizer", "kafka_message_delivery_latency", 1),
}


def make_load(k6, stack, rate, summary):
    """Run load.js; the metrics of its summary as {name: values}."""
    variables = {
        "ADDER": f"127.0.0.1:{stack.ports['ADDER_GRPC']}",
        "TOTALIZER": f"http://127.0.0.1:{stack.ports['TOTALIZER']}",
        "RATE": rate,
        "SECONDS": SECONDS,
        "SUMMARY": summary,
    }
    # It reports to nobody, fetches nothing, and has no port of its own.
    argv = [k6, "run", "--quiet", "--no-color", "--no-usage-report", "--address="]
    for name, value in variables.items():
        argv += ["-e", f"{name}={value}"]
    ended = subprocess.run(
        [*argv, ROOT / "tests" / "long" / "load.js"],
        env=clean_env({"K6_AUTO_EXTENSION_RESOLUTION": "false"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=(SECONDS + 60) * PATIENCE,
        check=False,
    )
    metrics = json.loads(summary.read_text())["metrics"] if summary.exists() else {}
    return ended, {name: metric["values"] for name, metric in metrics.items()}


def cpu(stack):
    """{program: seconds of CPU so far}; k6: of all runs that have ended."""
    used = {}
    for name in PROGRAMS:
        with open(f"/proc/{stack.pid(name)}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        used[name] = (int(fields[11]) + int(fields[12])) / TICKS
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {**used, "k6": children.ru_utime + children.ru_stime}


def pages(stack):
    """{service: its sidecar's page}"""
    return {name: Page(stack.page(name).text) for name in SERVICES}


def wait_drained(stack):
    """Wait until every span has been acknowledged by the Collector; none may have been dropped."""

    def done(name):
        found = check_ledger(stack.page(name), service_name=name)
        assert not any(found[cause] for cause in (*DROPS, "ledger_gaps")), found
        return found["open"] == found["pending"] == 0

    for name in SERVICES:
        wait_for(lambda n=name: done(n), f"{name}'s spans to be delivered", timeout=30)


def table(rate, metrics, pages, used):
    """What was measured. pages: what was added to each sidecar's."""
    lines = [f"{rate} requests/s for {SECONDS} s           P50      P95      P99      max, ms"]
    for title, name in TRENDS.items():
        values = [metrics[name][trend] for trend in ("med", "p(95)", "p(99)", "max")]
        lines.append(f"  {title:27}" + "".join(f" {value:8.1f}" for value in values))
    for title, (service, name, factor) in HISTOGRAMS.items():
        values = [factor * pages[service].quantile(q, name) for q in (0.5, 0.95, 0.99)]
        lines.append(f"  {title:27}" + "".join(f" {value:8.1f}" for value in values))
    shares = [f"{name} {100 * used[name] / SECONDS:.1f}" for name in (*PROGRAMS, "k6")]
    return "\n".join([*lines, f"  CPU, % of a core: {', '.join(shares)}"])


@pytest.mark.parametrize("rate", (100, 300, 500))
def test_targets_are_met(k6, stack, tmp_path, figures, rate):
    """In time, without an error, every sum in the total once, every span delivered."""
    total_before, count_before = topic.total(stack.ports["BROKER"])
    before, used = pages(stack), cpu(stack)
    ended, metrics = make_load(k6, stack, rate, tmp_path / "summary.json")
    used = {name: seconds - used[name] for name, seconds in cpu(stack).items()}
    added = {name: page.since(before[name]) for name, page in pages(stack).items()}
    if metrics:
        figures(table(rate, metrics, added, used))
    assert ended.returncode == 0, f"k6 ended with {ended.returncode}:\n{ended.stderr[-5000:]}"

    # It has made every request that the rate asks for, but what it was late for at the very end.
    for scenario in ("calls", "results"):
        made = metrics[f"iterations{{scenario:{scenario}}}"]["count"]
        assert rate * (SECONDS - 0.1) <= made <= rate * SECONDS + 1, (scenario, made)
    assert metrics["produce_to_total"]["count"] >= SECONDS

    total, count = topic.total(stack.ports["BROKER"])
    assert count - count_before == metrics["acknowledged"]["count"]
    assert total - total_before == metrics["acknowledged_sum"]["count"]
    results = stack.wait_results(count)
    assert (results["result"], results["count"]) == (total, count)
    wait_drained(stack)
