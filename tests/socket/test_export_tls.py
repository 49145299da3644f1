"""OTLP over TLS: whom the sidecar trusts, and when it reads its files."""

import itertools
import shutil
import signal
import subprocess

import pytest

from lib import peer as wire
from lib.collector_http import HttpCollector
from lib.rude import RudeServer
from lib.tls import Authority
from lib.wait import wait_for

# The program that follows sees this folder where the system's authorities are.
SYSTEM = 'mount --bind "$1" /etc/ssl/certs && shift && exec "$@"'


@pytest.fixture(name="authority")
def make_authority(tmp_path):
    return Authority(tmp_path)


def export(collector, certificate):
    """Options of a sidecar that sends its spans there, and its spans only."""
    return [
        f"--otlp-endpoint={collector.endpoint}",
        "--otlp-protocol=http/protobuf",
        f"--otlp-certificate={certificate}",
        "--metrics-exporter=none",
        "--schedule-delay=20ms",
        "--drain-timeout=200ms",
    ]


def send(sidecar, name):
    """A span, once it waits for the Collector or is there."""
    with sidecar.peer() as peer:
        peer.send(wire.whole(name))
        sidecar.settle(peer)


def system_of(folder, authority):
    """A folder as the system's: an authority by the name that OpenSSL looks for, and the bundle."""
    folder.mkdir()
    name = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", authority.certificate],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    for file in (f"{name}.0", "ca-certificates.crt"):
        shutil.copy(authority.certificate, folder / file)
    return folder


def test_given_authority_is_the_only_one(start_sidecar, tmp_path, authority):
    """Not one beside the system's: an authority that the system trusts is refused."""
    wrapper = ["unshare", "-r", "-m", "sh", "-c", SYSTEM, "sh", system_of(tmp_path / "s", authority)]
    tried = subprocess.run([*wrapper, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"needs a mount namespace: {tried.stderr.strip()}")
    other = Authority(tmp_path, "other")
    with HttpCollector(identity=authority.issue("collector")) as collector:
        sidecar = start_sidecar(*export(collector, other.certificate), wrapper=wrapper)
        send(sidecar, "op")
        sidecar.wait_log("event=export_failed")
        assert "certificate" in sidecar.log() and not collector.requests
        sidecar = start_sidecar(*export(collector, authority.certificate), wrapper=wrapper)
        send(sidecar, "op")
        collector.wait_for_span("op")


def test_files_are_read_again_after_a_hangup(start_sidecar, tmp_path, authority):
    """The Collector's authority changes, and with it the file that names it."""
    file = tmp_path / "trusted.pem"
    shutil.copy(authority.certificate, file)
    with HttpCollector(identity=authority.issue("collector")) as collector:
        sidecar = start_sidecar(*export(collector, file))
        send(sidecar, "before")
        collector.wait_for_span("before")
    other = Authority(tmp_path, "other")
    shutil.copy(other.certificate, file)
    with HttpCollector(collector.port, identity=other.issue("new")) as collector:
        sidecar.signal(signal.SIGHUP)
        send(sidecar, "after")
        collector.wait_for_span("after")


def test_no_connection_outlives_a_hangup(start_sidecar, tmp_path, authority):
    """What it was made with may no longer hold."""
    with HttpCollector(identity=authority.issue("collector")) as collector:
        sidecar = start_sidecar(*export(collector, authority.certificate))
        send(sidecar, "0")
        collector.wait_for_span("0")
        (old,) = collector.connections()
        sidecar.signal(signal.SIGHUP)
        names = map(str, itertools.count(1))

        def gone():
            send(sidecar, name := next(names))
            collector.wait_for_span(name)
            return old not in collector.connections()

        wait_for(gone, "the old connection to be closed")


def test_no_connection_outlives_a_timeout(start_sidecar, authority):
    """HTTP/2 could send on over it, but its peer may have gone without a word."""
    with RudeServer("silent", authority.issue("collector")) as rude:
        options = export(rude, authority.certificate)
        sidecar = start_sidecar(*options, "--otlp-timeout=200ms")
        send(sidecar, "op")
        wait_for(lambda: rude.accepted >= 2, "a connection for the second try")
