/*
 * call.c -- adder-call: one sum, or a load of them.
 */
#include "client.h"
#include "load.h"
#include "summary.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/option.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct config {
	const char *address;
	const char *ca, *cert, *key;
	int64_t rate, seconds, outstanding;
	int64_t deadline;
	const char *traceparent;
	bool json;
	int64_t log_level;
};

#define AT(field) offsetof(struct config, field)

static const struct option rows[] = {
	{ .flag = "address",
	    .env = "ADDER_CALL_ADDRESS",
	    .type = OPTION_ADDRESS,
	    .offset = AT(address),
	    .fallback = "localhost:50051",
	    .arg = "host:port",
	    .help = "where adder listens" },
	{ .flag = "ca",
	    .env = "ADDER_CALL_CA",
	    .type = OPTION_STRING,
	    .offset = AT(ca),
	    .arg = "file",
	    .help = "use TLS, and trust these certificates (PEM)" },
	{ .flag = "cert",
	    .env = "ADDER_CALL_CERT",
	    .type = OPTION_STRING,
	    .offset = AT(cert),
	    .arg = "file",
	    .help = "certificate chain to show (PEM)" },
	{ .flag = "key",
	    .env = "ADDER_CALL_KEY",
	    .type = OPTION_STRING,
	    .offset = AT(key),
	    .arg = "file",
	    .help = "private key of the certificate (PEM)" },
	{ .flag = "rate",
	    .env = "ADDER_CALL_RATE",
	    .type = OPTION_INT,
	    .offset = AT(rate),
	    .fallback = "0",
	    .max = 1000000,
	    .arg = "n",
	    .help = "calls a second, of random numbers, instead of one sum" },
	{ .flag = "seconds",
	    .env = "ADDER_CALL_SECONDS",
	    .type = OPTION_INT,
	    .offset = AT(seconds),
	    .fallback = "10",
	    .min = 1,
	    .max = 31536000,
	    .arg = "n",
	    .help = "how long the load lasts; SIGINT and SIGTERM end it early" },
	{ .flag = "outstanding",
	    .env = "ADDER_CALL_OUTSTANDING",
	    .type = OPTION_INT,
	    .offset = AT(outstanding),
	    .fallback = "1000",
	    .min = 1,
	    .max = 100000,
	    .arg = "n",
	    .help = "unanswered calls at a time; further ones wait, and their latency counts" },
	{ .flag = "deadline",
	    .env = "ADDER_CALL_DEADLINE",
	    .type = OPTION_DURATION,
	    .offset = AT(deadline),
	    .fallback = "15s",
	    .min = 1000000,
	    .max = INT64_C(3600000000000),
	    .arg = "duration",
	    .help = "deadline of each call" },
	{ .flag = "traceparent",
	    .env = "ADDER_CALL_TRACEPARENT",
	    .type = OPTION_STRING,
	    .offset = AT(traceparent),
	    .arg = "header",
	    .help = "the caller's trace context; without it each call gets a new one" },
	{ .flag = "json",
	    .env = "ADDER_CALL_JSON",
	    .type = OPTION_BOOL,
	    .offset = AT(json),
	    .fallback = "false",
	    .help = "print the result as one line of JSON" },
	{ .flag = "log-level",
	    .env = "ADDER_CALL_LOG_LEVEL",
	    .type = OPTION_CHOICE,
	    .offset = AT(log_level),
	    .fallback = "warn",
	    .choices = "error|warn|info|debug",
	    .arg = "level",
	    .help = "least severe level that is logged" },
};

static const struct option_program program = {
	.name = "adder-call",
	.version = VERSION,
	.summary = "ask adder for the sum of X and Y, 64-bit integers, or for many sums (--rate)",
	.operands = "X Y",
	.rows = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
};

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

static bool
parse_number(const char *text, int64_t *out)
{
	char *end;
	intmax_t value;

	errno = 0;
	value = strtoimax(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || value < INT64_MIN || value > INT64_MAX)
		return false;
	*out = value;
	return true;
}

/* What gRPC takes as a header's value. Whether it is a trace context is adder's to judge. */
static bool
is_header(const char *text)
{
	size_t n = 0;

	while (text[n] >= ' ' && text[n] <= '~')
		n++;
	return n > 0 && n <= 512 && text[n] == '\0';
}

