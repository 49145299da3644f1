"""dev/cluster under test: a real API server and node, what runs on it, and what has happened there.

    cluster.do("apply", "--server-side", "-k", folder)   # kubectl; fails the test when that fails
    with cluster.load(address, rate=100) as load: ...    # calls to adder meanwhile
    cluster.record("what this was", "sums-dev", pod)     # events, for build/test/cluster-events.txt
"""

import collections
import contextlib
import glob
import json
import os
import pathlib
import shutil
import tempfile
import time
import urllib.parse

import pytest
import yaml

from lib.parts import part
from lib.process import ROOT, Process, program, run
from lib.wait import wait_for

PARTS = (
    "kubernetes", "coredns", "operator", "kubectl",
    "kafka", "otelcol", "jaeger", "prometheus", "alertmanager",
)  # fmt: skip
TOOL = ROOT / "dev" / "cluster"
EVENTS = ROOT / "build" / "test" / "cluster-events.txt"
OVERLAYS = ROOT / "k8s" / "overlays"
SUMS, MONITORING = "sums-dev", "monitoring"
SETTINGS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops")
CALL = "sum.SumNumbersService/SumNumbers"


def machine():
    """What a cluster might change on the machine it runs on, or leave there."""
    mounts = pathlib.Path("/proc/mounts").read_text().splitlines()
    programs = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            programs.append(pathlib.Path(path).read_bytes().replace(b"\0", b" ").decode())
    return {
        "cgroups": {p for at in ("", "*/") for p in glob.glob(f"/sys/fs/cgroup/{at}sidecard-*")},
        "mounts": {line for line in mounts if tempfile.gettempdir() + "/cluster-" in line},
        "names": set(glob.glob("/run/netns/*") + glob.glob("/var/lib/cni/*")),
        "programs": sorted(p for p in programs if p.split("/")[-1].startswith(("kube", "etcd "))),
        "settings": {p: pathlib.Path("/proc/sys", p).read_text() for p in SETTINGS},
    }


