#include "peer.h"

enum verdict
peer_break(struct session *s, enum fault fault)
{
	s->fault = fault;
	return BROKEN;
}

bool
peer_text(struct session *s, const struct word *w, unsigned room, struct text *out)
{
	struct core *c = s->core;
	uint32_t string;

	switch (w->kind) {
	case WORD_STR:
		*out = attr_text(w->s, w->n, WIRE_TEXT_MAX, c->room[room], &c->tally);
		return true;
	case WORD_ID:
		string = strings_find(&s->strings, w->n);
		if (string == 0)
			return false;
		*out = strings_text(&c->strings, string);
		return true;
	case WORD_NONE: break;
	}
	*out = TEXT("");
	return true;
}

bool
peer_attrs(struct session *s, const struct bag *bag, enum attr_tag tag)
{
	struct core *c = s->core;

	attrs_begin(&c->attrs, tag);
	return attrs_read(
	    &c->attrs, (struct attr_names){ &c->strings, &s->strings }, bag, &c->tally);
}

bool
peer_time(uint64_t *time, struct now now)
{
	if (*time == EVENT_NIL)
		*time = now.wall.ns;
	return *time != 0 && *time <= INT64_MAX;
}
