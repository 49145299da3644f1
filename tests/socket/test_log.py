"""sidecard's log as JSON: an object a line, whatever its peers call themselves."""

import json

import pytest

from lib import peer as wire
from lib.process import program, run

# What is logged of a name stays a string, and is what a peer may be called.
NAMES = ["plain", 'say "hi"\n\tback\\slash', "\x1b[31m\x7f\x85", "größe €", "12", "a=b c=d", "x" * 63]


@pytest.mark.parametrize("option", ["--log-format=json", None])
def test_every_line_is_json(start_sidecar, option):
    env = {} if option else {"SIDECAR_LOG_FORMAT": "json"}
    options = [option] if option else []
    sidecar = start_sidecar("--log-level=debug", *options, env=env)
    for name in NAMES:
        peer = sidecar.peer(name)
        peer.send(wire.start())
        peer.close()
    sidecar.wait_metric("sidecar_connections_closed_total", len(NAMES))
    sidecar.terminate()
    lines = [json.loads(line) for line in sidecar.log().split("\n")[:-1]]
    for line in lines:
        assert list(line)[:4] == ["time", "level", "program", "event"], line
        assert line["program"] == "sidecard"
    ended = [line for line in lines if line["event"] == "connection_ended"]
    assert sorted(line["service"] for line in ended) == sorted(NAMES)
    assert all(line["open_spans"] == 1 for line in ended)
    assert [line["level"] for line in lines if line["event"] == "stopped"] == ["info"]


def test_text_is_the_default():
    shown = run([program("sidecard"), "--check"]).stdout
    assert "--log-format=text\n" in shown
    wrong = run([program("sidecard"), "--log-format=yaml"])
    assert wrong.returncode == 2 and "--log-format" in wrong.stderr and "json" in wrong.stderr
