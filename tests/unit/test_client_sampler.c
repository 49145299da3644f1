/* sampler: every name, every bad argument, and a ratio that is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/random.h"
#include "client/sampler.h"

#define ALL   UINT64_C(0)
#define NEVER (UINT64_C(1) << 56)

static void
table(void **state)
{
	static const struct {
		const char *name, *argument;
		bool parent_based;
		uint64_t threshold;
		unsigned ignored;
	} rows[] = {
		{ NULL, NULL, true, ALL, 0 },
		{ "", NULL, true, ALL, 0 },
		{ NULL, "0.5", true, ALL, 0 }, /* used only if the sampler is set */
		{ "always_on", NULL, false, ALL, 0 },
		{ "ALWAYS_ON", NULL, false, ALL, 0 },
		{ "always_off", NULL, false, NEVER, 0 },
		{ "parentbased_always_on", NULL, true, ALL, 0 },
		{ "parentbased_always_off", NULL, true, NEVER, 0 },
		{ "ParentBased_Always_Off", "7", true, NEVER, 0 },
		{ "traceidratio", NULL, false, ALL, 0 },
		{ "traceidratio", "", false, ALL, 0 },
		{ "traceidratio", "1", false, ALL, 0 },
		{ "traceidratio", "0", false, NEVER, 0 },
		{ "traceidratio", "0.25", false, UINT64_C(0xc0000000000000), 0 },
		{ "traceidratio", "2.5e-1", false, UINT64_C(0xc0000000000000), 0 },
		{ "parentbased_traceidratio", "0.5", true, UINT64_C(0x80000000000000), 0 },
		{ "traceidratio", "1.01", false, ALL, 1 },
		{ "traceidratio", "-0.1", false, ALL, 1 },
		{ "traceidratio", "nan", false, ALL, 1 },
		{ "traceidratio", "0.5x", false, ALL, 1 },
		{ "traceidratio", "half", false, ALL, 1 },
		{ "traceidratio", "0,5", false, ALL, 1 },
		{ "jaeger_remote", "x", true, ALL, 1 },
		{ "parentbased_", NULL, true, ALL, 1 },
		{ "sometimes", NULL, true, ALL, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sampler s;

		assert_int_equal(sampler_init(&s, rows[i].name, rows[i].argument), rows[i].ignored);
		assert_int_equal(s.parent_based, rows[i].parent_based);
		assert_true(s.threshold == rows[i].threshold);
	}
}

static void
one_text(void **state)
{
	struct sampler s;

	(void)state;
	assert_int_equal(sampler_init_text(&s, "traceidratio=0.5"), 0);
	assert_true(s.threshold == UINT64_C(0x80000000000000) && !s.parent_based);
	assert_int_equal(sampler_init_text(&s, "always_off"), 0);
	assert_true(s.threshold == NEVER);
	assert_int_equal(sampler_init_text(&s, "traceidratio=much"), 1);
	assert_int_equal(sampler_init_text(&s, ""), 0);
	assert_true(s.threshold == ALL && s.parent_based);
}

static void
takes_by_the_last_56_bits(void **state)
{
	struct sampler s;
	struct random r = { { 1, 2, 3, 4 } };
	int taken = 0;

	(void)state;
	sampler_init(&s, "always_off", NULL);
	assert_false(sampler_takes(&s, UINT64_MAX));
	sampler_init(&s, "traceidratio", "0.5");
	assert_false(sampler_takes(&s, UINT64_C(0xff7fffffffffffff)));
	assert_true(sampler_takes(&s, UINT64_C(0x0080000000000000)));
	sampler_init(&s, "traceidratio", "0.1");
	for (int i = 0; i < 100000; i++)
		taken += sampler_takes(&s, random_next(&r));
	assert_in_range(taken, 9600, 10400); /* four standard deviations */
	sampler_init(&s, NULL, NULL);
	assert_true(sampler_takes(&s, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(one_text),
		cmocka_unit_test(takes_by_the_last_56_bits),
	};

	return cmocka_run_group_tests_name("client_sampler", tests, NULL, NULL);
}
