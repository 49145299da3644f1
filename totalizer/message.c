#include "message.h"

#include "timestamp.h"

#include <jansson.h>
#include <string.h>

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly n bytes of lower-case hex that are not all zero. */
static bool
parse_id(const json_t *text, uint8_t *id, size_t n)
{
	const char *s = json_string_value(text);
	uint8_t any = 0;

	if (!s || json_string_length(text) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = hex(s[2 * i]), lo = hex(s[2 * i + 1]);
		if (hi < 0 || lo < 0)
			return false;
		id[i] = (uint8_t)(hi << 4 | lo);
		any |= id[i];
	}
	return any != 0;
}

static void
read_producer(const json_t *root, struct sidecar_context *out)
{
	struct sidecar_context c = { .flags = SIDECAR_SAMPLED | SIDECAR_REMOTE };

	if (parse_id(json_object_get(root, "trace_id"), c.trace_id, sizeof(c.trace_id)) &&
	    parse_id(json_object_get(root, "span_id"), c.span_id, sizeof(c.span_id)))
		*out = c;
}

static enum message_fault
read_object(const json_t *root, struct message *out)
{
	const json_t *sum = json_object_get(root, "sum");
	const json_t *produced = json_object_get(root, "produced_at");

	if (!json_is_object(root))
		return MESSAGE_NOT_OBJECT;
	if (!sum)
		return MESSAGE_NO_SUM;
	if (!json_is_integer(sum))
		return MESSAGE_SUM_TYPE;
	out->sum = json_integer_value(sum);
	if (json_is_string(produced))
		timestamp_parse(
		    &out->produced, json_string_value(produced), json_string_length(produced));
	read_producer(root, &out->producer);
	return MESSAGE_OK;
}

static enum message_fault
syntax_fault(const json_error_t *error)
{
	switch (json_error_code(error)) {
	case json_error_numeric_overflow: return MESSAGE_SUM_RANGE;
	case json_error_out_of_memory: return MESSAGE_NO_MEMORY;
	default: return MESSAGE_NOT_JSON;
	}
}

enum message_fault
message_parse(struct message *out, const void *payload, size_t len)
{
	json_error_t error;
	enum message_fault fault;
	json_t *root;

	memset(out, 0, sizeof(*out));
	if (len == 0)
		return MESSAGE_EMPTY;
	if (len > MESSAGE_BYTES)
		return MESSAGE_TOO_LONG;
	/* jansson passes over a NUL that follows a number. */
	if (memchr(payload, '\0', len))
		return MESSAGE_NOT_JSON;
	root = json_loadb(payload, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!root)
		return syntax_fault(&error);
	fault = read_object(root, out);
	json_decref(root);
	return fault;
}

const char *
message_fault_text(enum message_fault fault)
{
	static const char *const texts[] = {
		[MESSAGE_OK] = "valid",
		[MESSAGE_EMPTY] = "no value",
		[MESSAGE_TOO_LONG] = "longer than 64 KiB",
		[MESSAGE_NOT_JSON] = "not JSON",
		[MESSAGE_NOT_OBJECT] = "not a JSON object",
		[MESSAGE_NO_SUM] = "no member \"sum\"",
		[MESSAGE_SUM_TYPE] = "\"sum\" is not an integer",
		[MESSAGE_SUM_RANGE] = "a number outside 64 bits",
		[MESSAGE_NO_MEMORY] = "out of memory",
	};

	return texts[fault];
}
