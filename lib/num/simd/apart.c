/*
 * A matrix product of few rows, bound by reading b: each of its rows is read once for a group of a's. An element
 * of c adds up in the same order whatever goes with it.
 */
#include "num/simd/product.h"
#include "num/simd/simd.h"
#include "num/simd/sums.h"

/* Rows of a and of b that go together. */
#if VL == 16
#define AR 6
#else
#define AR 2
#endif
#define BR 4

typedef uint16_t vh __attribute__((vector_size(2 * VL)));

/* n <= VL numbers from place at of a row of floats or, with half, of BF16; the others are 0. */
__attribute__((always_inline)) static inline vf load(bool half, const void *row, int64_t at, int64_t n)
{
	typedef uint32_t vu __attribute__((vector_size(4 * VL)));
	vh h = {0};

	if (!half)
		return n < VL ? vec_load_part((const float *)row + at, n) : vec_load((const float *)row + at);
	if (n < VL)
		memcpy(&h, (const uint16_t *)row + at, 2 * (size_t)n);
	else
		memcpy(&h, (const uint16_t *)row + at, sizeof h);
	return (vf)(__builtin_convertvector(h, vu) << 16);
}

/*
 * c[ar, br] += a times b transposed, over k; ldb in bytes. The first to read these rows of b asks for those that
 * come next.
 */
__attribute__((always_inline)) static inline void dots(bool half, bool first, int ar, int br, int64_t k,
	const float *a, int64_t lda, const char *b, int64_t ldb, float *c, int64_t ldc)
{
	vf acc[AR][BR] = {0};
	int64_t l = 0;

	for (; l + VL <= k; l += VL) {
		vf row[BR];

		for (int j = 0; j < br; j++) {
			row[j] = load(half, b + j * ldb, l, VL);
			if (first)
				__builtin_prefetch(b + (br + j) * ldb + l * (half ? 2 : 4));
		}
		for (int i = 0; i < ar; i++)
			for (int j = 0; j < br; j++)
				acc[i][j] += vec_load(a + i * lda + l) * row[j];
	}
	if (l < k)
		for (int i = 0; i < ar; i++)
			for (int j = 0; j < br; j++)
				acc[i][j] += vec_load_part(a + i * lda + l, k - l) * load(half, b + j * ldb, l, k - l);
	for (int i = 0; i < ar; i++) {
		v4 sum = sums(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);

		for (int j = 0; j < br; j++)
			c[i * ldc + j] += sum[j];
	}
}

/* ar rows of a by all n of b. */
__attribute__((always_inline)) static inline void sweep(bool half, bool first, int ar, int64_t n, int64_t k,
	const float *a, int64_t lda, const char *b, int64_t ldb, float *c, int64_t ldc)
{
	int64_t j = 0;

	for (; j + BR <= n; j += BR)
		dots(half, first, ar, BR, k, a, lda, b + j * ldb, ldb, c + j, ldc);
	for (; j < n; j++)
		dots(half, first, ar, 1, k, a, lda, b + j * ldb, ldb, c + j, ldc);
}

/* Rows of a in groups of much the same size. */
__attribute__((always_inline)) static inline void groups(bool half, int64_t m, int64_t n, int64_t k, const float *a,
	int64_t lda, const char *b, int64_t ldb, float *c, int64_t ldc)
{
	for (int64_t all = (m + AR - 1) / AR, left = all; left; left--) {
		int64_t ar = m / left;

		switch (ar) {
		case 1:
			sweep(half, false, 1, n, k, a, lda, b, ldb, c, ldc);
			break;
		case 2:
			sweep(half, left == all, 2, n, k, a, lda, b, ldb, c, ldc);
			break;
#if AR > 2
		case 3:
			sweep(half, left == all, 3, n, k, a, lda, b, ldb, c, ldc);
			break;
		case 4:
			sweep(half, left == all, 4, n, k, a, lda, b, ldb, c, ldc);
			break;
		case 5:
			sweep(half, left == all, 5, n, k, a, lda, b, ldb, c, ldc);
			break;
		default:
			sweep(half, left == all, AR, n, k, a, lda, b, ldb, c, ldc);
#endif
		}
		a += ar * lda;
		c += ar * ldc;
		m -= ar;
	}
}

/*
 * A group of a's rows stays in the first cache, so many columns of it, while b passes by. (Panels of num/ops.c are
 * as deep, so that BF16 gives the same bits there.)
 */
#define DEPTH 1024

__attribute__((always_inline)) static inline void transposed(bool half, int64_t m, int64_t n, int64_t k,
	const float *a, int64_t lda, const void *b, int64_t ldb, float *c, int64_t ldc)
{
	int64_t size = half ? 2 : 4;

	for (int64_t l = 0; l < k; l += DEPTH)
		groups(half, m, n, k - l < DEPTH ? k - l : DEPTH, a + l, lda, (const char *)b + l * size, ldb * size, c, ldc);
}

void VEC_NAME(gemm_apart)(bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
	int64_t ldb, float *c, int64_t ldc)
{
	if (tb)
		transposed(false, m, n, k, a, lda, b, ldb, c, ldc);
	else
		product(m, n, k, a, lda, 1, b, ldb, c, ldc);
}

void VEC_NAME(gemm_apart_bf16)(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const uint16_t *b,
	int64_t ldb, float *c, int64_t ldc)
{
	transposed(true, m, n, k, a, lda, b, ldb, c, ldc);
}
