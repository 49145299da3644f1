"""Apache Kafka started as its pods start it: by start.sh, with the paths and names of a pod."""

import os
import re

import pytest

from lib import manifests
from lib.manifests import Pod, find, namespace, overlay
from lib.parts import part
from lib.process import Process, program, run
from lib.wait import PATIENCE, wait_for

# The machine that the pods are on: mounts and a network of its own, so that /opt/kafka, port 9092
# and the pods' names are the test's. It stays until it is killed. The bridge's address is said, for
# by itself it takes that of one of its links: it would change as pods come and go, and answers to
# whoever asks from the machine would get lost for seconds.
MACHINE = """
set -e
ip link set lo up
ip link add pods address 02:00:00:00:00:01 type bridge
ip address add 10.9.0.1/24 dev pods
ip link set pods up
mount -t tmpfs tmpfs /opt
mkdir -p /opt/kafka/libs
mount --bind "$JARS" /opt/kafka/libs
mount --bind "$HOSTS" /etc/hosts
echo ready
exec tail -f /dev/null
"""
# A pod: a network of its own, with the address that its name says.
NODE = """
set -e
until ip link show eth0 >/dev/null 2>&1; do :; done
ip link set lo up
ip address add "$ADDRESS/24" dev eth0
ip link set eth0 up
exec sh "$START"
"""


class Cluster:
    """The Kafka nodes of an overlay: start(n), kill(n); run() is a command on their machine."""

    def __init__(self, folder, name):
        things = overlay(name)
        (stateful,) = find(things, "StatefulSet", "kafka")
        self.pod = Pod(stateful)
        self.job = Pod(find(things, "Job", "topic")[0]).container("topic")
        self.nodes = range(stateful["spec"]["replicas"])
        self.running = {}
        self._folder = folder
        (config,) = [
            m for m in find(things, "ConfigMap") if m["metadata"]["name"].startswith("kafka-")
        ]
        hosts = [f"127.0.0.1 localhost {os.uname().nodename}", f"{self.address(0)} kafka"]
        for n in self.nodes:
            hosts.append(f"{self.address(n)} {self.host(n)}")
            (folder / str(n)).mkdir()
            for file, text in config["data"].items():
                # The pod's volume /data is a folder of the test, which outlives the process.
                text = text.replace("/data/kafka", f"{folder}/{n}/data")
                (folder / str(n) / file).write_text(text)
        (folder / "hosts").write_text("\n".join(hosts) + "\n")
        env = {"JARS": str(part("kafka") / "jars"), "HOSTS": str(folder / "hosts")}
        argv = ["unshare", "--net", "--mount", "sh", "-c", MACHINE]
        self._machine = Process(argv, folder / "machine.log", env)
        self._machine.wait_log("ready")

    @staticmethod
    def address(n):
        """Of pod kafka-n."""
        return f"10.9.0.1{n}"

    def host(self, n):
        """Its name, as its Service gives it."""
        space = namespace(self.pod.workload)
        return f"kafka-{n}.{self.pod.workload['spec']['serviceName']}.{space}.svc.cluster.local"

    def _enter(self):
        return ["nsenter", f"--target={self._machine.pid}", "--net", "--mount"]

    def run(self, *argv, timeout=120, **keywords):
        """Run to the end, where the pods' names are known."""
        return run([*self._enter(), *argv], timeout=timeout, **keywords)

    def start(self, n):
        """Start node n, again with its data."""
        env = {
            **manifests.environment(self.pod.container("kafka")),
            "POD": f"kafka-{n}",
            "NAMESPACE": self.pod.namespace,
            "HEAP": "256m",  # three on a small machine
            "PROPERTIES": f"{self._folder}/{n}/server.properties",
            "START": f"{self._folder}/{n}/start.sh",
            "ADDRESS": self.address(n),
        }
        argv = [*self._enter(), "unshare", "--net", "sh", "-c", NODE]
        node = self.running[n] = Process(argv, self._folder / f"kafka-{n}.log", env)
        own, theirs = f"/proc/{node.pid}/ns/net", f"/proc/{self._machine.pid}/ns/net"
        # Its own network is there as soon as it is neither this test's nor the machine's.
        others = {os.readlink("/proc/self/ns/net"), os.readlink(theirs)}
        wait_for(lambda: os.readlink(own) not in others, f"node {n} to have a network")
        link = f"ip link add v{n} type veth peer name eth0 netns {node.pid}"
        made = self.run("sh", "-c", f"{link} && ip link set v{n} master pods up")
        assert made.returncode == 0, made.stderr

    def make_topic(self, *options):
        """What the topic's Job does, with further options: a Process."""
        argv = [*self._enter(), program("dev/topic"), *self.job["args"], *options]
        job = self.running["topic"] = Process(argv, self._folder / "topic.log")
        return job

    def metadata(self):
        """What node 0 says of them all."""
        wait = str(int(10 * PATIENCE))
        seen = self.run("kcat", "-b", "kafka:9092", "-L", "-m", wait)
        return seen.stdout + seen.stderr

    def produce(self, partition, seconds):
        """Some messages, for all that are in sync to acknowledge: what kcat says if they do not."""
        brokers = ",".join(f"{self.host(n)}:9092" for n in self.nodes)
        wait = f"message.timeout.ms={int(seconds * PATIENCE * 1000)}"
        # -E: a node that does not answer is no end.
        words = f"-E -P -t sums -p {partition} -X acks=all -X {wait}"
        with open(self._folder / "hosts", encoding="ascii") as messages:
            sent = self.run("kcat", "-b", brokers, *words.split(), stdin=messages)
        return sent.stderr if sent.returncode else None

    def close(self):
        """Kill what is there."""
        for process in (*self.running.values(), self._machine):
            process.kill()


