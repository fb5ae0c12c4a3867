/*
 * How numbers are spread, in constant memory: bins of one width around 0, which doubles where a number would
 * fall outside. Zeroed: empty.
 */
#ifndef EVAL_HISTOGRAM_H
#define EVAL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BINS 64	/* half of them below 0 */
#define HISTOGRAM_LEAST 0x1p-20 /* the first width */

struct histogram {
	double width; /* 0: none yet */
	uint64_t bin
		[HISTOGRAM_BINS]; /* bin i: from (i - 32) width to (i - 31) width, which is left out */
};

void histogram_add(struct histogram *h, double x); /* finite */

/* The bins from the first to the last that is not empty: *first, and how many; 0 without numbers. */
int histogram_range(const struct histogram *h, int *first);

#endif
