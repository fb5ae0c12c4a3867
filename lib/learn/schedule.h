/* Learning rates over a run, as transformers' get_scheduler() gives them. */
#ifndef LEARN_SCHEDULE_H
#define LEARN_SCHEDULE_H

#include <stdint.h>

enum schedule_kind { SCHEDULE_LINEAR, SCHEDULE_COSINE, SCHEDULE_CONSTANT };

/* Names in the order of schedule_kind, NULL-terminated. */
extern const char *const schedule_names[];

/*
 * The factor on the peak learning rate at step (0 to steps - 1): from 0 up to 1 over the first warmup steps,
 * then down to 0 in a line or half a cosine, or level.
 */
double schedule_factor(enum schedule_kind kind, int64_t step, int64_t warmup, int64_t steps);

#endif
