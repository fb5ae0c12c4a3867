/*
 * Matrix products in BF16, for backends with a gemm_half: operands are rounded to nearest even and laid out in tiles,
 * sums are in float32.
 *
 * Rounded operands are in memory of the calling thread, which grows to the largest product and stays until it ends. Where
 * there is no such memory, a product is false, and the caller has to make it in float32.
 */
#ifndef NUM_HALF_H
#define NUM_HALF_H

#include "num/kernels.h"

/* ops->hold(). */
void half_hold(const float *x);

/* c[rows, out] = a[rows, in] times w, or times w transposed if turned, and + c if add. */
bool half_product(const struct ops *ops, int64_t rows, const float *a, int64_t lda, const struct mat *w, bool turned,
	float *c, int64_t ldc, bool add);

/* ops->tiles() and ops->tile(). */
int64_t half_tiles(const struct mat *w);
void half_tile(const struct ops *ops, uint16_t *to, const struct mat *w);

/* c[m, n] += a[rows, m] transposed times b[rows, n]. */
bool half_outer(const struct ops *ops, float *c, const float *a, int64_t lda, int64_t m, const float *b, int64_t ldb,
	int64_t n, int64_t rows);

#endif
