#include "base/log.h"

#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct capture captured;

static void
capture(void)
{
	capture_start(&captured);
}

static const char *
release(void)
{
	capture_stop(&captured);
	assert_string_equal(captured.out, "");
	return captured.err;
}

static void
assert_matches(const char *text, const char *pattern)
{
	regex_t re;

	assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&re, text, 0, NULL, 0) != 0)
		fail_msg("'%s' is not like '%s'", text, pattern);
	regfree(&re);
}

#define TIME "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "

static void
test_line(void **state)
{
	(void)state;
	log_open("sidecard", LOG_INFO);
	capture();
	log_info("peer_gone", "service=%s open=%d", "adder", 3);
	assert_matches(release(), TIME "info sidecard event=peer_gone service=adder open=3\n$");
	capture();
	log_error("bare", "");
	assert_matches(release(), TIME "error sidecard event=bare\n$");
	capture();
	errno = ENOENT;
	log_warn("e", "error=%m");
	assert_int_equal(errno, ENOENT);
	assert_matches(release(), TIME "warn sidecard event=e error=No such file or directory\n$");
	log_open(NULL, LOG_INFO);
	capture();
	log_info("nameless", "");
	assert_matches(release(), TIME "info event=nameless\n$");
}

static void
test_levels(void **state)
{
	(void)state;
	for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
		const char *at;
		int lines = 0;

		log_open("x", (enum log_level)level);
		capture();
		log_error("a", "");
		log_warn("a", "");
		log_info("a", "");
		log_debug("a", "");
		for (at = release(); (at = strchr(at, '\n')) != NULL; at++)
			lines++;
		assert_int_equal(lines, level + 1);
		assert_true(log_on((enum log_level)level));
		assert_int_equal(log_on(LOG_DEBUG), level == LOG_DEBUG);
	}
	log_open("x", LOG_INFO);
}

/* Lines around the limit are whole up to LOG_LINE bytes with the newline, and cut from the next
 * on. */
static void
test_length(void **state)
{
	char value[2 * LOG_LINE];
	size_t frame;

	(void)state;
	capture();
	log_info("e", "v=%s", "");
	frame = strlen(release());
	for (size_t n = LOG_LINE - frame - 4; n < LOG_LINE - frame + 8; n++) {
		const char *line;

		memset(value, 'v', n);
		value[n] = '\0';
		capture();
		log_info("e", "v=%s", value);
		line = release();
		assert_int_equal(strlen(line), n + frame <= LOG_LINE ? n + frame : LOG_LINE);
		assert_int_equal(strstr(line, "v...\n") != NULL, n + frame > LOG_LINE);
		assert_int_equal(strchr(line, '\n') - line, strlen(line) - 1);
	}
	/* A character of three bytes on the cut, in each position: never half of it. */
	for (size_t shift = 0; shift < 3; shift++) {
		char *at = value;

		memset(value, 'v', shift);
		for (at += shift; at < value + LOG_LINE; at += 3)
			memcpy(at, "\xe2\x82\xac", 3);
		*at = '\0';
		capture();
		log_info("e", "v=%s", value);
		assert_non_null(strstr(release(), "\xe2\x82\xac...\n"));
	}
}

static void
test_one_line(void **state)
{
	(void)state;
	capture();
	log_info("e", "v=%s", "a\nb\rc\x1b[31m\x7f");
	assert_matches(release(), TIME "info x event=e v=a b c \\[31m \n$");
}

static void
test_lost(void **state)
{
	uint64_t before = log_lost();
	int saved = dup(STDERR_FILENO);

	(void)state;
	close(STDERR_FILENO);
	errno = 0;
	log_info("e", "");
	assert_int_equal(errno, 0);
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_int_equal(log_lost(), before + 1);
}

static void
test_quote(void **state)
{
	(void)state;
	assert_string_equal(log_quote("plain"), "plain");
	assert_string_equal(log_quote("a b"), "\"a b\"");
	assert_string_equal(log_quote(""), "\"\"");
	assert_string_equal(log_quote(NULL), "\"\"");
}

static void
test_quote_length(void **state)
{
	char in[400], expect[2000];

	(void)state;
	for (size_t n = 254; n < 258; n++) {
		memset(in, 'a', n);
		in[n] = '\0';
		snprintf(expect, sizeof(expect), "%.255s%s", in, n > 255 ? "..." : "");
		assert_string_equal(log_quote(in), expect);
	}
	/* The longest result there is. */
	memset(in, 0xff, sizeof(in) - 1);
	in[sizeof(in) - 1] = '\0';
	assert_in_range(strlen(log_quote(in)), 4 * 252 + 5, 4 * 255 + 5);
	/* A cut never halves a character. */
	for (size_t shift = 0; shift < 3; shift++) {
		memset(in, 'a', shift);
		for (size_t i = shift; i + 3 < sizeof(in); i += 3)
			memcpy(in + i, "\xe2\x82\xac", 4);
		assert_non_null(strstr(log_quote(in), "\xe2\x82\xac..."));
		assert_null(strchr(log_quote(in), '"'));
	}
}

