"""What adder and totalizer emitted on their sockets, as a Collector has written it: span by span.

Kafka, the Collector and both services are the real ones. The bytes of the sockets say what was emitted,
by the model of the protocol in lib.session.
"""

import collections
import json
import signal

import msgpack
import pytest

from lib import stats, topics, vectors
from lib.adder import Adder
from lib.exported import as_vector
from lib.metrics import get
from lib.otlp_json import Written
from lib.parts import Kafka, RealCollector
from lib.session import Session
from lib.tee import Tee
from lib.wait import wait_for

PARTITIONS = 12
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"
SAMPLED = [("traceparent", f"00-{CALLER}-01"), ("tracestate", "vendor=1")]
UNSAMPLED = [("traceparent", f"00-{CALLER}-00")]
RPC = "sum.SumNumbersService/SumNumbers"
JSON = ("--log-format=json", "--log-level=debug")
NEVER = 2**63  # no time is later: as_vector() leaves each as it is


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with Kafka(tmp_path_factory.mktemp("kafka"), partitions=0) as running:
        yield running


@pytest.fixture
def collector(tmp_path):
    with RealCollector(tmp_path) as running:
        yield running


def emitted(stream):
    """(resource, spans) of a connection, as the model understands its bytes."""
    session = Session(vectors.NOW)
    session.feed(bytes(stream))
    session.end()
    wrong = [c for c in +session.counters if c.startswith(("bad_", "refused_", "attr_", "text_"))]
    assert not wrong, session.counters
    unpacker = msgpack.Unpacker()
    unpacker.feed(bytes(stream))
    return next(unpacker)[2], session.spans


def timeless(span):
    """A span that was abandoned ends when the sidecar learns of it: not told by the services."""
    lost = span["attrs"].get("error.type") == {"str": "connection_lost"}
    return {**span, "end": None} if lost else span


def work(adder, totalizer, sums):
    """Calls of every kind, messages good and bad, and requests."""
    calls = [adder.start(number, 1, metadata=SAMPLED) for number in range(100)]
    calls += [adder.start(number, 2) for number in range(100)]
    calls += [adder.start(number, 3, metadata=UNSAMPLED) for number in range(20)]
    assert all(call.result() for call in calls)
    adder.refusal(2**63 - 1, 1, metadata=SAMPLED)
    sums.send(b"no sum", partition=3)
    sums.send_sum(5, partition=4)  # of a producer that knows nothing of traces
    sums.flush()
    wait_for(lambda: (totalizer.results() or {}).get("count") == 221, "all of them", 60)
    for path in ("/v1/healthcheck", "/nothing"):
        get(totalizer.port, path)


def told(service, *events):
    """(trace_id, span_id) of its log's lines about sampled calls or messages."""
    lines = [json.loads(line) for line in service.log().splitlines()]
    return sorted(
        (line["trace_id"], line["span_id"])
        for line in lines
        if line["event"] in events and int(line["trace_flags"], 16) & 1
    )


def ids(spans, name):
    """The same of the spans with that name which came to their end."""
    ended = [span for span in spans if span["name"] == name and span["end"]]
    return sorted((span["trace"], span["span"]) for span in ended)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_every_span_that_the_services_emitted(tmp_path, start_sidecar, broker, collector, protocol):
    """No span more, none less, and each with all that it was given: also those of an adder that was
    killed in the middle of calls. A log's line about a call or a message says which span is its own."""
    written = Written(collector)
    sidecar = start_sidecar(
        f"--otlp-endpoint={collector.endpoint(protocol)}",
        f"--otlp-protocol={protocol}",
        "--schedule-delay=20ms",
    )
    sums = topics.sums(broker.address, PARTITIONS)
    with Tee(sidecar.folder / "tee", sidecar.socket) as tee:
        env = {"SIDECAR_SOCKET": tee.path}
        with (
            Adder(tmp_path, broker.address, f"--topic={sums.topic}", *JSON, env=env) as adder,
            sums.totalizer(tmp_path, *JSON, socket=tee.path) as totalizer,
        ):
            totalizer.wait_owned(PARTITIONS, 60)
            work(adder, totalizer, sums)
            broker.pause()
            hanging = [adder.start(number, 4) for number in range(10)]
            adder.arrived()
            wait_for(lambda: sidecar.counters()["open"] >= 2 * len(hanging), "them to begin")
            adder.signal(signal.SIGKILL)  # kill() would close the channel first: the calls would end
            adder.wait_exit()
            broker.go_on()
            totalizer.terminate()
        streams = [emitted(stream) for stream in tee.streams]
    resources = {resource["service.name"]: resource for resource, _ in streams}
    wanted = [timeless(span) for _, spans in streams for span in spans]
    spans = written.wait(len(wanted))
    found = [timeless(as_vector(span.raw, NEVER)) for span in spans]
    assert vectors.same_spans(found, wanted)
    for span in spans:
        assert resources[span.resource["service.name"]].items() <= span.resource.items()
    assert told(adder, "call") == ids(wanted, RPC)
    assert told(totalizer, "applied", "invalid_message") == ids(wanted, f"process {sums.topic}")
    names = collections.Counter(span["name"] for span in wanted)
    # Of 231 calls of which 20 were not sampled; a message that is no sum has its span too.
    assert (names[RPC], names[f"send {sums.topic}"], names[f"process {sums.topic}"]) == (211, 210, 202)
    assert sum(span["end"] is None for span in wanted) == 20
    stats.check_ledger(sidecar.wait_counters(acknowledged=len(wanted), pending=0))
