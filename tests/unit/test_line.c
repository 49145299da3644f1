/* line.h: JSON that jansson reads back, whatever the text, wherever it is cut. */
#include "base/line.h"

#include "guard.h"

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>

enum { ROOM = 4096 };

static void
test_quote(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "plain", "plain" },
		{ "a/b:c,d%20", "a/b:c,d%20" },
		{ "", "\"\"" },
		{ "12", "\"12\"" },
		{ "-0.5", "\"-0.5\"" },
		{ "0.5s", "0.5s" },
		{ "a b", "\"a b\"" },
		{ "k=v", "\"k=v\"" },
		{ "say \"hi\"", "\"say \\\"hi\\\"\"" },
		{ "back\\slash", "\"back\\\\slash\"" },
		{ "a\nb\tc\rd", "\"a\\nb\\tc\\x0dd\"" },
		{ "\x1b[31m", "\"\\x1b[31m\"" },
		{ "\x7f", "\"\\x7f\"" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xe2\x82\xac\xf0\x9f\x90\xa7", "\xe2\x82\xac\xf0\x9f\x90\xa7" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "\xff", "\"\\xff\"" },
		{ "\xc3", "\"\\xc3\"" },
		{ "\xc3(", "\"\\xc3(\"" },
		{ "\xc0\xaf", "\"\\xc0\\xaf\"" },
		{ "\xc2\x85", "\"\\xc2\\x85\"" },
		{ "\xe0\x80\xaf", "\"\\xe0\\x80\\xaf\"" },
		{ "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"" },
		{ "\xf0\x80\x80\xaf", "\"\\xf0\\x80\\x80\\xaf\"" },
		{ "\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *in = guard_copy(cases[i].in, strlen(cases[i].in)), mem[128];
		struct buf b;

		buf_init(&b, mem, sizeof(mem));
		line_quote(&b, in, strlen(cases[i].in), false);
		buf_put_u8(&b, '\0');
		assert_string_equal(mem, cases[i].out);
		guard_free(in, strlen(cases[i].in));
	}
}

/* The object that the text becomes, in cap bytes; a new reference. */
static json_t *
parse(const void *text, size_t n, bool cut, size_t cap)
{
	char *pairs = guard_copy(text, n);
	char *out = guard_copy((char[ROOM]){ 0 }, cap);
	struct line line;
	json_error_t error;
	json_t *object;
	size_t len;

	line_begin(&line, out, cap);
	line_pairs(&line, pairs, n, cut);
	len = line_end(&line);
	assert_in_range(len, 2, cap);
	assert_false(line.out.failed);
	object = json_loadb(out, len, 0, &error);
	if (object == NULL)
		fail_msg("%s: %.*s", error.text, (int)len, out);
	assert_null(memchr(out, '\n', len));
	guard_free(pairs, n);
	guard_free(out, cap);
	return object;
}

