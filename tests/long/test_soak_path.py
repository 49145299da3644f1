"""adder, Apache Kafka and totalizer under load while every part of the path is killed, stopped and
paused: the total stays exact, and a span is missing only where a process that held it was killed.

SOAK: whole factor on how often (1).
"""

import collections
import contextlib
import json
import os
import random
import time

import confluent_kafka
import topic
from caller import METHOD, Load
from confluent_kafka import TopicPartition

from lib import topics
from lib.collector_grpc import GrpcCollector
from lib.parts import part
from lib.process import ROOT
from lib.stack import TestStack, run
from lib.stats import DROPS, LEDGER, check_ledger, counters
from lib.wait import PATIENCE, wait_for

SOAK = int(os.environ.get("SOAK", "1"))
PARTITIONS = 12
SERVICES = ("adder", "totalizer")
CALLERS = 4
CALLS = 300  # that succeed between two disturbances
SPANS = {"adder": METHOD[1:], "totalizer": "process sums"}  # one of each for every call
# Before kill -9, what a service has not flushed and its sidecar has not exported; after it, what
# is sent to a socket that nobody reads any more.
SHADOW = 1.0 * PATIENCE  # s
CLIENT_DROPS = [field for field in LEDGER if field.startswith("client_")]


class Arrivals(GrpcCollector):
    """A fake Collector that remembers the ids, and can be another one's successor."""

    def __init__(self, port=0, seen=None):
        self.seen = [] if seen is None else seen  # (time, service, name, trace id, span id)
        super().__init__(port)

    def take(self, signal, message, headers, size):  # pylint: disable=redefined-outer-name
        request = super().take(signal, message, headers, size)
        with self._lock:
            self.seen += [
                (request.at, s.resource["service.name"], s.name, s.raw.trace_id, s.raw.span_id)
                for s in self._spans
            ]
            self._spans, self._requests = [], []
        return request


class PathStack(TestStack):
    """With Apache Kafka in the embedded broker's place: what it has survives it."""

    __test__ = False

    def __init__(self, collector):
        kafka = part("kafka")
        super().__init__(collector=collector)
        where = f"{self.folder}/kafka {self.ports['BROKER']} {self.ports['BROKER_CONTROLLER']}"
        self._environment.update(KAFKA=str(kafka), BROKER=f"{ROOT}/dev/kafka {where}")

    def _wait_ready(self, name, deadline):
        super()._wait_ready(name, deadline)
        if name == "broker":
            topics.create(f"127.0.0.1:{self.ports['BROKER']}", topic.TOPIC, PARTITIONS)


class Chaos:
    """What befalls the programs, which it starts in an ExitStack, and what it may have cost."""

    def __init__(self, stack):
        self.collector = Arrivals()
        stack.callback(lambda: self.collector.close())  # the one that there is by then
        self.stack = run(PathStack, stack, ready=120, collector=self.collector)
        self.shadows = {name: [] for name in SERVICES}  # [(from, to)], time.monotonic()
        self.away = []  # when there was no Collector, likewise
        self.told = dict.fromkeys(SERVICES, 0)  # events that the clients said they dropped
        self._consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": f"127.0.0.1:{self.stack.ports['BROKER']}", "group.id": "nobody"}
        )
        stack.callback(self._consumer.close)

    def deeds(self, rng):
        """All that can be done to the path, as (name, function), in an order of its own."""
        programs = (*SERVICES, *(f"{name}-sidecar" for name in SERVICES), "broker")
        found = [(f"{do.__name__} {name}", do, name) for do in (kill, stop) for name in programs]
        standing = ("totalizer", "adder-sidecar", "broker")
        found += [(f"pause {name}", pause, name) for name in standing]
        found += [("replace the collector", replace_collector, None)]
        return rng.sample(found, len(found))

    def befall(self, rng):
        """Each of them once, with calls that succeed before, between and after."""
        for title, do, name in self.deeds(rng):
            self.wait_more(CALLS)
            self.wait_caught_up()
            self.listen(name)
            print(f"{time.monotonic():.3f} {title}", flush=True)
            begin = time.monotonic()
            do(self, name)
            for program in self.stack.names:
                wait_for(lambda n=program: self.stack.answers(n), f"{program} after {title}", 90)
            self.wait_caught_up()
            if do is kill and name != "broker":
                window = (begin - SHADOW, time.monotonic() + SHADOW)
                self.shadows[name.removesuffix("-sidecar")].append(window)
        self.wait_more(CALLS)

    def listen(self, program):
        """Add up what clients have reported to a sidecar that is about to go; None: to all."""
        for name in SERVICES:
            if program in (f"{name}-sidecar", None):
                found = counters(self.stack.page(name), service_name=name)
                self.told[name] += sum(found[field] for field in CLIENT_DROPS)

    def log_end(self):
        """How many messages the topic has; None while the broker does not say."""
        try:
            return sum(
                self._consumer.get_watermark_offsets(TopicPartition(topic.TOPIC, n), 5)[1]
                for n in range(PARTITIONS)
            )
        except confluent_kafka.KafkaException:
            return None

    def wait_more(self, messages):
        """Wait until so many more stand in the topic."""
        goal = messages + wait_for(self.log_end, "the broker to answer", 90)
        wait_for(lambda: (self.log_end() or 0) >= goal, f"{messages} more messages", 90)

    def wait_caught_up(self):
        """Wait until totalizer has added whatever stands in the topic now."""
        self.stack.wait_results(wait_for(self.log_end, "the broker to answer", 90), 90)


