"""sidecard's self-metrics by the names of sidecar/stat.def."""

import re

from lib.process import ROOT

_ROW = re.compile(
    r'^(STAT|LEVEL|LEDGER|LEDGER_LEVEL)\((\w+), "([^"]+)", "((?:[^"\\]|\\.)*)", ',
    re.M,
)
_TEXT = (ROOT / "sidecar" / "stat.def").read_text()

# field -> (sample name, labels)
STATS = {
    field: (metric.replace(".", "_"), dict(re.findall(r'(\w+)=\\"(\w+)\\"', labels)))
    for _, field, metric, labels in _ROW.findall(_TEXT)
}
LEDGER = [field for kind, field, *_ in _ROW.findall(_TEXT) if kind.startswith("LEDGER")]
ENDS = [f for f in LEDGER if f.startswith("abandoned_")]
DROPS = [f for f in LEDGER if f.startswith("dropped_")]


def counters(metrics, **labels):
    """{field: value} of a scrape; the ledger's summed over all services, or of labels' one."""
    found = {}
    for field, (name, own) in STATS.items():
        found[field] = metrics.total(name, **own, **(labels if field in LEDGER else {}))
    return found


def check_ledger(metrics, **labels):
    """Both equations of the ledger hold (for every service together, or for the one of labels)."""
    c = counters(metrics, **labels)
    ended = c["finished"] + sum(c[f] for f in ENDS)
    assert c["started"] == ended + c["open"], c
    gone = c["acknowledged"] + c["pending"] + c["unsampled"] + sum(c[f] for f in DROPS)
    assert ended == gone, c
    return c
