/* message.h: what is a message of ours, and what is known of where it came from. */
#include "totalizer/message.h"

#include "guard.h"

#include <stdio.h>

#include <cmocka.h>

#define TRACE "\"trace_id\": \"0af7651916cd43dd8448eb211c80319c\""
#define SPAN  "\"span_id\": \"b7ad6b7169203331\""

static enum message_fault
parse(struct message *m, const char *text, size_t len)
{
	char *copy = guard_copy(text, len);
	enum message_fault fault = message_parse(m, copy, len);

	guard_free(copy, len);
	return fault;
}

static enum message_fault
parse_text(struct message *m, const char *text)
{
	return parse(m, text, strlen(text));
}

static void
test_whole(void **state)
{
	static const uint8_t trace[] = { 0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48,
		0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c };
	static const uint8_t span[] = { 0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31 };
	struct message m;

	(void)state;
	assert_int_equal(
	    parse_text(&m,
		"{\"sum\": -42, \"produced_at\": \"2026-11-23T10:00:00.123456789Z\", " TRACE
		", " SPAN "}"),
	    MESSAGE_OK);
	assert_int_equal(m.sum, -42);
	assert_int_equal(m.produced.ns, 1795428000123456789);
	assert_memory_equal(m.producer.trace_id, trace, sizeof(trace));
	assert_memory_equal(m.producer.span_id, span, sizeof(span));
	assert_int_equal(m.producer.flags, SIDECAR_SAMPLED | SIDECAR_REMOTE);
}

