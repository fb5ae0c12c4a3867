/*
 * Choosing the next token by its logits, as transformers' generate() does, in its order: repetition penalty,
 * temperature, top-k, top-p, min-p.
 *
 *	struct sampler s;
 *
 *	sampler_init(&s, &rules, vocab, err);                 one for each thread
 *	sampler_weigh(&s, logits, token, n);                  s.n choices, the others have no weight
 *	next = sampler_draw(&s, rng_uniform(seed, stream, place));
 *	sampler_release(&s);
 */
#ifndef MODEL_SAMPLE_H
#define MODEL_SAMPLE_H

#include <stdint.h>

#include "base/err.h"

struct sample_rules {
	/*
	 * A token that occurs in the sequence so far has its logit divided by this where it is positive, multiplied
	 * where it is negative; 1: nothing. (Keskar et al., CTRL, arXiv 1909.05858)
	 */
	double repetition;
	double temperature; /* divides logits; 0: the largest is taken (the first of several), whatever follows */
	int64_t top_k;	    /* those not below the k-th largest stay; 0: all */
	double top_p;	    /* the fewest of the likeliest that together have this probability stay; 1: all */
	double min_p;	    /* those with at least this share of the likeliest's probability stay; 0: all */
};

#define SAMPLE_RULES_INIT {.repetition = 1, .temperature = 1, .top_p = 1}

struct sample_choice {
	float weight; /* its probability over the likeliest's */
	int32_t id;
};

struct sampler {
	struct sample_rules rules;
	int64_t vocab;
	struct sample_choice *choice; /* [n] in no order that means anything */
	int64_t n;
	float *logit, *top;
};

/* Release s in any case. */
int sampler_init(struct sampler *s, const struct sample_rules *rules, int64_t vocab, struct err *err);
void sampler_release(struct sampler *s);

/* What may follow the n tokens of a sequence: s->choice. */
void sampler_weigh(struct sampler *s, const float *logits, const int32_t *token, int64_t n);

/* One of them, by u from [0, 1). The same for the same choices. */
int32_t sampler_draw(const struct sampler *s, double u);

#endif
