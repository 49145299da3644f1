#include "queue.h"

#include "limits.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

struct batch *
batch_new(enum target_signal signal, bool gzip, const void *body, size_t len,
    const struct otlp_share *shares, unsigned n, uint64_t items)
{
	struct batch *b = malloc(sizeof(*b) + BATCH_HEADROOM + len);

	if (b == NULL)
		return NULL;
	*b = (struct batch){ .signal = signal, .gzip = gzip, .items = items, .n = n, .len = len };
	memcpy(b->bytes + BATCH_HEADROOM, body, len);
	if (n != 0) {
		b->shares = malloc(n * sizeof(*shares));
		if (b->shares == NULL) {
			free(b);
			return NULL;
		}
		memcpy(b->shares, shares, n * sizeof(*shares));
	}
	return b;
}

void
batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	free(b->shares);
	free(b);
}

struct batch *
queue_evict(struct queue *q, size_t len)
{
	struct batch *b = q->first;

	if (q->bytes + len <= q->limit)
		return NULL;
	while (b != NULL && b->in_flight)
		b = b->next;
	if (b != NULL)
		queue_remove(q, b);
	return b;
}

bool
queue_push(struct queue *q, struct batch *b)
{
	if (q->bytes + b->len > q->limit)
		return false;
	b->next = NULL;
	if (q->last != NULL)
		q->last->next = b;
	else
		q->first = b;
	q->last = b;
	q->bytes += b->len;
	if (q->bytes > q->most)
		q->most = q->bytes;
	q->batches++;
	return true;
}

struct batch *
queue_next(const struct queue *q, enum target_signal signal)
{
	struct batch *b = q->first;

	while (b != NULL && (b->in_flight || b->signal != signal))
		b = b->next;
	return b;
}

void
queue_remove(struct queue *q, struct batch *b)
{
	struct batch **link = &q->first, *before = NULL;

	while (*link != b) {
		before = *link;
		link = &(*link)->next;
	}
	*link = b->next;
	if (q->last == b)
		q->last = before;
	b->next = NULL;
	q->bytes -= b->len;
	q->batches--;
}

/* Batches lie among what lives longer, connections say, which keeps the heap as large as they made
 * it. More than what is in flight under load, so that an outage ends with this, and nothing else. */
enum { SETTLE_ABOVE = LIMIT_IN_FLIGHT * LIMIT_BATCH_BYTES };

void
queue_settle(struct queue *q)
{
	if (q->batches != 0)
		return;
	if (q->most > SETTLE_ABOVE)
		malloc_trim(0);
	q->most = 0;
}
