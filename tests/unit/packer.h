/*
 * packer.h -- writes MessagePack for tests, shortest forms unless said otherwise.
 */
#ifndef PACKER_H
#define PACKER_H

#include <stddef.h>
#include <stdint.h>

enum { PACKER_ROOM = 1 << 20 };

struct packer {
	uint8_t *bytes;
	size_t n;
};

struct packer packer_new(void);
void packer_raw(struct packer *p, const void *bytes, size_t n);
/* A head byte and the size low bytes of v, big-endian. */
void packer_head(struct packer *p, unsigned head, uint64_t v, unsigned size);
void packer_nil(struct packer *p);
void packer_bool(struct packer *p, int v);
void packer_uint(struct packer *p, uint64_t v);
void packer_int(struct packer *p, int64_t v);
void packer_double(struct packer *p, double d);
void packer_str(struct packer *p, const char *s, size_t n);
void packer_text(struct packer *p, const char *s);
void packer_bin(struct packer *p, const void *bytes, size_t n);
void packer_array(struct packer *p, size_t n);
void packer_map(struct packer *p, size_t n);

#endif
