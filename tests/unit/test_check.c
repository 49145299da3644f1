/* --check, --help and --version: what the option table prints, and that --check's output parses
 * back. */
#include "base/option.h"

#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct config {
	const char *string, *address, *token;
	struct option_list list, pairs;
	int64_t number, mode, bytes, duration, choice, unset;
	double ratio;
	bool on, off;
};

#define AT(member) offsetof(struct config, member)

static const struct option rows[] = {
	{ .help = "What goes in" },
	{ .flag = "string",
	    .env = "T_STRING",
	    .type = OPTION_STRING,
	    .offset = AT(string),
	    .arg = "path",
	    .fallback = "/run/x.sock",
	    .help =
		"A help text that is too long for one line of eighty columns, so it is wrapped" },
	{ .flag = "address", .type = OPTION_ADDRESS, .offset = AT(address), .help = "Where" },
	{ .flag = "list", .type = OPTION_LIST, .offset = AT(list), .help = "Things" },
	{ .help = "The rest" },
	{ .flag = "number",
	    .type = OPTION_INT,
	    .offset = AT(number),
	    .min = INT64_MIN,
	    .max = INT64_MAX,
	    .help = "How many" },
	{ .flag = "mode", .type = OPTION_MODE, .offset = AT(mode), .help = "Who may" },
	{ .flag = "bytes", .type = OPTION_BYTES, .offset = AT(bytes), .help = "How much" },
	{ .flag = "a-flag-with-a-long-name",
	    .type = OPTION_DURATION,
	    .offset = AT(duration),
	    .help = "How long" },
	{ .flag = "choice",
	    .type = OPTION_CHOICE,
	    .offset = AT(choice),
	    .choices = "a|b/c|d",
	    .help = "Which" },
	{ .flag = "unset", .type = OPTION_INT, .offset = AT(unset), .min = 1, .max = 9 },
	{ .flag = "ratio", .type = OPTION_RATIO, .offset = AT(ratio), .help = "Part" },
	{ .flag = "on", .type = OPTION_BOOL, .offset = AT(on), .fallback = "true", .help = "Do" },
	{ .flag = "off", .type = OPTION_BOOL, .offset = AT(off), .help = "Do not" },
	{ .flag = "token",
	    .env = "T_TOKEN",
	    .type = OPTION_STRING,
	    .offset = AT(token),
	    .secret = true,
	    .help = "Secret" },
	{ .flag = "pair",
	    .type = OPTION_LIST,
	    .offset = AT(pairs),
	    .secret = true,
	    .help = "Secrets" },
};

static const struct option_program program = { .name = "prog",
	.version = "1.2.3",
	.summary = "Does it.",
	.rows = rows,
	.n = sizeof(rows) / sizeof(rows[0]) };

static struct capture said;

static enum option_outcome
parse(const struct option_program *p, int argc, const char **argv, struct config *config)
{
	enum option_outcome outcome;

	capture_start(&said);
	outcome = option_parse(p, argc, (char **)(uintptr_t)argv, config);
	capture_stop(&said);
	return outcome;
}

static void
free_lists(struct config *c)
{
	free((void *)(uintptr_t)c->list.items);
	free((void *)(uintptr_t)c->pairs.items);
}

static void
assert_same_text(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a != NULL)
		assert_string_equal(a, b);
}

static void
assert_same(const struct config *a, const struct config *b)
{
	assert_same_text(a->string, b->string);
	assert_same_text(a->address, b->address);
	assert_int_equal(a->list.n, b->list.n);
	for (size_t i = 0; i < a->list.n; i++)
		assert_string_equal(a->list.items[i], b->list.items[i]);
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->bytes, b->bytes);
	assert_int_equal(a->duration, b->duration);
	assert_int_equal(a->choice, b->choice);
	assert_int_equal(a->unset, b->unset);
	assert_memory_equal(&a->ratio, &b->ratio, sizeof(a->ratio));
	assert_int_equal(a->on, b->on);
	assert_int_equal(a->off, b->off);
}

