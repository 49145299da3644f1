#include "instrument.h"

#include "hash.h"
#include "promname.h"
#include "stat.h"

/* A metric's name may grow by "_", and by "_total". What stands above its lines has the name twice,
 * and its unit with escapes. */
enum {
	SHOWN_MAX = WIRE_TEXT_MAX + 8,
	HEADER = sizeof("# HELP  measured by the service ()\n# TYPE  histogram\n") - 1
};

static const struct text suffixes[INSTRUMENT_NAMES] = { { "", 0 }, { "_bucket", 7 }, { "_sum", 4 },
	{ "_count", 6 } };

static uint32_t
names_of(enum metric_kind kind)
{
	return kind == METRIC_HISTOGRAM ? INSTRUMENT_NAMES : 1;
}

size_t
instruments_bytes(void)
{
	return POOL_BYTES(sizeof(struct instrument), INSTRUMENT_MAX);
}

void
instruments_init(struct instruments *i, void *mem, struct series_store *series, uint64_t hash_seed)
{
	i->series = series;
	i->seed = hash_seed;
	pool_init(&i->pool, mem, sizeof(struct instrument), INSTRUMENT_MAX);
}

/* Whether name is base, as /metrics shows it, with that suffix. Our own names need only their dots
 * replaced. */
static bool
is_name(struct text name, struct text base, struct text suffix)
{
	if (name.len != base.len + suffix.len ||
	    memcmp(name.s + base.len, suffix.s, suffix.len) != 0)
		return false;
	for (uint32_t i = 0; i < base.len; i++)
		if (name.s[i] != (base.s[i] == '.' ? '_' : base.s[i]))
			return false;
	return true;
}

/* Whether a metric that spans make has this name: reserved are only its own, not those with a
 * suffix. Names with one of our prefixes do not come here at all. */
static bool
is_ours(struct text name)
{
	for (unsigned i = METRIC_RED; i < METRIC_FIXED; i++)
		for (uint32_t k = 0; k < names_of(metric_fixed[i].kind); k++)
			if (is_name(name, metric_fixed[i].name, suffixes[k]))
				return true;
	return false;
}

static uint32_t *
taken_bucket(struct instruments *i, struct text shown)
{
	return &i->taken[hash_bytes(i->seed, shown.s, shown.len) % INSTRUMENT_BUCKETS];
}

static bool
same_type(enum metric_kind a, enum metric_kind b)
{
	return strcmp(metric_type[a], metric_type[b]) == 0;
}

/* What one of a new instrument's names runs into: false for a conflict; a block to join; or reason
 * to be hidden. */
static bool
check_name(struct instruments *i, const struct instrument *new, struct text name, uint32_t which,
    struct instrument **leader, bool *hidden)
{
	struct instrument *it;
	uint32_t next;

	if (is_ours(name))
		return false;
	for (uint32_t ref = *taken_bucket(i, name); ref != 0; ref = next) {
		uint32_t theirs = ref % INSTRUMENT_NAMES;

		it = instrument_at(i, ref / INSTRUMENT_NAMES);
		next = it->taken_chain[theirs];
		if (name.len != it->shown.len + suffixes[theirs].len ||
		    memcmp(name.s, it->shown.s, it->shown.len) != 0 ||
		    memcmp(name.s + it->shown.len, suffixes[theirs].s, suffixes[theirs].len) != 0)
			continue;
		if (it->service == new->service)
			return false;
		if (it->hidden)
			continue;
		if (which == theirs && same_type(it->metric.kind, new->metric.kind))
			*leader = instrument_at(i, it->leader);
		else
			*hidden = true;
	}
	return true;
}

/* Name, unit and the name on /metrics, in one piece of the shelf. */
static bool
keep_texts(struct instruments *i, struct instrument *new)
{
	struct text *texts[] = { &new->metric.name, &new->metric.unit, &new->shown };
	size_t len = (size_t)texts[0]->len + texts[1]->len + texts[2]->len;
	uint32_t place = shelf_take(&i->series->shelf, len);
	char *at;

	if (place == 0)
		return false;
	at = shelf_at(&i->series->shelf, place);
	for (unsigned k = 0; k < 3; k++) {
		memcpy(at, texts[k]->s, texts[k]->len);
		texts[k]->s = at;
		at += texts[k]->len;
	}
	return true;
}

