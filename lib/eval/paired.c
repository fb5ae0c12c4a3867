#include "eval/paired.h"

#include <math.h>

#define COUNTED_IN 0.5 /* pairs that only one of them wins */

int paired_init(struct paired *p, size_t resamples, uint64_t seed, struct err *err)
{
	*p = (struct paired){.both = 0};
	return stats_bootstrap_init(&p->margin, resamples, seed, err);
}

void paired_release(struct paired *p)
{
	stats_bootstrap_release(&p->margin);
}

void paired_add(struct paired *p, double first, double second)
{
	bool a = first > 0, b = second > 0;

	p->both += a && b;
	p->first += a && !b;
	p->second += b && !a;
	p->neither += !a && !b;
	stats_sample_add(&p->margins, second - first);
	p->open_accuracy += (double)b - (double)a;
	p->open_margin += second - first;
	p->open_pairs++;
}

void paired_close_record(struct paired *p)
{
	stats_mean_add(&p->accuracy, p->open_accuracy, p->open_pairs);
	stats_bootstrap_add(&p->margin, p->open_margin, p->open_pairs);
	p->open_accuracy = p->open_margin = p->open_pairs = 0;
}

double paired_difference(const struct paired *p)
{
	return p->margins.n ? ((double)p->second - (double)p->first) / (double)p->margins.n : NAN;
}

struct stats_interval paired_difference_interval(const struct paired *p, double level)
{
	struct stats_mean m = p->accuracy;
	struct stats_interval i;

	if (!m.clusters)
		return (struct stats_interval){NAN, NAN};
	for (int side = -1; side <= 1; side += 2)
		stats_mean_add(&m, side * COUNTED_IN, COUNTED_IN);
	i = stats_mean_interval(&m, level);
	return (struct stats_interval){fmax(-1, i.low), fmin(1, i.high)};
}

double paired_mcnemar(uint64_t b, uint64_t c)
{
	double n = (double)b + (double)c, least = (double)(b < c ? b : c), sum = 0;

	for (double i = 0; i <= least; i++)
		sum += exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) - n * M_LN2);
	return fmin(1, 2 * sum);
}
