#include "server_call.h"

#include "base/log.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)STATUS_UNAVAILABLE == (int)GRPC_STATUS_UNAVAILABLE &&
		   (int)STATUS_UNAUTHENTICATED == (int)GRPC_STATUS_UNAUTHENTICATED,
    "status codes are the wire's");

struct server_call {
	struct server *server;
	const struct server_method *method; /* NULL: unknown to us */
	unsigned queue;
	grpc_call *core; /* NULL until it arrives */
	grpc_call_details details;
	gpr_timespec patience; /* until when the caller waits, about */
	grpc_metadata_array metadata;
	grpc_byte_buffer *in, *out, *last;
	grpc_slice text;
	int cancelled; /* written by gRPC; `over` tells the handler */
	atomic_uint
	    refs; /* the handler's until server_finish(), and one for each operation under way */
	atomic_bool finished;
	bool greeted; /* initial metadata sent */
	/* Of the queue's thread. refused: gRPC did not take the request. */
	bool is_over, refused;
	void *data;
	struct server_tag arrive, close, read, write, finish;
};

static void
call_free(struct server_call *c)
{
	grpc_call_details_destroy(&c->details);
	grpc_metadata_array_destroy(&c->metadata);
	grpc_byte_buffer_destroy(c->in);
	grpc_byte_buffer_destroy(c->out);
	grpc_byte_buffer_destroy(c->last);
	grpc_slice_unref(c->text);
	if (c->core != NULL)
		grpc_call_unref(c->core);
	free(c);
}

static void
call_unref(struct server_call *c)
{
	struct server *s = c->server;
	const struct server_method *m = c->method;

	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	call_free(c);
	if (m != NULL)
		atomic_fetch_sub(&s->live[m - s->methods], 1);
	if (m == NULL || !m->lasting)
		atomic_fetch_sub(&s->brief, 1);
}

/* Start operations whose end comes back as *tag. They hold the call until then. */
static void
batch(struct server_call *c, const grpc_op *ops, size_t n, struct server_tag *tag,
    void (*run)(void *, bool))
{
	grpc_call_error e;

	*tag = (struct server_tag){ .run = run, .owner = c };
	atomic_fetch_add(&c->refs, 1);
	e = grpc_call_start_batch(c->core, ops, n, tag, NULL);
	if (e != GRPC_CALL_OK) { /* our bug: the operations do not fit the call's state */
		log_error("grpc_batch_refused", "reason=%s", grpc_call_error_to_string(e));
		call_unref(c);
	}
}

static grpc_byte_buffer *
bytes_to_buffer(const uint8_t *bytes, size_t n)
{
	grpc_slice slice = grpc_slice_from_copied_buffer((const char *)bytes, n);
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);

	grpc_slice_unref(slice);
	return buffer;
}

static void read_next(struct server_call *);

static void
on_read(void *owner, bool ok)
{
	struct server_call *c = owner;
	grpc_byte_buffer_reader reader;

	if (c->is_over || (c->in == NULL && grpc_call_failed_before_recv_message(c->core))) {
		/* cancelled or broken: `over` follows */
	} else if (!ok) {
		c->refused = true; /* `over` follows here too */
	} else if (c->in == NULL || !grpc_byte_buffer_reader_init(&reader, c->in)) {
		c->method->message(c, NULL, 0);
	} else {
		grpc_slice all = grpc_byte_buffer_reader_readall(&reader);

		grpc_byte_buffer_reader_destroy(&reader);
		grpc_byte_buffer_destroy(c->in);
		c->in = NULL;
		c->method->message(c, GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all));
		grpc_slice_unref(all);
	}
	call_unref(c);
}

static void
read_next(struct server_call *c)
{
	grpc_op op;

	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_MESSAGE;
	op.data.recv_message.recv_message = &c->in;
	batch(c, &op, 1, &c->read, on_read);
}

static void
on_written(void *owner, bool ok)
{
	struct server_call *c = owner;

	grpc_byte_buffer_destroy(c->out);
	c->out = NULL;
	if (ok && !c->is_over && !atomic_load(&c->finished)) {
		if (c->method->written != NULL)
			c->method->written(c);
		if (c->method->stream)
			read_next(c);
	}
	call_unref(c);
}

static void
on_finished(void *owner, bool ok)
{
	(void)ok; /* the caller has gone: `over` tells that better */
	call_unref(owner);
}

/* The first of the operations that send, with what must come before it. */
static size_t
greet(struct server_call *c, grpc_op *ops)
{
	if (c->greeted)
		return 0;
	c->greeted = true;
	ops[0] = (grpc_op){ .op = GRPC_OP_SEND_INITIAL_METADATA };
	return 1;
}

void
server_send(struct server_call *c, const uint8_t *bytes, size_t n)
{
	grpc_op ops[2];
	size_t nops = greet(c, ops);

	c->out = bytes_to_buffer(bytes, n);
	ops[nops++] =
	    (grpc_op){ .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = c->out };
	batch(c, ops, nops, &c->write, on_written);
}

void
server_finish(
    struct server_call *c, enum status code, const char *text, const uint8_t *message, size_t n)
{
	grpc_op ops[3];
	size_t nops;

	if (atomic_exchange(&c->finished, true))
		return;
	nops = greet(c, ops);
	if (message != NULL) {
		c->last = bytes_to_buffer(message, n);
		ops[nops++] = (grpc_op){ .op = GRPC_OP_SEND_MESSAGE,
			.data.send_message.send_message = c->last };
	}
	c->text = grpc_slice_from_copied_string(text);
	ops[nops++] = (grpc_op){ .op = GRPC_OP_SEND_STATUS_FROM_SERVER,
		.data.send_status_from_server = {
		    .status = (grpc_status_code)code, .status_details = &c->text } };
	batch(c, ops, nops, &c->finish, on_finished);
	call_unref(c);
}

