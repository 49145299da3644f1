#include "authority.h"

#include <stddef.h>
#include <string.h>

/* Decimal, 1 to 65535. */
static bool
parse_port(const char *text, uint16_t *port)
{
	unsigned value = 0;
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 5 || text[n] != '\0')
		return false;
	for (size_t i = 0; i < n; i++)
		value = value * 10 + (unsigned)(text[i] - '0');
	*port = (uint16_t)value;
	return value > 0 && value <= UINT16_MAX;
}

bool
authority_split(char *text, uint16_t *port)
{
	char *end, *host = text;

	*port = 0;
	if (text[0] == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (end == NULL || end == host)
			return false;
		if (end[1] != '\0' && (end[1] != ':' || !parse_port(end + 2, port)))
			return false;
	} else {
		end = text + strcspn(text, ":");
		if (end == text || (*end == ':' && !parse_port(end + 1, port)))
			return false;
	}
	*end = '\0';
	memmove(text, host, strlen(host) + 1);
	return true;
}
