"""The manifests of k8s/ without a cluster: what the API server would refuse, and what it would take
and nobody wants."""

import itertools

import kubernetes_validate
import pytest

from lib import manifests
from lib.manifests import Pod, called, find, namespace, overlay, pods, quantity, selects
from lib.process import program, run
from lib.realstack import PARTS

KUBERNETES = "1.33"
# Custom resources, whose schemas come with the Prometheus Operator: test_monitors looks at them.
CUSTOM = ("PodMonitor", "ServiceMonitor", "PrometheusRule")
OURS = {"sidecard": "sidecard", "adder": "adder", "totalizer": "totalizer", "topic": "dev/topic"}

each_overlay = pytest.mark.parametrize("name", manifests.OVERLAYS)


def test_there_are_these_overlays():
    """Those that README.md tells of, so that a parametrized test is about something."""
    assert manifests.OVERLAYS == ["autoscaling", "dev", "monitoring", "operator", "production"]


@each_overlay
def test_objects_have_the_fields_that_kubernetes_knows(name):
    """Strictly: an unknown field is an error. And no object is there twice."""
    things = overlay(name)
    for thing in things:
        if thing["kind"] not in CUSTOM:
            kubernetes_validate.validate(thing, KUBERNETES, strict=True)
    names = [(thing["apiVersion"], called(thing)) for thing in things]
    assert len(names) == len(set(names))


def test_namespaces_are_restricted_and_are_there():
    """Each object lives in a namespace that admits restricted pods only, made by an overlay."""
    things = manifests.everything()
    made = set()
    for space in find(things, "Namespace"):
        labels = space["metadata"]["labels"]
        for mode in ("enforce", "audit", "warn"):
            assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted", called(space)
        made.add(space["metadata"]["name"])
    for thing in things:
        if thing["kind"] in manifests.CLUSTER_WIDE:
            assert namespace(thing) is None, called(thing)
        elif thing["kind"] == "RoleBinding":
            assert namespace(thing) == "kube-system", called(thing)
        else:
            assert namespace(thing) in made, called(thing)


