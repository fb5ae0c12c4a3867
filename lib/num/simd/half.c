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

/* The upper half of each element is the number in BF16. */
static inline __m512i round_vector(__m512 x)
{
	__m512i bits = _mm512_castps_si512(x),
		last = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));

	bits = _mm512_add_epi32(bits, _mm512_add_epi32(last, _mm512_set1_epi32(0x7fff)));
	return _mm512_mask_mov_epi32(bits, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), _mm512_set1_epi32(0x7fc00000));
}

/* Element i: a[i] in the lower half, b[i] in the upper. */
static inline __m512i pair(__m512 a, __m512 b)
{
	return _mm512_mask_blend_epi16(0xaaaaaaaa, _mm512_srli_epi32(round_vector(a), 16), round_vector(b));
}

/* The first n <= 32 of 32 numbers side by side; the others are 0. */
static inline __m512i row(const float *x, int64_t n)
{
	static const uint16_t upper[32] = {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 35, 37, 39,
		41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63};
	uint32_t some = n < 32 ? (1u << n) - 1 : 0xffffffff;
	__m512i a = round_vector(_mm512_maskz_loadu_ps((__mmask16)some, x));
	__m512i b = round_vector(_mm512_maskz_loadu_ps((__mmask16)(some >> 16), x + 16));

	return _mm512_permutex2var_epi16(a, _mm512_loadu_si512(upper), b);
}

/* Numbers l to l + 31 of x's columns, pair by pair. */
static inline void load_pairs(__m512i t[16], const float *x, int64_t ldx, int64_t n, int64_t l, int64_t k)
{
	__mmask16 columns = (__mmask16)((1u << n) - 1);

	for (int64_t i = 0; i < 16; i++, l += 2)
		t[i] = pair(_mm512_maskz_loadu_ps(l < k ? columns : 0, x + l * ldx),
			_mm512_maskz_loadu_ps(l + 1 < k ? columns : 0, x + (l + 1) * ldx));
}

/* Numbers l to l + 31 of x's rows. */
static inline void load_rows(__m512i t[16], const float *x, int64_t ldx, int64_t n, int64_t l, int64_t k)
{
	int64_t deep = k - l < 32 ? k - l : 32;

	for (int64_t i = 0; i < 16; i++)
		t[i] = row(x + i * ldx + l, i < n ? deep : 0);
}

static inline void tile(uint16_t *to, const float *x, int64_t ldx, int64_t n, int64_t l, int64_t k, bool rows, bool right)
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
void VEC_NAME(half_tiles)(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows,
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
