#include "server_call.h"

#include "pem.h"

#include "base/clock.h"
#include "base/log.h"

#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
on_grpc_log(gpr_log_func_args *line)
{
	if (line->severity == GPR_LOG_SEVERITY_ERROR)
		log_error("grpc", "text=%s", log_quote(line->message));
	else
		log_debug("grpc", "text=%s", log_quote(line->message));
}

static void *
work(void *arg)
{
	grpc_completion_queue *queue = arg;
	grpc_event e;

	for (;;) {
		e = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
		if (e.type == GRPC_QUEUE_SHUTDOWN)
			return NULL;
		if (e.type == GRPC_OP_COMPLETE) {
			struct server_tag *tag = e.tag;

			tag->run(tag->owner, e.success != 0);
		}
	}
}

static grpc_server_credentials *
credentials(const struct server_options *o, char *error, size_t errlen)
{
	grpc_ssl_pem_key_cert_pair pair = { NULL, NULL };
	grpc_server_credentials *made = NULL;
	char *cert, *key, *ca;

	if (o->cert == NULL)
		return grpc_insecure_server_credentials_create();
	cert = pem_read(o->cert, error, errlen);
	key = cert != NULL ? pem_read(o->key, error, errlen) : NULL;
	ca = key != NULL && o->client_ca != NULL ? pem_read(o->client_ca, error, errlen) : NULL;
	if (key != NULL && (ca != NULL || o->client_ca == NULL)) {
		pair.private_key = key;
		pair.cert_chain = cert;
		made = grpc_ssl_server_credentials_create_ex(ca, &pair, 1,
		    ca != NULL ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
			       : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
		    NULL);
	}
	free(cert);
	free(key);
	free(ca);
	return made;
}

/* Whole milliseconds for gRPC, to which INT_MAX means no limit. */
static int
connection_age(int64_t ns)
{
	int64_t ms = ns / (int64_t)CLOCK_MILLI + (ns % (int64_t)CLOCK_MILLI != 0);

	return ms == 0 || ms > INT_MAX ? INT_MAX : (int)ms;
}

static grpc_server *
create(const struct server_options *o)
{
	grpc_arg args[] = {
		/* A second adder on the same port must fail, not share it. */
		{ .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_ALLOW_REUSEPORT },
		{ .type = GRPC_ARG_INTEGER,
		    .key = (char *)(uintptr_t)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
		    .value.integer = SERVER_MESSAGE_MAX },
		{ .type = GRPC_ARG_INTEGER,
		    .key = (char *)(uintptr_t)GRPC_ARG_MAX_CONNECTION_AGE_MS,
		    .value.integer = connection_age(o->max_connection_age) },
	};
	grpc_channel_args all = { sizeof(args) / sizeof(args[0]), args };

	return grpc_server_create(&all, NULL);
}

static int
bind_port(grpc_server *core, const struct server_options *o, char *error, size_t errlen)
{
	grpc_server_credentials *c = credentials(o, error, errlen);
	char address[300];
	int port;

	if (c == NULL)
		return 0;
	snprintf(address, sizeof(address), "%s%s", o->address[0] == ':' ? "[::]" : "", o->address);
	port = grpc_server_add_http2_port(core, address, c);
	grpc_server_credentials_release(c);
	if (port == 0)
		snprintf(error, errlen,
		    o->cert == NULL
			? "%s: cannot listen; is it in use, or not an address of this host?"
			: "%s: cannot listen, or cannot use the certificates or the key",
		    o->address);
	return port;
}

static void
on_down(void *owner, bool ok)
{
	struct server *s = owner;

	(void)ok;
	s->stopped(s->arg);
	pthread_mutex_lock(&s->lock);
	s->is_down = true;
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void
drain_queues(struct server *s)
{
	for (unsigned i = 0; i < SERVER_THREADS; i++)
		grpc_completion_queue_shutdown(s->queues[i]);
	for (unsigned i = 0; i < s->nthreads; i++)
		pthread_join(s->threads[i], NULL);
	for (unsigned i = 0; i < SERVER_THREADS; i++) {
		if (i >= s->nthreads)
			work(s->queues[i]);
		grpc_completion_queue_destroy(s->queues[i]);
	}
}

static void
discard(struct server *s)
{
	drain_queues(s);
	grpc_server_destroy(s->core);
	grpc_shutdown();
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static bool
start_threads(struct server *s, char *error, size_t errlen)
{
	int e = 0;

	while (s->nthreads < SERVER_THREADS && e == 0) {
		e = pthread_create(&s->threads[s->nthreads], NULL, work, s->queues[s->nthreads]);
		s->nthreads += e == 0;
	}
	if (e != 0)
		snprintf(error, errlen, "cannot start a thread: %s", strerror(e));
	return e == 0;
}

struct server *
server_open(const struct server_options *o, char *error, size_t errlen)
{
	struct server *s;

	if (o->n > SERVER_METHODS || (s = calloc(1, sizeof(*s))) == NULL) {
		snprintf(error, errlen, "out of memory");
		return NULL;
	}
	s->methods = o->methods;
	s->n = o->n;
	s->stopped = o->stopped;
	s->arg = o->arg;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	gpr_set_log_function(on_grpc_log);
	grpc_init();
	s->core = create(o);
	for (unsigned i = 0; i < SERVER_THREADS; i++) {
		s->queues[i] = grpc_completion_queue_create_for_next(NULL);
		grpc_server_register_completion_queue(s->core, s->queues[i], NULL);
	}
	s->port = bind_port(s->core, o, error, errlen);
	if (s->port == 0) {
		discard(s);
		return NULL;
	}
	grpc_server_start(s->core);
	for (unsigned i = 0; i < SERVER_THREADS; i++) {
		for (unsigned k = 0; k < SERVER_PENDING; k++)
			server_call_accept(s, i);
	}
	if (!start_threads(s, error, errlen)) {
		server_close(s);
		return NULL;
	}
	return s;
}

unsigned
server_port(const struct server *s)
{
	return (unsigned)s->port;
}

void
server_stop(struct server *s)
{
	if (atomic_exchange(&s->stopping, true))
		return;
	s->down = (struct server_tag){ .run = on_down, .owner = s };
	grpc_server_shutdown_and_notify(s->core, s->queues[0], &s->down);
}

unsigned
server_busy(const struct server *s)
{
	return atomic_load(&s->brief);
}

void
server_cancel(struct server *s)
{
	grpc_server_cancel_all_calls(s->core);
}

void
server_close(struct server *s)
{
	if (s == NULL)
		return;
	server_stop(s);
	server_cancel(s);
	pthread_mutex_lock(&s->lock);
	while (!s->is_down && s->nthreads > 0)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	discard(s);
}
