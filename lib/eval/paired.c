#include "eval/paired.h"

#include <math.h>

int paired_init(struct paired *p, size_t resamples, uint64_t seed, struct err *err)
{
	*p = (struct paired){.both = 0};
	return stats_bootstrap_init(&p->accuracy, resamples, seed, err) ||
			       stats_bootstrap_init(&p->margin, resamples, seed, err)
		       ? -1
		       : 0;
}

void paired_release(struct paired *p)
{
	stats_bootstrap_release(&p->accuracy);
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
	stats_bootstrap_add(&p->accuracy, p->open_accuracy, p->open_pairs);
	stats_bootstrap_add(&p->margin, p->open_margin, p->open_pairs);
	p->open_accuracy = p->open_margin = p->open_pairs = 0;
}

double paired_difference(const struct paired *p)
{
	return p->margins.n ? ((double)p->second - (double)p->first) / (double)p->margins.n : NAN;
}

double paired_mcnemar(uint64_t b, uint64_t c)
{
	double n = (double)b + (double)c, least = (double)(b < c ? b : c), sum = 0;

	for (double i = 0; i <= least; i++)
		sum += exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) - n * M_LN2);
	return fmin(1, 2 * sum);
}
