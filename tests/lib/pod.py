"""A pod as the API server shows it: who runs, who has ended and when."""

import json
import re


def status(pod, container):
    """The status of a container, a sidecar's too."""
    statuses = pod["status"].get("initContainerStatuses", []) + pod["status"]["containerStatuses"]
    (found,) = [s for s in statuses if s["name"] == container]
    return found


def restarts(pod, container):
    """How often it was started again."""
    return status(pod, container)["restartCount"]


def last_seen(text):
    """The last of the objects that `kubectl get -o json --watch` has printed so far."""
    decoder = json.JSONDecoder()
    place, found = 0, None
    while place < len(text):
        found, place = decoder.raw_decode(text, place)
        place = re.compile(r"\s*").match(text, place).end()
    return found


def timed(log):
    """`kubectl logs --timestamps` as [(time, line)]; the times are texts that sort."""
    return [tuple(line.split(" ", 1)) for line in log.splitlines()]
