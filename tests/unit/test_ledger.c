/* ledger.h, rule by rule: who may apply, what is committed, what ends a replica. */
#include "totalizer/ledger.h"

#include "guard.h"

#include <cmocka.h>

static struct ledger l; /* a few hundred KB: not for the stack */

static const struct ledger_commit none = { .offset = -1001 };

static int
fresh(void **unused)
{
	(void)unused;
	ledger_init(&l);
	assert_int_equal(ledger_resize(&l, 4), LEDGER_FINE);
	return 0;
}

/* A commit as the broker would give it back; the text lives until the next call. */
static struct ledger_commit
commit_of(int64_t next, int64_t count, int64_t total)
{
	static char text[STATE_TEXT];
	struct state s = { .next = next, .count = count, .total = total_of(total) };

	return (struct ledger_commit){
		.offset = next, .metadata = text, .len = state_format(&s, text)
	};
}

static enum ledger_verdict
own(int32_t p, const struct ledger_commit *commit, int64_t low, int64_t high)
{
	int64_t start = -1;
	enum ledger_verdict verdict;

	ledger_assign(&l, p);
	verdict = ledger_own(&l, p, commit, low, high, false, &start);
	if (verdict == LEDGER_FINE)
		assert_int_equal(start, commit->offset < 0 ? 0 : commit->offset);
	return verdict;
}

static void
expect_grand(int64_t total, int64_t count)
{
	struct total t;
	int64_t n;

	assert_int_equal(ledger_grand(&l, &t, &n), LEDGER_FINE);
	assert_true(total_equal(t, total_of(total)));
	assert_int_equal(n, count);
}

static bool
next_commit(int32_t *p, struct state *s)
{
	*p = 0;
	return ledger_next_commit(&l, p, s);
}

static void
test_nothing_before_owning(void **unused)
{
	struct state s;
	int32_t p;

	(void)unused;
	assert_int_equal(ledger_place(&l, 0, 0), LEDGER_NOT_OWNED);
	ledger_assign(&l, 0);
	assert_int_equal(l.assigned, 1);
	assert_int_equal(ledger_place(&l, 0, 0), LEDGER_NOT_OWNED);
	assert_false(next_commit(&p, &s));
	assert_int_equal(own(0, &none, 0, 5), LEDGER_FINE);
	assert_int_equal(l.owned, 1);
	assert_int_equal(ledger_place(&l, 0, 0), LEDGER_NEXT);
	assert_int_equal(ledger_place(&l, 1, 0), LEDGER_NOT_OWNED);
	assert_int_equal(ledger_place(&l, -1, 0), LEDGER_NOT_OWNED);
	assert_int_equal(ledger_place(&l, LEDGER_PARTITIONS - 1, 0), LEDGER_NOT_OWNED);
	assert_int_equal(ledger_place(&l, LEDGER_PARTITIONS, 0), LEDGER_NOT_OWNED);
}

static void
test_apply_skip_and_replay(void **unused)
{
	(void)unused;
	assert_int_equal(own(0, &none, 0, 50), LEDGER_FINE);
	assert_int_equal(ledger_apply(&l, 0, 0, INT64_MAX), LEDGER_FINE);
	assert_int_equal(ledger_skip(&l, 0, 1), LEDGER_FINE);
	assert_int_equal(ledger_place(&l, 0, 0), LEDGER_REPLAY);
	assert_int_equal(ledger_place(&l, 0, 1), LEDGER_REPLAY);
	assert_int_equal(ledger_place(&l, 0, 2), LEDGER_NEXT);
	assert_int_equal(ledger_place(&l, 0, 7), LEDGER_NEXT); /* compaction leaves holes */
	assert_int_equal(ledger_apply(&l, 0, 7, -1), LEDGER_FINE);
	expect_grand(INT64_MAX - 1, 2);
	assert_int_equal(l.at[0].live.next, 8);
	assert_int_equal(l.uncommitted, 3);
}

