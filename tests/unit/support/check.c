#include "tests/unit/support/check.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/rng.h"

float *check_zeros(int64_t n)
{
	float *x = calloc((size_t)n + 1, sizeof *x);

	assert_non_null(x);
	return x;
}

float *check_random(uint64_t seed, int64_t n, double spread)
{
	float *x = malloc(sizeof *x * (size_t)(n + 2));
	double z[2];

	assert_non_null(x);
	for (int64_t i = 0; i < n; i += 2) {
		rng_normal(seed, 77, (uint64_t)i, z);
		x[i] = (float)(z[0] * spread);
		x[i + 1] = (float)(z[1] * spread);
	}
	return x;
}

void check_close(const char *what, const float *got, const float *want, int64_t n, double tolerance)
{
	double largest = 1e-30, worst = -1;
	int64_t at = 0;

	for (int64_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(want[i]));
	for (int64_t i = 0; i < n; i++)
		if (!(fabs((double)got[i] - want[i]) <= worst)) {
			worst = fabs((double)got[i] - want[i]);
			at = i;
		}
	if (!(worst <= tolerance * largest))
		fail_msg("%s: element %lld of %lld is %.9g, should be %.9g; off by %.3g of the largest, allowed %.3g",
			what, (long long)at, (long long)n, (double)got[at], (double)want[at], worst / largest, tolerance);
}

/* (value(x + h) - value(x - h)) / 2h, by the h that x's precision leaves. */
static double difference(double (*value)(void *arg), void *arg, float *x, float h)
{
	float old = *x;
	double up, down, width;

	*x = old + h;
	width = *x;
	up = value(arg);
	*x = old - h;
	width -= *x;
	down = value(arg);
	*x = old;
	return (up - down) / width;
}

void check_gradient(const char *what, double (*value)(void *arg), void *arg, float *x, const float *grad,
	int64_t n, double tolerance)
{
	int64_t stride = n > 40 ? n / 40 : 1;
	int threads = omp_get_max_threads();
	double largest = 1e-12;

	for (int64_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(grad[i]));
	omp_set_num_threads(1); /* the work is small and often done */
	for (int64_t i = 0; i < n; i += stride) {
		float h = 0.01f * fmaxf(1, fabsf(x[i]));
		double slope = difference(value, arg, x + i, h);

		/* A wide step rounds least; where it is not near enough, a narrow one sees less of the curve. */
		if (!(fabs(slope - grad[i]) <= tolerance * largest))
			slope = difference(value, arg, x + i, h / 20);
		if (!(fabs(slope - grad[i]) <= tolerance * largest))
			fail_msg("%s: gradient %lld of %lld is %.6g, differences say %.6g (largest %.3g)", what,
				(long long)i, (long long)n, (double)grad[i], slope, largest);
	}
	omp_set_num_threads(threads);
}
