"""Whether the demo did its job: what the programs say, against witnesses of its own.

The first witness is the topic's log, read from its beginning by kcat, which shares nothing with
adder or totalizer; the second is what adder-call was promised; the third is the sink.
"""

import dataclasses
import json
import math
import subprocess

from figures import delivery
from stack import TOPIC


@dataclasses.dataclass
class Log:
    """The topic as an independent consumer reads it."""

    count: int
    total: int
    whole: bool  # every partition still begins at offset 0
    error: str = ""


@dataclasses.dataclass
class Load:
    """What adder-call reports."""

    calls: int
    acknowledged: int  # calls answered OK
    total: int  # the sum of what they answered
    unknown: int  # calls that failed in a way that does not tell whether the sum was published
    codes: dict  # {"OK": 4000}


def read_load(text):
    """adder-call's report, the last line of JSON in its log; None when there is none."""
    for line in reversed(text.splitlines()):
        try:
            report = json.loads(line)
            return Load(
                calls=report["calls"],
                acknowledged=report["ok"],
                total=report["sum"],
                unknown=report["unknown"],
                codes=report["codes"],
            )
        except (ValueError, KeyError, TypeError):
            continue
    return None


def read_sum(payload):
    """The sum in a message; None when it is none, which totalizer passes over."""
    try:
        return int(json.loads(payload)["sum"])
    except (ValueError, KeyError, TypeError):
        return None


def read_log(port):
    """Read every partition of the topic from its start to its end."""
    argv = ["kcat", "-b", f"127.0.0.1:{port}", "-C", "-t", TOPIC, "-o", "beginning", "-e", "-q"]
    try:
        run = subprocess.run(
            [*argv, "-J"],  # a line of JSON for each message, whatever is in it
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Log(0, 0, False, f"kcat: {error}")
    if run.returncode != 0:
        return Log(0, 0, False, f"kcat: exit {run.returncode}: {run.stderr.strip()[-300:]}")
    offsets, total, count = {}, 0, 0
    whole = True
    for line in run.stdout.split("\n")[:-1]:
        message = json.loads(line)
        partition, offset = message["partition"], message["offset"]
        whole = whole and offset == offsets.get(partition, 0)
        offsets[partition] = offset + 1
        value = read_sum(message["payload"])
        if value is not None:
            total += value
            count += 1
    return Log(count, total, whole)


def quiet(figures, log):
    """True when nothing is on its way any more."""
    return (
        figures.results is not None
        and figures.sink is not None
        and not figures.absent
        and figures.results["count"] >= log.count
        and not figures.lag
        and all(ledger.open == 0 and ledger.pending == 0 for ledger in figures.ledgers)
        and figures.sink["spans"] >= sum(ledger.acknowledged for ledger in figures.ledgers)
    )


def judge(figures, load, log):
    """[(good, sentence)]"""
    if figures.absent:
        return [(False, f"no answer from {', '.join(figures.absent)}")]
    return [
        _load(load),
        _spans(figures),
        _latency(figures),
        _ledger(figures),
        _total(figures, load, log),
    ]


def _load(load):
    if load is None:
        return False, "load: adder-call gave no report"
    codes = ", ".join(f"{count:,} {code}" for code, count in load.codes.items())
    return load.acknowledged > 0, f"load: {load.calls:,} calls ({codes}), {load.unknown:,} unknown"


def _spans(figures):
    delivered = sum(ledger.acknowledged for ledger in figures.ledgers)
    lost = sum(ledger.abandoned + ledger.dropped + ledger.lost for ledger in figures.ledgers)
    services = figures.sink["services"]
    good = (
        figures.sink["spans"] == delivered > 0
        and not figures.sink["duplicates"]
        and not lost
        and all(services.get(ledger.service) for ledger in figures.ledgers)
        and figures.sink["trace"] is not None
    )
    where = figures.sink.get("name", "sink")
    text = f"spans: {figures.sink['spans']:,} at the {where}"
    text += f", {delivered:,.0f} delivered by the sidecars"
    if lost:
        text += f", {lost:,.0f} abandoned or dropped"
    if figures.sink["duplicates"] is not None:
        text += f", {figures.sink['duplicates']:,} came twice"
    return good, text


def _latency(figures):
    latency = delivery(figures)
    consumed = next(flow for flow in figures.flows if flow.name == "messages consumed")
    if latency is None:
        return False, "latency: nothing was measured"
    good = all(map(math.isfinite, latency.quantiles)) and consumed.rate > 0
    p50, p95, p99 = latency.quantiles
    text = f"latency: P50 {p50:.2f} ms, P95 {p95:.2f} ms, P99 {p99:.2f} ms"
    return good, f"{text}; {consumed.rate:.1f} messages a second"


def _ledger(figures):
    bad = [ledger.service for ledger in figures.ledgers if not ledger.closed()]
    if bad:
        return False, f"ledger: not closed for {', '.join(bad)}"
    started = sum(ledger.started for ledger in figures.ledgers)
    return started > 0, f"ledger: closed, {started:,.0f} spans accounted for, no event missing"


def _total(figures, load, log):
    if log.error:
        return False, f"total: the log cannot be read: {log.error}"
    if not log.whole:
        return False, "total: the broker has forgotten the head of its log, nothing can be compared"
    result, count = figures.results["result"], figures.results["count"]
    if (result, count) != (log.total, log.count):
        return False, (
            f"total: /v1/results says {result:,} of {count:,} messages, "
            f"the log holds {log.total:,} of {log.count:,}"
        )
    text = f"total: exact, {result:,}, as {log.count:,} messages in the log add up to"
    if load is None or load.unknown:
        return True, f"{text} (outcomes unknown: the acknowledged sum proves nothing)"
    if load.total != result:
        return False, f"total: {result:,}, but calls were answered with a sum of {load.total:,}"
    return True, f"{text}, and as the calls were answered"
