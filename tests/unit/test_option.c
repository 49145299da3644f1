#include "base/option.h"

#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config {
	const char *string, *bare, *address;
	struct option_list list;
	int64_t number, mode, bytes, duration, delay, choice;
	double ratio;
	bool on, off;
};

#define AT(member) offsetof(struct config, member)

static const struct option rows[] = {
	{ .help = "First" },
	{ .flag = "string",
	    .env = "T_STRING",
	    .type = OPTION_STRING,
	    .offset = AT(string),
	    .fallback = "it's \"so\"",
	    .help = "Text" },
	{ .flag = "bare",
	    .env = "T_BARE",
	    .type = OPTION_STRING,
	    .offset = AT(bare),
	    .help = "Text" },
	{ .flag = "address", .type = OPTION_ADDRESS, .offset = AT(address), .fallback = ":80" },
	{ .flag = "list",
	    .env = "T_LIST",
	    .type = OPTION_LIST,
	    .offset = AT(list),
	    .help = "Pairs" },
	{ .help = "Second" },
	{ .flag = "number",
	    .type = OPTION_INT,
	    .offset = AT(number),
	    .fallback = "-3",
	    .min = -5,
	    .max = 5 },
	{ .flag = "mode",
	    .type = OPTION_MODE,
	    .offset = AT(mode),
	    .fallback = "0660",
	    .max = 0777 },
	{ .flag = "bytes",
	    .env = "T_BYTES",
	    .type = OPTION_BYTES,
	    .offset = AT(bytes),
	    .fallback = "64MiB",
	    .min = 512,
	    .max = INT64_C(1) << 40 },
	{ .flag = "duration",
	    .env = "T_DURATION",
	    .type = OPTION_DURATION,
	    .offset = AT(duration),
	    .fallback = "5s" },
	{ .flag = "delay",
	    .env = "OTEL_T_DELAY",
	    .type = OPTION_DURATION,
	    .offset = AT(delay),
	    .fallback = "500ms",
	    .min = 1000000 },
	{ .flag = "choice",
	    .env = "T_CHOICE",
	    .type = OPTION_CHOICE,
	    .offset = AT(choice),
	    .fallback = "grpc",
	    .choices = "grpc|http/protobuf|http" },
	{ .flag = "ratio", .type = OPTION_RATIO, .offset = AT(ratio), .fallback = "0.1" },
	{ .flag = "on", .env = "T_ON", .type = OPTION_BOOL, .offset = AT(on), .fallback = "true" },
	{ .flag = "off", .env = "T_OFF", .type = OPTION_BOOL, .offset = AT(off) },
};

static const struct option_program program = { .name = "prog",
	.version = "1.2.3",
	.summary = "Does it.",
	.rows = rows,
	.n = sizeof(rows) / sizeof(rows[0]) };

static struct capture said;
static struct config config;

static enum option_outcome
parse(const char *a, const char *b, const char *c)
{
	const char *argv[] = { "prog", a, b, c, NULL };
	enum option_outcome outcome;
	int argc = 1;

	while (argc < 4 && argv[argc] != NULL)
		argc++;
	memset(&config, 0xa5, sizeof(config)); /* every field is written */
	capture_start(&said);
	outcome = option_parse(&program, argc, (char **)(uintptr_t)argv, &config);
	capture_stop(&said);
	return outcome;
}

static void
free_list(void)
{
	free((void *)(uintptr_t)config.list.items);
	config.list = (struct option_list){ 0 };
}

static void
test_defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(NULL, NULL, NULL), OPTION_RUN);
	assert_string_equal(said.out, "");
	assert_string_equal(said.err, "");
	assert_string_equal(config.string, "it's \"so\"");
	assert_null(config.bare);
	assert_string_equal(config.address, ":80");
	assert_int_equal(config.list.n, 0);
	assert_int_equal(config.number, -3);
	assert_int_equal(config.mode, 0660);
	assert_int_equal(config.bytes, 64 << 20);
	assert_int_equal(config.duration, 5000000000);
	assert_int_equal(config.delay, 500000000);
	assert_int_equal(config.choice, 0);
	assert_true(config.ratio > 0.0999 && config.ratio < 0.1001);
	assert_true(config.on);
	assert_false(config.off);
}

