#include "vectors.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t
vectors_hex(const char *s, uint8_t *out)
{
	size_t n = 0;
	unsigned byte;

	for (; *s != '\0'; s += 2, n++) {
		while (*s == ' ')
			s++;
		if (*s == '\0')
			break;
		if (sscanf(s, "%2x", &byte) != 1)
			abort();
		out[n] = (uint8_t)byte;
	}
	return n;
}

static void
add(struct vector *v, const char *hex)
{
	v->bytes = realloc(v->bytes, v->n + strlen(hex) / 2 + 1);
	v->n += vectors_hex(hex, v->bytes + v->n);
}

static void
read_one(struct vector *v, const char *path)
{
	json_error_t error;
	json_t *part;
	size_t i;

	v->json = json_load_file(path, JSON_ALLOW_NUL, &error);
	if (v->json == NULL) {
		fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
		abort();
	}
	v->name = json_string_value(json_object_get(v->json, "name"));
	v->bytes = malloc(1);
	json_array_foreach(json_object_get(v->json, "bytes"), i, part)
	{
		json_int_t times = json_integer_value(json_object_get(part, "times"));

		if (json_is_string(part))
			add(v, json_string_value(part));
		for (; times > 0; times--)
			add(v, json_string_value(json_object_get(part, "repeat")));
	}
}

static int
is_json(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return n > 5 && strcmp(d->d_name + n - 5, ".json") == 0;
}

struct vector *
vectors_read(const char *level)
{
	struct dirent **files;
	struct vector *v;
	char path[512];
	int n;

	snprintf(path, sizeof(path), "protocol/vectors/%s", level);
	n = scandir(path, &files, is_json, alphasort);
	if (n <= 0) {
		fprintf(stderr, "%s: no vectors (run from the root of the tree)\n", path);
		abort();
	}
	v = calloc((size_t)n + 1, sizeof(*v));
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "protocol/vectors/%s/%s", level, files[i]->d_name);
		read_one(&v[i], path);
		free(files[i]);
	}
	free(files);
	return v;
}

void
vectors_free(struct vector *v)
{
	for (struct vector *it = v; it->name != NULL; it++) {
		json_decref(it->json);
		free(it->bytes);
	}
	free(v);
}

json_t *
vectors_double(double d)
{
	char text[40];

	if (isnan(d))
		return json_string("nan");
	snprintf(text, sizeof(text), "%.17g", d);
	return json_string(text);
}

void
vectors_normalise(json_t *at)
{
	json_t *inside;
	const char *key;
	size_t i;
	void *next;

	json_array_foreach(at, i, inside) vectors_normalise(inside);
	json_object_foreach_safe(at, next, key, inside)
	{
		if (strcmp(key, "double") == 0 && json_is_string(inside))
			json_object_set_new(
			    at, key, vectors_double(strtod(json_string_value(inside), NULL)));
		else
			vectors_normalise(inside);
	}
}
