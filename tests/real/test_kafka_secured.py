"""Kafka behind TLS and SASL/SCRAM: --kafka carries what that takes; what is wrong is told."""

import pytest

from lib.adder import Adder
from lib.parts import Kafka
from lib.process import program, run
from lib.tls import Authority
from lib.totalizer import Kafka as Sums
from lib.wait import wait_for

USER, PASSWORD = "sums", "not-for-a-log"
PARTITIONS = 4


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def properties(authority, password=PASSWORD):
    """A client's, of librdkafka."""
    return {
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": authority.certificate,
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": USER,
        "sasl.password": password,
    }


def options(given):
    """The same as options of the services."""
    return [f"--kafka={key}={value}" for key, value in given.items()]


@pytest.fixture(scope="module")
def broker(tmp_path_factory, authority):
    """One whose only listener for clients takes nothing but SCRAM over TLS."""
    own = authority.issue("broker")
    login = (
        "org.apache.kafka.common.security.scram.ScramLoginModule required"
        f' username="{USER}" password="{PASSWORD}";'
    )
    with Kafka(
        tmp_path_factory.mktemp("kafka"),
        "listener.security.protocol.map=PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms=SCRAM-SHA-256",
        "sasl.mechanism.inter.broker.protocol=SCRAM-SHA-256",
        f"listener.name.plaintext.scram-sha-256.sasl.jaas.config={login}",
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={own.both}",
        "ssl.truststore.type=PEM",
        f"ssl.truststore.location={authority.certificate}",
        partitions=PARTITIONS,
        client=[f"{key}={value}" for key, value in properties(authority).items()],
        format=["--add-scram", f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"],
    ) as running:
        yield running


def test_sums_over_tls_and_scram(tmp_path, authority, broker):
    """From a call to the total, and it is kept over a restart."""
    given = properties(authority)
    kafka = Sums(broker.address, partitions=PARTITIONS, properties=given)
    with Adder(tmp_path, broker.address, *options(given)) as adder:
        for number in range(20):
            assert adder.sum(number, 1) == number + 1
        adder.terminate()
        assert PASSWORD not in adder.log()
    for turn in range(2):
        with kafka.totalizer(tmp_path, *options(given), name=f"t{turn}") as totalizer:
            totalizer.wait_total(sum(range(1, 21)), 20, 60)
            wait_for(lambda t=totalizer: t.wait_healthy()["owned"] == PARTITIONS, "all of them")
            totalizer.terminate()
            assert PASSWORD not in totalizer.log()


@pytest.mark.parametrize(
    "change, words",
    [
        ({"sasl.password": "wrong"}, ["_AUTHENTICATION", "SASL"]),
        ({"ssl.ca.location": None}, ["_SSL", "certificate verify failed"]),
    ],
    ids=["password", "authority"],
)
def test_what_is_wrong_is_told(tmp_path, authority, broker, change, words):
    """Neither is ready; each names the reason, and no password."""
    given = {k: v for k, v in {**properties(authority), **change}.items() if v is not None}
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


def test_check_shows_no_password(authority):
    for name in ("adder", "totalizer"):
        shown = run([program(name), "--check", *options(properties(authority))])
        assert shown.returncode == 0 and "sasl.username" in shown.stdout
        assert PASSWORD not in shown.stdout + shown.stderr
