/*
 * Every span must be, byte for byte, what protobuf-c writes; every sealed request must hold each
 * span once, in order.
 */
#include "sidecar/otlp_trace.h"

#include "protocol/wire.h"

#include "otlp.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct resources resources;
static struct otlp_trace *trace;
static struct service service = { .number = 1 };
static struct resource *resource;
static uint8_t *request;
static struct otlp_share shares[LIMIT_RESOURCES];
static struct buf out;

/* service.name=t as Resource.attributes */
static const char name_t[] = "\x0a\x13\x0a\x0cservice.name\x12\x03\x0a\x01t";

static uint8_t trace_id[16] = "0123456789abcdef", span_id[8] = "01234567",
	       parent_id[8] = "abcdefgh";

static int
setup(void **state)
{
	(void)state;
	resources_init(&resources, calloc(1, resources_bytes()), 7);
	trace = otlp_trace_init(calloc(1, otlp_trace_bytes()), &resources);
	resource = resource_get(&resources, &service, name_t, sizeof(name_t) - 1);
	request = malloc(OTLP_TRACE_REQUEST_MAX);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(resources.pool.base);
	free(trace);
	free(request);
	return 0;
}

static Otlp__TraceRequest *
seal(size_t most, unsigned max, unsigned *n)
{
	Otlp__TraceRequest *m;

	buf_init(&out, request, OTLP_TRACE_REQUEST_MAX);
	*n = otlp_trace_seal(trace, &out, most, shares, max);
	assert_false(out.failed);
	m = otlp__trace_request__unpack(NULL, out.len, out.base);
	assert_non_null(m);
	assert_int_equal(m->n_resource_spans, *n);
	return m;
}

static struct span
plain_span(void)
{
	return (struct span){ .trace_id = trace_id,
		.span_id = span_id,
		.name = TEXT("work"),
		.start = 1700000000000000000,
		.end = 1700000000001000000,
		.kind = WIRE_KIND_INTERNAL,
		.flags = WIRE_FLAG_SAMPLED };
}

static uint32_t
random_below(uint32_t n)
{
	return (uint32_t)random() % n;
}

static struct text
random_text(char *room, uint32_t most)
{
	struct text t = { room, random_below(4) == 0 ? most - random_below(3) : random_below(20) };

	for (uint32_t i = 0; i < t.len; i++)
		room[i] = (char)('a' + random_below(26));
	return t;
}

static uint8_t *
put_length(uint8_t *p, size_t n)
{
	for (; n >= 0x80; n >>= 7)
		*p++ = (uint8_t)(n | 0x80);
	*p++ = (uint8_t)n;
	return p;
}

/* Attributes, events or links, as attr would hand them over: packed by protobuf-c under the tag. */
static struct span_list
random_list(uint8_t *room, uint8_t tag)
{
	struct span_list list = { .bytes = room, .dropped = random_below(3) * random_below(300) };

	for (uint32_t n = random_below(5); n != 0; n--) {
		char key[300], value[300];
		struct text k = random_text(key, 255), v = random_text(value, 299);
		Otlp__AnyValue any = OTLP__ANY_VALUE__INIT;
		Otlp__KeyValue kv = OTLP__KEY_VALUE__INIT, *one = &kv;
		Otlp__SpanEvent event = OTLP__SPAN_EVENT__INIT;
		Otlp__SpanLink link = OTLP__SPAN_LINK__INIT;
		ProtobufCMessage *m = &kv.base;
		size_t len;

		key[k.len] = value[v.len] = '\0';
		any.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
		any.string_value = value;
		kv.key = key;
		kv.value = &any;
		if (tag == 0x5a) {
			event.name = key;
			event.n_attributes = 1;
			event.attributes = &one;
			event.time_unix_nano = 5;
			m = &event.base;
		} else if (tag == 0x6a) {
			link.trace_id = (ProtobufCBinaryData){ 16, trace_id };
			link.span_id = (ProtobufCBinaryData){ 8, span_id };
			link.n_attributes = 1;
			link.attributes = &one;
			m = &link.base;
		}
		len = protobuf_c_message_get_packed_size(m);
		room[list.len++] = tag;
		list.len = (uint32_t)(put_length(room + list.len, len) - room);
		list.len += (uint32_t)protobuf_c_message_pack(m, room + list.len);
		list.n++;
	}
	return list;
}