static void
test_four_quotes(void **state)
{
	const char *a = log_quote("a"), *b = log_quote("b"), *c = log_quote("c"),
		   *d = log_quote("d");

	(void)state;
	assert_string_equal(a, "a");
	assert_string_equal(b, "b");
	assert_string_equal(c, "c");
	assert_string_equal(d, "d");
}

/* ---- JSON */

static json_t *
release_json(void)
{
	const char *line = release();
	json_error_t error;
	json_t *object;

	assert_in_range(strlen(line), 1, LOG_LINE);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	object = json_loads(line, JSON_REJECT_DUPLICATES, &error);
	if (object == NULL)
		fail_msg("%s: %s", error.text, line);
	return object;
}

static const char *
text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "(none)";
}

static void
test_json(void **state)
{
	json_t *line;

	(void)state;
	log_open("sidecard", LOG_INFO);
	log_format(LOG_JSON);
	capture();
	errno = ENOENT;
	log_warn("peer_gone", "service=%s open=%d why=%m", log_quote("7 \"x\"\n\xff"), 3);
	assert_int_equal(errno, ENOENT);
	line = release_json();
	assert_matches(text_of(line, "time"), "^[-0-9]{10}T[0-9:]{8}\\.[0-9]{3}Z$");
	assert_string_equal(text_of(line, "level"), "warn");
	assert_string_equal(text_of(line, "program"), "sidecard");
	assert_string_equal(text_of(line, "event"), "peer_gone");
	assert_string_equal(text_of(line, "service"), "7 \"x\"\n\xef\xbf\xbd");
	assert_int_equal(json_integer_value(json_object_get(line, "open")), 3);
	assert_string_equal(text_of(line, "why"), "No such file or directory");
	assert_int_equal(json_object_size(line), 7);
	json_decref(line);
	log_open(NULL, LOG_INFO);
	capture();
	log_info("bare", "");
	line = release_json();
	assert_int_equal(json_object_size(line), 3);
	json_decref(line);
	log_open("x", LOG_INFO);
	log_format(LOG_TEXT);
}

/* Around the limit every line is JSON, and says when it is not all. */
static void
test_json_length(void **state)
{
	char value[2 * LOG_LINE];
	size_t whole = 0, cut = 0;

	(void)state;
	log_format(LOG_JSON);
	for (size_t n = LOG_LINE - 140; n < LOG_LINE + 20; n++) {
		const char *text;
		json_t *line;

		memset(value, 'v', n);
		value[n] = '\0';
		capture();
		log_info("e", "v=%s n=1", value);
		line = release_json();
		text = text_of(line, "v");
		assert_int_equal(strspn(text, "v"), strlen(text));
		if (json_object_get(line, "n") != NULL) {
			assert_null(json_object_get(line, "cut"));
			assert_int_equal(strlen(text), n);
			assert_int_equal(cut, 0);
			whole++;
		} else {
			assert_true(json_is_true(json_object_get(line, "cut")));
			cut++;
		}
		json_decref(line);
	}
	assert_true(whole > 10 && cut > 10);
	log_format(LOG_TEXT);
}

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
static const uint8_t trace_id[16] = { 0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce,
	0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36 };
static const uint8_t span_id[8] = { 0, 0, 0, 0, 0, 0, 0x12, 0x34 };

static void *
write_without(void *arg)
{
	(void)arg;
	log_info("other", "");
	return NULL;
}

static void
test_context(void **state)
{
	static const uint8_t none[16];
	pthread_t other;
	json_t *line;

	(void)state;
	log_context(trace_id, span_id, 0xff);
	capture();
	log_info("e", "a=b");
	assert_matches(release(), TIME "info x event=e trace_id=" TRACE
				       " span_id=0000000000001234 trace_flags=03 a=b\n$");
	log_format(LOG_JSON);
	capture();
	log_info("e", "a=%0*d", 2 * LOG_LINE, 0); /* what is cut keeps them */
	line = release_json();
	assert_string_equal(text_of(line, "trace_id"), TRACE);
	assert_string_equal(text_of(line, "span_id"), "0000000000001234");
	assert_string_equal(text_of(line, "trace_flags"), "03");
	json_decref(line);
	log_format(LOG_TEXT);

	capture();
	assert_int_equal(pthread_create(&other, NULL, write_without, NULL), 0);
	pthread_join(other, NULL);
	assert_matches(release(), TIME "info x event=other\n$");
	for (int i = 0; i < 2; i++) {
		log_context(trace_id, span_id, 1);
		log_context(i == 0 ? NULL : none, span_id, 1);
		capture();
		log_info("e", "a=b");
		assert_matches(release(), TIME "info x event=e a=b\n$");
	}
}

static void *
write_lines(void *arg)
{
	for (int i = 0; i < 50; i++)
		log_info("thread", "who=%s end=1", log_quote(arg));
	return NULL;
}

static void
test_threads(void **state)
{
	static char names[4][8] = { "a a", "b b", "c c", "d d" };
	pthread_t threads[4];
	int lines = 0;

	(void)state;
	capture();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	release();
	for (char *line = captured.err, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		assert_matches(line, TIME "info x event=thread who=\"(a a|b b|c c|d d)\" end=1$");
		lines++;
	}
	assert_int_equal(lines, 200);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_quote_length),
		cmocka_unit_test(test_four_quotes),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_length),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
