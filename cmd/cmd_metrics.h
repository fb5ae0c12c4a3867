/*
 * Training metrics as JSON lines under TRL's key names (DPOTrainer's, and SFTTrainer's for --loss sft): of steps,
 * of evaluations, and of each record as it was trained on.
 */
#ifndef CMD_METRICS_H
#define CMD_METRICS_H

#include "io/journal.h"
#include "learn/trainer.h"

struct metrics {
	struct journal log, records; /* the caller's to open and close */
	bool tokens;		     /* records with log-ratios by token */
	const struct loss *loss;
};

#define METRICS_INIT {.log = JOURNAL_INIT, .records = JOURNAL_INIT}

/* One line of training, of a step or the mean of several; tokens: seen so far. */
int metrics_train(struct metrics *m, int64_t step, double epoch, double lr, int64_t tokens,
	const struct judge_step *s, struct err *err);

/* One line of evaluation, its keys with "eval_" in front. */
int metrics_eval(struct metrics *m, int64_t step, double epoch, const struct judge_step *s, struct err *err);

/* A line for each record of the trainer's last batch, which had its updates before step. */
int metrics_records(struct metrics *m, int64_t step, double epoch, const struct trainer *t, struct err *err);

/* Sums to means: 0 where there is nothing. */
double metrics_mean(double sum, double n);

#endif
