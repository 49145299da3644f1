"""The demo's screen: figures in, lines out.

screen() gives the lines for a terminal of some width and height, plain() one line for a log. Both
are pure; Terminal refreshes a real one in place.
"""

import math
import shutil
import sys
import termios

BOLD, DIM, RED, GREEN, YELLOW, CYAN = "1", "2", "31", "32", "33", "36"
WIDTH_MAX = 92  # wider lines are harder to read, not easier
WIDTH_NARROW = 74  # below it tables lose their wide columns
NAME = 26  # columns of a row's name
CELL = 12

# The rows of the ledger's account: how it reads, and which of its sums they stand in.
ACCOUNT = (
    ("events received", "events"),
    ("events missing", "gaps"),
    ("spans started", "started"),
    ("= finished", "finished"),
    ("+ abandoned", "abandoned"),
    ("+ still open", "open"),
    ("ended = acknowledged", "acknowledged"),
    ("+ on their way", "pending"),
    ("+ unsampled", "unsampled"),
    ("+ dropped", "dropped"),
)


class Text:
    """A line under construction that knows how wide it looks."""

    def __init__(self, colour):
        self._colour = colour
        self._parts = []
        self.width = 0

    def add(self, text, *styles):
        """Append text; styles are ANSI numbers, used only with colour."""
        self._parts.append((text, styles))
        self.width += len(text)
        return self

    def pad(self, column):
        """Append spaces up to a column."""
        return self.add(" " * max(0, column - self.width))

    def cut(self, width):
        """As a string of at most so many columns."""
        out, left = [], width
        for text, styles in self._parts:
            text = text[:left]
            left -= len(text)
            if self._colour and styles and text.strip():
                text = f"\x1b[{';'.join(styles)}m{text}\x1b[0m"
            out.append(text)
        return "".join(out).rstrip()


def count(value):
    """12,345"""
    return f"{value:,.0f}"


def rate(value):
    """199.8, or a dash before there is one."""
    return "–" if math.isnan(value) else f"{value:,.1f}"


def ms(value):
    """Milliseconds with three digits that matter."""
    if math.isnan(value):
        return "–"
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def quantiles(latency):
    """As text; what lies below the first bucket's bound is only known to lie there."""
    bound = latency.first_bound
    return [f"<{bound:g}" if q <= bound else ms(q) for q in latency.quantiles]


def clock(seconds):
    """01:05, 1:01:05"""
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


