/* The processor backends, for what is tested against the reference. */
#ifndef TESTS_BACKENDS_H
#define TESTS_BACKENDS_H

#include "num/ops.h"

extern const char *const backends[4];

/* A loop over those that run here. */
#define EACH_BACKEND(ops) \
	for (size_t b_ = 0; b_ < sizeof backends / sizeof *backends; b_++) \
		if ((ops = ops_find(backends[b_])))

#endif
