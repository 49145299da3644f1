"""What the programs owe when one of them is paused, killed or stopped, under load."""

import collections
import signal
import threading

import topic
from caller import METHOD, Caller, Load

from lib.totalizer import WRONG_LOG
from lib.wait import PATIENCE, wait_for


def server_spans(collector):
    """The trace ids of the RPC server spans that arrived."""
    return {s.raw.trace_id for s in collector.spans if s.name == METHOD[1:]}


def assert_none_twice(collector):
    """No span was exported twice."""
    ids = collections.Counter((s.raw.trace_id, s.raw.span_id) for s in collector.spans)
    twice = [key for key, count in ids.items() if count > 1]
    assert not twice, f"{len(twice)} of {len(ids)} spans came twice"


def test_adder_killed_with_open_spans(collector, start_stack):
    """Calls hang on a paused broker and adder dies: their spans are exported within a second."""
    stack = start_stack(collector=collector)
    hanging = 8
    with Caller(stack.ports["ADDER_GRPC"]) as caller:
        assert caller.call().code == "OK"
        collector.wait_for_spans(3)
        stack.pause("broker")
        calls = [threading.Thread(target=caller.call) for _ in range(hanging)]
        for call in calls:
            call.start()
        # A server span and a `send sums` span each, at the sidecar: they have been flushed.
        stack.wait_metric("adder", "sidecar_spans_live", 2 * hanging, service_name="adder")
        stack.kill("adder")

        def lost():
            return [
                s for s in collector.spans if s.attributes.get("error.type") == "connection_lost"
            ]

        wait_for(lambda: len(lost()) >= 2 * hanging, lambda: f"{len(lost())} lost spans", timeout=1)
        stack.resume("broker")
        for call in calls:
            call.join()
    assert sorted(s.name for s in lost()) == sorted([METHOD[1:], "send sums"] * hanging)
    for span in lost():
        assert span.raw.status.code == 2
        assert span.raw.status.message == "connection ended while the span was open"
        assert span.raw.end_time_unix_nano - span.raw.start_time_unix_nano > 0
    page = stack.page("adder")
    abandoned = page.value(
        "sidecar_spans_abandoned_total", service_name="adder", cause="connection_lost"
    )
    assert abandoned == 2 * hanging
    assert_none_twice(collector)


def test_totalizer_killed(start_stack):
    """kill -9 under load: the total is exact after the restart."""
    stack = start_stack()
    with Load(stack.ports["ADDER_GRPC"]) as load:
        wait_for(lambda: len(load.good) >= 150, "150 calls")
        stack.wait_new_pid("totalizer", stack.kill("totalizer"))
        # The broker keeps the dead member for its session of 6 s, and then a rebalance takes 3.
        wait_for(lambda: stack.answers("totalizer"), "totalizer to be healthy", timeout=40)
        made = len(load.good)
        wait_for(lambda: len(load.good) >= made + 50, "50 more calls")
    total, count = topic.total(stack.ports["BROKER"])
    results = stack.wait_results(count, timeout=40)
    assert (results["result"], results["count"]) == (total, count)
    assert not load.unknown and total == sum(o.sum for o in load.good)


def test_sidecar_stopped_under_load(collector, start_stack):
    """SIGTERM: whatever had reached the sidecar is exported before it exits 0."""
    stack = start_stack(collector=collector)
    with Load(stack.ports["ADDER_GRPC"]) as load:
        wait_for(lambda: len(load.good) >= 300, "300 calls")
        told = list(load.good)
        # The spans of these calls, two each, are on their way to the sidecar, and arrive.
        stack.wait_metric(
            "adder", "sidecar_spans_finished_total", 2 * len(told), service_name="adder"
        )
        stack.stop("adder-sidecar")
        info = stack.info("adder-sidecar")
    assert info["statename"] == "STOPPED" and info["exitstatus"] == 0, info
    missing = {o.trace_id for o in told} - server_spans(collector)
    assert not missing, f"{len(missing)} of {len(told)} spans that it had received"
    assert all(o.code == "OK" for o in load.outcomes)
    assert_none_twice(collector)


def test_sidecar_killed_under_load(collector, start_stack):
    """kill -9: the services go on undisturbed, their spans flow again within a second of its
    return, and none is exported twice."""
    stack = start_stack(collector=collector)
    with Load(stack.ports["ADDER_GRPC"]) as load:
        wait_for(lambda: len(load.good) >= 200, "200 calls")
        for name in ("adder", "totalizer"):
            old = stack.kill(f"{name}-sidecar", signal.SIGKILL)
            stack.wait_new_pid(f"{name}-sidecar", old)
            wait_for(lambda n=name: stack.answers(f"{n}-sidecar"), f"{name}'s sidecar")
            before = len(load.good)
            stack.wait_metric(
                name, "sidecar_spans_acknowledged_total", 1, timeout=1, service_name=name
            )
            wait_for(lambda n=before: len(load.good) >= n + 50, "50 more calls")
    assert all(o.code == "OK" for o in load.outcomes)
    slowest = max(o.ended - o.began for o in load.outcomes)
    assert slowest < 1 * PATIENCE, f"a call took {slowest:.3f} s"
    last = load.good[-1].trace_id
    wait_for(lambda: last in server_spans(collector), "the last call's span")
    assert_none_twice(collector)


def test_sidecar_absent(start_stack):
    """Without their sidecars both services are ready and exact."""
    stack = start_stack()
    for name in ("adder", "totalizer"):
        stack.stop(f"{name}-sidecar")
    with Load(stack.ports["ADDER_GRPC"]) as load:
        wait_for(lambda: len(load.good) >= 100, "100 calls")
        assert stack.answers("adder") and stack.answers("totalizer")
    total, count = topic.total(stack.ports["BROKER"])
    results = stack.wait_results(count)
    assert (results["result"], results["count"]) == (total, count)


def test_broker_paused_and_continued(start_stack):
    """An outage shorter than the message timeout: calls wait, none is lost, the total is exact."""
    stack = start_stack()
    with Load(stack.ports["ADDER_GRPC"]) as load:
        wait_for(lambda: len(load.good) >= 100, "100 calls")
        stack.pause("broker")
        waiting = len(load.outcomes)
        stack.wait_metric("adder", "sidecar_spans_live", 4, service_name="adder")
        stack.resume("broker")
        wait_for(lambda: len(load.good) >= waiting + 100, "100 more calls", timeout=30)
    assert all(o.code == "OK" for o in load.outcomes)
    total, count = topic.total(stack.ports["BROKER"])
    results = stack.wait_results(count)
    assert (results["result"], results["count"]) == (total, count)
    assert total == sum(o.sum for o in load.good)


def test_broker_came_back_empty(start_stack):
    """totalizer says that the topic is not the one it has added up; it never answers from zero."""
    stack = start_stack()
    with Caller(stack.ports["ADDER_GRPC"]) as caller:
        for i in range(20):
            assert caller.call(i, 1).code == "OK"
    stack.wait_results(20)
    old = stack.kill("broker", signal.SIGKILL)
    wait_for(lambda: stack.pid("broker") == 0, "the broker to be gone")
    stack.start("broker")
    assert stack.pid("broker") not in (0, old)
    answers = []

    def stopped():
        answers.append(stack.results())
        return stack.info("totalizer")["statename"] == "EXITED"

    wait_for(stopped, lambda: f"totalizer to stop:\n{stack.tail('totalizer.log')}", timeout=40)
    assert stack.info("totalizer")["exitstatus"] == WRONG_LOG
    assert not [a for a in answers if a is not None and a["count"] < 20], answers
