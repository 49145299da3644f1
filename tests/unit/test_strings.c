/* Interned strings: definitions, references, and the bound on what definitions take. */
#include "sidecar/strings.h"

#include "sidecar/stat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

static struct strings strings;
static uint32_t ids[16][WIRE_STRING_IDS];
static struct definitions peers[16];

static int
setup(void **state)
{
	void *mem = mmap(NULL, strings_bytes(), PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)state;
	stats = (struct stats){ 0 };
	strings_init(&strings, mem, 3);
	for (int i = 0; i < 16; i++)
		peers[i] = (struct definitions){ .at = ids[i] };
	return 0;
}

static void
test_define(void **state)
{
	struct definitions *d = &peers[0];
	uint32_t number;

	(void)state;
	assert_int_equal(strings_find(d, 0), 0);
	assert_int_equal(strings_define(&strings, d, 4095, TEXT("last")), DEFINE_OK);
	assert_int_equal(strings_define(&strings, d, 0, TEXT("")), DEFINE_OK);
	number = strings_find(d, 4095);
	assert_true(text_same(strings_text(&strings, number), TEXT("last")));
	assert_int_equal(strings_define(&strings, d, 4095, TEXT("last")), DEFINE_OK);
	assert_int_equal(strings_find(d, 4095), number);
	assert_int_equal(strings_define(&strings, d, 4095, TEXT("lost")), DEFINE_OTHER_TEXT);
	assert_int_equal(strings_define(&strings, d, 0, TEXT("x")), DEFINE_OTHER_TEXT);
	assert_int_equal(strings_find(d, 4096), 0);
	assert_int_equal(strings_find(d, UINT32_MAX), 0);
	assert_int_equal(strings_find(&peers[1], 4095), 0);
	assert_int_equal(strings_at(&strings, number)->hash, strings_hash(&strings, TEXT("last")));

	/* It outlives its definition for whoever holds it, and then its room is free. */
	strings_hold(&strings, number);
	strings_forget(&strings, d);
	assert_int_equal(strings_find(d, 4095), 0);
	assert_true(text_same(strings_text(&strings, number), TEXT("last")));
	assert_true(stats.string_bytes > 0);
	strings_drop(&strings, number);
	strings_drop(&strings, 0);
	assert_int_equal(stats.string_bytes, 0);
	assert_int_equal(strings.defined, 0);
}

/* Every length, kept apart from its neighbours. */
static void
test_lengths(void **state)
{
	char text[WIRE_TEXT_MAX];
	uint32_t numbers[2][WIRE_TEXT_MAX + 1];

	(void)state;
	for (int round = 0; round < 2; round++)
		for (uint32_t n = 0; n <= WIRE_TEXT_MAX; n++) {
			memset(text, 'a' + (int)((n + (uint32_t)round) % 26), sizeof(text));
			numbers[round][n] = strings_add(&strings, (struct text){ text, n });
			assert_int_not_equal(numbers[round][n], 0);
		}
	for (int round = 0; round < 2; round++)
		for (uint32_t n = 0; n <= WIRE_TEXT_MAX; n++) {
			memset(text, 'a' + (int)((n + (uint32_t)round) % 26), sizeof(text));
			assert_true(text_same(
			    strings_text(&strings, numbers[round][n]), (struct text){ text, n }));
			strings_drop(&strings, numbers[round][n]);
		}
	assert_int_equal(stats.string_bytes, 0);
}

/* The store is full for definitions, and only for them; what is given back can be used again. */
static void
test_full(void **state)
{
	char text[WIRE_TEXT_MAX] = { 0 };
	struct text longest = { text, sizeof(text) };
	uint32_t n = 0, number;
	unsigned peer = 0;

	(void)state;
	while (strings_define(&strings, &peers[peer], n % WIRE_STRING_IDS, longest) == DEFINE_OK)
		peer = ++n / WIRE_STRING_IDS;
	assert_int_equal(n, LIMIT_STRING_BYTES / 288);
	assert_int_equal(strings_find(&peers[peer], n % WIRE_STRING_IDS), 0);
	/* 64 bytes are left: a shorter one takes them all. */
	assert_int_equal(
	    strings_define(&strings, &peers[peer], WIRE_STRING_IDS - 1, (struct text){ text, 40 }),
	    DEFINE_OK);
	assert_int_equal(strings.defined, LIMIT_STRING_BYTES);
	assert_int_equal(
	    strings_define(&strings, &peers[peer], WIRE_STRING_IDS - 2, TEXT("")), DEFINE_FULL);
	number = strings_add(&strings, longest);
	assert_int_not_equal(number, 0);
	strings_drop(&strings, number);
	strings_forget(&strings, &peers[0]);
	assert_int_equal(strings_define(&strings, &peers[0], 1, longest), DEFINE_OK);
	for (peer = 0; peer < 16; peer++)
		strings_forget(&strings, &peers[peer]);
	assert_int_equal(stats.string_bytes, 0);
	assert_int_equal(strings.defined, 0);
}

/* Whatever definitions take, each open span has room for its own two texts. */
static void
test_spans_have_room(void **state)
{
	char text[WIRE_TEXT_MAX] = { 0 };
	struct text longest = { text, sizeof(text) };
	uint32_t *numbers = calloc(2 * LIMIT_OPEN_SPANS, sizeof(*numbers)), n = 0;

	(void)state;
	while (strings_define(&strings, &peers[n / WIRE_STRING_IDS], n % WIRE_STRING_IDS,
		   longest) == DEFINE_OK)
		n++;
	for (uint32_t i = 0; i < 2 * LIMIT_OPEN_SPANS; i++) {
		numbers[i] = strings_add(&strings, longest);
		assert_int_not_equal(numbers[i], 0);
	}
	for (uint32_t i = 0; i < 2 * LIMIT_OPEN_SPANS; i++)
		strings_drop(&strings, numbers[i]);
	for (unsigned peer = 0; peer < 16; peer++)
		strings_forget(&strings, &peers[peer]);
	free(numbers);
	assert_int_equal(stats.string_bytes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_define),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_spans_have_room),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
