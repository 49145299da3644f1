/* lag.h: which end of the log counts, and what is said of the time. */
#include "totalizer/lag.h"

#include "guard.h"

#include <cmocka.h>

static const struct wall answered = { 9000 };

static void
expect(struct lag *l, int64_t watermark, int64_t messages, uint64_t as_of)
{
	struct lag_report r = lag_report(l, watermark, answered);

	assert_int_equal(r.messages, messages);
	assert_int_equal(r.as_of.ns, as_of);
}

static void
test_before_the_first_delivery(void **state)
{
	struct lag l;

	(void)state;
	lag_start(&l, 10, 25);
	expect(&l, -1, 15, 0);
	expect(&l, 12, 15, 0); /* a watermark from an earlier assignment */
	lag_start(&l, 10, 10);
	expect(&l, 900, 0, 9000);
}

static void
test_while_reading(void **state)
{
	struct lag l;

	(void)state;
	lag_start(&l, 10, 25);
	lag_read(&l, 10, (struct wall){ 500 });
	expect(&l, 30, 19, 500);
	lag_read(&l, 11, (struct wall){ 0 }); /* does not say when: what is known stays */
	expect(&l, 30, 18, 500);
	lag_read(&l, 29, (struct wall){ 700 });
	expect(&l, 30, 0, 9000);
	expect(&l, -1, 0, 9000); /* no watermark: the last one holds */
	expect(&l, 31, 1, 700);
}

static void
test_end_without_messages(void **state)
{
	struct lag l;

	(void)state;
	lag_start(&l, 10, 13);
	lag_read(&l, 10, (struct wall){ 500 });
	lag_at_end(&l, 13); /* two control records: nothing to read, nothing behind */
	expect(&l, 13, 0, 9000);
	lag_at_end(&l, 11); /* an older end does not move it back */
	expect(&l, 13, 0, 9000);
	lag_read(&l, 13, (struct wall){ 600 });
	expect(&l, 15, 1, 600);
}

static void
test_a_watermark_behind(void **state)
{
	struct lag l;

	(void)state;
	lag_start(&l, 10, 10);
	lag_read(&l, 10, (struct wall){ 500 });
	expect(
	    &l, 5, 0, 9000); /* never negative: the ledger has the last word on a log that shrank */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_the_first_delivery),
		cmocka_unit_test(test_while_reading),
		cmocka_unit_test(test_end_without_messages),
		cmocka_unit_test(test_a_watermark_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
