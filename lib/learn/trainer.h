/*
 * Training: a batch of examples to one update of a model's weights. A batch is cut into micro-batches of
 * whole records by a budget of tokens; their gradients add up in one array, which is where a sum over
 * machines belongs. Losses that look at a whole batch see all of it: where it takes several micro-batches,
 * the forward pass is then made twice.
 *
 *	struct trainer *t = trainer_new(&model, ops, &options, err);
 *	struct judge_step s;
 *
 *	trainer_step(t, examples, n, lr, &s, err);        updates model.weights
 *	trainer_free(t);
 *
 * Memory: 16 bytes a parameter (weight, gradient, two moments) and what decoder_memory() says.
 */
#ifndef LEARN_TRAINER_H
#define LEARN_TRAINER_H

#include "base/err.h"
#include "learn/judge.h"
#include "model/decoder.h"

struct trainer_options {
	struct loss loss; /* settled */
	double clip;	  /* the gradient's norm is held to it; 0: it is not */
	double beta1, beta2, eps, weight_decay;
	int64_t batch_tokens; /* a micro-batch's budget; a longer record is one alone */
};

struct trainer;

/* The model must be opened by MODEL_TRAIN or model_init(), and outlive the trainer. */
struct trainer *trainer_new(struct model *m, const struct ops *ops, const struct trainer_options *o,
	struct err *err);
void trainer_free(struct trainer *t); /* NULL is fine */

/* Bytes for micro-batches of at most so many rows, counted tokens and tokens in a sequence, all in all. */
size_t trainer_memory(struct trainer *t, int64_t rows, int64_t counted, int64_t longest);

/*
 * Forward, backward and one AdamW update at learning rate lr. Before the first update of a loss that needs a
 * reference, the policy must reproduce the reference's log-probs and the loss must be that of the start:
 * ERR_MISMATCH names the record. A log-prob, loss or gradient that is not finite is ERR_FAILED. The weights
 * are changed only on success.
 */
int trainer_step(struct trainer *t, const struct example *batch, int64_t n, double lr, struct judge_step *s,
	struct err *err);

/* The same without gradient, gate and update. */
int trainer_evaluate(struct trainer *t, const struct example *batch, int64_t n, struct judge_step *s,
	struct err *err);

/* Log-probs of the last batch's counted tokens, examples and their completions in order. */
const struct logp_row *trainer_rows(const struct trainer *t);

#endif
