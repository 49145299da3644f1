"""Who may talk to whom in Kubernetes, and the files of k8s/config as their readers judge them."""

import pytest
import yaml

from lib import manifests
from lib.manifests import K8S, called, find, namespace, overlay, pods, selects
from lib.parts import part
from lib.process import run


# ---- NetworkPolicies. Nothing enforces them here: this is their meaning, worked out by hand.


class Cluster:
    """The pods of the overlays that run beside each other, and whether a policy lets them talk."""

    def __init__(self, *overlays):
        things = [thing for name in overlays for thing in overlay(name)]
        self.pods = pods(things)
        self.policies = find(things, "NetworkPolicy")

    def pod(self, name):
        """The pod of the workload of that name."""
        (found,) = [pod for pod in self.pods if pod.name == name]
        return found

    def _governing(self, pod, direction):
        return [
            policy
            for policy in self.policies
            if namespace(policy) == pod.namespace
            and direction in policy["spec"]["policyTypes"]
            and selects(policy["spec"]["podSelector"], pod.labels)
        ]

    @staticmethod
    def _is(peer, policy, pod):
        spaces = peer.get("namespaceSelector")
        if spaces is None:
            if pod.namespace != namespace(policy):
                return False
        elif not selects(spaces, {"kubernetes.io/metadata.name": pod.namespace}):
            return False
        return selects(peer.get("podSelector", {}), pod.labels)

    def _passes(self, subject, direction, other, target, port):
        """One side's policies; target is the pod with the port, whichever side that is."""
        side, rules = ("from", "ingress") if direction == "Ingress" else ("to", "egress")
        governing = self._governing(subject, direction)
        assert governing, f"{subject} is not isolated ({direction})"
        for policy in governing:
            for rule in policy["spec"].get(rules, ()):
                numbers = [target.ports().get(p["port"], p["port"]) for p in rule["ports"]]
                peers = rule.get(side)
                if port in numbers and (
                    peers is None or any(self._is(p, policy, other) for p in peers)
                ):
                    return True
        return False

    def allows(self, source, target, port):
        """May this pod connect to that port of that pod?"""
        source, target = self.pod(source), self.pod(target)
        return self._passes(source, "Egress", target, target, port) and self._passes(
            target, "Ingress", source, target, port
        )


# Every connection that is meant, and its port.
MEANT = {
    ("adder", "kafka", 9092),
    ("totalizer", "kafka", 9092),
    ("topic", "kafka", 9092),
    ("kafka", "kafka", 9092),
    ("kafka", "kafka", 9093),
    ("adder", "otel-agent", 4317),
    ("totalizer", "otel-agent", 4317),
    ("otel-agent", "otel-gateway", 4317),
    ("otel-gateway", "jaeger", 4317),
    ("prometheus", "adder", 9464),
    ("prometheus", "totalizer", 9464),
    ("prometheus", "otel-agent", 8888),
    ("prometheus", "otel-gateway", 8888),
    ("prometheus", "otel-gateway", 8889),
    ("prometheus", "alertmanager", 9093),
    ("prometheus-adapter", "prometheus", 9090),
    ("grafana", "prometheus", 9090),
    ("grafana", "jaeger", 16686),
    ("grafana", "alertmanager", 9093),
}


@pytest.mark.parametrize("name", ["dev", "production"])
def test_pods_may_talk_as_meant_and_not_otherwise(name):
    """Of all pairs of pods and all their ports, just these."""
    cluster = Cluster(name, "monitoring", "autoscaling")
    allowed = {
        (source.name, target.name, port)
        for source in cluster.pods
        for target in cluster.pods
        for port in target.ports().values()
        if cluster.allows(source.name, target.name, port)
    }
    assert allowed == MEANT


@pytest.mark.parametrize("name", ["dev", "monitoring", "production"])
def test_every_pod_may_ask_for_names(name):
    """DNS, by UDP and TCP."""
    policies = find(overlay(name), "NetworkPolicy", "dns")
    (rule,) = policies[0]["spec"]["egress"]
    assert policies[0]["spec"]["podSelector"] == {}
    assert [(p["port"], p["protocol"]) for p in rule["ports"]] == [(53, "UDP"), (53, "TCP")]


def test_services_are_open_to_callers_in_other_namespaces():
    """adder's gRPC and totalizer's pages; and nothing else is open to just anyone."""
    cluster = Cluster("production", "monitoring", "autoscaling")
    open_to_all = set()
    for policy in cluster.policies:
        for rule in policy["spec"].get("ingress", ()):
            if "from" not in rule or {"namespaceSelector": {}} in rule["from"]:
                open_to_all |= {(policy["metadata"]["name"], p["port"]) for p in rule["ports"]}
    assert open_to_all == {
        ("adder", "grpc"),
        ("totalizer", "http"),
        ("otel-agent", "otlp-grpc"),
        ("otel-agent", "otlp-http"),
        ("prometheus-adapter", "https"),
    }


