"""The command line: help, errors that name the option, --check that parses back."""

import re
import shlex

import pytest

from lib.process import program, run
from lib.rude import RudeServer


def sidecard(*options, env=None):
    """Run to the end, which wrong options, --help and --check come to by themselves."""
    return run([program("sidecard"), *options], env=env)


def test_version():
    done = sidecard("--version")
    assert done.returncode == 0 and re.fullmatch(r"sidecard \d+\.\d+\.\d+\S*\n", done.stdout)


def test_help_names_every_option():
    done = sidecard("--help")
    assert done.returncode == 0 and not done.stderr
    listed = set(re.findall(r"--[a-z][a-z-]+", done.stdout))
    checked = {line.split("=")[0] for line in sidecard("--check").stdout.splitlines()}
    assert checked <= listed
    assert {"--socket", "--http", "--otlp-endpoint", "--check", "--help", "--version"} <= listed


@pytest.mark.parametrize(
    "options, words",
    [
        (["--no-such-option"], ["--no-such-option"]),
        (["stray"], ["stray"]),
        (["--socket-mode=999"], ["--socket-mode", "999"]),
        (["--socket-mode=1777"], ["--socket-mode", "1777"]),
        (["--http=nonsense"], ["--http", "nonsense"]),
        (["--http=localhost:70000"], ["--http", "70000"]),
        (["--otlp-protocol=http/json"], ["--otlp-protocol", "http/json", "grpc", "http/protobuf"]),
        (["--otlp-endpoint=ftp://x"], ["--otlp-endpoint:", "ftp://x"]),
        (["--otlp-metrics-endpoint=http://x:otlp"], ["--otlp-metrics-endpoint:", "http://x:otlp"]),
        (["--span-timeout=soon"], ["--span-timeout", "soon"]),
        (["--span-timeout=1ms"], ["--span-timeout", "1ms"]),
        (["--queue-max=1KiB"], ["--queue-max", "1KiB"]),
        (["--queue-max=-1"], ["--queue-max", "-1"]),
        (["--max-open-spans=0"], ["--max-open-spans", "0"]),
        (["--max-open-spans=131073"], ["--max-open-spans", "131073", "131072"]),
        (["--log-level=loud"], ["--log-level", "loud", "debug"]),
        (["--socket"], ["--socket"]),
        (["--socket="], ["--socket:", "path"]),
        (["--otlp-endpoint=http://x", "--otlp-headers=a b=c"], ["--otlp-headers:", "a b"]),
        (["--otlp-endpoint=https://x", "--otlp-certificate=/nonexistent"],
         ["--otlp-certificate:", "/nonexistent"]),
        (["--otlp-endpoint=https://x", "--otlp-client-key=/dev/null"], ["--otlp-client-key:"]),
    ],
)
def test_wrong(options, words):
    """One line that names the option, the value and what is allowed; exit 2."""
    done = sidecard(*options)
    assert done.returncode == 2, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr


@pytest.mark.parametrize(
    "name, value",
    [("SIDECAR_SOCKET_MODE", "rw"), ("SIDECAR_SPAN_TIMEOUT", "later"), ("SIDECAR_HTTP", "x")],
)
def test_wrong_environment(name, value):
    done = sidecard("--check", env={name: value})
    assert done.returncode == 2 and name in done.stderr and value in done.stderr, done.stderr


@pytest.mark.parametrize(
    "name, value",
    [
        ("OTEL_BSP_SCHEDULE_DELAY", "soon"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "carrier-pigeon"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "-1"),
        ("OTEL_EXPORTER_PROMETHEUS_HOST", "a b"),
        ("OTEL_EXPORTER_PROMETHEUS_HOST", "h" * 300),
        # As Kubernetes makes it for a Service of the name otel-exporter-prometheus.
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "tcp://10.0.0.1:9464"),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "65536"),
    ],
)
def test_wrong_otel_environment_warns(name, value):
    """OpenTelemetry's rule: warn, and take it as unset."""
    done = sidecard("--check", env={name: value})
    assert done.returncode == 0 and name in done.stderr
    assert done.stdout == sidecard("--check").stdout


def test_config_file_is_refused():
    """OTEL_CONFIG_FILE means "ignore all else", which must not pass unnoticed."""
    done = sidecard("--check", env={"OTEL_CONFIG_FILE": "/etc/otel.yaml"})
    assert done.returncode == 2 and "OTEL_CONFIG_FILE" in done.stderr


OPTIONS = [
    "--socket=/tmp/a path/with spaces",
    "--socket-mode=0600",
    "--http=[::1]:0",
    "--otlp-endpoint=http://collector:4317",
    "--otlp-compression=none",
    "--span-timeout=90s",
    "--queue-max=3MiB",
    "--drain-timeout=250ms",
    "--log-level=debug",
    "--otlp-insecure",
]


@pytest.mark.parametrize("options", [[], OPTIONS])
def test_check_parses_back(options):
    first = sidecard("--check", *options)
    assert first.returncode == 0, first.stderr
    again = sidecard("--check", *shlex.split(first.stdout))
    assert again.returncode == 0, again.stderr
    assert again.stdout == first.stdout


def test_check_shows_what_was_given():
    lines = shlex.split(sidecard("--check", *OPTIONS).stdout)
    for option in OPTIONS:
        name, _, value = option.partition("=")
        assert any(line.startswith(name) for line in lines)
        assert name in ("--span-timeout", "--otlp-insecure") or f"{name}={value}" in lines, lines


def test_defaults_are_the_protocols():
    """What PROTOCOL.md promises unless configured."""
    lines = set(sidecard("--check").stdout.splitlines())
    assert {"--hello-timeout=10s", "--span-timeout=10m", "--max-open-spans=131072"} <= lines
    assert {"--socket=/run/sidecar/sidecar.sock", "--socket-mode=0660"} <= lines


def test_flag_beats_environment_beats_default():
    def level(*options, env=None):
        return re.search(r"--log-level=(\w+)", sidecard("--check", *options, env=env).stdout)[1]

    assert level() == "info"
    assert level(env={"SIDECAR_LOG_LEVEL": ""}) == "info"
    assert level(env={"SIDECAR_LOG_LEVEL": "warn"}) == "warn"
    assert level("--log-level=error", env={"SIDECAR_LOG_LEVEL": "warn"}) == "error"


def test_secrets_are_not_shown():
    done = sidecard("--check", "--otlp-headers=api-key=hunter2")
    assert "hunter2" not in done.stdout and "otlp-headers" in done.stdout


def test_standard_variables():
    done = sidecard("--check", env={
        "OTEL_EXPORTER_PROMETHEUS_HOST": "0.0.0.0",
        "OTEL_EXPORTER_PROMETHEUS_PORT": "9091",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317",
        "OTEL_METRIC_EXPORT_INTERVAL": "1500",
    })  # fmt: skip
    lines = shlex.split(done.stdout)
    assert {
        "--http=0.0.0.0:9091",
        "--otlp-endpoint=http://c:4317",
        "--metric-interval=1500ms",
    } <= set(lines)


def test_http_port_in_use(tmp_path):
    with RudeServer("silent") as taken:
        done = sidecard(f"--socket={tmp_path}/s"[:100], f"--http=127.0.0.1:{taken.port}")
    assert done.returncode == 1
    assert str(taken.port) in done.stderr
