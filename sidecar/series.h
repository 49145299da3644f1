/*
 * series.h -- time series with label sets, of every service and metric, within fixed memory. Pure.
 *
 * A family is one metric of one service. Its series are counted against LIMIT_LABEL_SETS; the lines
 * of all series on /metrics against LIMIT_SERIES, and the text of these lines against
 * LIMIT_SERIES_TEXT. Where one is reached, or label text does not fit, samples go to the family's
 * overflow series, for which room is set aside: a sample always finds a series, of its own service.
 */
#ifndef SERIES_H
#define SERIES_H

#include "hist.h"
#include "labels.h"
#include "limits.h"
#include "metric.h"
#include "pool.h"
#include "service.h"
#include "shelf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum series_form {
	SERIES_COUNT, /* events: a whole number */
	SERIES_TOTAL, /* a sum of doubles */
	SERIES_HELD,  /* values of connections; see held.h */
	SERIES_DURATIONS,
	SERIES_SAMPLES
};

struct family {               /* zeroed: empty; family_init() first */
	uint32_t first, last; /* its series in order of appearance; 0: none */
	uint32_t n;           /* label sets, the overflow series not included */
	uint32_t overflow;    /* that series; 0: not needed yet */
	uint32_t lines;       /* that one of its series has on /metrics */
	uint32_t line;        /* bytes of such a line at most, but for its labels */
};

struct series {
	struct family *family;
	uint64_t hash;
	uint32_t number, chain;
	uint32_t prev, next; /* in the family */
	uint32_t place;      /* its labels on the shelf: key, then attrs; 0: the overflow series */
	uint16_t key_len, attrs_len;
	uint32_t hist; /* of DURATIONS and SAMPLES: a number in hists */
	bool negative; /* SAMPLES: a value below 0 was among them */
	union {
		struct total total;
		uint64_t count;
		struct held *held; /* the first of a list */
	} value;
};

enum { SERIES_BUCKETS = 1 << 17 };

struct series_store {
	uint64_t seed;
	uint32_t charged; /* against LIMIT_SERIES, by whoever keeps series */
	uint32_t text;    /* likewise, against LIMIT_SERIES_TEXT */
	struct pool pool, hists;
	struct shelf shelf; /* label text, and names for others */
	uint32_t buckets[SERIES_BUCKETS];
};

size_t series_bytes(void); /* beside struct series_store; zeroed, touched only when used */
void series_init(struct series_store *, void *mem, uint64_t hash_seed);

/* Room on /metrics for series that are kept elsewhere, or for an overflow series to come. */
bool series_charge(struct series_store *, uint32_t lines, uint32_t bytes);
void series_release(struct series_store *, uint32_t lines, uint32_t bytes); /* as charged */

/* Bytes at most of one line on /metrics but for its labels: for a metric with a name that long, the
 * service's labels included. */
uint32_t series_line(uint32_t name_len, const struct service *);

/* name_len: of the name as /metrics shows it. */
void family_init(struct family *, const struct metric *, uint32_t name_len, const struct service *);
/* Bytes at most that one of its series takes there, with that key: with all of its lines. */
uint32_t family_bytes(const struct family *, struct text key);

/* Find or add; else the overflow series, counted in stats.overflowed. Never NULL: families other
 * than those of struct metric's fixed ones have charged one series for the overflow. */
struct series *
series_get(struct series_store *, struct family *, enum series_form, const struct labels *);

/* Of HELD only: nobody holds a value any more. */
void series_remove(struct series_store *, struct series *);

static inline struct series *
series_at(const struct series_store *s, uint32_t number)
{
	return number == 0 ? NULL : pool_at(&s->pool, number);
}

static inline struct hist *
series_hist(const struct series_store *s, const struct series *it)
{
	return pool_at(&s->hists, it->hist);
}

/* Borrowed until the series goes. */
struct text series_key(const struct series_store *, const struct series *);
struct text series_attrs(const struct series_store *, const struct series *);

/* The overflow series' two forms, for series that are kept elsewhere. */
extern const struct text series_overflow_key, series_overflow_attrs;

#endif
