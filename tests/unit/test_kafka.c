#include "base/kafka.h"

#include "base/log.h"
#include "capture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const struct kafka_setting defaults[] = { { "linger.ms", "5" }, { "client.id", "adder" } };
static const struct kafka_setting fixed[] = { { "acks", "all" }, { "enable.idempotence", "true" },
	{ "transactional.id", "" } };

static rd_kafka_conf_t *
make(const char *const *pairs, size_t n, char error[512])
{
	const char *items[8];
	struct option_list list = { .items = items, .n = n };

	error[0] = '\0';
	for (size_t i = 0; i < n; i++)
		items[i] = pairs[i];
	return kafka_conf("127.0.0.1:9,127.0.0.1:10", defaults, 2, fixed, 3, &list, error, 512);
}

static void
assert_value(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char got[512];
	size_t len = sizeof(got);

	assert_int_equal(rd_kafka_conf_get(conf, key, got, &len), RD_KAFKA_CONF_OK);
	assert_string_equal(got, value);
}

static void
test_precedence(void **state)
{
	static const char *const pairs[] = { "linger.ms=7", "linger.ms=20", "sasl.password=a=b c",
		"ssl.endpoint.identification.algorithm=none" };
	char error[512];
	rd_kafka_conf_t *conf = make(NULL, 0, error);

	(void)state;
	assert_non_null(conf);
	assert_value(conf, "bootstrap.servers", "127.0.0.1:9,127.0.0.1:10");
	assert_value(conf, "linger.ms", "5");
	assert_value(conf, "client.id", "adder");
	assert_value(conf, "acks", "-1");
	assert_value(conf, "enable.idempotence", "true");
	rd_kafka_conf_destroy(conf);
	conf = make(pairs, 4, error);
	assert_non_null(conf);
	assert_value(conf, "linger.ms", "20");
	assert_value(conf, "queue.buffering.max.ms", "20"); /* the same property */
	assert_value(conf, "client.id", "adder");
	assert_value(conf, "sasl.password", "a=b c");
	rd_kafka_conf_destroy(conf);
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *pair, *says[3];
	} cases[] = {
		{ "no.such.property=hunter2", { "no.such.property", "No such" } },
		{ "linger.ms=soon", { "linger.ms", "soon", "Invalid value" } },
		{ "linger.ms=-1", { "linger.ms", "-1", "range" } },
		{ "acks=1", { "acks=1", "always all" } },
		{ "acks=all", { "acks", "always all" } },
		{ "request.required.acks=1", { "request.required.acks=1", "acks is always all" } },
		{ "enable.idempotence=false", { "enable.idempotence", "always true" } },
		{ "transactional.id=x", { "transactional.id", "always unset" } },
		{ "bootstrap.servers=h:1", { "bootstrap.servers", "option of their own" } },
		{ "metadata.broker.list=h:1", { "metadata.broker.list", "option of their own" } },
		{ "linger.ms", { "'linger.ms'", "key=value" } },
		{ "=5", { "'=5'", "key=value" } },
		{ "", { "''", "key=value" } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *pairs[] = { "client.id=x", cases[i].pair, "linger.ms=1" };
		char error[512];

		assert_null(make(pairs, 3, error));
		for (size_t k = 0; k < 3 && cases[i].says[k] != NULL; k++) {
			if (strstr(error, cases[i].says[k]) == NULL)
				fail_msg("'%s' without '%s'", error, cases[i].says[k]);
		}
		assert_null(strstr(error, "hunter2"));
		if (strchr(error, '\n') != NULL)
			fail_msg("two lines: '%s'", error);
	}
}

/* A key may have any length that fits; nothing is cut and then taken for another. */
static void
test_long_key(void **state)
{
	char pair[400], error[512];
	const char *pairs[] = { pair };

	(void)state;
	for (size_t n = 120; n < 140; n++) {
		memset(pair, 'k', n);
		memcpy(pair + n, "=v", 3);
		assert_null(make(pairs, 1, error));
		assert_non_null(strstr(error, n < 128 ? "No such" : "key=value"));
	}
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(kafka_error_name(RD_KAFKA_RESP_ERR_NO_ERROR), "NO_ERROR");
	assert_string_equal(
	    kafka_error_name(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), "UNKNOWN_TOPIC_OR_PART");
	assert_string_equal(kafka_error_name(RD_KAFKA_RESP_ERR__MSG_TIMED_OUT), "_MSG_TIMED_OUT");
	assert_string_equal(kafka_error_name((rd_kafka_resp_err_t)29999), "_OTHER");
	assert_string_equal(kafka_error_name((rd_kafka_resp_err_t)-29999), "_OTHER");
}

/* A client without brokers says so on its own threads: the line comes out through log.h. */
static void
test_log(void **state)
{
	static const char *const pairs[] = { "debug=conf" };
	static struct capture said;
	char error[512];
	rd_kafka_conf_t *conf = make(pairs, 1, error);
	rd_kafka_t *rk;

	(void)state;
	assert_non_null(conf);
	log_open("t", LOG_DEBUG);
	capture_start(&said);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (rk != NULL)
		rd_kafka_destroy(rk);
	capture_stop(&said);
	assert_non_null(rk);
	assert_non_null(strstr(said.err, " debug t event=kafka facility=CONF text=\""));
	for (const char *line = said.err; *line != '\0'; line = strchr(line, '\n') + 1)
		assert_non_null(strstr(line, " event=kafka facility="));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_long_key),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
