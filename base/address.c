#include "address.h"

#include <arpa/inet.h>
#include <string.h>

static bool
parse_port(const char *s, uint16_t *port)
{
	unsigned v = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return false;
		v = v * 10 + (unsigned)(*s - '0');
		if (v > UINT16_MAX)
			return false;
	}
	*port = (uint16_t)v;
	return true;
}

/* An IPv6 address, perhaps with a zone: "fe80::1%eth0". */
static bool
is_v6(const char *host)
{
	char bare[INET6_ADDRSTRLEN];
	size_t n = strcspn(host, "%");
	struct in6_addr a;

	if (n >= sizeof(bare) || (host[n] == '%' && host[n + 1] == '\0'))
		return false;
	memcpy(bare, host, n);
	bare[n] = '\0';
	return inet_pton(AF_INET6, bare, &a) == 1;
}

bool
address_parse(const char *text, struct address *out)
{
	const char *host = text, *end;

	if (text[0] == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (end == NULL || end[1] != ':' || !parse_port(end + 2, &out->port))
			return false;
	} else {
		end = strchr(host, ':');
		if (end == NULL || !parse_port(end + 1, &out->port))
			return false;
	}
	if ((size_t)(end - host) >= sizeof(out->host))
		return false;
	memcpy(out->host, host, (size_t)(end - host));
	out->host[end - host] = '\0';
	out->v6 = text[0] == '[';
	if (out->v6)
		return is_v6(out->host);
	/* What no host name or IPv4 address has, so that "http://host:80" or "[::1" is not taken
	 * for one. */
	return strpbrk(out->host, "/[]@ \t\r\n") == NULL;
}
