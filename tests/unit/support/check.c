#include "tests/unit/support/check.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"

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

void check_gradient(const char *what, double (*value)(void *arg), void *arg, float *x, const float *grad,
	int64_t n, double tolerance)
{
	double largest = 1e-12, up, down, slope;
	int64_t stride = n > 40 ? n / 40 : 1;
	float h, old;

	for (int64_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(grad[i]));
	for (int64_t i = 0; i < n; i += stride) {
		old = x[i];
		h = 0.01f * fmaxf(1, fabsf(old));
		x[i] = old + h;
		h = x[i] - old;
		up = value(arg);
		x[i] = old - h;
		down = value(arg);
		x[i] = old;
		slope = (up - down) / (2 * (double)h);
		if (!(fabs(slope - grad[i]) <= tolerance * largest))
			fail_msg("%s: gradient %lld of %lld is %.6g, differences say %.6g (largest %.3g)", what,
				(long long)i, (long long)n, (double)grad[i], slope, largest);
	}
}
