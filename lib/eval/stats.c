#include "eval/stats.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"

#define MANY 1000      /* degrees of freedom from which an expansion is exact to 1e-8 */
#define COUNTED_IN 0.5 /* clusters whose design effect is 1 */
#define ALIKE 1e-9     /* a design effect that is rounding */
#define STRAIGHT 1e-8  /* skewness */

static const struct stats_interval nowhere = {NAN, NAN};

double stats_normal_z(double level)
{
	double tail = (1 - level) / 2, low = 0, high = 40, z = 20;

	while (z > low && z < high) {
		if (erfc(z / M_SQRT2) / 2 > tail)
			low = z;
		else
			high = z;
		z = (low + high) / 2;
	}
	return z;
}

/* P(-t <= T <= t), dof whole: M. Abramowitz and I. Stegun, "Handbook of mathematical functions", 26.7.3 and 4. */
static double student_within(double t, int dof)
{
	double angle = atan(t / sqrt(dof)), c2 = cos(angle) * cos(angle), sum = 0, term;

	term = dof % 2 ? cos(angle) : 1;
	for (int i = dof % 2 ? 1 : 0; i < dof - 1; i += 2) {
		sum += term;
		term *= c2 * (i + 1) / (i + 2);
	}
	sum *= sin(angle);
	return dof % 2 ? 2 / M_PI * (angle + sum) : sum;
}

double stats_student_t(double level, double dof)
{
	double z = stats_normal_z(level), z2 = z * z, low = z, high = 1e9, t = 2 * z;

	if (dof >= MANY) /* theirs, 26.7.5 */
		return z + z * (z2 + 1) / (4 * dof) +
		       z * ((5 * z2 + 16) * z2 + 3) / (96 * dof * dof);
	while (t > low && t < high) {
		if (student_within(t, (int)dof) < level)
			low = t;
		else
			high = t;
		t = (low + high) / 2;
	}
	return t;
}

static struct stats_interval wilson(double p, double n, double z)
{
	double z2 = z * z;
	double middle = p + z2 / (2 * n), reach = z * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
	struct stats_interval i = {
		(middle - reach) / (1 + z2 / n), (middle + reach) / (1 + z2 / n)};

	/* At the ends the two terms cancel exactly but for rounding. */
	if (p <= 0)
		i.low = 0;
	if (p >= 1)
		i.high = 1;
	return i;
}

/* Student's t of what n effective clusters tell, which need not be a whole number of them. */
static double student(double level, double n)
{
	return stats_student_t(level, fmax(1, n - 1));
}

struct stats_interval stats_wilson(double hits, double trials, double level)
{
	return trials > 0 ? wilson(hits / trials, trials, stats_normal_z(level)) : nowhere;
}

