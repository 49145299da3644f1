#include "sidecar/account.h"
#include "sidecar/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct service one, two;

static struct batch *
make(enum target_signal signal, size_t len, uint64_t n1, uint64_t n2)
{
	const struct otlp_share shares[] = { { &one, n1 }, { &two, n2 } };
	char *body = calloc(1, len + 1);
	struct batch *b;

	memset(body, 'x', len);
	b = batch_new(signal, true, body, len, shares, 2, n1 + n2);
	free(body);
	one.ledger.pending += n1;
	two.ledger.pending += n2;
	return b;
}

static void
test_the_body_is_copied_behind_its_headroom(void **state)
{
	struct batch *b = batch_new(TARGET_METRICS, false, "body", 4, NULL, 0, 9);

	(void)state;
	assert_memory_equal(b->bytes + BATCH_HEADROOM, "body", 4);
	assert_int_equal(b->items, 9);
	assert_false(b->in_flight);
	batch_free(b);
	batch_free(NULL);
}

static void
test_exactly_the_limit_fits(void **state)
{
	struct queue q = { .limit = 30 };
	struct batch *a = make(TARGET_TRACES, 10, 0, 0), *b = make(TARGET_TRACES, 20, 0, 0),
		     *c = make(TARGET_TRACES, 1, 0, 0);

	(void)state;
	assert_true(queue_push(&q, a));
	assert_null(queue_evict(&q, 20));
	assert_true(queue_push(&q, b));
	assert_false(queue_push(&q, c));
	assert_ptr_equal(queue_evict(&q, 1), a);
	assert_null(queue_evict(&q, 1));
	assert_true(queue_push(&q, c));
	assert_int_equal(q.bytes, 21);
	assert_int_equal(q.batches, 2);
	queue_remove(&q, c);
	queue_remove(&q, b);
	assert_null(q.first);
	assert_null(q.last);
	assert_int_equal(q.bytes, 0);
	batch_free(a);
	batch_free(b);
	batch_free(c);
}

static void
test_what_is_in_flight_stays(void **state)
{
	struct queue q = { .limit = 30 };
	struct batch *b[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		b[i] = make(i == 1 ? TARGET_METRICS : TARGET_TRACES, 10, 0, 0);
		assert_true(queue_push(&q, b[i]));
	}
	assert_ptr_equal(queue_next(&q, TARGET_TRACES), b[0]);
	b[0]->in_flight = true;
	assert_ptr_equal(queue_next(&q, TARGET_TRACES), b[2]);
	assert_ptr_equal(queue_next(&q, TARGET_METRICS), b[1]);
	assert_ptr_equal(queue_evict(&q, 10), b[1]);
	assert_ptr_equal(queue_evict(&q, 20), b[2]);
	assert_null(queue_evict(&q, 30));
	assert_null(queue_next(&q, TARGET_TRACES));
	b[0]->in_flight = false;
	assert_ptr_equal(queue_next(&q, TARGET_TRACES), b[0]);
	queue_remove(&q, b[0]);
	for (int i = 0; i < 3; i++)
		batch_free(b[i]);
}

/* pending always ends up in exactly one column. */
static void
test_the_ledger_closes(void **state)
{
	struct batch *b;

	(void)state;
	one.ledger = two.ledger = (struct ledger){ 0 };
	b = make(TARGET_TRACES, 1, 5, 7);
	account_taken(b, 0);
	assert_int_equal(one.ledger.acknowledged, 5);
	assert_int_equal(two.ledger.acknowledged, 7);
	batch_free(b);

	b = make(TARGET_TRACES, 1, 5, 7);
	account_taken(b, 8); /* five of the first, three of the second */
	assert_int_equal(one.ledger.acknowledged + two.ledger.acknowledged, 12 + 4);
	assert_int_equal(one.ledger.dropped_rejected + two.ledger.dropped_rejected, 8);
	batch_free(b);

	b = make(TARGET_TRACES, 1, 5, 7);
	account_taken(b, 1000); /* more than there were */
	assert_int_equal(one.ledger.dropped_rejected + two.ledger.dropped_rejected, 20);
	batch_free(b);

	for (int why = ACCOUNT_QUEUE_FULL; why <= ACCOUNT_SHUTDOWN; why++) {
		b = make(TARGET_TRACES, 1, 1, 1);
		account_dropped(b, (enum account_drop)why);
		batch_free(b);
	}
	assert_int_equal(one.ledger.dropped_queue_full, 1);
	assert_int_equal(one.ledger.dropped_transport, 1);
	assert_int_equal(one.ledger.dropped_shutdown, 1);
	assert_int_equal(one.ledger.pending, 0);
	assert_int_equal(two.ledger.pending, 0);
	assert_int_equal(stats.metrics_dropped, 0);
	b = make(TARGET_METRICS, 1, 0, 0);
	account_dropped(b, ACCOUNT_REJECTED);
	assert_int_equal(stats.metrics_dropped, 1);
	batch_free(b);
}

#if !defined(__SANITIZE_ADDRESS__) /* whose heap keeps what is freed */

static long
resident(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0;

	assert_int_equal(fscanf(f, "%*d %ld", &pages), 1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* Though something that stays was made after each of its batches. */
static void
test_memory_of_a_long_queue_goes_back(void **state)
{
	enum { BATCHES = 640, BYTES = 50000, HALF = BATCHES * BYTES / 2 };
	struct queue q = { .limit = SIZE_MAX };
	uint8_t *body = calloc(1, BYTES);
	void *stays[BATCHES];
	long full, empty;

	(void)state;
	for (int i = 0; i < BATCHES; i++) {
		assert_true(
		    queue_push(&q, batch_new(TARGET_TRACES, false, body, BYTES, NULL, 0, 1)));
		stays[i] = malloc(16);
	}
	while (q.first != NULL) {
		struct batch *b = q.first;

		queue_settle(&q); /* not yet empty */
		queue_remove(&q, b);
		batch_free(b);
	}
	full = resident();
	queue_settle(&q);
	empty = resident();
	assert_true(full - empty > HALF);
	assert_int_equal(q.most, 0);
	for (int i = 0; i < BATCHES; i++)
		free(stays[i]);
	free(body);
}

#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_body_is_copied_behind_its_headroom),
		cmocka_unit_test(test_exactly_the_limit_fits),
		cmocka_unit_test(test_what_is_in_flight_stays),
		cmocka_unit_test(test_the_ledger_closes),
#if !defined(__SANITIZE_ADDRESS__)
		cmocka_unit_test(test_memory_of_a_long_queue_goes_back),
#endif
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
