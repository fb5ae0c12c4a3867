/*
 * The parameters of an arch: one table of names, shapes and places in one array, for loading, saving,
 * initialising, gradients and the optimizer alike.
 */
#ifndef MODEL_PARAMS_H
#define MODEL_PARAMS_H

#include <stddef.h>

#include "model/arch.h"

struct param {
	char *name;
	enum role role;
	int layer;       /* 0 outside layers */
	bool bias;
	bool decay;      /* weight decay applies: matrices, but no norms and biases */
	int rank;
	int64_t shape[2]; /* as stored: [in, out] where the arch says in_first */
	size_t count, offset; /* in floats */
};

struct params {
	struct param *param;
	size_t n;
	size_t count; /* floats in all */
	int *at;      /* [layers + 1][ROLE_COUNT][2]: index of a layer's (others': layer 0) weight and bias, or -1 */
};

/* Parameters are in this order: before the layers (0), the layers' (1) by layer, and behind them (2). */
int params_place(const struct param *p);

/* Release p in any case. */
int params_init(struct params *p, const struct arch *a, struct err *err);
void params_release(struct params *p);

/* The parameter of that role, or NULL. */
const struct param *params_find(const struct params *p, enum role role, int layer, bool bias);

/*
 * The parameter that holds a role's matrix, gain or bias, or NULL: its own, or a larger one, of which *skip
 * floats come before it.
 */
const struct param *params_part(const struct params *p, const struct arch *a, enum role role, int layer, bool bias,
	size_t *skip);

/*
 * Random initial weights as the families' _init_weights() in transformers makes them: all matrices, embeddings,
 * learned positions and an untied head normal with initializer_range, biases 0, gains 1 (Gemma's, kept as what
 * they differ from 1, 0). GPT-2 alone has smaller residual projections, by 1 / sqrt(2 layers). Where the class
 * gives its embeddings a padding row, that of pad_token_id, the row is zero; training does not leave it so, as
 * torch would. A weight depends on (seed, its parameter's place, its own place) alone.
 */
void params_randomize(const struct params *p, const struct arch *a, uint64_t seed, float *weights);

#endif
