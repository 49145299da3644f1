"""One running stack with the real parts for all tests that ask for it, and who runs beside whom."""

import contextlib
import pathlib

import pytest
from xdist.scheduler import LoadScopeScheduling

from lib.realstack import RealTestStack
from lib.stack import run

# The files whose tests share the stack.
SHARING = ("test_acceptance", "test_alerts", "test_dashboards")


@pytest.fixture(scope="session")
def real():
    """The stack, ready: adder, totalizer and their sidecars with Apache Kafka, the Collector, Jaeger,
    Prometheus and Alertmanager. Each test leaves it as it found it: everything runs, no alert fires."""
    with contextlib.ExitStack() as stack:
        yield run(RealTestStack, stack, ready=180)


class Files(LoadScopeScheduling):
    """All files that share the stack in one process, and each other one in one.

    xdist's own --dist loadgroup does nothing under pytest 9.2, and nothing tells: every process
    then starts whatever its share of the tests asks for.
    """

    def _split_scope(self, nodeid):
        file = nodeid.partition("::")[0]
        return "real" if pathlib.PurePath(file).stem in SHARING else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """For any number of processes."""
    return Files(config, log)


def pytest_collection_modifyitems(items):
    """A file that shares the stack is among those that do, or there would be two."""
    for item in items:
        if item.path.parent == pathlib.Path(__file__).parent and "real" in item.fixturenames:
            if item.path.stem not in SHARING:
                raise pytest.UsageError(f"{item.path.name} shares the stack: SHARING has to say so")
