#include "reply.h"

#include "limits.h"

#include "otlp.pb-c.h"

#include <stdio.h>

/* protobuf-c's tree of one answer. Larger ones carry nothing we act on: they count as undecodable.
 */
enum { TREE_BYTES = 64 << 10 };

/* Seconds. To be left alone for a day or longer is nobody's wish but a mistake, such as a date by a
 * clock that is wrong: the usual pause, then. */
enum { RETRY_AFTER_END = 86400 };

struct tree {
	_Alignas(16) uint8_t bytes[TREE_BYTES];
	size_t used;
};

static void *
tree_alloc(void *arg, size_t n)
{
	struct tree *t = arg;
	void *p = t->bytes + t->used;

	n = (n + 15) & ~(size_t)15;
	if (n > sizeof(t->bytes) - t->used)
		return NULL;
	t->used += n;
	return p;
}

static void
tree_free(void *arg, void *p)
{
	(void)arg;
	(void)p;
}

static void
set_message(struct reply *r, const char *s, size_t n)
{
	size_t len = n < sizeof(r->message) - 1 ? n : sizeof(r->message) - 1;

	memcpy(r->message, s, len);
	r->message[len] = '\0';
}

/* An accepted request: how many of its items were not. An answer that does not decode says nothing
 * of that. */
static void
read_response(struct reply *r, const void *body, size_t len)
{
	static struct tree tree;
	ProtobufCAllocator allocator = { tree_alloc, tree_free, &tree };
	Otlp__ExportResponse *m;

	tree.used = 0;
	m = otlp__export_response__unpack(&allocator, len, body);
	if (m == NULL) {
		set_message(r, "answer is not an ExportResponse", 31);
		return;
	}
	if (m->partial_success != NULL) {
		if (m->partial_success->rejected > 0)
			r->rejected = (uint64_t)m->partial_success->rejected;
		set_message(r, m->partial_success->error_message,
		    strlen(m->partial_success->error_message));
	}
}

/* A google.rpc.Status: its message and, in its details, RetryInfo. True when RetryInfo was there.
 */
static int
read_status(struct reply *r, const void *body, size_t len)
{
	static struct tree tree;
	static const char retry_info[] = "type.googleapis.com/google.rpc.RetryInfo";
	ProtobufCAllocator allocator = { tree_alloc, tree_free, &tree };
	Otlp__RpcStatus *m;
	int found = 0;

	tree.used = 0;
	m = otlp__rpc_status__unpack(&allocator, len, body);
	if (m == NULL)
		return 0;
	if (m->message[0] != '\0')
		set_message(r, m->message, strlen(m->message));
	for (size_t i = 0; i < m->n_details; i++) {
		const Otlp__RpcDetail *d = m->details[i];
		Otlp__RetryInfo *info;

		if (strcmp(d->type_url, retry_info) != 0)
			continue;
		info = otlp__retry_info__unpack(&allocator, d->value.len, d->value.data);
		if (info == NULL)
			continue;
		found = 1;
		if (info->retry_delay != NULL && info->retry_delay->seconds >= 0 &&
		    info->retry_delay->seconds < RETRY_AFTER_END && info->retry_delay->nanos >= 0)
			r->retry_after = (uint64_t)info->retry_delay->seconds * 1000000000 +
					 (uint64_t)info->retry_delay->nanos;
	}
	return found;
}

static int
is_type(struct text type, struct text want)
{
	return type.len >= want.len && memcmp(type.s, want.s, want.len) == 0;
}

void
reply_http(struct reply *r, int status, uint64_t retry_after, struct text type, const void *body,
    size_t len)
{
	*r = (struct reply){ .code = status, .via = "http" };
	if (status >= 200 && status < 300) {
		/* A web server that answers anything with a page has not taken our spans. */
		if (is_type(type, TEXT("text/html"))) {
			r->verdict = REPLY_RETRY;
			set_message(r, "answered with a web page: is this a Collector?", 46);
			return;
		}
		r->verdict = REPLY_ACCEPTED;
		read_response(r, body, len);
		return;
	}
	if (is_type(type, TEXT("application/x-protobuf")))
		read_status(r, body, len);
	if (status == 429 || status == 502 || status == 503 || status == 504) {
		r->verdict = REPLY_RETRY;
		if (retry_after != 0 && retry_after < RETRY_AFTER_END)
			r->retry_after = retry_after * 1000000000;
	} else {
		r->verdict = REPLY_REJECTED;
	}
}

