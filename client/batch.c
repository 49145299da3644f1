#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "handle.h"

int
batch_init(struct batch *b)
{
	memset(b, 0, sizeof(*b));
	b->out = malloc(BATCH_ROOM);
	return b->out != NULL ? 0 : -1;
}

void
batch_free(struct batch *b)
{
	free(b->out);
	b->out = NULL;
}

static void
clear(struct batch *b)
{
	b->size = b->sent = b->control = 0;
	b->control_events = 0;
	b->tally = (struct batch_tally){ 0 };
}

void
batch_connected(struct batch *b)
{
	clear(b);
	b->stream = b->covered = 0;
	b->names = b->names_limit = 0;
	b->in_round = b->stats_due = b->useful = false;
	b->hello_due = true;
	for (int i = 0; i < DROP_CAUSES; i++) {
		b->base[i] += b->told[i];
		b->told[i] = 0;
	}
}

void
batch_drops(struct sidecar *sc, uint64_t drops[DROP_CAUSES])
{
	for (int i = 0; i < DROP_CAUSES; i++)
		drops[i] = atomic_load_explicit(&sc->dropped[i], memory_order_relaxed) +
			   atomic_load_explicit(&sc->common->dropped[i], memory_order_relaxed);
	for (struct ring *r = atomic_load_explicit(&sc->rings, memory_order_acquire); r != NULL;
	     r = atomic_load_explicit(&r->next, memory_order_relaxed))
		for (int i = 0; i < DROP_CAUSES; i++)
			drops[i] += atomic_load_explicit(&r->dropped[i], memory_order_relaxed);
}

static uint8_t *
stats(struct sidecar *sc, uint8_t *p)
{
	static const char *const names[DROP_CAUSES] = {
		[DROP_FULL] = "full",
		[DROP_LARGE] = "large",
		[DROP_DISCONNECTED] = "disconnected",
		[DROP_INVALID] = "invalid",
	};
	struct batch *b = &sc->flusher.batch;
	size_t causes = 0;

	batch_drops(sc, b->telling);
	for (int i = 0; i < DROP_CAUSES; i++) {
		b->telling[i] -= b->base[i];
		causes += b->telling[i] != 0;
	}
	*p++ = 0x93;
	*p++ = WIRE_STATS;
	p = encode_uint(p, b->stream + b->control_events);
	b->control_events++;
	b->covered = b->stream + b->control_events;
	if (causes == 0)
		return encode_nil(p);
	p = encode_map_head(p, causes);
	for (int i = 0; i < DROP_CAUSES; i++) {
		if (b->telling[i] == 0)
			continue;
		p = encode_str(p, names[i], strlen(names[i]));
		p = encode_uint(p, b->telling[i]);
	}
	return p;
}

/* One event from a ring to p: as it is, or as this connection can understand it. */
static uint8_t *
translate(
    uint8_t *p, const uint8_t *record, uint32_t connection, size_t *size, struct batch_tally *tally)
{
	const uint8_t *event = record + RECORD_HEADER;
	struct record_header header = record_header(record);

	*size = (size_t)RECORD_HEADER + header.wire + header.extra;
	if (header.connection == 0 || header.connection == connection) {
		memcpy(p, event, header.wire);
		tally->written++;
		return p + header.wire;
	}
	switch (event[1]) {
	case WIRE_END: tally->written++; return p + whole_span(p, event, header.wire);
	case WIRE_START: tally->folded++; return p;
	case WIRE_ATTR: header.extra != 0 ? tally->folded++ : tally->lost++; return p;
	default: tally->lost++; return p; /* EVENT, LINK: SPAN has no place for them */
	}
}

static void
take(struct sidecar *sc, struct ring *r)
{
	struct batch *b = &sc->flusher.batch;
	uint32_t connection = atomic_load_explicit(&sc->connection, memory_order_relaxed);

	while (r->taken != r->limit && b->size < BATCH_BYTES) {
		uint8_t *p = b->out + b->size;
		size_t size;

		p = translate(p, r->data + (r->taken & r->mask), connection, &size, &b->tally);
		b->size = (size_t)(p - b->out);
		r->taken = ring_after(r, r->taken, size);
	}
}

bool
batch_untold(struct sidecar *sc)
{
	struct batch *b = &sc->flusher.batch;
	uint64_t drops[DROP_CAUSES];
	bool untold = b->stream != b->covered;

	batch_drops(sc, drops);
	for (int i = 0; i < DROP_CAUSES; i++)
		untold |= drops[i] != b->base[i] + b->told[i];
	return untold;
}

static struct ring *
first(struct sidecar *sc)
{
	return atomic_load_explicit(&sc->rings, memory_order_acquire);
}

static struct ring *
after(struct ring *r)
{
	return atomic_load_explicit(&r->next, memory_order_relaxed);
}

bool
batch_pending(struct sidecar *sc)
{
	if (atomic_load_explicit(&sc->common->head, memory_order_acquire) !=
	    atomic_load_explicit(&sc->common->tail, memory_order_relaxed))
		return true;
	for (struct ring *r = first(sc); r != NULL; r = after(r))
		if (atomic_load_explicit(&r->head, memory_order_acquire) !=
		    atomic_load_explicit(&r->tail, memory_order_relaxed))
			return true;
	return false;
}

