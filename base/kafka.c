#include "kafka.h"

#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON = 512, KEY = 128 };

/* Before 2.6.1 librdkafka repeated its nonce in the last message of SCRAM. Brokers from 4.0 on
 * refuse that with the words for a wrong password. */
static void
explain(const char *text)
{
	if (rd_kafka_version() < 0x020601ff && strstr(text, "SASL mechanism SCRAM") != NULL)
		log_error("kafka_scram", "librdkafka=%s reason=%s", rd_kafka_version_str(),
		    log_quote("brokers from 4.0 on take SCRAM from librdkafka 2.6.1 or newer, "
			      "whatever the password"));
}

/* librdkafka's levels are syslog's. */
static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	explain(text);
	if (level <= 3)
		log_error("kafka", "facility=%s text=%s", log_quote(facility), log_quote(text));
	else if (level == 4)
		log_warn("kafka", "facility=%s text=%s", log_quote(facility), log_quote(text));
	else if (level <= 6)
		log_info("kafka", "facility=%s text=%s", log_quote(facility), log_quote(text));
	else
		log_debug("kafka", "facility=%s text=%s", log_quote(facility), log_quote(text));
}

static bool
set(rd_kafka_conf_t *conf, const char *key, const char *value, char *error, size_t errlen)
{
	char reason[REASON];
	rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, key, value, reason, sizeof(reason));

	if (result == RD_KAFKA_CONF_OK)
		return true;
	reason[strcspn(reason, "\n")] = '\0'; /* some end in a newline */
	if (result == RD_KAFKA_CONF_INVALID)
		snprintf(error, errlen, "Kafka property %s=%s: %s", key, value, reason);
	else /* perhaps the mistyped key of a password: its value is not for a log */
		snprintf(error, errlen, "Kafka property %s: %s", key, reason);
	return false;
}

static bool
set_all(rd_kafka_conf_t *conf, const struct kafka_setting *settings, size_t n, char *error,
    size_t errlen)
{
	for (size_t i = 0; i < n; i++) {
		if (!set(conf, settings[i].key, settings[i].value, error, errlen))
			return false;
	}
	return true;
}

/* The value in effect, whichever of a property's names it was set by. Allocated; NULL: none. */
static char *
value_of(const rd_kafka_conf_t *conf, const char *key)
{
	char *value;
	size_t len;

	if (rd_kafka_conf_get(conf, key, NULL, &len) != RD_KAFKA_CONF_OK)
		return NULL;
	value = malloc(len);
	if (value != NULL)
		rd_kafka_conf_get(conf, key, value, &len);
	return value;
}

static bool
differ(const rd_kafka_conf_t *a, const rd_kafka_conf_t *b, const char *key)
{
	char *x = value_of(a, key), *y = value_of(b, key);
	bool differ = x == NULL || y == NULL ? x != y : strcmp(x, y) != 0;

	free(x);
	free(y);
	return differ;
}

/* One of the user's pairs. Those in `fixed` stay as they are in `ours`: it is the values that are
 * compared, as many properties have a second name (acks, request.required.acks). */
static bool
set_pair(rd_kafka_conf_t *conf, const rd_kafka_conf_t *ours, const char *pair,
    const struct kafka_setting *fixed, size_t nfixed, char *error, size_t errlen)
{
	const char *equals = strchr(pair, '=');
	char key[KEY];

	if (equals == NULL || equals == pair || (size_t)(equals - pair) >= sizeof(key)) {
		snprintf(error, errlen, "'%.*s': not key=value",
		    equals == NULL ? KEY : (int)strnlen(pair, KEY), pair);
		return false;
	}
	memcpy(key, pair, (size_t)(equals - pair));
	key[equals - pair] = '\0';
	if (!set(conf, key, equals + 1, error, errlen))
		return false;
	if (differ(conf, ours, "bootstrap.servers") || strcmp(key, "bootstrap.servers") == 0) {
		snprintf(error, errlen,
		    "Kafka property %s: the brokers have an option of their own", key);
		return false;
	}
	for (size_t i = 0; i < nfixed; i++) {
		if (strcmp(key, fixed[i].key) != 0 && !differ(conf, ours, fixed[i].key))
			continue;
		snprintf(error, errlen, "Kafka property %s=%s: %s is always %s here", key,
		    equals + 1, fixed[i].key, fixed[i].value[0] != '\0' ? fixed[i].value : "unset");
		return false;
	}
	return true;
}

static bool
set_pairs(rd_kafka_conf_t *conf, const struct option_list *pairs, const struct kafka_setting *fixed,
    size_t nfixed, char *error, size_t errlen)
{
	rd_kafka_conf_t *ours = rd_kafka_conf_dup(conf);
	bool ok = true;

	for (size_t i = 0; ok && i < pairs->n; i++)
		ok = set_pair(conf, ours, pairs->items[i], fixed, nfixed, error, errlen);
	rd_kafka_conf_destroy(ours);
	return ok;
}

rd_kafka_conf_t *
kafka_conf(const char *brokers, const struct kafka_setting *defaults, size_t ndefaults,
    const struct kafka_setting *fixed, size_t nfixed, const struct option_list *pairs, char *error,
    size_t errlen)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	rd_kafka_conf_set_log_cb(conf, on_log);
	if (set(conf, "bootstrap.servers", brokers, error, errlen) &&
	    set_all(conf, defaults, ndefaults, error, errlen) &&
	    set_all(conf, fixed, nfixed, error, errlen) &&
	    set_pairs(conf, pairs, fixed, nfixed, error, errlen))
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

const char *
kafka_error_name(rd_kafka_resp_err_t code)
{
	const char *name = rd_kafka_err2name(code);

	/* A code that this librdkafka does not know is "ERR_123?", in a buffer of the thread. */
	return strncmp(name, "ERR_", 4) == 0 ? "_OTHER" : name;
}
