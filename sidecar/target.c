#include "target.h"

#include "base/address.h"

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

/* An option of which a signal may have its own. */
struct setting {
	enum target_signal signal;
	bool own;
	const char *name;  /* "headers" */
	const char *value; /* NULL: none */
};

static int fail(struct target_error *, const struct setting *, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
fail(struct target_error *e, const struct setting *s, const char *fmt, ...)
{
	va_list args;

	snprintf(e->option, sizeof(e->option), "otlp-%s%s%s", s->own ? target_name[s->signal] : "",
	    s->own ? "-" : "", s->name);
	va_start(args, fmt);
	vsnprintf(e->why, sizeof(e->why), fmt, args);
	va_end(args);
	return -1;
}

/* A signal's own setting, or else the general one. */
static struct setting
either(enum target_signal signal, const char *name, const char *own, const char *general)
{
	return (struct setting){ signal, own != NULL, name, own != NULL ? own : general };
}

/* The same for a choice: 0 is "same", the others are the general ones in order. */
static int64_t
either_choice(int64_t own, int64_t general)
{
	return own != 0 ? own - 1 : general;
}

/* host, host:port, [v6] or [v6]:port, perhaps behind user:password@. */
static bool
is_authority(const char *s, size_t n)
{
	char text[ADDRESS_HOST + sizeof("[]:65535")];
	const char *user = memrchr(s, '@', n);
	const char *host = user != NULL ? user + 1 : s;
	size_t len = n - (size_t)(host - s);
	bool v6 = len != 0 && host[0] == '[';
	bool port = len != 0 && (v6 ? host[len - 1] != ']' : memchr(host, ':', len) != NULL);
	struct address a;

	return len + sizeof(":1") <= sizeof(text) &&
	       snprintf(text, sizeof(text), "%.*s%s", (int)len, host, port ? "" : ":1") > 0 &&
	       address_parse(text, &a) && a.host[0] != '\0' && a.port != 0;
}

/* The URL for a log: user and password are no business of its readers. */
static void
hide_user(struct target *t)
{
	const char *rest = strstr(t->url, "://") + 3;
	const char *user = memrchr(rest, '@', strcspn(rest, "/?#"));

	snprintf(t->shown, sizeof(t->shown), "%.*s%s", (int)(rest - t->url), t->url,
	    user != NULL ? user + 1 : rest);
}

/* Endpoint to URL: a scheme where none was given; over gRPC the path is the method's, over HTTP a
 * general endpoint gets the signal's path and a signal's own stays as it is. */
static int
make_url(struct target *t, const struct setting *s, bool insecure, struct target_error *e)
{
	const char *colon = strstr(s->value, "://");
	const char *rest = colon != NULL ? colon + 3 : s->value;
	size_t scheme = colon != NULL ? (size_t)(colon - s->value) : 0;
	size_t host = strcspn(rest, "/?#");
	const char *path = rest + host, *slash = "";
	int n;

	if (colon != NULL && !(scheme == 4 && strncmp(s->value, "http", 4) == 0) &&
	    !(scheme == 5 && strncmp(s->value, "https", 5) == 0))
		return fail(e, s, "'%s': the scheme is http or https", s->value);
	if (!is_authority(rest, host) || strpbrk(s->value, " \t\r\n") != NULL)
		return fail(e, s, "'%s': expected a URL such as http://localhost:4317", s->value);
	if (t->grpc) {
		path = grpc_path[s->signal];
	} else if (!s->own) {
		slash = *path == '\0' || path[strlen(path) - 1] != '/' ? "/" : "";
	} else if (*path == '\0') {
		slash = "/";
	}
	n = snprintf(t->url, sizeof(t->url), "%s://%.*s%s%s%s",
	    colon == NULL ? insecure ? "http" : "https"
	    : scheme == 4 ? "http"
			  : "https",
	    (int)host, rest, path, slash, !t->grpc && !s->own ? http_path[s->signal] : "");
	if (n < 0 || (size_t)n >= sizeof(t->url))
		return fail(e, s, "'%.40s...': longer than %d bytes", s->value, TARGET_URL);
	hide_user(t);
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
    size_t len, const struct setting *s, struct target_error *e)
{
	char *end = t->header_text + sizeof(t->header_text), *p = *to;

	if (t->nheaders == TARGET_HEADERS || (size_t)(end - p) < keylen + len + 3)
		return fail(e, s, "more than %d, or longer than %d bytes", TARGET_HEADERS,
		    TARGET_HEADER_BYTES);
	if (!is_token(key, keylen))
		return fail(e, s, "'%.*s' is not the name of a header", (int)keylen, key);
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
			return fail(
			    e, s, "the value of '%.*s' has a control character", (int)keylen, key);
		*p++ = (char)c;
		i += low >= 0 ? 2 : 0;
	}
	*p++ = '\0';
	*to = p;
	return 0;
}

