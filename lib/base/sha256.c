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
/* The state as the instructions want it: two registers, ABEF and CDGH; four rounds a step. */
__attribute__((target("sha,sse4.1,ssse3"))) static void blocks_sha(
	uint32_t state[8], const uint8_t *p, size_t n)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	__m128i lo = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
	__m128i hi = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
	__m128i abef = _mm_alignr_epi8(lo, hi, 8), cdgh = _mm_blend_epi16(hi, lo, 0xf0);

	for (; n; n--, p += 64) {
		__m128i old_abef = abef, old_cdgh = cdgh, w[4], kw;

		for (int i = 0; i < 4; i++)
			w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * i)), swap);
		for (int i = 0; i < 16; i++) {
			__m128i *now = &w[i & 3], last = w[(i + 3) & 3];

			if (i >= 4) {
				*now = _mm_sha256msg1_epu32(*now, w[(i + 1) & 3]);
				*now = _mm_add_epi32(*now, _mm_alignr_epi8(last, w[(i + 2) & 3], 4));
				*now = _mm_sha256msg2_epu32(*now, last);
			}
			kw = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(K + 4 * i)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, kw);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(kw, 0x0e));
		}
		abef = _mm_add_epi32(abef, old_abef);
		cdgh = _mm_add_epi32(cdgh, old_cdgh);
	}
	lo = _mm_shuffle_epi32(abef, 0x1b);
	hi = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(lo, hi, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(hi, lo, 8));
}

static bool has_sha(void)
{
	uint32_t a = 7, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	return b >> 29 & 1 && __builtin_cpu_supports("sse4.1");
}
#endif

static void blocks(uint32_t state[8], const uint8_t *p, size_t n)
{
#if defined(__x86_64__)
	static int fast = -1; /* every thread that fills it in finds the same */

	if (__atomic_load_n(&fast, __ATOMIC_RELAXED) < 0)
		__atomic_store_n(&fast, has_sha(), __ATOMIC_RELAXED);
	if (__atomic_load_n(&fast, __ATOMIC_RELAXED)) {
		blocks_sha(state, p, n);
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