/* Into the lists of its service, of its block on /metrics, and of names. */
static void
enlist(struct instruments *i, struct instrument *it, struct instrument *leader, char *name)
{
	uint32_t number = it->number;

	if (i->of[it->service].last != 0)
		instrument_at(i, i->of[it->service].last)->next = number;
	else
		i->of[it->service].first = number;
	i->of[it->service].last = number;
	i->of[it->service].n++;
	it->leader = it->last = number;
	if (leader != NULL && !it->hidden) {
		it->leader = leader->number;
		instrument_at(i, leader->last)->peer = number;
		leader->last = number;
	}
	for (uint32_t k = 0; k < names_of(it->metric.kind); k++) {
		uint32_t *taken;

		memcpy(name + it->shown.len, suffixes[k].s, suffixes[k].len);
		taken = taken_bucket(
		    i, (struct text){ .s = name, .len = it->shown.len + suffixes[k].len });
		it->taken_chain[k] = *taken;
		*taken = number * INSTRUMENT_NAMES + k;
	}
}

static enum instrument_outcome
add(struct instruments *i, const struct service *service, struct instrument new,
    struct instrument **out)
{
	char name[SHOWN_MAX + 8]; /* and a suffix */
	struct instrument *leader = NULL, *it;
	struct buf shown;
	uint32_t bytes;

	buf_init(&shown, name, SHOWN_MAX);
	promname_metric(&shown, new.metric.name, new.metric.kind == METRIC_COUNTER);
	if (shown.failed)
		return INSTRUMENT_FULL;
	new.shown = (struct text){ .s = name, .len = (uint32_t)shown.len };
	for (uint32_t k = 0; k < names_of(new.metric.kind); k++) {
		memcpy(name + shown.len, suffixes[k].s, suffixes[k].len);
		if (!check_name(i, &new,
			(struct text){ .s = name, .len = new.shown.len + suffixes[k].len }, k,
			&leader, &new.hidden))
			return INSTRUMENT_CONFLICT;
	}
	family_init(&new.family, &new.metric, new.shown.len, service);
	bytes = HEADER + 2 * new.shown.len + 2 * new.metric.unit.len +
		family_bytes(&new.family, series_overflow_key);
	if (i->of[new.service].n >= LIMIT_INSTRUMENTS ||
	    !series_charge(i->series, new.family.lines, bytes))
		return INSTRUMENT_FULL;
	if (!keep_texts(i, &new)) {
		series_release(i->series, new.family.lines, bytes);
		return INSTRUMENT_FULL;
	}
	new.number = pool_take(&i->pool);
	it = instrument_at(i, new.number);
	*it = new;
	stats.hidden += new.hidden;
	enlist(i, it, leader, name);
	*out = it;
	return INSTRUMENT_OK;
}

enum instrument_outcome
instrument_get(struct instruments *i, const struct service *of, enum wire_instrument kind,
    struct text name, struct text unit, struct instrument **out)
{
	uint32_t service = of->number;
	uint64_t hash = hash_bytes(i->seed ^ service, name.s, name.len);
	uint32_t *bucket = &i->buckets[hash % INSTRUMENT_BUCKETS];
	enum instrument_outcome outcome;
	struct instrument *it;

	for (it = instrument_at(i, *bucket); it != NULL; it = instrument_at(i, it->chain))
		if (it->hash == hash && it->service == service &&
		    text_same(it->metric.name, name)) {
			*out = it;
			return it->metric.kind == (enum metric_kind)kind &&
				       text_same(it->metric.unit, unit)
				   ? INSTRUMENT_OK
				   : INSTRUMENT_CONFLICT;
		}
	outcome = add(i, of,
	    (struct instrument){
		.metric = { .name = name,
		    .unit = unit,
		    .help = TEXT("measured by the service"),
		    .kind = (enum metric_kind)kind,
		    .layout = text_same(unit, TEXT("s")) ? HIST_SECONDS : HIST_DEFAULT },
		.hash = hash,
		.service = service },
	    &it);
	if (outcome == INSTRUMENT_OK) {
		it->chain = *bucket;
		*bucket = it->number;
		*out = it;
	}
	return outcome;
}
