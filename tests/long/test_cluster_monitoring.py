"""The overlay monitoring on a real cluster: who is found, and what is seen of it."""

from lib.cluster import MONITORING, SUMS
from lib.wait import wait_for


def ask(cluster, path, **parameters):
    """The data that Prometheus answers with."""
    answer = cluster.ask(MONITORING, "prometheus:http", path, **parameters)
    return answer and answer["data"]


def test_prometheus_finds_the_sidecars_and_the_collectors(sums):
    """Through the API server, by its role; each once, and all of them answer."""
    wanted = [("collector", None, None)] * len(sums.pods(MONITORING, "otel-gateway"))
    for job, space, apps in (
        ("sidecar", SUMS, ("adder", "totalizer")),
        ("backend", MONITORING, ("otel-agent", "otel-gateway")),
    ):
        for app in apps:
            wanted += [(job, space, pod["metadata"]["name"]) for pod in sums.pods(space, app)]
    seen = []

    def all_up():
        targets = ask(sums, "/api/v1/targets")["activeTargets"]
        seen[:] = sorted(
            (labels["job"], labels.get("namespace"), labels.get("pod"))
            for labels in (t["labels"] for t in targets if t["health"] == "up")
        )
        return seen == sorted(wanted)

    wait_for(all_up, lambda: f"{wanted}: {seen}", 60)


def test_prometheus_has_the_alerts_and_alertmanager(sums):
    """The rules are loaded, Alertmanager is known, and nothing is wrong."""
    groups = ask(sums, "/api/v1/rules", type="alert")["groups"]
    assert len([rule for group in groups for rule in group["rules"]]) > 5
    known = ask(sums, "/api/v1/alertmanagers")["activeAlertmanagers"]
    assert [a["url"] for a in known] == ["http://alertmanager:9093/api/v2/alerts"]


def test_prometheus_counts_what_the_pods_do(sums):
    """Messages of totalizer's pod, with the labels that autoscaler and dashboards go by."""
    with sums.load() as counted:
        wait_for(lambda: counted() > 100, "messages to be counted", 60)
    count = sums.results()["count"]
    labels = f'namespace="{SUMS}",pod=~"totalizer-.+",topic="sums"'
    query = f"sum(kafka_messages_consumed_total{{{labels}}})"
    seen = []

    def reached():
        result = ask(sums, "/api/v1/query", query=query)["result"]
        seen[:] = [float(row["value"][1]) for row in result]
        return seen and seen[0] >= count

    wait_for(reached, lambda: f"{query} to be {count}: {seen}", 60)
