#include "option.h"

#include "usage.h"
#include "value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One flag of the command line, with its value wherever it stood. */
struct arg {
	const struct option *row; /* NULL: a standard flag */
	const char *name;         /* as typed, without "--" */
	const char *value;        /* never NULL for a row */
};

static const char *const standard_flags[] = { "help", "version", "check" };

static void
complain(const struct option_program *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
complain(const struct option_program *p, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", p->name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

static bool
same(const char *flag, const char *typed, size_t len)
{
	return flag != NULL && strlen(flag) == len && memcmp(flag, typed, len) == 0;
}

static const struct option *
find_row(const struct option_program *p, const char *typed, size_t len)
{
	for (size_t i = 0; i < p->n; i++) {
		if (same(p->rows[i].flag, typed, len))
			return &p->rows[i];
	}
	return NULL;
}

static bool
is_standard(const char *typed)
{
	for (size_t i = 0; i < sizeof(standard_flags) / sizeof(standard_flags[0]); i++) {
		if (strcmp(standard_flags[i], typed) == 0)
			return true;
	}
	return false;
}

static bool
unknown(const struct option_program *p, const char *typed, size_t len)
{
	char name[64];
	const char *near;

	snprintf(
	    name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1), typed);
	near = usage_nearest(p, name);
	if (near != NULL)
		complain(p, "--%s: no such option; did you mean --%s?", name, near);
	else
		complain(p, "--%s: no such option; --help lists them", name);
	return false;
}

/* The flag at argv[*i] into *a, and *i past it and its value. False: wrong, and said so. */
static bool
next_arg(const struct option_program *p, int argc, char **argv, int *i, struct arg *a)
{
	const char *typed = argv[(*i)++];
	const char *equals;
	size_t len;

	if (strncmp(typed, "--", 2) != 0 || typed[2] == '\0') {
		complain(p, "'%s': not an option; all arguments are --option=value%s%s", typed,
		    p->operands != NULL ? ", and at the end " : "",
		    p->operands != NULL ? p->operands : "");
		return false;
	}
	typed += 2;
	len = strcspn(typed, "=");
	equals = typed[len] == '=' ? typed + len + 1 : NULL;
	*a = (struct arg){ .row = find_row(p, typed, len), .name = typed, .value = equals };
	if (a->row == NULL && is_standard(typed))
		return true;
	if (a->row == NULL && strncmp(typed, "no-", 3) == 0) {
		a->row = find_row(p, typed + 3, len - 3);
		if (a->row == NULL || a->row->type != OPTION_BOOL)
			return unknown(p, typed, len);
		a->value = "false";
		if (equals != NULL)
			complain(p, "--%.*s takes no value", (int)len, typed);
		return equals == NULL;
	}
	if (a->row == NULL)
		return unknown(p, typed, len);
	if (a->value != NULL)
		return true;
	if (a->row->type == OPTION_BOOL) {
		a->value = "true";
		return true;
	}
	/* A flag where a value should be is a value forgotten; "--flag=--text" says it is meant. */
	if (*i == argc || strncmp(argv[*i], "--", 2) == 0) {
		char expected[VALUE_TEXT];

		value_expected(a->row, expected);
		complain(p, "--%s needs a value: %s", typed, expected);
		return false;
	}
	a->value = argv[(*i)++];
	return true;
}

static void *
field_of(const struct option *row, void *config)
{
	return (char *)config + row->offset;
}

static const void *
const_field_of(const struct option *row, const void *config)
{
	return (const char *)config + row->offset;
}

static void
wrong_value(const struct option_program *p, const struct option *row, const char *env,
    const char *value, const char *then)
{
	char expected[VALUE_TEXT];

	value_expected(row, expected);
	if (env != NULL)
		complain(p, "--%s (from %s): '%s' is wrong, expected %s%s", row->flag, env, value,
		    expected, then);
	else
		complain(p, "--%s: '%s' is wrong, expected %s%s", row->flag, value, expected, then);
}

/* Append to a LIST, which has room for it. */
static void
add_item(const struct option *row, void *config, const char *value)
{
	struct option_list *list = field_of(row, config);

	list->items[list->n++] = value;
}

static bool
make_list(const struct option_program *p, const struct option *row, void *config, size_t n)
{
	struct option_list *list = field_of(row, config);

	*list = (struct option_list){ .items = n > 0 ? calloc(n, sizeof(*list->items)) : NULL };
	if (n > 0 && list->items == NULL)
		complain(p, "--%s: out of memory", row->flag);
	return n == 0 || list->items != NULL;
}

/* The value of one row from the command line. *given: it was there. */
static bool
from_flags(const struct option_program *p, const struct option *row, int argc, char **argv,
    void *config, size_t *given)
{
	struct arg a;

	*given = 0;
	for (int i = 1; i < argc && next_arg(p, argc, argv, &i, &a);)
		*given += a.row == row;
	if (*given == 0)
		return true;
	if (row->type == OPTION_LIST && !make_list(p, row, config, *given))
		return false;
	for (int i = 1; i < argc && next_arg(p, argc, argv, &i, &a);) {
		if (a.row != row)
			continue;
		if (row->type == OPTION_LIST) {
			add_item(row, config, a.value);
		} else if (!value_parse(row, a.value, false, field_of(row, config))) {
			wrong_value(p, row, NULL, a.value, "");
			return false;
		}
	}
	return true;
}

/* The value of one row from its variable or, without one, its default. */
static bool
from_elsewhere(const struct option_program *p, const struct option *row, void *config)
{
	const char *value = row->env != NULL ? getenv(row->env) : NULL;
	void *field = field_of(row, config);
	bool otel = row->env != NULL && strncmp(row->env, "OTEL_", 5) == 0;

	if (value != NULL && value[0] == '\0')
		value = NULL;
	if (value != NULL && row->type != OPTION_LIST) {
		if (value_parse(row, value, true, field))
			return true;
		wrong_value(p, row, row->env, value, otel ? "; ignored" : "");
		if (!otel)
			return false;
		value = NULL;
	}
	if (value == NULL)
		value = row->fallback;
	if (row->type == OPTION_LIST) {
		if (!make_list(p, row, config, value != NULL))
			return false;
		if (value != NULL)
			add_item(row, config, value);
		return true;
	}
	if (value == NULL || value_parse(row, value, false, field))
		return true;
	wrong_value(p, row, "the default", value, "");
	return false;
}

static void
clear(const struct option *row, void *config)
{
	void *field = field_of(row, config);

	switch (row->type) {
	case OPTION_BOOL: *(bool *)field = false; break;
	case OPTION_RATIO: *(double *)field = 0; break;
	case OPTION_LIST: *(struct option_list *)field = (struct option_list){ 0 }; break;
	case OPTION_STRING:
	case OPTION_ADDRESS: *(const char **)field = NULL; break;
	default: *(int64_t *)field = 0;
	}
}

static bool
is_empty(const struct option *row, const void *config)
{
	const void *field = const_field_of(row, config);

	if (row->type == OPTION_LIST)
		return ((const struct option_list *)field)->n == 0;
	if (row->type == OPTION_STRING && *(const char *const *)field != NULL)
		return (*(const char *const *)field)[0] == '\0';
	return !value_allowed(row, field);
}

static bool
fill(const struct option_program *p, const struct option *row, int argc, char **argv, void *config)
{
	size_t given;

	clear(row, config);
	if (!from_flags(p, row, argc, argv, config, &given))
		return false;
	if (given == 0 && !from_elsewhere(p, row, config))
		return false;
	if (!row->required || !is_empty(row, config))
		return true;
	complain(p, "--%s is required%s%s", row->flag, row->env != NULL ? ": give it or set " : "",
	    row->env != NULL ? row->env : "");
	return false;
}

enum option_outcome
option_parse(const struct option_program *p, int argc, char **argv, void *config)
{
	enum option_outcome outcome = OPTION_RUN;
	struct arg a;

	/* Help is given whatever else is wrong; and no value starts with "--" but after "=". */
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			usage_print(p);
			return OPTION_DONE;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("%s %s\n", p->name, p->version);
			return OPTION_DONE;
		}
	}
	for (int i = 1; i < argc;) {
		if (!next_arg(p, argc, argv, &i, &a))
			return OPTION_WRONG;
		if (a.row == NULL)
			outcome = OPTION_CHECK; /* the only standard flag left */
	}
	for (size_t i = 0; i < p->n; i++) {
		if (p->rows[i].flag != NULL && !fill(p, &p->rows[i], argc, argv, config))
			return OPTION_WRONG;
	}
	return outcome;
}

