#include "red.h"

#include "promname.h"

static bool
begins_with(struct text name, struct text prefix)
{
	return name.len >= prefix.len && memcmp(name.s, prefix.s, prefix.len) == 0;
}

bool
red_reserved(struct text name)
{
	char shown[WIRE_TEXT_MAX + 8], ours[WIRE_TEXT_MAX];
	struct buf out;
	struct text made;

	buf_init(&out, shown, sizeof(shown));
	promname_metric(&out, name, false);
	made = (struct text){ .s = shown, .len = (uint32_t)out.len };
	if (begins_with(made, TEXT("kafka_")) || begins_with(made, TEXT("sidecar_")) ||
	    begins_with(made, TEXT("process_")))
		return true;
	for (unsigned i = METRIC_RED; i < METRIC_FIXED; i++) {
		buf_init(&out, ours, sizeof(ours));
		promname_metric(&out, metric_fixed[i].name, false);
		if (text_same(made, (struct text){ .s = ours, .len = (uint32_t)out.len }))
			return true;
	}
	return false;
}

/* Attributes that tell which histogram a span belongs to, and those that become labels. */
enum attribute {
	HTTP_METHOD,
	URL_SCHEME,
	HTTP_ROUTE,
	HTTP_STATUS,
	RPC_SYSTEM,
	RPC_METHOD,
	RPC_STATUS,
	MESSAGING_SYSTEM,
	MESSAGING_DESTINATION,
	MESSAGING_OPERATION,
	MESSAGING_OPERATION_TYPE,
	MESSAGING_GROUP,
	ERROR_TYPE,
	ATTRIBUTES
};

#define T(literal)                                         \
	{                                                  \
		.s = (literal), .len = sizeof(literal) - 1 \
	}

static const struct {
	struct text key, label;
} names[ATTRIBUTES] = {
	[HTTP_METHOD] = { T("http.request.method"), T("http_request_method") },
	[URL_SCHEME] = { T("url.scheme"), T("url_scheme") },
	[HTTP_ROUTE] = { T("http.route"), T("http_route") },
	[HTTP_STATUS] = { T("http.response.status_code"), T("http_response_status_code") },
	[RPC_SYSTEM] = { T("rpc.system.name"), T("rpc_system_name") },
	[RPC_METHOD] = { T("rpc.method"), T("rpc_method") },
	[RPC_STATUS] = { T("rpc.response.status_code"), T("rpc_response_status_code") },
	[MESSAGING_SYSTEM] = { T("messaging.system"), T("messaging_system") },
	[MESSAGING_DESTINATION] = { T("messaging.destination.name"),
	    T("messaging_destination_name") },
	[MESSAGING_OPERATION] = { T("messaging.operation.name"), T("messaging_operation_name") },
	[MESSAGING_OPERATION_TYPE] = { T("messaging.operation.type"),
	    T("messaging_operation_type") },
	[MESSAGING_GROUP] = { T("messaging.consumer.group.name"),
	    T("messaging_consumer_group_name") },
	[ERROR_TYPE] = { T("error.type"), T("error_type") },
};

#define BIT(attribute) (1U << (attribute))

enum {
	HTTP = BIT(HTTP_METHOD) | BIT(URL_SCHEME) | BIT(HTTP_ROUTE) | BIT(HTTP_STATUS),
	RPC = BIT(RPC_SYSTEM) | BIT(RPC_METHOD) | BIT(RPC_STATUS),
	MESSAGING = BIT(MESSAGING_DESTINATION) | BIT(MESSAGING_OPERATION) |
		    BIT(MESSAGING_OPERATION_TYPE) | BIT(MESSAGING_GROUP)
};

/* Which histogram, and which of the attributes label it; METRIC_FIXED: none. */
static enum metric_fixed
choose(const struct span *span, uint32_t seen, uint32_t *labels)
{
	switch (span->kind) {
	case WIRE_KIND_SERVER:
		*labels = seen & BIT(HTTP_METHOD) ? HTTP : RPC;
		return seen & BIT(HTTP_METHOD)  ? METRIC_HTTP_SERVER
		       : seen & BIT(RPC_SYSTEM) ? METRIC_RPC_SERVER
						: METRIC_FIXED;
	case WIRE_KIND_CLIENT:
		if (!(seen & BIT(MESSAGING_SYSTEM)))
			return METRIC_FIXED;
		/* fallthrough */
	case WIRE_KIND_PRODUCER: *labels = MESSAGING; return METRIC_MESSAGING_CLIENT;
	case WIRE_KIND_CONSUMER:
		*labels = MESSAGING;
		return seen & BIT(MESSAGING_SYSTEM) ? METRIC_MESSAGING_PROCESS : METRIC_FIXED;
	default: return METRIC_FIXED;
	}
}

/* The attributes of the list above that the span has. Of equal keys the last wins. */
static uint32_t
collect(const struct span_list *attrs, struct keyvalue found[ATTRIBUTES])
{
	struct text rest = { .s = (const char *)attrs->bytes, .len = attrs->len };
	struct keyvalue kv;
	uint32_t seen = 0;

	while (keyvalue_next(&rest, &kv))
		for (unsigned i = 0; i < ATTRIBUTES; i++)
			if (text_same(kv.key, names[i].key)) {
				found[i] = kv;
				seen |= BIT(i);
				break;
			}
	return seen;
}

void
red_span(struct meter *m, struct service *service, const struct span *span)
{
	struct keyvalue found[ATTRIBUTES];
	uint8_t made[LABELS_BYTES];
	struct labels labels;
	struct buf scratch;
	uint32_t seen, wanted = 0;
	bool failed = span->status == WIRE_STATUS_ERROR;
	enum metric_fixed metric;

	if (span->kind < WIRE_KIND_SERVER)
		return;
	seen = collect(&span->attrs, found);
	metric = choose(span, seen, &wanted);
	if (metric == METRIC_FIXED)
		return;
	buf_init(&scratch, made, sizeof(made));
	labels_begin(&labels);
	wanted = (wanted | BIT(ERROR_TYPE)) & seen;
	for (unsigned i = 0; wanted >> i != 0; i++)
		if (wanted >> i & 1) {
			struct text value = keyvalue_label(&found[i], &scratch);

			if (value.len == 0)
				continue;
			labels_put(&labels, names[i].label, value, found[i].whole);
			failed &= i != ERROR_TYPE;
		}
	if (failed)
		labels_put_text(
		    &labels, names[ERROR_TYPE].label, names[ERROR_TYPE].key, TEXT("_OTHER"));
	labels.key.failed |= scratch.failed;
	meter_duration(m, service, metric, &labels, span->end - span->start);
}