double stats_quantile(const double *sorted, size_t n, double q)
{
	double at = q * ((double)n + 1) - 1;
	size_t below;

	if (n == 0)
		return NAN;
	if (at <= 0)
		return sorted[0];
	below = (size_t)at;
	if (below >= n - 1)
		return sorted[n - 1];
	return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

void stats_sample_add(struct stats_sample *s, double x)
{
	double before = x - s->mean;

	s->n++;
	s->mean += before / (double)s->n;
	s->m2 += before * (x - s->mean);
}

double stats_sample_mean(const struct stats_sample *s)
{
	return s->n ? s->mean : NAN;
}

double stats_sample_sum(const struct stats_sample *s)
{
	return s->mean * (double)s->n;
}

double stats_sample_sd(const struct stats_sample *s)
{
	return s->n > 1 ? sqrt(s->m2 / (double)(s->n - 1)) : NAN;
}

struct stats_interval stats_sample_interval(const struct stats_sample *s, double level)
{
	double reach;

	if (s->n < 2)
		return nowhere;
	reach = student(level, (double)s->n) * stats_sample_sd(s) / sqrt((double)s->n);
	return (struct stats_interval){s->mean - reach, s->mean + reach};
}

void stats_rate_add(struct stats_rate *r, double hits, double trials)
{
	r->clusters += trials > 0;
	r->hits += hits;
	r->trials += trials;
	r->hits2 += hits * hits;
	r->both += hits * trials;
	r->trials2 += trials * trials;
}

double stats_rate_value(const struct stats_rate *r)
{
	return r->trials > 0 ? r->hits / r->trials : NAN;
}

static double observed_effect(const struct stats_rate *r)
{
	const double p = stats_rate_value(r);

	return (r->hits2 - 2 * p * r->both + p * p * r->trials2) / (r->trials * p * (1 - p));
}

/* Clusters are single trials that come out 0 or 1, or all came out alike. */
static bool is_plain(const struct stats_rate *r)
{
	return (r->trials2 == r->trials && r->hits2 == r->hits) || r->hits <= 0 ||
	       r->hits >= r->trials || observed_effect(r) < ALIKE;
}

static double effective_clusters(const struct stats_rate *r)
{
	return r->trials * r->trials / r->trials2;
}

double stats_rate_effect(const struct stats_rate *r)
{
	const double clusters = (double)r->clusters, m = effective_clusters(r);

	if (is_plain(r))
		return r->trials / clusters;
	return (clusters * observed_effect(r) * m / (m - 1) + COUNTED_IN) / (clusters + COUNTED_IN);
}

struct stats_interval stats_rate_wilson(const struct stats_rate *r, double level)
{
	if (!(r->trials > 0))
		return nowhere;
	return wilson(stats_rate_value(r), r->trials / stats_rate_effect(r),
		is_plain(r) ? stats_normal_z(level) : student(level, effective_clusters(r)));
}

void stats_mean_add(struct stats_mean *m, double sum, double weight)
{
	double s;

	if (!(weight > 0))
		return;
	if (!m->clusters++)
		m->origin = sum / weight;
	s = sum - m->origin * weight;
	m->sum += s;
	m->weight += weight;
	m->square[0] += s * s;
	m->square[1] += s * weight;
	m->square[2] += weight * weight;
	m->cube[0] += s * s * s;
	m->cube[1] += s * s * weight;
	m->cube[2] += s * weight * weight;
	m->cube[3] += weight * weight * weight;
}

double stats_mean_value(const struct stats_mean *m)
{
	return m->clusters ? m->origin + m->sum / m->weight : NAN;
}

/* The mean's standard error, the effective number of clusters, and, unbiased, the skewness of the mean. */
static double mean_error(const struct stats_mean *m, double *n, double *skew)
{
	const double x = m->sum / m->weight, *c = m->cube;
	double squares = m->square[0] - 2 * x * m->square[1] + x * x * m->square[2];
	double cubes = c[0] - 3 * x * c[1] + 3 * x * x * c[2] - x * x * x * c[3];

	*n = m->weight * m->weight / m->square[2];
	*skew = squares > 0 && *n > 2 ? cubes / pow(squares, 1.5) * sqrt(*n * (*n - 1)) / (*n - 2)
				      : 0;
	return sqrt(fmax(0, squares) * *n / (*n - 1)) / m->weight;
}

struct stats_interval stats_mean_interval(const struct stats_mean *m, double level)
{
	double n, skew, reach;

	if (m->clusters < 2)
		return nowhere;
	reach = mean_error(m, &n, &skew);
	reach *= student(level, n);
	return (struct stats_interval){stats_mean_value(m) - reach, stats_mean_value(m) + reach};
}

/* The t that Hall's transformation, g(t) = t + s t^2 / 3 + s^2 t^3 / 27 + s / 6, takes to x. */
static double unskew(double x, double s)
{
	return fabs(s) < STRAIGHT ? x : 3 * (cbrt(1 + s * (x - s / 6)) - 1) / s;
}

struct stats_interval stats_mean_skewed_interval(const struct stats_mean *m, double level)
{
	double n, skew, error, t;

	if (m->clusters < 2)
		return nowhere;
	error = mean_error(m, &n, &skew);
	t = student(level, n);
	return (struct stats_interval){stats_mean_value(m) - error * unskew(t, skew),
		stats_mean_value(m) - error * unskew(-t, skew)};
}

int stats_bootstrap_init(
	struct stats_bootstrap *b, size_t resamples, uint64_t seed, struct err *err)
{
	*b = (struct stats_bootstrap){.seed = seed, .resamples = resamples};
	b->sums = mem_new(resamples, 3 * sizeof *b->sums, err);
	if (!b->sums)
		return -1;
	b->weights = b->sums + resamples;
	b->means = b->weights + resamples;
	return 0;
}

void stats_bootstrap_release(struct stats_bootstrap *b)
{
	free(b->sums);
	*b = (struct stats_bootstrap){.resamples = 0};
}

/* A uniform word to a number from Poisson(1): how many of P(X <= 0), P(X <= 1), ... in 2^-32 are
 * not above it. */
static unsigned poisson(uint32_t word)
{
	static const uint32_t cumulative[12] = {
		0x5e2d58d8,
		0xbc5ab1b1,
		0xeb715e1d,
		0xfb239797,
		0xff1025f5,
		0xffd90f3b,
		0xfffa8b71,
		0xffff540c,
		0xffffed1f,
		0xfffffe21,
		0xffffffd4,
		0xfffffffc,
	};
	unsigned n = 0;

	for (int i = 0; i < 12; i++)
		n += word >= cumulative[i];
	return n;
}

unsigned stats_bootstrap_times(uint64_t seed, uint64_t row, uint64_t resample)
{
	uint32_t words[4];

	rng_bits(seed, resample / 4, row, words);
	return poisson(words[resample % 4]);
}

void stats_bootstrap_add(struct stats_bootstrap *b, double sum, double weight)
{
	uint32_t words[4];
	double times;

	for (size_t i = 0; i < b->resamples; i++) {
		if (i % 4 == 0)
			rng_bits(b->seed, i / 4, b->rows, words);
		times = poisson(words[i % 4]);
		b->sums[i] += times * sum;
		b->weights[i] += times * weight;
	}
	b->weight += weight;
	b->weight2 += weight * weight;
	b->rows++;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double stats_percentile_tail(double level, double n)
{
	return erfc(student(level, n) * sqrt(n / (n - 1)) / M_SQRT2) / 2;
}

struct stats_interval stats_bootstrap_interval(struct stats_bootstrap *b, double level)
{
	size_t n = 0;
	double tail;

	for (size_t i = 0; i < b->resamples; i++)
		if (b->weights[i] > 0)
			b->means[n++] = b->sums[i] / b->weights[i];
	if (n == 0 || b->rows < 2)
		return nowhere;
	qsort(b->means, n, sizeof *b->means, ascending);
	tail = stats_percentile_tail(level, b->weight * b->weight / b->weight2);
	return (struct stats_interval){
		stats_quantile(b->means, n, tail), stats_quantile(b->means, n, 1 - tail)};
}
