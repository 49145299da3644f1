/*
 * red and otlp_trace are doubles here: what finish hands them is the whole of what it does.
 */
#include "sidecar/finish.h"

#include "protocol/wire.h"
#include "sidecar/red.h"

#include "otlp.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static unsigned samples, appended;
static bool room;
static struct span last;
static uint8_t last_attrs[65536], scratch[FINISH_SCRATCH_BYTES];
static struct service service;
static struct resource *const resource = (struct resource *)&service; /* passed on, never read */
static struct finish finish;

static uint8_t id[16];

void
red_span(struct meter *m, struct service *s, const struct span *span)
{
	(void)m;
	assert_ptr_equal(s, &service);
	samples++;
	last = *span;
	if (span->attrs.len != 0)
		memcpy(last_attrs, span->attrs.bytes, span->attrs.len);
}

bool
otlp_trace_append(struct otlp_trace *t, struct resource *r, const struct span *s)
{
	assert_ptr_equal(t, finish.traces);
	assert_ptr_equal(r, resource);
	appended += room;
	assert_int_equal(s->attrs.len, last.attrs.len);
	return room;
}

static struct span
begin(uint8_t flags)
{
	samples = appended = 0;
	room = true;
	service = (struct service){ 0 };
	finish = (struct finish){ .traces = (struct otlp_trace *)&finish, .scratch = scratch };
	return (struct span){ .trace_id = id, .span_id = id, .name = TEXT("n"), .flags = flags };
}

static void
test_a_finished_span_is_sampled_and_exported(void **state)
{
	struct span s = begin(WIRE_FLAG_SAMPLED);

	(void)state;
	finish_span(&finish, &service, resource, &s, SPAN_FINISHED, false);
	assert_int_equal(service.ledger.finished, 1);
	assert_int_equal(service.ledger.pending, 1);
	assert_int_equal(samples, 1);
	assert_int_equal(appended, 1);
	assert_int_equal(last.status, WIRE_STATUS_UNSET);
}

static void
test_where_a_span_goes(void **state)
{
	struct span s = begin(0);

	(void)state;
	finish_span(&finish, &service, resource, &s, SPAN_FINISHED, false);
	assert_int_equal(service.ledger.unsampled, 1);
	assert_int_equal(appended, 0);
	assert_int_equal(samples, 1);
	s = begin(WIRE_FLAG_SAMPLED);
	finish.traces = NULL;
	finish_span(&finish, &service, resource, &s, SPAN_FINISHED, false);
	assert_int_equal(service.ledger.dropped_no_endpoint, 1);
	s = begin(WIRE_FLAG_SAMPLED);
	room = false;
	finish_span(&finish, &service, resource, &s, SPAN_FINISHED, false);
	assert_int_equal(service.ledger.dropped_batch_full, 1);
	s = begin(WIRE_FLAG_SAMPLED);
	finish_span(&finish, &service, NULL, &s, SPAN_FINISHED, false);
	assert_int_equal(service.ledger.dropped_batch_full, 1);
	s = begin(WIRE_FLAG_SAMPLED);
	finish_span(&finish, &service, resource, &s, SPAN_PROTOCOL, true);
	assert_int_equal(service.ledger.abandoned_protocol, 1);
	assert_int_equal(service.ledger.dropped_resumed, 1);
	assert_int_equal(samples, 0);
}

/* One attribute of a string, under the tag of Span.attributes. */
static uint8_t *
put(uint8_t *p, const char *key, const char *value)
{
	Otlp__AnyValue any = OTLP__ANY_VALUE__INIT;
	Otlp__KeyValue kv = OTLP__KEY_VALUE__INIT;
	char empty[] = "";

	any.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	any.string_value = *value != '\0' ? (char *)(uintptr_t)value : empty;
	kv.key = (char *)(uintptr_t)key;
	kv.value = &any;
	*p++ = 0x4a;
	*p++ = (uint8_t)otlp__key_value__get_packed_size(&kv);
	return p + otlp__key_value__pack(&kv, p);
}

static void
test_an_abandoned_span_says_why(void **state)
{
	static const enum span_end causes[] = { SPAN_CONNECTION_LOST, SPAN_TIMEOUT, SPAN_EVICTED,
		SPAN_CLOSED, SPAN_PROTOCOL, SPAN_SHUTDOWN };
	uint8_t attrs[512], expected[512], *p;

	(void)state;
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
		struct span s = begin(WIRE_FLAG_SAMPLED);
		const uint64_t *abandoned = &service.ledger.abandoned_connection_lost;
		uint32_t len;

		p = put(attrs, "a", "1");
		p = put(p, "error.type", "mine");
		p = put(p, "error.typo", "kept");
		s.attrs = (struct span_list){ attrs, (uint32_t)(p - attrs), 3, 4 };
		finish_span(&finish, &service, resource, &s, causes[i], false);
		p = put(expected, "a", "1");
		p = put(p, "error.typo", "kept");
		p = put(p, "error.type", span_end_type[causes[i]]);
		len = (uint32_t)(p - expected);
		assert_int_equal(last.attrs.len, len);
		assert_memory_equal(last_attrs, expected, len);
		assert_int_equal(last.attrs.n, 3);
		assert_int_equal(last.attrs.dropped, 4);
		assert_int_equal(last.status, WIRE_STATUS_ERROR);
		assert_memory_equal(last.message.s, span_end_message[causes[i]], last.message.len);
		assert_int_equal(abandoned[i], 1);
		assert_int_equal(service.ledger.finished, 0);
		assert_int_equal(service.ledger.pending, 1);
	}
	assert_string_equal(
	    span_end_message[SPAN_CONNECTION_LOST], "connection ended while the span was open");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_finished_span_is_sampled_and_exported),
		cmocka_unit_test(test_where_a_span_goes),
		cmocka_unit_test(test_an_abandoned_span_says_why),
	};

	return cmocka_run_group_tests_name("finish", tests, NULL, NULL);
}
