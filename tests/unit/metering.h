/*
 * metering.h -- a meter with its services, and its page as text, for tests.
 */
#ifndef METERING_H
#define METERING_H

#include "sidecar/expose.h"
#include "sidecar/stat.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define WALL UINT64_C(1700000000000000000)

enum { PAGE_BYTES = 64 << 20 };

struct metering {
	struct meter *meter;
	struct services services;
	struct process process;
	struct mono now;
	char *page;
};

static inline void *
metering_map(size_t n)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static inline void
metering_open(struct metering *t)
{
	stats = (struct stats){ 0 };
	*t = (struct metering){ .meter = meter_init(metering_map(meter_bytes()), 0x5eed),
		.services = { .at = metering_map(SERVICES_BYTES) },
		.process = { .version = "1.2.3" },
		.now = { CLOCK_SECOND * 1000 },
		.page = metering_map(PAGE_BYTES) };
}

static inline void
metering_close(struct metering *t)
{
	munmap(t->meter, meter_bytes());
	munmap(t->services.at, SERVICES_BYTES);
	munmap(t->page, PAGE_BYTES);
}

static inline struct text
text_of(const char *s)
{
	return (struct text){ .s = s, .len = (uint32_t)strlen(s) };
}

/* The texts are borrowed. */
static inline struct service *
metering_service(struct metering *t, const char *space, const char *name)
{
	struct service *s = &t->services.at[t->services.n];

	*s = (struct service){
		.space = text_of(space), .name = text_of(name), .number = t->services.n++
	};
	return s;
}

/* The page, with its NUL. */
static inline const char *
metering_page(struct metering *t)
{
	struct buf out;

	buf_init(&out, t->page, PAGE_BYTES - 1);
	expose_text(t->meter, &t->services, &t->process, t->now, &out);
	assert_false(out.failed);
	t->page[out.len] = '\0';
	return t->page;
}

/* The value that a page has for a series, written as on the page; NAN when it has none. */
static inline double
page_value(const char *page, const char *series)
{
	size_t n = strlen(series);

	for (const char *line = page; *line != '\0'; line = strchr(line, '\n') + 1)
		if (strncmp(line, series, n) == 0 && line[n] == ' ')
			return strtod(line + n + 1, NULL);
	return NAN;
}

/* A number as text, so that a failed comparison shows both; the last few are kept. */
static inline const char *
page_text(double v)
{
	static char text[4][40];
	static unsigned next;

	next = (next + 1) % 4;
	snprintf(text[next], sizeof(text[0]), "%.17g", v);
	return text[next];
}

#define ASSERT_VALUE(page, series, value) \
	assert_string_equal(page_text(page_value(page, series)), page_text(value))

#endif
