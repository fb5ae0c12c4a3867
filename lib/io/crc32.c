/*
 * V. Gopal et al., Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction, Intel 2009, with bits
 * reflected: four registers of 16 bytes each are moved 64 bytes on in the message by one multiplication, modulo the
 * polynomial, and what is there now is added; at the end four become one, and that, by Barrett, 32 bits.
 */
#include "io/crc32.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define FOLD __attribute__((target("pclmul,sse4.1")))

/* x^n modulo the polynomial, reflected, for n of 512 + 32, 512 - 32, 128 + 32, 128 - 32 and 64. */
#define X544 0x154442bd4
#define X480 0x1c6e41596
#define X160 0x1751997d0
#define X96 0x0ccaa009e
#define X64 0x163cd6124
#define POLYNOMIAL 0x1db710641
#define QUOTIENT 0x1f7011641 /* of x^64 by it */

FOLD static __m128i load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* a further on, by the two powers in by, and what is there. */
FOLD static __m128i fold(__m128i a, __m128i by, __m128i there)
{
	return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(a, by, 0x00), _mm_clmulepi64_si128(a, by, 0x11)), there);
}

FOLD static uint32_t reduce(__m128i a)
{
	const __m128i low = _mm_set_epi32(0, 0, 0, -1), barrett = _mm_set_epi64x(QUOTIENT, POLYNOMIAL);
	__m128i t;

	a = _mm_xor_si128(_mm_clmulepi64_si128(a, _mm_set_epi64x(X96, X160), 0x10), _mm_srli_si128(a, 8));
	a = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(a, low), _mm_set_epi64x(0, X64), 0x00), _mm_srli_si128(a, 4));
	t = _mm_clmulepi64_si128(_mm_and_si128(a, low), barrett, 0x10);
	t = _mm_clmulepi64_si128(_mm_and_si128(t, low), barrett, 0x00);
	return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, t), 1);
}

FOLD static uint32_t fold_all(uint32_t crc, const uint8_t *p, size_t n)
{
	const __m128i far = _mm_set_epi64x(X480, X544), near = _mm_set_epi64x(X96, X160);
	__m128i a[4];

	for (int i = 0; i < 4; i++)
		a[i] = load(p + 16 * i);
	a[0] = _mm_xor_si128(a[0], _mm_cvtsi32_si128((int)~crc));
	for (p += 64, n -= 64; n >= 64; p += 64, n -= 64)
		for (int i = 0; i < 4; i++)
			a[i] = fold(a[i], far, load(p + 16 * i));
	for (int i = 1; i < 4; i++)
		a[0] = fold(a[0], near, a[i]);
	for (; n >= 16; p += 16, n -= 16)
		a[0] = fold(a[0], near, load(p));
	return ~reduce(a[0]);
}

size_t crc32_fold(uint32_t *crc, const void *data, size_t n)
{
	if (n < 64 || !__builtin_cpu_supports("pclmul") || !__builtin_cpu_supports("sse4.1"))
		return 0;
	*crc = fold_all(*crc, data, n);
	return n / 16 * 16;
}
#else
size_t crc32_fold(uint32_t *crc, const void *data, size_t n)
{
	(void)crc;
	(void)data;
	(void)n;
	return 0;
}
#endif
