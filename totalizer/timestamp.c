#include "timestamp.h"

#include <inttypes.h>
#include <stdio.h>

#define LAST_NS   ((uint64_t)INT64_MAX)
#define DAY       INT64_C(86400)
#define ERA_DAYS  146097 /* in 400 years */
#define EPOCH_DAY 719468 /* from 0000-03-01 to 1970-01-01 */

struct cursor {
	const char *at, *end;
	bool bad;
};

/* Exactly `digits` of them. */
static int
number(struct cursor *c, int digits)
{
	int v = 0;

	for (int i = 0; i < digits; i++, c->at++) {
		if (c->at == c->end || *c->at < '0' || *c->at > '9') {
			c->bad = true;
			return 0;
		}
		v = v * 10 + (*c->at - '0');
	}
	return v;
}

static bool
take(struct cursor *c, char lower)
{
	if (c->at == c->end || (*c->at | 0x20) != (lower | 0x20))
		return false;
	c->at++;
	return true;
}

static void
expect(struct cursor *c, char mark)
{
	if (c->at == c->end || *c->at != mark)
		c->bad = true;
	else
		c->at++;
}

static int
month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Years begin in March, so that the leap day is the last of its year: days from there are a linear
 * formula. */
static int64_t
days_since_epoch(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 + in_year - EPOCH_DAY;
}

static int64_t
fraction(struct cursor *c)
{
	int64_t ns = 0, unit = 100000000;
	const char *first;

	if (c->at == c->end || *c->at != '.')
		return 0;
	first = ++c->at;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, unit /= 10)
		ns += (*c->at - '0') * unit;
	if (c->at == first)
		c->bad = true;
	return ns;
}

/* Seconds east of UTC. */
static int64_t
zone(struct cursor *c)
{
	int64_t sign, hours, minutes;

	if (take(c, 'z'))
		return 0;
	if (c->at == c->end || (*c->at != '+' && *c->at != '-')) {
		c->bad = true;
		return 0;
	}
	sign = *c->at++ == '-' ? -1 : 1;
	hours = number(c, 2);
	expect(c, ':');
	minutes = number(c, 2);
	if (hours > 23 || minutes > 59)
		c->bad = true;
	return sign * (hours * 3600 + minutes * 60);
}

bool
timestamp_parse(struct wall *out, const char *text, size_t len)
{
	struct cursor c = { .at = text, .end = text + len };
	int year, month, day, hour, minute, second;
	int64_t ns, seconds;

	year = number(&c, 4);
	expect(&c, '-');
	month = number(&c, 2);
	expect(&c, '-');
	day = number(&c, 2);
	if (c.bad || !take(&c, 't'))
		return false;
	hour = number(&c, 2);
	expect(&c, ':');
	minute = number(&c, 2);
	expect(&c, ':');
	second = number(&c, 2);
	ns = fraction(&c);
	seconds = -zone(&c);
	if (c.bad || c.at != c.end || month < 1 || month > 12 || day < 1 ||
	    day > month_days(year, month) || hour > 23 || minute > 59 || second > 60)
		return false;
	seconds += days_since_epoch(year, month, day) * DAY + hour * INT64_C(3600) +
		   minute * INT64_C(60) + second;
	if (seconds < 0 || (uint64_t)seconds > LAST_NS / CLOCK_SECOND ||
	    (uint64_t)seconds * CLOCK_SECOND + (uint64_t)ns > LAST_NS)
		return false;
	out->ns = (uint64_t)seconds * CLOCK_SECOND + (uint64_t)ns;
	return true;
}

size_t
timestamp_format(struct wall when, char out[TIMESTAMP_TEXT])
{
	uint64_t ns = when.ns < LAST_NS ? when.ns : LAST_NS;
	int64_t seconds = (int64_t)(ns / CLOCK_SECOND);
	int64_t days = seconds / DAY + EPOCH_DAY, rest = seconds % DAY;
	int64_t era = days / ERA_DAYS, doe = days % ERA_DAYS;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / (ERA_DAYS - 1)) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t shifted = (5 * doy + 2) / 153; /* 0 is March */
	int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
	int64_t year = era * 400 + yoe + (month <= 2);

	/* The bounds above make every field fit; the modulos say so to the compiler. */
	snprintf(out, TIMESTAMP_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ",
	    (unsigned)(year % 10000), (unsigned)(month % 100),
	    (unsigned)((doy - (153 * shifted + 2) / 5 + 1) % 100), (unsigned)(rest / 3600 % 100),
	    (unsigned)(rest / 60 % 60), (unsigned)(rest % 60), (unsigned)(ns % CLOCK_SECOND));
	return TIMESTAMP_TEXT - 1;
}