static void
test_precedence(void **state)
{
	(void)state;
	setenv("T_STRING", "from the environment", 1);
	setenv("T_DURATION", "250", 1);
	setenv("T_LIST", "e=1", 1);
	setenv("T_OFF", "TRUE", 1);
	assert_int_equal(parse(NULL, NULL, NULL), OPTION_RUN);
	assert_string_equal(config.string, "from the environment");
	assert_int_equal(config.duration, 250000000); /* a bare integer: milliseconds */
	assert_int_equal(config.list.n, 1);
	assert_string_equal(config.list.items[0], "e=1");
	assert_true(config.off);
	free_list();

	assert_int_equal(parse("--string=", "--no-off", "--list=f=2"), OPTION_RUN);
	assert_string_equal(config.string, "");
	assert_false(config.off);
	assert_int_equal(config.list.n, 1);
	assert_string_equal(config.list.items[0], "f=2");
	free_list();

	setenv("T_DURATION", "3h", 1);
	setenv("T_STRING", "", 1); /* empty is unset */
	unsetenv("T_LIST");
	assert_int_equal(parse("--list", "a", "--list=b"), OPTION_RUN);
	assert_int_equal(config.duration, INT64_C(10800000000000));
	assert_string_equal(config.string, "it's \"so\"");
	assert_int_equal(config.list.n, 2);
	assert_string_equal(config.list.items[0], "a");
	assert_string_equal(config.list.items[1], "b");
	free_list();

	setenv("T_BYTES", "nonsense", 1); /* not looked at when the flag is given */
	assert_int_equal(parse("--bytes=1KiB", "--bytes", "2kib"), OPTION_RUN);
	assert_int_equal(config.bytes, 2048); /* the last one counts */
	assert_int_equal(parse(NULL, NULL, NULL), OPTION_WRONG);
	assert_non_null(strstr(said.err, "prog: --bytes (from T_BYTES): 'nonsense'"));
	unsetenv("T_BYTES");
	unsetenv("T_DURATION");
	unsetenv("T_STRING");
	unsetenv("T_OFF");
}

/* The rule for the variables of OpenTelemetry: warn, go on as if unset. */
static void
test_otel(void **state)
{
	static const char *const wrong[] = { "abc", "-1", "0", "1.5", "99999999999999999999" };

	(void)state;
	setenv("OTEL_T_DELAY", "40", 1);
	assert_int_equal(parse(NULL, NULL, NULL), OPTION_RUN);
	assert_int_equal(config.delay, 40000000);
	assert_string_equal(said.err, "");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv("OTEL_T_DELAY", wrong[i], 1);
		assert_int_equal(parse(NULL, NULL, NULL), OPTION_RUN);
		assert_int_equal(config.delay, 500000000);
		assert_non_null(strstr(said.err, "--delay (from OTEL_T_DELAY)"));
		assert_non_null(strstr(said.err, wrong[i]));
		assert_non_null(strstr(said.err, "ignored\n"));
	}
	unsetenv("OTEL_T_DELAY");
}