static void
test_commit_cycle(void **unused)
{
	struct state s;
	int32_t p;

	(void)unused;
	assert_int_equal(own(2, &none, 0, 50), LEDGER_FINE);
	assert_false(next_commit(&p, &s)); /* nothing to say yet */
	ledger_apply(&l, 2, 0, 5);
	assert_true(next_commit(&p, &s));
	assert_int_equal(p, 2);
	assert_int_equal(s.next, 1);
	p++;
	assert_false(ledger_next_commit(&l, &p, &s));
	assert_int_equal(l.uncommitted, 0);
	ledger_apply(&l, 2, 1, 6); /* while it is on its way */
	ledger_committed(&l, 2);
	assert_true(next_commit(&p, &s)); /* the newer state still has to go */
	assert_int_equal(s.next, 2);
	ledger_commit_failed(&l, 2);
	assert_true(next_commit(&p, &s)); /* and goes again after a failure */
	assert_int_equal(s.next, 2);
	ledger_committed(&l, 2);
	assert_false(next_commit(&p, &s));
}

static void
test_revoked_while_committing(void **unused)
{
	struct ledger_commit commit;
	struct state s;
	int32_t p;

	(void)unused;
	assert_int_equal(own(0, &none, 0, 50), LEDGER_FINE);
	ledger_apply(&l, 0, 0, 5);
	assert_true(next_commit(&p, &s));
	ledger_revoke(&l, 0);
	assert_int_equal(l.assigned + l.owned, 0);
	ledger_commit_failed(&l, 0); /* the answer comes late: it makes nothing dirty */
	assert_false(next_commit(&p, &s));
	commit = commit_of(1, 1, 5);
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_FINE);
	ledger_commit_failed(&l, 0);
	assert_false(next_commit(&p, &s));
	expect_grand(5, 1);
}

/* What was read before the assignment was lost stays true of the log: the total does not go back
 * while it is read again. */
static void
test_lost_assignment(void **unused)
{
	struct ledger_commit commit = commit_of(2, 2, 30);

	(void)unused;
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_FINE);
	ledger_apply(&l, 0, 2, 4);
	ledger_apply(&l, 0, 3, 4);
	ledger_revoke(&l, 0);
	expect_grand(38, 4);
	commit = commit_of(2, 2, 30);
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_FINE);
	assert_int_equal(ledger_place(&l, 0, 2), LEDGER_NEXT);
	ledger_apply(&l, 0, 2, 4);
	expect_grand(38, 4);
	ledger_apply(&l, 0, 3, 4);
	expect_grand(38, 4);
	ledger_apply(&l, 0, 4, 2);
	expect_grand(40, 5);
}

static void
test_diverged(void **unused)
{
	struct ledger_commit commit = commit_of(2, 2, 30);

	(void)unused;
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_FINE);
	ledger_apply(&l, 0, 2, 4);
	ledger_revoke(&l, 0);
	commit = commit_of(2, 2, 30);
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_FINE);
	assert_int_equal(ledger_apply(&l, 0, 2, 5), LEDGER_DIVERGED); /* 4 stood there */
	commit = commit_of(3, 3, 33);
	assert_int_equal(ledger_see(&l, 0, &commit), LEDGER_DIVERGED);
	commit = commit_of(3, 2, 34);
	assert_int_equal(ledger_see(&l, 0, &commit), LEDGER_DIVERGED);
	commit = commit_of(3, 3, 34);
	assert_int_equal(ledger_see(&l, 0, &commit), LEDGER_FINE);
}

static void
test_others_commits(void **unused)
{
	struct ledger_commit commit = commit_of(10, 9, -100);

	(void)unused;
	assert_int_equal(ledger_see(&l, 3, &none), LEDGER_FINE);
	expect_grand(0, 0);
	assert_int_equal(ledger_see(&l, 3, &commit), LEDGER_FINE);
	expect_grand(-100, 9);
	commit = commit_of(8, 7, -80); /* a late one of a former owner */
	assert_int_equal(ledger_see(&l, 3, &commit), LEDGER_FINE);
	expect_grand(-100, 9);
	assert_int_equal(ledger_see(&l, 3, &none), LEDGER_VANISHED);
	ledger_assign(&l, 3);
	assert_int_equal(own(3, &none, 0, 50), LEDGER_VANISHED);
}

