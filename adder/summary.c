#include "summary.h"

#include "base/buf.h"

#include <inttypes.h>
#include <string.h>

enum { STEP_BITS = 6 };

_Static_assert(SUMMARY_STEPS == 1 << STEP_BITS, "one is the logarithm of the other");

/*
 * Values below 2 * STEPS have a bucket each. Above, a value with its highest bit at e is cut to its
 * STEP_BITS + 1 highest bits:
 *	1xxxxxx........   bucket (e - STEP_BITS) * STEPS + 1xxxxxx
 */
static size_t
bucket_of(uint64_t ns)
{
	unsigned shift;

	if (ns < 2 * SUMMARY_STEPS)
		return (size_t)ns;
	shift = 63U - (unsigned)__builtin_clzll(ns) - STEP_BITS;
	return (size_t)shift * SUMMARY_STEPS + (size_t)(ns >> shift);
}

/* The largest value that falls into the bucket. */
static uint64_t
bucket_top(size_t bucket)
{
	size_t shift;

	if (bucket < 2 * SUMMARY_STEPS)
		return bucket;
	shift = bucket / SUMMARY_STEPS - 1;
	return ((uint64_t)(bucket - shift * SUMMARY_STEPS) << shift) + ((UINT64_C(1) << shift) - 1);
}

void
summary_init(struct summary *s)
{
	memset(s, 0, sizeof(*s));
}

void
summary_add(struct summary *s, enum status code, int64_t sum, uint64_t latency_ns)
{
	s->calls++;
	s->codes[status_of((int)code)]++;
	if (code == STATUS_OK)
		s->sum += sum;
	s->latency[bucket_of(latency_ns)]++;
	if (latency_ns > s->latency_max)
		s->latency_max = latency_ns;
}

uint64_t
summary_percentile(const struct summary *s, double share)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < SUMMARY_BUCKETS; i++) {
		seen += s->latency[i];
		if (s->latency[i] > 0 && (double)seen >= share * (double)s->calls) {
			uint64_t top = bucket_top(i);

			return top < s->latency_max ? top : s->latency_max;
		}
	}
	return s->latency_max;
}

uint64_t
summary_unknown(const struct summary *s)
{
	uint64_t n = 0;

	for (int code = 0; code < STATUS_CODES; code++) {
		if (status_is_unknown_outcome((enum status)code))
			n += s->codes[code];
	}
	return n;
}

bool
summary_all_ok(const struct summary *s)
{
	return s->codes[STATUS_OK] == s->calls && s->not_started == 0;
}

static void
put_int128(struct buf *b, __int128 value)
{
	char digits[40]; /* 2^127 has 39 */
	size_t n = sizeof(digits);
	unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;

	digits[--n] = '\0';
	do {
		digits[--n] = (char)('0' + (int)(rest % 10));
		rest /= 10;
	} while (rest > 0);
	if (value < 0)
		buf_put_u8(b, '-');
	buf_put_str(b, digits + n);
}

static double
ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static double
rate(const struct summary *s, double seconds)
{
	return seconds > 0 ? (double)s->calls / seconds : 0;
}

void
summary_print(const struct summary *s, double seconds, struct buf *b)
{
	buf_printf(b, "calls    %" PRIu64 " in %.1f s (%.1f a second)\n", s->calls, seconds,
	    rate(s, seconds));
	buf_printf(b, "latency  p50 %.3f ms, p90 %.3f ms, p99 %.3f ms, max %.3f ms\n",
	    ms(summary_percentile(s, 0.5)), ms(summary_percentile(s, 0.9)),
	    ms(summary_percentile(s, 0.99)), ms(s->latency_max));
	for (int code = 0; code < STATUS_CODES; code++) {
		if (s->codes[code] > 0)
			buf_printf(b, "%-8s %" PRIu64 "\n", status_name((enum status)code),
			    s->codes[code]);
	}
	if (s->not_started > 0)
		buf_printf(b, "not started %" PRIu64 "\n", s->not_started);
	buf_put_str(b, "sum      ");
	put_int128(b, s->sum);
	buf_printf(b, " acknowledged\nunknown  %" PRIu64 " outcomes\n", summary_unknown(s));
}

void
summary_print_json(const struct summary *s, double seconds, struct buf *b)
{
	const char *comma = "";

	buf_printf(b, "{\"calls\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"unknown\":%" PRIu64, s->calls,
	    s->codes[STATUS_OK], summary_unknown(s));
	buf_printf(b, ",\"not_started\":%" PRIu64 ",\"sum\":", s->not_started);
	put_int128(b, s->sum);
	buf_printf(b, ",\"seconds\":%.3f,\"rate\":%.3f,\"codes\":{", seconds, rate(s, seconds));
	for (int code = 0; code < STATUS_CODES; code++) {
		if (s->codes[code] == 0)
			continue;
		buf_printf(
		    b, "%s\"%s\":%" PRIu64, comma, status_name((enum status)code), s->codes[code]);
		comma = ",";
	}
	buf_printf(b, "},\"latency_ms\":{\"p50\":%.6f,\"p90\":%.6f,\"p99\":%.6f,\"max\":%.6f}}\n",
	    ms(summary_percentile(s, 0.5)), ms(summary_percentile(s, 0.9)),
	    ms(summary_percentile(s, 0.99)), ms(s->latency_max));
}
