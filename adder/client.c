#include "client.h"

#include "pem.h"

#include "base/log.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sum.pb-c.h>

#define METHOD "/sum.SumNumbersService/SumNumbers"

struct client {
	grpc_channel *channel;
	grpc_completion_queue *queue;
	void *method;
};

struct call { /* one under way */
	grpc_call *core;
	struct mono due;
	grpc_byte_buffer *request, *response;
	grpc_metadata_array initial, trailing;
	grpc_metadata traceparent;
	grpc_status_code code;
	grpc_slice text;
};

static void
on_grpc_log(gpr_log_func_args *line)
{
	if (line->severity == GPR_LOG_SEVERITY_ERROR)
		log_error("grpc", "text=%s", log_quote(line->message));
	else
		log_debug("grpc", "text=%s", log_quote(line->message));
}

static grpc_channel_credentials *
credentials(const struct client_options *o, char *error, size_t errlen)
{
	grpc_ssl_pem_key_cert_pair pair = { NULL, NULL };
	grpc_channel_credentials *made = NULL;
	char *ca, *cert = NULL, *key = NULL;

	if (o->ca == NULL)
		return grpc_insecure_credentials_create();
	ca = pem_read(o->ca, error, errlen);
	if (ca != NULL && o->cert != NULL) {
		cert = pem_read(o->cert, error, errlen);
		key = cert != NULL ? pem_read(o->key, error, errlen) : NULL;
	}
	if (ca != NULL && (o->cert == NULL || key != NULL)) {
		pair.private_key = key;
		pair.cert_chain = cert;
		made = grpc_ssl_credentials_create(ca, key != NULL ? &pair : NULL, NULL, NULL);
	}
	free(ca);
	free(cert);
	free(key);
	return made;
}

struct client *
client_open(const struct client_options *o, char *error, size_t errlen)
{
	/* The address is where the user says it is: no proxy from the environment between. */
	grpc_arg no_proxy = { .type = GRPC_ARG_INTEGER,
		.key = (char *)(uintptr_t)GRPC_ARG_ENABLE_HTTP_PROXY };
	grpc_channel_args args = { 1, &no_proxy };
	struct client *c = calloc(1, sizeof(*c));
	grpc_channel_credentials *creds;

	if (c == NULL) {
		snprintf(error, errlen, "out of memory");
		return NULL;
	}
	gpr_set_log_function(on_grpc_log);
	grpc_init();
	creds = credentials(o, error, errlen);
	if (creds == NULL) {
		grpc_shutdown();
		free(c);
		return NULL;
	}
	c->channel = grpc_channel_create(o->address, creds, &args);
	grpc_channel_credentials_release(creds);
	c->queue = grpc_completion_queue_create_for_next(NULL);
	c->method = grpc_channel_register_call(c->channel, METHOD, NULL, NULL);
	return c;
}

static void
call_free(struct call *k)
{
	grpc_byte_buffer_destroy(k->request);
	grpc_byte_buffer_destroy(k->response);
	grpc_metadata_array_destroy(&k->initial);
	grpc_metadata_array_destroy(&k->trailing);
	grpc_slice_unref(k->traceparent.value);
	grpc_slice_unref(k->text);
	grpc_call_unref(k->core);
	free(k);
}

