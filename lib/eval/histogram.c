#include "eval/histogram.h"

#include <math.h>
#include <string.h>

#define HALF (HISTOGRAM_BINS / 2)

/* Pairs of bins become one, half of them below 0 as before. */
static void widen(struct histogram *h)
{
	uint64_t wide[HISTOGRAM_BINS] = {0};

	for (int i = 0; i < HISTOGRAM_BINS; i++)
		wide[HALF + (i < HALF ? (i - HALF - 1) / 2 : (i - HALF) / 2)] += h->bin[i];
	memcpy(h->bin, wide, sizeof wide);
	h->width *= 2;
}

void histogram_add(struct histogram *h, double x)
{
	if (h->width == 0)
		h->width = HISTOGRAM_LEAST;
	while (floor(x / h->width) < -HALF || floor(x / h->width) >= HALF)
		widen(h);
	h->bin[HALF + (int)floor(x / h->width)]++;
}

int histogram_range(const struct histogram *h, int *first)
{
	int from = 0, to = HISTOGRAM_BINS - 1;

	while (from < HISTOGRAM_BINS && !h->bin[from])
		from++;
	while (to >= from && !h->bin[to])
		to--;
	*first = from;
	return to - from + 1;
}