@pytest.fixture
def cluster(tmp_path):
    """cluster(overlay) makes a Cluster, none of its nodes started."""
    if os.geteuid() != 0:
        pytest.skip("namespaces of one's own need root")
    made = []

    def make(name):
        made.append(Cluster(tmp_path, name))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_one_node_keeps_its_topic_over_a_restart(cluster):
    """dev: the topic's Job finds the node, makes the topic, and finds it again."""
    dev = cluster("dev")
    for _ in range(2):
        dev.start(0)
        job = dev.make_topic()
        assert job.wait_exit(120) == 0, job.log()
        seen = dev.metadata()
        assert 'topic "sums" with 12 partitions' in seen
        assert f"broker 0 at {dev.host(0)}:9092" in seen
        dev.running[0].terminate(expect=143, timeout=60)  # a Java machine's answer to SIGTERM


def test_topic_is_there_when_its_job_has_ended(cluster):
    """A broker learns of it later than the controller by which it is made."""
    dev = cluster("dev")
    dev.start(0)
    for name in "abcdefgh":
        job = dev.make_topic(f"--topic={name}:12")
        assert job.wait_exit(120) == 0, job.log()
        assert f'topic "{name}" with 12 partitions' in dev.metadata()


def test_three_nodes_go_on_without_one_but_not_without_two(cluster):
    """production: everything three times; what is acknowledged lies on two at least."""
    production = cluster("production")
    *first, last = production.nodes
    for n in first:
        production.start(n)
    job = production.make_topic()
    job.wait_log("waiting: ", 120)  # nowhere to put a third replica
    production.start(last)
    assert job.wait_exit(120) == 0, job.log()
    seen, everywhere = [], [["0", "1", "2"]] * 12

    def complete():
        """Node 0, which the Job need not have asked, knows that all three have all of the topic."""
        seen[:] = [production.metadata()]
        brokers = [f"broker {n} at {production.host(n)}:9092" for n in production.nodes]
        return all(broker in seen[0] for broker in brokers) and copies("isrs") == everywhere

    def copies(what):
        found = re.findall(what + r": ([\d,]*\d)", seen[0])
        return [sorted(nodes.split(",")) for nodes in found]

    wait_for(complete, lambda: f"node 0 to know all three, and the topic: {seen}", 60)
    assert copies("replicas") == everywhere
    assert production.produce(0, seconds=30) is None
    production.running[2].kill()
    assert production.produce(1, seconds=60) is None
    production.running[1].kill()
    assert "Message timed out" in production.produce(0, seconds=5)
    for n in production.nodes:  # none took itself for another
        assert "voter key" not in production.running[n].log()