static void
test_sums(void **state)
{
	static const struct {
		const char *text;
		int64_t sum;
	} rows[] = {
		{ "{\"sum\":0}", 0 },
		{ "{\"sum\":-0}", 0 },
		{ "  {\"other\": [1, {\"sum\": 2}], \"sum\" : 7 }\r\n", 7 },
		{ "{\"sum\":9223372036854775807}", INT64_MAX },
		{ "{\"sum\":-9223372036854775808}", INT64_MIN },
		{ "{\"sum\":9007199254740993}", 9007199254740993 }, /* no double holds this */
		{ "{\"s\\u0075m\":3}", 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static const struct sidecar_context unknown;
		struct message m;
		assert_int_equal(parse_text(&m, rows[i].text), MESSAGE_OK);
		assert_int_equal(m.sum, rows[i].sum);
		assert_int_equal(m.produced.ns, 0);
		assert_memory_equal(&m.producer, &unknown, sizeof(unknown));
	}
}

static void
test_faults(void **state)
{
	static const struct {
		const char *text;
		enum message_fault fault;
	} rows[] = {
		{ "", MESSAGE_EMPTY },
		{ " ", MESSAGE_NOT_JSON },
		{ "poison", MESSAGE_NOT_JSON },
		{ "{\"sum\":1", MESSAGE_NOT_JSON },
		{ "{\"sum\":1}x", MESSAGE_NOT_JSON },
		{ "{\"sum\":1}{\"sum\":2}", MESSAGE_NOT_JSON },
		{ "{\"sum\":1,\"sum\":2}", MESSAGE_NOT_JSON },
		{ "{\"sum\":01}", MESSAGE_NOT_JSON },
		{ "{\"sum\":+1}", MESSAGE_NOT_JSON },
		{ "{\"sum\":0x10}", MESSAGE_NOT_JSON },
		{ "{\"sum\":NaN}", MESSAGE_NOT_JSON },
		{ "{'sum':1}", MESSAGE_NOT_JSON },
		{ "{\"a\":\"\xff\",\"sum\":1}", MESSAGE_NOT_JSON },
		{ "1", MESSAGE_NOT_OBJECT },
		{ "null", MESSAGE_NOT_OBJECT },
		{ "[{\"sum\":1}]", MESSAGE_NOT_OBJECT },
		{ "\"{\\\"sum\\\":1}\"", MESSAGE_NOT_OBJECT },
		{ "{}", MESSAGE_NO_SUM },
		{ "{\"Sum\":1}", MESSAGE_NO_SUM },
		{ "{\"sum\":\"1\"}", MESSAGE_SUM_TYPE },
		{ "{\"sum\":null}", MESSAGE_SUM_TYPE },
		{ "{\"sum\":true}", MESSAGE_SUM_TYPE },
		{ "{\"sum\":1.0}", MESSAGE_SUM_TYPE },
		{ "{\"sum\":1e3}", MESSAGE_SUM_TYPE },
		{ "{\"sum\":[1]}", MESSAGE_SUM_TYPE },
		{ "{\"sum\":9223372036854775808}", MESSAGE_SUM_RANGE },
		{ "{\"sum\":-9223372036854775809}", MESSAGE_SUM_RANGE },
		{ "{\"sum\":1e999}", MESSAGE_SUM_RANGE },
		{ "{\"sum\":123456789012345678901234567890123456789012345678901234567890}",
		    MESSAGE_SUM_RANGE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static const struct message zero;
		struct message m;
		enum message_fault fault = parse_text(&m, rows[i].text);
		if (fault != rows[i].fault)
			fail_msg("%s: %s", rows[i].text, message_fault_text(fault));
		assert_memory_equal(&m, &zero, sizeof(m));
	}
	assert_int_equal(message_parse(&(struct message){ 0 }, NULL, 0), MESSAGE_EMPTY);
	assert_int_equal(parse(&(struct message){ 0 }, "{\"sum\":1\0}", 10), MESSAGE_NOT_JSON);
}

/* What only serves telemetry never makes a message invalid. */
static void
test_telemetry_is_optional(void **state)
{
	static const char *const times[] = { "null", "12", "\"\"", "\"yesterday\"",
		"\"2026-11-23T10:00:00\"", "\"2026-11-23T10:00:00Z\\u0041\"" };
	static const char *const ids[] = { TRACE, SPAN, TRACE ", \"span_id\": 7",
		TRACE ", \"span_id\": \"0000000000000000\"",
		TRACE ", \"span_id\": \"b7ad6b716920333\"",
		TRACE ", \"span_id\": \"b7ad6b71692033311\"",
		TRACE ", \"span_id\": \"B7AD6B7169203331\"",
		TRACE ", \"span_id\": \"b7ad6b716920333g\"",
		SPAN ", \"trace_id\": \"00000000000000000000000000000000\"" };
	static const struct sidecar_context unknown;
	struct message m;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		snprintf(text, sizeof(text), "{\"sum\":5,\"produced_at\":%s}", times[i]);
		assert_int_equal(parse_text(&m, text), MESSAGE_OK);
		assert_int_equal(m.produced.ns, 0);
	}
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		snprintf(text, sizeof(text), "{\"sum\":5,%s}", ids[i]);
		assert_int_equal(parse_text(&m, text), MESSAGE_OK);
		assert_memory_equal(&m.producer, &unknown, sizeof(unknown));
	}
}

static void
test_truncated(void **state)
{
	static const char text[] =
	    "{\"sum\": 12, \"produced_at\": \"2026-11-23T10:00:00Z\", " TRACE ", " SPAN "}";
	struct message m;

	(void)state;
	for (size_t n = 1; n < sizeof(text) - 1; n++)
		assert_int_equal(parse(&m, text, n), MESSAGE_NOT_JSON);
	assert_int_equal(parse(&m, text, sizeof(text) - 1), MESSAGE_OK);
}

static void
test_length(void **state)
{
	static char text[MESSAGE_BYTES + 1];
	struct message m;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "{\"sum\":1}", 9);
	assert_int_equal(parse(&m, text, MESSAGE_BYTES), MESSAGE_OK);
	assert_int_equal(parse(&m, text, MESSAGE_BYTES + 1), MESSAGE_TOO_LONG);
}

/* Deep nesting ends in an error, not on the stack. */
static void
test_depth(void **state)
{
	static char text[MESSAGE_BYTES];
	struct message m;

	(void)state;
	memset(text, '[', sizeof(text));
	assert_int_equal(parse(&m, text, sizeof(text)), MESSAGE_NOT_JSON);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_telemetry_is_optional),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
