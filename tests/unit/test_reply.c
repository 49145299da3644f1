/*
 * Golden bytes: google.rpc.Status{14, "busy", [RetryInfo 5.5 s]}, and ExportResponse with and
 * without partial success.
 */
#include "sidecar/answer.h"
#include "sidecar/backoff.h"
#include "sidecar/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char busy[] = "\x08\x0e\x12\x04"
			   "busy\x1a\x36\x0a\x28type.googleapis.com/google.rpc.RetryInfo"
			   "\x12\x0a\x0a\x08\x08\x05\x10\x80\xca\xb5\xee\x01";
static const char busy64[] =
    "CA4SBGJ1c3kaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIBRCAyrXuAQ==";
static const char partial[] = "\x0a\x06\x08\x03\x12\x02no";
static const char empty_partial[] = "\x0a\x00";

#define PROTOBUF TEXT("application/x-protobuf")
#define NONE     TEXT("")

static void
test_http_statuses(void **state)
{
	static const struct {
		int status;
		enum reply_verdict verdict;
	} rows[] = { { 200, REPLY_ACCEPTED }, { 202, REPLY_ACCEPTED }, { 301, REPLY_REJECTED },
		{ 400, REPLY_REJECTED }, { 401, REPLY_REJECTED }, { 404, REPLY_REJECTED },
		{ 413, REPLY_REJECTED }, { 429, REPLY_RETRY }, { 500, REPLY_REJECTED },
		{ 501, REPLY_REJECTED }, { 502, REPLY_RETRY }, { 503, REPLY_RETRY },
		{ 504, REPLY_RETRY } };
	struct reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		reply_http(&r, rows[i].status, 0, PROTOBUF, NULL, 0);
		assert_int_equal(r.verdict, rows[i].verdict);
		assert_int_equal(r.code, rows[i].status);
		assert_int_equal(r.retry_after, 0);
	}
}

static void
test_http_bodies(void **state)
{
	struct reply r;

	(void)state;
	reply_http(&r, 503, 7, PROTOBUF, busy, sizeof(busy) - 1);
	assert_int_equal(r.retry_after, 7000000000);
	assert_string_equal(r.message, "busy");
	reply_http(&r, 503, 86399, NONE, NULL, 0);
	assert_int_equal(r.retry_after, 86399 * INT64_C(1000000000));
	reply_http(&r, 503, 86400, NONE, NULL, 0);
	assert_int_equal(r.retry_after, 0);
	reply_http(&r, 503, INT64_MAX, NONE, NULL, 0);
	assert_int_equal(r.retry_after, 0);
	reply_http(&r, 200, 0, PROTOBUF, partial, sizeof(partial) - 1);
	assert_int_equal(r.rejected, 3);
	assert_string_equal(r.message, "no");
	reply_http(&r, 200, 0, PROTOBUF, empty_partial, sizeof(empty_partial) - 1);
	assert_int_equal(r.rejected, 0);
	assert_string_equal(r.message, "");
	reply_http(&r, 200, 0, PROTOBUF, "\xff\xff\xff", 3);
	assert_int_equal(r.verdict, REPLY_ACCEPTED);
	assert_string_not_equal(r.message, "");
	reply_http(&r, 200, 0, TEXT("text/html; charset=utf-8"), "<html>", 6);
	assert_int_equal(r.verdict, REPLY_RETRY);
	reply_http(&r, 400, 0, TEXT("text/plain"), busy, sizeof(busy) - 1);
	assert_string_equal(r.message, "");
}

static void
test_grpc_statuses(void **state)
{
	static const char verdicts[] =
	    "ARJJRJJJJJRRJJRRJ"; /* by status 0 to 16: accepted, retry, rejected */
	struct reply r;

	(void)state;
	for (int status = 0; status <= 16; status++) {
		reply_grpc(&r, 200, status, NONE, NONE, NULL, 0);
		assert_int_equal(r.verdict, verdicts[status] == 'A'   ? REPLY_ACCEPTED
					    : verdicts[status] == 'R' ? REPLY_RETRY
								      : REPLY_REJECTED);
	}
}

static void
test_grpc_details(void **state)
{
	struct reply r;
	struct text details = TEXT(busy64);

	(void)state;
	reply_grpc(&r, 200, 8, TEXT("100%25 full%0A"), details, NULL, 0);
	assert_int_equal(r.verdict, REPLY_RETRY);
	assert_int_equal(r.retry_after, 5500000000);
	assert_string_equal(r.message, "busy");
	details.len -= 2; /* without its padding */
	reply_grpc(&r, 200, 14, NONE, details, NULL, 0);
	assert_int_equal(r.retry_after, 5500000000);
	reply_grpc(&r, 200, 13, TEXT("100%25 full %zz %4"), TEXT("!!!"), NULL, 0);
	assert_string_equal(r.message, "100% full %zz %4");
	assert_int_equal(r.verdict, REPLY_REJECTED);
	reply_grpc(&r, 200, 0, NONE, NONE, partial, sizeof(partial) - 1);
	assert_int_equal(r.rejected, 3);
	/* Any cut of the details is read without harm. */
	for (details.len = 0; details.len < sizeof(busy64) - 1; details.len++)
		reply_grpc(&r, 200, 8, NONE, details, NULL, 0);
}

