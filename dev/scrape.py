"""What a page of /metrics says: samples, sums over labels, rates and quantiles between two pages.

Standard library only; reads the Prometheus text format 0.0.4.
"""

import math
import re

_SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)",?')
_ESCAPES = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}


def _unescape(text):
    return re.sub(r"\\.", lambda m: _ESCAPES.get(m.group(), m.group()), text)


class Page:
    """One scrape: {(name, labels): value}, labels as a sorted tuple of pairs."""

    def __init__(self, text=""):
        self.samples = {}
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = _SAMPLE.fullmatch(line)
            if match is None:
                raise ValueError(f"not a sample: {line}")
            name, labels, value = match.groups()
            pairs = ((k, _unescape(v)) for k, v in _LABEL.findall(labels or ""))
            self.samples[name, tuple(sorted(pairs))] = float(value)

    def find(self, name, **labels):
        """[(labels, value)] of the samples of that name with at least these labels."""
        return [
            (dict(pairs), value)
            for (sample, pairs), value in self.samples.items()
            if sample == name and labels.items() <= dict(pairs).items()
        ]

    def total(self, name, **labels):
        """The sum of those samples; 0 when there is none."""
        return sum(value for _, value in self.find(name, **labels))

    def highest(self, name, **labels):
        """The largest of those samples; None when there is none."""
        return max((value for _, value in self.find(name, **labels)), default=None)

    def values(self, name, label):
        """Every value of a label among the samples of that name, sorted."""
        return sorted({labels[label] for labels, _ in self.find(name) if label in labels})

    def since(self, older):
        """The increase of every sample since an older page. What went down began anew at 0."""
        page = Page()
        for key, value in self.samples.items():
            before = older.samples.get(key, 0.0)
            page.samples[key] = value - before if value >= before else value
        return page

    def quantile(self, q, name, **labels):
        """As histogram_quantile(): in the histogram's unit, NaN when it is empty."""
        return quantile(q, self.buckets(name, **labels))

    def buckets(self, name, **labels):
        """[(upper bound, cumulative count)] summed over all other labels."""
        sums = {}
        for found, value in self.find(f"{name}_bucket", **labels):
            bound = float(found["le"])
            sums[bound] = sums.get(bound, 0.0) + value
        return sorted(sums.items())


def quantile(q, buckets):
    """Linear within the bucket that holds the rank, as Prometheus does; above the last finite
    bound, that bound."""
    if not buckets or buckets[-1][1] <= 0:
        return math.nan
    rank = q * buckets[-1][1]
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below:
            if math.isinf(bound):
                return lower
            return lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return lower
