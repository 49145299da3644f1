"""Apache Kafka started as its pod starts it: by start.sh, with the paths and names of a pod."""

import os

import pytest

from lib import manifests
from lib.manifests import Pod, find, overlay
from lib.parts import part
from lib.process import Process, program, run
from lib.wait import PATIENCE

# Private mounts and a private network, so that /opt/kafka, /data, port 9092 and the pod's name are
# the test's own. The test's commands come in by nsenter.
POD = """
set -e
ip link set lo up
mount -t tmpfs tmpfs /opt
mkdir -p /opt/kafka/libs
mount --bind "$JARS" /opt/kafka/libs
mount --bind "$HOSTS" /etc/hosts
exec sh "$START"
"""


@pytest.fixture
def kafka(tmp_path):
    """kafka() starts the node of overlay dev, again with its data; a Process."""
    if os.geteuid() != 0:
        pytest.skip("namespaces of one's own need root")
    (config,) = [
        m for m in find(overlay("dev"), "ConfigMap") if m["metadata"]["name"].startswith("kafka-")
    ]
    for file, text in config["data"].items():
        # /data is the pod's volume; here it is a folder of the test, which outlives the process.
        (tmp_path / file).write_text(text.replace("/data/kafka", str(tmp_path / "data")))
    pod = Pod(find(overlay("dev"), "StatefulSet", "kafka")[0])
    name = f"kafka-0.kafka-nodes.{pod.namespace}.svc.cluster.local"
    (tmp_path / "hosts").write_text(f"127.0.0.1 localhost {os.uname().nodename} kafka {name}\n")
    env = {
        **manifests.environment(pod.container("kafka")),
        "POD": "kafka-0",
        "NAMESPACE": pod.namespace,
        "PROPERTIES": str(tmp_path / "server.properties"),
        "JARS": str(part("kafka") / "jars"),
        "HOSTS": str(tmp_path / "hosts"),
        "START": str(tmp_path / "start.sh"),
    }
    running = []

    def start():
        argv = ["unshare", "--net", "--mount", "sh", "-c", POD]
        running.append(Process(argv, tmp_path / f"kafka-{len(running)}.log", env))
        return running[-1]

    yield start
    for process in running:
        process.kill()


def inside(process, *argv, timeout=90):
    """Run a command where the process is: its network, its names."""
    enter = ["nsenter", f"--target={process.pid}", "--net", "--mount"]
    return run([*enter, *argv], timeout=timeout)


def test_kafka_starts_as_in_its_pod(kafka):
    """The Job makes the topic, and finds it again after a restart with its data."""
    job = Pod(find(overlay("dev"), "Job", "topic")[0]).container("topic")
    for _ in range(2):
        process = kafka()
        made = inside(process, program("dev/topic"), *job["args"])
        assert made.returncode == 0, made.stderr + process.log()
        seen = inside(process, "kcat", "-b", "kafka:9092", "-L", "-m", str(int(10 * PATIENCE)))
        assert 'topic "sums" with 12 partitions' in seen.stdout, seen
        assert "broker 0 at kafka-0.kafka-nodes.sums-dev.svc.cluster.local:9092" in seen.stdout
        process.terminate(expect=143, timeout=60)  # a Java machine's answer to SIGTERM
