/*
 * capture.h -- what the code under test writes to standard output and standard error.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct capture {
	FILE *files[2];
	int saved[2];
	char out[1 << 16], err[1 << 16]; /* what was written between start and stop */
};

static inline void
capture_start(struct capture *c)
{
	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		c->files[i] = tmpfile();
		c->saved[i] = dup(i + 1);
		if (c->files[i] == NULL || c->saved[i] < 0 || dup2(fileno(c->files[i]), i + 1) < 0)
			abort();
	}
}

static inline void
capture_stop(struct capture *c)
{
	char *texts[] = { c->out, c->err };

	fflush(NULL);
	for (int i = 0; i < 2; i++) {
		dup2(c->saved[i], i + 1);
		close(c->saved[i]);
		rewind(c->files[i]);
		texts[i][fread(texts[i], 1, sizeof(c->out) - 1, c->files[i])] = '\0';
		fclose(c->files[i]);
	}
}

#endif
