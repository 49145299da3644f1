/*
 * kafka.c -- what a producer and a consumer tell the sidecar; the broker is left to your imagination.
 *
 *	cc kafka.c $(pkg-config --cflags --libs libsidecar) -o kafka && ./kafka
 */
#include <sidecar.h>
#include <time.h>

int
main(void)
{
	struct sidecar *sidecar = sidecar_open(NULL); /* all of it from the environment */
	const char *topic = sidecar_intern(sidecar, "orders");
	struct sidecar_span send, process;
	struct timespec t;
	uint64_t produced;

	sidecar_begin(sidecar, &send, "send orders", SIDECAR_PRODUCER, NULL);
	clock_gettime(CLOCK_REALTIME, &t); /* travels in the message, for the latency */
	produced = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	sidecar_produced(sidecar, topic, 0, produced, 1); /* when the broker has acknowledged it */
	sidecar_end(&send, SIDECAR_OK);

	sidecar_begin(sidecar, &process, "process orders", SIDECAR_CONSUMER, &send.context);
	sidecar_span_link(&process, &send.context, NULL, 0);
	sidecar_consumed(sidecar, topic, 0, produced, 0, &process.context);
	sidecar_lag(sidecar, topic, 0, 0, produced);
	sidecar_kafka_error(sidecar, SIDECAR_SIDE_CONSUMER, topic, "_TIMED_OUT");
	sidecar_end(&process, SIDECAR_OK);

	sidecar_close(sidecar, 1000);
	return 0;
}
