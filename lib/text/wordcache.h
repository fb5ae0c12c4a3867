/*
 * What words became: from at most 15 bytes to at most 4 ids, in 32 bytes, so that two words share a cache line
 * and a set: the older one gives way. Most words of a text were there before; a word that is not is encoded by
 * its model, and put.
 *
 *	struct wordcache_key key = wordcache_key(text + at, n, text_n - at);
 *
 *	wordcache_prefetch(&c, &key);     finds its set, some words ahead, as the table is larger than the first caches
 *	...
 *	count = wordcache_get(&key, ids); writes 4 ids, of which so many count; or 0: not there
 */
#ifndef TEXT_WORDCACHE_H
#define TEXT_WORDCACHE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

#define WORDCACHE_KEY 15 /* bytes */
#define WORDCACHE_IDS 4

struct wordcache_key {
	uint64_t low,
		high; /* bytes 0 to 7, and 8 to 14 with their number behind; high 0: too long */
	struct wordcache_entry *set; /* where it would be, by wordcache_prefetch() */
};

struct wordcache_entry {
	uint64_t low, high; /* of its key; and, in bits 60 to 63, how many ids there are */
	int32_t ids[WORDCACHE_IDS];
};

struct wordcache {
	struct wordcache_entry (*sets)[2];
};

#define WORDCACHE_BITS 15 /* 2^15 sets, 2 MiB */
#define WORDCACHE_INIT                                                                             \
	{                                                                                          \
		.sets = NULL                                                                       \
	}

int wordcache_init(struct wordcache *c, struct err *err);
void wordcache_release(struct wordcache *c);

extern const uint64_t wordcache_masks[WORDCACHE_KEY + 1][2]; /* of the first n of 16 bytes */

/* Of n > 0 bytes at s, from which on `left` bytes may be read. */
static inline struct wordcache_key wordcache_key(const char *s, size_t n, size_t left)
{
	struct wordcache_key key = {0, 0, NULL};

	if (n > WORDCACHE_KEY)
		return key;
	memcpy(&key, s, left < 16 ? n : 16);
	key.low &= wordcache_masks[n][0]; /* not by n < 8, which no one can foresee */
	key.high = (key.high & wordcache_masks[n][1]) | (uint64_t)n << 56;
	return key;
}

static inline struct wordcache_entry *wordcache_set(
	const struct wordcache *c, const struct wordcache_key *key)
{
	uint64_t h = (key->low ^ key->high * 0x9e3779b97f4a7c15u) * 0xa0761d6478bd642fu;

	return c->sets[(h ^ h >> 32) * 0xe7037ed1a0b428dbu >> (64 - WORDCACHE_BITS)];
}

static inline void wordcache_prefetch(const struct wordcache *c, struct wordcache_key *key)
{
	key->set = wordcache_set(c, key);
	__builtin_prefetch(key->set);
}

static inline size_t wordcache_get(const struct wordcache_key *key, int32_t *ids)
{
	const struct wordcache_entry *e = key->set;

	for (int i = 0; i < 2; i++, e++) {
		if (e->low == key->low && (e->high & UINT64_MAX >> 4) == key->high && key->high) {
			memcpy(ids, e->ids, sizeof e->ids);
			return e->high >> 60;
		}
	}
	return 0;
}

/* count ids, from 1 to 4, of a word that is not there and has a key with high > 0. */
static inline void wordcache_put(const struct wordcache_key *key, const int32_t *ids, size_t count)
{
	struct wordcache_entry *e = key->set;

	e[1] = e[0];
	e->low = key->low;
	e->high = key->high | (uint64_t)count << 60;
	memcpy(e->ids, ids, count * sizeof *ids);
}

#endif
