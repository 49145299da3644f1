#include "pages.h"

#include "base/buf.h"
#include "base/log.h"
#include "client/sidecar.h"
#include "timestamp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY = 2048 }; /* a reason of RESULTS_REASON bytes, each escaped to six, and the rest */

static const char not_found[] =
    "not found; there are /v1/results, /v1/healthcheck, /healthz and /readyz\n";

/* The text as a JSON string. Bytes that are not ASCII become '?': reasons come from anywhere. */
static void
put_string(struct buf *b, const char *text)
{
	buf_put_u8(b, '"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			buf_put_u8(b, '\\');
		if (c < 0x20)
			buf_printf(b, "\\u%04x", c);
		else
			buf_put_u8(b, c < 0x7f ? c : '?');
	}
	buf_put_u8(b, '"');
}

static void
reply(struct http_reply *out, unsigned status, const struct buf *b)
{
	out->status = status;
	out->type = "application/json";
	out->body = malloc(b->len);
	if (!out->body) {
		out->status = 500;
		return;
	}
	memcpy(out->body, b->base, b->len);
	out->len = b->len;
}

static void
unavailable(struct http_reply *out, struct buf *b, const char *error, const char *reason)
{
	buf_printf(b, "{\"error\": \"%s\", \"reason\": ", error);
	put_string(b, reason);
	buf_put_str(b, "}\n");
	reply(out, 503, b);
}

static void
answer_results(const struct results_view *v, struct buf *b, struct http_reply *out)
{
	const char *reason = results_unknown(v, clock_mono());
	char total[TOTAL_TEXT], as_of[TIMESTAMP_TEXT];

	if (reason) {
		unavailable(out, b, "total_unknown", reason);
		return;
	}
	total_format(v->total, total);
	timestamp_format(v->as_of, as_of);
	buf_printf(b,
	    "{\"result\": %s, \"count\": %" PRId64 ", \"partitions\": %" PRId32
	    ", \"as_of\": \"%s\"}\n",
	    total, v->count, v->partitions, as_of);
	reply(out, 200, b);
}

static void
answer_health(const struct results_view *v, struct buf *b, struct http_reply *out)
{
	const char *reason = results_unhealthy(v, clock_mono());

	if (reason) {
		unavailable(out, b, "not_ready", reason);
		return;
	}
	buf_printf(b, "{\"status\": \"ok\", \"assigned\": %" PRId32 ", \"owned\": %" PRId32 "}\n",
	    v->assigned, v->owned);
	reply(out, 200, b);
}

static void
answer(struct pages *p, const char *path, struct http_reply *out)
{
	uint8_t body[BODY];
	struct results_view view;
	struct buf b;

	buf_init(&b, body, sizeof(body));
	results_read(p->results, &view);
	if (strcmp(path, "/v1/results") == 0)
		answer_results(&view, &b, out);
	else if (strcmp(path, "/v1/healthcheck") == 0 || strcmp(path, "/readyz") == 0)
		answer_health(&view, &b, out);
	else if (strcmp(path, "/healthz") == 0)
		http_text(out, 200, "ok\n");
	else
		http_text(out, 404, "%s", not_found);
}

/* ---- spans ---- */

/* NULL: the path is no route of ours, and stays out of names and labels. */
static const char *
route_of(const char *path)
{
	static const char *const routes[] = { "/v1/results", "/v1/healthcheck" };

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(path, routes[i]) == 0)
			return routes[i];
	}
	return NULL;
}

static void
start_span(struct pages *p, const struct http_request *request, const char *route,
    struct sidecar_span *span)
{
	const char *header = http_header(request, "traceparent"), *method = http_method(request);
	const struct sidecar_attr attrs[] = {
		sidecar_str("http.request.method", method),
		sidecar_str("url.path", http_path(request)),
		sidecar_str("url.scheme", "http"),
		sidecar_str("network.protocol.version", http_version(request)),
		sidecar_str("client.address", http_client(request)),
		sidecar_str("http.route", route ? route : ""),
	};
	struct sidecar_context parent = { 0 };
	char name[64];

	/* Twice in one request: whose would it be? */
	if (header && http_header_count(request, "traceparent") == 1)
		sidecar_extract(header, strlen(header), &parent);
	snprintf(name, sizeof(name), route ? "%s %s" : "%s", method, route);
	sidecar_span_start(p->sidecar, span, name, SIDECAR_SERVER, &parent, 0, attrs,
	    sizeof(attrs) / sizeof(attrs[0]) - !route);
}

static void
end_span(struct sidecar_span *span, unsigned status)
{
	char code[12];
	const struct sidecar_attr attrs[] = {
		sidecar_int("http.response.status_code", status),
		sidecar_str("error.type", code),
	};

	snprintf(code, sizeof(code), "%u", status);
	sidecar_span_end(span, status >= 500 ? SIDECAR_FAILED : SIDECAR_UNSET, NULL, 0, attrs,
	    status >= 500 ? 2 : 1);
}

static void
tell(const struct http_request *request, unsigned status, struct mono started)
{
	if (!log_on(LOG_DEBUG))
		return;
	log_debug("request", "method=%s path=%s status=%u duration_ms=%.3f",
	    log_quote(http_method(request)), log_quote(http_path(request)), status,
	    (double)(clock_mono().ns - started.ns) / (double)CLOCK_MILLI);
}

void
pages_answer(const struct http_request *request, struct http_reply *out, void *arg)
{
	struct pages *p = arg;
	const char *path = http_path(request);
	struct sidecar_span span;
	struct mono started;

	/* An orchestrator asks these every few seconds, for ever: spans of them would drown the
	 * others. */
	if (strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0) {
		answer(p, path, out);
		return;
	}
	started = clock_mono();
	start_span(p, request, route_of(path), &span);
	log_context(span.context.trace_id, span.context.span_id, span.context.flags);
	answer(p, path, out);
	tell(request, out->status, started);
	log_context(NULL, NULL, 0);
	end_span(&span, out->status);
}
