#include "post.h"

#include "answer.h"
#include "limits.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER_AGENT "sidecard/" VERSION " OTel-OTLP-Exporter-C/" VERSION

/* libcurl before 8.0.0 (Debian 12) cannot reuse a connection with prior knowledge of HTTP/2: every
 * second request fails with error 16, and over TLS reuse is unreliable. There each gRPC request has
 * a connection of its own. */
enum { CURL_REUSES_HTTP2 = 0x080000 };

/* And there an early answer to a body over 64 kB is lost: requests that gzip makes that small, at
 * its usual ratio of 5 or 6. */
enum { OLD_REQUEST_MAX = 256 << 10 };

struct transfer {
	CURL *easy;
	struct curl_slist *headers;
	void *cookie;
	bool busy;
	struct answer answer;
	char error[CURL_ERROR_SIZE];
};

struct post {
	struct ev_loop *loop;
	CURLM *multi;
	ev_timer timer;
	const struct target *targets;
	struct gzip *gzip;
	post_done *done;
	void *arg;
	bool fresh_grpc;     /* no reuse of connections for gRPC */
	struct mono renewed; /* connections from before are not reused; 0: never was */
	uint8_t *plain;      /* LIMIT_REPLY_BYTES, touched only when a reply is compressed */
	struct transfer transfers[LIMIT_IN_FLIGHT];
};

struct watch {
	ev_io io;
	struct post *post;
};

/* ---- the answer */

/* Headers and trailers alike: libcurl tells both here. */
static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	answer_line(arg, line, size * n);
	return size * n;
}

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	return answer_body(arg, bytes, size * n) ? size * n : 0;
}

static void
judge(struct post *p, struct transfer *t, CURLcode rc, struct reply *r)
{
	long http = 0;
	curl_off_t retry_after = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http);
	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (t->answer.too_large)
		reply_too_large(r);
	else if (rc != CURLE_OK && t->answer.grpc_status < 0)
		reply_none(r, (int)rc, t->error[0] != '\0' ? t->error : curl_easy_strerror(rc));
	else
		answer_read(&t->answer, (int)http, retry_after > 0 ? (uint64_t)retry_after : 0,
		    p->gzip, p->plain, r);
}

/* ---- libcurl on libev */

static void
finished(struct post *p)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(p->multi, &left)) != NULL) {
		struct transfer *t;
		struct reply r;
		CURLcode rc;

		if (m->msg != CURLMSG_DONE)
			continue;
		rc = m->data.result;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t);
		judge(p, t, rc, &r);
		curl_multi_remove_handle(p->multi, t->easy);
		t->busy = false;
		/* HTTP/2 keeps its connection after a time-out, though the peer may be gone. */
		if (rc == CURLE_OPERATION_TIMEDOUT)
			post_renew(p);
		p->done(
		    p->arg, t->cookie, &r, rc == CURLE_HTTP2_STREAM && t->answer.grpc_status < 0);
	}
}

static void
on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct post *p = w->data;
	int running;

	(void)loop;
	(void)events;
	curl_multi_socket_action(p->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	finished(p);
}

static int
set_timer(CURLM *multi, long ms, void *arg)
{
	struct post *p = arg;

	(void)multi;
	ev_timer_stop(p->loop, &p->timer);
	if (ms >= 0) {
		ev_timer_set(&p->timer, (double)ms / 1000, 0);
		ev_timer_start(p->loop, &p->timer);
	}
	return 0;
}

static void
on_socket(struct ev_loop *loop, ev_io *w, int events)
{
	struct post *p = ((struct watch *)w->data)->post;
	int flags =
	    (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
	int running;

	(void)loop;
	curl_multi_socket_action(p->multi, w->fd, flags, &running);
	finished(p);
}

static int
set_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct post *p = arg;
	struct watch *w = socket_arg;

	(void)easy;
	if (w != NULL)
		ev_io_stop(p->loop, &w->io);
	if (what == CURL_POLL_REMOVE) {
		free(w);
		return 0;
	}
	if (w == NULL) {
		w = calloc(1, sizeof(*w));
		if (w == NULL)
			return -1; /* libcurl fails the transfer, which is then tried again */
		w->post = p;
		ev_init(&w->io, on_socket);
		w->io.data = w;
		curl_multi_assign(p->multi, fd, w);
	}
	ev_io_set(&w->io, fd,
	    (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
	ev_io_start(p->loop, &w->io);
	return 0;
}

/* ---- requests */

static bool
add_header(struct transfer *t, const char *line)
{
	struct curl_slist *more = curl_slist_append(t->headers, line);

	if (more != NULL)
		t->headers = more;
	return more != NULL;
}

static bool
make_headers(struct transfer *t, const struct target *to, bool gzip)
{
	char timeout[48];
	bool ok;

	curl_slist_free_all(t->headers);
	t->headers = NULL;
	ok = add_header(t, "Expect:"); /* no "100 Continue" to wait for */
	if (to->grpc) {
		ok = ok && add_header(t, "content-type: application/grpc") &&
		     add_header(t, "te: trailers") &&
		     add_header(t, "grpc-accept-encoding: identity,gzip");
		if (gzip)
			ok = ok && add_header(t, "grpc-encoding: gzip");
		if (to->timeout != 0) {
			snprintf(timeout, sizeof(timeout), "grpc-timeout: %ldm",
			    to->timeout < 99999999 ? to->timeout : 99999999);
			ok = ok && add_header(t, timeout);
		}
	} else {
		ok = ok && add_header(t, "content-type: application/x-protobuf");
		if (gzip)
			ok = ok && add_header(t, "content-encoding: gzip");
	}
	for (unsigned i = 0; i < to->nheaders; i++)
		ok = ok && add_header(t, to->headers[i]);
	return ok;
}

static void
put_frame(uint8_t *frame, size_t len, bool gzip)
{
	frame[0] = gzip;
	frame[1] = (uint8_t)(len >> 24);
	frame[2] = (uint8_t)(len >> 16);
	frame[3] = (uint8_t)(len >> 8);
	frame[4] = (uint8_t)len;
}

/* Debian's libcurl has a default for the folder of authorities too, beside the file; and without a
 * folder it would keep for a day what it read from the file, whatever became of that. */
static void
trust_only(CURL *e, const char *certificate)
{
	curl_easy_setopt(e, CURLOPT_CAINFO, certificate);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(e, CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
}

/* Which connections may serve again: none, or those made since post_renew(). libcurl counts whole
 * seconds of their age: a second less than have gone by, and at first none. */
static void
set_reuse(struct post *p, CURL *e, bool never)
{
	bool renewed = p->renewed.ns != 0;
	long age = renewed ? (long)((clock_mono().ns - p->renewed.ns) / CLOCK_SECOND) - 1 : 0;

	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)(never || (renewed && age < 1)));
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, (long)never);
	if (age >= 1)
		curl_easy_setopt(e, CURLOPT_MAXLIFETIME_CONN, age);
}