static enum option_outcome
complain(const char *flag, const char *why)
{
	option_complain(&program, flag, why);
	return OPTION_WRONG;
}

/* The option table knows no positional arguments: the two numbers, when there are two at the
 * end, are taken off first. */
static enum option_outcome
parse(int argc, char **argv, struct config *c, int64_t numbers[2])
{
	bool given = argc >= 3 && parse_number(argv[argc - 2], &numbers[0]) &&
		     parse_number(argv[argc - 1], &numbers[1]);
	enum option_outcome outcome = option_parse(&program, given ? argc - 2 : argc, argv, c);

	if (outcome == OPTION_DONE || outcome == OPTION_WRONG)
		return outcome;
	if (c->address[0] == ':')
		return complain("address", "a call needs a host: localhost:50051");
	if ((c->cert == NULL) != (c->key == NULL))
		return complain(
		    c->cert == NULL ? "key" : "cert", "--cert and --key need each other");
	if (c->cert != NULL && c->ca == NULL)
		return complain("cert", "needs --ca: it is for TLS");
	if (c->traceparent != NULL && !is_header(c->traceparent))
		return complain("traceparent", "a header has 1 to 512 printable ASCII characters");
	if (given && c->rate > 0)
		return complain("rate", "a load has numbers of its own: leave X and Y out");
	if (outcome == OPTION_RUN && !given && c->rate == 0) {
		fprintf(stderr, "adder-call: give two numbers (adder-call 2 3), or --rate\n");
		return OPTION_WRONG;
	}
	return outcome;
}

static int
call_once(struct client *client, const struct config *c, const int64_t numbers[2])
{
	char traceparent[TRACEPARENT_SIZE];
	struct client_call call = {
		.x = numbers[0],
		.y = numbers[1],
		.traceparent = c->traceparent,
		.deadline = (uint64_t)c->deadline,
		.due = clock_mono(),
	};
	struct client_reply reply;

	if (call.traceparent == NULL) {
		load_traceparent(traceparent);
		call.traceparent = traceparent;
	}
	if (!client_start(client, &call)) {
		fprintf(stderr, "adder-call: out of memory\n");
		return 1;
	}
	while (!client_next(client, (struct mono){ UINT64_MAX / 4 }, &reply))
		continue;
	if (c->json)
		printf(
		    "{\"code\":\"%s\",\"sum\":%" PRId64 "}\n", status_name(reply.code), reply.sum);
	else if (reply.code == STATUS_OK)
		printf("%" PRId64 "\n", reply.sum);
	if (reply.code == STATUS_OK)
		return 0;
	fprintf(stderr, "adder-call: %s: %s\n", status_name(reply.code), reply.text);
	return 1;
}

static int
call_many(struct client *client, const struct config *c)
{
	static struct summary summary;
	static char text[4096];
	struct load load = {
		.rate = (uint64_t)c->rate,
		.seconds = (uint64_t)c->seconds,
		.outstanding = (uint64_t)c->outstanding,
		.deadline = (uint64_t)c->deadline,
		.traceparent = c->traceparent,
		.stop = &stop,
	};
	struct buf report;
	double seconds;

	summary_init(&summary);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	seconds = load_run(client, &load, &summary);
	buf_init(&report, text, sizeof(text));
	(c->json ? summary_print_json : summary_print)(&summary, seconds, &report);
	fwrite(text, 1, report.len, stdout);
	return summary_all_ok(&summary) ? 0 : 1;
}

int
main(int argc, char **argv)
{
	struct config config;
	int64_t numbers[2];
	struct client *client;
	char error[512];
	int status;

	switch (parse(argc, argv, &config, numbers)) {
	case OPTION_WRONG: return 2;
	case OPTION_DONE: return 0;
	case OPTION_CHECK: option_print(&program, &config); return 0;
	case OPTION_RUN: break;
	}
	log_open("adder-call", (enum log_level)config.log_level);
	client = client_open(&(struct client_options){ .address = config.address,
				 .ca = config.ca,
				 .cert = config.cert,
				 .key = config.key },
	    error, sizeof(error));
	if (client == NULL) {
		fprintf(stderr, "adder-call: %s\n", error);
		return 1;
	}
	status = config.rate > 0 ? call_many(client, &config) : call_once(client, &config, numbers);
	client_close(client);
	return status;
}
