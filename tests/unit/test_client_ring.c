/* ring: every record comes out as it went in, at every size and place; a full one says so, exactly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "client/random.h"
#include "client/ring.h"

enum { BYTES = RING_DEFAULT };

/* A record whose every byte follows from its number. */
static bool
write_record(struct ring *r, uint32_t number, size_t wire, size_t extra, size_t bound, bool ends)
{
	uint8_t *begun = ring_begin(r, bound);

	record_put(begun, wire, extra, number);
	for (size_t i = 0; i < wire + extra; i++)
		begun[RECORD_HEADER + i] = (uint8_t)(number + i * 7);
	return ring_commit(r, begun, RECORD_HEADER + wire + extra, ends);
}

static void
read_record(struct ring *r, uint32_t number, size_t wire, size_t extra)
{
	uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
	const uint8_t *record = r->data + (tail & r->mask);
	struct record_header header = record_header(record);

	assert_true(atomic_load_explicit(&r->head, memory_order_acquire) != tail);
	assert_int_equal(header.connection, number);
	assert_int_equal(header.wire, wire);
	assert_int_equal(header.extra, extra);
	for (size_t i = 0; i < wire + extra; i++)
		if (record[RECORD_HEADER + i] != (uint8_t)(number + i * 7))
			fail_msg("record %u, byte %zu", number, i);
	atomic_store_explicit(
	    &r->tail, ring_after(r, tail, RECORD_HEADER + wire + extra), memory_order_release);
}

/* Sizes from 1 to the largest, one at a time: each comes to lie at many places. */
static void
every_size(void **state)
{
	struct ring *r = ring_new(BYTES);

	(void)state;
	for (uint32_t n = 1; n <= WIRE_EVENT_MAX; n += n < 300 ? 1 : 13) {
		size_t extra = n % 3 == 0 ? WHOLE_MAX : n % 5;

		assert_true(write_record(r, n, n, extra, RING_RECORD, true));
		read_record(r, n, n, extra);
	}
	ring_free(r);
}

/* The record that reaches the end runs on behind it, up to the largest; the next starts at place 0. */
static void
wraps_at_every_offset(void **state)
{
	enum { LARGEST = WIRE_EVENT_MAX + WHOLE_MAX };

	(void)state;
	for (size_t short_of = 1; short_of <= 300; short_of++) {
		struct ring *r = ring_new(BYTES);
		uint64_t at = BYTES - short_of;

		atomic_store(&r->head, at);
		atomic_store(&r->tail, at);
		assert_true(write_record(r, 1, WIRE_EVENT_MAX, WHOLE_MAX, RING_RECORD, true));
		assert_int_equal(r->head, BYTES);
		assert_true(write_record(r, 2, 10, 0, RING_RECORD, true));
		read_record(r, 1, WIRE_EVENT_MAX, WHOLE_MAX);
		read_record(r, 2, 10, 0);
		assert_int_equal(r->head, BYTES + RECORD_HEADER + 10);
		ring_free(r);
	}
}

/* What is promised: size bytes with the record's own, N fit and N + 1 do not, whichever way they
 * were encoded; the last eighth takes ENDs alone. */
static void
full_at_exactly(void **state)
{
	(void)state;
	for (int ends = 0; ends <= 1; ends++) {
		size_t room = ends ? BYTES : BYTES - BYTES / 8;

		for (size_t bound = 64; bound <= RING_RECORD; bound += RING_RECORD - 64) {
			struct ring *r = ring_new(BYTES);
			uint32_t n = 0;
			size_t rest;

			for (rest = room; rest >= 128; rest -= 64)
				assert_true(
				    write_record(r, ++n, 64 - RECORD_HEADER, 0, bound, ends));
			assert_false(
			    write_record(r, 99, rest + 1 - RECORD_HEADER, 0, RING_RECORD, ends));
			assert_int_equal(r->head, room - rest);
			assert_true(
			    write_record(r, ++n, rest - RECORD_HEADER, 0, RING_RECORD, ends));
			assert_false(write_record(r, 99, 1, 0, bound, ends));
			assert_int_equal(r->head, room);
			for (uint32_t i = 1; i < n; i++)
				read_record(r, i, 64 - RECORD_HEADER, 0);
			read_record(r, n, rest - RECORD_HEADER, 0);
			assert_true(write_record(r, 100, 64, 0, bound, ends));
			read_record(r, 100, 64, 0);
			ring_free(r);
		}
	}
}

