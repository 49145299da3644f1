"""The demo's programs with the real parts around them: Apache Kafka, the Collector, Jaeger,
Prometheus and Alertmanager in the place of the embedded broker and the sink. Standard library only.

    with RealStack() as stack:
        stack.wait_ready(timeout=180)
"""

import json
import re
import subprocess

from stack import PARTITIONS, ROOT, TOPIC, Stack, StackError

CONFIG = ROOT / "k8s" / "config"
PARTS = ("kafka", "otelcol", "jaeger", "prometheus", "alertmanager")
# Which ports Prometheus scrapes, by the file of k8s/config/prometheus.yml that names them.
TARGETS = {
    "sidecar": ("ADDER_METRICS", "TOTALIZER_METRICS"),
    "collector": ("COLLECTOR_METRICS",),
    "backend": ("COLLECTOR_SELF", "PROMETHEUS", "ALERTMANAGER"),
    "alertmanager": ("ALERTMANAGER",),
}


def part_folder(name):
    """Where dev/parts has put it; StackError when it is not there."""
    found = subprocess.run(
        [ROOT / "dev" / "parts", "--folder", name], capture_output=True, text=True, check=False
    )
    if found.returncode != 0:
        raise StackError(found.stderr.strip())
    return found.stdout.strip()


class RealStack(Stack):
    """A Stack with the real parts.

    durations: {"10s": "1s", ...}, replaced wherever they stand in Prometheus' and Alertmanager's
    files, for tests that have no time; nothing else of those files changes.
    """

    start_order = (
        ("broker",),
        ("jaeger", "alertmanager"),
        ("collector",),
        ("adder-sidecar", "totalizer-sidecar"),
        ("adder", "totalizer"),
        ("prometheus",),
    )
    listeners = {
        **{name: ports for name, ports in Stack.listeners.items() if name != "sink"},
        "broker": ("BROKER", "BROKER_CONTROLLER"),
        "jaeger": ("JAEGER", "JAEGER_GRPC", "JAEGER_OTLP", "JAEGER_HEALTH"),
        "alertmanager": ("ALERTMANAGER",),
        "collector": (
            "OTLP_GRPC",
            "OTLP_HTTP",
            "COLLECTOR_METRICS",
            "COLLECTOR_SELF",
            "COLLECTOR_HEALTH",
        ),
        "prometheus": ("PROMETHEUS",),
    }
    ready = {
        **Stack.ready,
        "jaeger": ("JAEGER_HEALTH", "/status"),
        "alertmanager": ("ALERTMANAGER", "/-/ready"),
        "collector": ("COLLECTOR_HEALTH", "/"),
        "prometheus": ("PROMETHEUS", "/-/ready"),
    }

    def __init__(self, durations=None, environment=None, **keywords):
        folders = {name.upper(): part_folder(name) for name in PARTS}
        super().__init__(sink=False, **keywords)
        self._environment.update(folders)
        self._environment.update(
            {
                "BIND": "127.0.0.1",
                "JAEGER_OTLP": f"127.0.0.1:{self.ports['JAEGER_OTLP']}",
                "FURTHER": str(ROOT / "dev/supervisord-real.conf"),
                "BROKER": f"{ROOT}/dev/kafka {self.folder}/kafka"
                f" {self.ports['BROKER']} {self.ports['BROKER_CONTROLLER']}",
                **(environment or {}),
            }
        )
        self._build = self._environment["BUILD"]
        self._configure(durations or {})

    def _configure(self, durations):
        """k8s/config into the state folder, and the addresses beside it."""
        folder = self.folder / "config"
        folder.mkdir()
        for path in CONFIG.glob("*.y*ml"):
            if path.name.startswith(("prometheus", "alertmanager")):
                (folder / path.name).write_text(substitute(path.read_text(), durations))
        for name, ports in TARGETS.items():
            # JSON is YAML.
            targets = [{"targets": [f"127.0.0.1:{self.ports[port]}" for port in ports]}]
            (folder / f"{name}.targets.yaml").write_text(json.dumps(targets))

    def _wait_ready(self, name, deadline):
        super()._wait_ready(name, deadline)
        if name == "broker":
            self._create_topic()

    def _create_topic(self):
        """It also waits until the broker does more than take connections."""
        made = subprocess.run(
            [
                f"{self._build}/dev/topic",
                f"--brokers=127.0.0.1:{self.ports['BROKER']}",
                f"--topic={TOPIC}:{PARTITIONS}",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise StackError(f"{made.stderr}{self.tail('broker.log')}")



def substitute(text, durations):
    """Each duration that stands for itself in text, and not in a comment, replaced."""
    if not durations:
        return text
    pattern = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, durations)) + r")(?![\w.])")
    lines = text.split("\n")
    for i, line in enumerate(lines):
        if not line.lstrip().startswith("#"):
            lines[i] = pattern.sub(lambda match: durations[match[1]], line)
    return "\n".join(lines)
