"""README.md: its first spans arrive; the man pages name every option that --help does."""

import os
import re
import subprocess
import sys

import pytest

from lib.process import ROOT, program

README = (ROOT / "README.md").read_text()
PAGES = {
    "sidecard": "sidecar/sidecard.8",
    "adder": "adder/adder.8",
    "adder-call": "adder/adder.8",
    "totalizer": "totalizer/totalizer.8",
}


def block(language, containing):
    """The README's only block in that language with that text."""
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)
    found = [text for text in found if containing in text]
    assert len(found) == 1
    return found[0]


def run(argv, sidecar):
    env = {**os.environ, "SIDECAR_SOCKET": str(sidecar.socket), "OTEL_SERVICE_NAME": "first"}
    subprocess.run(argv, env=env, timeout=60, check=True)


def library(name):
    """A library beside the programs."""
    return program("sidecard").parent / name


def test_first_span_in_c(start_sidecar, collector, tmp_path):
    (tmp_path / "first.c").write_text(block("c", "sidecar_open"))
    subprocess.run(
        [
            os.environ.get("CC", "cc"),
            *(["-fsanitize=address,undefined"] if os.environ.get("FLAVOUR") == "asan" else []),
            f"-I{ROOT / 'client'}",
            "-o",
            tmp_path / "first",
            tmp_path / "first.c",
            library("libsidecar.a"),
            "-lpthread",
        ],
        check=True,
    )
    sidecar = start_sidecar(collector=collector)
    run([tmp_path / "first"], sidecar)
    assert collector.wait_for_span("first").resource["service.name"] == "first"
    sidecar.wait_metric("sidecar_connections_closed_total", 1, cause="bye")


def test_first_span_in_python(start_sidecar, collector):
    sidecar = start_sidecar(collector=collector)
    run([sys.executable, "-c", block("python", "msgpack")], sidecar)
    assert collector.wait_for_span("first").attributes == {"answer": 42}
    sidecar.wait_metric("sidecar_connections_closed_total", 1, cause="bye")


def test_first_span_from_a_shell(start_sidecar, collector):
    sidecar = start_sidecar(collector=collector)
    run(["sh", "-c", block("sh", "socat")], sidecar)
    assert collector.wait_for_span("first").resource["service.name"] == "shell"
    sidecar.wait_metric("sidecar_connections_closed_total", 1, cause="bye")


@pytest.mark.parametrize("name", PAGES)
def test_manual_names_every_option(name):
    text = subprocess.run([program(name), "--help"], check=True, capture_output=True, text=True)
    page = (ROOT / PAGES[name]).read_text().replace("\\-", "-")
    flags = set(re.findall(r"^  --([a-z0-9-]+)", text.stdout, re.M)) - {"help", "version"}
    variables = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", text.stdout))
    assert len(flags) > 5
    for flag in flags:
        assert re.search(rf"Fl -{flag}\b", page), f"--{flag}"
    for variable in variables:
        assert variable in page, variable
