#include "sidecar/account.h"
#include "sidecar/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_body_is_copied_behind_its_headroom),
		cmocka_unit_test(test_exactly_the_limit_fits),
		cmocka_unit_test(test_what_is_in_flight_stays),
		cmocka_unit_test(test_the_ledger_closes),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
