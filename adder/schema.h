/*
 * schema.h -- the descriptors of adder's services, embedded by the build: which .proto file holds a
 * name.
 */
#ifndef SCHEMA_H
#define SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct schema;

struct
    schema_file { /* a serialised google.protobuf.FileDescriptorProto, borrowed from the schema */
	const uint8_t *bytes;
	size_t n;
};

/* NULL: out of memory. */
struct schema *schema_open(void);
void schema_close(struct schema *); /* NULL is a no-op */

/* NULL: no such file. name: "sum.proto". No file imports another, so each stands for itself. */
const struct schema_file *schema_by_name(const struct schema *, const char *name);
/* The file that defines a fully qualified message, enum, service, method, field, oneof or enum
 * value: "sum.SumNumbersService.SumNumbers". NULL: none. */
const struct schema_file *schema_by_symbol(const struct schema *, const char *symbol);
/* The file of a message, if it is one. */
const struct schema_file *schema_by_message(const struct schema *, const char *message);
/* The i-th service's full name, written to out with its NUL and cut to size; false: there are no
 * more. */
bool schema_service(const struct schema *, size_t i, char *out, size_t size);

#endif
