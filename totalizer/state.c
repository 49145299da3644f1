#include "state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool
state_equal(const struct state *a, const struct state *b)
{
	return a->next == b->next && a->count == b->count && total_equal(a->total, b->total);
}

size_t
state_format(const struct state *s, char out[STATE_TEXT])
{
	char total[TOTAL_TEXT];

	total_format(s->total, total);
	return (size_t)snprintf(out, STATE_TEXT,
	    "totalizer/1 next=%" PRId64 " count=%" PRId64 " total=%s;", s->next, s->count, total);
}

/* One "prefix<number>" up to the end mark, which stays; moves *text behind it. */
static bool
field(const char **text, const char *end, const char *prefix, char mark, struct total *value)
{
	size_t skip = strlen(prefix);
	const char *stop;

	if ((size_t)(end - *text) < skip || memcmp(*text, prefix, skip) != 0)
		return false;
	*text += skip;
	stop = memchr(*text, mark, (size_t)(end - *text));
	if (!stop || !total_parse(value, *text, (size_t)(stop - *text)))
		return false;
	*text = stop;
	return true;
}

bool
state_parse(struct state *s, int64_t offset, const void *text, size_t len)
{
	const char *p = text, *end = p + len;
	struct total next, count, total;

	if (len >= STATE_TEXT || offset < 0 || !field(&p, end, "totalizer/1 next=", ' ', &next) ||
	    !field(&p, end, " count=", ' ', &count) || !field(&p, end, " total=", ';', &total) ||
	    p + 1 != end)
		return false;
	/* More messages than offsets, or a sum of nothing, was never written here. */
	if (!total_equal(next, total_of(offset)) || count.hi != 0 || count.lo > (uint64_t)offset ||
	    (count.lo == 0 && !total_equal(total, total_of(0))))
		return false;
	*s = (struct state){ .next = offset, .count = (int64_t)count.lo, .total = total };
	return true;
}
