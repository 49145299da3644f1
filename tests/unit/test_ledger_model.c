/*
 * A group of replicas, a broker and its logs in one process, driven at random: rebalances in good
 * order and lost ones, zombies, kills, commits that fail or are answered late, messages delivered
 * again. Whatever happens, every state that anybody holds, commits or shows is the sum of the log
 * up to its offset.
 */
#include "totalizer/ledger.h"

#include "guard.h"

#include <cmocka.h>

enum {
	PARTITIONS = 3,
	REPLICAS = 3,
	MESSAGES = 400,
	STEPS = 60000,
	NOBODY = -1,
	INVALID = -7777,
	MARKER = -8888
};

struct replica {
	struct ledger ledger;
	int64_t shown[PARTITIONS]; /* furthest.next as last seen: must never go back */
	bool holds[PARTITIONS];    /* it believes: a zombie's belief is out of date */
	int64_t position[PARTITIONS];
	bool waiting; /* for the answer to a commit */
	struct state sent[PARTITIONS];
	bool in_flight[PARTITIONS];
};

static struct world {
	int64_t log[PARTITIONS][MESSAGES]; /* INVALID: a message that adds nothing; MARKER: none */
	int64_t ends[PARTITIONS];
	char commit[PARTITIONS][STATE_TEXT];
	int64_t offset[PARTITIONS];
	int owner[PARTITIONS]; /* by the coordinator's word */
	struct replica replicas[REPLICAS];
	int events[9];
} w;

static uint64_t
random_below(uint64_t n)
{
	static uint64_t x = 0x9e3779b97f4a7c15u;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return (x >> 11) % n;
}

/* The truth. */
static struct state
sum_up_to(int32_t p, int64_t next)
{
	struct state s = { .next = next };

	for (int64_t i = 0; i < next; i++) {
		if (w.log[p][i] != INVALID && w.log[p][i] != MARKER) {
			total_add(&s.total, total_of(w.log[p][i]));
			s.count++;
		}
	}
	return s;
}

static struct ledger_commit
committed(int32_t p)
{
	return (struct ledger_commit){ .offset = w.offset[p],
		.metadata = w.offset[p] < 0 ? NULL : w.commit[p],
		.len = w.offset[p] < 0 ? 0 : strlen(w.commit[p]) };
}

static void
check(struct replica *r)
{
	int32_t assigned = 0;

	for (int32_t p = 0; p < PARTITIONS; p++) {
		const struct ledger_partition *it = &r->ledger.at[p];
		struct state truth = sum_up_to(p, it->furthest.next);
		assert_true(state_equal(&it->furthest, &truth));
		assert_true(it->furthest.next >= r->shown[p]);
		r->shown[p] = it->furthest.next;
		assert_int_equal(it->holder == LEDGER_OWNED, r->holds[p]);
		assigned += r->holds[p];
		if (r->holds[p]) {
			truth = sum_up_to(p, it->live.next);
			assert_true(state_equal(&it->live, &truth));
			assert_int_equal(it->live.next, r->position[p]);
		}
	}
	assert_int_equal(r->ledger.owned, assigned);
	assert_int_equal(r->ledger.assigned, assigned);
}

static void
read_one(struct replica *r, int32_t p)
{
	/* Mostly the next message; now and then an earlier one, or one of a partition that is not
	 * ours. */
	int64_t offset = r->position[p] - (int64_t)random_below(4) / 3 * (int64_t)random_below(5);
	enum ledger_place expected = !r->holds[p]              ? LEDGER_NOT_OWNED
				     : offset < r->position[p] ? LEDGER_REPLAY
							       : LEDGER_NEXT;

	if (offset < 0 || offset >= w.ends[p])
		return;
	assert_int_equal(ledger_place(&r->ledger, p, offset), expected);
	if (expected != LEDGER_NEXT)
		return;
	while (offset < w.ends[p] && w.log[p][offset] == MARKER)
		offset++;
	if (offset == w.ends[p]) {
		assert_int_equal(ledger_at_end(&r->ledger, p, offset), LEDGER_FINE);
		r->position[p] = offset;
		return;
	}
	assert_int_equal(w.log[p][offset] == INVALID
			     ? ledger_skip(&r->ledger, p, offset)
			     : ledger_apply(&r->ledger, p, offset, w.log[p][offset]),
	    LEDGER_FINE);
	r->position[p] = offset + 1;
}

static void
send_commit(struct replica *r)
{
	struct state s;

	if (r->waiting)
		return;
	for (int32_t p = 0; ledger_next_commit(&r->ledger, &p, &s); p++) {
		assert_true(p < PARTITIONS && r->holds[p]); /* never for one that is not owned */
		assert_int_equal(s.next, r->position[p]);   /* nor ahead of what was read */
		r->sent[p] = s;
		r->in_flight[p] = r->waiting = true;
	}
}

/* The coordinator takes a commit from the owner alone (a zombie is no member any more), and may
 * fail. */
static void
answer_commit(struct replica *r, int me, bool fail)
{
	for (int32_t p = 0; p < PARTITIONS; p++) {
		if (!r->in_flight[p])
			continue;
		if (fail || w.owner[p] != me) {
			ledger_commit_failed(&r->ledger, p);
		} else {
			struct state truth = sum_up_to(p, r->sent[p].next);
			assert_true(state_equal(&r->sent[p], &truth));
			state_format(&r->sent[p], w.commit[p]);
			w.offset[p] = r->sent[p].next;
			ledger_committed(&r->ledger, p);
		}
		r->in_flight[p] = false;
	}
	r->waiting = false;
}