/* The arguments that a POSIX shell makes of text, after argv[0]. They live in mem. */
static int
shell_words(const char *text, char *mem, size_t size, const char **argv, int max)
{
	FILE *sh;
	size_t n;
	int argc = 1;

	setenv("CHECKED", text, 1);
	sh = popen("set -e; eval \"set -- $CHECKED\"; printf '%s\\0' \"$@\"", "r");
	assert_non_null(sh);
	n = fread(mem, 1, size, sh);
	assert_int_equal(pclose(sh), 0);
	assert_true(n > 0 && n < size && mem[n - 1] == '\0');
	for (size_t i = 0; i < n; i += strlen(mem + i) + 1) {
		assert_true(argc < max);
		argv[argc++] = mem + i;
	}
	return argc;
}

static void
round_trip(int argc, const char **argv)
{
	static char mem[1 << 16], text[1 << 16];
	const char *again[64] = { argv[0] };
	struct config first, second;
	size_t n = 0;

	assert_int_equal(parse(&program, argc, argv, &first), OPTION_RUN);
	capture_start(&said);
	option_print(&program, &first);
	capture_stop(&said);
	/* A newline outside quotes ends an option: for the shell, a space. */
	for (bool quoted = false; said.out[n] != '\0'; n++) {
		text[n] = said.out[n];
		if (!quoted && text[n] == '\\') {
			n++;
			text[n] = said.out[n];
		} else if (text[n] == '\'') {
			quoted = !quoted;
		} else if (!quoted && text[n] == '\n') {
			text[n] = ' ';
		}
	}
	text[n] = '\0';
	argc = shell_words(text, mem, sizeof(mem), again, 64);
	assert_int_equal(parse(&program, argc, again, &second), OPTION_RUN);
	assert_string_equal(said.err, "");
	assert_same(&first, &second);
	free_lists(&first);
	free_lists(&second);
}

static void
test_round_trip(void **state)
{
	static const char *const args[] = { "--string=", "--string=it's", "--string=a\nb",
		"--string= ", "--string=$(exit 1)`x`\\", "--string=*?[a]~#!;&|<>()",
		"--string=--on", "--string='", "--string='''", "--string=\xff\x01", "--address=:0",
		"--address=[::1]:80", "--address=[fe80::1%eth0]:65535", "--list=", "--list=a=b",
		"--list='x' \"y\"", "--number=-9223372036854775807", "--number=9223372036854775807",
		"--mode=0", "--mode=7777", "--bytes=0", "--bytes=1", "--bytes=1023", "--bytes=1025",
		"--bytes=3KiB", "--bytes=5TiB", "--bytes=9223372036854775807",
		"--a-flag-with-a-long-name=1ns", "--a-flag-with-a-long-name=0",
		"--a-flag-with-a-long-name=90m", "--a-flag-with-a-long-name=1500ms",
		"--a-flag-with-a-long-name=9223372036854775807ns", "--choice=B/C", "--choice=d",
		"--unset=3", "--ratio=0.30000000000000004", "--ratio=1e-300", "--ratio=1",
		"--no-on", "--off" };

	(void)state;
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		const char *argv[] = { "prog", args[i] };

		round_trip(1 + (i > 0), argv);
		round_trip(2, argv);
	}
}

/* Values of every type at once, at random; strings of every byte but NUL. */
static void
test_round_trip_random(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 100; round++) {
		char args[8][64] = { "--string=", "--list=", "--list=" };
		const char *argv[9] = { "prog" };
		uint64_t r = (uint64_t)random() << 32 ^ (uint64_t)random() << 8;

		for (int k = 0; k < 3; k++) {
			size_t at = strlen(args[k]), n = at + (size_t)random() % 40;

			while (at < n)
				args[k][at++] = (char)(1 + random() % 255);
		}
		r &= INT64_MAX;
		r >>= random() % 63;
		snprintf(args[3], 64, "--number=-%" PRIu64, r);
		snprintf(args[4], 64, "--bytes=%" PRIu64, r);
		snprintf(args[5], 64, "--a-flag-with-a-long-name=%" PRIu64 "ns", r);
		snprintf(args[6], 64, "--ratio=%.17g", (double)r / 9223372036854775808.0);
		snprintf(args[7], 64, "--mode=%o", (unsigned)random() % 010000);
		for (int k = 0; k < 8; k++)
			argv[k + 1] = args[k];
		round_trip(9, argv);
	}
}

