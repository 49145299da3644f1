"""The manifests of k8s/, as kubectl makes them, and who refers to whom in them."""

import functools
import subprocess

import yaml

from lib.parts import part
from lib.process import ROOT, run

K8S = ROOT / "k8s"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")
CLUSTER_WIDE = ("Namespace", "ClusterRole", "ClusterRoleBinding", "APIService")


@functools.cache
def overlay(name):
    """Every object of an overlay. Skips the test when the part kubectl is not there."""
    made = subprocess.run(
        [part("kubectl") / "kubectl", "kustomize", K8S / "overlays" / name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert made.stderr == "", "kustomize warns"
    return list(yaml.safe_load_all(made.stdout))


def everything():
    """Every object of every overlay."""
    return [thing for name in OVERLAYS for thing in overlay(name)]


def called(thing):
    """Words for a failure message: Deployment sums/adder."""
    meta = thing["metadata"]
    return f"{thing['kind']} {meta.get('namespace', '-')}/{meta['name']}"


def namespace(thing):
    """The namespace that it lives in, None for what has none."""
    return thing["metadata"].get("namespace")


def find(things, kind, name=None, **labels):
    """Those of a kind, with that name and those labels if given."""
    return [
        thing
        for thing in things
        if thing["kind"] == kind
        and name in (None, thing["metadata"]["name"])
        and labels.items() <= thing["metadata"].get("labels", {}).items()
    ]


class Pod:
    """What a workload makes: labels, spec, and the workload it comes from."""

    def __init__(self, workload):
        template = workload["spec"]["template"]
        self.workload = workload
        self.spec = template["spec"]
        self.labels = template["metadata"].get("labels", {})
        self.annotations = template["metadata"].get("annotations", {})
        self.namespace = namespace(workload)
        self.name = workload["metadata"]["name"]

    def __repr__(self):
        return called(self.workload)

    @property
    def containers(self):
        """Init containers first, as they start."""
        return self.spec.get("initContainers", []) + self.spec["containers"]

    def container(self, name):
        """The container of that name."""
        (found,) = [c for c in self.containers if c["name"] == name]
        return found

    def ports(self):
        """{name: number} of all containers."""
        listed = [
            (p["name"], p["containerPort"]) for c in self.containers for p in c.get("ports", ())
        ]
        assert len(listed) == len(dict(listed)), f"{self}: a port's name twice"
        return dict(listed)

    def volume(self, name):
        """The volume of that name; a claim's template counts."""
        volumes = {v["name"]: v for v in self.spec.get("volumes", ())}
        for claim in self.workload["spec"].get("volumeClaimTemplates", ()):
            volumes[claim["metadata"]["name"]] = claim["spec"]
        return volumes[name]


def pods(things):
    """One Pod for each workload among them."""
    return [Pod(thing) for thing in things if thing["kind"] in WORKLOADS]


def selects(selector, labels):
    """Does this label selector (matchLabels, matchExpressions with In) choose these labels?"""
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    chosen = selector.get("matchLabels", {}).items() <= labels.items()
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "In", expression
        chosen = chosen and labels.get(expression["key"]) in expression["values"]
    return chosen


def environment(container):
    """Its environment, with made-up values for what only a running pod knows, $(NAME) filled in."""
    env = {}
    for entry in container.get("env", ()):
        value = entry.get("value")
        if value is None:
            value = "value-of-" + entry["valueFrom"]["fieldRef"]["fieldPath"]
        for name, known in env.items():  # only what stands above is filled in
            value = value.replace(f"$({name})", known)
        assert "$(" not in value, f"{entry['name']} refers to what is not above it"
        env[entry["name"]] = value
    return env


_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "m": 1e-3, "": 1}


def quantity(text):
    """Kubernetes' 64Mi, 100m, "1" as a number."""
    digits = str(text).rstrip("KMGim")
    return float(digits) * _UNITS[str(text)[len(digits) :]]


def seconds(text):
    """The programs' 500ms, 5s, 10m in seconds."""
    for suffix, factor in (("ms", 1e-3), ("s", 1), ("m", 60)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    raise ValueError(text)


def effective(container, program):
    """The program's options with the container's arguments and environment, by --check."""
    checked = run([program, "--check", *container.get("args", ())], env=environment(container))
    assert checked.returncode == 0, f"{container['name']}: {checked.stderr}"
    return dict(line.removeprefix("--").split("=", 1) for line in checked.stdout.splitlines())
