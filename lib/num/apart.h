/*
 * Products of few rows with a matrix, each row as if it were alone, to the bit: ops->linear_apart() (num/ops.h), for
 * processor backends.
 *
 * With a multiplier of BF16, rows are rounded to BF16 in memory of the calling thread, which grows to the largest product and
 * stays; without such memory, a product is made in float32. A matrix that is BF16 and stored [out, in] is read as it
 * lies; others are made such in parts.
 */
#ifndef NUM_APART_H
#define NUM_APART_H

#include "num/ops.h"

void apart_linear(const struct ops *ops, float *y, int64_t ldy, const float *x, int64_t ldx, const struct mat *w,
	const float *bias, int64_t rows, bool add);

#endif