/* Whether the one span of a request packs back to the bytes it was read from, which proves order
 * and form too. */
static void
check_span(const Otlp__Span *got, const struct span *s)
{
	assert_memory_equal(got->trace_id.data, s->trace_id, 16);
	assert_memory_equal(got->span_id.data, s->span_id, 8);
	assert_int_equal(got->parent_span_id.len, s->parent_id != NULL ? 8 : 0);
	assert_int_equal(strlen(got->name), s->name.len);
	assert_memory_equal(got->name, s->name.s, s->name.len);
	assert_int_equal(strlen(got->trace_state), s->tracestate.len);
	assert_int_equal(got->kind, s->kind);
	assert_int_equal(got->start_time_unix_nano, s->start);
	assert_int_equal(got->end_time_unix_nano, s->end);
	assert_int_equal(got->n_attributes, s->attrs.n);
	assert_int_equal(got->n_events, s->events.n);
	assert_int_equal(got->n_links, s->links.n);
	assert_int_equal(got->dropped_attributes_count, s->attrs.dropped);
	assert_int_equal(got->dropped_events_count, s->events.dropped);
	assert_int_equal(got->dropped_links_count, s->links.dropped);
	assert_int_equal(got->flags & 3, s->flags & 3);
	assert_true(got->flags & 0x100);
	assert_int_equal((got->flags & 0x200) != 0, (s->flags & WIRE_FLAG_REMOTE) != 0);
	if (s->status == 0 && s->message.len == 0) {
		assert_null(got->status);
	} else {
		assert_int_equal(got->status->code, s->status);
		assert_int_equal(strlen(got->status->message), s->message.len);
	}
}

static void
test_spans_are_what_protobuf_c_writes(void **state)
{
	static uint8_t attrs[4096], events[8192], links[8192], again[1 << 16];
	char name[256], message[256], tracestate[256];

	(void)state;
	srandom(1);
	for (int round = 0; round < 3000; round++) {
		struct span s = plain_span();
		Otlp__TraceRequest *m;
		unsigned n;

		s.parent_id = random_below(2) ? parent_id : NULL;
		s.name = random_text(name, 255);
		s.message = random_below(3) == 0 ? random_text(message, 255) : TEXT("");
		s.tracestate = random_below(3) == 0 ? random_text(tracestate, 255) : TEXT("");
		s.kind = (uint8_t)(1 + random_below(5));
		s.status = (uint8_t)random_below(3);
		s.flags = (uint8_t)random_below(8);
		s.attrs = random_list(attrs, 0x4a);
		s.events = random_list(events, 0x5a);
		s.links = random_list(links, 0x6a);
		assert_true(otlp_trace_append(trace, resource, &s));
		m = seal(LIMIT_BATCH_BYTES, 1, &n);
		check_span(m->resource_spans[0]->scope_spans[0]->spans[0], &s);
		assert_int_equal(otlp__trace_request__pack(m, again), out.len);
		assert_memory_equal(again, out.base, out.len);
		otlp__trace_request__free_unpacked(m, NULL);
	}
	assert_int_equal(otlp_trace_waiting(trace), 0);
}

/* One attribute of an even number of bytes, all of them fields of KeyValue that nobody knows:
 * number 15, varint 0. */
static struct span_list
long_attribute(uint8_t *room, uint32_t body)
{
	uint8_t *p = room;

	*p++ = 0x4a;
	p = put_length(p, body);
	for (uint32_t k = 0; k < body; k += 2) {
		*p++ = 0x78;
		*p++ = 0;
	}
	return (struct span_list){ room, (uint32_t)(p - room), 1, 0 };
}

/* Many spans of several resources, of sizes up to several chunks, sealed under a small bound: each
 * comes out once. */
