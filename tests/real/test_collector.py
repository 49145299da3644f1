"""What services sent, as a Collector has written it: each span, over each transport."""

import collections
import itertools
import random
import time

import msgpack
import pytest

from lib import peer, stats, vectors
from lib.exported import as_vector
from lib.otlp_json import Written
from lib.parts import RealCollector
from lib.ports import free_port
from lib.process import ROOT
from lib.session import Session
from lib.streams import random_stream
from lib.tls import Authority
from lib.wait import wait_for

SECURITY = ("plain", "tls", "mtls")
PROTOCOLS = {"grpc": "GRPC", "http/protobuf": "HTTP"}
TRANSPORTS = list(itertools.product(PROTOCOLS, ("gzip", "none"), SECURITY))
STREAMS = 30


class SecuredCollector(RealCollector):
    """One with a receiver for each kind of security. authority: of all certificates."""

    PORTS = RealCollector.PORTS + ("TLS_GRPC", "TLS_HTTP", "MTLS_GRPC", "MTLS_HTTP")

    def __init__(self, folder, authority):
        self.authority = authority
        self.client = authority.issue("sidecar")
        own = authority.issue("collector")
        super().__init__(
            folder,
            config=(*self.FILES, ROOT / "tests" / "real" / "collector-secured.yaml"),
            env={
                "TLS_CERTIFICATE": str(own.certificate),
                "TLS_KEY": str(own.key),
                "TLS_AUTHORITY": str(authority.certificate),
            },
            ports={name: free_port() for name in self.PORTS},
        )

    def options(self, protocol, security, authority=None):
        """For a sidecar, but for a client's certificate."""
        if security == "plain":
            where = [f"--otlp-endpoint={self.endpoint(protocol)}"]
        else:
            port = self.ports[f"{security.upper()}_{PROTOCOLS[protocol]}"]
            authority = authority or self.authority
            where = [
                f"--otlp-endpoint=https://127.0.0.1:{port}",
                f"--otlp-certificate={authority.certificate}",
            ]
        return [*where, f"--otlp-protocol={protocol}", "--schedule-delay=20ms"]

    def identity(self):
        """The client's certificate."""
        return [
            f"--otlp-client-certificate={self.client.certificate}",
            f"--otlp-client-key={self.client.key}",
        ]


