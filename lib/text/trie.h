/*
 * Strings to numbers, found as the beginnings of a text. Nodes are numbers; an edge is found by hashing its
 * node and byte.
 *
 *	uint32_t node = TRIE_ROOT;
 *
 *	for (i = 0; i < n && (node = trie_step(&t, node, text[i])); i++)
 *		if (trie_value(&t, node) >= 0)
 *			text[0] to text[i] is a string of the trie
 */
#ifndef TEXT_TRIE_H
#define TEXT_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct trie_edge {
	uint32_t key, node; /* node << 8 | byte of the one; the other. node 0: an empty slot */
};

struct trie {
	struct trie_edge *edges; /* mask + 1 slots; NULL while there is no edge */
	size_t mask, count;
	int32_t *values; /* of each node; -1: no string ends there */
	size_t nodes, cap;
};

#define TRIE_INIT                                                                                  \
	{                                                                                          \
		.nodes = 0                                                                         \
	}
#define TRIE_ROOT 1u /* 0 is no node */

void trie_release(struct trie *t);

/* value >= 0; of a string that is there already the new one counts. ERR_LIMIT beyond 2^24 nodes. */
int trie_put(struct trie *t, const char *s, size_t n, int32_t value, struct err *err);

static inline size_t trie_hash(uint32_t key)
{
	return (uint32_t)(key * 0x9e3779b1u) >> 4;
}

/* The node behind a byte, or 0. */
static inline uint32_t trie_step(const struct trie *t, uint32_t node, char byte)
{
	uint32_t key = node << 8 | (unsigned char)byte;
	size_t i = trie_hash(key);

	if (!t->edges)
		return 0;
	for (;; i++) {
		const struct trie_edge *e = &t->edges[i & t->mask];

		if (e->key == key || !e->node)
			return e->node;
	}
}

static inline int32_t trie_value(const struct trie *t, uint32_t node)
{
	return t->values[node];
}

#endif