class Cluster:
    """A cluster, up when the constructor returns. Skips the test when a part is missing."""

    def __init__(self):
        if os.geteuid() != 0:
            pytest.skip("part kubernetes: needs root, for namespaces, mounts and cgroups")
        for name in PARTS:
            part(name)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cluster-"))
        self._machine = machine()
        self._env = {"CLUSTER": str(self.folder / "c")}
        EVENTS.parent.mkdir(parents=True, exist_ok=True)
        EVENTS.write_text("")
        up = run([TOOL, "up"], self._env, timeout=900)
        if up.returncode != 0:
            self.close()
        assert up.returncode == 0, up.stdout + up.stderr

    def close(self):
        """End it; nothing of it is left."""
        down = run([TOOL, "down"], self._env, timeout=60)
        assert down.returncode == 0, down.stderr
        assert not (self.folder / "c").exists()
        left = machine()
        assert left == self._machine, left
        shutil.rmtree(self.folder)

    def kubectl(self, *argv, stdin=None, timeout=60):
        """kubectl to the end: a CompletedProcess. stdin: objects as dicts."""
        if stdin is None:
            return run([TOOL, "kubectl", *argv], self._env, timeout)
        with tempfile.TemporaryFile() as file:
            file.write(yaml.safe_dump_all(stdin).encode())
            file.seek(0)
            return run([TOOL, "kubectl", *argv], self._env, timeout, stdin=file)

    def do(self, *argv, stdin=None, timeout=60):
        """kubectl that must succeed: its stdout."""
        done = self.kubectl(*argv, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"kubectl {argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def apply(self, *argv, stdin=None, timeout=60):
        """Apply as README.md says."""
        return self.do("apply", "--server-side", *argv, stdin=stdin, timeout=timeout)

    def get(self, space, *what):
        """An object, or a list of them, as a dict."""
        return json.loads(self.do("get", "-n", space, "-o", "json", *what))

    def pods(self, space, app):
        """The pods of an app that are not on their way out."""
        found = self.get(space, "pods", "-l", f"app.kubernetes.io/name={app}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def new_pod(self, space, app, old):
        """Wait for a pod of an app beside the old one."""

        def found():
            names = {pod["metadata"]["name"]: pod for pod in self.pods(space, app)}
            names.pop(old["metadata"]["name"], None)
            return next(iter(names.values()), None)

        return wait_for(found, f"a new pod of {app}", 60)

    def wait(self, space, condition, *what, timeout=180):
        """kubectl wait: --for=condition, for what."""
        wait = ("wait", "-n", space, f"--for={condition}", f"--timeout={timeout}s")
        waited = self.kubectl(*wait, *what, timeout=timeout + 10)
        if waited.returncode != 0:
            seen = self.kubectl("get", "pods,events", "-n", space, "-o", "wide")
            raise AssertionError(f"{what} {condition}: {waited.stderr}\n{seen.stdout}")

    def rolled_out(self, space, *workloads):
        """Wait until all pods of these are new and ready."""
        for name in workloads:
            rollout = ("rollout", "status", "-n", space, name, "--timeout=300s")
            done = self.kubectl(*rollout, timeout=310)
            if done.returncode != 0:
                seen = self.kubectl("get", "pods,events", "-n", space, "-o", "wide")
                raise AssertionError(f"{name}: {done.stdout}{done.stderr}\n{seen.stdout}")

    def ask(self, space, service, path, /, **parameters):
        """GET from a Service ("name:port") through the API server: its JSON, None if not 200."""
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        where = f"/api/v1/namespaces/{space}/services/{service}/proxy{path}{query}"
        answer = self.kubectl("get", "--raw", where)
        return json.loads(answer.stdout) if answer.returncode == 0 else None

    def address(self, space, service):
        """The address of a Service."""
        return self.get(space, "service", service)["spec"]["clusterIP"]

    def process(self, log, *argv):
        """A Process where the addresses of pods and Services are; log: name of a file."""
        return Process([TOOL, "run", *argv], self.folder / log, self._env)

    def follow(self, log, *argv):
        """A kubectl that goes on, as a Process."""
        return Process([TOOL, "kubectl", *argv], self.folder / log, self._env)

    def ctr(self, *argv):
        """containerd's tool; must succeed."""
        done = run([TOOL, "ctr", *argv], self._env)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # ---- adder, totalizer and what they send

    def results(self):
        """totalizer's /v1/results, None while there are none."""
        return self.ask(SUMS, "totalizer:http", "/v1/results")

    def wait_results(self, count, total):
        """Wait until so many messages are counted; the total must then be this."""
        seen = []

        def counted():
            seen[:] = [self.results()]
            return seen[0] and seen[0]["count"] >= count

        wait_for(counted, lambda: f"{count} messages: {seen}", 60)
        assert (seen[0]["count"], seen[0]["result"]) == (count, total)

    @contextlib.contextmanager
    def load(self, rate=100, callers=4, whole=True, address=None):
        """Calls to adder's Service, or address, within the block; callers with a connection each.

        Gives a function of no arguments: the number of messages counted since the block began.
        On leaving: every call was answered OK, each was counted once, and each has left a whole
        trace in Jaeger, if whole.
        """
        before = self.results()
        began = time.time_ns() // 1000
        address = address or self.address(SUMS, "adder")
        argv = [program("adder-call"), f"--address={address}:50051", f"--rate={rate // callers}"]
        argv += ["--seconds=600", "--json"]
        with contextlib.ExitStack() as stack:
            running = [
                stack.enter_context(self.process(f"call-{n}.log", *argv)) for n in range(callers)
            ]
            yield lambda: (self.results() or before)["count"] - before["count"]
            for caller in running:
                caller.terminate()
            reports = [json.loads(caller.log().splitlines()[-1]) for caller in running]
        calls = sum(report["calls"] for report in reports)
        assert calls > 0 and all(r["codes"] == {"OK": r["calls"]} for r in reports), reports
        total = before["result"] + sum(report["sum"] for report in reports)
        self.wait_results(before["count"] + calls, total)
        if not whole:
            return
        seen = []

        def traced():
            seen[:] = [sum(self.traced(began).values())]
            return seen[0] >= calls

        wait_for(traced, lambda: f"{calls} whole traces in Jaeger: {seen}", 60)
        assert seen[0] == calls

    def traced(self, began):
        """{pod of adder: how many traces Jaeger has of it since then (in µs)}.

        Of whole ones, each a call, its message and its count.
        """
        window = {"start": began, "end": time.time_ns() // 1000}
        path = "/api/traces"
        found = self.ask(MONITORING, "jaeger:http", path, service="adder", limit=10**5, **window)
        pods = collections.Counter()
        for trace in found["data"]:
            spans = {span["operationName"]: span for span in trace["spans"]}
            if len(trace["spans"]) == 3 and spans.keys() == {CALL, "send sums", "process sums"}:
                tags = trace["processes"][spans[CALL]["processID"]]["tags"]
                pods[next(tag["value"] for tag in tags if tag["key"] == "k8s.pod.name")] += 1
        return pods

    # ---- what has happened

    def record(self, title, space, *names, since="", notes=()):
        """Write the events of objects whose names begin so, and notes, to cluster-events.txt.

        since: a time in ISO 8601; without it, from the beginning.
        """
        found = []
        for event in self.get(space, "events")["items"]:
            about = event["involvedObject"]
            when = event["lastTimestamp"] or event["eventTime"]
            if about["name"].startswith(names) and when >= since:
                where = about.get("fieldPath", "").partition("{")[2].rstrip("}")
                what = f"{about['kind']} {about['name']}" + (f" {where}" if where else "")
                often = f" ({event['count']} times)" if (event.get("count") or 1) > 1 else ""
                line = f"{when[11:19]}  {what}: {event['reason']}: {event['message']}{often}"
                found.append((when, int(event["metadata"]["resourceVersion"]), line))
        with open(EVENTS, "a", encoding="utf-8") as file:
            file.write("\n".join([title, *(line for *_, line in sorted(found)), *notes]) + "\n\n")
