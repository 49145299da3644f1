/*
 * span.c -- one trace: a request, and the database call inside it.
 *
 *	cc span.c $(pkg-config --cflags --libs libsidecar) -o span && ./span
 */
#include <sidecar.h>
#include <stdio.h>

int
main(void)
{
	struct sidecar_options options = { .service_name = "example" };
	struct sidecar *sidecar = sidecar_open(&options);
	const char *method = sidecar_intern(sidecar, "http.request.method");
	struct sidecar_attr attrs[] = { sidecar_str(method, "GET"),
		sidecar_str("url.scheme", "http") };
	struct sidecar_context caller;
	struct sidecar_span request, query;
	char header[SIDECAR_TRACEPARENT_SIZE];

	/* What came with the request; nothing, or nonsense, begins a new trace. */
	sidecar_extract("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 55, &caller);
	sidecar_span_start(sidecar, &request, "GET /orders", SIDECAR_SERVER, &caller, 0, attrs, 2);

	sidecar_begin(sidecar, &query, "SELECT orders", SIDECAR_CLIENT, &request.context);
	sidecar_inject(&query.context, header); /* for the header of the call */
	puts(header);
	sidecar_end(&query, SIDECAR_OK);

	sidecar_end(&request, SIDECAR_UNSET);
	sidecar_close(sidecar, 1000);
	return 0;
}
