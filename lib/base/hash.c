#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

__extension__ typedef unsigned __int128 u128;

static uint64_t mix(uint64_t a, uint64_t b)
{
	u128 p = (u128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
	const unsigned char *p = bytes;
	uint64_t h = seed ^ 0x9e3779b97f4a7c15u, word = 0;
	size_t left = n;

	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = mix(h ^ word, 0xd6e8feb86659fd93u);
	}
	word = 0;
	memcpy(&word, p, left);
	return mix(h ^ word, 0xa0761d6478bd642fu ^ (uint64_t)n);
}

static size_t place(const struct hash_set *s, uint64_t hash)
{
	size_t at = hash & (s->slots - 1);

	while (s->slot[at] && s->slot[at] != hash)
		at = (at + 1) & (s->slots - 1);
	return at;
}

static int grow(struct hash_set *s, struct err *err)
{
	struct hash_set more = {.slots = s->slots ? 2 * s->slots : 1024, .n = s->n};

	more.slot = mem_new(more.slots, sizeof *more.slot, err);
	if (!more.slot)
		return -1;
	for (size_t i = 0; i < s->slots; i++)
		if (s->slot[i])
			more.slot[place(&more, s->slot[i])] = s->slot[i];
	free(s->slot);
	*s = more;
	return 0;
}

int hash_set_add(struct hash_set *s, uint64_t hash, struct err *err)
{
	size_t at;

	hash += !hash;
	if (4 * (s->n + 1) > 3 * s->slots && grow(s, err))
		return -1;
	at = place(s, hash);
	if (s->slot[at])
		return 1;
	s->slot[at] = hash;
	s->n++;
	return 0;
}

bool hash_set_has(const struct hash_set *s, uint64_t hash)
{
	hash += !hash;
	return s->slots && s->slot[place(s, hash)];
}

void hash_set_release(struct hash_set *s)
{
	free(s->slot);
	*s = (struct hash_set)HASH_SET_INIT;
}
