/*
 * A reference that follows the policy, as in TR-DPO (Gorbatovski et al., arXiv 2404.09656): a second set of
 * weights, which moves towards the policy's now and then, and by which log-probs are computed from the first
 * time on. Until then the reference is the policy at the start, whose log-probs the stream has.
 *
 * Memory: 4 bytes a trained parameter, and what decoder_memory() says of a pass without training.
 */
#ifndef LEARN_FOLLOWER_H
#define LEARN_FOLLOWER_H

#include "base/arena.h"
#include "learn/judge.h"
#include "model/decoder.h"

struct follower;

/* Begins as the model, which a trainer could train, and which it must outlive. */
struct follower *follower_new(const struct model *m, const struct ops *ops, int64_t batch_tokens, struct err *err);
void follower_free(struct follower *f); /* NULL is fine */

/* Bytes that it will take, before it is made. 0 or -1. */
int follower_memory(const struct model *m, const struct ops *ops, int64_t rows, int64_t counted, int64_t longest,
	size_t *bytes, struct err *err);

/* weights = share of the policy's + (1 - share) of its own. */
void follower_move(struct follower *f, double share);

/* Has it moved? */
bool follower_moved(const struct follower *f);

/* Sets ref, and ref_tokens where it was set, of n examples to its own log-probs, which are in the arena. */
int follower_refer(struct follower *f, struct example *batch, int64_t n, struct arena *arena, struct err *err);

/* Its weights, laid out as model_trained_weights(). To restore them: write them, and say whether it had moved. */
float *follower_weights(struct follower *f);
void follower_restore(struct follower *f, bool moved);

#endif
