/* What the vectors do not show of a session: limits of many, clocks that turn, order among connections, ends. */
#include "rig.h"

#include "packer.h"
#include "sidecar/otlp_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- events */

static void
put_start(struct packer *p, uint64_t id)
{
	uint8_t trace[16] = { 1 };

	packer_array(p, 8);
	packer_uint(p, WIRE_START);
	packer_bin(p, trace, 16);
	packer_bin(p, &id, 8);
	packer_nil(p);
	packer_text(p, "op");
	packer_uint(p, WIRE_KIND_SERVER);
	packer_uint(p, UINT64_C(1700000000000000000));
	packer_uint(p, WIRE_FLAG_SAMPLED);
}

static void
put_end(struct packer *p, uint64_t id)
{
	packer_array(p, 4);
	packer_uint(p, WIRE_END);
	packer_bin(p, &id, 8);
	packer_nil(p);
	packer_uint(p, WIRE_STATUS_OK);
}

static void
feed(struct rig *r, struct session *s, struct packer *p)
{
	assert_int_equal(rig_feed(r, s, p->bytes, p->n, 0), SESSION_OPEN);
	p->n = 0;
}

static void
start(struct rig *r, struct session *s, uint64_t id)
{
	struct packer p = packer_new();

	put_start(&p, id);
	feed(r, s, &p);
	free(p.bytes);
}

/* The id of the n-th span that came out, and the status message it came out with. */
static uint64_t
id_of(unsigned n)
{
	uint64_t id;

	assert_true(n < rig_nspans);
	memcpy(&id, rig_spans[n].span->span_id.data, sizeof(id));
	return id;
}

static const char *
cause_of(unsigned n)
{
	Otlp__Span *s = rig_spans[n].span;

	return rig_attr(s->attributes, s->n_attributes, "error.type");
}

static struct ledger *
ledger(struct rig *r)
{
	return &r->services.at[0].ledger;
}

/* ---- many */

static void
test_sessions(void **state)
{
	struct session *all[LIMIT_SESSIONS];
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < LIMIT_SESSIONS; i++)
			assert_non_null(all[i] = session_open(r.core));
		assert_null(session_open(r.core));
		for (int i = 0; i < LIMIT_SESSIONS; i++)
			rig_end(&r, all[i]);
	}
	rig_close(&r);
}

/* A session that takes the place of another knows nothing of it. */
static void
test_nothing_is_inherited(void **state)
{
	struct packer p = packer_new();
	struct session *s;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	s = rig_hello(&r, true);
	packer_array(&p, 3);
	packer_uint(&p, WIRE_STRING);
	packer_uint(&p, 5);
	packer_text(&p, "five");
	put_start(&p, 1);
	feed(&r, s, &p);
	session_feed(s, "\x9a\x03", 2, r.now); /* and half an event */
	rig_finish(&r, s, SPAN_CONNECTION_LOST);
	assert_int_equal(stats.events_truncated, 1);
	rig_forget();

	s = rig_hello(&r, false);
	packer_array(&p, 5); /* a topic that is not defined here */
	packer_uint(&p, WIRE_PRODUCED);
	packer_uint(&p, 5);
	packer_nil(&p);
	packer_nil(&p);
	packer_uint(&p, 1);
	put_start(&p, 1);
	packer_uint(&p, 0); /* not an event */
	assert_int_equal(rig_feed(&r, s, p.bytes, p.n, 1), SESSION_FAULT);
	assert_string_equal(session_fault(s), "malformed");
	assert_int_equal(stats.refused_unknown_string, 1);
	assert_int_equal(stats.refused_duplicate_start, 0);
	rig_end(&r, s);
	assert_int_equal(rig_nspans, 1); /* no longer "resume" */
	assert_string_equal(cause_of(0), "str:protocol");
	free(p.bytes);
	rig_close(&r);
}