/* Every option anew: a handle may serve either signal. */
static void
set_options(struct post *p, struct transfer *t, const struct target *to)
{
	bool tls = strncmp(to->url, "https", 5) == 0;
	CURL *e = t->easy;

	curl_easy_reset(e);
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_URL, to->url);
	curl_easy_setopt(e, CURLOPT_USERAGENT, USER_AGENT);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, &t->answer);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, &t->answer);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, to->timeout);
	set_reuse(p, e, to->grpc && p->fresh_grpc);
	if (to->grpc) {
		/* A Collector beside us: no proxy of the environment stands between. */
		curl_easy_setopt(e, CURLOPT_PROXY, "");
		curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
		    (long)(tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE));
		/* With a content-length libcurl would stop before the trailers. */
		curl_easy_setopt(e, CURLOPT_IGNORE_CONTENT_LENGTH, 1L);
		curl_easy_setopt(e, CURLOPT_PIPEWAIT, (long)!p->fresh_grpc);
	} else {
		/* The Collector answers gzip with gzip, asked or not. */
		curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip");
	}
	if (to->certificate != NULL)
		trust_only(e, to->certificate);
	if (to->client_key != NULL) {
		curl_easy_setopt(e, CURLOPT_SSLKEY, to->client_key);
		curl_easy_setopt(e, CURLOPT_SSLCERT, to->client_certificate);
	}
}

bool
post_start(
    struct post *p, enum target_signal signal, uint8_t *frame, size_t len, bool gzip, void *cookie)
{
	const struct target *to = &p->targets[signal];
	struct transfer *t = p->transfers;

	while (t < p->transfers + LIMIT_IN_FLIGHT && t->busy)
		t++;
	if (t == p->transfers + LIMIT_IN_FLIGHT || !make_headers(t, to, gzip))
		return false;
	t->cookie = cookie;
	t->error[0] = '\0';
	answer_begin(&t->answer, to->grpc);
	set_options(p, t, to);
	curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
	if (to->grpc)
		put_frame(frame, len, gzip);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE,
	    (curl_off_t)(to->grpc ? POST_HEADROOM + len : len));
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, to->grpc ? frame : frame + POST_HEADROOM);
	if (curl_multi_add_handle(p->multi, t->easy) != CURLM_OK)
		return false;
	t->busy = true;
	return true;
}

size_t
post_request_max(const struct post *p, enum target_signal signal)
{
	return p->fresh_grpc && p->targets[signal].grpc ? OLD_REQUEST_MAX : LIMIT_BATCH_BYTES;
}

void
post_renew(struct post *p)
{
	p->renewed = clock_mono();
}

struct post *
post_open(struct ev_loop *loop, const struct target *targets, struct gzip *gzip, post_done *done,
    void *arg, char *error, size_t errlen)
{
	struct post *p = calloc(1, sizeof(*p));
	bool ok = p != NULL;

	if (ok) {
		curl_global_init(CURL_GLOBAL_ALL);
		p->loop = loop;
		p->targets = targets;
		p->gzip = gzip;
		p->done = done;
		p->arg = arg;
		p->fresh_grpc = curl_version_info(CURLVERSION_NOW)->version_num < CURL_REUSES_HTTP2;
		ev_init(&p->timer, on_timer);
		p->timer.data = p;
		p->multi = curl_multi_init();
		p->plain = malloc(LIMIT_REPLY_BYTES);
		ok = p->multi != NULL && p->plain != NULL;
	}
	for (int i = 0; ok && i < LIMIT_IN_FLIGHT; i++) {
		p->transfers[i].easy = curl_easy_init();
		ok = p->transfers[i].easy != NULL;
	}
	if (!ok) {
		snprintf(error, errlen, "libcurl: out of memory");
		post_close(p);
		return NULL;
	}
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(p->multi, CURLMOPT_SOCKETDATA, p);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(p->multi, CURLMOPT_TIMERDATA, p);
	return p;
}

void
post_close(struct post *p)
{
	if (p == NULL)
		return;
	for (int i = 0; i < LIMIT_IN_FLIGHT; i++) {
		struct transfer *t = &p->transfers[i];

		if (t->busy)
			curl_multi_remove_handle(p->multi, t->easy);
		curl_easy_cleanup(t->easy);
		curl_slist_free_all(t->headers);
		answer_free(&t->answer);
	}
	if (p->multi != NULL)
		curl_multi_cleanup(p->multi);
	ev_timer_stop(p->loop, &p->timer);
	free(p->plain);
	free(p);
}
