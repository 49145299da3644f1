"""Pods with the native sidecar on a real node: how they start, work, end, break and are replaced.

The overlays dev and monitoring as they are; spans go by the agent and the gateway to Jaeger.
"""

import contextlib
import functools
import json
import time

import yaml

from lib.cluster import SUMS
from lib.manifests import Pod
from lib.pod import last_seen, restarts, status, timed
from lib.process import ROOT, program, run
from lib.wait import wait_for

APPS = ("adder", "totalizer")


@functools.cache
def image(name):
    """The full name of one of our images."""
    version = run([program(name), "--version"]).stdout.split()[1]
    return f"localhost/{name}:{version}"


def the_pod(cluster, app):
    """The one pod of an app."""
    (pod,) = cluster.pods(SUMS, app)
    return pod


def again(cluster, pod):
    """The same pod as it is now."""
    return cluster.get(SUMS, "pod", pod["metadata"]["name"])


def scale(cluster, replicas):
    """So many adders, all ready."""
    cluster.do("scale", "-n", SUMS, "deployment/adder", f"--replicas={replicas}")
    cluster.rolled_out(SUMS, "deployment/adder")


def test_pod_with_the_sidecar_becomes_ready(sums):
    """The sidecar first: the service starts when the sidecar's socket is there."""
    for app in APPS:
        pod = the_pod(sums, app)
        sidecar, service = status(pod, "sidecard"), status(pod, app)
        assert sidecar["started"] and sidecar["ready"] and service["ready"]
        assert sidecar["state"]["running"]["startedAt"] <= service["state"]["running"]["startedAt"]
        sums.record(f"{app} becomes ready", SUMS, pod["metadata"]["name"])


def test_messages_are_counted(sums):
    """adder to Kafka to totalizer; a whole trace of each call by agent and gateway in Jaeger."""
    with sums.load() as counted:
        wait_for(lambda: counted() > 300, "messages to be counted", 60)


def test_pod_deleted_under_load_loses_nothing(sums):
    """Of two adders the busier one goes: the sidecar last, every call answered, every message and
    span there."""
    scale(sums, 2)
    began = time.time_ns() // 1000
    with contextlib.ExitStack() as stack:
        counted = stack.enter_context(sums.load(callers=6))
        wait_for(lambda: counted() > 300, "messages to be counted", 60)
        ((name, calls),) = sums.traced(began).most_common(1)
        watch = ("get", "-n", SUMS, "pod", name, "-o", "json", "--watch")
        seen = stack.enter_context(sums.follow("watch.json", *watch))
        logs = ("logs", "-n", SUMS, name, "--follow", "--timestamps", "-c")
        adder, sidecard = (
            stack.enter_context(sums.follow(f"{container}.log", *logs, container))
            for container in ("adder", "sidecard")
        )
        sums.do("delete", "-n", SUMS, "pod", name)
        for log in (adder, sidecard):
            log.wait_exit()
        before = counted()
        wait_for(lambda: counted() > before + 300, "more messages to be counted", 60)
        last = last_seen(seen.log())
        ends = {"adder": timed(adder.log())[-1], "sidecard": timed(sidecard.log())[-1]}
    # By the times that the node gave their lines.
    assert ends["adder"][0] < ends["sidecard"][0] and " event=stopped " in ends["sidecard"][1]
    for container in ends:
        end = status(last, container)["state"]["terminated"]
        assert (end["exitCode"], end["reason"]) == (0, "Completed"), last["status"]
    calls_of_it = sums.traced(began)[name]
    assert calls_of_it > calls > 0
    notes = [f"{when[11:23]}  last line of {who}: {line}" for who, (when, line) in ends.items()]
    notes.append(f"{calls_of_it} of the calls were its, {calls} at the time of the deletion")
    sums.record("adder's pod is deleted under load", SUMS, name, notes=notes)
    scale(sums, 1)


def test_job_with_the_sidecar_completes(sums):
    """The sidecar, which has no end of its own, is ended when the work is done."""
    before = sums.results()
    (job,) = yaml.safe_load_all(sums.do("kustomize", ROOT / "tests" / "long" / "job"))
    for container in Pod(job).containers:
        container["image"] = image(container["image"])
    sums.apply("-f", "-", stdin=[job])
    try:
        sums.wait(SUMS, "condition=Complete", "job/load", timeout=120)
        (pod,) = sums.pods(SUMS, "load")
        assert pod["status"]["phase"] == "Succeeded"
        work = status(pod, "load")["state"]["terminated"]
        sidecar = status(pod, "sidecard")["state"]["terminated"]
        assert work["exitCode"] == sidecar["exitCode"] == 0
        assert sidecar["startedAt"] <= work["startedAt"] <= work["finishedAt"]
        assert work["finishedAt"] <= sidecar["finishedAt"]
        logs = sums.do("logs", "-n", SUMS, "job/load", "-c", "load")
        report = json.loads(logs.splitlines()[-1])
        assert report["codes"] == {"OK": report["calls"]} and report["calls"] > 100, report
        sums.wait_results(before["count"] + report["calls"], before["result"] + report["sum"])
        sums.record("a Job with a sidecar", SUMS, "load")
    finally:
        sums.do("delete", "-n", SUMS, "job", "load")


