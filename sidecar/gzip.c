#include "gzip.h"

#include <libdeflate.h>
#include <stdlib.h>

enum { LEVEL = 1 };

struct gzip {
	struct libdeflate_compressor *pack;
	struct libdeflate_decompressor *unpack;
};

struct gzip *
gzip_open(void)
{
	struct gzip *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->pack = libdeflate_alloc_compressor(LEVEL);
	g->unpack = libdeflate_alloc_decompressor();
	if (g->pack == NULL || g->unpack == NULL) {
		gzip_close(g);
		return NULL;
	}
	return g;
}

void
gzip_close(struct gzip *g)
{
	if (g == NULL)
		return;
	libdeflate_free_compressor(g->pack);
	libdeflate_free_decompressor(g->unpack);
	free(g);
}

size_t
gzip_bound(struct gzip *g, size_t n)
{
	return libdeflate_gzip_compress_bound(g->pack, n);
}

size_t
gzip_pack(struct gzip *g, const void *from, size_t n, void *to, size_t room)
{
	return libdeflate_gzip_compress(g->pack, from, n, to, room);
}

int
gzip_unpack(struct gzip *g, const void *from, size_t n, void *to, size_t room, size_t *len)
{
	return libdeflate_gzip_decompress(g->unpack, from, n, to, room, len) == LIBDEFLATE_SUCCESS
		   ? 0
		   : -1;
}
