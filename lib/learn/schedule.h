/* Learning rates over a run, as transformers' schedulers give them. */
#ifndef LEARN_SCHEDULE_H
#define LEARN_SCHEDULE_H

#include <stdint.h>

enum schedule_kind {
	SCHEDULE_LINEAR,       /* down to the floor in a line */
	SCHEDULE_COSINE,       /* in half a cosine */
	SCHEDULE_CONSTANT,     /* level */
	SCHEDULE_INVERSE_SQRT, /* 1 / sqrt(1 + steps since the warm-up / warm-up, or 10,000 without one) */
	SCHEDULE_WSD,	       /* level, and down in a line over the last `decay` steps */
};

/* Names in the order of schedule_kind, NULL-terminated. */
extern const char *const schedule_names[];

struct schedule {
	enum schedule_kind kind;
	int64_t warmup, decay, steps;
	double floor; /* share of the peak that it falls to; 0 to 1 */
};

/*
 * The factor on the peak learning rate at step (0 to steps - 1): from 0 up to 1 over the first warmup steps,
 * then as the kind says.
 */
double schedule_factor(const struct schedule *s, int64_t step);

#endif
