/*
 * Rotary positions (Su et al., arXiv 2104.09864): the frequencies that a config asks for, as transformers 4
 * (rope_theta, rope_scaling and others beside each other) and 5 (rope_parameters) spell them, with the scalings
 *
 *	linear     Chen et al., arXiv 2306.15595
 *	dynamic    base and frequencies by the sequence's length, as transformers' "dynamic NTK"
 *	llama3     Llama 3.1's
 *	yarn       Peng et al., arXiv 2309.00071
 *	longrope   Ding et al., arXiv 2402.13753; phi3 also calls it su and yarn
 *
 * Two of them turn a sequence by how long it is, prompt and completion together: dynamic, one longer than
 * max_position_embeddings; longrope, one longer than original_max_position_embeddings. The length is the
 * sequence's own, as the definitions have it, not that of a padded batch.
 */
#ifndef MODEL_ROPE_H
#define MODEL_ROPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/json.h"

struct rotation {
	int64_t dim;       /* features of a head that turn, even */
	bool neighbours;   /* in pairs (2i, 2i + 1), not (i, i + dim / 2) */
	float scale;       /* on cosine and sine */
	double *frequency; /* [dim / 2] radians a position; the rotation's own */
	double *beyond;    /* longrope: those of sequences longer than limit; or NULL */
	double theta, growth; /* dynamic: base, and factor of sequences longer than limit; growth 0: none */
	double limit;
};

/* How a family spells its settings. */
struct rope_keys {
	double theta;           /* where no key has it */
	const char *theta_key;  /* NULL: rope_theta */
	const char *part_key;   /* the share of a head that turns; NULL: all of it */
	double part;            /* where no key has it */
	const char *layer_type; /* of rope_parameters' sets, where it has one a type; or NULL */
	bool unscaled;          /* rope_scaling is for others */
	bool longrope_names;    /* su and yarn mean longrope */
	double original;        /* where original_max_position_embeddings is missing: 0: by the scaling */
};

/*
 * positions: max_position_embeddings. ERR_MISMATCH names scalings that are not supported, ERR_CORRUPT values
 * without meaning. Release r in any case.
 */
int rope_describe(struct rotation *r, const struct json *config, const struct rope_keys *keys, int64_t head_dim,
	int64_t positions, struct err *err);

/* The same, dim features turning by theta alone. */
int rope_plain(struct rotation *r, int64_t dim, int64_t head_dim, double theta, struct err *err);

void rope_release(struct rotation *r);

/* Sequences of the same class turn alike; all are of class 0 unless the scaling is dynamic or longrope. */
int64_t rope_class(const struct rotation *r, int64_t length);

/*
 * turn[n][dim / 2][2]: cosine and sine of the angles at n positions of a sequence of length tokens, computed
 * in double.
 */
void rope_turn(const struct rotation *r, float *turn, const int32_t *pos, int64_t n, int64_t length);

#endif
