/* Matrices of four bytes an element, turned: by squares of 16. */
#ifndef NUM_SIMD_TRANSPOSE_H
#define NUM_SIMD_TRANSPOSE_H

#include "num/simd/vec.h"

#if defined(__AVX512F__)

/* Transposes 16 vectors of 16 elements: by halves of what is left to exchange, from neighbours on. */
static inline void transpose(__m512i t[16])
{
	__m512i u[16];

	for (int i = 0; i < 16; i += 2) {
		u[i] = _mm512_unpacklo_epi32(t[i], t[i + 1]);
		u[i + 1] = _mm512_unpackhi_epi32(t[i], t[i + 1]);
	}
	for (int i = 0; i < 16; i += 4) {
		t[i] = _mm512_unpacklo_epi64(u[i], u[i + 2]);
		t[i + 1] = _mm512_unpackhi_epi64(u[i], u[i + 2]);
		t[i + 2] = _mm512_unpacklo_epi64(u[i + 1], u[i + 3]);
		t[i + 3] = _mm512_unpackhi_epi64(u[i + 1], u[i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		__m512i a = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd);
		__m512i c = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88),
			d = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd);

		u[i] = _mm512_shuffle_i32x4(a, c, 0x88);
		u[i + 4] = _mm512_shuffle_i32x4(b, d, 0x88);
		u[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
		u[i + 12] = _mm512_shuffle_i32x4(b, d, 0xdd);
	}
	memcpy(t, u, sizeof u);
}

static inline __mmask16 first_of_16(int64_t n)
{
	return (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffff);
}

/* to[k][n] = x[n][k]; ldt, ldx: floats a row. */
static inline void turn(float *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k)
{
	for (int64_t i = 0; i < n; i += 16)
		for (int64_t l = 0; l < k; l += 16) {
			__mmask16 deep = first_of_16(k - l), rows = first_of_16(n - i);
			__m512i t[16];

			for (int64_t r = 0; r < 16; r++)
				t[r] = _mm512_maskz_loadu_epi32(i + r < n ? deep : 0, x + (i + r) * ldx + l);
			transpose(t);
			for (int64_t r = 0; r < 16 && l + r < k; r++)
				_mm512_mask_storeu_epi32(to + (l + r) * ldt + i, rows, t[r]);
		}
}

#else

static inline void turn(float *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k)
{
	for (int64_t i = 0; i < n; i++)
		for (int64_t l = 0; l < k; l++)
			to[l * ldt + i] = x[i * ldx + l];
}

#endif

#endif
