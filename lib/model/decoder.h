/*
 * The decoder's forward and backward pass over a pack, by the operations of a backend. It holds what a pass
 * must remember; the weights are the model's, the gradients the caller's.
 *
 *	struct decoder *d = decoder_new(&model, ops_find("cpu"), DECODER_KEEP, err);
 *
 *	decoder_reserve(d, 2048, 1000, 4096, err);
 *	decoder_forward(d, &pack, rows, err);             rows[pack.counted]
 *	decoder_backward(d, &pack, rows, dlogp, grads, NULL); grads[model_trained(&model)->count] +=
 *
 * Sizes in floats of what is kept for a row of the pack, hidden size E, inner size I, H heads and G key-value heads of
 * D: each layer 2 E + 2 H D + 2 G D + 2 I (gated; where products are in BF16 so are these, half as many) + H + 4 for
 * training, E + 2 more for each norm behind a half, and for norms of queries and keys (H + G) D and 2 for each norm; one
 * layer's worth without training.
 * Where a layer's inputs alone are kept, E for each layer and one layer's worth: the backward pass then makes the
 * rest again, for the price of most of a forward pass, and the gradients are the same to the bit.
 *
 * Each sequence comes out as if it were computed alone. Where the rotation depends on a sequence's length
 * (model/rope.h), completions of one prompt may need it turned differently; the prompt is then computed once for
 * each kind of them, which takes more rows than the pack has.
 */
#ifndef MODEL_DECODER_H
#define MODEL_DECODER_H

#include "model/model.h"
#include "model/pack.h"

struct decoder;

/*
 * What a pass keeps: nothing but the log-probs; logits, for generation (below); or, for decoder_backward(), all that it
 * needs, or each layer's input.
 */
enum decoder_memory { DECODER_FORGET, DECODER_NEXT, DECODER_KEEP, DECODER_KEEP_INPUTS };

/* The model must outlive it. */
struct decoder *decoder_new(const struct model *m, const struct ops *ops, enum decoder_memory memory, struct err *err);
void decoder_free(struct decoder *d); /* NULL is fine */

/* Bytes that packs of so many rows, counted tokens and tokens in the longest sequence take. */
size_t decoder_memory(struct decoder *d, int64_t rows, int64_t counted, int64_t longest);

/*
 * Makes room, so that passes within these sizes allocate nothing. Passes beyond them grow it, and those that
 * compute a prompt more than once.
 */
int decoder_reserve(struct decoder *d, int64_t rows, int64_t counted, int64_t longest, struct err *err);

/*
 * What the next passes leave out of the adapter's inputs; p = 0, as at the start: nothing. A backward pass must
 * find the same as its forward pass.
 */
void decoder_drop(struct decoder *d, const struct dropout *drop);

/*
 * Log-probs of the pack's counted tokens. ERR_LIMIT where a sequence is longer than the model's learned
 * positions or memory does not suffice; ERR_MISMATCH for a token outside the vocabulary.
 */
int decoder_forward(struct decoder *d, const struct pack *p, struct logp_row *rows, struct err *err);

/* Hears of gradients that are complete: those of the trained parameters from from to to - 1. */
struct decoder_listener {
	void (*done)(void *arg, size_t from, size_t to);
	void *arg;
};

/*
 * After decoder_forward() of the same pack: adds to grads (laid out as model_trained_weights()) the gradient of
 * sum_i dlogp[i] * rows[i].logp. The listener, unless NULL, may change a part's parameters and gradients: neither is
 * used again. An adapter has one part.
 */
void decoder_backward(struct decoder *d, const struct pack *p, const struct logp_row *rows,
	const float *dlogp, float *grads, const struct decoder_listener *listener);

/*
 * Generation, by a decoder with DECODER_NEXT. Keys and values stay in pages (num/ops.h, struct past), which are the
 * caller's and may be shared by sequences that begin alike.
 *
 *	decoder_start(d, token, n, page, err);           a prompt, all at once
 *	logits = decoder_next_logits(d, 0, &one);
 *	decoder_next(d, token, past, n, err);            then a token of each of n sequences, again and again
 *
 * What comes out for a sequence does not depend on which others go with it, to the bit. Where the rotation
 * depends on a sequence's length, that must stay within the class of the prompt's and one token more: the caller
 * sees to it with decoder_room().
 */

/* Floats of a page. */
size_t decoder_page(const struct decoder *d);

/* The longest sequence, in tokens, that a prompt of n tokens can grow to; at most the arch's positions. */
int64_t decoder_room(const struct decoder *d, int64_t n);

/* Computes the first n >= 1 tokens of a sequence into page[], one for each PAST_PAGE tokens. Errors as above. */
int decoder_start(struct decoder *d, const int32_t *token, int64_t n, float *const *page, struct err *err);

/* Computes token[i] at the last position of past[i], which has room for it, for n sequences. */
int decoder_next(struct decoder *d, const int32_t *token, const struct past *past, int64_t n, struct err *err);

/*
 * The logits of what follows the last call's sequences from first on, [*n, vocab]: as many of the *n asked for as
 * are computed at a time. The caller's until the next call.
 */
float *decoder_next_logits(struct decoder *d, int64_t first, int64_t *n);

#endif
