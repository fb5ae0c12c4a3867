/*
 * dpo-step --dry-sweep: what losses, each at several betas, make of a stream with log-probs of policy and
 * reference, as a table or as JSON on standard output. Without a model, and before a second of training.
 */
#ifndef CMD_SWEEP_H
#define CMD_SWEEP_H

#include "cmd/cmd.h"
#include "cmd/cmd_loss.h"
#include "learn/sweep.h"

#define CMD_SWEEP_BETAS 64

struct sweep_options {
	const struct cmd_stream *io;
	const struct cmd_loss *loss; /* its list, if given, or else every loss alone */
	const char *betas; /* "0.05,0.1"; NULL: 0.1, 0.3, 1, 3 and 10 times the loss's default */
	const char *policy, *reference;
	int64_t batch_size, seed, top;
	bool no_shuffle, json;
	char *const *inputs;
	int ninputs;
};

/* 0 or -1. Exits with a usage error where the options make no sense. */
int cmd_sweep(const struct sweep_options *o, struct err *err);

#endif
