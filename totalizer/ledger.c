#include "ledger.h"

#include <string.h>

void
ledger_init(struct ledger *l)
{
	memset(l, 0, sizeof(*l));
}

/* A state that the log is known to have had at state->next. */
static enum ledger_verdict
remember(struct ledger_partition *it, const struct state *s)
{
	if (s->next > it->furthest.next)
		it->furthest = *s;
	else if (s->next == it->furthest.next && !state_equal(s, &it->furthest))
		return LEDGER_DIVERGED;
	return LEDGER_FINE;
}

enum ledger_verdict
ledger_resize(struct ledger *l, int32_t n)
{
	for (int32_t p = n; p < l->partitions; p++) {
		if (l->at[p].furthest.next > 0)
			return LEDGER_VANISHED;
	}
	l->partitions = n;
	return LEDGER_FINE;
}

void
ledger_assign(struct ledger *l, int32_t p)
{
	if (l->at[p].holder == LEDGER_FOREIGN) {
		l->at[p].holder = LEDGER_ASSIGNED;
		l->assigned++;
	}
}

void
ledger_revoke(struct ledger *l, int32_t p)
{
	struct ledger_partition *it = &l->at[p];

	if (it->holder != LEDGER_FOREIGN)
		l->assigned--;
	if (it->holder == LEDGER_OWNED)
		l->owned--;
	it->holder = LEDGER_FOREIGN;
	it->live = (struct state){ 0 };
	it->dirty = it->flying = false;
}

/* *s is the state in a commit; without a commit, that of a log not yet read. */
static enum ledger_verdict
read_commit(struct ledger_partition *it, const struct ledger_commit *commit, struct state *s)
{
	*s = (struct state){ 0 };
	if (commit->offset < 0)
		return it->recorded ? LEDGER_VANISHED : LEDGER_FINE;
	if (!commit->metadata || !state_parse(s, commit->offset, commit->metadata, commit->len))
		return LEDGER_UNREADABLE;
	it->recorded = true;
	return LEDGER_FINE;
}

enum ledger_verdict
ledger_see(struct ledger *l, int32_t p, const struct ledger_commit *commit)
{
	struct ledger_partition *it = &l->at[p];
	struct state s;
	enum ledger_verdict verdict = read_commit(it, commit, &s);

	if (verdict != LEDGER_FINE)
		return verdict;
	if (it->holder == LEDGER_OWNED && !it->flying && s.next < it->live.next)
		it->dirty = true; /* also when the broker has taken more before, and lost it */
	return remember(it, &s);
}

/* From state *s on, without what stood before low. What was seen beyond the gap counted messages
 * that nobody can read again. */
static void
pass_gap(struct ledger_partition *it, const struct state *s, int64_t low)
{
	it->live = *s;
	it->live.next = low;
	it->furthest = it->live;
	it->dirty = true;
}

enum ledger_verdict
ledger_own(struct ledger *l, int32_t p, const struct ledger_commit *commit, int64_t low,
    int64_t high, bool accept_gap, int64_t *start)
{
	struct ledger_partition *it = &l->at[p];
	struct state s;
	enum ledger_verdict verdict = read_commit(it, commit, &s);
	bool gap = low > s.next;

	if (verdict != LEDGER_FINE)
		return verdict;
	if (high < s.next || high < it->furthest.next)
		return LEDGER_SHORT;
	if (gap && !accept_gap)
		return LEDGER_GAP;
	if (gap) {
		pass_gap(it, &s, low);
	} else {
		verdict = remember(it, &s);
		if (verdict != LEDGER_FINE)
			return verdict;
		it->live = s;
		it->dirty = false;
	}
	it->flying = false;
	if (it->holder != LEDGER_OWNED)
		l->owned++;
	it->holder = LEDGER_OWNED;
	*start = it->live.next;
	return LEDGER_FINE;
}

enum ledger_verdict
ledger_check(const struct ledger *l, int32_t p, int64_t low, int64_t high)
{
	const struct ledger_partition *it = &l->at[p];

	if (it->holder != LEDGER_OWNED)
		return LEDGER_FINE;
	if (high < it->live.next)
		return LEDGER_SHORT;
	return low > it->live.next ? LEDGER_GAP : LEDGER_FINE;
}

