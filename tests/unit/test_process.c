/* process.h: what each message does to the ledger, and what is told of it. */
#include "totalizer/process.h"

#include "base/log.h"
#include "capture.h"
#include "guard.h"
#include "sidecar_spy.h"

#include <cmocka.h>

#define TRACE  "0af7651916cd43dd8448eb211c80319c"
#define HEADER "00-" TRACE "-b7ad6b7169203331-01"
#define OTHER  "00-" TRACE "-b7ad6b7169203331-00"
#define IDS    "\"trace_id\":\"" TRACE "\",\"span_id\":\"00f067aa0ba902b7\""

static struct ledger ledger;
static struct process process;

static int
fresh(void **unused)
{
	const struct ledger_commit none = { .offset = -1 };
	int64_t start;

	(void)unused;
	memset(&spy, 0, sizeof(spy));
	ledger_init(&ledger);
	ledger_resize(&ledger, 2);
	ledger_assign(&ledger, 1);
	assert_int_equal(ledger_own(&ledger, 1, &none, 0, 1000, false, &start), LEDGER_FINE);
	process_init(&process, &ledger, NULL, "sums", "group");
	return 0;
}

static struct process_result
deliver(int64_t offset, const char *payload, const char *header)
{
	const struct delivery d = { .partition = 1,
		.offset = offset,
		.payload = payload,
		.len = strlen(payload),
		.traceparent = header,
		.traceparent_len = header ? strlen(header) : 0,
		.at = { 5000 },
		.now = { 77 } };

	return process_message(&process, &d);
}

static void
expect_total(int64_t total, int64_t count, int64_t next)
{
	assert_true(total_equal(ledger.at[1].live.total, total_of(total)));
	assert_int_equal(ledger.at[1].live.count, count);
	assert_int_equal(ledger.at[1].live.next, next);
}

static void
test_valid(void **unused)
{
	struct process_result r =
	    deliver(3, "{\"sum\":-9,\"produced_at\":\"1970-01-01T00:00:00.000004Z\"}", HEADER);

	(void)unused;
	assert_int_equal(r.fault, MESSAGE_OK);
	assert_int_equal(r.verdict, LEDGER_FINE);
	assert_int_equal(r.produced.ns, 4000);
	expect_total(-9, 1, 4);
	assert_string_equal(spy.name, "process sums");
	assert_int_equal(spy.kind, SIDECAR_CONSUMER);
	assert_int_equal(spy.start_ns, 5000);
	assert_string_equal(spy.attrs,
	    "messaging.system=kafka;messaging.operation.name=process;messaging.operation.type="
	    "process;"
	    "messaging.destination.name=sums;messaging.destination.partition.id=1;"
	    "messaging.consumer.group.name=group;messaging.kafka.offset=3;");
	assert_int_equal(spy.status, SIDECAR_UNSET);
	assert_int_equal(spy.parent.span_id[0], 0xb7);
	assert_int_equal(spy.linked, 1);
	assert_memory_equal(&spy.link, &spy.parent, sizeof(spy.link));
	assert_int_equal(spy.produced_ns, 4000);
	assert_int_equal(spy.consumed_ns, 5000);
	assert_true(spy.has_consumer);
	assert_int_equal(spy.consumer.span_id[0], 0xee); /* the consumer's own span */
	assert_int_equal(spy.errors, 0);
}

static void
test_parents(void **unused)
{
	static const struct {
		const char *payload, *header;
		int parent; /* the second byte of its span id; 0: none */
	} rows[] = {
		{ "{\"sum\":1}", NULL, 0 },
		{ "{\"sum\":1}", "nonsense", 0 },
		{ "{\"sum\":1}", HEADER, 0xad },
		{ "{\"sum\":1," IDS "}", HEADER, 0xad },
		{ "{\"sum\":1," IDS "}", "nonsense", 0xf0 },
		{ "{\"sum\":1," IDS "}", NULL, 0xf0 },
		{ "poison", HEADER, 0xad },
		{ "poison", NULL, 0 },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		spy.linked = 0;
		deliver((int64_t)i, rows[i].payload, rows[i].header);
		assert_int_equal(spy.parent.span_id[1], rows[i].parent);
		assert_int_equal(spy.linked, rows[i].parent != 0);
	}
}

