"""The demo after its set-up (dev/demo): starts all, shows it, and with --seconds judges it."""

import argparse
import dataclasses
import os
import signal
import sys
import termios
import time

import verdict
import view
from figures import History, take
from stack import StackError, read_ports
from world import EMBEDDED_CALLS, Embedded, Real

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOAD_SECONDS_MAX = 31_536_000  # that adder-call takes


def interrupt(*_):
    """The first signal ends the demo; the stop that follows is not to be interrupted."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@dataclasses.dataclass
class State:
    """What the view says beside the figures."""

    elapsed: float
    load: str
    addresses: list
    warnings: list


class Demo:
    """One run."""

    def __init__(self, arguments):
        self.seconds = arguments.seconds
        self.rate = arguments.rate
        self.world = Real if arguments.real else Embedded
        self.calls = self.rate * (self.seconds or self.world.calls_max // self.rate)
        self.tty = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.colour = self.tty and not os.environ.get("NO_COLOR")
        self.interval = 1.0 if self.tty else 5.0
        self.terminal = view.Terminal(self.colour)
        self.history = History()
        seconds = min(self.calls // self.rate, LOAD_SECONDS_MAX)
        self.stack = self.world.stack(rate=self.rate, seconds=seconds)
        self.start = time.monotonic()

    def run(self):
        """The exit status."""
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # as by nohup
                signal.signal(number, interrupt)
        try:
            print(self.world.starting, flush=True)
            self.stack.launch()
            self.stack.wait_ready(self.world.ready_seconds)
            self.start = time.monotonic()
            self.look()
            self.stack.start("load")
            due = self.start + self.interval
            while not self.ended():
                time.sleep(min(1.0, self.interval))
                if time.monotonic() >= due:
                    self.show()
                    due += self.interval
            return self.finish()
        except KeyboardInterrupt:
            return 130 if self.seconds else 0
        except (StackError, OSError) as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1
        finally:
            self.stop()

    def stop(self):
        """Leave terminal and machine as they were, even if nobody is there to read of it."""
        try:
            self.terminal.close()
            print("stopping", flush=True)
        except (OSError, termios.error):
            # Else Python tries once more when it ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        self.stack.close()

    def ended(self):
        """With --seconds the load's end is ours. A broker that is gone ends every demo."""
        if self.stack.pid("broker") == 0:
            raise StackError(f"the broker ended:\n{self.stack.tail('broker.log')}")
        return self.seconds and self.stack.pid("load") == 0

    def state(self, figures):
        """The words on the screen."""
        states = {info["name"]: info["statename"] for info in self.stack.processes()}
        load = states.pop("load")
        done = figures.flows[0].total
        if load == "RUNNING":
            words = f"load {self.rate}/s, {done:,.0f} of {self.calls:,} calls"
        elif self.seconds:
            words = f"load ended, {done:,.0f} calls"
        else:
            words = self.world.load_ended
        return State(
            elapsed=time.monotonic() - self.start,
            load=words,
            addresses=self.world.addresses(self.stack.ports),
            warnings=[
                f"{n} is {s.lower()}" for n, s in states.items() if s not in ("RUNNING", "STARTING")
            ],
        )

    def look(self):
        """Ask everybody."""
        self.history.add(take(self.stack.ports, self.world.status))

    def show(self):
        """Draw once."""
        self.look()
        figures = self.history.figures()
        if self.tty:
            self.terminal.draw(figures, self.state(figures))
        else:
            print(view.plain(figures, self.state(figures)), flush=True)

    def finish(self):
        """Wait until all is quiet, print the last screen and the verdict; the exit status."""
        log = verdict.read_log(self.stack.ports["BROKER"])
        load = verdict.read_load(self.stack.log("load"))
        deadline = time.monotonic() + self.world.settle_seconds
        self.look()
        while not verdict.quiet(self.history.figures(), log) and time.monotonic() < deadline:
            # Asking totalizer makes spans: they have to arrive before the next look.
            time.sleep(1.5)
            self.look()
        figures = self.history.figures(whole=True)
        self.last_screen(figures)
        print()
        judged = verdict.judge(figures, load, log) + self.world.judge(self.stack.ports)
        for ok, text in judged:
            mark = view.Text(self.colour).add(
                "ok" if ok else "FAILED", view.GREEN if ok else view.RED
            )
            print(f" {mark.cut(8)}  {text}")
        print(flush=True)
        if all(ok for ok, _ in judged):
            return 0
        for name in [*self.stack.names, "load"]:
            print(f"{name}, the end of its log:\n{self.stack.tail(name + '.log')}\n")
        return 1

    def last_screen(self, figures):
        """What stays on the terminal, or in the log."""
        state = self.state(figures)
        if self.tty:
            self.terminal.draw(figures, state)
        else:
            print("\n" + "\n".join(view.screen(figures, state, 80, 100, False)))


def positive(text):
    """An integer above 0, for argparse."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text}: an integer above 0 is needed")
    return int(text)


def main():
    """Parse, run."""
    parser = argparse.ArgumentParser(
        prog="dev/demo",
        description="The whole path on this machine, from a call to a total. Ctrl-C ends it.",
        epilog="The broker in memory keeps 5 MiB a partition:"
        f" with it the load ends after {EMBEDDED_CALLS:,} calls.",
    )
    parser.add_argument("--seconds", type=positive, help="end by itself and judge: exit 0 or 1")
    parser.add_argument("--rate", type=positive, default=200, help="calls a second (%(default)s)")
    parser.add_argument("--real", action="store_true", help="with the real parts of dev/parts")
    arguments = parser.parse_args()
    most = (Real if arguments.real else Embedded).calls_max
    if arguments.rate * (arguments.seconds or 1) > most:
        parser.error(f"--rate times --seconds: at most {most:,} calls")
    try:
        read_ports()
        demo = Demo(arguments)
    except StackError as error:
        parser.error(str(error))
    sys.exit(demo.run())


if __name__ == "__main__":
    main()
