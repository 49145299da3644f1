/*
 * words.h -- what adder tells its sidecard again and again, interned once.
 */
#ifndef WORDS_H
#define WORDS_H

struct sidecar;

/* RPC name in traces, as the semantic conventions want it: without the slash in front. */
#define WORDS_METHOD "sum.SumNumbersService/SumNumbers"

struct words { /* all as sidecar_intern() returns them */
	const char *method, *send, *topic;
	const char *rpc_system, *rpc_method, *status_code, *server_address, *server_port;
	const char *system, *operation, *operation_type, *destination, *partition, *offset;
	const char *error_type;
	char send_name[264]; /* a topic's name has 249 characters at most */
};

/* sidecar: may be NULL. topic: borrowed for the life of *words, which must not move. */
void words_init(struct words *, struct sidecar *, const char *topic);

#endif