static void
test_invalid(void **unused)
{
	struct process_result r =
	    deliver(0, "{\"sum\":1.5,\"produced_at\":\"1970-01-01T00:00:01Z\"}", HEADER);

	(void)unused;
	assert_int_equal(r.fault, MESSAGE_SUM_TYPE);
	assert_int_equal(r.verdict, LEDGER_FINE);
	assert_int_equal(r.produced.ns, 0);
	expect_total(0, 0, 1); /* passed, not added */
	assert_int_equal(spy.errors, 1);
	assert_string_equal(spy.error, "invalid_message");
	assert_int_equal(spy.consumed, 1);
	assert_int_equal(spy.produced_ns, 0);
	assert_int_equal(spy.status, SIDECAR_FAILED);
	assert_string_equal(spy.message, "\"sum\" is not an integer");
	assert_non_null(strstr(spy.attrs, "messaging.kafka.offset=0;error.type=invalid_message;"));
}

static void
test_consumed_without_ids(void **unused)
{
	(void)unused;
	deliver(0, "{\"sum\":1}", OTHER);
	assert_int_equal(spy.consumed, 1);
	assert_false(spy.has_consumer); /* not sampled */
	spy.refuse = true;
	deliver(1, "{\"sum\":1}", HEADER);
	assert_int_equal(spy.consumed, 2);
	assert_false(spy.has_consumer); /* there is no span: its context is the parent's */
	expect_total(2, 2, 2);
}

static void
test_verdict_fails_the_span(void **unused)
{
	(void)unused;
	ledger.at[1].furthest = (struct state){ .next = 1, .count = 1, .total = total_of(8) };
	assert_int_equal(deliver(0, "{\"sum\":7}", NULL).verdict, LEDGER_DIVERGED);
	assert_int_equal(spy.status, SIDECAR_FAILED);
	assert_non_null(strstr(spy.attrs, "error.type=diverged;"));
	assert_int_equal(spy.started, spy.ended);
}

/* From the message to process_done() the log is about its span; not when it tells of others. */
static void
test_log_carries_the_ids(void **unused)
{
	static const char ids[] = " trace_id=" TRACE " span_id=eeeeeeeeeeeeeeee trace_flags=01 ";
	static struct capture captured;
	const char *line;

	(void)unused;
	log_open("t", LOG_DEBUG);
	capture_start(&captured);
	deliver(0, "poison", HEADER);
	log_info("result", "");
	process_done();
	log_info("after", "");
	deliver(1, "poison", HEADER);
	process_done();
	process.last_told.ns = 0;
	process_message(&process, &(struct delivery){ .partition = 1,
				      .offset = 2,
				      .payload = "{\"sum\":5}",
				      .len = 9,
				      .traceparent = HEADER,
				      .traceparent_len = strlen(HEADER),
				      .now = { CLOCK_SECOND } });
	process_done();
	capture_stop(&captured);
	log_open("t", LOG_INFO);

	line = strstr(captured.err, "event=invalid_message");
	assert_non_null(line);
	line += strlen("event=invalid_message");
	assert_memory_equal(line, ids, strlen(ids));
	line = strstr(captured.err, "event=result");
	assert_memory_equal(line + strlen("event=result"), ids, strlen(ids) - 1);
	assert_non_null(strstr(captured.err, "event=after\n"));
	assert_non_null(strstr(captured.err, "event=invalid_messages topic=sums more=1\n"));
	line = strstr(captured.err, "event=applied");
	assert_non_null(line);
	line += strlen("event=applied");
	assert_memory_equal(line, ids, strlen(ids));
	assert_non_null(strstr(line, "topic=sums partition=1 offset=2 sum=5\n"));
}

static void
test_burst_is_told_once(void **unused)
{
	(void)unused;
	for (int64_t offset = 0; offset < 20; offset++)
		deliver(offset, "poison", NULL);
	assert_int_equal(process.untold, 19);
	process_tick(&process, (struct mono){ 77 + CLOCK_SECOND - 1 });
	assert_int_equal(process.untold, 19);
	process_tick(&process, (struct mono){ 77 + CLOCK_SECOND });
	assert_int_equal(process.untold, 0);
	assert_int_equal(spy.errors, 20); /* every one is counted */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_valid, fresh),
		cmocka_unit_test_setup(test_parents, fresh),
		cmocka_unit_test_setup(test_invalid, fresh),
		cmocka_unit_test_setup(test_consumed_without_ids, fresh),
		cmocka_unit_test_setup(test_verdict_fails_the_span, fresh),
		cmocka_unit_test_setup(test_burst_is_told_once, fresh),
		cmocka_unit_test_setup(test_log_carries_the_ids, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
