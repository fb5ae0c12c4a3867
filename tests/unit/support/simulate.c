#include "tests/unit/support/simulate.h"

#include "base/rng.h"

double simulate_uniform(uint64_t run, uint64_t i)
{
	return rng_uniform(20, run, i);
}

double simulate_normal(uint64_t run, uint64_t i)
{
	double two[2];

	rng_normal(21, run, i, two);
	return two[0];
}

bool simulate_holds(struct stats_interval i, double x)
{
	return i.low <= x && x <= i.high;
}