static grpc_byte_buffer *
pack(int64_t x, int64_t y)
{
	Sum__SumNumbersRequest r = SUM__SUM_NUMBERS_REQUEST__INIT;
	uint8_t bytes[32]; /* two tags and two varints of at most ten bytes */
	grpc_slice slice;
	grpc_byte_buffer *buffer;

	r.x = x;
	r.y = y;
	slice = grpc_slice_from_copied_buffer(
	    (const char *)bytes, sum__sum_numbers_request__pack(&r, bytes));
	buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

bool
client_start(struct client *c, const struct client_call *call)
{
	struct call *k = calloc(1, sizeof(*k));
	gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
	    gpr_time_from_nanos((int64_t)call->deadline, GPR_TIMESPAN));
	grpc_op ops[6];

	if (k == NULL)
		return false;
	k->due = call->due;
	k->request = pack(call->x, call->y);
	grpc_metadata_array_init(&k->initial);
	grpc_metadata_array_init(&k->trailing);
	k->text = grpc_empty_slice();
	k->traceparent.key = grpc_slice_from_static_string("traceparent");
	k->traceparent.value = call->traceparent != NULL
				   ? grpc_slice_from_copied_string(call->traceparent)
				   : grpc_empty_slice();
	k->core = grpc_channel_create_registered_call(
	    c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->queue, c->method, deadline, NULL);

	memset(ops, 0, sizeof(ops));
	ops[0].op = GRPC_OP_SEND_INITIAL_METADATA;
	ops[0].data.send_initial_metadata.count = call->traceparent != NULL;
	ops[0].data.send_initial_metadata.metadata = &k->traceparent;
	ops[1].op = GRPC_OP_SEND_MESSAGE;
	ops[1].data.send_message.send_message = k->request;
	ops[2].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
	ops[3].op = GRPC_OP_RECV_INITIAL_METADATA;
	ops[3].data.recv_initial_metadata.recv_initial_metadata = &k->initial;
	ops[4].op = GRPC_OP_RECV_MESSAGE;
	ops[4].data.recv_message.recv_message = &k->response;
	ops[5].op = GRPC_OP_RECV_STATUS_ON_CLIENT;
	ops[5].data.recv_status_on_client.trailing_metadata = &k->trailing;
	ops[5].data.recv_status_on_client.status = &k->code;
	ops[5].data.recv_status_on_client.status_details = &k->text;
	if (grpc_call_start_batch(k->core, ops, 6, k, NULL) != GRPC_CALL_OK) {
		call_free(k);
		return false;
	}
	return true;
}

/* The sum in an OK's message; false: there is none. */
static bool
unpack(grpc_byte_buffer *buffer, int64_t *sum)
{
	grpc_byte_buffer_reader reader;
	grpc_slice all;
	Sum__SumNumbersResponse *r;

	if (buffer == NULL || !grpc_byte_buffer_reader_init(&reader, buffer))
		return false;
	all = grpc_byte_buffer_reader_readall(&reader);
	r = sum__sum_numbers_response__unpack(
	    NULL, GRPC_SLICE_LENGTH(all), GRPC_SLICE_START_PTR(all));
	grpc_slice_unref(all);
	grpc_byte_buffer_reader_destroy(&reader);
	if (r == NULL)
		return false;
	*sum = r->sum;
	sum__sum_numbers_response__free_unpacked(r, NULL);
	return true;
}

bool
client_next(struct client *c, struct mono until, struct client_reply *reply)
{
	struct mono now = clock_mono();
	int64_t wait = until.ns > now.ns ? (int64_t)(until.ns - now.ns) : 0;
	gpr_timespec deadline =
	    gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(wait, GPR_TIMESPAN));
	grpc_event e = grpc_completion_queue_next(c->queue, deadline, NULL);
	struct call *k = e.tag;

	if (e.type != GRPC_OP_COMPLETE)
		return false;
	*reply = (struct client_reply){ .code = status_of((int)k->code), .due = k->due };
	snprintf(reply->text, sizeof(reply->text), "%.*s", (int)GRPC_SLICE_LENGTH(k->text),
	    (const char *)GRPC_SLICE_START_PTR(k->text));
	if (reply->code == STATUS_OK && !unpack(k->response, &reply->sum)) {
		reply->code = STATUS_INTERNAL;
		snprintf(reply->text, sizeof(reply->text), "OK without a readable sum");
	}
	call_free(k);
	return true;
}

void
client_close(struct client *c)
{
	if (c == NULL)
		return;
	grpc_channel_destroy(c->channel);
	grpc_completion_queue_shutdown(c->queue);
	while (
	    grpc_completion_queue_next(c->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
	    GRPC_QUEUE_SHUTDOWN)
		continue;
	grpc_completion_queue_destroy(c->queue);
	grpc_shutdown();
	free(c);
}