class Screen:
    """Builds the blocks of one screen."""

    def __init__(self, width, colour):
        self.width = min(width, WIDTH_MAX)
        self.colour = colour
        self.narrow = self.width < WIDTH_NARROW
        self.name = min(22, self.width // 2) if self.narrow else NAME
        self.cell = (self.width - 1 - self.name) // 3 if self.narrow else CELL

    def text(self, indent=1):
        """An empty line."""
        return Text(self.colour).add(" " * indent)

    def row(self, name, cells, styles=(), name_styles=()):
        """A name and right-aligned cells."""
        line = self.text(2).add(name[: self.name - 2], *name_styles).pad(self.name)
        for i, cell in enumerate(cells):
            style = styles[i] if i < len(styles) else ()
            line.add(" ").add(cell.rjust(self.cell - 1), *style)
        return line

    def heading(self, title, cells, note=""):
        """A table's first line."""
        line = self.text().add(title, BOLD).pad(self.name)
        for cell in cells:
            line.add(" ").add(cell.rjust(self.cell - 1), DIM)
        return line.add("   " + note, DIM) if note and not self.narrow else line

    def title(self, state):
        """Who we are, for how long, and what the load does."""
        line = self.text().add("sidecard demo", BOLD).add("  " + clock(state.elapsed), CYAN)
        lines = [line, self.text().add("─" * (self.width - 2), DIM)]
        if self.narrow:
            return [line, self.text().add(state.load, DIM), lines[1]]
        line.pad(self.width - 1 - len(state.load)).add(state.load, DIM)
        return lines

    def flows(self, figures):
        """Rates, totals and errors along the way of a message."""
        lines = [self.heading("Flow", ("a second", "total", "errors"))]
        for flow in figures.flows:
            bad = (RED, BOLD) if flow.errors else (DIM,)
            cells = (rate(flow.rate), count(flow.total), count(flow.errors))
            lines.append(self.row(flow.name, cells, ((BOLD,), (), bad)))
        return lines

    def latencies(self, figures):
        """Percentiles."""
        note = f"ms, last {figures.window:.0f} s"
        lines = [self.heading("Latency", ("P50", "P95", "P99"), note)]
        for latency in figures.latencies:
            lines.append(self.row(latency.name, quantiles(latency), ((BOLD,),)))
        if not figures.latencies:
            lines.append(self.text(2).add("nothing measured yet", DIM))
        return lines

    def total(self, figures):
        """The total, and how far behind it is."""
        line = self.text().add("Total", BOLD).pad(self.name)
        if figures.results is None:
            line.add("totalizer does not answer", YELLOW)
        else:
            line.add(f"{figures.results['result']:,}", BOLD, GREEN)
            line.add(f"  of {figures.results['count']:,} messages")
        second = self.text().add("Lag", BOLD).pad(self.name)
        if figures.lag is None:
            second.add("not known yet", DIM)
        else:
            second.add(count(figures.lag), BOLD, *((YELLOW,) if figures.lag > 1000 else ()))
            second.add(" messages")
            if figures.lag_age is not None:
                second.add(f", everything older than {figures.lag_age:.1f} s is totalled", DIM)
        return [line, second]

    def account(self, figures):
        """Every span accounted for, as an account: two sums for each service."""
        ledgers = figures.ledgers
        lines = [self.heading("Ledger", [ledger.service for ledger in ledgers])]
        for title, field in ACCOUNT:
            values = [getattr(ledger, field) for ledger in ledgers]
            loss = (YELLOW,) if field in ("abandoned", "dropped", "gaps") else ()
            styles = [loss if value else () for value in values]
            lines.append(self.row(title, map(count, values), styles, (DIM,)))
        verdicts = [ledger.closed() for ledger in ledgers]
        words = ["closed" if closed else "open" for closed in verdicts]
        styles = [(GREEN, BOLD) if closed else (RED, BOLD) for closed in verdicts]
        lines.append(self.row("both sums", words, styles))
        return lines

    def ledgers(self, figures):
        """The same in one line a service, for when there is little room."""
        lines = []
        for ledger in figures.ledgers:
            line = self.text().add(f"Ledger, {ledger.service}", BOLD).pad(self.name)
            closed = ledger.closed()
            line.add("closed" if closed else "open", *((GREEN,) if closed else (RED, BOLD)))
            for name in ("started", "abandoned", "dropped"):
                value = getattr(ledger, name)
                loss = (YELLOW,) if value and name in ("abandoned", "dropped") else ()
                line.add(f" {name} ", DIM).add(count(value), *loss)
            lines.append(line)
        return lines

    def sink(self, figures):
        """What the sink, or the Collector in its place, says."""
        sink = figures.sink
        line = self.text().add((sink or {}).get("name", "Sink"), BOLD).pad(self.name)
        if sink is None:
            return [line.add("does not answer", YELLOW)]
        line.add(count(sink["spans"]), BOLD).add(" spans")
        if sink["duplicates"] is not None:  # the Collector does not tell
            style = () if sink["duplicates"] else (DIM,)
            line.add(f", {count(sink['duplicates'])} came twice", *style)
        if not self.narrow:
            line.add(f", {count(sink['metric_points'])} metric points", DIM)
        return [line]

    def trace(self, figures):
        """The newest whole trace, as bars along its time."""
        trace = figures.sink and figures.sink["trace"]
        if not trace:
            return []
        title = self.text().add("Newest trace", BOLD).pad(self.name).add(trace["trace_id"], DIM)
        spans = trace["spans"]
        whole = max(s["offset_us"] + s["duration_us"] for s in spans) or 1
        name, ms_width = (36, 10) if not self.narrow else (self.width - 11, 10)
        room = self.width - name - ms_width - 2
        lines = [title]
        for span in spans:
            line = self.text(2).add(span["service"], DIM).pad(13)
            line.add("  " * min(span["depth"], 4) + span["name"].rsplit("/", 1)[-1]).pad(name)
            if room > 0:
                begin = min(span["offset_us"] * room // whole, room - 1)
                length = max(1, span["duration_us"] * room // whole)
                line.add(" " * begin + "━" * min(length, room - begin), CYAN).pad(name + room)
            lines.append(line.add(f"{ms(span['duration_us'] / 1000)} ms".rjust(ms_width)))
        return lines

    def addresses(self, state):
        """What to open."""
        lines = [self.text().add("Open", BOLD)]
        for url, what in state.addresses:
            lines.append(self.text(2).add(url, CYAN).add("  " + what, DIM))
        return lines


def screen(figures, state, width, height, colour):
    """The lines of a whole screen, none wider than width, at most height of them.

    state: .elapsed seconds, .load in words, .addresses [(url, what)], .warnings [text]. Where there
    is no room for all of it, the account shrinks first, then the trace goes, the addresses, the
    gaps.
    """
    made = Screen(width, colour)
    head = [
        made.title(state) + [made.text().add("! " + w, YELLOW) for w in complaints(figures, state)],
        made.flows(figures),
        made.latencies(figures),
        made.total(figures),
    ]
    account, ledgers, sink = made.account(figures), made.ledgers(figures), made.sink(figures)
    trace, addresses = made.trace(figures), made.addresses(state)
    choices = (
        [*head, account, sink, trace, addresses],
        [*head, ledgers + sink, trace, addresses],
        [*head, ledgers + sink, addresses],
        [*head, ledgers + sink],
    )
    for blocks in choices:
        lines = spaced([block for block in blocks if block], made.text(0))
        if len(lines) <= height:
            break
    else:
        lines = [line for block in choices[-1] for line in block][:height]
    return [line.cut(width) for line in lines]


def spaced(blocks, gap):
    """The blocks' lines with a gap between blocks, but for the first two."""
    lines = list(blocks[0])
    for i, block in enumerate(blocks[1:]):
        lines += ([gap] if i else []) + block
    return lines


def plain(figures, state):
    """One line for a log."""
    calls, produced, consumed, exported = figures.flows
    parts = [
        clock(state.elapsed),
        f"calls {rate(calls.rate)}/s",
        f"produced {rate(produced.rate)}/s",
        f"consumed {rate(consumed.rate)}/s",
    ]
    for latency in figures.latencies[:1]:
        parts.append("P50/P95/P99 {}/{}/{} ms".format(*quantiles(latency)))
    if figures.lag is not None:
        parts.append(f"lag {count(figures.lag)}")
    if figures.results is not None:
        parts.append(f"total {figures.results['result']:,} of {figures.results['count']:,}")
    parts.append(f"errors {count(sum(f.errors for f in (calls, produced, consumed)))}")
    parts.append(f"spans {count(exported.total)}")
    open_ones = [ledger.service for ledger in figures.ledgers if not ledger.closed()]
    parts.append(f"ledger {'not closed: ' + ', '.join(open_ones) if open_ones else 'closed'}")
    return "  ".join(parts + [f"! {w}" for w in complaints(figures, state)])


def complaints(figures, state):
    """What is wrong, in words."""
    return [f"{who} does not answer" for who in figures.absent] + state.warnings


class Terminal:
    """A terminal that is drawn over in place, and left with the last screen on it."""

    def __init__(self, colour):
        self.colour = colour
        self._drawn = 0
        self._size = None
        self._keys = None  # the terminal's settings, to be given back

    def _open(self):
        """Hide the cursor, and do not let keys write into the screen."""
        sys.stdout.write("\x1b[?25l")
        if sys.stdin.isatty():
            self._keys = termios.tcgetattr(sys.stdin)
            silent = termios.tcgetattr(sys.stdin)
            silent[3] &= ~termios.ECHO
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, silent)

    def draw(self, figures, state):
        """Replace what was drawn before."""
        size = shutil.get_terminal_size((80, 24))
        lines = screen(figures, state, size.columns - 1, size.lines - 1, self.colour)
        if self._size not in (None, size):
            sys.stdout.write("\x1b[2J\x1b[H")  # the terminal has rearranged what was there
        elif self._drawn:
            sys.stdout.write(f"\x1b[{self._drawn}A\r")
        else:
            self._open()
        sys.stdout.write("".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        sys.stdout.flush()
        self._drawn, self._size = len(lines), size

    def close(self):
        """Give cursor and keys back."""
        if self._drawn:
            sys.stdout.write("\x1b[?25h")
            sys.stdout.flush()
        if self._keys is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._keys)
