#include "pem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
pem_read(const char *path, char *error, size_t errlen)
{
	FILE *f = fopen(path, "re");
	char *text;
	size_t n;

	if (f == NULL) {
		snprintf(error, errlen, "%s: %s", path, strerror(errno));
		return NULL;
	}
	text = malloc(PEM_MAX + 2);
	n = text != NULL ? fread(text, 1, PEM_MAX + 1, f) : 0;
	if (text != NULL)
		text[n] = '\0';
	if (ferror(f) || n == 0 || n > PEM_MAX || strstr(text, "-----BEGIN ") == NULL) {
		snprintf(error, errlen, "%s: not a PEM file", path);
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}
