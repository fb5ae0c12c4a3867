#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct arena_chunk {
	struct arena_chunk *next;
	size_t size;
	_Alignas(16) char bytes[];
};

void *arena_new(struct arena *a, size_t n, size_t size, struct err *err)
{
	size_t bytes, room = 65536;
	struct arena_chunk *c;

	if (!size_mul(n, size, &bytes) || !size_add(bytes, 15, &bytes))
		return mem_new(SIZE_MAX, SIZE_MAX, err);
	bytes &= ~(size_t)15;
	if (!a->chunks || a->chunks->size - a->used < bytes) {
		if (a->chunks && a->chunks->size < (size_t)1 << 26)
			room = 2 * a->chunks->size;
		if (room < bytes)
			room = bytes;
		c = room < SIZE_MAX - sizeof *c ? malloc(sizeof *c + room) : NULL;
		if (!c) {
			err_set(err, ERR_LIMIT, "out of memory: no room for %zu bytes", room);
			return NULL;
		}
		*c = (struct arena_chunk){.next = a->chunks, .size = room};
		a->chunks = c;
		a->used = 0;
	}
	a->used += bytes;
	return a->chunks->bytes + a->used - bytes;
}

void *arena_copy(struct arena *a, const void *bytes, size_t n, struct err *err)
{
	char *p = n < SIZE_MAX ? arena_new(a, n + 1, 1, err) : NULL;

	if (p) {
		if (n)
			memcpy(p, bytes, n);
		p[n] = '\0';
	}
	return p;
}

static void free_chunks(struct arena_chunk *c)
{
	struct arena_chunk *next;

	for (; c; c = next) {
		next = c->next;
		free(c);
	}
}

void arena_clear(struct arena *a)
{
	if (a->chunks) {
		free_chunks(a->chunks->next);
		a->chunks->next = NULL;
	}
	a->used = 0;
}

void arena_release(struct arena *a)
{
	free_chunks(a->chunks);
	*a = (struct arena)ARENA_INIT;
}
