/* Who may stay how long, through the server that uses it. */
#include "base/door.h"

#include "turn.h"

#include <sys/socket.h>
#include <unistd.h>

#include <fcntl.h>
#include <sys/resource.h>

struct drip {
	ev_timer timer;
	struct client *client;
};

static void
on_drip(struct ev_loop *l, ev_timer *w, int events)
{
	struct drip *d = w->data;

	(void)l;
	(void)events;
	send(d->client->fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Bytes that keep coming put nothing off: before a request, in it, and in its body. */
static void
test_deadline_of_a_request(void **state)
{
	static const char *const starts[] = { "", "GET / HTTP/1.1\r\nX: ",
		"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" };

	(void)state;
	open_server("127.0.0.1:0", 4, 0.2, 10);
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct client c;
		struct drip d = { .client = &c };
		double start;

		client_open(&c);
		start = ev_time();
		client_send(&c, starts[i]);
		ev_timer_init(&d.timer, on_drip, 0.01, 0.01);
		d.timer.data = &d;
		if (i > 0)
			ev_timer_start(loop, &d.timer);
		TURN_UNTIL(c.ended);
		assert_true(ev_time() - start > 0.15);
		ev_timer_stop(loop, &d.timer);
		client_close(&c);
		TURN_UNTIL(http_counts(http)->open == 0);
		assert_int_equal(http_counts(http)->late, i + 1);
	}
	assert_int_equal(asked, 0);
	close_server();
}

/* A reply that is taken a byte at a time is given up, and nothing of it is kept. */
static void
test_deadline_of_a_reply(void **state)
{
	struct client c;

	(void)state;
	open_server("127.0.0.1:0", 4, 0.4, 10);
	client_open(&c);
	c.deaf = true;
	turn_for(0.3);
	client_send(&c, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	turn_for(0.2); /* it has its own deadline, not what was left of the request's */
	assert_int_equal(http_counts(http)->open, 1);
	TURN_UNTIL(http_counts(http)->late == 1 && http_counts(http)->open == 0);
	c.deaf = false;
	TURN_UNTIL(c.ended);
	assert_true(c.reset);
	assert_true(c.total > 0 && c.total < BIG);
	client_close(&c);
	close_server();
}

/* Each request starts the deadline anew; when it ends at rest, that is nothing unusual. */
static void
test_deadline_between_requests(void **state)
{
	struct client c;
	double start = 0;

	(void)state;
	open_server("127.0.0.1:0", 4, 0.3, 10);
	client_open(&c);
	for (int i = 1; i <= 3; i++) {
		client_send(&c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
		TURN_UNTIL(asked == i && strstr(c.text, "GET / ") != NULL);
		start = ev_time();
		turn_for(0.15);
		assert_false(c.ended);
	}
	TURN_UNTIL(c.ended && http_counts(http)->open == 0);
	assert_false(c.reset);
	assert_true(ev_time() - start > 0.25);
	assert_int_equal(http_counts(http)->rested, 1);
	assert_int_equal(http_counts(http)->late, 0);
	client_close(&c);
	close_server();
}

/* N and many more: silent connections keep nobody out once patience with them ends. */
static void
test_silent_crowd(void **state)
{
	struct client crowd[24];
	const struct http_counts *counts;

	(void)state;
	open_server("127.0.0.1:0", 8, 10, 0.2);
	counts = http_counts(http);
	for (int i = 0; i < 8; i++)
		client_open(&crowd[i]);
	TURN_UNTIL(counts->open == 8);
	assert_int_equal(counts->evicted, 0);
	for (int i = 8; i < 24; i++)
		client_open(&crowd[i]);
	assert_has(ask("GET", "/", ""), "HTTP/1.1 200 ");
	assert_in_range(counts->evicted, 1, 24);
	assert_in_range(counts->open, 0, 8);
	assert_true(crowd[0].ended); /* the oldest went first */
	for (int i = 0; i < 24; i++)
		client_close(&crowd[i]);
	TURN_UNTIL(counts->open == 0 && counts->accepted == 25);
	close_server();
}

/* Those that rest make room at once, the one that has rested longest first; a young one that has
 * not asked yet stays. */
static void
test_resting_go_first(void **state)
{
	struct client young, late, early;

	(void)state;
	open_server("127.0.0.1:0", 3, 10, 10);
	client_open(&young);
	TURN_UNTIL(http_counts(http)->open == 1);
	client_open(&late);
	TURN_UNTIL(http_counts(http)->open == 2);
	client_open(&early);
	client_send(&early, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	TURN_UNTIL(strstr(early.text, "GET / ") != NULL);
	client_send(&late, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	TURN_UNTIL(strstr(late.text, "GET / ") != NULL);
	assert_has(ask("GET", "/", ""), "HTTP/1.1 200 ");
	TURN_UNTIL(early.ended);
	assert_false(late.ended);
	assert_false(young.ended);
	assert_int_equal(http_counts(http)->evicted, 1);
	client_close(&young);
	client_close(&late);
	client_close(&early);
	close_server();
}

static void
test_out_of_descriptors(void **state)
{
	struct rlimit old, tight;
	struct client c;
	double start;
	int next;

	(void)state;
	open_server("127.0.0.1:0", 8, 10, 10);
	client_open(&c);
	next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = (struct rlimit){ .rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	client_send(&c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	start = ev_time();
	TURN_UNTIL(http_counts(http)->refused >= 3);
	assert_true(ev_time() - start > 0.15); /* it waits between: no spinning */
	assert_int_equal(http_counts(http)->open, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	TURN_UNTIL(strstr(c.text, "GET / ") != NULL);
	client_close(&c);
	close_server();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_deadline_of_a_request),
		cmocka_unit_test(test_deadline_of_a_reply),
		cmocka_unit_test(test_deadline_between_requests),
		cmocka_unit_test(test_silent_crowd),
		cmocka_unit_test(test_resting_go_first),
		cmocka_unit_test(test_out_of_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
