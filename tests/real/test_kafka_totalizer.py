"""What tests/e2e asks of totalizer, on Apache Kafka: the same tests, their broker another one."""

import pytest
from test_totalizer import (  # noqa: F401  pylint: disable=unused-import
    PARTITIONS,
    test_broker_paused_and_continued,
    test_commit_beyond_the_end,
    test_commits_while_running,
    test_empty_topic_is_zero,
    test_exact_total_over_all_partitions,
    test_groups_are_apart,
    test_killed_and_started_again,
    test_replica_without_partitions_is_healthy,
    test_replicas_join_and_leave_under_load,
    test_stopped_and_started_again_reads_nothing_twice,
    test_stopped_replica_continues_as_a_zombie,
    test_unreadable_metadata,
)

from lib import topics
from lib.parts import Kafka


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """One for all of them; the sessions of BRIEF are shorter than it would allow by itself."""
    folder = tmp_path_factory.mktemp("kafka")
    with Kafka(folder, "group.min.session.timeout.ms=1000", partitions=0) as running:
        yield running


@pytest.fixture
def kafka(broker):
    return topics.sums(broker.address, PARTITIONS)
