#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void
answer_begin(struct answer *a, bool grpc)
{
	a->grpc = grpc;
	a->too_large = false;
	a->grpc_status = -1;
	a->type.len = a->message.len = a->details.len = 0;
	a->len = 0;
}

void
answer_free(struct answer *a)
{
	free(a->body);
	a->body = NULL;
	a->room = 0;
}

static void
keep(struct answer_field *f, const char *value, size_t n)
{
	while (n != 0 && (*value == ' ' || *value == '\t'))
		value++, n--;
	while (n != 0 && (value[n - 1] == '\r' || value[n - 1] == '\n' || value[n - 1] == ' '))
		n--;
	if (n > sizeof(f->text))
		n = sizeof(f->text);
	memcpy(f->text, value, n);
	f->len = (uint32_t)n;
}

static const char *
value_of(const char *line, size_t n, const char *name)
{
	size_t len = strlen(name);

	return n > len && strncasecmp(line, name, len) == 0 && line[len] == ':' ? line + len + 1
										: NULL;
}

/* A status of one or two digits; anything else is UNKNOWN, as no status at all would be. */
static int
status_of(const char *value, size_t n)
{
	enum { UNKNOWN = 2 };
	int status = 0, digits = 0;

	for (; n != 0 && (*value == ' ' || *value == '\t'); n--)
		value++;
	for (; n != 0 && *value >= '0' && *value <= '9'; n--, digits++)
		status = digits < 3 ? status * 10 + (*value++ - '0') : status;
	return digits == 1 || digits == 2 ? status : UNKNOWN;
}

void
answer_line(struct answer *a, const char *line, size_t n)
{
	const char *end = line + n, *value;

	if ((value = value_of(line, n, "grpc-status")) != NULL)
		a->grpc_status = status_of(value, (size_t)(end - value));
	else if ((value = value_of(line, n, "grpc-message")) != NULL)
		keep(&a->message, value, (size_t)(end - value));
	else if ((value = value_of(line, n, "grpc-status-details-bin")) != NULL)
		keep(&a->details, value, (size_t)(end - value));
	else if ((value = value_of(line, n, "content-type")) != NULL)
		keep(&a->type, value, (size_t)(end - value));
}

bool
answer_body(struct answer *a, const void *bytes, size_t n)
{
	if (n > LIMIT_REPLY_BYTES - a->len) {
		a->too_large = true;
		return false;
	}
	if (n > a->room - a->len) {
		size_t room = a->room == 0 ? 4096 : a->room;
		uint8_t *more;

		while (room - a->len < n)
			room *= 2;
		more = realloc(a->body, room);
		if (more == NULL)
			return false;
		a->body = more;
		a->room = room;
	}
	memcpy(a->body + a->len, bytes, n);
	a->len += n;
	return true;
}

/* The message inside a gRPC frame, decompressed; NULL: there is none that can be read. */
static const uint8_t *
unframe(const struct answer *a, struct gzip *gzip, uint8_t *plain, size_t *len)
{
	size_t n;

	*len = 0;
	if (a->len < 5)
		return NULL;
	n = (size_t)a->body[1] << 24 | (size_t)a->body[2] << 16 | (size_t)a->body[3] << 8 |
	    a->body[4];
	if (n > a->len - 5)
		return NULL;
	if (a->body[0] == 0) {
		*len = n;
		return a->body + 5;
	}
	return gzip_unpack(gzip, a->body + 5, n, plain, LIMIT_REPLY_BYTES, len) == 0 ? plain : NULL;
}

static struct text
text_of(const struct answer_field *f)
{
	return (struct text){ f->text, f->len };
}

void
answer_read(const struct answer *a, int http_status, uint64_t retry_after, struct gzip *gzip,
    uint8_t *plain, struct reply *r)
{
	const uint8_t *body;
	size_t len;

	if (!a->grpc) {
		reply_http(r, http_status, retry_after, text_of(&a->type), a->body, a->len);
		return;
	}
	body = unframe(a, gzip, plain, &len);
	reply_grpc(r, http_status, a->grpc_status, text_of(&a->message), text_of(&a->details), body,
	    body != NULL ? len : 0);
}
