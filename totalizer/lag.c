#include "lag.h"

void
lag_start(struct lag *l, int64_t position, int64_t end)
{
	*l = (struct lag){ .position = position, .end = end };
}

void
lag_read(struct lag *l, int64_t offset, struct wall produced)
{
	l->fresh = true;
	l->position = offset + 1;
	if (produced.ns != 0)
		l->produced = produced;
}

void
lag_at_end(struct lag *l, int64_t offset)
{
	l->fresh = true;
	if (offset > l->position)
		l->position = offset;
}

struct lag_report
lag_report(struct lag *l, int64_t watermark, struct wall answered)
{
	if (l->fresh && watermark >= 0)
		l->end = watermark;
	if (l->end > l->position)
		return (
		    struct lag_report){ .messages = l->end - l->position, .as_of = l->produced };
	return (struct lag_report){ .as_of = answered };
}
