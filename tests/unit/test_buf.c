#include "base/buf.h"

#include "guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const uint8_t blank[32];

/* cap bytes, and a fault behind them. */
static uint8_t *
guarded(size_t cap)
{
	return guard_copy(blank, cap);
}

static void
test_fits_exactly(void **state)
{
	uint8_t *mem = guarded(8);
	struct buf b;

	(void)state;
	buf_init(&b, mem, 8);
	buf_put(&b, "abc", 3);
	buf_put_u8(&b, 'd');
	buf_put_str(&b, "efgh");
	assert_false(b.failed);
	assert_int_equal(b.len, 8);
	assert_memory_equal(mem, "abcdefgh", 8);
	buf_put(&b, "", 0);
	buf_put_str(&b, "");
	assert_false(b.failed);
	buf_put_u8(&b, 'x');
	assert_true(b.failed);
	assert_int_equal(b.len, 8);
	guard_free(mem, 8);
}

/* Every way to write, with room for one byte less than it needs. */
static void
test_overflow_is_sticky(void **state)
{
	(void)state;
	for (int way = 0; way < 4; way++) {
		uint8_t *mem = guarded(4);
		struct buf b;

		buf_init(&b, mem, 4);
		buf_put_str(&b, "ab");
		switch (way) {
		case 0: buf_put(&b, "xyz", 3); break;
		case 1: buf_put_str(&b, "xyz"); break;
		case 2: buf_printf(&b, "%s", "xy"); break; /* two and the NUL */
		case 3:
			buf_put_str(&b, "cd");
			b.len = 4;
			buf_put_u8(&b, 'e');
			b.len = 2;
			break;
		}
		assert_true(b.failed);
		assert_int_equal(b.len, 2);
		buf_put_u8(&b, 'c');
		buf_put(&b, "c", 1);
		buf_put_str(&b, "c");
		buf_printf(&b, "c");
		assert_true(b.failed);
		assert_int_equal(b.len, 2);
		assert_memory_equal(mem, "ab", 2);
		guard_free(mem, 4);
	}
}

static void
test_printf(void **state)
{
	(void)state;
	/* Text of every length against every capacity: it fits when its NUL does too. */
	for (size_t cap = 1; cap < 20; cap++) {
		for (size_t n = 0; n < 24; n++) {
			uint8_t *mem = guarded(cap);
			struct buf b;

			buf_init(&b, mem, cap);
			buf_printf(&b, "%.*s", (int)n, "0123456789abcdefghijklmnop");
			assert_int_equal(b.failed, n >= cap);
			assert_int_equal(b.len, n < cap ? n : 0);
			if (n < cap)
				assert_memory_equal(mem, "0123456789abcdefghijklmnop", n);
			guard_free(mem, cap);
		}
	}
}

static void
test_no_memory(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, NULL, 0);
	buf_put(&b, NULL, 0);
	buf_put_str(&b, "");
	assert_false(b.failed);
	buf_printf(&b, "x");
	assert_true(b.failed);
	assert_int_equal(b.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fits_exactly),
		cmocka_unit_test(test_overflow_is_sticky),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