static void
test_pairs(void **state)
{
	static const struct {
		const char *text, *json;
	} rows[] = {
		{ "", "{}" },
		{ "a=b", "{\"a\":\"b\"}" },
		{ "a=b c=d", "{\"a\":\"b\",\"c\":\"d\"}" },
		{ "  a=b   c=d  ", "{\"a\":\"b\",\"c\":\"d\"}" },
		{ "a=", "{\"a\":\"\"}" },
		{ "a= b=", "{\"a\":\"\",\"b\":\"\"}" },
		{ "a=b=c", "{\"a\":\"b=c\"}" },
		{ "A-z_0.9=x", "{\"A-z_0.9\":\"x\"}" },
		/* quoted */
		{ "a=\"\"", "{\"a\":\"\"}" },
		{ "a=\"b c=d\" e=f", "{\"a\":\"b c=d\",\"e\":\"f\"}" },
		{ "a=\"say \\\"hi\\\"\"", "{\"a\":\"say \\\"hi\\\"\"}" },
		{ "a=\"back\\\\slash\"", "{\"a\":\"back\\\\slash\"}" },
		{ "a=\"\\n\\t\\x0d\\x1b\\x7f\"", "{\"a\":\"\\n\\t\\r\\u001b\\u007f\"}" },
		{ "a=\"\\xc2\\x85\"", "{\"a\":\"\\u0085\"}" },
		{ "a=\"\\xff\\xc3(\"", "{\"a\":\"\\ufffd\\ufffd(\"}" },
		{ "a=\"\\xe0\\x80\\xaf\"", "{\"a\":\"\\ufffd\\ufffd\\ufffd\"}" },
		{ "a=\"\\x00\"", "{\"a\":\"\\ufffd\"}" },
		{ "a=\"\\xzz\\q\"", "{\"a\":\"xzzq\"}" },
		/* what no call site should write, but nothing of it may be lost */
		{ "a=\"open", "{\"a\":\"open\"}" },
		{ "a=\"open\\", "{\"a\":\"open\\\\\"}" },
		{ "a=\"b\"c d=e", "{\"a\":\"b\",\"rest\":\"c\",\"d\":\"e\"}" },
		{ "a=No such file or directory b=1",
		    "{\"a\":\"No such file or directory\",\"b\":1}" },
		{ "just words", "{\"rest\":\"just words\"}" },
		{ "=x", "{\"rest\":\"=x\"}" },
		{ "a=b\\x41\"c\"", "{\"a\":\"b\\\\x41\\\"c\\\"\"}" },
		{ "a=b\nc\x01\x7f", "{\"a\":\"b\\nc\\u0001\\u007f\"}" },
		{ "a=\xff\xe2\x82\xac\xc3", "{\"a\":\"\\ufffd\\u20ac\\ufffd\"}" },
		{ "a=gr\xc3\xbc\xf0\x9f\x90\xa7", "{\"a\":\"gr\\u00fc\\ud83d\\udc27\"}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *is = parse(rows[i].text, strlen(rows[i].text), false, 512);
		json_t *should = json_loads(rows[i].json, 0, NULL);

		assert_non_null(should);
		if (!json_equal(is, should))
			fail_msg("%s became %s", rows[i].text, json_dumps(is, 0));
		json_decref(is);
		json_decref(should);
	}
}

/* Numbers are numbers in their one usual form, and only bare ones. */
static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool number;
	} rows[] = {
		{ "0", true },
		{ "7", true },
		{ "-1", true },
		{ "0.0", true },
		{ "-0.5", true },
		{ "10.250", true },
		{ "9223372036854775807", true },
		{ "-9223372036854775808", true },
		{ "9223372036854775808", false },
		{ "-9223372036854775809", false },
		{ "10000000000000000000", false },
		{ "-", false },
		{ "-0", false },
		{ "00", false },
		{ "01", false },
		{ "-01", false },
		{ "+1", false },
		{ ".5", false },
		{ "5.", false },
		{ "1.2.3", false },
		{ "1e5", false },
		{ "1E5", false },
		{ "0x10", false },
		{ "0.5s", false },
		{ "1 2", false },
		{ "inf", false },
		{ "nan", false },
		{ "true", false },
	};
	char text[64], mem[128];
	struct buf quoted;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *object, *value;
		char *dump;

		snprintf(text, sizeof(text), "n=%s", rows[i].text);
		object = parse(text, strlen(text), false, 128);
		value = json_object_get(object, "n");
		assert_int_equal(json_is_number(value), rows[i].number);
		if (json_is_integer(value)) {
			dump = json_dumps(value, JSON_ENCODE_ANY);
			assert_string_equal(dump, rows[i].text);
			free(dump);
		} else if (!rows[i].number) {
			assert_string_equal(json_string_value(value), rows[i].text);
		}
		json_decref(object);

		/* As a value that came from outside it is a string. */
		buf_init(&quoted, mem, sizeof(mem));
		buf_put_str(&quoted, "n=");
		line_quote(&quoted, rows[i].text, strlen(rows[i].text), false);
		object = parse(mem, quoted.len, false, 128);
		value = json_object_get(object, "n");
		assert_string_equal(json_string_value(value), rows[i].text);
		json_decref(object);
	}
}

