"""The manifests of k8s/ before a real API server: strictly, and no warning is accepted."""

import pytest
import yaml

from lib import manifests
from lib.cluster import SUMS
from lib.parts import part
from lib.process import ROOT, run

# As much as the API server can say about objects without making them.
DRY_RUN = ("--dry-run=server", "--validate=strict", "--warnings-as-errors")
POD = """
apiVersion: v1
kind: Pod
metadata: {name: plain, namespace: %s}
spec:
  containers: [{name: plain, image: "localhost/sidecard:0.1.0"}]
"""


@pytest.fixture(scope="module")
def ready(cluster):
    """The cluster with what must be there before the overlays: namespaces, the operator's kinds."""
    cluster.apply("-f", part("operator"))
    for kind in ("podmonitors", "servicemonitors", "prometheusrules"):
        cluster.wait("default", "condition=Established", f"crd/{kind}.monitoring.coreos.com")
    cluster.apply("-f", "-", stdin=manifests.find(manifests.everything(), "Namespace"))
    return cluster


@pytest.mark.parametrize("name", manifests.OVERLAYS)
def test_api_server_takes_every_overlay(ready, name):
    """Each object of it. A Deployment whose pods would not be admitted is warned of: it fails."""
    taken = ready.apply(*DRY_RUN, "-k", manifests.K8S / "overlays" / name)
    lines = taken.splitlines()
    assert len(lines) == len(manifests.overlay(name))
    assert all(line.endswith("serverside-applied (server dry run)") for line in lines), taken


def test_api_server_takes_the_prometheus_rule(ready):
    """What k8s/prometheus-rule prints."""
    made = run([ROOT / "k8s" / "prometheus-rule"])
    ready.apply(*DRY_RUN, "-f", "-", stdin=list(yaml.safe_load_all(made.stdout)))


def test_api_server_refuses_what_is_wrong(ready):
    """So that "taken" means something: a pod that is not restricted, a Deployment of such pods, an
    unknown field."""
    pod = yaml.safe_load(POD % SUMS)
    refused = ready.kubectl("apply", "--server-side", *DRY_RUN, "-f", "-", stdin=[pod])
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted:latest"' in refused.stderr

    (deployment,) = manifests.find(manifests.overlay("dev"), "Deployment", "adder")
    for field, value, said in (
        ("hostNetwork", True, 'would violate PodSecurity "restricted:latest"'),
        ("restartPolice", "Always", "restartPolice"),
    ):
        changed = yaml.safe_load(yaml.safe_dump(deployment))
        changed["spec"]["template"]["spec"][field] = value
        refused = ready.kubectl("apply", "--server-side", *DRY_RUN, "-f", "-", stdin=[changed])
        assert refused.returncode != 0 and said in refused.stderr, refused.stderr
