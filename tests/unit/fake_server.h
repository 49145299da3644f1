/*
 * fake_server.h -- adder/server.h as functions in the test: calls are made by hand and remember
 * what was done to them.
 */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include "adder/server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct server_call {
	const struct server_method *method;
	void *data;
	const char *key, *value; /* the one request header; value NULL: none */
	const char *authority;
	bool refused, expired;
	bool failed;          /* a rule of server.h was broken */
	pthread_mutex_t lock; /* guards what follows */
	unsigned sent, finished;
	enum status status;
	char text[256];
	uint8_t bytes[4096]; /* last message, with its length */
	size_t n;
};

static void
fake_call_init(struct server_call *c, const struct server_method *m)
{
	memset(c, 0, sizeof(*c));
	c->method = m;
	c->authority = "adder.example:50051";
	pthread_mutex_init(&c->lock, NULL);
	if (m->start != NULL)
		m->start(c);
}

void *
server_arg(const struct server_call *c)
{
	return c->method->arg;
}

void *
server_data(const struct server_call *c)
{
	return c->data;
}

void
server_set_data(struct server_call *c, void *data)
{
	c->data = data;
}

const char *
server_metadata(const struct server_call *c, const char *key, size_t *len)
{
	if (c->value == NULL || strcmp(c->key, key) != 0)
		return NULL;
	*len = strlen(c->value);
	return c->value;
}

void
server_authority(const struct server_call *c, char *out, size_t size)
{
	snprintf(out, size, "%s", c->authority);
}

bool
server_expired(const struct server_call *c)
{
	return c->expired;
}

bool
server_timed_out(const struct server_call *c)
{
	return c->expired;
}

static void
fake_keep(struct server_call *c, const uint8_t *bytes, size_t n)
{
	c->failed = c->failed || n > sizeof(c->bytes);
	c->n = n;
	if (n > 0 && n <= sizeof(c->bytes))
		memcpy(c->bytes, bytes, n);
}

void
server_send(struct server_call *c, const uint8_t *bytes, size_t n)
{
	pthread_mutex_lock(&c->lock);
	c->failed = c->failed || c->finished > 0;
	c->sent++;
	fake_keep(c, bytes, n);
	pthread_mutex_unlock(&c->lock);
}

void
server_finish(
    struct server_call *c, enum status code, const char *text, const uint8_t *message, size_t n)
{
	pthread_mutex_lock(&c->lock);
	if (c->finished++ == 0) {
		c->status = code;
		snprintf(c->text, sizeof(c->text), "%s", text);
		if (message != NULL)
			fake_keep(c, message, n);
	}
	pthread_mutex_unlock(&c->lock);
}

#endif
