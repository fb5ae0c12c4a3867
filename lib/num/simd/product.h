/* A matrix product of which registers hold a block: that of attention, of few rows, and of what num/simd/multiply.c leaves. */
#ifndef NUM_SIMD_PRODUCT_H
#define NUM_SIMD_PRODUCT_H

#include <stdbool.h>

#include "num/simd/vec.h"

/* Rows and vectors that a product holds in registers. */
#define MR 6
#if VL == 16 || defined(__aarch64__)
#define NV 4
#else
#define NV 2
#endif
#define AHEAD 16

/* c[mr, nv vectors] = a * b over k, or + c; a(i, l) = a[i * am + l * ak]. last: elements of the last vector. */
__attribute__((always_inline)) static inline void tile(int mr, int nv, int64_t k, const float *a, int64_t am,
	int64_t ak, const float *b, int64_t ldb, float *c, int64_t ldc, bool add, int64_t last)
{
	vf acc[MR][NV];

	for (int i = 0; i < mr; i++)
		for (int j = 0; j < nv; j++)
			acc[i][j] = !add ? (vf){0}
				    : j == nv - 1 && last < VL ? vec_load_part(c + i * ldc + j * VL, last)
							       : vec_load(c + i * ldc + j * VL);
	for (int64_t l = 0; l < k; l++) {
		vf row[NV];

		/* Few rows wait for memory, which no processor foresees where each row of b is in another of its pages. */
		for (int j = 0; mr <= 2 && j < nv; j++)
			__builtin_prefetch(b + (l + AHEAD) * ldb + j * VL, 0, 2);
		for (int j = 0; j < nv; j++)
			row[j] = j == nv - 1 && last < VL ? vec_load_part(b + l * ldb + j * VL, last)
							  : vec_load(b + l * ldb + j * VL);
		for (int i = 0; i < mr; i++)
			for (int j = 0; j < nv; j++)
				acc[i][j] += a[i * am + l * ak] * row[j];
	}
	for (int i = 0; i < mr; i++)
		for (int j = 0; j < nv; j++) {
			if (j == nv - 1 && last < VL)
				vec_store_part(c + i * ldc + j * VL, acc[i][j], last);
			else
				vec_store(c + i * ldc + j * VL, acc[i][j]);
		}
}

/* mr rows of c, all n columns. */
__attribute__((always_inline)) static inline void strip(int mr, int64_t n, int64_t k, const float *a,
	int64_t am, int64_t ak, const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
	int64_t j = 0;

	for (; j + NV * VL <= n; j += NV * VL)
		tile(mr, NV, k, a, am, ak, b + j, ldb, c + j, ldc, add, VL);
	for (; j + 2 * VL <= n; j += 2 * VL)
		tile(mr, 2, k, a, am, ak, b + j, ldb, c + j, ldc, add, VL);
	for (; j + VL <= n; j += VL)
		tile(mr, 1, k, a, am, ak, b + j, ldb, c + j, ldc, add, VL);
	if (j < n)
		tile(mr, 1, k, a, am, ak, b + j, ldb, c + j, ldc, add, n - j);
}

/*
 * c[m, n] = a[m, k] b[k, n], or + c; a(i, l) = a[i * am + l * ak]. An element of c adds up in the order of k, whatever m
 * and n are.
 */
static inline void product(int64_t m, int64_t n, int64_t k, const float *a, int64_t am, int64_t ak, const float *b,
	int64_t ldb, float *c, int64_t ldc, bool add)
{
	int64_t i = 0;

	for (; i + MR <= m; i += MR)
		strip(MR, n, k, a + i * am, am, ak, b, ldb, c + i * ldc, ldc, add);
	for (; i + 2 <= m; i += 2)
		strip(2, n, k, a + i * am, am, ak, b, ldb, c + i * ldc, ldc, add);
	if (i < m)
		strip(1, n, k, a + i * am, am, ak, b, ldb, c + i * ldc, ldc, add);
}

#endif