static void
test_vanished_after_own_commit(void **unused)
{
	struct state s;
	int32_t p;

	(void)unused;
	assert_int_equal(own(0, &none, 0, 50), LEDGER_FINE);
	ledger_apply(&l, 0, 0, 5);
	assert_int_equal(ledger_see(&l, 0, &none), LEDGER_FINE); /* not committed yet */
	assert_true(next_commit(&p, &s));
	assert_int_equal(ledger_see(&l, 0, &none), LEDGER_FINE); /* not known to be */
	ledger_committed(&l, 0);
	assert_int_equal(ledger_see(&l, 0, &none), LEDGER_VANISHED);
}

static void
test_unreadable(void **unused)
{
	struct ledger_commit commit = { .offset = 7 };

	(void)unused;
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_UNREADABLE);
	commit = (struct ledger_commit){ .offset = 7, .metadata = "", .len = 0 };
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_UNREADABLE);
	commit = (struct ledger_commit){ .offset = 7, .metadata = "v1 30 2", .len = 7 };
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_UNREADABLE);
	assert_int_equal(ledger_see(&l, 1, &commit), LEDGER_UNREADABLE);
	commit = commit_of(7, 2, 30);
	commit.offset = 6;
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_UNREADABLE);
	assert_int_equal(l.owned, 0);
	expect_grand(0, 0);
}

static void
test_log_ends(void **unused)
{
	struct ledger_commit commit = commit_of(10, 10, 55);

	(void)unused;
	assert_int_equal(own(0, &commit, 0, 9), LEDGER_SHORT);
	assert_int_equal(own(0, &commit, 11, 20), LEDGER_GAP);
	assert_int_equal(own(1, &none, 1, 20), LEDGER_GAP);
	assert_int_equal(l.owned, 0);
	assert_int_equal(own(0, &commit, 10, 10), LEDGER_FINE); /* both ends at N */
	assert_int_equal(own(1, &none, 0, 0), LEDGER_FINE);
	assert_int_equal(ledger_check(&l, 0, 10, 10), LEDGER_FINE);
	assert_int_equal(ledger_check(&l, 0, 11, 12), LEDGER_GAP);
	assert_int_equal(ledger_check(&l, 0, 0, 9), LEDGER_SHORT);
	assert_int_equal(ledger_check(&l, 2, 99, 99), LEDGER_FINE); /* not ours to judge */
	ledger_apply(&l, 0, 10, 1);
	ledger_revoke(&l, 0);
	commit = commit_of(10, 10, 55);
	assert_int_equal(own(0, &commit, 0, 10), LEDGER_SHORT); /* 11 were read once */
}

static void
test_accepted_gap(void **unused)
{
	struct ledger_commit commit = commit_of(10, 10, 55);
	struct state s;
	int64_t start;
	int32_t p;

	(void)unused;
	assert_int_equal(own(0, &commit, 0, 20), LEDGER_FINE);
	for (int64_t offset = 10; offset < 15; offset++)
		ledger_apply(&l, 0, offset, 1);
	ledger_revoke(&l, 0);
	ledger_assign(&l, 0);
	commit = commit_of(10, 10, 55);
	assert_int_equal(ledger_own(&l, 0, &commit, 12, 20, true, &start), LEDGER_FINE);
	assert_int_equal(start, 12);
	assert_true(next_commit(&p, &s)); /* said at once, not with the next message */
	assert_int_equal(s.next, 12);
	assert_int_equal(s.count, 10);
	for (int64_t offset = 12; offset < 20; offset++)
		assert_int_equal(ledger_apply(&l, 0, offset, 1), LEDGER_FINE);
	expect_grand(63, 18);
	/* Without a gap the permission changes nothing. */
	ledger_assign(&l, 1);
	assert_int_equal(ledger_own(&l, 1, &none, 0, 5, true, &start), LEDGER_FINE);
	assert_int_equal(start, 0);
	assert_false(l.at[1].dirty);
}

