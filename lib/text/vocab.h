/* A table from strings to ids: keys in one block, open addressing. Bytes of any value. */
#ifndef TEXT_VOCAB_H
#define TEXT_VOCAB_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "io/json.h"

struct vocab_slot {
	uint32_t at, n; /* the key within keys */
	uint32_t hash;
	int32_t id; /* -1: empty */
};

struct vocab {
	struct vocab_slot *slots; /* mask + 1 of them; NULL while empty */
	size_t mask, count;
	char *keys;
	size_t used, cap;
	int32_t largest; /* id; -1 while empty */
};

#define VOCAB_INIT                                                                                 \
	{                                                                                          \
		.largest = -1                                                                      \
	}

void vocab_release(struct vocab *v);

/* Sets what key stands for, in place of what it stood for. id >= 0. ERR_LIMIT beyond 4 GiB of keys.
 */
int vocab_put(struct vocab *v, const char *key, size_t n, int32_t id, struct err *err);

/* Every name of an object with the number that is its value. ERR_CORRUPT for what is none. */
int vocab_load(struct vocab *v, const struct json *object, struct err *err);

/* The ids of the tokens that stand for bytes, "<0x00>" to "<0xFF>"; -1 where there is none. */
void vocab_bytes(const struct vocab *v, int32_t ids[256]);

/* The id, or -1. */
int32_t vocab_get(const struct vocab *v, const char *key, size_t n);

static inline uint64_t vocab_mix(uint64_t a, uint64_t b)
{
	uint64_t h = (a ^ a >> 32) * 0xa0761d6478bd642fu;

	h = (h ^ h >> 29 ^ b) * 0xe7037ed1a0b428dbu;
	return h ^ h >> 32;
}

/* A hash of n bytes. */
static inline uint64_t vocab_hash(const char *s, size_t n)
{
	uint64_t h = n, a, b;
	uint32_t x, y;

	for (; n > 16; s += 16, n -= 16) {
		memcpy(&a, s, 8);
		memcpy(&b, s + 8, 8);
		h = vocab_mix(a ^ h, b);
	}
	if (n >= 8) {
		memcpy(&a, s, 8);
		memcpy(&b, s + n - 8, 8);
	} else if (n >= 4) {
		memcpy(&x, s, 4);
		memcpy(&y, s + n - 4, 4);
		a = x;
		b = y;
	} else {
		a = n ? (uint64_t)(unsigned char)s[0] << 16 |
				    (uint64_t)(unsigned char)s[n / 2] << 8 | (unsigned char)s[n - 1]
		      : 0;
		b = 0;
	}
	return vocab_mix(a ^ h, b ^ 0x9e3779b97f4a7c15u);
}

#endif