def test_killed_sidecar_is_started_again_alone(sums):
    """kill -9: the service goes on with the calls; the next ones are traced again."""
    pod = the_pod(sums, "adder")
    container = status(pod, "sidecard")["containerID"].removeprefix("containerd://")
    sums.ctr("tasks", "kill", "--signal", "SIGKILL", container)
    count = "jsonpath={.status.initContainerStatuses[0].restartCount}"
    restarted = f"{count}={restarts(pod, 'sidecard') + 1}"
    sums.wait(SUMS, restarted, f"pod/{pod['metadata']['name']}")
    sums.wait(SUMS, "condition=Ready", f"pod/{pod['metadata']['name']}")
    with sums.load() as counted:
        wait_for(lambda: counted() > 100, "messages to be counted", 60)
    assert restarts(again(sums, pod), "adder") == 0
    sums.record("adder's sidecar is killed", SUMS, pod["metadata"]["name"])


def test_crash_looping_sidecar_does_not_take_the_service_down(sums):
    """A sidecar that ends as soon as it starts, again and again: calls on the connections that are
    there are answered and counted, the service is not started again. Kubernetes calls the pod not
    ready meanwhile, probe or no probe: new connections go to other pods."""
    pod = the_pod(sums, "adder")
    name = pod["metadata"]["name"]
    # Another program, which knows none of these options.
    broken = f"sidecard={image('totalizer')}"
    count = ".status.initContainerStatuses[0].restartCount"
    before = restarts(pod, "sidecard")
    # Straight to the pod: with a Service of one pod there is nowhere else to go.
    with sums.load(whole=False, address=pod["status"]["podIP"]) as counted:
        wait_for(lambda: counted() > 100, "messages to be counted", 60)
        sums.do("set", "image", "-n", SUMS, f"pod/{name}", broken)
        sums.wait(SUMS, f"jsonpath={{{count}}}={before + 3}", f"pod/{name}")
        seen = counted()
        wait_for(lambda: counted() > seen + 300, "more messages to be counted", 60)
        looping = again(sums, pod)
        assert restarts(looping, "adder") == 0 and status(looping, "adder")["ready"]
        ready = {c["type"]: c["status"] for c in looping["status"]["conditions"]}
        assert ready["ContainersReady"] == ready["Ready"] == "False"
        sums.do("set", "image", "-n", SUMS, f"pod/{name}", f"sidecard={image('sidecard')}")
        sums.wait(SUMS, "condition=Ready", f"pod/{name}")
    with sums.load() as counted:
        wait_for(lambda: counted() > 100, "messages to be counted", 60)
    assert restarts(again(sums, pod), "adder") == 0
    sums.record("adder's sidecar crashes in a loop", SUMS, name)


def test_broken_sidecar_does_not_get_past_the_rollout(sums):
    """A new version whose sidecar cannot start: its service is not started, the old pod serves."""
    pod = the_pod(sums, "adder")
    with sums.load() as counted:
        broken = f"sidecard={image('totalizer')}"
        sums.do("set", "image", "-n", SUMS, "deployment/adder", broken)
        newer = sums.new_pod(SUMS, "adder", pod)
        name = newer["metadata"]["name"]
        waiting = "jsonpath={.status.initContainerStatuses[0].state.waiting.reason}"
        sums.wait(SUMS, f"{waiting}=CrashLoopBackOff", f"pod/{name}")
        seen = counted()
        wait_for(lambda: counted() > seen + 300, "more messages to be counted", 60)
        assert not status(again(sums, newer), "adder")["started"]
        sums.record("a new version with a broken sidecar", SUMS, name)
        sums.do("rollout", "undo", "-n", SUMS, "deployment/adder")
        sums.wait(SUMS, "delete", f"pod/{name}")
    assert restarts(again(sums, pod), "adder") == 0


def test_new_version_under_load_without_an_error(sums):
    """Both pods are replaced, sidecars and all: no caller gets an error, nothing is lost."""
    began = time.strftime("%FT%TZ", time.gmtime())
    old = [the_pod(sums, app)["metadata"]["name"] for app in APPS]
    for name in (*APPS, "sidecard"):
        sums.ctr("images", "tag", image(name), f"localhost/{name}:next")
    with sums.load(callers=6) as counted:
        wait_for(lambda: counted() > 100, "messages to be counted", 60)
        for app in APPS:
            new = (f"{app}=localhost/{app}:next", "sidecard=localhost/sidecard:next")
            sums.do("set", "image", "-n", SUMS, f"deployment/{app}", *new)
        for app in APPS:
            sums.rolled_out(SUMS, f"deployment/{app}")
        for name in old:
            sums.wait(SUMS, "delete", f"pod/{name}")
        before = counted()
        wait_for(lambda: counted() > before + 100, "more messages to be counted", 60)
    for app in APPS:
        pod = the_pod(sums, app)
        assert pod["metadata"]["name"] not in old
        assert status(pod, app)["restartCount"] == status(pod, "sidecard")["restartCount"] == 0
    sums.record("a new version of adder and totalizer", SUMS, *APPS, since=began)