/* Retention overtakes the owner, while its last commit is on its way. */
static void
test_jump(void **unused)
{
	struct ledger_commit commit = commit_of(10, 10, 55);
	struct state s;
	int32_t p;

	(void)unused;
	assert_int_equal(ledger_see(&l, 0, &commit), LEDGER_FINE);
	assert_int_equal(own(0, &commit, 0, 20), LEDGER_FINE);
	ledger_apply(&l, 0, 10, 5);
	assert_true(next_commit(&p, &s));
	assert_int_equal(ledger_check(&l, 0, 30, 40), LEDGER_GAP);
	ledger_jump(&l, 0, 30);
	assert_int_equal(ledger_check(&l, 0, 30, 40), LEDGER_FINE);
	assert_int_equal(l.owned, 1);
	expect_grand(60, 11); /* what was added stays */
	ledger_committed(&l, 0);
	assert_true(next_commit(&p, &s)); /* said at once, not with the next message */
	assert_int_equal(s.next, 30);
	assert_int_equal(s.count, 11);
	assert_int_equal(ledger_place(&l, 0, 29), LEDGER_REPLAY);
	assert_int_equal(ledger_apply(&l, 0, 30, 1), LEDGER_FINE);
	expect_grand(61, 12);
}

static void
test_resize(void **unused)
{
	struct ledger_commit commit = commit_of(1, 1, 5);

	(void)unused;
	assert_int_equal(ledger_resize(&l, 3), LEDGER_FINE); /* nothing was in the fourth */
	assert_int_equal(ledger_resize(&l, LEDGER_PARTITIONS), LEDGER_FINE);
	assert_int_equal(ledger_see(&l, LEDGER_PARTITIONS - 1, &commit), LEDGER_FINE);
	expect_grand(5, 1);
	assert_int_equal(ledger_resize(&l, LEDGER_PARTITIONS - 1), LEDGER_VANISHED);
	expect_grand(5, 1);
}

static void
test_overflow(void **unused)
{
	struct state s = { .next = 9, .count = 1, .total = { INT64_MAX, UINT64_MAX } };
	char text[STATE_TEXT];
	struct ledger_commit commit = {
		.offset = 9, .metadata = text, .len = state_format(&s, text)
	};
	struct total t;
	int64_t n;

	(void)unused;
	assert_int_equal(own(0, &commit, 0, 50), LEDGER_FINE);
	assert_int_equal(ledger_apply(&l, 0, 9, 1), LEDGER_OVERFLOW);
	assert_int_equal(l.at[0].live.next, 9);
	assert_int_equal(l.at[0].live.count, 1);
	assert_int_equal(ledger_see(&l, 1, &commit), LEDGER_FINE);
	assert_int_equal(ledger_grand(&l, &t, &n), LEDGER_OVERFLOW);
}

static void
test_twice(void **unused)
{
	(void)unused;
	ledger_revoke(&l, 0);
	assert_int_equal(l.assigned, 0);
	ledger_assign(&l, 0);
	ledger_assign(&l, 0);
	assert_int_equal(l.assigned, 1);
	assert_int_equal(own(0, &none, 0, 1), LEDGER_FINE);
	assert_int_equal(own(0, &none, 0, 1), LEDGER_FINE);
	assert_int_equal(l.owned, 1);
	ledger_revoke(&l, 0);
	ledger_revoke(&l, 0);
	assert_int_equal(l.assigned + l.owned, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_before_owning, fresh),
		cmocka_unit_test_setup(test_apply_skip_and_replay, fresh),
		cmocka_unit_test_setup(test_commit_cycle, fresh),
		cmocka_unit_test_setup(test_revoked_while_committing, fresh),
		cmocka_unit_test_setup(test_lost_assignment, fresh),
		cmocka_unit_test_setup(test_diverged, fresh),
		cmocka_unit_test_setup(test_others_commits, fresh),
		cmocka_unit_test_setup(test_vanished_after_own_commit, fresh),
		cmocka_unit_test_setup(test_unreadable, fresh),
		cmocka_unit_test_setup(test_log_ends, fresh),
		cmocka_unit_test_setup(test_accepted_gap, fresh),
		cmocka_unit_test_setup(test_jump, fresh),
		cmocka_unit_test_setup(test_resize, fresh),
		cmocka_unit_test_setup(test_overflow, fresh),
		cmocka_unit_test_setup(test_twice, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