static void
on_over(void *owner, bool ok)
{
	struct server_call *c = owner;

	(void)ok;
	c->is_over = true;
	if (c->method != NULL && c->method->over != NULL)
		c->method->over(c);
	else
		server_finish(c, STATUS_CANCELLED, "", NULL, 0);
	call_unref(c);
}

static const struct server_method *
find_method(const struct server *s, grpc_slice path)
{
	for (size_t i = 0; i < s->n; i++) {
		if (grpc_slice_str_cmp(path, s->methods[i].path) == 0)
			return &s->methods[i];
	}
	return NULL;
}

/* Hand the call to its handler, or refuse it. The handler's reference is there already. */
static void
introduce(struct server_call *c)
{
	struct server *s = c->server;
	const struct server_method *m = find_method(s, c->details.method);

	if (m == NULL) {
		server_finish(c, STATUS_UNIMPLEMENTED, "unknown method", NULL, 0);
		return;
	}
	if (atomic_fetch_add(&s->live[m - s->methods], 1) >= m->limit && m->limit > 0) {
		atomic_fetch_sub(&s->live[m - s->methods], 1);
		server_finish(
		    c, STATUS_RESOURCE_EXHAUSTED, "too many calls of this method", NULL, 0);
		return;
	}
	c->method = m;
	if (m->lasting)
		atomic_fetch_sub(&s->brief, 1);
	if (m->start != NULL)
		m->start(c);
	if (!atomic_load(&c->finished))
		read_next(c);
}

/* Callers round the timeout that they send up, by at most 1 %, and cancel at their own deadline: of a
 * second or more ours is never reached. The 50 ms, of which a short one allows a tenth of itself, are for
 * the way here: on a busy machine a call's end may come that much faster than its beginning. */
static gpr_timespec
patience_of(gpr_timespec deadline)
{
	double us, slack;

	if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0)
		return deadline;
	us = gpr_timespec_to_micros(gpr_time_sub(deadline, gpr_now(deadline.clock_type)));
	slack = us / 100 + 50000;
	if (slack > us / 10)
		slack = us / 10;
	return gpr_time_sub(deadline, gpr_time_from_micros((int64_t)slack, GPR_TIMESPAN));
}

static void
on_arrival(void *owner, bool ok)
{
	struct server_call *c = owner;
	grpc_op op;

	if (!ok) { /* the server is going down */
		call_free(c);
		return;
	}
	c->patience = patience_of(c->details.deadline);
	server_call_accept(
	    c->server, c->queue); /* first, so that a burst finds the next one waiting */
	atomic_fetch_add(&c->server->brief, 1);
	atomic_init(&c->refs, 2); /* the handler's, and ours for this function */
	memset(&op, 0, sizeof(op));
	op.op = GRPC_OP_RECV_CLOSE_ON_SERVER;
	op.data.recv_close_on_server.cancelled = &c->cancelled;
	batch(c, &op, 1, &c->close, on_over);
	introduce(c);
	call_unref(c);
}

void
server_call_accept(struct server *s, unsigned queue)
{
	struct server_call *c = calloc(1, sizeof(*c));
	grpc_completion_queue *q = s->queues[queue];
	grpc_call_error e;

	if (c == NULL) {
		log_error("out_of_memory", "what=call");
		return;
	}
	c->server = s;
	c->queue = queue;
	c->text = grpc_empty_slice();
	c->arrive = (struct server_tag){ .run = on_arrival, .owner = c };
	grpc_call_details_init(&c->details);
	grpc_metadata_array_init(&c->metadata);
	e = grpc_server_request_call(
	    s->core, &c->core, &c->details, &c->metadata, q, q, &c->arrive);
	if (e != GRPC_CALL_OK) {
		log_error("grpc_request_refused", "reason=%s", grpc_call_error_to_string(e));
		call_free(c);
	}
}

void *
server_arg(const struct server_call *c)
{
	return c->method->arg;
}

void *
server_data(const struct server_call *c)
{
	return c->data;
}

void
server_set_data(struct server_call *c, void *data)
{
	c->data = data;
}

const char *
server_metadata(const struct server_call *c, const char *key, size_t *len)
{
	const grpc_slice *found = NULL;

	for (size_t i = 0; i < c->metadata.count; i++) {
		if (grpc_slice_str_cmp(c->metadata.metadata[i].key, key) != 0)
			continue;
		if (found != NULL)
			return NULL;
		found = &c->metadata.metadata[i].value;
	}
	if (found == NULL)
		return NULL;
	*len = GRPC_SLICE_LENGTH(*found);
	return (const char *)GRPC_SLICE_START_PTR(*found);
}

void
server_authority(const struct server_call *c, char *out, size_t size)
{
	size_t n = GRPC_SLICE_LENGTH(c->details.host);

	n = n < size ? n : size - 1;
	memcpy(out, GRPC_SLICE_START_PTR(c->details.host), n);
	out[n] = '\0';
}

static bool
is_past(gpr_timespec time)
{
	return gpr_time_cmp(gpr_now(time.clock_type), time) >= 0;
}

bool
server_expired(const struct server_call *c)
{
	return is_past(c->details.deadline);
}

bool
server_refused(const struct server_call *c)
{
	return c->refused;
}

bool
server_timed_out(const struct server_call *c)
{
	return is_past(c->patience);
}
