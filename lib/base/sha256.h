/* SHA-256 (FIPS 180-4), with the processor's own instructions where it has them. */
#ifndef BASE_SHA256_H
#define BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t block[64];
};

void sha256_init(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t n);
void sha256_finish(struct sha256 *h, uint8_t digest[32]);

/*
 * The same as adding n bytes of data to a, and n bytes of more to b. Where both have had a multiple of 64 bytes, this
 * takes little longer than one of them.
 */
void sha256_add_both(struct sha256 *a, const void *data, struct sha256 *b, const void *more, size_t n);

/* Digest to 64 lower-case hexadecimal digits and a zero byte. */
void sha256_hex(const uint8_t digest[32], char hex[65]);

/* The first 8 bytes of the digest of n bytes, read as a little-endian number: a record's id. */
uint64_t sha256_id(const void *data, size_t n);

#endif
