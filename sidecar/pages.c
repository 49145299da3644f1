#include "pages.h"

#include "expose.h"
#include "limits.h"
#include "procfs.h"
#include "stat.h"

#include "base/http.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE_FIRST = 64 << 10 };

struct pages {
	struct pages_parts parts;
	struct http *http;
	size_t room; /* what the last page needed: the next will too */
	bool ready;
};

static void
metrics(struct pages *p, struct http_reply *reply)
{
	struct process process;

	procfs_read(&process, p->parts.start);
	stats.scrapes++;
	/* Up to the first room that is enough for every page. */
	for (; p->room < 2 * (size_t)LIMIT_PAGE_BYTES; p->room *= 2) {
		struct buf out;
		char *page = malloc(p->room);

		if (page == NULL)
			break;
		buf_init(&out, page, p->room);
		expose_text(p->parts.meter, p->parts.services, &process, clock_mono(), &out);
		if (!out.failed) {
			*reply = (struct http_reply){
				.status = 200, .type = EXPOSE_TYPE, .body = page, .len = out.len
			};
			return;
		}
		free(page);
	}
	p->room = PAGE_FIRST;
	http_text(reply, 503, "no memory for the page\n");
}

static void
answer(const struct http_request *request, struct http_reply *reply, void *arg)
{
	struct pages *p = arg;
	const char *path = http_path(request);

	if (strcmp(path, "/metrics") == 0)
		metrics(p, reply);
	else if (strcmp(path, "/healthz") == 0)
		http_text(reply, 200, "alive\n");
	else if (strcmp(path, "/readyz") == 0)
		http_text(reply, p->ready ? 200 : 503, p->ready ? "ready\n" : "not listening\n");
	else
		http_text(reply, 404, "there is /metrics, /healthz and /readyz\n");
}

struct pages *
pages_open(struct ev_loop *loop, const struct pages_parts *parts, char *error, size_t errlen)
{
	struct pages *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->parts = *parts;
	p->room = PAGE_FIRST;
	p->http = http_open(loop, parts->address, answer, p, error, errlen);
	if (p->http == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

unsigned
pages_port(const struct pages *p)
{
	return http_port(p->http);
}

void
pages_ready(struct pages *p, bool ready)
{
	p->ready = ready;
}

void
pages_close(struct pages *p)
{
	if (p == NULL)
		return;
	http_close(p->http);
	free(p);
}