@pytest.fixture(scope="module")
def collector(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with SecuredCollector(tmp_path_factory.mktemp("collector"), authority) as running:
        yield running


def everything(service):
    """The events of a service that uses all there is to a span, as bytes."""
    trace, first, second = peer.new_trace(), peer.new_span(), peer.new_span()
    at = 1_750_000_000_123_456_789
    values = {
        "text": "t€xt",
        "empty": "",
        "true": True,
        "false": False,
        "zero": 0,
        "least": -(2**63),
        "most": 2**63 - 1,
        "double": 0.1,
        "tiny": 5e-324,
        "infinite": float("-inf"),
        "nan": float("nan"),
        "texts": ["a", "", "c"],
        "numbers": [-1, 0, 2**62],
        "doubles": [0.5, 1e300],
        "truths": [True, False],
        "nothing": [],
    }
    resource = {"service.name": service, "service.version": "1.2.3", "host.cpus": 2, "a": [1.5]}
    events = [
        [peer.HELLO, 1, resource],
        peer.start(
            "GET /", trace, first, None, peer.SERVER, at, peer.SAMPLED, values, "vendor=1,other=2"
        ),
        peer.start(
            "child", trace, second, first, peer.CLIENT, at + 1, peer.SAMPLED | peer.RANDOM
        ),
        [peer.EVENT, second, at + 2, "event", values],
        [peer.EVENT, second, at + 3, "bare", None],
        [peer.LINK, second, peer.new_trace(), peer.new_span(), values, "linked=yes"],
        [peer.ATTR, second, "later", "x" * 4096],
        peer.end(second, peer.FAILED, at + 1_000_000, "it broke", {"error.type": "500"}),
        peer.end(first, peer.OK, at + 2_000_000),
        *(
            peer.whole(f"kind {kind}", trace, None, first, kind, at, peer.SAMPLED | peer.REMOTE)
            for kind in range(1, 6)
        ),
        peer.start("never ended", trace, None, first, at=at),
        [peer.PRODUCED, "sums", 0, at, 3],
    ]
    return b"".join(msgpack.packb(e, use_bin_type=True) for e in events)


def expected(data):
    """The model's spans of a stream, by service: lib.session says what becomes of each event."""
    session = Session(vectors.NOW)
    session.feed(data)
    session.end()
    return session.spans


def by_service(spans, began):
    """{service name: its spans as vectors write them}."""
    found = collections.defaultdict(list)
    for span in spans:
        found[span.resource["service.name"]].append(as_vector(span.raw, began))
    return found


@pytest.mark.parametrize("protocol, compression, security", TRANSPORTS)
def test_every_span_as_it_was_sent(start_sidecar, collector, protocol, compression, security):
    """Ids, parents, kinds, times, attributes of every type, events, links, status, flags."""
    case = f"{protocol}-{compression}-{security}"
    rng = random.Random(case)
    streams = {case: everything(case)}
    for number in range(STREAMS):
        streams[f"{case}-{number}"] = random_stream(rng, f"{case}-{number}")
    wanted = {service: expected(data) for service, data in streams.items()}
    count = sum(map(len, wanted.values()))
    written, metrics = Written(collector), Written(collector, "metrics")
    began = time.time_ns()
    options = collector.options(protocol, security)
    if security == "mtls":
        options += collector.identity()
    sidecar = start_sidecar(
        *options, f"--otlp-compression={compression}", "--metric-interval=500ms"
    )
    for data in streams.values():
        with sidecar.peer(service=None) as service:
            try:
                service.send_bytes(data)
            except OSError:
                pass  # a stream that breaks the protocol is not read to its end
    spans = written.wait(count)
    found = by_service(spans, began)
    for service, data in streams.items():
        assert vectors.same_spans(found[service], wanted[service]), data.hex()
    resource = next(span.resource for span in spans if span.resource["service.name"] == case)
    given = {"service.name": case, "service.version": "1.2.3", "host.cpus": 2, "a": [1.5]}
    assert given.items() <= resource.items()
    scrape = sidecar.wait_counters(acknowledged=count, pending=0)
    stats.check_ledger(scrape)
    wait_for(lambda: produced(metrics.found(), case) == {3}, "the metrics as well")


def produced(metrics, service):
    """What has been written of a service's counter of messages."""
    return {
        point.as_int or point.as_double
        for resource, metric in metrics
        if metric.name == "kafka.messages.produced.total" and resource["service.name"] == service
        for point in metric.sum.data_points
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_vector(start_sidecar, collector, protocol):
    """All of protocol/vectors, each on a connection of its own."""
    written, began = Written(collector), time.time_ns()
    wanted = []
    sidecar = start_sidecar(*collector.options(protocol, "plain"))
    for vector in vectors.load("session"):
        wanted += vector["spans"]
        with sidecar.peer(service=None) as service:
            try:
                service.send_bytes(vectors.vector_bytes(vector))
            except OSError:
                pass  # it breaks the protocol
    spans = [as_vector(span.raw, began) for span in written.wait(len(wanted))]
    assert vectors.same_spans(spans, wanted)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_client_certificate(start_sidecar, collector, protocol):
    """A Collector that demands one: said, tried again, and kept."""
    sidecar = start_sidecar(*collector.options(protocol, "mtls"), "--drain-timeout=200ms")
    refused(sidecar)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_unknown_authority(start_sidecar, collector, tmp_path, protocol):
    """A Collector whose certificate nobody vouches for is not talked to."""
    stranger = Authority(tmp_path, "stranger")
    options = collector.options(protocol, "tls", stranger)
    sidecar = start_sidecar(*options, "--drain-timeout=200ms")
    refused(sidecar)
    assert "certificate" in sidecar.log()


def refused(sidecar):
    """Wait until a span was refused, and see that it is kept."""
    with sidecar.peer() as service:
        service.send(peer.whole("op"))
        sidecar.settle(service)
    wait_for(lambda: sidecar.counters()["export_retry_traces"] > 0, "a request to fail")
    counters = stats.check_ledger(sidecar.metrics())
    assert (counters["acknowledged"], counters["pending"]) == (0, 1)
    assert "event=export_failed" in sidecar.log()
