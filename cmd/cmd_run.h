/*
 * A run of dpo-step, from data to a model: what it was asked for, what it holds, and how far it is. Its parts:
 *
 *	cmd_run_open.c      opens model and data, says what the run will need
 *	cmd_run.c           the loop: steps, metrics, evaluations, when to end
 *	cmd_checkpoint.c    keeps the run on disk, and takes it up again
 *	cmd_run_close.c     writes what was trained
 */
#ifndef CMD_RUN_H
#define CMD_RUN_H

#include "cmd/cmd.h"
#include "cmd/cmd_ahead.h"
#include "cmd/cmd_batch.h"
#include "cmd/cmd_checkpoint.h"
#include "cmd/cmd_metrics.h"
#include "io/prefwriter.h"
#include "learn/follower.h"
#include "learn/schedule.h"
#include "model/adapter.h"

enum run_best { BEST_NONE, BEST_LOSS, BEST_ACCURACY };
enum run_displacement { DISPLACEMENT_IGNORE, DISPLACEMENT_WARN, DISPLACEMENT_STOP, DISPLACEMENT_ADD };

struct run_options {
	struct cmd_stream io; /* output: a folder, or FILE.tsz or "-" for an update */
	const char *folder, *config; /* one of them */
	const char *apply;	     /* an update to begin with; NULL */
	int quantize;		     /* cmd_quantize_names */
	int dtype;		     /* cmd_dtype_names */
	bool lora;
	struct adapter_options adapter; /* with lora */
	const char *settings;	     /* the folder that tokenizer and config are copied from */
	char **inputs;
	int ninputs;
	bool allow_mismatch;
	/* What is done with them. */
	struct loss loss;
	const char *reference;
	double sync_share; /* TR-DPO's, each sync_every steps; 0: never */
	int64_t sync_every;
	int64_t epochs, max_steps, batch_size, seed, micro_tokens;
	bool no_shuffle, recompute;
	double lr, warmup, decay, floor, clip, average;
	int schedule;
	struct optimizer_options optimizer;
	/* What is told of it. */
	const char *log, *log_records, *emit;
	bool log_tokens;
	int64_t log_every;
	char *eval;
	int64_t eval_every;
	/* When it ends. */
	int64_t steps; /* in this call; 0: all. With it, updates carry the run along */
	int best;
	int64_t patience; /* evaluations without a better one; 0: any number */
	double time_limit;
	enum run_displacement on_displacement;
	double displacement;	  /* nats by token */
	struct loss_term antidote; /* DISPLACEMENT_ADD: the term that is added */
	/* What is kept of it. */
	int64_t checkpoint_every, keep;
	bool resume;
	int64_t max_mem; /* MiB; 0: what the machine has */
};

/* How far it is: what a checkpoint keeps besides tensors, as bytes. */
struct run_state {
	int64_t step, tokens; /* done */
	int64_t logged;	      /* steps that the log has */
	struct judge_step since; /* sums of those that it has not */
	double last_loss;
	double loss_mean, loss_count; /* struct loss_state's */
	struct judge_classes change; /* fading sums of the chosen log-probs' change */
	int displaced, moved;	     /* moved: the reference follows already */
	int ended;		     /* before its last step, by patience or displacement */
	double best;		     /* loss, or minus accuracy */
	int64_t evaluations, best_step, stale; /* stale: evaluations since the best */
	int64_t log_bytes, record_bytes;
};

struct run {
	const struct run_options *o;
	struct model model;
	char base_sha256[65], model_sha256[65]; /* of the folder, of what the run begins with; empty after --init */
	struct trainer *trainer;
	struct follower *follower; /* or NULL */
	struct prefstore *data, *eval;
	int ref, eval_ref; /* places of the reference's column */
	int64_t records, per_epoch, steps; /* steps: of all epochs */
	int64_t end;			   /* of this call */
	struct schedule schedule;
	struct batch batch;
	struct ahead ahead; /* the data's thread, while a step computes */
	struct metrics metrics;
	struct prefwriter *emit;
	int emit_place;
	struct checkpoints kept;
	struct run_state state;
};

/* Makes a model of options. 0 or -1; ERR_STOPPED where it was stopped with a checkpoint. */
int run_train(const struct run_options *o, struct err *err);

/* ---- between the parts */

int run_open(struct run *r, struct err *err);
int run_close(struct run *r, struct err *err); /* at the end, all is written */
void run_release(struct run *r);

/* Does the run keep itself on disk? */
bool run_is_kept(const struct run_options *o);

/* Is the output an update, and not a folder? */
bool run_makes_update(const struct run_options *o);

/* Opens r->emit: the data's stream with a column for the policy. */
int run_open_emit(struct run *r, const char *path, struct err *err);

#endif
