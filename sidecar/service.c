#include "service.h"

#include <stddef.h>

void
services_init(struct services *s, void *mem, char *text)
{
	*s = (struct services){ .at = mem, .text = text };
}

static struct text
copy(struct services *s, struct text t)
{
	char *to = s->text + s->used;

	if (t.len != 0)
		memcpy(to, t.s, t.len);
	s->used += text_escaped_len(t);
	return (struct text){ to, t.len };
}

struct service *
services_get(struct services *s, struct text space, struct text name)
{
	struct service *it;

	for (uint32_t i = 0; i < s->n; i++)
		if (text_same(s->at[i].name, name) && text_same(s->at[i].space, space))
			return &s->at[i];
	if (s->n == LIMIT_SERVICES ||
	    text_escaped_len(space) + text_escaped_len(name) > LIMIT_SERVICE_TEXT - s->used)
		return NULL;
	it = &s->at[s->n];
	*it = (struct service){ .space = copy(s, space), .name = copy(s, name), .number = s->n++ };
	stats.services = s->n;
	return it;
}