static void
give_back(struct replica *r, int32_t p)
{
	if (r->holds[p])
		ledger_revoke(&r->ledger, p);
	r->holds[p] = false;
}

static void
take(struct replica *r, int me, int32_t p)
{
	struct ledger_commit commit = committed(p);
	int64_t start;

	w.owner[p] = me;
	give_back(r, p);
	ledger_assign(&r->ledger, p);
	assert_int_equal(ledger_place(&r->ledger, p, 0), LEDGER_NOT_OWNED);
	assert_int_equal(
	    ledger_own(&r->ledger, p, &commit, 0, w.ends[p], false, &start), LEDGER_FINE);
	assert_int_equal(start, w.offset[p] < 0 ? 0 : w.offset[p]);
	r->position[p] = start;
	r->holds[p] = true;
}

/* In good order: the old owner commits and gives back first. Lost: it does not even know, and reads
 * on. */
static void
move(int32_t p, int to, bool lost)
{
	int from = w.owner[p];

	if (from != NOBODY && from != to && !lost) {
		struct replica *r = &w.replicas[from];
		answer_commit(r, from, false);
		send_commit(r);
		answer_commit(r, from, false);
		give_back(r, p);
	}
	take(&w.replicas[to], to, p);
}

static void
kill(struct replica *r, int me)
{
	memset(r, 0, sizeof(*r));
	ledger_init(&r->ledger);
	assert_int_equal(ledger_resize(&r->ledger, PARTITIONS), LEDGER_FINE);
	for (int32_t p = 0; p < PARTITIONS; p++)
		w.owner[p] = w.owner[p] == me ? NOBODY : w.owner[p];
}

static void
refresh(struct replica *r)
{
	for (int32_t p = 0; p < PARTITIONS; p++) {
		struct ledger_commit commit = committed(p);
		assert_int_equal(ledger_see(&r->ledger, p, &commit), LEDGER_FINE);
	}
}

static void
produce(int32_t p)
{
	static const int64_t values[] = { INT64_MIN, INT64_MAX, 0, 1, -1, INVALID, MARKER };

	if (w.ends[p] < MESSAGES)
		w.log[p][w.ends[p]++] =
		    random_below(2) ? (int64_t)random_below(1000) - 500
				    : values[random_below(sizeof(values) / sizeof(values[0]))];
	w.log[p][MESSAGES - 1] = MARKER;
}

/* The broker is back to an earlier commit: a copy of its log that was behind has become the log. */
static void
lose_commit(int32_t p)
{
	struct state s = sum_up_to(p, (int64_t)random_below((uint64_t)w.offset[p]));

	w.offset[p] = s.next;
	state_format(&s, w.commit[p]);
}

static void
step(void)
{
	int me = (int)random_below(REPLICAS);
	int32_t p = (int32_t)random_below(PARTITIONS);
	struct replica *r = &w.replicas[me];
	uint64_t dice = random_below(1000);
	int event = dice < 60    ? 0
		    : dice < 600 ? 1
		    : dice < 750 ? 2
		    : dice < 850 ? 3
		    : dice < 900 ? 4
		    : dice < 940 ? 5
		    : dice < 970 ? 6
		    : dice < 990 ? 7
				 : 8;

	w.events[event]++;
	switch (event) {
	case 0: produce(p); break;
	case 1: read_one(r, p); break;
	case 2: send_commit(r); break;
	case 3: answer_commit(r, me, false); break;
	case 4: answer_commit(r, me, true); break;
	case 5: refresh(r); break;
	case 6: move(p, me, false); break;
	case 7: move(p, me, true); break;
	case 8: kill(r, me); break;
	}
	check(r);
}

static void
test_random_group(void **state)
{
	struct total everything = total_of(0);

	(void)state;
	for (int32_t p = 0; p < PARTITIONS; p++)
		w.offset[p] = -1001, w.owner[p] = NOBODY;
	for (int i = 0; i < REPLICAS; i++)
		kill(&w.replicas[i], i);
	for (int i = 0; i < STEPS; i++)
		step();
	for (int event = 0; event < 9; event++)
		assert_true(w.events[event] > 100);

	/* In the end one of them has it all, and the others see it in its commits. */
	for (int32_t p = 0; p < PARTITIONS; p++) {
		struct state truth = sum_up_to(p, w.ends[p]);
		assert_int_equal(w.ends[p], MESSAGES);
		total_add(&everything, truth.total);
		move(p, 0, false);
		while (w.replicas[0].position[p] < w.ends[p])
			read_one(&w.replicas[0], p);
	}
	answer_commit(&w.replicas[0], 0, true);
	send_commit(&w.replicas[0]);
	answer_commit(&w.replicas[0], 0, false);
	for (int32_t p = 0; p < PARTITIONS; p++)
		assert_int_equal(w.offset[p], MESSAGES); /* the marker at the end, too */
	for (int32_t p = 0; p < PARTITIONS; p++)
		lose_commit(p);
	refresh(&w.replicas[0]); /* its owner sees it, and says it again, */
	send_commit(&w.replicas[0]);
	refresh(&w.replicas[0]);
	assert_false(
	    ledger_next_commit(&w.replicas[0].ledger, &(int32_t){ 0 }, &(struct state){ 0 }));
	answer_commit(&w.replicas[0], 0, false);
	kill(&w.replicas[1], 1); /* so that one without a memory knows it, too */
	for (int i = 0; i < REPLICAS; i++) {
		struct total total;
		int64_t count;
		refresh(&w.replicas[i]);
		assert_int_equal(ledger_grand(&w.replicas[i].ledger, &total, &count), LEDGER_FINE);
		assert_true(total_equal(total, everything));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_group) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
