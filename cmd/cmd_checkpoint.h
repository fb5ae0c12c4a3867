/*
 * A run that is kept: a folder OUT.ckpt with updates (io/update.h) that hold everything needed to go on, the
 * data if it came through a pipe, and what was emitted so far. A run that was killed at any moment goes on from
 * the last of them, and ends in the same weights and the same metrics as if it had not been.
 */
#ifndef CMD_CHECKPOINT_H
#define CMD_CHECKPOINT_H

#include <stdbool.h>

#include "base/err.h"

struct run;
struct run_options;

struct checkpoints {
	char *folder; /* NULL: the run is not kept */
	int lock;     /* its descriptor, locked */
};

/*
 * Makes the folder, or with --resume opens it, and removes what an interruption left half done. ERR_FAILED where
 * another run is at work in it, or without --resume where it holds checkpoints.
 */
int checkpoints_open(struct checkpoints *c, const struct run_options *o, struct err *err);
void checkpoints_close(struct checkpoints *c);

/*
 * Where the inputs (n paths; 0: standard input) are to be read from: pipes are copied into the folder first, or
 * were before. *spooled: paths, each and all for free(); NULL where all can be read where they are.
 */
int checkpoints_spool(struct checkpoints *c, char *const *paths, int n, char ***spooled, struct err *err);

/* Takes up the run from the folder's last checkpoint: 1, or 0 where there is none. */
int checkpoint_resume(struct run *r, struct err *err);

/*
 * A run that is carried along by an update: first, before the data is opened, checks the base model and sets the
 * digest of the model that the run began with; then, with a trainer, takes the run up.
 */
int checkpoint_start(struct run *r, const char *path, struct err *err);
int checkpoint_continue(struct run *r, const char *path, struct err *err);

/* Writes a checkpoint, and removes those before the last ones that are kept. */
int checkpoint_save(struct run *r, struct err *err);

/* The best weights so far, beside the output; and back. */
int checkpoint_save_best(struct run *r, struct err *err);
int checkpoint_load_best(struct run *r, struct err *err);

/* Writes the weights, with the run's memories or without, to path. */
int checkpoint_write(struct run *r, const char *path, bool memories, struct err *err);

/* Where to emit from this step on; and, at the end, all of it to where it belongs. */
int checkpoint_open_emitted(struct run *r, struct err *err);
int checkpoints_join_emitted(struct run *r, struct err *err);

/* After the model was written: the folder goes; with --keep it stays, with the last checkpoints. */
int checkpoints_finish(struct run *r, struct err *err);

#endif