/* A number that may have lost its last digits is none. */
static void
test_cut_text(void **state)
{
	json_t *object = parse("a=1 b=23", 8, true, 128);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(object, "a")), 1);
	assert_string_equal(json_string_value(json_object_get(object, "b")), "23");
	assert_true(json_is_true(json_object_get(object, "cut")));
	json_decref(object);
}

/* In every room: whole values, then at most one that is the beginning of its text, then "cut". */
static void
test_every_room(void **state)
{
	static const char text[] =
	    "first=\"a\\\"\\n\\x01\xe2\x82\xac\" n=-12 last=\xc3\xbc\xc3\xbc";
	json_t *whole = parse(text, sizeof(text) - 1, false, 512);
	char *dump = json_dumps(whole, JSON_COMPACT);
	size_t needed = strlen(dump) + strlen(",\"cut\":true"); /* for which room is kept */

	(void)state;
	assert_null(json_object_get(whole, "cut"));
	for (size_t cap = LINE_LEAST; cap < 100; cap++) {
		json_t *object = parse(text, sizeof(text) - 1, false, cap), *value;
		bool cut = json_object_get(object, "cut") != NULL;
		const char *key;
		size_t partial = 0;

		json_object_foreach(object, key, value)
		{
			json_t *full = json_object_get(whole, key);

			if (strcmp(key, "cut") == 0 || json_equal(value, full))
				continue;
			partial++;
			assert_memory_equal(json_string_value(value), json_string_value(full),
			    json_string_length(value));
		}
		assert_in_range(partial, 0, cut);
		assert_int_equal(cut, json_object_size(object) - cut < 3 || partial > 0);
		assert_int_equal(cut, cap < needed);
		json_decref(object);
	}
	free(dump);
	json_decref(whole);
}

/* What line_quote() writes is read back as the same bytes, when they are UTF-8 without NUL. */
static void
test_quoted_comes_back(void **state)
{
	static const char *const pieces[] = { "a", " ", "\"", "\\", "=", "\n", "\t", "\r", "\x1b",
		"x", "\x7f", "\xc2\x80", "\xc2\x9f", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x90\xa7",
		"7", "-", "." };
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char in[128] = "", mem[600];
		struct buf b;
		json_t *object;

		for (int n = round % 20; n > 0; n--) {
			seed = seed * 1664525 + 1013904223;
			snprintf(in + strlen(in), sizeof(in) - strlen(in), "%s",
			    pieces[(seed >> 16) % (sizeof(pieces) / sizeof(pieces[0]))]);
		}
		buf_init(&b, mem, sizeof(mem));
		buf_put_str(&b, "before=1 v=");
		line_quote(&b, in, strlen(in), false);
		buf_put_str(&b, " after=x");
		assert_false(b.failed);
		object = parse(mem, b.len, false, 1024);
		assert_int_equal(json_object_size(object), 3);
		assert_string_equal(json_string_value(json_object_get(object, "v")), in);
		assert_string_equal(json_string_value(json_object_get(object, "after")), "x");
		json_decref(object);
	}
}

static void
test_any_bytes(void **state)
{
	static const char pieces[] =
	    "ab= \"\\xnt09-.\n\x01\x7f\x80\x85\xbf\xc2\xc3\xe0\xe2\xed\xf0\xf4\xff";
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[64];
		size_t n = (size_t)round % sizeof(text);

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = pieces[(seed >> 16) % sizeof(pieces)]; /* NUL is one of them */
		}
		json_decref(parse(text, n, round % 2 != 0, LINE_LEAST + (seed >> 20) % 200));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_cut_text),
		cmocka_unit_test(test_every_room),
		cmocka_unit_test(test_quoted_comes_back),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