# ---- Kafka


def kafka_properties(tmp_path, name, node):
    """The configuration that start.sh writes for pod kafka-NODE; its Java machine does nothing."""
    (config,) = [
        m for m in find(overlay(name), "ConfigMap") if m["metadata"]["name"].startswith("kafka-")
    ]
    for file, text in config["data"].items():
        (tmp_path / file).write_text(text)
    java = tmp_path / "java"
    java.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\n')
    java.chmod(0o755)
    pod = manifests.Pod(find(overlay(name), "StatefulSet", "kafka")[0])
    env = {
        **manifests.environment(pod.container("kafka")),
        "NAMESPACE": pod.namespace,
        "POD": f"kafka-{node}",
        "PROPERTIES": str(tmp_path / "server.properties"),
        "PATH": f"{tmp_path}:/usr/bin:/bin",
    }
    done = run(["sh", tmp_path / "start.sh"], env=env)
    assert done.returncode == 0, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert "StorageTool format --ignore-formatted" in calls[0], calls
    assert calls[1].endswith(f"kafka.Kafka {tmp_path}/server.properties"), calls
    lines = (tmp_path / "server.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_kafka_is_one_node_in_dev(tmp_path):
    """Its own only voter, everything once."""
    found = kafka_properties(tmp_path, "dev", 0)
    assert found["node.id"] == "0"
    assert (
        found["controller.quorum.voters"] == "0@kafka-0.kafka-nodes.sums-dev.svc.cluster.local:9093"
    )
    assert found["default.replication.factor"] == "1"
    assert found["auto.create.topics.enable"] == "false"


@pytest.mark.parametrize("node", [0, 1, 2])
def test_kafka_is_three_nodes_in_production(tmp_path, node):
    """Each knows all voters, keeps everything three times, and needs two to acknowledge."""
    found = kafka_properties(tmp_path, "production", node)
    (stateful,) = find(overlay("production"), "StatefulSet")
    assert stateful["spec"]["replicas"] == 3
    domain = "kafka-nodes.sums.svc.cluster.local"
    assert found["node.id"] == str(node)
    assert found["controller.quorum.voters"] == ",".join(
        f"{n}@kafka-{n}.{domain}:9093" for n in range(3)
    )
    own = f"kafka-{node}.{domain}"
    assert found["advertised.listeners"] == f"PLAINTEXT://{own}:9092,CONTROLLER://{own}:9093"
    for key, value in found.items():
        if key.endswith("replication.factor"):
            assert value == "3", key
        if key.endswith(("min.isr", "min.insync.replicas")):
            assert value == "2", key
    assert found["unclean.leader.election.enable"] == "false"
    topic = manifests.Pod(find(overlay("production"), "Job", "topic")[0]).container("topic")
    assert "--replicas=3" in topic["args"]


# ---- the files, judged by those who read them


def mounted(tmp_path, name):
    """The files of a ConfigMap of the overlay monitoring, in a folder as a pod would have them."""
    (config,) = [
        m
        for m in find(overlay("monitoring"), "ConfigMap")
        if m["metadata"]["name"].rpartition("-")[0] == name
    ]
    for file, text in config["data"].items():
        (tmp_path / file).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "name, file", [("collector", "collector.yaml"), ("collector-agent", "agent.yaml")]
)
def test_collector_accepts_its_configuration(tmp_path, name, file):
    """Gateway and agent."""
    path = mounted(tmp_path, name) / file
    done = run([part("otelcol") / "otelcol", "validate", f"--config={path}"])
    assert done.returncode == 0, done.stderr


def test_collector_stops_below_its_containers_limit():
    """The memory limiter acts before the kernel does."""
    things = overlay("monitoring")
    for config, file, workload in (
        ("collector", "collector.yaml", "Deployment"),
        ("collector-agent", "agent.yaml", "DaemonSet"),
    ):
        (data,) = [
            m["data"][file]
            for m in find(things, "ConfigMap")
            if m["metadata"]["name"].rpartition("-")[0] == config
        ]
        limiter = yaml.safe_load(data)["processors"]["memory_limiter"]["limit_mib"]
        name = "otel-gateway" if workload == "Deployment" else "otel-agent"
        pod = manifests.Pod(find(things, workload, name)[0])
        limit = manifests.quantity(pod.containers[0]["resources"]["limits"]["memory"]) / 2**20
        memory = int(manifests.environment(pod.containers[0])["GOMEMLIMIT"].removesuffix("MiB"))
        assert memory < limiter < limit * 0.85, name