def kill(chaos, name):
    """kill -9. supervisor starts all but the broker again."""
    stack = chaos.stack
    old = stack.kill(name)
    if name == "broker":
        wait_for(lambda: stack.pid(name) == 0, "the broker to be gone")
        stack.start(name)
    else:
        stack.wait_new_pid(name, old)


def stop(chaos, name):
    """SIGTERM, a clean end, and a start."""
    stack = chaos.stack
    stack.stop(name)
    assert name == "broker" or stack.info(name)["exitstatus"] == 0, stack.tail(f"{name}.log")
    stack.start(name)


def pause(chaos, name):
    """It stands until more messages have come or, without the broker, until every caller waits."""
    chaos.stack.pause(name)
    try:
        if name == "broker":
            chaos.stack.wait_metric("adder", "sidecar_spans_live", 2 * CALLERS, 30)
        else:
            chaos.wait_more(CALLS)
    finally:
        chaos.stack.resume(name)


def replace_collector(chaos, _):
    """It goes, and comes back on its port after spans have waited for it."""
    begin = time.monotonic()
    chaos.collector.close()
    chaos.wait_more(CALLS)
    chaos.collector = Arrivals(chaos.collector.port, chaos.collector.seen)
    chaos.away.append((begin - SHADOW, time.monotonic()))


def check_total(stack, load):
    """The log has every sum that was acknowledged, once, and others only that may be there."""
    log = [json.loads(value) for _, _, value in topic.read(stack.ports["BROKER"])]
    found = collections.Counter(bytes.fromhex(message["trace_id"]) for message in log)
    told = {o.trace_id for o in load.good}
    assert not [trace for trace, count in found.items() if count > 1]
    assert told <= set(found)
    assert set(found) - told <= {o.trace_id for o in load.unknown}
    assert all(o.sum == o.expected for o in load.good)
    results = stack.results()
    assert (results["result"], results["count"]) == (sum(m["sum"] for m in log), len(log))
    return results


def within(windows, begin, end):
    """True when the time from begin to end touches one of the windows."""
    return any(first <= end and begin <= last for first, last in windows)


def check_spans(chaos, load):
    """{service: (spans lost by kill -9, spans that its client dropped and counted)}; none else."""
    missing = {}
    for service, name in SPANS.items():
        there = {row[3] for row in chaos.collector.seen if row[1:3] == (service, name)}
        lost = [o for o in load.good if o.trace_id not in there]
        shadows = chaos.shadows[service]
        bright = [o for o in lost if not within(shadows, o.began, o.ended)]
        assert len(bright) <= chaos.told[service], (service, chaos.told, bright[:10])
        missing[service] = (len(lost) - len(bright), len(bright))
    return missing


def check_once(chaos):
    """No span came twice, but to a Collector that went before it could confirm the first."""
    arrived = {}
    for at, service, _, trace, span in chaos.collector.seen:
        if (trace, span) in arrived:
            first = arrived[trace, span]
            assert within(chaos.away, first, first), (service, trace.hex(), first, at)
        else:
            arrived[trace, span] = at


def wait_delivered(chaos):
    """Wait until each sidecar's ledger closes with nothing under way; nothing may be dropped."""

    def done(name):
        found = check_ledger(chaos.stack.page(name), service_name=name)
        assert not any(found[cause] for cause in (*DROPS, "ledger_gaps")), found
        return found["open"] == found["pending"] == 0

    for name in SERVICES:
        wait_for(lambda n=name: done(n), f"{name}'s spans to be delivered", 60)


def test_total_is_exact_whatever_befalls_the_path(figures):
    """Each program killed, stopped and paused under load, in random order."""
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        chaos = Chaos(stack)
        with Load(chaos.stack.ports["ADDER_GRPC"], CALLERS) as load:
            for number in range(2 * SOAK):
                chaos.befall(random.Random(number))
        chaos.wait_caught_up()
        results = check_total(chaos.stack, load)
        wait_delivered(chaos)
        chaos.listen(None)
        missing = check_spans(chaos, load)
        check_once(chaos)
    lost = ", ".join(f"{name} {count} and {told}" for name, (count, told) in missing.items())
    figures(
        f"soak of the path: {len(load.outcomes):,} calls in {time.monotonic() - begin:.0f} s, "
        f"{len(load.good):,} OK, {results['count']:,} messages; "
        f"spans of those lost by kill -9, and dropped and counted: {lost}"
    )
