#include "resource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "encode.h"

static const char SERVICE_NAME[] = "service.name";

struct pair {
	const char *key, *value;
	size_t key_len, value_len;
};

/* Sources come most important first: a key that is there already stands. The first pair is
 * service.name, so that it is what always fits; until its value is known that is empty. */
struct draft {
	size_t pairs;
	struct pair pair[WIRE_ATTRS_MAX];
};

static const struct draft nothing = {
	.pairs = 1,
	.pair = { { SERVICE_NAME, "", sizeof(SERVICE_NAME) - 1, 0 } },
};

static bool
is_key(const struct pair *p, const char *key, size_t len)
{
	return p->key_len == len && memcmp(p->key, key, len) == 0;
}

/* 1 when there is no room for it. */
static unsigned
add(struct draft *d, const char *key, size_t key_len, const char *value, size_t value_len)
{
	struct pair *name = &d->pair[0];

	if (is_key(name, key, key_len)) {
		if (name->value_len == 0)
			*name = (struct pair){ key, value, key_len, value_len };
		return 0;
	}
	for (size_t i = 1; i < d->pairs; i++)
		if (is_key(&d->pair[i], key, key_len))
			return 0;
	if (d->pairs == WIRE_ATTRS_MAX)
		return 1;
	d->pair[d->pairs++] = (struct pair){ key, value, key_len, value_len };
	return 0;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Trim and percent-decode s[0..len) in place; return the new length, or -1: not decodable. */
static ssize_t
decode(char **s, size_t len)
{
	char *in = *s, *out;
	const char *end = in + len;

	while (in < end && (*in == ' ' || *in == '\t'))
		in++;
	while (in < end && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*s = out = in;
	while (in < end) {
		if (*in != '%') {
			*out++ = *in++;
			continue;
		}
		if (end - in < 3 || hex(in[1]) < 0 || hex(in[2]) < 0)
			return -1;
		*out++ = (char)(hex(in[1]) << 4 | hex(in[2]));
		in += 3;
	}
	return out - *s;
}

/* One "key=value". Returns false when it cannot be read. */
static bool
read_member(struct pair *out, char *s, size_t len)
{
	char *key = s, *value = memchr(s, '=', len);
	ssize_t key_len, value_len;

	if (value == NULL)
		return false;
	key_len = decode(&key, (size_t)(value - s));
	value++;
	value_len = decode(&value, len - (size_t)(value - s));
	*out = (struct pair){ key, value, (size_t)key_len, (size_t)value_len };
	return key_len > 0 && value_len >= 0;
}

/* A list is read whole or not at all. text is changed, and kept by d. Of equal keys in one list the
 * last counts, so it is read from its end. Members of blanks alone are passed over: a trailing
 * comma makes one. */
static unsigned
add_list(struct draft *d, char *text)
{
	struct draft list = nothing;
	char *member, *comma;
	unsigned ignored = 0;

	do {
		struct pair pair;
		size_t len;

		comma = strrchr(text, ',');
		member = comma != NULL ? comma + 1 : text;
		len = strlen(member);
		if (strspn(member, " \t") < len) {
			if (!read_member(&pair, member, len))
				return 1;
			ignored += add(&list, pair.key, pair.key_len, pair.value, pair.value_len);
		}
		if (comma != NULL)
			*comma = '\0';
	} while (comma != NULL);
	for (size_t i = 0; i < list.pairs; i++) {
		const struct pair *p = &list.pair[i];

		ignored += add(d, p->key, p->key_len, p->value, p->value_len);
	}
	return ignored;
}

static unsigned
add_name(struct draft *d, const char *name)
{
	if (name == NULL || *name == '\0')
		return 0;
	return add(d, SERVICE_NAME, sizeof(SERVICE_NAME) - 1, name, strlen(name));
}

static unsigned
add_known(struct draft *d)
{
	static const char *const known[][2] = {
		{ "telemetry.sdk.name", "libsidecar" },
		{ "telemetry.sdk.language", "c" },
		{ "telemetry.sdk.version", VERSION },
	};
	unsigned ignored = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		ignored +=
		    add(d, known[i][0], strlen(known[i][0]), known[i][1], strlen(known[i][1]));
	return ignored;
}

/* Leave out, from the last on, what would make the event too large. Sizes are of the longest heads. */
static unsigned
fit(struct draft *d)
{
	size_t size = 32; /* the heads of the event and the map, the version, the capabilities */

	for (size_t i = 0; i < d->pairs; i++) {
		struct pair *p = &d->pair[i];

		p->key_len = encode_cut(p->key, p->key_len, WIRE_TEXT_MAX);
		p->value_len = encode_cut(p->value, p->value_len, WIRE_VALUE_MAX);
		size += 2 + p->key_len + 3 + p->value_len;
		if (size > WIRE_EVENT_MAX) {
			unsigned left_out = (unsigned)(d->pairs - i);

			d->pairs = i;
			return left_out;
		}
	}
	return 0;
}

static size_t
encode(uint8_t *hello, const struct draft *d)
{
	uint8_t *p = hello;

	*p++ = 0x94;
	*p++ = WIRE_HELLO;
	*p++ = WIRE_VERSION;
	p = encode_map_head(p, d->pairs);
	for (size_t i = 0; i < d->pairs; i++) {
		p = encode_str(p, d->pair[i].key, d->pair[i].key_len);
		p = encode_str(p, d->pair[i].value, d->pair[i].value_len);
	}
	*p++ = 0x91;
	return (size_t)(encode_str(p, "resume", 6) - hello);
}

int
resource_init(struct resource *r, const struct resource_sources *from)
{
	char *code = strdup(from->attributes != NULL ? from->attributes : "");
	char *env = strdup(from->env_attributes != NULL ? from->env_attributes : "");
	char fallback[WIRE_TEXT_MAX];
	struct draft d = nothing;

	if (code == NULL || env == NULL) {
		free(code);
		free(env);
		return -1;
	}
	r->ignored = add_name(&d, from->service);
	r->ignored += add_list(&d, code);
	r->ignored += add_name(&d, from->env_service);
	r->ignored += add_list(&d, env);
	add_name(&d, from->default_service);
	snprintf(fallback, sizeof(fallback), "unknown_service%s%s",
	    from->program != NULL ? ":" : "", from->program != NULL ? from->program : "");
	add_name(&d, fallback);
	r->ignored += add_known(&d);
	r->ignored += fit(&d);
	r->size = encode(r->hello, &d);
	memcpy(r->service, d.pair[0].value, d.pair[0].value_len);
	r->service[d.pair[0].value_len] = '\0';
	free(code);
	free(env);
	return 0;
}
