/* Draws for simulations: the same ones for the same run and i. */
#ifndef TESTS_SIMULATE_H
#define TESTS_SIMULATE_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/stats.h"

double simulate_uniform(uint64_t run, uint64_t i); /* in [0, 1) */
double simulate_normal(uint64_t run, uint64_t i);  /* of mean 0 and variance 1 */

/* Is x within the interval? */
bool simulate_holds(struct stats_interval i, double x);

#endif
