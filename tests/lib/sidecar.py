"""sidecard under test: started on a socket and an HTTP port of its own."""

import os
import pathlib
import shutil
import signal
import tempfile

from lib import metrics, stats
from lib.peer import Peer
from lib.ports import listening_ports
from lib.process import FLAVOUR, Process, program
from lib.wait import wait_for


class Sidecar(Process):
    """A running sidecard, ready to be connected to when the constructor returns.

    options: further command-line options. collector: a lib.collector.Collector to export to, with
    short delays so that tests need not wait. socket: another path, else one in a fresh folder that
    goes with the object. ready=False: do not wait for /readyz (for runs that are meant to fail).
    wrapper: a command that ends by executing its arguments. flavour: of another build than the one
    under test. process: as for Process.
    """

    def __init__(
        self,
        *options,
        collector=None,
        socket=None,
        env=None,
        ready=True,
        wrapper=(),
        flavour=FLAVOUR,
        **process,
    ):
        # Not pytest's tmp_path: a socket's path has 107 bytes at most.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sidecar-"))
        self.socket = pathlib.Path(socket or self.folder / "s")
        self._port = None
        self._settled = 0
        argv = [*wrapper, program("sidecard", flavour)]
        argv += [f"--socket={self.socket}", "--http=127.0.0.1:0"]
        environment = dict(env or {})
        if collector is not None:
            argv += [
                f"--otlp-endpoint={collector.endpoint}",
                f"--otlp-protocol={collector.protocol}",
            ]
            environment = {
                "OTEL_BSP_SCHEDULE_DELAY": "20",
                "OTEL_METRIC_EXPORT_INTERVAL": "100",
                **environment,
            }
        try:
            super().__init__([*argv, *options], self.folder / "log", environment, **process)
            if ready:
                self.wait_ready()
        except BaseException:
            self.close()
            raise

    def wait_ready(self):
        """Wait until it answers 200 on /readyz."""

        def is_ready():
            assert self.running(), f"sidecard ended with {self._popen.returncode}:\n{self.log()}"
            try:
                return self.port and self.get("/readyz")[0] == 200
            except OSError:
                return False

        wait_for(is_ready, lambda: f"sidecard to be ready; its log:\n{self.log()}")

    @property
    def port(self):
        """The HTTP port that the kernel chose; None while there is none."""
        if self._port is None:
            self._port = next(iter(listening_ports(self.pid)), None)
        return self._port

    def get(self, path, headers=None):
        """(status, headers, body) of a GET."""
        return metrics.get(self.port, path, headers)

    def metrics(self):
        """A scrape, checked for what must hold in every one."""
        status, headers, body = self.get("/metrics")
        assert status == 200 and headers["Content-Type"] == metrics.CONTENT_TYPE, (status, headers)
        return metrics.Metrics(body.decode()).check()

    def wait_metric(self, name, value, timeout=10, **labels):
        """Wait until the sum of such samples is value; return the scrape."""

        def reached():
            scrape = self.metrics()
            last.append(scrape.total(name, **labels))
            return scrape if last[-1] == value else None

        last = []
        return wait_for(
            reached,
            lambda: f"{name}{labels} to be {value}, it is {last[-1]}; log:\n{self.log()}",
            timeout,
        )

    def counters(self, **labels):
        """Self-metrics by the names of stat.def; see lib.stats."""
        return stats.counters(self.metrics(), **labels)

    def wait_counters(self, timeout=10, **wanted):
        """Wait until these counters of stat.def have these values; return the scrape."""

        def reached():
            scrape = self.metrics()
            seen.update({k: v for k, v in stats.counters(scrape).items() if k in wanted})
            return scrape if seen == wanted else None

        seen = {}
        return wait_for(reached, lambda: f"{wanted}, there is {seen}; log:\n{self.log()}", timeout)

    def settle(self, peer):
        """Wait until sidecard has taken in everything that peer has sent; return a scrape."""
        peer.stats()
        self._settled += 1
        line = f"\nsidecar_ledger_checks_total {self._settled}\n".encode()
        # Looked for in the bytes: a page of thousands of series takes long to parse.
        wait_for(
            lambda: line in self.get("/metrics")[2],
            lambda: f"{self._settled} STATS in all; log:\n{self.log()}",
        )
        return self.metrics()

    def peer(self, service="svc", resource=None, capabilities=None):
        """A new connection that has said HELLO (unless service is None)."""
        return Peer(self.socket, service, resource, capabilities)

    def rss_kib(self):
        """Resident memory."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def close(self):
        """Kill it if it still runs, and remove its folder."""
        if hasattr(self, "_popen"):
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __exit__(self, kind, value, trace):
        """After success it must end by SIGTERM with 0 and no sanitizer report; else kill it."""
        try:
            if kind is None and self.running():
                os.kill(self.pid, signal.SIGCONT)
                self.terminate()
            elif kind is not None:
                print(f"--- log of sidecard {self.pid} ---\n{self.log()}")
        finally:
            self.close()
        return False
