"""The real programs of dev/parts, each started by a test on ports and in a folder of its own.

    with Kafka(tmp_path) as kafka: ...          # kafka.address; stop(), kill(), start() again
    with RealCollector(tmp_path) as collector: ...  # collector.endpoint(); spans() as it wrote them

A part that is not there skips the test, with its name: `dev/parts NAME` says why it cannot be had.
"""

import json
import pathlib
import subprocess

import pytest

from lib.metrics import get
from lib.ports import free_port
from lib.process import ROOT, Process, program, run
from lib.wait import wait_for

CONFIG = ROOT / "k8s" / "config"


def part(name):
    """The folder of a part; skips the test when it is not there."""
    found = subprocess.run(
        [ROOT / "dev" / "parts", "--folder", name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if found.returncode != 0:
        pytest.skip(f"part {name}: {found.stderr.strip()}")
    return pathlib.Path(found.stdout.strip())


def answers(port, path="/"):
    """True when GET answers 200."""
    try:
        return get(port, path)[0] == 200
    except OSError:
        return False


class Kafka:
    """One node of Apache Kafka with topic `sums`, ready when the constructor returns.

    folder: gets kafka/ with its data, and its logs. properties: further lines of its configuration,
    "key=value". partitions: of the topic; 0: no topic. client: what a client needs beside the
    address, as "key=value" of librdkafka. format: further options of the format of its data, in
    one list of words (SCRAM users). Data and port stay over stop(), kill() and start().
    """

    def __init__(self, folder, *properties, partitions=12, client=(), format=()):
        part("kafka")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.client = list(client)
        self._folder = pathlib.Path(folder)
        self._argv = [ROOT / "dev" / "kafka", self._folder / "kafka", self.port, free_port()]
        self._argv += properties
        self._env = {"KAFKA_FORMAT": "\n".join(format)}
        self._partitions = partitions
        self._starts = 0
        self._process = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self, ready=True):
        """Start it, again with its data and on its port; wait until it answers unless told not to."""
        self._starts += 1
        self._process = Process(self._argv, self._folder / f"kafka-{self._starts}.log", self._env)
        if ready:
            self.wait_ready()

    def wait_ready(self, timeout=120):
        """Wait until it takes the topic, or says that it has it."""
        if self._partitions == 0:
            wait_for(self._answers, lambda: f"Kafka to answer:\n{self.log()}", timeout)
            return
        argv = [program("dev/topic"), f"--brokers={self.address}", f"--timeout={timeout}s"]
        argv += [f"--topic=sums:{self._partitions}", *(f"--kafka={pair}" for pair in self.client)]
        made = run(argv, timeout=timeout + 5)
        assert made.returncode == 0, f"{made.stderr}\nKafka's log:\n{self.log()}"

    def _answers(self):
        assert self._process.running(), f"Kafka ended:\n{self.log()}"
        argv = ["kcat", "-b", self.address, "-L", "-m", "1"]
        return run([*argv, *(word for pair in self.client for word in ("-X", pair))]).returncode == 0

    def stop(self, timeout=60):
        """SIGTERM, and wait: a clean end."""
        self._process.terminate(expect=143, timeout=timeout)  # a Java machine's answer to SIGTERM

    def kill(self):
        """SIGKILL, and wait."""
        self._process.kill()

    def pause(self):
        """Stop it: connections stay, nothing is answered."""
        self._process.pause()

    def go_on(self):
        """Let it run again."""
        self._process.go_on()

    @property
    def pid(self):
        """The process id of its Java machine."""
        return self._process.pid

    def log(self):
        """What it has written since its last start."""
        return self._process.log()

    def close(self):
        """Kill it if it runs."""
        if self._process is not None:
            self._process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        return False


class RealCollector(Process):
    """An OpenTelemetry Collector, ready when the constructor returns.

    folder: gets its log and, with the default configuration, traces.jsonl and metrics.jsonl, fresh at
    each start. config: paths of YAML files, merged in this order (maps merge, lists are replaced);
    default: k8s/config/collector.yaml with its exporters replaced by files. env: what they refer to
    beside the ports, which are chosen here: self.ports["OTLP_GRPC"], and so on.
    """

    PORTS = ("OTLP_GRPC", "OTLP_HTTP", "COLLECTOR_METRICS", "COLLECTOR_HEALTH", "COLLECTOR_SELF")
    FILES = (CONFIG / "collector.yaml", ROOT / "tests" / "real" / "collector-files.yaml")

    def __init__(self, folder, config=FILES, env=None, ports=None, name="otelcol"):
        self.folder = pathlib.Path(folder)
        self.ports = ports or {port: free_port() for port in self.PORTS}
        argv = [part("otelcol") / "otelcol"]
        for path in config:
            argv += ["--config", path]
        environment = {f"PORT_{port}": str(number) for port, number in self.ports.items()}
        environment.update({"BIND": "127.0.0.1", "FILES": str(self.folder)})
        super().__init__(argv, self.folder / f"{name}.log", {**environment, **(env or {})})
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def wait_ready(self, timeout=60):
        """Wait until its health check answers 200."""

        def ready():
            assert self.running(), f"the Collector ended:\n{self.log()}"
            return answers(self.ports["COLLECTOR_HEALTH"])

        wait_for(ready, lambda: f"the Collector to be ready:\n{self.log()}", timeout)

    def endpoint(self, protocol="grpc", scheme="http"):
        """For --otlp-endpoint; protocol as in --otlp-protocol."""
        port = self.ports["OTLP_GRPC" if protocol == "grpc" else "OTLP_HTTP"]
        return f"{scheme}://127.0.0.1:{port}"

    def lines(self, signal="traces"):
        """What its file exporter has written so far: one decoded request per whole line."""
        path = self.folder / f"{signal}.jsonl"
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def spans(self):
        """Every span it has written, as OTLP JSON, with its resource's attributes as "resource".

        Attributes of both are dicts of strings: {"service.name": "adder"}.
        """
        return [
            {**span, "attributes": flat(span.get("attributes")), "resource": resource}
            for request in self.lines()
            for batch in request["resourceSpans"]
            for resource in [flat(batch["resource"].get("attributes"))]
            for scope in batch["scopeSpans"]
            for span in scope["spans"]
        ]


def flat(attributes):
    """OTLP JSON's [{"key": k, "value": {"stringValue": v}}] as {k: v}; int64 comes as text there."""
    return {a["key"]: next(iter(a["value"].values()), None) for a in attributes or ()}
