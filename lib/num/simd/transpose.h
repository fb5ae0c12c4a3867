/* A square of 16 by 16 elements of four bytes, turned. */
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

#endif

#endif
