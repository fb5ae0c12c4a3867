/* Adafactor's step, the same for all processors; see ops.h. */
#ifndef NUM_ADAFACTOR_H
#define NUM_ADAFACTOR_H

#include "num/ops.h"

void adafactor(const struct ops *ops, float *w, float *row, float *col, const float *g, int64_t rows,
	int64_t columns, const struct adafactor *o, double *scratch);

#endif
