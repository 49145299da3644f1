#include "greeting.h"

#include "keyvalue.h"
#include "pack.h"
#include "stat.h"
#include "total.h"

static const struct text service_name = TEXT("service.name");
static const struct text service_namespace = TEXT("service.namespace");

/* The str that an attribute has; "": it has none, or is not there. */
static struct text
string_of(const struct core *c, struct text key)
{
	const struct attr *it = attrs_find(&c->attrs, key, strings_hash(&c->strings, key));
	struct keyvalue kv;
	struct text rest;

	if (it == NULL)
		return TEXT("");
	rest = (struct text){ (const char *)c->attrs.bytes + it->at, it->size };
	return keyvalue_next(&rest, &kv) && kv.type == KEYVALUE_TEXT ? kv.bytes : TEXT("");
}

/* Our own attributes, but for those that the peer has too. */
static void
add_own(struct core *c)
{
	struct text rest = c->parts.attributes;
	struct keyvalue kv;

	while (keyvalue_next(&rest, &kv)) {
		uint32_t hash = strings_hash(&c->strings, kv.key);

		if (attrs_find(&c->attrs, kv.key, hash) == NULL &&
		    !attrs_copy(&c->attrs, kv.key, hash, kv.whole))
			c->tally.attr_over_limit++;
	}
}

static bool
is_word(const struct pack *t, const char *word)
{
	return t->n == strlen(word) && memcmp(t->bytes, word, t->n) == 0;
}

enum verdict
greeting_hello(struct session *s, const struct event *e)
{
	static const uint8_t unknown[] = "\xafunknown_service";
	struct core *c = s->core;
	const uint8_t *p = e->words.items;
	struct text name;
	struct pack t;

	s->greeted = true;
	for (uint32_t i = 0; p != NULL && i < e->words.n; i++) {
		p = pack_read(p, &t);
		s->resume |= is_word(&t, "resume");
	}
	c->attrs.cap = RESOURCE_MOST;
	peer_attrs(s, &e->attrs, ATTR_OF_RESOURCE);
	name = string_of(c, service_name);
	if (name.len == 0) {
		stats.hello_unnamed++;
		attrs_put(&c->attrs, service_name, strings_hash(&c->strings, service_name), unknown,
		    &c->tally);
		name = TEXT("unknown_service");
	}
	add_own(c);
	c->attrs.cap = ATTRS_BYTES;
	s->service = services_get(c->parts.services, string_of(c, service_namespace), name);
	if (s->service == NULL)
		return SERVICES_FULL;
	s->service->sessions++;
	s->resource = resource_get(c->parts.resources, s->service, c->attrs.bytes, c->attrs.len);
	return ACCEPTED;
}

enum verdict
greeting_string(struct session *s, const struct event *e)
{
	struct core *c = s->core;
	struct text text;

	if (e->code >= WIRE_STRING_IDS)
		return peer_break(s, FAULT_TOO_MANY_STRINGS);
	peer_text(s, &e->name, 0, &text);
	switch (strings_define(&c->strings, &s->strings, (uint32_t)e->code, text)) {
	case DEFINE_OTHER_TEXT: return peer_break(s, FAULT_STRING_REDEFINED);
	case DEFINE_FULL: return STRING_STORE_FULL;
	case DEFINE_OK: break;
	}
	if (e->name.n > text.len && e->name.s[text.len] != ',')
		strings_at(&c->strings, strings_find(&s->strings, (uint32_t)e->code))->torn = true;
	return ACCEPTED;
}

/* What a total, reported again and again, has grown by. */
static uint64_t
growth(uint64_t *known, uint64_t total)
{
	uint64_t more = total > *known ? total - *known : 0;

	*known += more;
	return more;
}

enum { OTHER_CAUSE = CLIENT_DROPS - 1 };

static unsigned
cause_of(struct text name)
{
	static const struct text known[OTHER_CAUSE] = { TEXT_OF("full"), TEXT_OF("large"),
		TEXT_OF("disconnected"), TEXT_OF("invalid") };
	unsigned i = 0;

	while (i < OTHER_CAUSE && !text_same(known[i], name))
		i++;
	return i;
}

static uint64_t *
client_dropped(struct ledger *l, unsigned cause)
{
	uint64_t *const counters[CLIENT_DROPS] = { &l->client_full, &l->client_large,
		&l->client_disconnected, &l->client_invalid, &l->client_other };

	return counters[cause];
}

enum verdict
greeting_stats(struct session *s, const struct event *e)
{
	const uint8_t *p = e->attrs.items;
	uint64_t drops[CLIENT_DROPS] = { 0 };
	struct pack t;

	if (e->number > INT64_MAX)
		return INVALID;
	for (uint32_t i = 0; p != NULL && i < e->attrs.n; i++) {
		unsigned cause;

		p = pack_read(p, &t);
		cause = cause_of((struct text){ (const char *)t.bytes, t.n });
		p = pack_read(p, &t);
		if (t.u > INT64_MAX)
			return INVALID;
		if (cause != OTHER_CAUSE)
			drops[cause] = 0; /* of equal keys the last wins */
		total_count(&drops[cause], t.u);
	}
	stats.ledger_checks++;
	if (e->number > s->received)
		total_count(&stats.ledger_gaps, growth(&s->missing, e->number - s->received));
	for (unsigned i = 0; i < CLIENT_DROPS && s->service != NULL; i++)
		total_count(client_dropped(&s->service->ledger, i), growth(&s->drops[i], drops[i]));
	return ACCEPTED;
}