static void
see(struct batch *b, struct ring *r)
{
	uint64_t fill;

	r->limit = atomic_load_explicit(&r->head, memory_order_acquire);
	fill = (r->limit - r->taken) * BATCH_FILL / ring_enough(r);
	if (fill > b->fill)
		b->fill = (uint32_t)fill;
}

static void
begin_round(struct sidecar *sc)
{
	struct batch *b = &sc->flusher.batch;
	struct ring *r;

	b->fill = 0;
	see(b, sc->common);
	for (r = first(sc); r != NULL; r = after(r))
		see(b, r);
	b->names_limit = atomic_load_explicit(&sc->names.count, memory_order_acquire);
	b->in_round = true;
}

/* What precedes the rings' events; strings may take several batches. */
static void
put_control(struct sidecar *sc)
{
	struct batch *b = &sc->flusher.batch;
	uint8_t *p = b->out;

	if (b->hello_due) {
		memcpy(p, sc->resource.hello, sc->resource.size);
		p += sc->resource.size;
		b->control_events++;
	}
	while (b->names < b->names_limit && p - b->out < BATCH_BYTES) {
		*p++ = 0x93;
		*p++ = WIRE_STRING;
		p = encode_uint(p, b->names);
		p = encode_inline_text(p, intern_text(&sc->names, b->names));
		b->names++;
		b->control_events++;
	}
	/* The last: it was told if all of this was sent, and only then. */
	if (b->stats_due)
		p = stats(sc, p);
	b->size = b->control = (size_t)(p - b->out);
}

size_t
batch_fill(struct sidecar *sc)
{
	struct batch *b = &sc->flusher.batch;

	clear(b);
	if (!b->in_round)
		begin_round(sc);
	put_control(sc);
	if (b->names == b->names_limit) {
		for (struct ring *r = first(sc); r != NULL; r = after(r))
			take(sc, r);
		if (b->size < BATCH_BYTES)
			take(sc, sc->common);
	}
	/* What was only folded leaves no bytes, and is done with at once. */
	if (b->size == 0) {
		batch_written(sc);
		b->in_round = false;
	}
	return b->size;
}

static void
release(struct ring *r, uint64_t to)
{
	r->taken = to;
	if (atomic_load_explicit(&r->tail, memory_order_relaxed) != to)
		atomic_store_explicit(&r->tail, to, memory_order_release);
}

static void
account(struct sidecar *sc, const struct batch_tally *tally)
{
	atomic_fetch_add_explicit(&sc->written, tally->written, memory_order_relaxed);
	atomic_fetch_add_explicit(&sc->folded, tally->folded, memory_order_relaxed);
	atomic_fetch_add_explicit(
	    &sc->dropped[DROP_DISCONNECTED], tally->lost, memory_order_relaxed);
}

void
batch_written(struct sidecar *sc)
{
	struct batch *b = &sc->flusher.batch;

	for (struct ring *r = first(sc); r != NULL; r = after(r))
		release(r, r->taken);
	release(sc->common, sc->common->taken);
	account(sc, &b->tally);
	b->stream += b->control_events + b->tally.written;
	b->useful |= b->tally.written != 0;
	b->hello_due = false;
	if (b->stats_due)
		memcpy(b->told, b->telling, sizeof(b->told));
	b->stats_due = false;
	clear(b);
}

/* Go over a ring's part of the batch again, and release the events of which all bytes are among
 * the left ones that were sent; what is not stays. Return what is left of left. */
static size_t
settle(struct sidecar *sc, struct ring *r, size_t left, struct batch_tally *tally)
{
	uint32_t connection = atomic_load_explicit(&sc->connection, memory_order_relaxed);
	uint64_t at = atomic_load_explicit(&r->tail, memory_order_relaxed);
	uint8_t *scratch = sc->flusher.batch.out; /* its bytes are of no more use */

	while (at != r->taken) {
		struct batch_tally one = { 0 };
		size_t size, bytes;

		bytes =
		    (size_t)(translate(scratch, r->data + (at & r->mask), connection, &size, &one) -
			     scratch);
		if (bytes > left) {
			left = 0;
			break;
		}
		left -= bytes;
		at = ring_after(r, at, size);
		tally->written += one.written;
		tally->folded += one.folded;
		tally->lost += one.lost;
	}
	release(r, at);
	return left;
}

bool
batch_cut(struct sidecar *sc)
{
	struct batch *b = &sc->flusher.batch;
	struct batch_tally tally = { 0 };
	size_t left = b->sent > b->control ? b->sent - b->control : 0;

	if (b->sent >= b->control && b->control != 0 && b->stats_due)
		memcpy(b->told, b->telling, sizeof(b->told));
	for (struct ring *r = first(sc); r != NULL; r = after(r))
		left = settle(sc, r, left, &tally);
	settle(sc, sc->common, left, &tally);
	account(sc, &tally);
	b->useful |= tally.written != 0;
	b->in_round = false;
	clear(b);
	return b->useful;
}

size_t
batch_farewell(struct sidecar *sc)
{
	struct batch *b = &sc->flusher.batch;
	uint8_t *p;

	clear(b);
	b->stats_due = true;
	b->names_limit = b->names;
	put_control(sc);
	p = b->out + b->size;
	*p++ = 0x91;
	*p++ = WIRE_BYE;
	b->control_events++;
	b->size = b->control = (size_t)(p - b->out);
	return b->size;
}
