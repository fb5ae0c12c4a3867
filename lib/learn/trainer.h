/*
 * Training: a batch of examples to one update of a model's weights. A batch is cut into micro-batches of
 * whole records by a budget of tokens; their gradients add up in one array, which is where a sum over
 * machines belongs. Losses that look at a whole batch see all of it: where it takes several micro-batches,
 * the forward pass is then made twice.
 *
 *	struct trainer *t = trainer_new(&model, ops, &options, err);
 *	struct judge_step s;
 *
 *	trainer_step(t, examples, n, lr, &s, err);        updates model_trained_weights(&model)
 *	trainer_free(t);
 *
 * Memory: 8 bytes a trained parameter (weight, gradient; see fuse below), what the optimizer remembers, 4 more for an average of
 * the weights; a model under an adapter; and what decoder_memory() says.
 */
#ifndef LEARN_TRAINER_H
#define LEARN_TRAINER_H

#include "base/err.h"
#include "learn/judge.h"
#include "learn/optimizer.h"
#include "model/decoder.h"

struct trainer_options {
	struct loss loss; /* settled */
	double clip;	  /* the gradient's norm is held to it; 0: it is not */
	struct optimizer_options optimizer;
	double dropout;	      /* of the adapter's inputs, but in the first step, whose gate must see it whole; 0: none */
	double average;	      /* after each step, average = average * it + (1 - average) * weights; 0: none is kept */
	int64_t length[2];    /* of chosen completions: see struct judge */
	bool gate;	      /* the policy begins as the reference */
	int64_t batch_tokens; /* a micro-batch's budget; a longer record is one alone */
	bool recompute;	      /* keep the layers' inputs alone, and compute the rest again (model/decoder.h) */
	/*
	 * Without clip: where a batch is one micro-batch, each part of the gradient is used and its memory given back as
	 * soon as it is complete. A step that fails for its gradient may then have changed some weights.
	 */
	bool fuse;
};

struct trainer;

/* The model must have an adapter, or be opened by MODEL_TRAIN or model_init(), and outlive the trainer. */
struct trainer *trainer_new(struct model *m, const struct ops *ops, const struct trainer_options *o,
	struct err *err);
void trainer_free(struct trainer *t); /* NULL is fine */

/*
 * Bytes that a trainer and the model under it will take, for micro-batches of at most so many rows, counted tokens and
 * tokens in a sequence. single: every batch is one micro-batch. Before anything large is made: the model may still be
 * as MODEL_READ leaves it. 0 or -1.
 */
int trainer_memory(const struct model *m, const struct ops *ops, const struct trainer_options *o, int64_t rows,
	int64_t counted, int64_t longest, bool single, size_t *bytes, struct err *err);

/* Room for micro-batches of that size, so that steps within it allocate nothing large: decoder_reserve(). */
int trainer_reserve(struct trainer *t, int64_t rows, int64_t counted, int64_t longest, struct err *err);

/*
 * Forward, backward and one update at learning rate lr. Before the first update, with options.gate and a loss that
 * needs a reference, the policy must reproduce the reference's log-probs and the loss must be that of the start:
 * ERR_MISMATCH names the record. A log-prob, loss or gradient that is not finite is ERR_FAILED. The weights
 * are changed only on success, but see fuse.
 */
int trainer_step(struct trainer *t, const struct example *batch, int64_t n, double lr, struct judge_step *s,
	struct err *err);

/* A term is added to the loss, which has room for it; from the next batch on. */
void trainer_add_term(struct trainer *t, const struct loss_term *term);

/* What a run must keep besides the weights: the optimizer's memories and steps, the average (or NULL), the loss's state. */
struct optimizer *trainer_optimizer(struct trainer *t);
float *trainer_average(struct trainer *t);
struct loss_state *trainer_loss_state(struct trainer *t);

/* The same without gradient, gate and update. */
int trainer_evaluate(struct trainer *t, const struct example *batch, int64_t n, struct judge_step *s,
	struct err *err);

/*
 * The average changes places with the weights, which makes the model one of averages; again: back. Nothing
 * where there is none. No step may be made between.
 */
void trainer_swap_average(struct trainer *t);

/* The last batch as the loss saw it: items and examples, what became of them, and their rewards. */
const struct judge *trainer_judge(const struct trainer *t);

/* Log-probs of the last batch's counted tokens, examples and their completions in order. */
const struct logp_row *trainer_rows(const struct trainer *t);

#endif
