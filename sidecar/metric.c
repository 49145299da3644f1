#include "metric.h"

#define T(literal)                                         \
	{                                                  \
		.s = (literal), .len = sizeof(literal) - 1 \
	}

const struct metric metric_fixed[METRIC_FIXED] = {
	[METRIC_LATENCY] = { T("kafka.message.delivery.latency"), T("ms"),
	    T("time from producing a message to consuming it"), METRIC_HISTOGRAM, HIST_LATENCY },
	[METRIC_PRODUCED] = { T("kafka.messages.produced.total"), T("{message}"),
	    T("messages that the broker acknowledged"), METRIC_COUNTER, 0 },
	[METRIC_CONSUMED] = { T("kafka.messages.consumed.total"), T("{message}"),
	    T("messages that the service received"), METRIC_COUNTER, 0 },
	[METRIC_SKEW] = { T("kafka.message.clock.skew.total"), T("{message}"),
	    T("messages consumed before they were produced, by the clocks: latency counted as 0"),
	    METRIC_COUNTER, 0 },
	[METRIC_LAG] = { T("kafka.consumer.lag"), T("{message}"),
	    T("messages of the partition that the service has yet to consume"), METRIC_GAUGE, 0 },
	[METRIC_LAG_AGE] = { T("kafka.consumer.lag.age"), T("s"),
	    T("time since everything produced had been consumed"), METRIC_GAUGE, 0 },
	[METRIC_PRODUCER_ERRORS] = { T("kafka.producer.errors.total"), T("{error}"),
	    T("errors while producing"), METRIC_COUNTER, 0 },
	[METRIC_CONSUMER_ERRORS] = { T("kafka.consumer.errors.total"), T("{error}"),
	    T("errors while consuming"), METRIC_COUNTER, 0 },
	[METRIC_HTTP_SERVER] = { T("http.server.request.duration"), T("s"),
	    T("duration of HTTP server requests"), METRIC_HISTOGRAM, HIST_SECONDS },
	[METRIC_RPC_SERVER] = { T("rpc.server.call.duration"), T("s"),
	    T("duration of inbound remote procedure calls"), METRIC_HISTOGRAM, HIST_SECONDS },
	[METRIC_MESSAGING_CLIENT] = { T("messaging.client.operation.duration"), T("s"),
	    T("duration of messaging operations started by a client"), METRIC_HISTOGRAM,
	    HIST_SECONDS },
	[METRIC_MESSAGING_PROCESS] = { T("messaging.process.duration"), T("s"),
	    T("duration of processing a message"), METRIC_HISTOGRAM, HIST_SECONDS },
};

uint32_t
metric_lines(const struct metric *m)
{
	return m->kind == METRIC_HISTOGRAM ? hist_lines(m->layout) : 1;
}

const struct metric metric_self[METRIC_SELF] = {
	[METRIC_CPU] = { T("process.cpu.seconds.total"), T("s"),
	    T("user and system CPU time of this daemon"), METRIC_COUNTER, 0 },
	[METRIC_START_TIME] = { T("process.start.time.seconds"), T("s"),
	    T("when this daemon was started, since the Unix epoch"), METRIC_GAUGE, 0 },
	[METRIC_RESIDENT] = { T("process.resident.memory.bytes"), T("By"), T("resident memory"),
	    METRIC_GAUGE, 0 },
	[METRIC_VIRTUAL] = { T("process.virtual.memory.bytes"), T("By"),
	    T("virtual memory, most of it reserved and never touched"), METRIC_GAUGE, 0 },
	[METRIC_OPEN_FDS] = { T("process.open.fds"), T("{file_descriptor}"),
	    T("open file descriptors"), METRIC_GAUGE, 0 },
	[METRIC_MAX_FDS] = { T("process.max.fds"), T("{file_descriptor}"),
	    T("the most file descriptors that may be open"), METRIC_GAUGE, 0 },
	[METRIC_THREADS] = { T("process.threads"), T("{thread}"), T("threads of this daemon"),
	    METRIC_GAUGE, 0 },
	[METRIC_BUILD] = { T("sidecar.build.info"), T(""), T("which version this is: always 1"),
	    METRIC_GAUGE, 0 },
};

const char *const metric_type[METRIC_HISTOGRAM + 1] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_UPDOWN] = "gauge",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};
