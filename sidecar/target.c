#include "target.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const char *const target_name[TARGETS] = { "traces", "metrics" };

static const char *const grpc_path[TARGETS] = {
	"/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	"/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
};
static const char *const http_path[TARGETS] = { "v1/traces", "v1/metrics" };

struct error {
	char *text;
	size_t len;
};

static int fail(const struct error *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
fail(const struct error *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->text, e->len, fmt, args);
	va_end(args);
	return -1;
}

/* A signal's own setting, or else the general one. */
static const char *
either(const char *own, const char *general)
{
	return own != NULL ? own : general;
}

/* The same for a choice: 0 is "same", the others are the general ones in order. */
static int64_t
either_choice(int64_t own, int64_t general)
{
	return own != 0 ? own - 1 : general;
}

/* Endpoint to URL: a scheme where none was given; over gRPC the path is the method's, over HTTP a
 * general endpoint gets the signal's path and a signal's own stays as it is. */
static int
make_url(struct target *t, const char *endpoint, bool own, bool insecure, enum target_signal signal,
    const struct error *e)
{
	const char *colon = strstr(endpoint, "://");
	const char *rest = colon != NULL ? colon + 3 : endpoint;
	size_t scheme = colon != NULL ? (size_t)(colon - endpoint) : 0;
	size_t host = strcspn(rest, "/?#");
	const char *path = rest + host, *slash = "";
	int n;

	if (colon != NULL && !(scheme == 4 && strncmp(endpoint, "http", 4) == 0) &&
	    !(scheme == 5 && strncmp(endpoint, "https", 5) == 0))
		return fail(e, "endpoint '%s': the scheme is http or https", endpoint);
	if (host == 0 || strpbrk(endpoint, " \t\r\n") != NULL)
		return fail(
		    e, "endpoint '%s': expected a URL such as http://localhost:4317", endpoint);
	if (t->grpc) {
		path = grpc_path[signal];
	} else if (!own) {
		slash = *path == '\0' || path[strlen(path) - 1] != '/' ? "/" : "";
	} else if (*path == '\0') {
		slash = "/";
	}
	n = snprintf(t->url, sizeof(t->url), "%s://%.*s%s%s%s",
	    colon == NULL ? insecure ? "http" : "https"
	    : scheme == 4 ? "http"
			  : "https",
	    (int)host, rest, path, slash, !t->grpc && !own ? http_path[signal] : "");
	if (n < 0 || (size_t)n >= sizeof(t->url))
		return fail(e, "endpoint '%.40s...': longer than %d bytes", endpoint, TARGET_URL);
	return 0;
}

static int
hex(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c | 0x20 : c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

static bool
is_token(const char *s, size_t n)
{
	static const char other[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < n; i++) {
		bool alnum = (s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') ||
			     (s[i] >= 'A' && s[i] <= 'Z');

		if (!alnum && (s[i] == '\0' || strchr(other, s[i]) == NULL))
			return false;
	}
	return n != 0;
}

static size_t
trim(const char **s, size_t n)
{
	while (n != 0 && (**s == ' ' || **s == '\t'))
		(*s)++, n--;
	while (n != 0 && ((*s)[n - 1] == ' ' || (*s)[n - 1] == '\t'))
		n--;
	return n;
}

/* One "key=value" as "key: value" at *to; names in lower case, as HTTP/2 wants them; %XX in the
 * value is decoded. */
static int
put_header(struct target *t, char **to, const char *key, size_t keylen, const char *value,
    size_t len, const struct error *e)
{
	char *end = t->header_text + sizeof(t->header_text), *p = *to;

	if (t->nheaders == TARGET_HEADERS || (size_t)(end - p) < keylen + len + 3)
		return fail(e, "headers: more than %d, or longer than %d bytes", TARGET_HEADERS,
		    TARGET_HEADER_BYTES);
	if (!is_token(key, keylen))
		return fail(e, "headers: '%.*s' is not the name of a header", (int)keylen, key);
	t->headers[t->nheaders++] = p;
	for (size_t i = 0; i < keylen; i++)
		*p++ = (char)(key[i] >= 'A' && key[i] <= 'Z' ? key[i] | 0x20 : key[i]);
	*p++ = ':';
	*p++ = ' ';
	for (size_t i = 0; i < len; i++) {
		int high = value[i] == '%' && i + 2 < len ? hex(value[i + 1]) : -1;
		int low = high >= 0 ? hex(value[i + 2]) : -1;
		int c = low >= 0 ? high << 4 | low : (unsigned char)value[i];

		if (c < ' ' || c == 0x7f)
			return fail(e, "headers: the value of '%.*s' has a control character",
			    (int)keylen, key);
		*p++ = (char)c;
		i += low >= 0 ? 2 : 0;
	}
	*p++ = '\0';
	*to = p;
	return 0;
}

static int
make_headers(struct target *t, const char *list, const struct error *e)
{
	char *to = t->header_text;

	while (list != NULL && *list != '\0') {
		size_t len = strcspn(list, ",");
		const char *item = list, *equals;
		size_t n = trim(&item, len);

		list += len + (list[len] == ',');
		if (n == 0)
			continue;
		equals = memchr(item, '=', n);
		if (equals == NULL)
			return fail(e, "headers: '%.*s' is not key=value", (int)n, item);

		const char *key = item, *value = equals + 1;
		size_t keylen = trim(&key, (size_t)(equals - item));
		size_t vallen = trim(&value, n - (size_t)(equals - item) - 1);

		if (put_header(t, &to, key, keylen, value, vallen, e) != 0)
			return -1;
	}
	return 0;
}

static int
check_file(const char *what, const char *path, const struct error *e)
{
	if (path != NULL && access(path, R_OK) != 0)
		return fail(e, "%s '%s': %m", what, path);
	return 0;
}

int
target_resolve(
    struct target *t, const struct config *c, enum target_signal signal, char *error, size_t errlen)
{
	const struct config_otlp *own = signal == TARGET_TRACES ? &c->traces : &c->metrics;
	const struct error e = { error, errlen };
	const char *endpoint = either(own->endpoint, c->otlp.endpoint);
	int64_t exporter = signal == TARGET_TRACES ? c->traces_exporter : c->metrics_exporter;
	bool insecure = own->insecure != 0 ? own->insecure == 1 : c->insecure;

	*t = (struct target){ 0 };
	if (endpoint == NULL || exporter != 0)
		return 0;
	t->on = true;
	t->grpc = either_choice(own->protocol, c->otlp.protocol) == PROTOCOL_GRPC;
	t->gzip = either_choice(own->compression, c->otlp.compression) == COMPRESSION_GZIP;
	/* Up: 0 would be no limit. */
	t->timeout =
	    (long)(((own->timeout != 0 ? own->timeout : c->otlp.timeout) + 999999) / 1000000);
	t->certificate = either(own->certificate, c->otlp.certificate);
	t->client_key = either(own->client_key, c->otlp.client_key);
	t->client_certificate = either(own->client_certificate, c->otlp.client_certificate);
	if ((t->client_key == NULL) != (t->client_certificate == NULL))
		return fail(&e, "%s: a client key and a client certificate go together",
		    target_name[signal]);
	if (check_file("certificate", t->certificate, &e) != 0 ||
	    check_file("client key", t->client_key, &e) != 0 ||
	    check_file("client certificate", t->client_certificate, &e) != 0)
		return -1;
	if (make_url(t, endpoint, own->endpoint != NULL, insecure, signal, &e) != 0)
		return -1;
	return make_headers(t, either(own->headers, c->otlp.headers), &e);
}