static void
test_full_table(void **state)
{
	struct session *first, *second;
	struct rig r;

	(void)state;
	rig_open(&r, &(struct core_parts){ .open_spans = 4 });
	first = rig_hello(&r, false);
	second = rig_hello(&r, false);
	start(&r, second, 21);
	start(&r, second, 22);
	start(&r, first, 11);
	start(&r, first, 12);
	assert_int_equal(rig_nspans, 0);
	/* A tie: the connection that connected first. */
	start(&r, second, 23);
	assert_int_equal(rig_nspans, 1);
	assert_int_equal(id_of(0), 11);
	assert_string_equal(cause_of(0), "str:evicted");
	assert_int_equal(rig_spans[0].span->end_time_unix_nano, RIG_WALL);
	/* Who floods evicts only itself, the oldest first. */
	for (uint64_t id = 24; id < 40; id++)
		start(&r, second, id);
	for (unsigned i = 1; i < rig_nspans; i++)
		assert_int_equal(id_of(i), 20 + i);
	assert_int_equal(session_open_spans(first), 1);
	assert_int_equal(session_open_spans(second), 3);
	/* A duplicate evicts nobody. */
	start(&r, second, 39);
	assert_int_equal(stats.refused_duplicate_start, 1);
	assert_int_equal(rig_nspans, 17);
	assert_int_equal(ledger(&r)->abandoned_evicted, 17);
	assert_int_equal(ledger(&r)->open, 4);
	rig_end(&r, first);
	rig_end(&r, second);
	assert_int_equal(ledger(&r)->open, 0);
	assert_int_equal(ledger(&r)->started,
	    ledger(&r)->abandoned_evicted + ledger(&r)->abandoned_connection_lost);
	rig_close(&r);
}

/* The end of a session with many spans takes several calls, in the order of their starts. */
static void
test_drain(void **state)
{
	struct packer p = packer_new();
	struct session *s;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	s = rig_hello(&r, false);
	for (uint64_t id = 1; id <= 2 * SESSION_DRAIN; id++)
		put_start(&p, id);
	feed(&r, s, &p);
	for (unsigned calls = 1; session_close(s, SPAN_SHUTDOWN, r.now); calls++)
		assert_int_equal(rig_nspans, calls * SESSION_DRAIN);
	assert_int_equal(rig_nspans, 2 * SESSION_DRAIN);
	for (unsigned i = 0; i < rig_nspans; i++)
		assert_int_equal(id_of(i), i + 1);
	assert_int_equal(ledger(&r)->abandoned_shutdown, 2 * SESSION_DRAIN);
	free(p.bytes);
	rig_close(&r);
}

/* ---- clocks */

static void
test_timeout(void **state)
{
	struct packer p = packer_new();
	struct session *a, *b;
	struct rig r;

	(void)state;
	rig_open(&r, &(struct core_parts){ .span_timeout = 10 * CLOCK_SECOND });
	a = rig_hello(&r, true);
	b = rig_hello(&r, false);
	start(&r, a, 1);
	r.now.mono.ns += 5 * CLOCK_SECOND;
	start(&r, b, 2);
	r.now.mono.ns += 5 * CLOCK_SECOND;
	assert_false(session_expire(r.core, r.now)); /* just not too old */
	assert_int_equal(rig_nspans, 0);
	r.now.mono.ns += CLOCK_MILLI;
	r.now.wall.ns += 10 * CLOCK_SECOND;
	assert_false(session_expire(r.core, r.now));
	assert_int_equal(rig_nspans, 1);
	assert_int_equal(id_of(0), 1);
	assert_string_equal(cause_of(0), "str:timeout");
	assert_int_equal(rig_spans[0].span->end_time_unix_nano, r.now.wall.ns);
	/* Its late END is for no span. */
	put_end(&p, 1);
	feed(&r, a, &p);
	assert_int_equal(stats.refused_unmatched, 1);

	/* Many at once: so many a call. */
	for (uint64_t id = 10; id < 10 + 2 * SESSION_DRAIN; id++)
		put_start(&p, id);
	feed(&r, a, &p);
	r.now.mono.ns += 11 * CLOCK_SECOND;
	assert_true(session_expire(r.core, r.now));
	assert_int_equal(rig_nspans, 1 + SESSION_DRAIN);
	while (session_expire(r.core, r.now))
		;
	assert_int_equal(rig_nspans, 2 + 2 * SESSION_DRAIN);
	assert_int_equal(ledger(&r)->open, 0);
	free(p.bytes);
	rig_end(&r, a);
	rig_end(&r, b);
	rig_close(&r);
}

