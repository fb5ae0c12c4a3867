#include "text/trie.h"

#include <stdlib.h>

#include "base/mem.h"

#define NODES_MAX ((size_t)1 << 24)

void trie_release(struct trie *t)
{
	free(t->edges);
	free(t->values);
	*t = (struct trie)TRIE_INIT;
}

static void put_edge(struct trie *t, uint32_t key, uint32_t node)
{
	size_t i = trie_hash(key) & t->mask;

	while (t->edges[i].node)
		i = (i + 1) & t->mask;
	t->edges[i] = (struct trie_edge){key, node};
}

static int grow(struct trie *t, struct err *err)
{
	struct trie old = *t;
	size_t size = old.edges ? (old.mask + 1) * 2 : 1024;
	struct trie_edge *edges = mem_new(size, sizeof *edges, err);

	if (!edges)
		return -1;
	t->edges = edges;
	t->mask = size - 1;
	for (size_t i = 0; old.edges && i <= old.mask; i++)
		if (old.edges[i].node)
			put_edge(t, old.edges[i].key, old.edges[i].node);
	free(old.edges);
	return 0;
}

static int add_node(struct trie *t, struct err *err)
{
	if (t->nodes == NODES_MAX)
		return err_set(err, ERR_LIMIT, "a vocabulary of too many different beginnings");
	if (mem_grow(&t->values, &t->cap, t->nodes + 1, sizeof *t->values, err))
		return -1;
	t->values[t->nodes++] = -1;
	return 0;
}

int trie_put(struct trie *t, const char *s, size_t n, int32_t value, struct err *err)
{
	uint32_t node = TRIE_ROOT, next;

	while (t->nodes <= TRIE_ROOT)
		if (add_node(t, err))
			return -1;
	for (size_t i = 0; i < n; i++, node = next) {
		next = trie_step(t, node, s[i]);
		if (next)
			continue;
		if ((!t->edges || t->count * 2 > t->mask) && grow(t, err))
			return -1;
		next = (uint32_t)t->nodes;
		if (add_node(t, err))
			return -1;
		put_edge(t, node << 8 | (unsigned char)s[i], next);
		t->count++;
	}
	t->values[node] = value;
	return 0;
}
