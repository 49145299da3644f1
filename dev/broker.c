/*
 * broker.c -- a Kafka broker for the demo and the tests: librdkafka's mock cluster on a chosen port.
 *
 *	broker --port 9092 --topic sums:12
 *
 * It listens on 127.0.0.1 only, needs no disk and no Java, and keeps nothing: a restart comes back
 * empty. Each partition holds its last 5 MiB or 100,000 messages; older ones are forgotten.
 * SIGTERM and SIGINT end it.
 */
#include "base/log.h"
#include "base/option.h"

#include <arpa/inet.h>
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than a demo needs; a typing error must not take the machine's memory. */
enum { PARTITIONS_MAX = 1000, TOPIC_NAME_MAX = 249 };

struct config {
	int64_t port;
	struct option_list topics;
	int64_t level;
};

#define ROW(f) offsetof(struct config, f)

static const struct option rows[] = {
	{ .flag = "port",
	    .type = OPTION_INT,
	    .offset = ROW(port),
	    .fallback = "9092",
	    .max = UINT16_MAX,
	    .arg = "port",
	    .help = "port on 127.0.0.1; 0 takes a free one" },
	{ .flag = "topic",
	    .type = OPTION_LIST,
	    .offset = ROW(topics),
	    .arg = "name:partitions",
	    .help = "create this topic at start; may be repeated" },
	{ .flag = "log-level",
	    .type = OPTION_CHOICE,
	    .offset = ROW(level),
	    .fallback = "info",
	    .choices = "error|warn|info|debug",
	    .arg = "level",
	    .help = "least severe level that is logged" },
};

static const struct option_program program = {
	.name = "broker",
	.version = VERSION,
	.summary = "a Kafka broker in memory, for the demo and the tests; it keeps nothing",
	.rows = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static in_port_t wanted_port; /* network order */

/*
 * The mock cluster always binds 127.0.0.1:0 and has no call to choose a port. Its bind() resolves to
 * this one, because a program's own symbols come before those of libc; whatever asks for a port by
 * number gets it. A failure is told here and final: librdkafka would run into an assertion of its
 * own, since its clean-up expects a cluster that was never counted.
 */
int /* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
bind(int fd, const struct sockaddr *address, socklen_t len)
{
	struct sockaddr_in in;

	if (address->sa_family != AF_INET || len < sizeof(in))
		return (int)syscall(SYS_bind, fd, address, len);
	memcpy(&in, address, sizeof(in));
	if (in.sin_port != 0)
		return (int)syscall(SYS_bind, fd, address, len);
	in.sin_port = wanted_port;
	if (syscall(SYS_bind, fd, &in, sizeof(in)) < 0) {
		log_error("listen_failed", "address=127.0.0.1:%d error=%s", ntohs(wanted_port),
		    log_quote(strerror(errno)));
		_exit(1);
	}
	return 0;
}

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	if (level <= 4) /* syslog's LOG_WARNING */
		log_warn("librdkafka", "facility=%s text=%s", log_quote(facility), log_quote(text));
	else
		log_debug(
		    "librdkafka", "facility=%s text=%s", log_quote(facility), log_quote(text));
}

static rd_kafka_t *
open_handle(void)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	rd_kafka_conf_set_log_cb(conf, on_log);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (rk == NULL) {
		rd_kafka_conf_destroy(conf);
		log_error("start_failed", "reason=%s", log_quote(why));
	}
	return rk;
}

static bool
legal_name(const char *s, size_t n)
{
	static const char legal[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-";

	return n > 0 && n <= TOPIC_NAME_MAX && strspn(s, legal) >= n;
}

/* "name:partitions" -> *name (TOPIC_NAME_MAX + 1 bytes) and *partitions; false: not that. */
static bool
parse_topic(const char *text, char *name, int *partitions)
{
	const char *colon = strrchr(text, ':');
	char *end;
	long n;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9' ||
	    !legal_name(text, (size_t)(colon - text)))
		return false;
	errno = 0;
	n = strtol(colon + 1, &end, 10);
	if (errno != 0 || *end != '\0' || n < 1 || n > PARTITIONS_MAX)
		return false;
	memcpy(name, text, (size_t)(colon - text));
	name[colon - text] = '\0';
	*partitions = (int)n;
	return true;
}

static bool
create_topics(rd_kafka_mock_cluster_t *cluster, const struct option_list *topics)
{
	char name[TOPIC_NAME_MAX + 1];
	int partitions;
	rd_kafka_resp_err_t err;

	for (size_t i = 0; i < topics->n; i++) {
		if (!parse_topic(topics->items[i], name, &partitions))
			return false; /* main has said so already */
		err = rd_kafka_mock_topic_create(cluster, name, partitions, 1);
		if (err != RD_KAFKA_RESP_ERR_NO_ERROR) {
			log_error(
			    "topic_failed", "topic=%s error=%s", name, rd_kafka_err2name(err));
			return false;
		}
		log_info("topic", "topic=%s partitions=%d", name, partitions);
	}
	return true;
}

static bool
check_topics(const struct option_list *topics)
{
	char name[TOPIC_NAME_MAX + 1], why[512];
	int partitions;

	for (size_t i = 0; i < topics->n; i++)
		if (!parse_topic(topics->items[i], name, &partitions)) {
			snprintf(why, sizeof(why),
			    "\"%s\" is not name:partitions with 1 to %d partitions",
			    topics->items[i], PARTITIONS_MAX);
			option_complain(&program, "topic", why);
			return false;
		}
	return true;
}

/* Serve until a signal of *stop, which is blocked in every thread. */
static bool
serve(rd_kafka_t *rk, const struct config *config, const sigset_t *stop)
{
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(rk, 1);
	int sig = 0;
	bool ok;

	if (cluster == NULL) {
		log_error("start_failed", "reason=%s", log_quote("no mock cluster"));
		return false;
	}
	ok = create_topics(cluster, &config->topics);
	if (ok) {
		log_info("ready", "brokers=%s keeps=nothing partition_max=5MiB",
		    rd_kafka_mock_cluster_bootstraps(cluster));
		sigwait(stop, &sig);
		log_info("stop", "signal=%d", sig);
	}
	rd_kafka_mock_cluster_destroy(cluster);
	return ok;
}

int
main(int argc, char **argv)
{
	static struct config config; /* its lists live as long as the process */
	sigset_t stop;
	rd_kafka_t *rk;
	bool ok;

	switch (option_parse(&program, argc, argv, &config)) {
	case OPTION_WRONG: return 2;
	case OPTION_DONE: return 0;
	case OPTION_CHECK:
		if (!check_topics(&config.topics))
			return 2;
		option_print(&program, &config);
		return 0;
	case OPTION_RUN: break;
	}
	if (!check_topics(&config.topics))
		return 2;
	log_open("broker", (enum log_level)config.level);
	wanted_port = htons((uint16_t)config.port);

	/* Before the first thread, so that all inherit it and only sigwait() takes them. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL);

	rk = open_handle();
	if (rk == NULL)
		return 1;
	ok = serve(rk, &config, &stop);
	rd_kafka_destroy(rk);
	return ok ? 0 : 1;
}
