/* traceparent: every row of W3C Trace Context's rules, and every single wrong character. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/sidecar.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN  "b7ad6b7169203331"
#define GOOD  "00-" TRACE "-" SPAN "-01"

/* A copy whose end is the end of the mapped memory. */
static int
extract(const char *s, size_t len, struct sidecar_context *out)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *m = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int result;

	assert_ptr_not_equal(m, MAP_FAILED);
	assert_int_equal(mprotect(m + page, page, PROT_NONE), 0);
	memcpy(m + page - len, s, len);
	result = sidecar_extract(m + page - len, len, out);
	munmap(m, 2 * page);
	return result;
}

static void
table(void **state)
{
	static const struct {
		const char *header;
		int flags; /* -1: refused */
	} rows[] = {
		{ GOOD, SIDECAR_SAMPLED | SIDECAR_REMOTE },
		{ "00-" TRACE "-" SPAN "-00", SIDECAR_REMOTE },
		{ "00-" TRACE "-" SPAN "-02", SIDECAR_RANDOM | SIDECAR_REMOTE },
		{ "00-" TRACE "-" SPAN "-03", SIDECAR_SAMPLED | SIDECAR_RANDOM | SIDECAR_REMOTE },
		{ "00-" TRACE "-" SPAN "-ff", SIDECAR_SAMPLED | SIDECAR_RANDOM | SIDECAR_REMOTE },
		{ "00-" TRACE "-" SPAN "-fc", SIDECAR_REMOTE }, /* unknown bits alone */
		{ " \t" GOOD "\t ", SIDECAR_SAMPLED | SIDECAR_REMOTE },
		{ "ff-" TRACE "-" SPAN "-01", -1 }, { "0g-" TRACE "-" SPAN "-01", -1 },
		{ "CC-" TRACE "-" SPAN "-01", -1 },
		{ "00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", -1 },
		{ "00-" TRACE "-B7AD6B7169203331-01", -1 }, { "00-" TRACE "-" SPAN "-0A", -1 },
		{ "00-00000000000000000000000000000000-" SPAN "-01", -1 },
		{ "00-" TRACE "-0000000000000000-01", -1 }, { "00-" TRACE "-" SPAN "-01.", -1 },
		{ "00-" TRACE "-" SPAN "-01-x", -1 }, { "00-" TRACE "-" SPAN "-01-", -1 },
		{ "00-" TRACE "-" SPAN "-0", -1 }, { "00-" TRACE "-" SPAN "-", -1 },
		{ "00-" TRACE "-" SPAN, -1 }, { "cc-" TRACE "-" SPAN "-0", -1 },
		{ "cc-" TRACE "-" SPAN "-01", SIDECAR_SAMPLED | SIDECAR_REMOTE },
		{ "cc-" TRACE "-" SPAN "-01-what", SIDECAR_SAMPLED | SIDECAR_REMOTE },
		{ "cc-" TRACE "-" SPAN "-01-", SIDECAR_SAMPLED | SIDECAR_REMOTE },
		{ "cc-" TRACE "-" SPAN "-ff-what",
		    SIDECAR_SAMPLED | SIDECAR_RANDOM | SIDECAR_REMOTE },
		{ "cc-" TRACE "-" SPAN "-01.what", -1 }, { "", -1 }, { " ", -1 },
		{ GOOD "," GOOD, -1 }, /* the header twice, as it is joined */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sidecar_context c, none = { .flags = 0 };
		int expect = rows[i].flags < 0 ? -1 : 0;

		memset(&c, 0x5a, sizeof(c));
		assert_int_equal(extract(rows[i].header, strlen(rows[i].header), &c), expect);
		if (expect < 0) {
			assert_memory_equal(&c, &none, sizeof(c));
			continue;
		}
		assert_int_equal(c.flags, rows[i].flags);
		assert_int_equal(c.trace_id[0], 0x0a);
		assert_int_equal(c.trace_id[15], 0x9c);
		assert_int_equal(c.span_id[0], 0xb7);
		assert_int_equal(c.span_id[7], 0x31);
	}
}

/* One byte changed anywhere, to any value: accepted only where it is hex, or the version. */
static void
every_byte(void **state)
{
	(void)state;
	for (size_t at = 0; at < strlen(GOOD); at++) {
		for (int v = 0; v < 256; v++) {
			char s[] = GOOD;
			struct sidecar_context c;
			int hex = (v >= '0' && v <= '9') || (v >= 'a' && v <= 'f');
			int dash = at == 2 || at == 35 || at == 52;

			s[at] = (char)v;
			if ((at == 0 || at == 54) && (v == ' ' || v == '\t'))
				hex = 0;
			assert_int_equal(
			    extract(s, strlen(GOOD), &c), (dash ? v == '-' : hex) ? 0 : -1);
		}
	}
}

static void
every_length(void **state)
{
	struct sidecar_context c;

	(void)state;
	for (size_t n = 0; n <= strlen(GOOD); n++)
		assert_int_equal(extract(GOOD, n, &c), n == strlen(GOOD) ? 0 : -1);
	assert_int_equal(sidecar_extract(NULL, 0, &c), -1);
	assert_int_equal(c.flags, 0);
}

static void
inject(void **state)
{
	struct sidecar_context c;
	char out[SIDECAR_TRACEPARENT_SIZE];

	(void)state;
	assert_int_equal(sidecar_extract(GOOD, strlen(GOOD), &c), 0);
	assert_int_equal(sidecar_inject(&c, out), 55);
	assert_string_equal(out, GOOD);
	c.flags = 0xff; /* only what level 2 defines is sent */
	sidecar_inject(&c, out);
	assert_string_equal(out, "00-" TRACE "-" SPAN "-03");
	memset(c.span_id, 0, sizeof(c.span_id));
	assert_int_equal(sidecar_inject(&c, out), 0);
	assert_string_equal(out, "");
	sidecar_extract(GOOD, strlen(GOOD), &c);
	memset(c.trace_id, 0, sizeof(c.trace_id));
	assert_int_equal(sidecar_inject(&c, out), 0);
	assert_int_equal(sidecar_inject(NULL, out), 0);
	assert_string_equal(out, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table),
		cmocka_unit_test(every_byte),
		cmocka_unit_test(every_length),
		cmocka_unit_test(inject),
	};

	return cmocka_run_group_tests_name("client_traceparent", tests, NULL, NULL);
}
