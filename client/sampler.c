#include "sampler.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const uint64_t NEVER = UINT64_C(1) << 56;

/* A number in [0, 1] and nothing else, whatever the program's locale. */
static bool
parse_ratio(const char *s, double *ratio)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	char *end;

	if (c == (locale_t)0)
		return false;
	*ratio = strtod_l(s, &end, c);
	freelocale(c);
	return end != s && *end == '\0' && *ratio >= 0 && *ratio <= 1;
}

unsigned
sampler_init(struct sampler *s, const char *name, const char *argument)
{
	static const char prefix[] = "parentbased_";
	double ratio = 1;

	*s = (struct sampler){ .parent_based = true };
	if (name == NULL || *name == '\0')
		return 0;
	s->parent_based = strncasecmp(name, prefix, sizeof(prefix) - 1) == 0;
	if (s->parent_based)
		name += sizeof(prefix) - 1;
	if (strcasecmp(name, "always_on") == 0)
		return 0;
	if (strcasecmp(name, "always_off") == 0) {
		s->threshold = NEVER;
		return 0;
	}
	if (strcasecmp(name, "traceidratio") != 0) {
		s->parent_based = true;
		return 1;
	}
	if (argument == NULL || *argument == '\0')
		return 0;
	if (!parse_ratio(argument, &ratio))
		return 1;
	s->threshold = (uint64_t)((1 - ratio) * (double)NEVER);
	return 0;
}

unsigned
sampler_init_text(struct sampler *s, const char *text)
{
	const char *equals = strchr(text, '=');
	char *name;
	unsigned ignored;

	if (equals == NULL)
		return sampler_init(s, text, NULL);
	name = strndup(text, (size_t)(equals - text));
	ignored = sampler_init(s, name, equals + 1) + (name == NULL);
	free(name);
	return ignored;
}