static void
test_no_grpc_status(void **state)
{
	struct reply r;

	(void)state;
	reply_grpc(&r, 200, -1, NONE, NONE, NULL, 0);
	assert_int_equal(r.verdict, REPLY_RETRY);
	reply_grpc(&r, 503, -1, NONE, NONE, NULL, 0);
	assert_int_equal(r.verdict, REPLY_RETRY);
	reply_grpc(&r, 404, -1, NONE, NONE, NULL, 0);
	assert_int_equal(r.verdict, REPLY_REJECTED);
	assert_int_equal(r.code, 12);
	assert_non_null(strstr(r.message, "404"));
	reply_grpc(&r, 404, -1, TEXT("no such service"), NONE, NULL, 0);
	assert_string_equal(r.message, "no such service");
	reply_none(&r, 7, "connection refused");
	assert_int_equal(r.verdict, REPLY_RETRY);
	reply_too_large(&r);
	assert_int_equal(r.verdict, REPLY_REJECTED);
}

static void
line(struct answer *a, const char *text)
{
	char *copy = malloc(strlen(text)); /* without its NUL: header lines have none */

	memcpy(copy, text, strlen(text));
	answer_line(a, copy, strlen(text));
	free(copy);
}

static void
test_answer_as_it_comes(void **state)
{
	static uint8_t plain[LIMIT_REPLY_BYTES];
	struct gzip *gzip = gzip_open();
	struct answer a = { 0 };
	uint8_t frame[256] = { 0 };
	struct reply r;
	size_t n;

	(void)state;
	answer_begin(&a, true);
	line(&a, "HTTP/2 200\r\n");
	line(&a, "Grpc-Status:  0\r\n");
	line(&a, "grpc-message:\r\n");
	frame[4] = sizeof(partial) - 1;
	memcpy(frame + 5, partial, sizeof(partial) - 1);
	for (size_t i = 0; i < 5 + sizeof(partial) - 1; i++)
		assert_true(answer_body(&a, frame + i, 1));
	answer_read(&a, 200, 0, gzip, plain, &r);
	assert_int_equal(r.rejected, 3);

	answer_begin(&a, true); /* compressed, as the Collector answers */
	line(&a, "grpc-status: 0\r\n");
	n = gzip_pack(gzip, partial, sizeof(partial) - 1, frame + 5, sizeof(frame) - 5);
	frame[0] = 1;
	frame[4] = (uint8_t)n;
	assert_true(answer_body(&a, frame, 5 + n));
	answer_read(&a, 200, 0, gzip, plain, &r);
	assert_int_equal(r.rejected, 3);

	static const char *const bad[] = { "grpc-status:\r\n", "grpc-status: x\r\n",
		"grpc-status: 123\r\n", "grpc-status: -1\r\n", "grpc-status: 99999999999\r\n" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		answer_begin(&a, true);
		line(&a, bad[i]);
		assert_int_equal(a.grpc_status, 2);
	}
	answer_begin(&a, false);
	assert_true(answer_body(&a, plain, LIMIT_REPLY_BYTES));
	assert_false(answer_body(&a, plain, 1));
	assert_true(a.too_large);
	answer_free(&a);
	gzip_close(gzip);
}

static void
test_backoff_grows_to_its_cap(void **state)
{
	struct backoff b = { 0 };
	uint64_t expected = BACKOFF_FIRST;

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct backoff least = b, most = b;
		uint64_t low = backoff_fail(&least, 0, 0),
			 high = backoff_fail(&most, 0, UINT32_MAX);

		assert_in_range(low, expected / 5 * 4 - 5, expected / 5 * 4 + 5);
		assert_in_range(high, expected / 5 * 6 - 5, expected / 5 * 6 + 5);
		b = least;
		expected = expected * 3 / 2 < BACKOFF_MOST ? expected * 3 / 2 : BACKOFF_MOST;
	}
	assert_int_equal(backoff_fail(&b, 90 * BACKOFF_FIRST, 0), 90 * BACKOFF_FIRST);
	backoff_well(&b);
	assert_in_range(backoff_fail(&b, 0, 0), BACKOFF_FIRST / 5 * 4 - 5, BACKOFF_FIRST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_statuses),
		cmocka_unit_test(test_http_bodies),
		cmocka_unit_test(test_grpc_statuses),
		cmocka_unit_test(test_grpc_details),
		cmocka_unit_test(test_no_grpc_status),
		cmocka_unit_test(test_answer_as_it_comes),
		cmocka_unit_test(test_backoff_grows_to_its_cap),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
