"""Kafka behind TLS and SASL: --kafka carries what that takes; what is wrong is told."""

import ctypes
import pathlib

import confluent_kafka
import pytest

from lib.adder import Adder
from lib.parts import Kafka
from lib.process import program, run
from lib.tls import Authority
from lib.totalizer import Kafka as Sums
from lib.wait import wait_for

USER, PASSWORD = "sums", "not-for-a-log"
PARTITIONS = 4
SCRAM, PLAIN = "SCRAM-SHA-256", "PLAIN"
LOGIN = "org.apache.kafka.common.security.{}LoginModule required " + (
    f'username="{USER}" password="{PASSWORD}" user_{USER}="{PASSWORD}";'
)
# Brokers from 4.0 on take SCRAM from this version on.
CAN_SCRAM = ctypes.CDLL("librdkafka.so.1").rd_kafka_version() >= 0x020601FF


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def properties(authority, mechanism, **change):
    """A client's, of librdkafka; a change has "_" for "." in its names, None takes one out."""
    given = {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": authority.certificate,
        "sasl.mechanism": mechanism,
        "sasl.username": USER,
        "sasl.password": PASSWORD,
        **{key.replace("_", "."): value for key, value in change.items()},
    }
    return {key: value for key, value in given.items() if value is not None}


def options(given):
    """The same as options of the services."""
    return [f"--kafka={key}={value}" for key, value in given.items()]


@pytest.fixture(scope="module")
def broker(tmp_path_factory, authority):
    """One whose only listener for clients takes nothing but SASL over TLS."""
    own = authority.issue("broker")
    with Kafka(
        tmp_path_factory.mktemp("kafka"),
        "listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT",
        f"sasl.enabled.mechanisms={SCRAM},{PLAIN}",
        f"sasl.mechanism.inter.broker.protocol={PLAIN}",
        f"listener.name.plaintext.plain.sasl.jaas.config={LOGIN.format('plain.Plain')}",
        f"listener.name.plaintext.scram-sha-256.sasl.jaas.config={LOGIN.format('scram.Scram')}",
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={own.both}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={authority.certificate}",
        partitions=PARTITIONS,
        client=[f"{key}={value}" for key, value in properties(authority, PLAIN).items()],
        format=["--add-scram", f"{SCRAM}=[name={USER},password={PASSWORD}]"],
    ) as running:
        yield running


def client(mechanism, folder):
    """The environment of a service: for SCRAM a librdkafka that does it, if need be confluent's."""
    if mechanism == PLAIN or CAN_SCRAM:
        return {}
    package = pathlib.Path(confluent_kafka.__file__).parent
    [newer] = package.with_name("confluent_kafka.libs").glob("librdkafka-*.so.1")
    link = folder / "librdkafka.so.1"
    link.unlink(missing_ok=True)
    link.symlink_to(newer)
    return {"LD_LIBRARY_PATH": str(folder)}


def test_sums_over_tls_and_sasl(tmp_path, authority, broker):
    """From calls to the total, which is kept from one mechanism to the other."""
    kafka = Sums(broker.address, partitions=PARTITIONS)
    for mechanism in (PLAIN, SCRAM):
        given = options(properties(authority, mechanism))
        with Adder(tmp_path, broker.address, *given, env=client(mechanism, tmp_path)) as adder:
            for number in range(20):
                assert adder.sum(number, 1) == number + 1
            adder.terminate()
            assert PASSWORD not in adder.log()
    for mechanism in (PLAIN, SCRAM):
        given = options(properties(authority, mechanism))
        with kafka.totalizer(tmp_path, *given, env=client(mechanism, tmp_path)) as totalizer:
            totalizer.wait_total(2 * sum(range(1, 21)), 40, 60)
            totalizer.wait_owned(PARTITIONS)
            totalizer.terminate()
            assert PASSWORD not in totalizer.log()


def told(tmp_path, broker, given, words):
    """Neither service is ready; each logs these words, and no password."""
    kafka = Sums(broker.address, partitions=PARTITIONS)
    with (
        Adder(tmp_path, broker.address, *options(given), ready=False) as adder,
        kafka.totalizer(tmp_path, *options(given)) as totalizer,
    ):
        for service in (adder, totalizer):
            wait_for(
                lambda s=service: all(word in s.log() for word in words),
                lambda s=service: f"{words} in its log:\n{s.log()}",
                30,
            )
            assert given["sasl.password"] not in service.log()
        assert adder.get("/readyz")[0] == 503
        assert totalizer.get("/v1/healthcheck")[0] == totalizer.get("/v1/results")[0] == 503
        for service in (adder, totalizer):
            service.terminate()


def test_wrong_password(tmp_path, authority, broker):
    given = properties(authority, PLAIN, sasl_password="guessed")
    told(tmp_path, broker, given, ["SASL authentication error"])


def test_unknown_authority(tmp_path, authority, broker):
    given = properties(authority, PLAIN, ssl_ca_location=None)
    told(tmp_path, broker, given, ["certificate verify failed"])


@pytest.mark.skipif(CAN_SCRAM, reason="this librdkafka does SCRAM as brokers from 4.0 on want it")
def test_scram_of_an_old_librdkafka(tmp_path, authority, broker):
    """The broker blames the password; the services say what it is."""
    given = properties(authority, SCRAM)
    told(tmp_path, broker, given, ["event=kafka_scram", "librdkafka 2.6.1 or newer"])


def test_check_shows_no_password(authority):
    for name in ("adder", "totalizer"):
        shown = run([program(name), "--check", *options(properties(authority, PLAIN))])
        assert shown.returncode == 0
        assert f"--kafka=sasl.username={USER}\n" in shown.stdout
        assert "--kafka=sasl.password=***" in shown.stdout.replace("'", "")
        assert PASSWORD not in shown.stdout + shown.stderr
