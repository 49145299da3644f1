"""Sums in a topic: a number of them, ever more of them, and what a group's commits make of them."""

import random
import re
import threading

from lib.wait import wait_for

STATE = re.compile(r"totalizer/1 next=(\d+) count=(\d+) total=(-?\d+);")


def any_int64(seed=1):
    """Endless sums, many of them at the ends of the range."""
    source = random.Random(seed)
    while True:
        yield source.choice([-(2**63), 2**63 - 1, source.randint(-(2**63), 2**63 - 1), 7, -1, 0])


def fill(kafka, count, seed=1):
    """So many messages over all partitions."""
    for number, value in zip(range(count), any_int64(seed)):
        kafka.send_sum(value, number % kafka.partitions)
    kafka.flush()


class Load(threading.Thread):
    """Appends sums until it is stopped."""

    def __init__(self, kafka):
        super().__init__()
        self.kafka, self._over = kafka, threading.Event()

    def run(self):
        for number, value in enumerate(any_int64(3)):
            if self._over.wait(0.001):
                return
            self.kafka.send_sum(value, number % self.kafka.partitions)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join()
        self.kafka.flush()
        return False

    def wait_more(self, messages):
        """Wait until so many more were appended."""
        goal = self.kafka.count + messages
        wait_for(lambda: self.kafka.count >= goal, f"{messages} more messages", 60)


def assert_committed(kafka, total, count):
    """Every commit carries a state, and together they are the total."""
    states = [STATE.fullmatch(metadata) for _, metadata in kafka.committed().values()]
    assert all(states), kafka.committed()
    assert sum(int(s[2]) for s in states) == count
    assert sum(int(s[3]) for s in states) == total
    for offset, metadata in kafka.committed().values():
        assert int(STATE.fullmatch(metadata)[1]) == offset
