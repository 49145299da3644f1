/* replica.h: which troubles the log tells, and when. */
#include "totalizer/replica.h"

#include "capture.h"
#include "guard.h"
#include "sidecar_spy.h"

#include <cmocka.h>

static struct replica r; /* a few hundred KB: not for the stack */
static struct capture told;

static int
setup(void **unused)
{
	(void)unused;
	memset(&spy, 0, sizeof(spy));
	replica_init(&r, "sums", "totalizer", false, NULL, results_new());
	return r.results ? 0 : -1;
}

static int
teardown(void **unused)
{
	(void)unused;
	results_free(r.results);
	return 0;
}

static void
trouble(void)
{
	replica_trouble(&r, "_TRANSPORT", NULL, "no broker");
}

static bool
tells(void (*what)(void))
{
	capture_start(&told);
	what();
	capture_stop(&told);
	return told.err[0] != '\0';
}

static void
recover(void)
{
	replica_recovered(&r);
}

/* So many seconds pass. */
static void
pass(uint64_t seconds)
{
	r.told_at.ns -= seconds * CLOCK_SECOND;
}

static void
test_once_until_it_is_over(void **unused)
{
	(void)unused;
	assert_false(tells(recover));
	assert_true(tells(trouble));
	assert_non_null(
	    strstr(told.err, "event=kafka_trouble error=_TRANSPORT text=\"no broker\""));
	for (int i = 0; i < 3; i++, pass(5))
		assert_false(tells(trouble));
	assert_string_equal(r.view.reason, "_TRANSPORT: no broker");
	assert_true(tells(recover));
	assert_non_null(strstr(told.err, "event=kafka_recovered"));
	assert_string_equal(r.view.reason, "");
	assert_false(tells(recover));
	assert_true(tells(trouble));
	assert_int_equal(spy.errors, 5); /* counted each time */
}

/* What comes and goes is told at most every ten seconds, and what stays is told in the end. */
static void
test_again_too_soon(void **unused)
{
	(void)unused;
	assert_true(tells(trouble));
	assert_true(tells(recover));
	pass(9);
	assert_false(tells(trouble));
	assert_false(tells(recover)); /* of what was never told */
	assert_false(tells(trouble));
	pass(1);
	assert_true(tells(trouble)); /* it is still there */
	assert_false(tells(trouble));
	assert_true(tells(recover));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once_until_it_is_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_again_too_soon, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
