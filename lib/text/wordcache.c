#include "text/wordcache.h"

#include <stdlib.h>

#include "base/mem.h"

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
