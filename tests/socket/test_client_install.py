"""libsidecar as a user gets it: installed, found by pkg-config, compiled as C and C++, and run."""

import os
import pathlib
import socket
import subprocess
import threading

import msgpack
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "client" / "examples"
TIMEOUT = 120

HELLO, STRING, START, END, PRODUCED, CONSUMED, ERROR, LAG, STATS, BYE, LINK = (
    0,
    1,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    13,
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A DESTDIR with the library in it, and the environment in which pkg-config finds it there."""
    destdir = tmp_path_factory.mktemp("destdir")
    subprocess.run(
        [
            "make",
            "-s",
            "-C",
            ROOT,
            "install-client",
            "FLAVOUR=release",  # whatever is under test: the examples are built without a sanitizer
            f"DESTDIR={destdir}",
            "PREFIX=/usr",
            "LIBDIR=/usr/lib/somewhere",
        ],
        check=True,
        timeout=TIMEOUT,
    )
    env = dict(
        os.environ,
        PKG_CONFIG_SYSROOT_DIR=str(destdir),
        PKG_CONFIG_LIBDIR=str(destdir / "usr/lib/somewhere/pkgconfig"),
    )
    return destdir, env


def flags(installed, *options):
    out = subprocess.run(
        ["pkg-config", *options, "libsidecar"],
        env=installed[1],
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    return out.stdout.split()


class Listener:
    """Accepts one connection and decodes it to its end."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        self.socket.settimeout(TIMEOUT)
        self.events = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        connection, _ = self.socket.accept()
        unpacker = msgpack.Unpacker(strict_map_key=False)
        with connection:
            while data := connection.recv(65536):
                unpacker.feed(data)
                self.events.extend(unpacker)

    def finish(self):
        self.thread.join(TIMEOUT)
        assert not self.thread.is_alive()
        self.socket.close()
        return self.events


def test_what_is_installed(installed):
    destdir = installed[0]
    version = subprocess.run(
        ["pkg-config", "--modversion", "libsidecar"],
        env=installed[1],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    files = {str(p.relative_to(destdir)) for p in destdir.rglob("*") if not p.is_dir()}
    assert files == {
        "usr/include/sidecar.h",
        "usr/include/sidecar_types.h",
        "usr/lib/somewhere/libsidecar.a",
        "usr/lib/somewhere/libsidecar.so",
        "usr/lib/somewhere/libsidecar.so.1",
        f"usr/lib/somewhere/libsidecar.so.{version}",
        "usr/lib/somewhere/pkgconfig/libsidecar.pc",
        "usr/share/man/man3/sidecar.3",
    }
    assert "-lpthread" in flags(installed, "--static", "--libs")


@pytest.mark.parametrize(
    "compiler",
    [
        ["gcc", "-x", "c", "-std=c99"],
        ["gcc", "-x", "c", "-std=c11"],
        ["g++", "-x", "c++", "-std=c++11"],
        ["clang", "-x", "c", "-std=c99"],
        ["clang++", "-x", "c++", "-std=c++17"],
    ],
    ids=lambda c: f"{c[0]} {c[3]}",
)
def test_header_is_clean(installed, compiler):
    program = """
#include <sidecar.h>
int main(void)
{
	struct sidecar_span span;
	struct sidecar_attr attrs[4];
	attrs[0] = sidecar_str("s", "v");
	attrs[1] = sidecar_int("i", 1);
	attrs[2] = sidecar_double("d", 0.5);
	attrs[3] = sidecar_bool("b", 1);
	sidecar_begin(NULL, &span, "name", SIDECAR_SERVER, NULL);
	sidecar_span_set(&span, attrs, 4);
	sidecar_end(&span, SIDECAR_OK);
	return 0;
}
"""
    subprocess.run(
        [
            *compiler,
            "-pedantic",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-fsyntax-only",
            *flags(installed, "--cflags"),
            "-",
        ],
        input=program,
        text=True,
        check=True,
        timeout=TIMEOUT,
    )


def build(installed, tmp_path, name, static):
    program = tmp_path / name
    libs = flags(installed, "--libs", *(["--static"] if static else []))
    if static:
        libs = ["-Wl,-Bstatic", *libs, "-Wl,-Bdynamic"]
    subprocess.run(
        [
            "cc",
            "-std=c99",
            "-D_POSIX_C_SOURCE=200809L",
            "-Wall",
            "-Wextra",
            "-Werror",
            *flags(installed, "--cflags"),
            EXAMPLES / f"{name}.c",
            "-o",
            program,
            *libs,
        ],
        check=True,
        timeout=TIMEOUT,
    )
    return program


def run(installed, program, path, **more):
    env = dict(
        os.environ,
        SIDECAR_SOCKET=str(path),
        **more,
        LD_LIBRARY_PATH=str(installed[0] / "usr/lib/somewhere"),
    )
    return subprocess.run(
        [program], env=env, check=True, capture_output=True, text=True, timeout=TIMEOUT
    ).stdout


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_span_example(installed, tmp_path, static):
    listener = Listener(tmp_path / "s")
    out = run(installed, build(installed, tmp_path, "span", static), listener.path)
    events = listener.finish()
    assert [e[0] for e in events] == [HELLO, STRING, START, START, END, END, STATS, BYE]
    assert events[0][1] == 1 and events[0][3] == ["resume"]
    assert events[0][2]["service.name"] == "example"
    request, query = events[2], events[3]
    assert request[1].hex() == query[1].hex() == "0af7651916cd43dd8448eb211c80319c"
    assert request[3].hex() == "b7ad6b7169203331" and query[3] == request[2]
    assert request[4:6] == ["GET /orders", 2] and query[4:6] == ["SELECT orders", 3]
    assert request[8] == {0: "GET", "url.scheme": "http"}
    assert out.strip() == f"00-{query[1].hex()}-{query[2].hex()}-01"
    assert [e[1] for e in events[4:6]] == [query[2], request[2]]
    assert events[-2][1:] == [6, None]


def test_kafka_example(installed, tmp_path):
    listener = Listener(tmp_path / "s")
    run(
        installed,
        build(installed, tmp_path, "kafka", False),
        listener.path,
        OTEL_SERVICE_NAME="shop",
        OTEL_RESOURCE_ATTRIBUTES="service.version=1%2E0",
    )
    events = listener.finish()
    assert events[0][2]["service.name"] == "shop" and events[0][2]["service.version"] == "1.0"
    kinds = {}
    for event in events:
        kinds.setdefault(event[0], []).append(event)
    send, process = kinds[START]
    assert kinds[STRING] == [[STRING, 0, "orders"]]
    (produced,), (consumed,), (lag,) = kinds[PRODUCED], kinds[CONSUMED], kinds[LAG]
    assert produced[1:3] == [0, 0] and produced[4] == 1
    assert consumed[3] == produced[3] and consumed[4] >= consumed[3]
    assert consumed[5:] == [process[1], process[2]]
    assert lag[1:] == [0, 0, 0, produced[3]]
    assert kinds[LINK][0][1:4] == [process[2], send[1], send[2]]
    assert kinds[ERROR][0][1:] == [1, 0, "_TIMED_OUT", 1]


def test_examples_without_a_sidecar(installed, tmp_path):
    """They run all the same: an absent sidecar is nobody's failure."""
    run(installed, build(installed, tmp_path, "span", False), tmp_path / "nobody")


def test_abi():
    subprocess.run(["make", "-s", "-C", ROOT, "abi"], check=True, timeout=TIMEOUT)