static int
make_headers(struct target *t, const struct setting *s, struct target_error *e)
{
	const char *list = s->value;
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
			return fail(e, s, "'%.*s' is not key=value", (int)n, item);

		const char *key = item, *value = equals + 1;
		size_t keylen = trim(&key, (size_t)(equals - item));
		size_t vallen = trim(&value, n - (size_t)(equals - item) - 1);

		if (put_header(t, &to, key, keylen, value, vallen, s, e) != 0)
			return -1;
	}
	return 0;
}

static int
take_file(const char **path, const struct setting *s, struct target_error *e)
{
	*path = s->value;
	if (*path != NULL && access(*path, R_OK) != 0)
		return fail(e, s, "'%s': %m", *path);
	return 0;
}

static int
take_files(struct target *t, const struct config_otlp *own, const struct config_otlp *general,
    enum target_signal signal, struct target_error *e)
{
	const struct setting certificate = either(
				 signal, "certificate", own->certificate, general->certificate),
			     client_key =
				 either(signal, "client-key", own->client_key, general->client_key),
			     client_certificate = either(signal, "client-certificate",
				 own->client_certificate, general->client_certificate);

	if (client_key.value != NULL && client_certificate.value == NULL)
		return fail(e, &client_key, "needs a client certificate too");
	if (client_key.value == NULL && client_certificate.value != NULL)
		return fail(e, &client_certificate, "needs a client key too");
	if (take_file(&t->certificate, &certificate, e) != 0 ||
	    take_file(&t->client_key, &client_key, e) != 0)
		return -1;
	return take_file(&t->client_certificate, &client_certificate, e);
}

int
target_resolve(
    struct target *t, const struct config *c, enum target_signal signal, struct target_error *e)
{
	const struct config_otlp *own = signal == TARGET_TRACES ? &c->traces : &c->metrics;
	const struct setting endpoint = either(signal, "endpoint", own->endpoint, c->otlp.endpoint),
			     headers = either(signal, "headers", own->headers, c->otlp.headers);
	int64_t exporter = signal == TARGET_TRACES ? c->traces_exporter : c->metrics_exporter;
	int64_t timeout = own->timeout != 0 ? own->timeout : c->otlp.timeout;
	bool insecure = own->insecure != 0 ? own->insecure == 1 : c->insecure;

	*t = (struct target){ 0 };
	if (endpoint.value == NULL || exporter != 0)
		return 0;
	t->on = true;
	t->grpc = either_choice(own->protocol, c->otlp.protocol) == PROTOCOL_GRPC;
	t->gzip = either_choice(own->compression, c->otlp.compression) == COMPRESSION_GZIP;
	t->timeout = (long)((timeout + 999999) / 1000000); /* up: 0 would be no limit */
	if (take_files(t, own, &c->otlp, signal, e) != 0 ||
	    make_url(t, &endpoint, insecure, e) != 0)
		return -1;
	return make_headers(t, &headers, e);
}
