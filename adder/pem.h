/*
 * pem.h -- certificates and keys from files.
 */
#ifndef PEM_H
#define PEM_H

#include <stddef.h>

enum { PEM_MAX = 1024 * 1024 }; /* bytes; a chain has a few thousand: more is the wrong file */

/* The file's text, NUL-terminated, to be freed. NULL: error (errlen bytes) names the file and
 * what is wrong. */
char *pem_read(const char *path, char *error, size_t errlen);

#endif
