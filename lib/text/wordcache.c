#include "text/wordcache.h"

#include <stdlib.h>

#include "base/mem.h"

#define ALL UINT64_MAX
#define FIRST(n) (ALL >> (64 - 8 * (n)))

const uint64_t wordcache_masks[WORDCACHE_KEY + 1][2] = {{0, 0}, {FIRST(1), 0}, {FIRST(2), 0},
	{FIRST(3), 0}, {FIRST(4), 0}, {FIRST(5), 0}, {FIRST(6), 0}, {FIRST(7), 0}, {ALL, 0},
	{ALL, FIRST(1)}, {ALL, FIRST(2)}, {ALL, FIRST(3)}, {ALL, FIRST(4)}, {ALL, FIRST(5)},
	{ALL, FIRST(6)}, {ALL, FIRST(7)}};

int wordcache_init(struct wordcache *c, struct err *err)
{
	size_t n = (size_t)1 << WORDCACHE_BITS;

	c->sets = mem_new_aligned(n, sizeof *c->sets, err);
	if (!c->sets)
		return -1;
	memset(c->sets, 0, n * sizeof *c->sets);
	return 0;
}

void wordcache_release(struct wordcache *c)
{
	free(c->sets);
	c->sets = NULL;
}
