"""A panel's queries, as Grafana would send them. Standard library only."""

import json

from stack import ROOT

FOLDER = ROOT / "k8s" / "config" / "dashboards"


def queries(name, title, rate_interval="1m", **variables):
    """{legend: PromQL} of the panel with that title in the dashboard file name.json.

    Grafana's variables are filled in: a dashboard's own with their first choice, or with the values
    given here.
    """
    dashboard = json.loads((FOLDER / f"{name}.json").read_text())
    filled = {"__rate_interval": rate_interval, **_defaults(dashboard), **variables}
    (panel,) = [p for p in _panels(dashboard) if p.get("title") == title]
    return {t["legendFormat"]: _fill(t["expr"], filled) for t in panel["targets"]}


def _panels(dashboard):
    """All panels, those in rows too."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


def _defaults(dashboard):
    values = {}
    for variable in dashboard["templating"]["list"]:
        value = variable.get("current", {}).get("value", "")
        values[variable["name"]] = variable["allValue"] if value == "$__all" else value
    return values


def _fill(expression, variables):
    for name in sorted(variables, key=len, reverse=True):
        expression = expression.replace(f"${{{name}}}", variables[name])
        expression = expression.replace(f"${name}", variables[name])
    return expression
