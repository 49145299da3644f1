#include "words.h"

#include "client/sidecar.h"

#include <stdio.h>

void
words_init(struct words *w, struct sidecar *c, const char *topic)
{
	snprintf(w->send_name, sizeof(w->send_name), "send %s", topic);
	w->send = sidecar_intern(c, w->send_name);
	w->topic = sidecar_intern(c, topic);
	w->method = sidecar_intern(c, WORDS_METHOD);
	w->rpc_system = sidecar_intern(c, "rpc.system.name");
	w->rpc_method = sidecar_intern(c, "rpc.method");
	w->status_code = sidecar_intern(c, "rpc.response.status_code");
	w->server_address = sidecar_intern(c, "server.address");
	w->server_port = sidecar_intern(c, "server.port");
	w->system = sidecar_intern(c, "messaging.system");
	w->operation = sidecar_intern(c, "messaging.operation.name");
	w->operation_type = sidecar_intern(c, "messaging.operation.type");
	w->destination = sidecar_intern(c, "messaging.destination.name");
	w->partition = sidecar_intern(c, "messaging.destination.partition.id");
	w->offset = sidecar_intern(c, "messaging.kafka.offset");
	w->error_type = sidecar_intern(c, "error.type");
}