static void
test_secrets(void **state)
{
	const char *argv[] = { "prog", "--check", "--token=hunter2", "--pair=sasl.password=hunter2",
		"--pair=ssl.key.pem=hunter2", "--pair=hunter2", "--pair=linger.ms=5",
		"--pair=client.id=a-password" };
	struct config config;

	(void)state;
	assert_int_equal(parse(&program, 8, argv, &config), OPTION_CHECK);
	assert_string_equal(config.token, "hunter2");
	assert_string_equal(said.out, "");
	capture_start(&said);
	option_print(&program, &config);
	capture_stop(&said);
	assert_null(strstr(said.out, "hunter2"));
	assert_non_null(strstr(said.out,
	    "\n--token='***'\n--pair='sasl.password=***'\n--pair='ssl.key.pem=***'\n"
	    "--pair='***'\n--pair=linger.ms=5\n--pair=client.id=a-password\n"));
	free_lists(&config);
}

static void
test_required(void **state)
{
	static const struct option one[] = { { .flag = "brokers",
	    .env = "T_BROKERS",
	    .type = OPTION_STRING,
	    .offset = AT(string),
	    .required = true } };
	static const struct option_program p = {
		.name = "prog", .version = "1", .summary = "Does it.", .rows = one, .n = 1
	};
	const char *argv[] = { "prog", "--brokers=" };
	struct config config;

	(void)state;
	for (int argc = 1; argc <= 2; argc++) {
		assert_int_equal(parse(&p, argc, argv, &config), OPTION_WRONG);
		assert_string_equal(
		    said.err, "prog: --brokers is required: give it or set T_BROKERS\n");
	}
	setenv("T_BROKERS", "h:1", 1);
	assert_int_equal(parse(&p, 1, argv, &config), OPTION_RUN);
	unsetenv("T_BROKERS");
	capture_start(&said);
	option_complain(&p, "brokers", "needs another");
	capture_stop(&said);
	assert_string_equal(said.err, "prog: --brokers: needs another\n");
}

static void
test_help(void **state)
{
	static const char expect[] =
	    "Usage: prog [--option=value]...\n"
	    "\n"
	    "Does it.\n"
	    "\n"
	    "A flag beats its environment variable, which beats the default.\n"
	    "\n"
	    "What goes in\n"
	    "  --string path             A help text that is too long for "
	    "one line of eighty\n"
	    "                            columns, so it is wrapped [default "
	    "/run/x.sock;\n"
	    "                            T_STRING]\n"
	    "  --address host:port       Where\n"
	    "  --list text               Things [repeatable]\n"
	    "\n"
	    "The rest\n"
	    "  --number number           How many\n";
	const char *argv[] = { "prog", "--nonsense", "--help" };
	struct config config;

	(void)state;
	assert_int_equal(parse(&program, 3, argv, &config), OPTION_DONE);
	assert_string_equal(said.err, "");
	assert_memory_equal(said.out, expect, sizeof(expect) - 1);
	assert_non_null(strstr(said.out, "\n  --a-flag-with-a-long-name duration\n"
					 "                            How long\n"));
	assert_non_null(strstr(said.out, "\n  --choice a|b/c|d          Which\n"));
	assert_non_null(strstr(said.out, "\n  --on                      Do [default true]\n"));
	assert_non_null(strstr(said.out, "\n  --version                 "));
	for (char *line = said.out, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		assert_in_range(end - line, 0, 80);
}

static void
test_operands(void **state)
{
	static const char usage[] = "Usage: prog [--option=value]... [X Y]\n";
	const char *help[] = { "prog", "--help" }, *one[] = { "prog", "2" };
	struct option_program p = program;
	struct config config;

	(void)state;
	p.operands = "X Y";
	assert_int_equal(parse(&p, 2, help, &config), OPTION_DONE);
	assert_memory_equal(said.out, usage, sizeof(usage) - 1);
	assert_int_equal(parse(&p, 2, one, &config), OPTION_WRONG);
	assert_string_equal(said.err,
	    "prog: '2': not an option; all arguments are --option=value, and at the end X Y\n");
}

static void
test_version(void **state)
{
	const char *argv[] = { "prog", "--version" };
	struct config config;

	(void)state;
	assert_int_equal(parse(&program, 2, argv, &config), OPTION_DONE);
	assert_string_equal(said.out, "prog 1.2.3\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_round_trip_random),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
