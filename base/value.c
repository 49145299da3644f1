#include "value.h"

#include "address.h"
#include "buf.h"
#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

/* Largest first: printing takes the first that leaves no remainder. */
static const struct unit bytes[] = { { "TiB", INT64_C(1) << 40 }, { "GiB", 1 << 30 },
	{ "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "", 1 }, { NULL, 0 } };
static const struct unit durations[] = { { "h", 3600 * (int64_t)CLOCK_SECOND },
	{ "m", 60 * (int64_t)CLOCK_SECOND }, { "s", (int64_t)CLOCK_SECOND },
	{ "ms", (int64_t)CLOCK_MILLI }, { "us", 1000 }, { "ns", 1 }, { NULL, 0 } };
static const struct unit milliseconds = { "", (int64_t)CLOCK_MILLI };
static const struct unit none = { "", 1 };

static int64_t
top(const struct option *row)
{
	if (row->max == 0 && row->min >= 0)
		return row->type == OPTION_MODE ? 07777 : INT64_MAX;
	return row->max;
}

static bool
in_bounds(const struct option *row, int64_t v)
{
	return v >= row->min && v <= top(row);
}

/* Digits of the base, at least one, into *v; what follows them is *end. Overflow is wrong. */
static bool
parse_digits(const char *s, unsigned base, int64_t *v, const char **end)
{
	const char *start = s;

	*v = 0;
	for (; *s >= '0' && *s < (char)('0' + base); s++) {
		if (__builtin_mul_overflow(*v, (int64_t)base, v) ||
		    __builtin_add_overflow(*v, *s - '0', v))
			return false;
	}
	*end = s;
	return s != start;
}

static const struct unit *
find_unit(const struct unit *units, const char *name)
{
	for (; units->name != NULL; units++) {
		if (strcasecmp(units->name, name) == 0)
			return units;
	}
	return NULL;
}

static bool
parse_number(const struct option *row, const char *text, bool variable, int64_t *out)
{
	unsigned base = row->type == OPTION_MODE ? 8 : 10;
	bool minus = row->type == OPTION_INT && text[0] == '-';
	const struct unit *unit = &none;
	const char *rest;
	int64_t v;

	if (!parse_digits(text + minus, base, &v, &rest))
		return false;
	if (minus)
		v = -v;
	if (row->type == OPTION_BYTES)
		unit = find_unit(bytes, rest);
	else if (row->type == OPTION_DURATION && *rest == '\0' && variable)
		unit = &milliseconds;
	else if (row->type == OPTION_DURATION && *rest == '\0' && v == 0)
		unit = &none;
	else if (row->type == OPTION_DURATION)
		unit = find_unit(durations, rest);
	else if (*rest != '\0')
		return false;
	if (unit == NULL || __builtin_mul_overflow(v, unit->factor, &v) || !in_bounds(row, v))
		return false;
	*out = v;
	return true;
}

static bool
parse_bool(const char *text, bool *out)
{
	if (strcasecmp(text, "true") != 0 && strcasecmp(text, "false") != 0)
		return false;
	*out = strcasecmp(text, "true") == 0;
	return true;
}

static bool
parse_ratio(const char *text, double *out)
{
	char *end;
	double v;

	/* strtod() alone would also take spaces, signs, "inf", "nan" and hexadecimals. */
	if (strspn(text, "0123456789.eE+-") != strlen(text) || text[0] == '+' || text[0] == '-')
		return false;
	v = strtod(text, &end);
	if (end == text || *end != '\0' || !(v >= 0 && v <= 1))
		return false;
	*out = v;
	return true;
}

/* Any case, as the OTEL_* rule for enumerations has it. */
static bool
parse_choice(const struct option *row, const char *text, int64_t *out)
{
	size_t len = strlen(text);
	const char *c = row->choices;

	for (int64_t i = 0;; i++) {
		size_t n = strcspn(c, "|");

		if (n == len && strncasecmp(c, text, n) == 0) {
			*out = i;
			return true;
		}
		if (c[n] == '\0')
			return false;
		c += n + 1;
	}
}

bool
value_parse(const struct option *row, const char *text, bool variable, void *field)
{
	struct address address;

	switch (row->type) {
	case OPTION_BOOL: return parse_bool(text, field);
	case OPTION_RATIO: return parse_ratio(text, field);
	case OPTION_CHOICE: return parse_choice(row, text, field);
	case OPTION_INT:
	case OPTION_MODE:
	case OPTION_BYTES:
	case OPTION_DURATION: return parse_number(row, text, variable, field);
	case OPTION_ADDRESS:
		if (!address_parse(text, &address))
			return false;
		break;
	case OPTION_STRING: break;
	case OPTION_LIST: return false;
	}
	*(const char **)field = text;
	return true;
}

static void
print_units(const struct unit *units, int64_t v, char out[VALUE_TEXT])
{
	while (units->factor > 1 && (v == 0 || v % units->factor != 0))
		units++;
	snprintf(out, VALUE_TEXT, "%" PRId64 "%s", v / units->factor, units->name);
}

static void
print_number(const struct option *row, int64_t v, char out[VALUE_TEXT])
{
	if (row->type == OPTION_BYTES)
		print_units(bytes, v, out);
	else if (row->type == OPTION_DURATION && v == 0)
		snprintf(out, VALUE_TEXT, "0s");
	else if (row->type == OPTION_DURATION)
		print_units(durations, v, out);
	else if (row->type == OPTION_MODE)
		snprintf(out, VALUE_TEXT, "%04" PRIo64, v);
	else
		snprintf(out, VALUE_TEXT, "%" PRId64, v);
}

/* The shortest text that is the same double again: 0.1, not 0.10000000000000001. */
static void
print_ratio(double v, char out[VALUE_TEXT])
{
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(out, VALUE_TEXT, "%.*g", digits, v);
		if (strtod(out, NULL) >= v && strtod(out, NULL) <= v)
			return;
	}
}

static void
print_choice(const struct option *row, int64_t index, char out[VALUE_TEXT])
{
	const char *c = row->choices;

	for (; index > 0; index--)
		c += strcspn(c, "|") + 1;
	snprintf(out, VALUE_TEXT, "%.*s", (int)strcspn(c, "|"), c);
}

void
value_print(const struct option *row, const void *field, char out[VALUE_TEXT])
{
	out[0] = '\0';
	if (row->type == OPTION_BOOL)
		snprintf(out, VALUE_TEXT, "%s", *(const bool *)field ? "true" : "false");
	else if (row->type == OPTION_RATIO)
		print_ratio(*(const double *)field, out);
	else if (row->type == OPTION_CHOICE)
		print_choice(row, *(const int64_t *)field, out);
	else if (row->type != OPTION_STRING && row->type != OPTION_ADDRESS &&
		 row->type != OPTION_LIST)
		print_number(row, *(const int64_t *)field, out);
}

bool
value_allowed(const struct option *row, const void *field)
{
	switch (row->type) {
	case OPTION_INT:
	case OPTION_MODE:
	case OPTION_BYTES:
	case OPTION_DURATION: return in_bounds(row, *(const int64_t *)field);
	case OPTION_STRING:
	case OPTION_ADDRESS: return *(const char *const *)field != NULL;
	default: return true;
	}
}

static void
expect_choices(const struct option *row, struct buf *b)
{
	const char *sep = "one of ";

	for (const char *c = row->choices; *c != '\0'; c += *c == '|') {
		size_t n = strcspn(c, "|");

		buf_put_str(b, sep);
		buf_put(b, c, n);
		c += n;
		sep = ", ";
	}
}

void
value_expected(const struct option *row, char out[VALUE_TEXT])
{
	static const char *const kinds[] = { [OPTION_BOOL] = "true or false",
		[OPTION_STRING] = "text",
		[OPTION_LIST] = "text",
		[OPTION_INT] = "a whole number",
		[OPTION_MODE] = "an octal mode such as 0660",
		[OPTION_BYTES] = "a size such as 512, 64KiB or 1GiB",
		[OPTION_DURATION] = "a duration such as 500ms, 5s or 10m",
		[OPTION_RATIO] = "a number from 0 to 1",
		[OPTION_CHOICE] = "",
		[OPTION_ADDRESS] = "host:port, [v6]:port or :port, with a port from 0 to 65535" };
	char end[VALUE_TEXT];
	struct buf b;

	buf_init(&b, out, VALUE_TEXT - 1);
	buf_put_str(&b, kinds[row->type]);
	if (row->type == OPTION_CHOICE)
		expect_choices(row, &b);
	if (row->type == OPTION_INT || row->type == OPTION_MODE || row->type == OPTION_BYTES ||
	    row->type == OPTION_DURATION) {
		print_number(row, row->min, end);
		buf_printf(&b, ", from %s", end);
		print_number(row, top(row), end);
		if (top(row) == INT64_MAX)
			buf_put_str(&b, " up");
		else
			buf_printf(&b, " to %s", end);
	}
	out[b.len] = '\0';
}