static void
starts_leave_room_for_ends(void **state)
{
	struct ring *r = ring_new(BYTES);
	uint32_t starts = 0, ends = 0;

	(void)state;
	while (write_record(r, 1, 53, 0, 330, false))
		starts++;
	while (write_record(r, 2, 22, 48, 700, true))
		ends++;
	assert_int_equal(starts, (BYTES - BYTES / 8) / (RECORD_HEADER + 53));
	assert_in_range(
	    ends, BYTES / 8 / (RECORD_HEADER + 70), BYTES / 8 / (RECORD_HEADER + 70) + 1);
	ring_free(r);
}

struct pair {
	struct ring *ring;
	uint32_t records;
};

static size_t
size_of(uint32_t n)
{
	return 1 + (n * 2654435761u >> 16) % (n % 50 == 0 ? WIRE_EVENT_MAX : 200);
}

static void *
writer(void *arg)
{
	struct pair *p = arg;

	for (uint32_t n = 1; n <= p->records;)
		n += write_record(p->ring, n, size_of(n), n % 40, RING_RECORD, n % 2 != 0);
	return NULL;
}

/* One thread writes as fast as it can, another reads: nothing is lost, torn or out of order. */
static void
two_threads(void **state)
{
	struct pair p = { ring_new(BYTES), 60000 };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, writer, &p), 0);
	for (uint32_t n = 1; n <= p.records; n++) {
		while (atomic_load_explicit(&p.ring->head, memory_order_acquire) ==
		       atomic_load_explicit(&p.ring->tail, memory_order_relaxed))
			sched_yield();
		read_record(p.ring, n, size_of(n), n % 40);
	}
	pthread_join(thread, NULL);
	ring_free(p.ring);
}

/* Seeded by the kernel, two states differ, and no bit of an id stands still. */
static void
random_numbers(void **state)
{
	struct random a, b;
	uint64_t ids[3], ones[3] = { 0 }, zeros[3] = { 0 };

	(void)state;
	random_seed(&a);
	random_seed(&b);
	assert_memory_not_equal(&a, &b, sizeof(a));
	for (int i = 0; i < 1000; i++) {
		random_ids(&a, ids);
		assert_true(ids[0] != ids[1] && ids[1] != ids[2] && ids[2] != ids[0]);
		for (int k = 0; k < 3; k++) {
			ones[k] |= ids[k];
			zeros[k] |= ~ids[k];
		}
	}
	for (int k = 0; k < 3; k++)
		assert_true(ones[k] == UINT64_MAX && zeros[k] == UINT64_MAX);
	/* Published first outputs of xoshiro256++ from the state 1, 2, 3, 4. */
	a = (struct random){ { 1, 2, 3, 4 } };
	assert_true(random_next(&a) == UINT64_C(41943041));
	assert_true(random_next(&a) == UINT64_C(58720359));
	assert_true(random_next(&a) == UINT64_C(3588806011781223));
	/* The same state's, and those of xoshiro256**. */
	a = (struct random){ { 1, 2, 3, 4 } };
	random_ids(&a, ids);
	assert_true(ids[0] == UINT64_C(41943041) && ids[1] == UINT64_C(11520));
	random_ids(&a, ids);
	assert_true(ids[0] == UINT64_C(58720359) && ids[1] == 0);
	random_ids(&a, ids);
	assert_true(ids[1] == UINT64_C(1509978240));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size),
		cmocka_unit_test(wraps_at_every_offset),
		cmocka_unit_test(full_at_exactly),
		cmocka_unit_test(starts_leave_room_for_ends),
		cmocka_unit_test(two_threads),
		cmocka_unit_test(random_numbers),
	};

	return cmocka_run_group_tests_name("client_ring", tests, NULL, NULL);
}
