#include "usage.h"

#include <stdio.h>
#include <string.h>

enum { COLUMNS = 80, INDENT = 2, LEFT = 28, FLAG_MAX = 48 };

/* Words of text from column `at` on, broken before COLUMNS, later lines from column LEFT on.
 * Returns the last column. */
static size_t
wrap(const char *text, size_t at)
{
	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (at > LEFT && at + 1 + n > COLUMNS) {
			printf("\n%*s", LEFT, "");
			at = LEFT;
		} else if (at > LEFT) {
			putchar(' ');
			at++;
		}
		printf("%.*s", (int)n, text);
		at += n;
		text += n + strspn(text + n, " ");
	}
	return at;
}

static const char *
placeholder(const struct option *row)
{
	static const char *const defaults[] = { [OPTION_BOOL] = "",
		[OPTION_STRING] = "text",
		[OPTION_LIST] = "text",
		[OPTION_INT] = "number",
		[OPTION_MODE] = "mode",
		[OPTION_BYTES] = "size",
		[OPTION_DURATION] = "duration",
		[OPTION_RATIO] = "ratio",
		[OPTION_CHOICE] = "word",
		[OPTION_ADDRESS] = "host:port" };

	if (row->arg != NULL)
		return row->arg;
	return row->type == OPTION_CHOICE ? row->choices : defaults[row->type];
}

/* "[default 5s; OTEL_X]": words that wrap() may break. */
static void
print_origin(const struct option *row, size_t at)
{
	const char *sep = "[";
	char text[512] = "";
	size_t n = 0;

	if (row->required)
		n += (size_t)snprintf(text, sizeof(text), "[required");
	else if (row->fallback != NULL)
		n += (size_t)snprintf(text, sizeof(text), "[default %s", row->fallback);
	if (n > 0)
		sep = "; ";
	if (n < sizeof(text) && row->type == OPTION_LIST)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%srepeatable", sep);
	if (n > 0)
		sep = "; ";
	if (n < sizeof(text) && row->env != NULL)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", sep, row->env);
	if (n > 0 && n + 1 < sizeof(text))
		text[n] = ']';
	wrap(text, at);
}

static void
print_row(const struct option *row)
{
	const char *arg = placeholder(row);
	int n;

	if (row->flag == NULL) {
		printf("\n%s\n", row->help);
		return;
	}
	n = printf("%*s--%s%s%s", INDENT, "", row->flag, arg[0] != '\0' ? " " : "", arg);
	if (n < 0 || n + 2 > LEFT) {
		putchar('\n');
		n = 0;
	}
	printf("%*s", LEFT - n, "");
	print_origin(row, wrap(row->help != NULL ? row->help : "", LEFT));
	putchar('\n');
}

void
usage_print(const struct option_program *p)
{
	static const struct option standard[] = {
		{ .help = "Standard" },
		{ .flag = "check",
		    .arg = "",
		    .help = "Check the options, print what is in effect and exit" },
		{ .flag = "help", .arg = "", .help = "Print this and exit" },
		{ .flag = "version", .arg = "", .help = "Print the version and exit" },
	};

	printf("Usage: %s [--option=value]...", p->name);
	if (p->operands != NULL)
		printf(" [%s]", p->operands);
	printf("\n\n%s\n\nA flag beats its environment variable, which beats the default.\n",
	    p->summary);
	if (p->n > 0 && p->rows[0].flag != NULL)
		printf("\nOptions\n");
	for (size_t i = 0; i < p->n; i++)
		print_row(&p->rows[i]);
	for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]); i++)
		print_row(&standard[i]);
}

/* How many letters must be inserted, left out, replaced or swapped with their neighbour to make b
 * of a. */
static size_t
distance(const char *a, const char *b)
{
	size_t rows[3][FLAG_MAX + 1]; /* the matrix's last three rows, in turn */
	size_t la = strlen(a), lb = strlen(b);

	if (la > FLAG_MAX || lb > FLAG_MAX)
		return FLAG_MAX;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *now = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t d = above[j - 1] + (a[i - 1] != b[j - 1]);

			d = d < above[j] + 1 ? d : above[j] + 1;
			d = d < now[j - 1] + 1 ? d : now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < d)
				d = before[j - 2] + 1;
			now[j] = d;
		}
	}
	return rows[la % 3][lb];
}

static void
consider(
    const char *typed, const char *flag, const char *prefix, char best[FLAG_MAX + 1], size_t *least)
{
	char name[FLAG_MAX + 1];
	size_t d;

	if (snprintf(name, sizeof(name), "%s%s", prefix, flag) > FLAG_MAX)
		return;
	d = distance(typed, name);
	if (d < *least) {
		*least = d;
		memcpy(best, name, sizeof(name));
	}
}

const char *
usage_nearest(const struct option_program *p, const char *typed)
{
	static const char *const standard[] = { "check", "help", "version" };
	static char best[FLAG_MAX + 1];
	size_t least = strlen(typed) / 3 + 2; /* more changes than that: another word */

	best[0] = '\0';
	for (size_t i = 0; i < p->n; i++) {
		if (p->rows[i].flag == NULL)
			continue;
		consider(typed, p->rows[i].flag, "", best, &least);
		if (p->rows[i].type == OPTION_BOOL)
			consider(typed, p->rows[i].flag, "no-", best, &least);
	}
	for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]); i++)
		consider(typed, standard[i], "", best, &least);
	return best[0] != '\0' ? best : NULL;
}
