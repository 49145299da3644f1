"""dev/realstack.py under test: the services among the real parts, and what tests ask of those."""

import contextlib

import backends
from realstack import PARTS, RealStack

from lib.parts import part
from lib.stack import TestStack
from lib.wait import wait_for

# What the real files say, and what tests have time for. Nothing but durations changes.
DURATIONS = {"10s": "1s", "1m": "5s", "2m": "8s", "5m": "10s"}


class RealTestStack(TestStack, RealStack):
    """A RealStack with what tests ask of it. A part that is not there skips the test.

    Exports and scrapes every second, short durations in alert rules, little room in the sidecars'
    queues.
    """

    __test__ = False

    def __init__(self, **keywords):
        for name in PARTS:
            part(name)
        environment = {"SIDECAR_QUEUE_MAX": "2MiB"}
        super().__init__(durations=DURATIONS, environment=environment, **keywords)

    def query(self, expression):
        """An instant query to Prometheus: [(labels, value)]."""
        return backends.prometheus(self.ports["PROMETHEUS"], expression)

    def wait_query(self, expression, what, good=bool, timeout=30):
        """Wait until good(the query's answer); return the answer."""
        last = []

        def reached():
            last[:] = [self.query(expression)]
            return good(last[0])

        wait_for(reached, lambda: f"{what}: {expression} gives {last}", timeout)
        return last[0]

    def rules(self):
        """The names of the alerting rules that Prometheus has loaded."""
        groups = backends.ask(self.ports["PROMETHEUS"], "/api/v1/rules", type="alert")
        return [rule["name"] for group in groups["data"]["groups"] for rule in group["rules"]]

    def firing(self, **labels):
        """The labels of the alerts that fire on Alertmanager with at least these."""
        found = backends.ask(self.ports["ALERTMANAGER"], "/api/v2/alerts")
        return [a["labels"] for a in found if labels.items() <= a["labels"].items()]

    def alerts(self, **labels):
        """Their names."""
        return {found["alertname"] for found in self.firing(**labels)}

    def wait_alerts(self, *names, timeout=60, **labels):
        """Wait until all of these fire."""
        wait_for(
            lambda: set(names) <= self.alerts(**labels),
            lambda: f"{names} with {labels} to fire; there are {self.firing()}",
            timeout,
        )

    def wait_resolved(self, *names, timeout=90, **labels):
        """Wait until none of these fires."""
        wait_for(
            lambda: not set(names) & self.alerts(**labels),
            lambda: f"{names} with {labels} to resolve; there are {self.firing()}",
            timeout,
        )

    def trace(self, trace_id, count, timeout=30):
        """The spans of a trace in Jaeger, once there are so many."""
        last = []

        def found():
            last[:] = [backends.jaeger_trace(self.ports["JAEGER"], trace_id.hex())]
            return len(last[0]) >= count

        wait_for(found, lambda: f"{count} spans of {trace_id.hex()} in Jaeger: {last}", timeout)
        assert len(last[0]) == count, last
        return last[0]

    @contextlib.contextmanager
    def stopped(self, *names):
        """These programs are down within the block, and ready again after it."""
        for name in names:
            self.stop(name)
        try:
            yield
        finally:
            for name in reversed(names):
                self.start(name)
                wait_for(lambda n=name: self.answers(n), f"{name} to be ready again", 60)
