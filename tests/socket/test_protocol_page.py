"""PROTOCOL.md: its examples run as they stand, its bytes are events, its tables match wire.h."""

import os
import re
import subprocess
import sys

import pytest

from lib.msgpack_walk import event
from lib.process import ROOT
from lib.protocol import NAMES, Event, fields_of, read
from lib.stats import STATS

PAGE = (ROOT / "protocol" / "PROTOCOL.md").read_text()
WIRE = (ROOT / "protocol" / "wire.h").read_text()


def block(language):
    """The page's only code block in that language."""
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)
    assert len(found) == 1
    return found[0]


def run_example(argv, sidecar, text=None):
    subprocess.run(
        argv,
        env={**os.environ, "SIDECAR_SOCKET": str(sidecar.socket)},
        input=text,
        text=True,
        timeout=20,
        check=True,
    )


def test_python_client(start_sidecar, collector):
    """The client in ten lines is one, and it works."""
    example = block("python")
    assert sum(1 for line in example.splitlines() if line.strip()) <= 14
    sidecar = start_sidecar(collector=collector)
    run_example([sys.executable, "-c", example], sidecar)
    greet, shout = collector.wait_for_span("greet"), collector.wait_for_span("shout")
    assert greet.resource["service.name"] == "greeter"
    assert greet.attributes == {"greeting": "hello"}
    assert shout.raw.trace_id == greet.raw.trace_id
    assert shout.raw.parent_span_id == greet.raw.span_id
    sidecar.wait_metric("sidecar_connections_closed_total", 1, cause="bye")


def test_shell_client(sidecar):
    """So does the line for a shell."""
    run_example(["sh", "-c", block("sh")], sidecar)
    sidecar.wait_metric("sidecar_connections_closed_total", 1, cause="bye")
    sidecar.wait_metric("kafka_messages_produced_total", 1, service_name="tool", topic="jobs")


def test_examples_of_bytes():
    """Each canonical layout on the page is an event of its type, in its canonical length."""
    seen = []
    for name, row in re.findall(r"^([A-Z]+) +(9[0-9a-f] .*)$", PAGE, re.M):
        text = re.sub(r'"([^"]*)"', lambda m: m[1].encode().hex(), row)
        text = re.sub(r"<(\d+) bytes>", lambda m: "5a" * int(m[1]), text)
        text = re.sub(
            r"<(?:start|end|time|as_of|produced_at|consumed_at)>", "17979cfe362a0000", text
        )
        data = bytes.fromhex(text)
        said = read(data)
        assert isinstance(said, Event) and said.type == name and said.used == len(data)
        seen.append(name)
    assert seen == list(NAMES[:2]) + ["START", "END", "SPAN"] + list(NAMES[5:])


def test_table_of_types():
    """Numbers, names and fields: the page's table, wire.h and the model agree."""
    rows = re.findall(r"^\| (\d+) \| ([A-Z]+) \| (.*) \|$", PAGE, re.M)
    assert [(int(n), name) for n, name, _ in rows] == list(enumerate(NAMES))
    assert re.findall(r"^\tWIRE_([A-Z]+),", WIRE, re.M)[: len(NAMES)] == list(NAMES)
    for _, name, fields in rows:
        optional = [bool(o) for o, _ in re.findall(r"(\[?)`(\w+)`", fields)]
        names = re.findall(r"`(\w+)`", fields)
        assert names == [field for field, *_ in fields_of(name)]
        assert optional == [row[3] for row in fields_of(name)]


@pytest.mark.parametrize(
    "name, text",
    [
        ("EVENT_MAX", "16,384 bytes"),
        ("DEPTH_MAX", "8, the event's own array being 1"),
        ("STRING_IDS", "4,096 a connection"),
        ("TEXT_MAX", "255 / 4,096 bytes"),
        ("VALUE_MAX", "255 / 4,096 bytes"),
        ("ATTRS_MAX", "128 of a span"),
        ("EVENTS_MAX", "128 each a span"),
        ("LINKS_MAX", "128 each a span"),
        ("HELLO_SECONDS", "10 s after the connection"),
    ],
)
def test_limits(name, text):
    """The page's table of limits says what wire.h says."""
    value = int(re.search(rf"WIRE_{name} = (\d+)", WIRE)[1])
    assert text in PAGE and f"{value:,}" in text


@pytest.mark.parametrize(
    "begin, end, metric",
    [
        ("**Malformed**", "**Refused**", "sidecar_connections_malformed_total"),
        ("**Refused**", "**Order of checks**", "sidecar_events_refused_total"),
    ],
)
def test_causes(begin, end, metric):
    """The causes that the page names are those that are counted."""
    cells = re.findall(r"^\| (`.*?) \|", PAGE[PAGE.index(begin) : PAGE.index(end)], re.M)
    named = [cause for cell in cells for cause in re.findall(r"`(\w+)`", cell)]
    counted = [labels["cause"] for name, labels in STATS.values() if name == metric]
    assert sorted(named) == sorted(counted)


def test_every_example_ends_where_it_should():
    """The shell example's octal escapes are three whole events."""
    octal = re.search(r"printf '(.*)' \|", block("sh"))[1]
    data = re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), octal.encode())
    types = []
    while data:
        items, used = event(data)
        types.append(items[0])
        data = data[used:]
    assert types == [0, 5, 10]
