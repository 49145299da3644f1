"""A Collector that refuses, is full, goes and comes back: what can be kept arrives, once."""

import contextlib
import os

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from lib import peer, stats
from lib.collector import Answer, Collector
from lib.otlp_json import Written
from lib.parts import RealCollector
from lib.ports import free_port
from lib.process import ROOT
from lib.wait import wait_for

PROTOCOLS = ["grpc", "http/protobuf"]
HERE = ROOT / "tests" / "real"


def start(folder, overlay=None, env=None, ports=None):
    """A Collector with that file of this folder on top of the usual ones."""
    folder.mkdir(exist_ok=True)
    ports = ports or {name: free_port() for name in (*RealCollector.PORTS, "BALLAST")}
    config = RealCollector.FILES + ((HERE / overlay,) if overlay else ())
    return RealCollector(folder, config=config, env=env, ports=ports)


def options(collector, protocol):
    """A sidecar's."""
    return [
        f"--otlp-endpoint={collector.endpoint(protocol)}",
        f"--otlp-protocol={protocol}",
        "--schedule-delay=20ms",
        "--metrics-exporter=none",
    ]


def fill(port, mebibytes):
    """Give a Collector so much to hold."""
    request = trace_service_pb2.ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = bytes(15) + b"1", bytes(7) + b"1", "ballast"
    span.attributes.add(key="k").value.string_value = "x" * (1 << 20)
    method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)]) as channel:
        export = channel.unary_unary(method)
        for _ in range(mebibytes):
            export(request.SerializeToString(), timeout=60)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_memory_limiter_that_relents(tmp_path, start_sidecar, protocol):
    """Refused while the Collector is full, repeated, delivered once it is not."""
    with start(tmp_path, "collector-limited.yaml") as collector:
        written = Written(collector)
        sidecar = start_sidecar(*options(collector, protocol))
        fill(collector.ports["BALLAST"], 80)
        collector.wait_log("Refusing data", 30)
        with sidecar.peer() as service:
            for number in range(20):
                service.send(peer.whole(f"op {number}"))
            sidecar.settle(service)
            wait_for(lambda: sidecar.counters()["export_retry_traces"] > 0, "a refusal", 30)
            spans = written.wait(20)
        assert {span.name for span in spans} == {f"op {number}" for number in range(20)}
        counters = stats.check_ledger(sidecar.wait_counters(30, acknowledged=20, pending=0))
        assert counters["export_rejected_traces"] == 0
        sidecar.terminate()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_more_than_four_mebibytes_at_once(tmp_path, start_sidecar, protocol):
    """The limit of a Collector as it comes: a batch is split below it, and all of it arrives."""
    with start(tmp_path) as collector:
        written = Written(collector)
        sidecar = start_sidecar(*options(collector, protocol), "--schedule-delay=1s")
        attributes = {"k": os.urandom(2000).hex(), "l": os.urandom(2000).hex()}
        with sidecar.peer() as service:
            for _ in range(80):
                service.send(*(peer.whole("big", attrs=attributes) for _ in range(25)))
            spans = written.wait(2000)
        assert len({span.raw.span_id for span in spans}) == 2000
        stats.check_ledger(sidecar.wait_counters(acknowledged=2000, pending=0))
        sidecar.terminate()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_largest_span(tmp_path, start_sidecar, protocol):
    """With as much in it as a sidecar takes, a span by itself passes a Collector's limit too."""
    values = {"k": os.urandom(2048).hex(), "l": os.urandom(2048).hex(), "m": os.urandom(2048).hex()}
    with start(tmp_path) as collector:
        written = Written(collector)
        sidecar = start_sidecar(*options(collector, protocol))
        begun = peer.start("largest")
        with sidecar.peer() as service:
            service.send(begun)
            for number in range(128):
                service.send([peer.ATTR, begun[2], f"k{number}", os.urandom(2048).hex()])
                service.send([peer.EVENT, begun[2], peer.now(), "event", values])
                service.send([peer.LINK, begun[2], peer.new_trace(), peer.new_span(), values])
            service.send(peer.end(begun))
            [span] = written.wait(1)
        counters = stats.check_ledger(sidecar.wait_counters(acknowledged=1, pending=0))
        assert counters["refused_attribute_store_full"] > 0  # there was more than it takes
        assert 1 << 20 < span.raw.ByteSize() < 4 << 20
        sidecar.terminate()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unavailable_with_retry_info_through_a_collector(tmp_path, start_sidecar, protocol):
    """As a gateway says it, it comes through the agent before it: as RetryInfo, or as Retry-After,
    which the Collector cuts to whole seconds."""
    with Collector("grpc") as gateway:
        gateway.script(Answer.grpc("UNAVAILABLE", retry_after=4))
        env = {"NEXT": f"127.0.0.1:{gateway.port}"}
        with start(tmp_path, "collector-relaying.yaml", env) as agent:
            sidecar = start_sidecar(*options(agent, protocol))
            with sidecar.peer() as service:
                service.send(peer.whole("op"))
                first, second = gateway.wait_for_requests(2)
            assert 3.9 < second.at - first.at < 12
            stats.check_ledger(sidecar.wait_counters(acknowledged=1, export_retry_traces=1))
            assert len(gateway.spans) == 1
            sidecar.terminate()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_restart_in_mid_stream(tmp_path, start_sidecar, protocol):
    """A Collector that ends cleanly under load and comes back: each span in it once."""
    count, parts = 0, []

    def send():
        """A hundred more, in order."""
        nonlocal count
        for _ in range(10):
            service.send(*(peer.whole(f"op {count + number}") for number in range(10)))
            count += 10

    with contextlib.ExitStack() as stack:
        with start(tmp_path / "first") as collector:
            written, ports = Written(collector), collector.ports
            sidecar = start_sidecar(*options(collector, protocol))
            service = stack.enter_context(sidecar.peer())
            wait_for(lambda: send() or len(written.found()) >= 500, "500 spans", 60)
            collector.terminate()
            for _ in range(10):
                send()
            parts += written.found()
        wait_for(lambda: sidecar.counters()["export_retry_traces"] > 0, "a request to fail")
        second = stack.enter_context(start(tmp_path / "second", ports=ports))
        written = Written(second)
        for _ in range(10):
            send()
        spans = parts + written.wait(count - len(parts))
        assert {span.name for span in spans} == {f"op {number}" for number in range(count)}
        stats.check_ledger(sidecar.wait_counters(30, acknowledged=count, pending=0))
        sidecar.terminate()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_kill_in_mid_stream(tmp_path, start_sidecar, protocol):
    """kill -9: what the first one had not acknowledged comes to the second, each span once."""
    count = 2000
    with contextlib.ExitStack() as stack:
        with start(tmp_path / "first") as collector:
            written, ports = Written(collector), collector.ports
            sidecar = start_sidecar(*options(collector, protocol))
            service = stack.enter_context(sidecar.peer())
            for number in range(count // 2):
                service.send(peer.whole(f"op {number}"))
            wait_for(lambda: len(written.found()) > 0, "a first span")
            collector.kill()
            for number in range(count // 2, count):
                service.send(peer.whole(f"op {number}"))
            acknowledged = int(stats.counters(sidecar.settle(service))["acknowledged"])
        wait_for(lambda: sidecar.counters()["export_retry_traces"] > 0, "a request to fail")
        second = stack.enter_context(start(tmp_path / "second", ports=ports))
        written = Written(second)
        stats.check_ledger(sidecar.wait_counters(60, acknowledged=count, pending=0))
        names = [span.name for span in written.wait(count - acknowledged)]
        assert len(set(names)) == len(names)
        # Whatever the sidecar says: nobody else can have got these.
        assert {f"op {number}" for number in range(count // 2, count)} <= set(names)
        sidecar.terminate()
