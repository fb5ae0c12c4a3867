/* Floats to BF16, to nearest even, and to the tiles of its matrix products. */
#include "num/simd/simd.h"
#include "num/simd/transpose.h"

void VEC_NAME(to_half)(uint16_t *half, const float *x, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		half[i] = half_of(x[i]);
}

#if defined(__AVX512BW__)

/* Whoever multiplies BF16 has AVX512-BF16 to round by; what is below the normal numbers becomes 0, as in those products. */
#define ROUNDS __attribute__((target("avx512bf16")))

/* Element i: a[i] in the lower half, b[i] in the upper. */
ROUNDS static inline __m512i pair(__m512 a, __m512 b)
{
	static const uint16_t order[32] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10, 26, 11,
		27, 12, 28, 13, 29, 14, 30, 15, 31};

	return _mm512_permutexvar_epi16(_mm512_loadu_si512(order), (__m512i)_mm512_cvtne2ps_pbh(b, a));
}

/* The first n <= 32 of 32 numbers side by side; the others are 0. */
ROUNDS static inline __m512i row(const float *x, int64_t n)
{
	uint32_t some = n < 32 ? (1u << n) - 1 : 0xffffffff;

	return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps((__mmask16)(some >> 16), x + 16),
		_mm512_maskz_loadu_ps((__mmask16)some, x));
}

/* Numbers l to l + 31 of x's columns, pair by pair. */
ROUNDS static inline void load_pairs(__m512i t[16], const float *x, int64_t ldx, int64_t n, int64_t l, int64_t k)
{
	__mmask16 columns = (__mmask16)((1u << n) - 1);

	for (int64_t i = 0; i < 16; i++, l += 2)
		t[i] = pair(_mm512_maskz_loadu_ps(l < k ? columns : 0, x + l * ldx),
			_mm512_maskz_loadu_ps(l + 1 < k ? columns : 0, x + (l + 1) * ldx));
}

/* Numbers l to l + 31 of x's rows. */
ROUNDS static inline void load_rows(__m512i t[16], const float *x, int64_t ldx, int64_t n, int64_t l, int64_t k)
{
	int64_t deep = k - l < 32 ? k - l : 32;

	for (int64_t i = 0; i < 16; i++)
		t[i] = row(x + i * ldx + l, i < n ? deep : 0);
}

ROUNDS static inline void tile(uint16_t *to, const float *x, int64_t ldx, int64_t n, int64_t l, int64_t k, bool rows, bool right)
{
	__m512i t[16];

	if (rows)
		load_rows(t, x, ldx, n, l, k);
	else
		load_pairs(t, x, ldx, n, l, k);
	if (rows == right)
		transpose(t);
	memcpy(to, t, sizeof t);
}

/* In the order in which x lies: along its rows. */
ROUNDS void VEC_NAME(half_tiles)(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows,
	bool right)
{
	int64_t lines = rows ? HALF_LINES : n;

	for (int64_t from = 0; from < n; from += lines)
		for (int64_t l = 0; l < k; l += HALF_DEPTH)
			for (int64_t i = from; i < from + lines; i += HALF_LINES)
				tile((uint16_t *)to + i * ldt + l * HALF_LINES, x + (rows ? i * ldx : i), ldx,
					n - i < HALF_LINES ? n - i : HALF_LINES, l, k, rows, right);
}

#else

void VEC_NAME(half_tiles)(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows,
	bool right)
{
	reference_half_tiles(to, ldt, x, ldx, n, k, rows, right);
}

#endif
