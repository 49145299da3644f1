/*
 * kafka.h -- what both services need of librdkafka: configuration from key=value, its log in ours,
 * error names.
 */
#ifndef KAFKA_H
#define KAFKA_H

#include "option.h"

#include <librdkafka/rdkafka.h>

struct kafka_setting {
	const char *key, *value; /* value "": unset */
};

/* A configuration for brokers: our defaults, then the user's "key=value" pairs (--kafka), which
 * win, but for the keys of `fixed` (what correctness rests on) and the brokers: a pair that
 * changes one of those, by whatever name, is an error. Log lines come out through log.h as
 * event=kafka with librdkafka's facility. All arguments are copied. NULL: *error names the
 * property, the value (but of an unknown property, which may be a mistyped password) and
 * librdkafka's reason. Free with rd_kafka_conf_destroy() unless rd_kafka_new() took it. */
rd_kafka_conf_t *kafka_conf(const char *brokers, const struct kafka_setting *defaults,
    size_t ndefaults, const struct kafka_setting *fixed, size_t nfixed,
    const struct option_list *pairs, char *error, size_t errlen);

/* librdkafka's name without its prefix: "UNKNOWN_TOPIC_OR_PART", "_MSG_TIMED_OUT"; "_OTHER" for a
 * code it does not know: the label values are bounded. Borrowed for ever. */
const char *kafka_error_name(rd_kafka_resp_err_t);

#endif