void
ledger_jump(struct ledger *l, int32_t p, int64_t low)
{
	pass_gap(&l->at[p], &l->at[p].live, low);
}

enum ledger_place
ledger_place(const struct ledger *l, int32_t p, int64_t offset)
{
	if (p < 0 || p >= LEDGER_PARTITIONS || l->at[p].holder != LEDGER_OWNED)
		return LEDGER_NOT_OWNED;
	return offset < l->at[p].live.next ? LEDGER_REPLAY : LEDGER_NEXT;
}

static enum ledger_verdict
advance(struct ledger *l, struct ledger_partition *it, int64_t offset)
{
	it->live.next = offset + 1;
	it->dirty = true;
	l->uncommitted++;
	return remember(it, &it->live);
}

enum ledger_verdict
ledger_apply(struct ledger *l, int32_t p, int64_t offset, int64_t sum)
{
	struct ledger_partition *it = &l->at[p];

	if (!total_add(&it->live.total, total_of(sum)))
		return LEDGER_OVERFLOW;
	it->live.count++;
	return advance(l, it, offset);
}

enum ledger_verdict
ledger_skip(struct ledger *l, int32_t p, int64_t offset)
{
	return advance(l, &l->at[p], offset);
}

enum ledger_verdict
ledger_at_end(struct ledger *l, int32_t p, int64_t offset)
{
	struct ledger_partition *it = &l->at[p];

	return offset > it->live.next ? advance(l, it, offset - 1) : LEDGER_FINE;
}

bool
ledger_next_commit(struct ledger *l, int32_t *p, struct state *out)
{
	for (; *p < LEDGER_PARTITIONS; ++*p) {
		struct ledger_partition *it = &l->at[*p];
		if (it->holder != LEDGER_OWNED || !it->dirty)
			continue;
		it->dirty = false;
		it->flying = true;
		*out = it->live;
		return true;
	}
	l->uncommitted = 0;
	return false;
}

void
ledger_committed(struct ledger *l, int32_t p)
{
	struct ledger_partition *it = &l->at[p];

	if (it->flying)
		it->recorded = true;
	it->flying = false;
}

void
ledger_commit_failed(struct ledger *l, int32_t p)
{
	struct ledger_partition *it = &l->at[p];

	if (it->flying)
		it->dirty = true;
	it->flying = false;
}

enum ledger_verdict
ledger_grand(const struct ledger *l, struct total *total, int64_t *count)
{
	*total = total_of(0);
	*count = 0;
	for (int32_t p = 0; p < l->partitions; p++) {
		const struct state *s = &l->at[p].furthest;
		if (!total_add(total, s->total) || __builtin_add_overflow(*count, s->count, count))
			return LEDGER_OVERFLOW;
	}
	return LEDGER_FINE;
}

static const struct {
	const char *word, *text;
} verdicts[] = {
	[LEDGER_FINE] = { "fine", "nothing is wrong" },
	[LEDGER_UNREADABLE] = { "unreadable_metadata",
	    "the group has a committed offset without a readable total: something else commits to "
	    "it" },
	[LEDGER_GAP] = { "gap",
	    "the log starts after messages that were not added yet: retention removed "
	    "them; --accept-gap goes on without them" },
	[LEDGER_SHORT] = { "log_too_short",
	    "the log ends before messages that were added: the topic was "
	    "created anew, or the broker came back empty" },
	[LEDGER_VANISHED] = { "offsets_vanished",
	    "committed totals that were there are gone: the broker came "
	    "back empty, or the group's offsets were deleted" },
	[LEDGER_DIVERGED] = { "diverged",
	    "the same offset adds up to another total: the topic was created anew" },
	[LEDGER_OVERFLOW] = { "overflow", "a committed total is outside 128 bits" },
};

const char *
ledger_word(enum ledger_verdict v)
{
	return verdicts[v].word;
}

const char *
ledger_text(enum ledger_verdict v)
{
	return verdicts[v].text;
}
