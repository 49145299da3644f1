"""The demo's programs under test: dev/stack.py on ports of the test's own, and what tests ask of it."""

import json

import stack as dev_stack

from lib.metrics import Metrics, get
from lib.ports import free_port
from lib.process import BUILD
from lib.wait import PATIENCE, wait_for

# Exports soon after the fact, so that tests need not wait for them.
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "20"}


class TestStack(dev_stack.Stack):
    """A Stack with what the tests ask of it."""

    __test__ = False

    def __init__(self, collector=None, **keywords):
        ports = {name: free_port() for name in dev_stack.read_ports({})}
        if collector is not None:
            keywords.update(
                sink=False, otlp_endpoint=collector.endpoint, otlp_protocol=collector.protocol
            )
        environment = {**QUICK, **keywords.pop("environment", {})}
        super().__init__(build=BUILD, ports=ports, environment=environment, **keywords)

    def page(self, service):
        """A scrape of "adder" or "totalizer": of its sidecar's /metrics."""
        status, _, body = get(self.ports[f"{service.upper()}_METRICS"], "/metrics")
        assert status == 200
        return Metrics(body.decode()).check()

    def wait_metric(self, service, name, value, timeout=10, **labels):
        """Wait until the sum of such samples is at least value; return the page."""

        def reached():
            page = self.page(service)
            return page if page.total(name, **labels) >= value else None

        return wait_for(reached, f"{name}{labels} of {service}'s sidecar to be {value}", timeout)

    def results(self):
        """/v1/results; None while it is not known."""
        try:
            status, _, body = get(self.ports["TOTALIZER"], "/v1/results")
        except OSError:
            return None
        return json.loads(body) if status == 200 else None

    def wait_results(self, count, timeout=20):
        """Wait until totalizer has added that many messages; the results."""
        last = []

        def reached():
            last[:] = [self.results()]
            return last[0] if last[0] and last[0]["count"] >= count else None

        return wait_for(reached, lambda: f"{count} messages, results are {last}", timeout)

    def wait_new_pid(self, name, old, timeout=20):
        """Wait until supervisor has started the program again."""

        def restarted():
            pid = self.pid(name)
            return pid if pid not in (0, old) else None

        return wait_for(restarted, f"{name} to be restarted", timeout)


def run(kind, stack, ready=60, **keywords):
    """Start a kind of TestStack in an ExitStack, ready within so many seconds times TEST_PATIENCE."""
    started = stack.enter_context(kind(**keywords))
    stack.callback(_show, started)
    started.wait_ready(timeout=ready * PATIENCE)
    return started


def _show(started):
    """pytest shows this with a failure."""
    for name in [*started.names, "load"]:
        print(f"--- {name}\n{started.tail(name + '.log', 40)}")
