#include "base/sha256.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const uint32_t K[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void blocks_plain(uint32_t state[8], const uint8_t *p, size_t n)
{
	uint32_t w[64], s[8], t1, t2;

	for (; n; n--, p += 64) {
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
				(uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
		for (int i = 16; i < 64; i++)
			w[i] = w[i - 16] + w[i - 7] +
				(rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3) +
				(rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10);
		memcpy(s, state, sizeof s);
		for (int i = 0; i < 64; i++) {
			t1 = s[7] + (rotr(s[4], 6) ^ rotr(s[4], 11) ^ rotr(s[4], 25)) +
				((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
			t2 = (rotr(s[0], 2) ^ rotr(s[0], 13) ^ rotr(s[0], 22)) +
				((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
			memmove(s + 1, s, 7 * sizeof *s);
			s[4] += t1;
			s[0] = t1 + t2;
		}
		for (int i = 0; i < 8; i++)
			state[i] += s[i];
	}
}

#if defined(__x86_64__)
#define SHA __attribute__((target("sha,sse4.1,ssse3")))

/*
 * The state as the instructions want it: two registers, ABEF and CDGH; four rounds a step. A step waits for the one
 * before it, so that a processor does two independent messages in hardly more time than one.
 */
SHA static inline __attribute__((always_inline)) void blocks_sha(uint32_t *const state[], const uint8_t *const data[],
	size_t n, int lanes)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i abef[2], cdgh[2], old_abef[2], old_cdgh[2], w[2][4], lo, hi, kw;

	for (int l = 0; l < lanes; l++) {
		lo = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state[l]), 0xb1);
		hi = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state[l] + 4)), 0x1b);
		abef[l] = _mm_alignr_epi8(lo, hi, 8);
		cdgh[l] = _mm_blend_epi16(hi, lo, 0xf0);
	}
	for (size_t at = 0; at < 64 * n; at += 64) {
		for (int l = 0; l < lanes; l++) {
			old_abef[l] = abef[l];
			old_cdgh[l] = cdgh[l];
			for (int i = 0; i < 4; i++)
				w[l][i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data[l] + at + 16 * i)), swap);
		}
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++)
			for (int l = 0; l < lanes; l++) {
				__m128i *now = &w[l][i & 3], last = w[l][(i + 3) & 3];

				if (i >= 4) {
					*now = _mm_sha256msg1_epu32(*now, w[l][(i + 1) & 3]);
					*now = _mm_add_epi32(*now, _mm_alignr_epi8(last, w[l][(i + 2) & 3], 4));
					*now = _mm_sha256msg2_epu32(*now, last);
				}
				kw = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(K + 4 * i)));
				cdgh[l] = _mm_sha256rnds2_epu32(cdgh[l], abef[l], kw);
				abef[l] = _mm_sha256rnds2_epu32(abef[l], cdgh[l], _mm_shuffle_epi32(kw, 0x0e));
			}
		for (int l = 0; l < lanes; l++) {
			abef[l] = _mm_add_epi32(abef[l], old_abef[l]);
			cdgh[l] = _mm_add_epi32(cdgh[l], old_cdgh[l]);
		}
	}
	for (int l = 0; l < lanes; l++) {
		lo = _mm_shuffle_epi32(abef[l], 0x1b);
		hi = _mm_shuffle_epi32(cdgh[l], 0xb1);
		_mm_storeu_si128((__m128i *)state[l], _mm_blend_epi16(lo, hi, 0xf0));
		_mm_storeu_si128((__m128i *)(state[l] + 4), _mm_alignr_epi8(hi, lo, 8));
	}
}

SHA static void blocks_one(uint32_t state[8], const uint8_t *p, size_t n)
{
	blocks_sha(&state, &p, n, 1);
}

SHA static void blocks_two(uint32_t *const state[2], const uint8_t *const data[2], size_t n)
{
	blocks_sha(state, data, n, 2);
}

static bool has_sha(void)
{
	uint32_t a = 7, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b >> 29 & 1 && __builtin_cpu_supports("sse4.1");
}

/* Has it the instructions? */
static bool fast(void)
{
	static int found = -1; /* every thread that fills it in finds the same */

	if (__atomic_load_n(&found, __ATOMIC_RELAXED) < 0)
		__atomic_store_n(&found, has_sha(), __ATOMIC_RELAXED);
	return __atomic_load_n(&found, __ATOMIC_RELAXED);
}
#endif

static void blocks(uint32_t state[8], const uint8_t *p, size_t n)
{
#if defined(__x86_64__)
	if (fast()) {
		blocks_one(state, p, n);
		return;
	}
#endif
	blocks_plain(state, p, n);
}

void sha256_init(struct sha256 *h)
{
	static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
		0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	memcpy(h->state, start, sizeof start);
	h->bytes = 0;
}

void sha256_add(struct sha256 *h, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t have = h->bytes % 64, take;

	if (!n)
		return;
	h->bytes += n;
	if (have) {
		take = n < 64 - have ? n : 64 - have;
		memcpy(h->block + have, p, take);
		p += take;
		n -= take;
		if (have + take == 64)
			blocks(h->state, h->block, 1);
	}
	if (n >= 64)
		blocks(h->state, p, n / 64);
	if (n % 64)
		memcpy(h->block, p + n / 64 * 64, n % 64);
}

void sha256_add_both(struct sha256 *a, const void *data, struct sha256 *b, const void *more, size_t n)
{
	size_t done = 0;
#if defined(__x86_64__)
	uint32_t *const state[] = {a->state, b->state};
	const uint8_t *const from[] = {data, more};

	if (fast() && a->bytes % 64 == 0 && b->bytes % 64 == 0) {
		done = n / 64 * 64;
		blocks_two(state, from, n / 64);
		a->bytes += done;
		b->bytes += done;
	}
#endif
	sha256_add(a, (const uint8_t *)data + done, n - done);
	sha256_add(b, (const uint8_t *)more + done, n - done);
}

void sha256_finish(struct sha256 *h, uint8_t digest[32])
{
	uint64_t bits = h->bytes * 8;
	uint8_t pad[72] = {0x80};
	size_t n = 64 - (h->bytes + 8) % 64;

	for (int i = 0; i < 8; i++)
		pad[n + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_add(h, pad, n + 8);
	for (int i = 0; i < 32; i++)
		digest[i] = (uint8_t)(h->state[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_hex(const uint8_t digest[32], char hex[65])
{
	for (int i = 0; i < 32; i++) {
		hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	hex[64] = '\0';
}

uint64_t sha256_id(const void *data, size_t n)
{
	struct sha256 h;
	uint8_t digest[32];
	uint64_t id = 0;

	sha256_init(&h);
	sha256_add(&h, data, n);
	sha256_finish(&h, digest);
	for (int i = 7; i >= 0; i--)
		id = id << 8 | digest[i];
	return id;
}
