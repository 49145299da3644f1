/*
 * A whole connection, cut in two different ways: the counters and the spans that leave it must be the same, and nothing may be
 * left behind.
 *
 *	input: [step][step][bytes...], after a HELLO when the first step is odd
 */
#include "tests/unit/rig.h"

#include "sidecar/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

struct sum {
	struct stats stats;
	struct ledger ledger;
	uint64_t spans; /* a hash of all of them, in order */
	unsigned nspans;
};

static void
must(int holds)
{
	if (!holds)
		abort();
}

static uint64_t
hash_spans(void)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < rig_nspans; i++) {
		size_t n = otlp__span__get_packed_size(rig_spans[i].span);
		uint8_t *bytes = malloc(n);

		otlp__span__pack(rig_spans[i].span, bytes);
		h = hash_bytes(h, bytes, n);
		free(bytes);
	}
	return h;
}

static struct sum
run(const uint8_t *bytes, size_t n, size_t step, bool hello)
{
	static struct rig rig;
	struct session *s;
	struct sum sum = { .spans = 0 };

	/* A table that is soon full. */
	rig_open(&rig, &(struct core_parts){ .open_spans = 8 });
	s = hello ? rig_hello(&rig, false) : session_open(rig.core);
	rig_feed(&rig, s, bytes, n, step);
	rig_end(&rig, s);
	must(stats.open_spans == 0 && stats.attribute_bytes == 0 && stats.string_bytes == 0);
	for (uint32_t i = 0; i < rig.services.n; i++) {
		const struct ledger *l = &rig.services.at[i].ledger;

		must(l->open == 0);
		must(l->started == l->finished + l->abandoned_connection_lost +
				       l->abandoned_evicted + l->abandoned_closed +
				       l->abandoned_protocol);
		must(l->pending + l->unsampled + l->dropped_resumed == l->started);
		sum.ledger = *l;
	}
	sum.stats = stats;
	sum.spans = hash_spans();
	sum.nspans = rig_nspans;
	rig_close(&rig);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum a, b;
	uint8_t *bytes;

	if (size < 3)
		return 0;
	bytes = malloc(size - 2);
	memcpy(bytes, data + 2, size - 2);
	a = run(bytes, size - 2, data[0] + 1u, data[0] & 1);
	b = run(bytes, size - 2, 16 * (data[1] + 1u), data[0] & 1);
	must(memcmp(&a.stats, &b.stats, sizeof(a.stats)) == 0);
	must(memcmp(&a.ledger, &b.ledger, sizeof(a.ledger)) == 0);
	must(a.nspans == b.nspans && a.spans == b.spans);
	free(bytes);
	return 0;
}
