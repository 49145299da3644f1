"""The demo's programs, started by the demo's own supervisor file, each test on ports of its own."""

import contextlib

import pytest

from lib.collector import Collector
from lib.stack import TestStack, run


@pytest.fixture
def start_stack():
    """start_stack(collector=..., **keywords of Stack): running and ready; ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **keywords: run(TestStack, stack, **keywords)


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"])
def traced(request):
    """(stack, fake Collector), once per protocol for a module's tests."""
    with Collector(request.param) as collector, contextlib.ExitStack() as stack:
        yield run(TestStack, stack, collector=collector), collector
