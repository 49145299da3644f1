#include "schema.h"

#include <descriptor.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A google.protobuf.FileDescriptorSet, from protoc. */
static const uint8_t embedded[] = {
#include "services.inc"
};

struct schema {
	Descriptor__FileSet *set;
	Descriptor__File **files; /* of the set, in its order */
	struct schema_file *bytes;
};

void
schema_close(struct schema *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; s->files != NULL && i < s->set->n_file; i++)
		descriptor__file__free_unpacked(s->files[i], NULL);
	if (s->set != NULL)
		descriptor__file_set__free_unpacked(s->set, NULL);
	free(s->files);
	free(s->bytes);
	free(s);
}

struct schema *
schema_open(void)
{
	struct schema *s = calloc(1, sizeof(*s));
	size_t n;

	if (s == NULL)
		return NULL;
	s->set = descriptor__file_set__unpack(NULL, sizeof(embedded), embedded);
	n = s->set != NULL ? s->set->n_file : 0;
	if (n == 0)
		goto fail;
	s->files = calloc(n, sizeof(*s->files));
	s->bytes = calloc(n, sizeof(*s->bytes));
	if (s->files == NULL || s->bytes == NULL)
		goto fail;
	for (size_t i = 0; i < n; i++) {
		s->bytes[i].bytes = s->set->file[i].data;
		s->bytes[i].n = s->set->file[i].len;
		s->files[i] = descriptor__file__unpack(NULL, s->bytes[i].n, s->bytes[i].bytes);
		if (s->files[i] == NULL)
			goto fail;
	}
	return s;
fail:
	schema_close(s);
	return NULL;
}

/* What follows name and a dot in path; "" when path is name; NULL when it is neither. */
static const char *
after(const char *path, const char *name)
{
	size_t n = strlen(name);

	if (n == 0)
		return path;
	if (strncmp(path, name, n) != 0)
		return NULL;
	if (path[n] == '\0')
		return path + n;
	return path[n] == '.' && path[n + 1] != '\0' ? path + n + 1 : NULL;
}

static bool
has_name(Descriptor__Named *const *list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i]->name, name) == 0)
			return true;
	}
	return false;
}

/* An enum, or one of its values, which stand beside it and not inside. */
static bool
in_enums(Descriptor__Enum *const *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i]->name, path) == 0 ||
		    has_name(list[i]->value, list[i]->n_value, path))
			return true;
	}
	return false;
}

/* Recursion goes as deep as messages are nested in our own files. */
static bool
in_messages(Descriptor__Message *const *list, size_t n, const char *path, bool message_only)
{
	for (size_t i = 0; i < n; i++) {
		const Descriptor__Message *m = list[i];
		const char *rest = after(path, m->name);

		if (rest == NULL)
			continue;
		if (rest[0] == '\0')
			return true;
		if (in_messages(m->nested_type, m->n_nested_type, rest, message_only))
			return true;
		if (!message_only && (in_enums(m->enum_type, m->n_enum_type, rest) ||
					 has_name(m->field, m->n_field, rest) ||
					 has_name(m->oneof_decl, m->n_oneof_decl, rest)))
			return true;
	}
	return false;
}

static bool
in_services(Descriptor__Service *const *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++) {
		const char *rest = after(path, list[i]->name);

		if (rest != NULL &&
		    (rest[0] == '\0' || has_name(list[i]->method, list[i]->n_method, rest)))
			return true;
	}
	return false;
}

static const struct schema_file *
find(const struct schema *s, const char *symbol, bool message_only)
{
	for (size_t i = 0; i < s->set->n_file; i++) {
		const Descriptor__File *f = s->files[i];
		const char *path = after(symbol, f->package);

		if (path == NULL || path[0] == '\0')
			continue;
		if (in_messages(f->message_type, f->n_message_type, path, message_only))
			return &s->bytes[i];
		if (!message_only && (in_enums(f->enum_type, f->n_enum_type, path) ||
					 in_services(f->service, f->n_service, path)))
			return &s->bytes[i];
	}
	return NULL;
}

const struct schema_file *
schema_by_name(const struct schema *s, const char *name)
{
	for (size_t i = 0; i < s->set->n_file; i++) {
		if (strcmp(s->files[i]->name, name) == 0)
			return &s->bytes[i];
	}
	return NULL;
}

const struct schema_file *
schema_by_symbol(const struct schema *s, const char *symbol)
{
	return find(s, symbol, false);
}

const struct schema_file *
schema_by_message(const struct schema *s, const char *message)
{
	return find(s, message, true);
}

bool
schema_service(const struct schema *s, size_t i, char *out, size_t size)
{
	for (size_t f = 0; f < s->set->n_file; f++) {
		const Descriptor__File *file = s->files[f];

		if (i < file->n_service) {
			snprintf(out, size, "%s.%s", file->package, file->service[i]->name);
			return true;
		}
		i -= file->n_service;
	}
	return false;
}
