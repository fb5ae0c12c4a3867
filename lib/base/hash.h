/*
 * Numbers that stand for strings, and a set of them: to notice what was there before. Not against those who
 * choose strings to collide.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Of n bytes; other seeds give other numbers. The same on every machine. */
uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed);

/* 8 to 16 bytes an element. */
struct hash_set {
	uint64_t *slot; /* 0: free */
	size_t n, slots;
};

#define HASH_SET_INIT {.slot = NULL}

/* 1 if it was there already, 0 if it is new, -1 without memory. */
int hash_set_add(struct hash_set *s, uint64_t hash, struct err *err);
bool hash_set_has(const struct hash_set *s, uint64_t hash);
void hash_set_release(struct hash_set *s);

#endif