static void
test_values(void **state)
{
	static const struct {
		const char *arg;
		bool right;
	} cases[] = {
		{ "--number=5", true },
		{ "--number=6", false },
		{ "--number=-5", true },
		{ "--number=-6", false },
		{ "--number=", false },
		{ "--number=-", false },
		{ "--number=+1", false },
		{ "--number= 1", false },
		{ "--number=1 ", false },
		{ "--number=0x1", false },
		{ "--number=99999999999999999999", false },
		{ "--mode=777", true },
		{ "--mode=0777", true },
		{ "--mode=1000", false },
		{ "--mode=8", false },
		{ "--mode=-1", false },
		{ "--bytes=512", true },
		{ "--bytes=511", false },
		{ "--bytes=1TiB", true },
		{ "--bytes=2TiB", false },
		{ "--bytes=1024GiB", true },
		{ "--bytes=1KB", false },
		{ "--bytes=1.5KiB", false },
		{ "--bytes=KiB", false },
		{ "--bytes=9223372036854775807TiB", false },
		{ "--bytes=1 KiB", false },
		{ "--duration=0", true },
		{ "--duration=0s", true },
		{ "--duration=5", false },
		{ "--duration=5s", true },
		{ "--duration=-5s", false },
		{ "--duration=1.5s", false },
		{ "--duration=2540400h", true },
		{ "--duration=2562048h", false },
		{ "--duration=7ns", true },
		{ "--delay=999us", false },
		{ "--delay=1000us", true },
		{ "--ratio=0", true },
		{ "--ratio=1", true },
		{ "--ratio=1.0000001", false },
		{ "--ratio=-0", false },
		{ "--ratio=1e-3", true },
		{ "--ratio=nan", false },
		{ "--ratio=inf", false },
		{ "--ratio=0x1p-1", false },
		{ "--ratio=.5", true },
		{ "--ratio=", false },
		{ "--ratio=0.5x", false },
		{ "--choice=HTTP", true },
		{ "--choice=htt", false },
		{ "--choice=http/protobuf", true },
		{ "--choice=grpc|http", false },
		{ "--choice=", false },
		{ "--on=TRUE", true },
		{ "--on=1", false },
		{ "--on=", false },
		{ "--address=h:0", true },
		{ "--address=h:65535", true },
		{ "--address=h:65536", false },
		{ "--address=h", false },
		{ "--address=h:", false },
		{ "--address=:1", true },
		{ "--address=[::1]:1", true },
		{ "--address=[::1]", false },
		{ "--address=[::1:1", false },
		{ "--address=[fe80::1%eth0]:1", true },
		{ "--address=[fe80::1%]:1", false },
		{ "--address=[x]:1", false },
		{ "--address=[]:1", false },
		{ "--address=::1:1", false },
		{ "--address=", false },
		{ "--address=http://h:1", false },
		{ "--address=a b:1", false },
		{ "--address=h:+1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum option_outcome outcome = parse(cases[i].arg, NULL, NULL);
		const char *equals = strchr(cases[i].arg, '=');
		char says[128];

		if (outcome != (cases[i].right ? OPTION_RUN : OPTION_WRONG))
			fail_msg("%s gave %d: %s", cases[i].arg, (int)outcome, said.err);
		if (cases[i].right)
			continue;
		snprintf(says, sizeof(says), "prog: %.*s: '%s' is wrong, expected ",
		    (int)(equals - cases[i].arg), cases[i].arg, equals + 1);
		assert_memory_equal(said.err, says, strlen(says));
		assert_int_equal(
		    strchr(said.err, '\n') - said.err, strlen(said.err) - 1); /* one line */
	}
}

static void
test_errors(void **state)
{
	static const struct {
		const char *a, *b, *says;
	} cases[] = {
		{ "--bytes=1", NULL, "a size such as 512, 64KiB or 1GiB, from 512 to 1TiB\n" },
		{ "--number=9", NULL, "a whole number, from -5 to 5\n" },
		{ "--mode=9", NULL, "an octal mode such as 0660, from 0000 to 0777\n" },
		{ "--delay=1", NULL, "a duration such as 500ms, 5s or 10m, from 1ms up\n" },
		{ "--choice=x", NULL, "one of grpc, http/protobuf, http\n" },
		{ "--strnig=x", NULL, "--strnig: no such option; did you mean --string?\n" },
		{ "--no-onn", NULL, "did you mean --no-on?\n" },
		{ "--vresion", NULL, "did you mean --version?\n" },
		{ "--altogether-else", NULL, "no such option; --help lists them\n" },
		{ "--no-string", NULL, "--no-string: no such option" },
		{ "--no-on=true", NULL, "--no-on takes no value\n" },
		{ "--string", NULL, "--string needs a value: text\n" },
		{ "--string", "--on", "--string needs a value" },
		{ "--check=1", NULL, "--check: no such option" },
		{ "word", NULL, "prog: 'word': not an option" },
		{ "-h", NULL, "prog: '-h': not an option" },
		{ "--", NULL, "prog: '--': not an option" },
		{ "", NULL, "prog: '': not an option" },
		{ "--on", "false", "prog: 'false': not an option" },
		{ "--=x", NULL, "no such option" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse(cases[i].a, cases[i].b, NULL), OPTION_WRONG);
		if (strstr(said.err, cases[i].says) == NULL)
			fail_msg("'%s' gave '%s'", cases[i].a, said.err);
		assert_int_equal(strchr(said.err, '\n') - said.err, strlen(said.err) - 1);
		assert_string_equal(said.out, "");
	}
	assert_int_equal(parse("--string=--on", NULL, NULL), OPTION_RUN);
	assert_string_equal(config.string, "--on");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_otel),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
