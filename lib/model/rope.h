/*
 * Rotary positions (Su et al., arXiv 2104.09864): the frequencies that a config asks for, with the scalings
 * `linear` (Chen et al., arXiv 2306.15595) and `llama3` (Llama 3.1's), as transformers 4 (rope_theta,
 * rope_scaling) and 5 (rope_parameters) spell them.
 */
#ifndef MODEL_ROPE_H
#define MODEL_ROPE_H

#include "model/arch.h"

/* Sets a->rotary to dim and a->frequencies; a->positions must be set. ERR_MISMATCH names other scalings. */
int rope_describe(struct arch *a, const struct json *config, int64_t dim, struct err *err);

/* turn[n][rotary / 2][2]: cosine and sine of every position's angles, computed in double. */
void rope_turn(const struct arch *a, float *turn, int64_t n);

#endif
