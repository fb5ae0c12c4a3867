/* Training metrics as JSON lines under TRL's key names (DPOTrainer's, and SFTTrainer's for --loss sft). */
#ifndef CMD_METRICS_H
#define CMD_METRICS_H

#include <stdio.h>

#include "learn/trainer.h"

struct metrics {
	FILE *file; /* NULL: nothing is written */
	const char *path;
	const struct loss *loss;
};

/*
 * path "-": standard output; NULL: none. from: bytes that the file has from before and keeps, 0 for a new one;
 * what stands behind them is cut off.
 */
int metrics_open(struct metrics *m, const char *path, int64_t from, const struct loss *l, struct err *err);

/* Everything so far is on disk; *bytes: how much that is in a file. */
int metrics_sync(struct metrics *m, int64_t *bytes, struct err *err);

/* One line of training, of a step or the mean of several; tokens: seen so far. */
int metrics_train(struct metrics *m, int64_t step, double epoch, double lr, int64_t tokens,
	const struct judge_step *s, struct err *err);

/* One line of evaluation, its keys with "eval_" in front. */
int metrics_eval(struct metrics *m, int64_t step, double epoch, const struct judge_step *s, struct err *err);

/* Sums to means: 0 where there is nothing. */
double metrics_mean(double sum, double n);

int metrics_close(struct metrics *m, struct err *err);

#endif