/* The codes that matter here; the numbers are gRPC's. */
enum {
	OK,
	CANCELLED,
	UNKNOWN,
	DEADLINE_EXCEEDED = 4,
	PERMISSION_DENIED = 7,
	RESOURCE_EXHAUSTED,
	ABORTED = 10,
	OUT_OF_RANGE,
	UNIMPLEMENTED,
	INTERNAL,
	UNAVAILABLE,
	DATA_LOSS,
	UNAUTHENTICATED
};

/* gRPC's table for answers of proxies, which know nothing of grpc-status. */
static int
status_of_http(int http)
{
	switch (http) {
	case 400:
	case 431: return INTERNAL;
	case 401: return UNAUTHENTICATED;
	case 403: return PERMISSION_DENIED;
	case 404: return UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504: return UNAVAILABLE;
	default: return UNKNOWN;
	}
}

static int
digit64(char c)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

/* Base64, padded or not, up to the first character that is none. */
static size_t
decode64(struct text in, uint8_t *out, size_t max)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < in.len && n < max; i++) {
		int d = digit64(in.s[i]);

		if (d < 0)
			break;
		bits = bits << 6 | (uint32_t)d;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	return n;
}

static int
digit16(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* grpc-message: %XX for what is not printable ASCII; what is wrong stays as it came. */
static void
decode_percent(struct reply *r, struct text in)
{
	size_t n = 0;

	for (uint32_t i = 0; i < in.len && n < sizeof(r->message) - 1; i++) {
		int high = i + 2 < in.len && in.s[i] == '%' ? digit16(in.s[i + 1]) : -1;
		int low = high >= 0 ? digit16(in.s[i + 2]) : -1;

		if (low >= 0) {
			r->message[n++] = (char)(high << 4 | low);
			i += 2;
		} else {
			r->message[n++] = in.s[i];
		}
	}
	r->message[n] = '\0';
}

static enum reply_verdict
verdict_of(int status, int retry_info)
{
	switch (status) {
	case CANCELLED:
	case DEADLINE_EXCEEDED:
	case ABORTED:
	case OUT_OF_RANGE:
	case UNAVAILABLE:
	case DATA_LOSS: return REPLY_RETRY;
	case RESOURCE_EXHAUSTED: return retry_info ? REPLY_RETRY : REPLY_REJECTED;
	default: return REPLY_REJECTED;
	}
}

void
reply_grpc(struct reply *r, int http_status, int status, struct text message, struct text details,
    const void *body, size_t len)
{
	uint8_t bytes[4096];
	bool told = status >= 0;
	int retry_info;

	*r = (struct reply){ .code = status, .via = "grpc" };
	if (status < 0 && http_status == 200) {
		/* The answer broke off before its trailers: as with any lost connection, try again.
		 */
		r->verdict = REPLY_RETRY;
		set_message(r, "answer without grpc-status", 26);
		return;
	}
	if (!told)
		r->code = status = status_of_http(http_status);
	if (status == OK) {
		r->verdict = REPLY_ACCEPTED;
		read_response(r, body, len);
		return;
	}
	decode_percent(r, message);
	retry_info = read_status(r, bytes, decode64(details, bytes, sizeof(bytes)));
	r->verdict = verdict_of(status, retry_info);
	if (!told && r->message[0] == '\0')
		snprintf(r->message, sizeof(r->message),
		    "HTTP status %d without grpc-status: does it speak gRPC?", http_status);
}

void
reply_none(struct reply *r, int code, const char *why)
{
	*r = (struct reply){ .verdict = REPLY_RETRY, .code = code, .via = "transport" };
	set_message(r, why, strlen(why));
}

void
reply_too_large(struct reply *r)
{
	*r = (struct reply){ .verdict = REPLY_REJECTED, .via = "transport" };
	snprintf(r->message, sizeof(r->message), "answer larger than %d bytes", LIMIT_REPLY_BYTES);
}
