#include "reflection.h"

#include "schema.h"
#include "server.h"

#include <reflection.pb-c.h>
#include <stdlib.h>
#include <string.h>

#define ASKED(what)    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define ANSWERED(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

typedef Grpc__Reflection__V1__ServerReflectionRequest request;
typedef Grpc__Reflection__V1__ServerReflectionResponse response;

enum { SERVICES_MAX = 8, SERVICE_NAME = 128 };

/* One answer with all it may point to. */
struct answer {
	response r;
	Grpc__Reflection__V1__FileDescriptorResponse files;
	Grpc__Reflection__V1__ExtensionNumberResponse numbers;
	Grpc__Reflection__V1__ListServiceResponse list;
	Grpc__Reflection__V1__ErrorResponse error;
	Grpc__Reflection__V1__ServiceResponse service[SERVICES_MAX], *services[SERVICES_MAX];
	char names[SERVICES_MAX][SERVICE_NAME];
	ProtobufCBinaryData bytes;
};

static void
answer_error(struct answer *a, enum status code, const char *text)
{
	a->r.message_response_case = ANSWERED(ERROR_RESPONSE);
	a->r.error_response = &a->error;
	a->error.error_code = (int)code;
	a->error.error_message = (char *)(uintptr_t)text;
}

static void
answer_file(struct answer *a, const struct schema_file *f, const char *otherwise)
{
	if (f == NULL) {
		answer_error(a, STATUS_NOT_FOUND, otherwise);
		return;
	}
	a->r.message_response_case = ANSWERED(FILE_DESCRIPTOR_RESPONSE);
	a->r.file_descriptor_response = &a->files;
	a->bytes.data = (uint8_t *)(uintptr_t)f->bytes;
	a->bytes.len = f->n;
	a->files.n_file_descriptor_proto = 1;
	a->files.file_descriptor_proto = &a->bytes;
}

static void
answer_list(struct answer *a, const struct schema *s)
{
	size_t n = 0;

	while (n < SERVICES_MAX && schema_service(s, n, a->names[n], sizeof(a->names[n]))) {
		grpc__reflection__v1__service_response__init(&a->service[n]);
		a->service[n].name = a->names[n];
		a->services[n] = &a->service[n];
		n++;
	}
	a->r.message_response_case = ANSWERED(LIST_SERVICES_RESPONSE);
	a->r.list_services_response = &a->list;
	a->list.n_service = n;
	a->list.service = a->services;
}

/* Proto3 files have no extensions: the list is empty for each message there is. */
static void
answer_extensions(struct answer *a, const struct schema *s, char *message)
{
	if (schema_by_message(s, message) == NULL) {
		answer_error(a, STATUS_NOT_FOUND, "no such message");
		return;
	}
	a->r.message_response_case = ANSWERED(ALL_EXTENSION_NUMBERS_RESPONSE);
	a->r.all_extension_numbers_response = &a->numbers;
	a->numbers.base_type_name = message;
}

static void
answer_request(struct answer *a, const struct schema *s, request *q)
{
	memset(a, 0, sizeof(*a));
	grpc__reflection__v1__server_reflection_response__init(&a->r);
	grpc__reflection__v1__file_descriptor_response__init(&a->files);
	grpc__reflection__v1__extension_number_response__init(&a->numbers);
	grpc__reflection__v1__list_service_response__init(&a->list);
	grpc__reflection__v1__error_response__init(&a->error);
	a->r.valid_host = q->host;
	a->r.original_request = q;
	switch (q->message_request_case) {
	case ASKED(FILE_BY_FILENAME):
		answer_file(a, schema_by_name(s, q->file_by_filename), "no such file");
		break;
	case ASKED(FILE_CONTAINING_SYMBOL):
		answer_file(a, schema_by_symbol(s, q->file_containing_symbol), "no such symbol");
		break;
	case ASKED(FILE_CONTAINING_EXTENSION):
		answer_error(a, STATUS_NOT_FOUND, "no such extension");
		break;
	case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
		answer_extensions(a, s, q->all_extension_numbers_of_type);
		break;
	case ASKED(LIST_SERVICES): answer_list(a, s); break;
	default: answer_error(a, STATUS_INVALID_ARGUMENT, "nothing known was asked"); break;
	}
}

static void
message(struct server_call *call, const uint8_t *bytes, size_t n)
{
	struct answer a;
	request *q;
	uint8_t *out;
	size_t len;

	if (bytes == NULL) {
		server_finish(call, STATUS_OK, "", NULL, 0);
		return;
	}
	q = grpc__reflection__v1__server_reflection_request__unpack(NULL, n, bytes);
	if (q == NULL) {
		server_finish(call, STATUS_INTERNAL, "unreadable request", NULL, 0);
		return;
	}
	answer_request(&a, server_arg(call), q);
	len = grpc__reflection__v1__server_reflection_response__get_packed_size(&a.r);
	out = malloc(len);
	if (out != NULL) {
		grpc__reflection__v1__server_reflection_response__pack(&a.r, out);
		server_send(call, out, len);
	} else {
		server_finish(call, STATUS_RESOURCE_EXHAUSTED, "out of memory", NULL, 0);
	}
	free(out);
	grpc__reflection__v1__server_reflection_request__free_unpacked(q, NULL);
}

void
reflection_methods(const struct schema *schema, struct server_method *out)
{
	static const char *const paths[REFLECTION_METHODS] = {
		"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
		"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
	};

	for (size_t i = 0; i < REFLECTION_METHODS; i++)
		out[i] = (struct server_method){ .path = paths[i],
			.limit = REFLECTION_CALLS,
			.stream = true,
			.lasting = true,
			.message = message,
			.arg = (void *)(uintptr_t)schema };
}
