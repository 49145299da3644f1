"""Fixtures of all Python tests. What they give ends with the test."""

import contextlib

import pytest

from lib.collector import Collector
from lib.sidecar import Sidecar


@pytest.fixture
def start_sidecar(request):
    """start_sidecar(*options, **keywords of Sidecar) starts one; several may run in one test."""
    # A sidecar ends before the Collector that it would wait for.
    if "collector" in request.fixturenames:
        request.getfixturevalue("collector")
    with contextlib.ExitStack() as stack:
        yield lambda *options, **keywords: stack.enter_context(Sidecar(*options, **keywords))


@pytest.fixture
def sidecar(start_sidecar):
    """A running sidecard with its defaults and no endpoint to export to."""
    return start_sidecar()


@pytest.fixture(params=["grpc", "http/protobuf"])
def collector(request):
    """A fake Collector; the test runs once per protocol."""
    with Collector(request.param) as running:
        yield running


@pytest.fixture(scope="module")
def shared_collector():
    """A fake Collector for all tests of a module; what it holds only grows."""
    with Collector("grpc") as running:
        yield running