/* 'text' for a POSIX shell, bare when no character of it is special there. */
static void
print_quoted(const char *text)
{
	if (text[0] != '\0' &&
	    text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			      "_@%+=:,./-")] == '\0') {
		fputs(text, stdout);
		return;
	}
	putchar('\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
	putchar('\'');
}

/* An item without a key may be a secret by itself. */
static bool
names_secret(const char *item, const char *equals)
{
	static const char *const words[] = { "password", "secret", ".pem", "oauthbearer.config" };
	const char *found;

	for (size_t i = 0; equals != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
		found = strstr(item, words[i]);
		if (found != NULL && found < equals)
			return true;
	}
	return equals == NULL;
}

static void
print_value(const struct option *row, const char *text)
{
	const char *equals = row->type == OPTION_LIST ? strchr(text, '=') : NULL;
	char hidden[VALUE_TEXT];

	printf("--%s=", row->flag);
	if (row->secret && (row->type != OPTION_LIST || names_secret(text, equals))) {
		snprintf(hidden, sizeof(hidden), "%.*s***",
		    equals != NULL ? (int)(equals - text) + 1 : 0, text);
		text = hidden;
	}
	print_quoted(text);
	putchar('\n');
}

void
option_print(const struct option_program *p, const void *config)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct option *row = &p->rows[i];
		const void *field = const_field_of(row, config);
		char text[VALUE_TEXT];

		if (row->flag == NULL || !value_allowed(row, field))
			continue;
		if (row->type == OPTION_LIST) {
			const struct option_list *list = field;

			for (size_t k = 0; k < list->n; k++)
				print_value(row, list->items[k]);
		} else if (row->type == OPTION_STRING || row->type == OPTION_ADDRESS) {
			print_value(row, *(const char *const *)field);
		} else {
			value_print(row, field, text);
			print_value(row, text);
		}
	}
}

void
option_complain(const struct option_program *p, const char *flag, const char *why)
{
	complain(p, "--%s: %s", flag, why);
}
