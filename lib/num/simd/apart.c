/*
 * A linear map of few rows, bound by reading the weights: each is read once for a group of rows. A row's
 * elements add up in the same order whatever rows go with it.
 */
#include "num/simd/product.h"
#include "num/simd/simd.h"

/* Rows of x and of w that go together. */
#if VL == 16
#define XR 6
#define WR 4
#else
#define XR 2
#define WR 4
#endif

/* Lanes added pairwise. */
static inline float total(vf v)
{
#if VL == 16
	typedef float v8 __attribute__((vector_size(32)));
	v8 h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
		__builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
	vf h = v;
#endif
	typedef float v4 __attribute__((vector_size(16)));
#if VL == 4
	v4 q = h;
#else
	v4 q = __builtin_shufflevector(h, h, 0, 1, 2, 3) + __builtin_shufflevector(h, h, 4, 5, 6, 7);
#endif
	return (q[0] + q[2]) + (q[1] + q[3]);
}

/* y[i, j] += the product of row i of x and row j of w, of n floats, for xr and wr of them. */
__attribute__((always_inline)) static inline void dots(int xr, int wr, int64_t n, const float *x, int64_t ldx,
	const float *w, int64_t ldw, float *y, int64_t ldy)
{
	vf acc[XR][WR] = {0};
	int64_t l = 0;

	for (; l + VL <= n; l += VL) {
		vf row[WR];

		for (int j = 0; j < wr; j++)
			row[j] = vec_load(w + j * ldw + l);
		for (int i = 0; i < xr; i++)
			for (int j = 0; j < wr; j++)
				acc[i][j] += vec_load(x + i * ldx + l) * row[j];
	}
	if (l < n)
		for (int i = 0; i < xr; i++)
			for (int j = 0; j < wr; j++)
				acc[i][j] += vec_load_part(x + i * ldx + l, n - l) * vec_load_part(w + j * ldw + l, n - l);
	for (int i = 0; i < xr; i++)
		for (int j = 0; j < wr; j++)
			y[i * ldy + j] += total(acc[i][j]);
}

/* All rows of x, in groups of much the same size, by wr of w. */
__attribute__((always_inline)) static inline void sweep(int wr, int64_t rows, int64_t n, const float *x,
	int64_t ldx, const float *w, int64_t ldw, float *y, int64_t ldy)
{
	for (int64_t left = (rows + XR - 1) / XR; left; left--) {
		int64_t xr = rows / left;

		switch (xr) {
		case 1:
			dots(1, wr, n, x, ldx, w, ldw, y, ldy);
			break;
		case 2:
			dots(2, wr, n, x, ldx, w, ldw, y, ldy);
			break;
#if XR > 2
		case 3:
			dots(3, wr, n, x, ldx, w, ldw, y, ldy);
			break;
		case 4:
			dots(4, wr, n, x, ldx, w, ldw, y, ldy);
			break;
		case 5:
			dots(5, wr, n, x, ldx, w, ldw, y, ldy);
			break;
		default:
			dots(XR, wr, n, x, ldx, w, ldw, y, ldy);
#endif
		}
		x += xr * ldx;
		y += xr * ldy;
		rows -= xr;
	}
}

void VEC_NAME(gemm_apart)(bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
	int64_t ldb, float *c, int64_t ldc)
{
	int64_t j = 0;

	if (!tb) {
		product(m, n, k, a, lda, 1, b, ldb, c, ldc);
		return;
	}
	for (; j + WR <= n; j += WR)
		sweep(WR, m, k, a, lda, b + j * ldb, ldb, c + j, ldc);
	for (; j < n; j++)
		sweep(1, m, k, a, lda, b + j * ldb, ldb, c + j, ldc);
}
