"""A scrape of /metrics, read by the parser of Prometheus' own Python client."""

import math
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def get(port, path, headers=None, timeout=10):
    """GET from 127.0.0.1: (status, headers, body as bytes), also for 4xx and 5xx."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


class Metrics:
    """One scrape. Sample names are full names: "x_total", "x_bucket"."""

    def __init__(self, text):
        self.text = text
        self.families = {f.name: f for f in text_string_to_metric_families(text)}
        self._samples = {}
        for family in self.families.values():
            for sample in family.samples:
                self._samples.setdefault(sample.name, []).append(sample)

    def names(self):
        """The sample names, as a set."""
        return set(self._samples)

    def samples(self, name, **labels):
        """The samples of that name that carry at least these labels: [(labels, value), ...]."""
        return [
            (s.labels, s.value)
            for s in self._samples.get(name, ())
            if all(s.labels.get(k) == v for k, v in labels.items())
        ]

    def value(self, name, **labels):
        """The value of the only such sample; None when there is none."""
        found = self.samples(name, **labels)
        assert len(found) <= 1, f"several samples of {name} {labels}: {found}"
        return found[0][1] if found else None

    def total(self, name, **labels):
        """The sum over all such samples; 0 when there is none."""
        return math.fsum(value for _, value in self.samples(name, **labels))

    def buckets(self, name, **labels):
        """A histogram's cumulative buckets as {upper bound as float: count}."""
        return {
            float(found["le"]): value for found, value in self.samples(name + "_bucket", **labels)
        }

    def check(self):
        """What holds in any exposition: HELP and TYPE, unique series, histograms that add up."""
        seen = set()
        for family in self.families.values():
            assert family.documentation, f"{family.name} has no HELP"
            assert family.type != "unknown", f"{family.name} has no TYPE"
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in seen, f"twice: {key}"
                seen.add(key)
            if family.type == "histogram":
                self._check_histogram(family)
        assert self.text.endswith("\n")
        return self

    @staticmethod
    def _check_histogram(family):
        series = {}
        for sample in family.samples:
            labels = dict(sample.labels)
            bound = labels.pop("le", None)
            entry = series.setdefault(tuple(sorted(labels.items())), {"buckets": []})
            if bound is None:
                entry[sample.name.removeprefix(family.name)] = sample.value
            else:
                entry["buckets"].append((float(bound), sample.value))
        for key, entry in series.items():
            bounds = [b for b, _ in entry["buckets"]]
            counts = [c for _, c in entry["buckets"]]
            assert bounds == sorted(set(bounds)) and bounds[-1] == math.inf, (
                f"{family.name} {key}: {bounds}"
            )
            assert counts == sorted(counts), f"{family.name} {key}: not cumulative {counts}"
            assert counts[-1] == entry["_count"], f"{family.name} {key}: +Inf is not _count"
            assert "_sum" in entry, f"{family.name} {key}: no _sum"
