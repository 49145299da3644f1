"""One running stack with the real parts for all of these tests."""

import contextlib

import pytest

from lib.realstack import RealTestStack
from lib.stack import run


@pytest.fixture(scope="session")
def real():
    """The stack, ready: adder, totalizer and their sidecars with Apache Kafka, the Collector, Jaeger,
    Prometheus and Alertmanager. Each test leaves it as it found it: everything runs, no alert fires."""
    with contextlib.ExitStack() as stack:
        yield run(RealTestStack, stack, ready=180)


def pytest_collection_modifyitems(config, items):
    """Under pytest-xdist: all tests of the one stack in one process, and each other file's in one."""
    if config.pluginmanager.hasplugin("xdist"):
        for item in items:
            if item.path.parent.name == "real":
                group = "real" if "real" in item.fixturenames else item.path.stem
                item.add_marker(pytest.mark.xdist_group(group))
