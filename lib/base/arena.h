/* Memory that is given out piece by piece and taken back all at once. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/err.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	size_t used; /* of the first chunk */
};

#define ARENA_INIT {.chunks = NULL}

/* n elements of the given size, on a 16-byte boundary, not zeroed; NULL with ERR_LIMIT. */
void *arena_new(struct arena *a, size_t n, size_t size, struct err *err);

/* A copy of n bytes and a zero byte. */
void *arena_copy(struct arena *a, const void *bytes, size_t n, struct err *err);

void arena_clear(struct arena *a); /* takes all back; keeps the largest chunk for the next round */
void arena_release(struct arena *a);

#endif