static void
test_late(void **state)
{
	struct session *s;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	s = session_open(r.core);
	session_feed(s, "\x93\x00\x01", 3, r.now); /* half a HELLO */
	assert_false(session_greeted(s));
	assert_int_equal(session_name(s).len, 0);
	assert_null(session_fault(s));
	session_late(s);
	assert_string_equal(session_fault(s), "hello_timeout");
	assert_int_equal(session_feed(s, "\x80", 1, r.now), SESSION_FAULT);
	rig_end(&r, s);
	assert_int_equal(stats.bad_hello_timeout, 1);
	assert_int_equal(stats.events_truncated, 0);

	s = rig_hello(&r, false);
	assert_true(session_greeted(s));
	assert_true(text_same(session_name(s), TEXT("svc")));
	session_late(s);
	assert_null(session_fault(s));
	rig_end(&r, s);
	rig_close(&r);
}

/* ---- ends */

/* resume: the client writes these again; they are counted, and go nowhere. */
static void
test_resume(void **state)
{
	static const struct {
		enum span_end end;
		unsigned exported[2]; /* without and with resume */
	} rows[] = { { SPAN_SHUTDOWN, { 1, 0 } }, { SPAN_PROTOCOL, { 1, 0 } },
		{ SPAN_CONNECTION_LOST, { 1, 1 } }, { SPAN_CLOSED, { 1, 1 } } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int resume = 0; resume < 2; resume++) {
			struct session *s;
			struct rig r;

			rig_open(&r, NULL);
			s = rig_hello(&r, resume);
			start(&r, s, 1);
			rig_finish(&r, s, rows[i].end);
			assert_int_equal(rig_nspans, rows[i].exported[resume]);
			assert_int_equal(ledger(&r)->dropped_resumed, 1 - rows[i].exported[resume]);
			if (rig_nspans == 1)
				assert_string_equal(
				    strchr(cause_of(0), ':') + 1, span_end_type[rows[i].end]);
			rig_close(&r);
		}
}

static void
test_after_bye(void **state)
{
	struct session *s;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	s = rig_hello(&r, false);
	assert_int_equal(session_feed(s, "\x91\x0a\xc1\xc1", 4, r.now), SESSION_BYE);
	assert_int_equal(session_feed(s, "\x91\x0a", 2, r.now), SESSION_BYE);
	assert_null(session_fault(s));
	assert_int_equal(stats.events, 2);
	rig_end(&r, s);
	assert_int_equal(stats.events_truncated, 0);
	rig_close(&r);
}

/* ---- STATS */

static void
put_stats(struct packer *p, uint64_t sent, uint64_t drops)
{
	packer_array(p, 3);
	packer_uint(p, WIRE_STATS);
	packer_uint(p, sent);
	packer_map(p, 1);
	packer_text(p, "full");
	packer_uint(p, drops);
}

/* Totals are reported again and again: what was counted once is not counted again. */
static void
test_stats(void **state)
{
	struct packer p = packer_new();
	struct session *s;
	struct rig r;

	(void)state;
	rig_open(&r, NULL);
	s = rig_hello(&r, false);
	put_stats(&p, 1, 0);
	put_stats(&p, 2, 5); /* HELLO and STATS */
	put_stats(&p, 6, 5); /* 3 did not come */
	put_stats(&p, 7, 9);
	put_stats(&p, 9, 2); /* 4 in all; a total that falls is none */
	feed(&r, s, &p);
	assert_int_equal(stats.ledger_checks, 5);
	assert_int_equal(stats.ledger_gaps, 4);
	assert_int_equal(r.services.at[0].ledger.client_full, 9);
	rig_end(&r, s);
	free(p.bytes);
	rig_close(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_nothing_is_inherited),
		cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_resume),
		cmocka_unit_test(test_after_bye),
		cmocka_unit_test(test_stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
