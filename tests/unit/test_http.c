#include "base/http.h"

#include "turn.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char error[256];

static void
test_replies(void **state)
{
	const char *text;

	(void)state;
	open_server("127.0.0.1:0", 4, 10, 10);
	text = ask("GET", "/?query=1", "User-Agent: me\r\nTraceParent: a\r\ntraceparent: b\r\n");
	assert_has(text, "HTTP/1.1 200 OK\r\n");
	assert_has(text, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
	assert_has(text, "\r\n\r\nGET / me 2 127.0.0.1 1");
	text = ask("GET", "/none", "");
	assert_has(text, "HTTP/1.1 404 ");
	assert_has(text, "\r\n\r\nGET /none - 0 ");
	text = ask("GET", "/typed", "");
	assert_has(text, "\r\nContent-Type: a/b\r\n");
	assert_has(text, "\r\nContent-Encoding: x\r\n");
	assert_has(text, "\r\n\r\nbody");
	assert_has(ask("GET", "/empty", ""), "\r\nContent-Length: 0\r\n");
	assert_has(ask("GET", "/", "Content-Length: 3\r\n\r\nabc"), "\r\n\r\nGET / ");
	/* HEAD: GET's headers, nothing behind them. */
	text = ask("HEAD", "/typed", "");
	assert_has(text, "HTTP/1.1 200 OK\r\n");
	assert_has(text, "\r\nContent-Length: 4\r\n");
	assert_has(text, "\r\nContent-Encoding: x\r\n");
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	close_server();
}

static void
test_other_methods(void **state)
{
	static const char *const methods[] = { "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get",
		"BREW" };
	struct client c;

	(void)state;
	open_server("127.0.0.1:0", 4, 10, 10);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const char *text = ask(methods[i], "/", "");

		assert_has(text, "HTTP/1.1 405 ");
		assert_has(text, "\r\nAllow: GET, HEAD\r\n");
	}
	/* Refused before its body has come. */
	assert_has(ask("POST", "/", "Content-Length: 1000000\r\n"), "HTTP/1.1 405 ");
	assert_int_equal(asked, 0);
	client_open(&c);
	client_send(&c, "nonsense\r\n\r\n");
	TURN_UNTIL(c.ended);
	client_close(&c);
	assert_int_equal(asked, 0);
	close_server();
}

/* A request in two pieces at each split point, on one connection kept alive. */
static void
test_split_points(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: s\r\n\r\n";
	struct client c;

	(void)state;
	open_server("127.0.0.1:0", 4, 10, 10);
	client_open(&c);
	for (size_t cut = 1; cut < sizeof(request) - 1; cut++) {
		char first[sizeof(request)];

		memcpy(first, request, cut);
		first[cut] = '\0';
		client_send(&c, first);
		ev_run(loop, EVRUN_NOWAIT);
		client_send(&c, request + cut);
		c.len = 0;
		memset(c.text, 0, sizeof(c.text));
		TURN_UNTIL(strstr(c.text, "GET / s 0") != NULL);
	}
	assert_int_equal(asked, sizeof(request) - 2);
	assert_int_equal(http_counts(http)->accepted, 1);
	client_close(&c);
	TURN_UNTIL(http_counts(http)->open == 0);
	close_server();
}

/* More header than there is memory for is refused, not kept. */
static void
test_large_header(void **state)
{
	struct client c;
	char line[1100];

	(void)state;
	open_server("127.0.0.1:0", 4, 10, 10);
	client_open(&c);
	memset(line, 'x', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 3, "\r\n", 3);
	client_send(&c, "GET / HTTP/1.1\r\nHost: h\r\n");
	for (int i = 0; i < 64 && !c.ended; i++) {
		send(c.fd, line, strlen(line), MSG_NOSIGNAL);
		ev_run(loop, EVRUN_NOWAIT);
	}
	TURN_UNTIL(c.ended);
	assert_int_equal(asked, 0);
	client_close(&c);
	assert_has(ask("GET", "/", ""), "HTTP/1.1 200 ");
	close_server();
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *address, *says;
	} wrong[] = { { "nonsense", "cannot listen on 'nonsense': not host:port" },
		{ "192.0.2.1:0", "cannot listen on 192.0.2.1:0: cannot assign requested address" },
		{ "name.invalid:0", "cannot listen on name.invalid:0: " } };
	char taken[32], says[128];
	struct http *only_v6;

	(void)state;
	open_server("localhost:0", 4, 10, 10);
	assert_has(ask("GET", "/", ""), "HTTP/1.1 200 ");
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", http_port(http));
	snprintf(says, sizeof(says), "cannot listen on %s: address already in use", taken);
	assert_null(http_open(loop, taken, turn_handle, NULL, error, sizeof(error)));
	assert_string_equal(error, says);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_null(
		    http_open(loop, wrong[i].address, turn_handle, NULL, error, sizeof(error)));
		assert_memory_equal(error, wrong[i].says, strlen(wrong[i].says));
	}
	close_server();
	/* All addresses; an IPv4 peer of the socket for both families is an IPv4 address. */
	open_server(":0", 4, 10, 10);
	assert_has(ask("GET", "/", ""), "GET / - 0 127.0.0.1 1");
	only_v6 = http_open(loop, "[::1]:0", turn_handle, &asked, error, sizeof(error));
	if (only_v6 != NULL)
		assert_in_range(http_port(only_v6), 1, 65535);
	else /* not every machine has IPv6 */
		assert_has(error, "cannot listen on [::1]:0: ");
	http_close(only_v6);
	close_server();
	http_close(NULL);
}

/* Closed in the middle of everything: nothing leaks, nobody hangs. */
static void
test_close(void **state)
{
	struct client silent, half, big;

	(void)state;
	open_server("127.0.0.1:0", 4, 10, 10);
	client_open(&silent);
	client_open(&half);
	client_send(&half, "GET / HT");
	client_open(&big);
	big.deaf = true;
	client_send(&big, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
	TURN_UNTIL(asked == 1 && http_counts(http)->open == 3);
	http_close(http);
	big.deaf = false;
	TURN_UNTIL(silent.ended && half.ended && big.ended);
	client_close(&silent);
	client_close(&half);
	client_close(&big);
	ev_loop_destroy(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_other_methods),
		cmocka_unit_test(test_split_points),
		cmocka_unit_test(test_large_header),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
