"""dev/demo --real as a person runs it, after its set-up: on ports of its own, to its own verdict."""

import re
import subprocess

from stack import PYTHON, read_ports

from lib.parts import part
from lib.ports import free_port
from lib.process import ROOT, clean_env
from lib.realstack import PARTS
from lib.wait import PATIENCE


def test_the_demo_finds_its_trace_in_jaeger_and_its_percentiles_in_prometheus():
    """--seconds ends with 0, every finding good, and says what to open."""
    for name in PARTS:
        part(name)
    ports = {f"PORT_{name}": str(free_port()) for name in read_ports({})}
    demo = subprocess.run(
        [PYTHON, "-B", ROOT / "dev" / "demo.py", "--real", "--seconds", "25", "--rate", "50"],
        env=clean_env(ports),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300 * PATIENCE,
        check=False,
    )
    assert demo.returncode == 0, demo.stdout
    for finding in (
        r"load: 1,250 calls \(1,250 OK\), 0 unknown",
        r"spans: ([\d,]+) at the Collector, \1 delivered",
        r"total: exact, -?[\d,]+, as 1,250 messages",
        r"Jaeger: trace [0-9a-f]{32} has SumNumbers, send sums, process sums under its caller",
        r"Prometheus: P50 [\d.]+ ms, P95 [\d.]+ ms, P99 [\d.]+ ms, by the dashboard's queries",
    ):
        assert re.search(rf"^ ok +{finding}", demo.stdout, re.M), demo.stdout
    assert "FAILED" not in demo.stdout
    for name in ("JAEGER", "PROMETHEUS", "ALERTMANAGER", "ADDER_METRICS", "TOTALIZER_METRICS"):
        assert f"http://localhost:{ports[f'PORT_{name}']}" in demo.stdout
