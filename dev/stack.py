"""The demo's programs, started together and stopped together by supervisor.

    with Stack(build="build/release") as stack:
        stack.wait_ready()
        stack.start("load")

The demo and the end-to-end tests use it alike, with the same supervisord.conf, each with its own
ports and its own folder. Standard library only.
"""

import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import xmlrpc.client

from freeze import freeze, thaw

ROOT = pathlib.Path(__file__).resolve().parents[1]
SUPERVISORD = "/usr/bin/supervisord"
PYTHON = "/usr/bin/python3"  # Debian's own, which sees Debian's packages
STOP_SECONDS = 90  # above the sum of what supervisord.conf gives the programs
# As the priorities in supervisord.conf say: who receives before who sends.
START_ORDER = (
    ("broker", "sink"),
    ("adder-sidecar", "totalizer-sidecar"),
    ("adder", "totalizer"),
)
AUTOSTART = START_ORDER[0]
TOPIC = "sums"
PARTITIONS = 12

# Variables that would change what the programs do: what they get is said here and in
# supervisord.conf.
CONFIGURING = ("OTEL_", "SIDECAR_", "ADDER_", "TOTALIZER_", "KAFKA_", "LISTEN_", "NOTIFY_SOCKET")

# Which programs listen on which ports of dev/ports.
LISTENERS = {
    "broker": ("BROKER",),
    "sink": ("OTLP_GRPC", "OTLP_HTTP"),
    "adder-sidecar": ("ADDER_METRICS",),
    "totalizer-sidecar": ("TOTALIZER_METRICS",),
    "adder": ("ADDER_GRPC", "ADDER_HTTP"),
    "totalizer": ("TOTALIZER",),
}
# What answers 200 once a program is ready.
READY = {
    "broker": ("BROKER", None),
    "adder-sidecar": ("ADDER_METRICS", "/readyz"),
    "totalizer-sidecar": ("TOTALIZER_METRICS", "/readyz"),
    "sink": ("OTLP_HTTP", "/status"),
    "adder": ("ADDER_HTTP", "/readyz"),
    "totalizer": ("TOTALIZER", "/v1/healthcheck"),
}


class StackError(Exception):
    """Words for the person who started it."""


def read_ports(environment=None):
    """dev/ports as {name: (number, whose)}; PORT_<NAME> in the environment beats the default."""
    environment = os.environ if environment is None else environment
    ports = {}
    for line in (ROOT / "dev" / "ports").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        name, default, whose = line.split(None, 2)
        text = environment.get(f"PORT_{name}") or default
        if not text.isdigit() or not 1 <= int(text) <= 65535:
            raise StackError(f"PORT_{name}={text}: a port is 1 to 65535")
        ports[name] = (int(text), whose)
    return ports


def port_taken(port):
    """True when something listens on 127.0.0.1:port, or holds it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return False
        except OSError:
            return True


def http_get(port, path, timeout=2.0):
    """(status, body) of a GET to 127.0.0.1; raises OSError when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read()
    except http.client.HTTPException as error:
        raise OSError(f"{path}: {error!r}") from error
    finally:
        connection.close()


def _signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def make_connection(self, host):
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.settimeout(60)
            connection.sock.connect(self._path)
        except OSError:
            connection.close()
            raise
        self._connection = host, connection  # where close() looks for it
        return connection