@each_overlay
def test_pods_keep_to_podsecurity_restricted(name):
    """The profile's rules one by one, and a root file system that cannot be written."""
    for pod in pods(overlay(name)):
        for field in ("hostNetwork", "hostPID", "hostIPC"):
            assert not pod.spec.get(field), (pod, field)
        context = pod.spec["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] > 0, pod
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, pod
        for volume in pod.spec.get("volumes", ()):
            assert set(volume) - {"name"} <= {"configMap", "emptyDir"}, (pod, volume)
            assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"], (pod, volume)
        for container in pod.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, (pod, container["name"])
            assert not any("hostPort" in port for port in container.get("ports", ())), pod


@each_overlay
def test_pods_get_tokens_and_service_variables_only_if_they_need_them(name):
    """A token only for who has a role; no variables like options (KAFKA_PORT=tcp://...)."""
    things = overlay(name)
    accounts = {a["metadata"]["name"]: a for a in find(things, "ServiceAccount")}
    bound = {
        subject["name"]
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for binding in find(things, kind)
        for subject in binding["subjects"]
    }
    for pod in pods(things):
        assert pod.spec["enableServiceLinks"] is False, pod
        account = accounts.get(pod.spec.get("serviceAccountName"), {})
        token = pod.spec.get(
            "automountServiceAccountToken", account.get("automountServiceAccountToken", True)
        )
        assert token == (pod.spec.get("serviceAccountName") in bound), pod
        if "serviceAccountName" in pod.spec:
            assert account, pod


@each_overlay
def test_containers_say_what_they_need(name):
    """Requests for processor and memory; a limit on memory only, the other would throttle."""
    for pod in pods(overlay(name)):
        for container in pod.containers:
            needs = container["resources"]
            assert set(needs["requests"]) == {"cpu", "memory"}, (pod, container["name"])
            assert set(needs["limits"]) == {"memory"}, (pod, container["name"])
            assert quantity(needs["requests"]["memory"]) <= quantity(needs["limits"]["memory"]), pod


@each_overlay
def test_selectors_choose_pods_and_ports_exist(name):
    """Of workloads, Services, PodDisruptionBudgets and probes."""
    things = overlay(name)
    there = pods(things)
    for pod in there:
        if "selector" in pod.workload["spec"]:
            assert selects(pod.workload["spec"]["selector"], pod.labels), pod
        ports = pod.ports()
        for container in pod.containers:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                for how in ("httpGet", "tcpSocket"):
                    target = container.get(probe, {}).get(how)
                    own = [port["name"] for port in container.get("ports", ())]
                    assert target is None or target["port"] in own, (pod, container["name"], probe)
        if "prometheus.io/port" in pod.annotations:
            assert int(pod.annotations["prometheus.io/port"]) in ports.values(), pod
    for service in find(things, "Service"):
        chosen = [
            p for p in there if selects({"matchLabels": service["spec"]["selector"]}, p.labels)
        ]
        assert len(chosen) == 1, (called(service), chosen)
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in chosen[0].ports(), (called(service), port)
    for budget in find(things, "PodDisruptionBudget"):
        assert any(selects(budget["spec"]["selector"], p.labels) for p in there), called(budget)
    for stateful in find(things, "StatefulSet"):
        assert find(things, "Service", stateful["spec"]["serviceName"]), called(stateful)


@each_overlay
def test_mounted_configuration_is_there(name):
    """ConfigMaps exist, mounts have volumes, and a file named in an argument is a key of one."""
    things = overlay(name)
    maps = {m["metadata"]["name"]: m for m in find(things, "ConfigMap")}
    used = set()
    for pod in pods(things):
        for container in pod.containers:
            for mount in container.get("volumeMounts", ()):
                volume = pod.volume(mount["name"])
                if "configMap" not in volume:
                    continue
                used.add(volume["configMap"]["name"])
                files = maps[volume["configMap"]["name"]]["data"]
                for word in itertools.chain(
                    container.get("command", ()), container.get("args", ())
                ):
                    path = word.split("=", 1)[-1]
                    if path.startswith(mount["mountPath"] + "/"):
                        assert path[len(mount["mountPath"]) + 1 :] in files, (pod, word)
    assert used == set(maps), "a ConfigMap that nobody mounts"


def tag(thing):
    """An image's tag."""
    return thing.rsplit("/", 1)[-1].partition(":")[2]


def test_images_are_pinned_to_what_was_tested():
    """Our own to this version, the others to the versions of dev/parts."""
    listed = run([manifests.ROOT / "dev" / "parts", "--list"], timeout=60).stdout
    rows = [line.split() for line in listed.splitlines()]
    parts = {name: version.removeprefix("v") for name, version, *_ in rows if name in PARTS}
    # Modules of Prometheus 3.N are called 0.3NN, those of Jaeger 2.N are 1.(63+N).
    minor = int(parts["prometheus"].split(".")[1]) - 300
    parts["prometheus"] = f"3.{minor}.{parts['prometheus'].split('.')[2]}"
    parts["jaeger"] = f"2.{int(parts['jaeger'].split('.')[1]) - 63}.{parts['jaeger'].split('.')[2]}"
    of_part = {"otelcol": "opentelemetry-collector-contrib"}
    wanted = {of_part.get(name, name): version for name, version in parts.items()}
    version = run([program("sidecard"), "--version"]).stdout.split()[1]
    wanted.update({"sidecard": version, "adder": version, "totalizer": version})
    seen = set()
    for pod in pods(manifests.everything()):
        for container in pod.containers:
            image = container["image"]
            kind = image.rsplit("/", 1)[-1].partition(":")[0]
            assert tag(image) and tag(image) != "latest", (pod, image)
            assert "/" in image, f"{pod}: {image} is not set by the overlay"
            if kind in wanted:
                assert tag(image).removeprefix("v") == wanted[kind], (pod, image)
                seen.add(kind)
    assert seen == set(wanted)


@pytest.mark.parametrize("name", ["dev", "production"])
def test_autoscalers_have_the_last_word_on_replicas(name):
    """No replicas beside one; what they go by is there; no more totalizers than partitions."""
    things = overlay(name)
    adapter = overlay("autoscaling")
    for scaler in find(things, "HorizontalPodAutoscaler"):
        spec = scaler["spec"]
        (target,) = find(things, spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"], called(target)
        assert spec["minReplicas"] <= spec["maxReplicas"]
        (metric,) = spec["metrics"]
        if metric["type"] == "ContainerResource":
            container = Pod(target).container(metric["containerResource"]["container"])
            assert metric["containerResource"]["name"] in container["resources"]["requests"]
        else:
            (config,) = find(adapter, "ConfigMap")
            rule = manifests.yaml.safe_load(config["data"]["prometheus-adapter.yaml"])["rules"][0]
            assert metric["pods"]["metric"]["name"] == rule["name"]["as"]
    topic = Pod(find(things, "Job", "topic")[0]).container("topic")
    partitions = manifests.effective(topic, program("dev/topic"))["topic"].split(":")[1]
    (totalizer,) = find(things, "HorizontalPodAutoscaler", "totalizer")
    assert totalizer["spec"]["maxReplicas"] <= int(partitions)


@pytest.mark.parametrize("name", ["dev", "production"])
def test_programs_take_their_arguments_and_environment(name):
    """Each of ours says so by --check, with what the manifest gives it."""
    seen = set()
    for pod in pods(overlay(name)):
        for container in pod.containers:
            if container["name"] in OURS:
                manifests.effective(container, program(OURS[container["name"]]))
                seen.add(container["name"])
    assert seen == set(OURS)


@pytest.mark.parametrize("name", ["dev", "production"])
@pytest.mark.parametrize("service", ["adder", "totalizer"])
def test_sidecar_starts_first_and_ends_last(name, service):
    """A native sidecar: ready before the service starts, there until it has ended, no say in
    readiness; one socket for both, and room for what it may queue."""
    pod = Pod(find(overlay(name), "Deployment", service)[0])
    (sidecar,) = pod.spec["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert sidecar["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert "readinessProbe" not in sidecar

    app = pod.container(service)
    theirs = manifests.effective(sidecar, program("sidecard"))
    ours = manifests.effective(app, program(service))
    assert theirs["socket"] == ours["sidecar"]
    for container in (sidecar, app):
        (mount,) = [m for m in container["volumeMounts"] if m["name"] == "sidecar"]
        assert theirs["socket"].rpartition("/")[0] == mount["mountPath"]
        assert not mount.get("readOnly")
    shared = pod.volume("sidecar")["emptyDir"]
    assert shared["medium"] == "Memory" and quantity(shared["sizeLimit"]) <= 2**20
    # Socket mode 0660: both need one user or group.
    assert theirs["socket-mode"] == "0660" and pod.spec["securityContext"]["fsGroup"] > 0

    assert theirs["http"] == "0.0.0.0:9464"  # kubelet and Prometheus come to the pod's address
    assert pod.ports()["metrics"] == 9464
    assert pod.annotations["prometheus.io/port"] == "9464"
    assert pod.labels["sidecard/injected"] == "true"
    attributes = dict(a.split("=") for a in theirs["resource-attributes"].split(","))
    assert attributes["k8s.pod.name"] == "value-of-metadata.name"
    assert set(attributes) == {
        f"k8s.{a}" for a in ("namespace.name", "pod.name", "pod.uid", "node.name")
    }

    assert manifests.seconds(theirs["drain-timeout"]) <= 2
    grace = manifests.seconds(ours["grace" if service == "adder" else "drain-timeout"])
    before = app["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert before + grace + 2 < pod.spec["terminationGracePeriodSeconds"]
    queue = quantity(theirs["queue-max"].removesuffix("B"))
    busy = 20 * 2**20  # resident with 100,000 open spans, measured
    assert queue + busy <= quantity(sidecar["resources"]["limits"]["memory"])