static void
test_sealing_cuts_at_spans_and_loses_none(void **state)
{
	static uint8_t big[80000];
	struct resource *several[5];
	uint64_t next[5] = { 0 }, sent[5] = { 0 };

	(void)state;
	srandom(2);
	for (uint32_t i = 0; i < 5; i++) {
		char bytes[] = "\x0a\x05\x0a\x03xxx";

		bytes[4] = (char)('a' + i);
		several[i] = resource_get(&resources, &service, bytes, 7);
	}
	for (int i = 0; i < 4000; i++) {
		uint32_t which = random_below(5),
			 body = random_below(50) == 0 ? 40000 : 2 * random_below(1000);
		struct span s = plain_span();

		s.attrs = long_attribute(big, body);
		s.start = sent[which]++;
		assert_true(otlp_trace_append(trace, several[which], &s));
		if (random_below(300) != 0)
			continue;
		while (otlp_trace_waiting(trace) != 0) {
			unsigned n, spans = 0, told = 0;
			Otlp__TraceRequest *m = seal(65536, 1 + random_below(5), &n);

			assert_in_range(n, 1, 5);
			assert_true(out.len <= 65536 || m->n_resource_spans == 1);
			for (unsigned r = 0; r < n; r++) {
				Otlp__ScopeSpans *scope = m->resource_spans[r]->scope_spans[0];
				const char *key =
				    m->resource_spans[r]->resource->attributes[0]->key;

				told += (unsigned)shares[r].spans;
				for (size_t k = 0; k < scope->n_spans; k++, spans++)
					assert_int_equal(scope->spans[k]->start_time_unix_nano,
					    next[key[0] - 'a']++);
			}
			assert_int_equal(spans, told);
			otlp__trace_request__free_unpacked(m, NULL);
		}
	}
	for (unsigned n = 1; n != 0;)
		otlp__trace_request__free_unpacked(seal(65536, 5, &n), NULL);
	assert_int_equal(otlp_trace_waiting(trace), 0);
}

/* Append spans like this one until there is no room, then seal them all: none is lost, and there is
 * room again. */
static uint64_t
fill(const struct span *s)
{
	uint64_t taken = 0, given = 0;
	size_t waiting;
	unsigned n;

	while (otlp_trace_append(trace, resource, s))
		taken++;
	waiting = otlp_trace_waiting(trace);
	assert_false(otlp_trace_append(trace, resource, s));
	assert_int_equal(otlp_trace_waiting(trace), waiting);
	do {
		buf_init(&out, request, OTLP_TRACE_REQUEST_MAX);
		n = otlp_trace_seal(trace, &out, LIMIT_BATCH_BYTES, shares, LIMIT_RESOURCES);
		given += n != 0 ? shares[0].spans : 0;
		assert_true(out.len <= LIMIT_BATCH_BYTES);
	} while (n != 0);
	assert_int_equal(given, taken);
	assert_true(otlp_trace_append(trace, resource, s));
	return taken;
}

static void
test_out_of_chunks(void **state)
{
	struct span s = plain_span();

	(void)state;
	assert_true(fill(&s) > 500000);
}

/* A span of three chunks finds one left: it takes none. */
static void
test_out_of_chunks_for_a_large_one(void **state)
{
	static uint8_t big[80000];
	struct span s = plain_span();

	(void)state;
	s.attrs = long_attribute(big, 40000);
	assert_int_equal(OTLP_TRACE_CHUNKS % 3, 1);
	assert_int_equal(fill(&s), OTLP_TRACE_CHUNKS / 3);
}

static void
test_resource_is_held_until_sealed(void **state)
{
	struct span s = plain_span();
	unsigned n;

	(void)state;
	assert_true(otlp_trace_append(trace, resource, &s));
	assert_int_equal(resource->refs, 2);
	resource_drop(&resources, resource);
	otlp__trace_request__free_unpacked(seal(LIMIT_BATCH_BYTES, 1, &n), NULL);
	assert_int_equal(resources.pool.used, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_spans_are_what_protobuf_c_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_sealing_cuts_at_spans_and_loses_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_chunks, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_out_of_chunks_for_a_large_one, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_resource_is_held_until_sealed, setup, teardown),
	};

	return cmocka_run_group_tests_name("otlp_trace", tests, NULL, NULL);
}
