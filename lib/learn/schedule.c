#include "learn/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const schedule_names[] = {"linear", "cosine", "constant", NULL};

double schedule_factor(enum schedule_kind kind, int64_t step, int64_t warmup, int64_t steps)
{
	double done;

	if (step < warmup)
		return (double)step / (double)warmup;
	if (kind == SCHEDULE_CONSTANT)
		return 1;
	done = steps > warmup ? (double)(step - warmup) / (double)(steps - warmup) : 0;
	return kind == SCHEDULE_LINEAR ? 1 - done : 0.5 * (1 + cos(M_PI * done));
}