class Stack:
    """Broker, sink, adder, totalizer, a sidecar for each, and a load.

    The three tables of who starts when, listens where and is ready when are class attributes: a
    subclass has programs of its own (dev/realstack.py).

    ports: {name: number}, default dev/ports. build: where the programs are. sink=False: the
    sidecars export to otlp_endpoint over otlp_protocol, and no sink is started. rate and seconds:
    the load's.
    """

    start_order = START_ORDER
    listeners = LISTENERS
    ready = READY

    def __init__(
        self,
        build=ROOT / "build" / "release",
        ports=None,
        sink=True,
        otlp_endpoint=None,
        otlp_protocol="grpc",
        rate=200,
        seconds=1,
        adder_options="",
        totalizer_options="",
        environment=None,
    ):
        self.ports = ports or {name: number for name, (number, _) in read_ports().items()}
        self.names = [name for name in self.listeners if sink or name != "sink"]
        # Not deeper: a socket's path has 107 bytes at most.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sidecar-demo-"))
        topic = f"{TOPIC}:{PARTITIONS}"
        port = "OTLP_GRPC" if otlp_protocol == "grpc" else "OTLP_HTTP"
        ours = {k: v for k, v in os.environ.items() if not k.startswith(CONFIGURING)}
        self._environment = {
            **ours,
            **{f"PORT_{name}": str(number) for name, number in self.ports.items()},
            "ROOT": str(ROOT),
            "STATE": str(self.folder),
            "BUILD": str(build),
            "PYTHON": PYTHON,
            "BROKER": f"{build}/dev/broker --port {self.ports['BROKER']} --topic {topic}",
            "FURTHER": "",
            "SINK": "true" if sink else "false",
            "OTLP_ENDPOINT": otlp_endpoint or f"http://127.0.0.1:{self.ports[port]}",
            "OTLP_PROTOCOL": otlp_protocol,
            "LOAD_RATE": str(rate),
            "LOAD_SECONDS": str(seconds),
            "OPTIONS_ADDER": adder_options,
            "OPTIONS_TOTALIZER": totalizer_options,
            **(environment or {}),
        }
        self._supervisord = None

    def launch(self):
        """Start supervisord, which starts broker and sink; wait_ready() starts the rest."""
        self.check_ports()
        with open(self.folder / "supervisord.out", "wb") as out:
            self._supervisord = subprocess.Popen(
                # In its own session: Ctrl-C is for us. If we are killed, it gets SIGTERM.
                [
                    "setpriv",
                    "--pdeathsig",
                    "TERM",
                    SUPERVISORD,
                    "-c",
                    ROOT / "dev/supervisord.conf",
                ],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def check_ports(self):
        """StackError that names every port that is taken, and who needs it."""
        whose = read_ports()
        taken = [
            f"port {self.ports[name]} ({whose[name][1]}) is in use: free it, or set PORT_{name}"
            for program in self.names
            for name in self.listeners[program]
            if port_taken(self.ports[name])
        ]
        if taken:
            raise StackError("\n".join(taken))

    def wait_ready(self, timeout=60):
        """Start the programs in order, each when those before it answer; StackError says who
        does not."""
        deadline = time.monotonic() + timeout
        for names in self.start_order:
            names = [name for name in names if name in self.names]
            for name in names:
                if name not in AUTOSTART:
                    self.ask("startProcess", name, False)
            for name in names:
                self._wait_ready(name, deadline)

    def _wait_ready(self, name, deadline):
        pause = threading.Event()
        while not self.answers(name):
            if self._supervisord.poll() is not None:
                raise StackError(f"supervisord ended:\n{self.tail('supervisord.out')}")
            self._check_alive()
            if time.monotonic() > deadline:
                raise StackError(f"{name} is not ready in time:\n{self.tail(name + '.log')}")
            pause.wait(0.02)

    def answers(self, name):
        """True when the program is ready for its work; the broker: when it takes connections."""
        port, path = self.ready[name]
        try:
            if path is None:
                socket.create_connection(("127.0.0.1", self.ports[port]), timeout=2).close()
                return True
            return http_get(self.ports[port], path)[0] == 200
        except OSError:
            return False

    def _check_alive(self):
        """StackError when a program has ended, or could not be started at all."""
        try:
            processes = self.processes()
        except OSError:
            return  # supervisord has not opened its socket yet
        for info in processes:
            name = info["name"]
            if info["statename"] in ("EXITED", "FATAL") and name != "load":
                why = info["spawnerr"] or f"exit {info['exitstatus']}"
                raise StackError(f"{name} ended, {why}:\n{self.tail(name + '.log')}")

    def ask(self, method, *arguments):
        """Call supervisor's XML-RPC interface. OSError: it is not there; StackError: it refuses."""
        transport = _UnixTransport(str(self.folder / "supervisor.sock"))
        try:
            with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except xmlrpc.client.Fault as fault:
            raise StackError(f"supervisor: {method}{arguments}: {fault.faultString}") from fault

    def start(self, name):
        """Start one program."""
        self.ask("startProcess", name)

    def stop(self, name, wait=True):
        """SIGTERM, and wait for the end; SIGKILL after the stopwaitsecs of supervisord.conf."""
        try:
            self.ask("stopProcess", name, wait)
        except StackError:
            if self.pid(name):
                raise

    def processes(self):
        """supervisor's view of each of our programs, as info() gives it."""
        return [
            info for info in self.ask("getAllProcessInfo") if info["name"] in (*self.names, "load")
        ]

    def info(self, name):
        """supervisor's view: pid (0: none), statename, exitstatus, spawnerr."""
        return self.ask("getProcessInfo", name)

    def pid(self, name):
        """The program's process id; 0 while there is none."""
        return self.info(name)["pid"]

    def kill(self, name, number=signal.SIGKILL):
        """Send a signal to the program itself; its pid."""
        pid = self._alive(name)
        os.kill(pid, number)
        return pid

    def _alive(self, name):
        """Its pid; never 0, which to kill() is ourselves."""
        pid = self.pid(name)
        if pid == 0:
            raise StackError(f"{name} does not run:\n{self.tail(name + '.log')}")
        return pid

    def pause(self, name):
        """Stop it where it stands; close() resumes it."""
        freeze(self._alive(name))

    def resume(self, name):
        """Let it go on."""
        thaw(self._alive(name))

    def log(self, name):
        """Everything the program has written."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def tail(self, file, lines=15):
        """The last lines of a file in the state folder."""
        path = self.folder / file
        text = path.read_text(errors="replace") if path.exists() else ""
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])

    def close(self):
        """Stop everything in order, and remove the folder."""
        if self._supervisord is not None and self._supervisord.poll() is None:
            try:
                _signal(self._pids(), signal.SIGCONT)  # who is paused does not see SIGTERM
                self._stop_in_order()
                self.ask("shutdown")
            except OSError:
                self._supervisord.terminate()  # it has not opened its socket yet
            self._supervisord.wait(timeout=STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop_in_order(self):
        """What SIGTERM to supervisord does, without its pause of a second after each program."""
        pause = threading.Event()
        for names in (("load",), *reversed(self.start_order)):
            alive = [i["name"] for i in self.processes() if i["name"] in names and i["pid"]]
            for name in alive:
                self.stop(name, wait=False)
            while any(i["pid"] for i in self.processes() if i["name"] in alive):
                pause.wait(0.02)

    def _pids(self):
        return [info["pid"] for info in self.processes() if info["pid"]]

    def __enter__(self):
        try:
            self.launch()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()
        return False
