/*
 * Matrix products by an ops->multiplier (num/kernels.h), whose operands are laid out first: rounded to BF16, or floats in
 * the order in which they are read.
 *
 * Operands are in memory of the calling thread, which grows to the largest product and stays until it ends. Where there is
 * no such memory, or no multiplier, a product is made as it is defined, which is slow.
 */
#ifndef NUM_LINEAR_H
#define NUM_LINEAR_H

#include "num/kernels.h"

/* ops->hold(), tiles(), tile_later() and tile(). */
void linear_hold(const float *x);
int64_t linear_tiles(const struct ops *ops, const struct mat *w, bool turned);
void linear_tile_later(const struct ops *ops, struct tilings *t, void *to, const struct mat *w, bool turned);
void linear_tile(const struct ops *ops, struct tilings *t);

/* The next piece, in the calling thread; false: there is none. */
bool linear_tile_piece(const struct ops *ops, struct tilings *t);

/* ops->columns(), lay_columns() and outers(). */
int64_t linear_columns(const struct ops *ops, int64_t n, int64_t rows);
void linear_lay_columns(const struct ops *ops, void *to, const float *x, int64_t ldx, int64_t n, int64_t rows, int64_t from,
	int64_t some, bool right);
void linear_outers(const struct ops *ops, const struct outer *outer, int n, int64_t rows);

/* c[rows, out] = a[rows, in] times w, or times w transposed if turned, and + c if add; w->tiles are made for that. */
void linear_product(const struct ops *ops, int64_t rows, const float *a, int64_t lda, const struct mat *w, bool turned,
	float *c, int64_t ldc, bool add);

/* c[m, n] += a[rows, m] transposed times b[rows, n]. */
void linear_outer(const struct ops *ops, float *c, const float *a, int64_t lda, int64_t m, const float *b, int64_t ldb,
	int64_t n, int64_t rows);

#endif