def test_prometheus_accepts_its_configuration(tmp_path):
    """With the rules, the files of targets and the jobs that find pods."""
    folder = mounted(tmp_path, "prometheus")
    done = run([part("prometheus") / "promtool", "check", "config", folder / "prometheus.yml"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout
    jobs = yaml.safe_load((folder / "scrape-kubernetes.yaml").read_text())["scrape_configs"]
    told = {
        r["replacement"]
        for j in jobs
        for r in j["relabel_configs"]
        if r.get("target_label") == "job"
    }
    main = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"]
    assert told == {job["job_name"] for job in main}


def test_prometheus_looks_for_nothing_that_it_may_not_reach(tmp_path):
    """Pods of other namespaces only with a sidecar: others would be targets that are down."""
    folder = mounted(tmp_path, "prometheus")
    jobs = yaml.safe_load((folder / "scrape-kubernetes.yaml").read_text())["scrape_configs"]
    (policy,) = find(overlay("monitoring"), "NetworkPolicy", "prometheus")
    elsewhere = [
        peer["podSelector"]["matchLabels"]
        for rule in policy["spec"]["egress"]
        for peer in rule.get("to", ())
        if "namespaceSelector" in peer
    ]
    assert elsewhere == [{"sidecard/injected": "true"}]
    for job in jobs:
        (found_by,) = job["kubernetes_sd_configs"]
        if job["job_name"] == "kubernetes-sidecars":
            keep = job["relabel_configs"][0]
            assert keep["action"] == "keep" and keep["regex"].startswith("true;")
            assert keep["source_labels"][0] == "__meta_kubernetes_pod_label_sidecard_injected"
        else:
            assert found_by.get("namespaces") == {"own_namespace": True}, job["job_name"]


def test_alertmanager_accepts_its_configuration(tmp_path):
    """As amtool says."""
    path = mounted(tmp_path, "alertmanager") / "alertmanager.yml"
    done = run([part("alertmanager") / "amtool", "check-config", path])
    assert done.returncode == 0, done.stdout + done.stderr


def test_adapter_asks_prometheus_something_it_understands(tmp_path):
    """Its query, with the placeholders filled in as the adapter does."""
    (config,) = find(overlay("autoscaling"), "ConfigMap")
    (rule,) = yaml.safe_load(config["data"]["prometheus-adapter.yaml"])["rules"]
    query = rule["metricsQuery"]
    for placeholder, value in (
        ("Series", "kafka_consumer_lag"),
        ("LabelMatchers", 'namespace="sums",pod=~"a|b"'),
        ("GroupBy", "pod"),
    ):
        assert f"<<.{placeholder}>>" in query
        query = query.replace(f"<<.{placeholder}>>", value)
    rules = [{"record": "a", "expr": query}, {"record": "b", "expr": rule["seriesQuery"]}]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "adapter", "rules": rules}]}))
    done = run([part("prometheus") / "promtool", "check", "rules", path])
    assert done.returncode == 0, done.stdout + done.stderr


# ---- Prometheus Operator


def test_operator_gets_the_same_alerts():
    """k8s/prometheus-rule: the rules file, indented, and nothing else."""
    done = run([K8S / "prometheus-rule"])
    assert done.returncode == 0, done.stderr
    made = yaml.safe_load(done.stdout)
    rules = yaml.safe_load((K8S / "config" / "prometheus-rules.yaml").read_text())
    assert made["kind"] == "PrometheusRule" and made["metadata"]["namespace"] == "monitoring"
    assert made["spec"] == rules and len(rules["groups"]) >= 2


def test_monitors_find_their_pods():
    """Each selects what is there, by ports that are there, into the jobs of prometheus.yml."""
    things = overlay("operator")
    around = overlay("monitoring") + overlay("production")
    main = yaml.safe_load((K8S / "config" / "prometheus.yml").read_text())["scrape_configs"]
    monitors = find(things, "PodMonitor") + find(things, "ServiceMonitor")
    assert len(monitors) == len(things) == 3
    for monitor in monitors:
        spec = monitor["spec"]
        if monitor["kind"] == "PodMonitor":
            ends = spec["podMetricsEndpoints"]
            chosen = [p.ports() for p in pods(around) if selects(spec["selector"], p.labels)]
        else:
            ends = spec["endpoints"]
            labels = spec["selector"]["matchLabels"]
            services = find(around, "Service", **labels)
            chosen = [{p["name"] for p in s["spec"]["ports"]} for s in services]
        assert chosen, called(monitor)
        for end in ends:
            assert all(end["port"] in ports for ports in chosen), called(monitor)
            (job,) = [r["replacement"] for r in end["relabelings"] if r["targetLabel"] == "job"]
            assert job in {j["job_name"] for j in main}
