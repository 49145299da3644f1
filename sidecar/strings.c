#include "strings.h"

#include "hash.h"
#include "stat.h"

/* Bytes of an object: the longest text of a class is shorter by the header. The last takes
 * WIRE_TEXT_MAX. */
static const uint32_t sizes[STRINGS_CLASSES] = { 32, 64, 128, 288 };

_Static_assert(
    offsetof(struct string, s) + WIRE_TEXT_MAX <= 288, "the longest text fits its class");

/* Every definition could be of one class, and so could every text of an open span: its name and its
 * tracestate. */
static uint32_t
most(unsigned class)
{
	return LIMIT_STRING_BYTES / sizes[class] + 2 * LIMIT_OPEN_SPANS;
}

size_t
strings_bytes(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < STRINGS_CLASSES; i++)
		n += POOL_BYTES(sizes[i], most(i));
	return n;
}

void
strings_init(struct strings *s, void *mem, uint64_t hash_seed)
{
	uint8_t *p = mem;

	*s = (struct strings){ .seed = hash_seed };
	for (unsigned i = 0; i < STRINGS_CLASSES; i++) {
		pool_init(&s->classes[i], p, sizes[i], most(i));
		p += POOL_BYTES(sizes[i], most(i));
	}
}

static unsigned
class_of(uint32_t len)
{
	unsigned class = 0;

	while (offsetof(struct string, s) + len > sizes[class])
		class ++;
	return class;
}

uint32_t
strings_hash(const struct strings *s, struct text t)
{
	return (uint32_t)hash_bytes(s->seed, t.s, t.len);
}

uint32_t
strings_add(struct strings *s, struct text t)
{
	unsigned class = class_of(t.len);
	uint32_t place = pool_take(&s->classes[class]);
	struct string *it;

	if (place == 0)
		return 0;
	it = pool_at(&s->classes[class], place);
	*it = (struct string){ .refs = 1, .hash = strings_hash(s, t), .len = (uint8_t)t.len };
	memcpy(it->s, t.s, t.len);
	stats.string_bytes += sizes[class];
	return (uint32_t) class << STRINGS_CLASS_SHIFT | place;
}

void
strings_drop(struct strings *s, uint32_t number)
{
	unsigned class = number >> STRINGS_CLASS_SHIFT;
	struct string *it;

	if (number == 0)
		return;
	it = strings_at(s, number);
	if (--it->refs != 0)
		return;
	if (it->defined)
		s->defined -= sizes[class];
	stats.string_bytes -= sizes[class];
	pool_give(&s->classes[class], number & ((UINT32_C(1) << STRINGS_CLASS_SHIFT) - 1));
}

enum define_outcome
strings_define(struct strings *s, struct definitions *d, uint32_t id, struct text t)
{
	uint32_t number = strings_find(d, id), size = sizes[class_of(t.len)];

	if (number != 0)
		return text_same(strings_text(s, number), t) ? DEFINE_OK : DEFINE_OTHER_TEXT;
	if (s->defined + size > LIMIT_STRING_BYTES)
		return DEFINE_FULL;
	number = strings_add(s, t);
	strings_at(s, number)->defined = true;
	s->defined += size;
	d->at[id] = number;
	if (d->end <= id)
		d->end = id + 1;
	return DEFINE_OK;
}

void
strings_forget(struct strings *s, struct definitions *d)
{
	for (uint32_t id = 0; id < d->end; id++) {
		strings_drop(s, d->at[id]);
		d->at[id] = 0;
	}
	d->end = 0;
}
