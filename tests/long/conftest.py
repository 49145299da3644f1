"""The stack with the real parts, as users run it, and the figures of tests that take long."""

import contextlib
import pathlib

import pytest

from lib.cluster import MONITORING, OVERLAYS, SUMS, Cluster
from lib.parts import part
from lib.process import ROOT
from lib.realstack import PARTS, RealStack
from lib.stack import TestStack, run

FIGURES = "figures"
HERE = pathlib.Path(__file__).parent
REPORT = ROOT / "build" / "test" / "figures.txt"


class LoadStack(TestStack, RealStack):
    """The real parts as users run them: with the sidecars' and totalizer's own delays."""

    __test__ = False

    def __init__(self):
        for name in PARTS:
            part(name)
        super().__init__(
            totalizer_options="--kafka fetch.wait.max.ms=100",
            environment={"OTEL_BSP_SCHEDULE_DELAY": "500"},
        )


@pytest.fixture(scope="module")
def k6():
    """The path of k6; skips the test when it is not there."""
    return part("k6") / "k6"


@pytest.fixture(scope="module")
def stack():
    """Running and ready, once for a module."""
    with contextlib.ExitStack() as stack:
        yield run(LoadStack, stack, ready=180)


@pytest.fixture(scope="session")
def cluster():
    """Kubernetes, with an API server and a node."""
    with contextlib.closing(Cluster()) as running:
        yield running


@pytest.fixture(scope="session")
def sums(cluster):
    """The cluster with the overlays monitoring, but for Grafana, and dev; their pods are ready."""
    for overlay in ("monitoring", "dev"):
        cluster.apply("-k", OVERLAYS / overlay)
    cluster.do("scale", "-n", MONITORING, "deployment/grafana", "--replicas=0")
    for space in (MONITORING, SUMS):
        kinds = "deployments,statefulsets,daemonsets"
        cluster.rolled_out(space, *cluster.do("get", "-n", space, "-o", "name", kinds).split())
    return cluster


@pytest.fixture
def figures(record_property):
    """figures(text): what the test has measured, shown at the end whether it passed or not."""
    return lambda text: record_property(FIGURES, text)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """All tests here are long. Those on the cluster come last: others measure without it."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.long)
    items.sort(key=lambda item: "cluster" in item.fixturenames)


def pytest_terminal_summary(terminalreporter):
    """All figures, here and in build/test/figures.txt."""
    found = [
        text
        for kind in ("passed", "failed")
        for report in terminalreporter.stats.get(kind, ())
        for name, text in report.user_properties
        if name == FIGURES
    ]
    if found:
        terminalreporter.section("figures")
        terminalreporter.write("\n".join(found) + "\n")
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text("\n".join(found) + "\n")
