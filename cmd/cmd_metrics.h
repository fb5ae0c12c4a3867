/* Training metrics as JSON lines under TRL's key names (DPOTrainer's, and SFTTrainer's for --loss sft). */
#ifndef CMD_METRICS_H
#define CMD_METRICS_H

#include <stdio.h>

#include "learn/trainer.h"

struct metrics {
	FILE *file; /* NULL: nothing is written */
	const char *path;
	bool pairs; /* else text alone: no rewards */
};

/* path "-": standard output; NULL: none. */
int metrics_open(struct metrics *m, const char *path, bool pairs, struct err *err);

/* One line of training, of a step or the mean of several; tokens: seen so far. */
int metrics_train(struct metrics *m, int64_t step, double epoch, double lr, int64_t tokens,
	const struct trainer_step *s, struct err *err);

/* One line of evaluation, its keys with "eval_" in front. */
int metrics_eval(struct metrics *m, int64_t step, double epoch, const struct trainer_step *s, struct err *err);

int metrics_close(struct metrics *m, struct err *err);

#endif
