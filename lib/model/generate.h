/*
 * Continuing prompts: k samples of each, many sequences at a time. A sequence that ends makes room for the next
 * one at once, whatever the others do; a prompt is computed once for all its samples.
 *
 *	struct generate_options o = {.model = &m, .ops = ops, .rules = SAMPLE_RULES_INIT, .k = 4, .max_new = 256,
 *		.batch = 16, .eos = &eos, .eoses = 1, .memory = bytes, .next = next, .take = take, .context = run};
 *
 *	generate(&o, &totals, err);
 *
 * A sample depends on the model, the rules, the seed, its prompt's id and tokens, and its own number; not on
 * batch, threads or its neighbours, to the bit.
 */
#ifndef MODEL_GENERATE_H
#define MODEL_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"
#include "model/sample.h"

enum generate_end {
	GENERATE_EOS,	 /* with one of the tokens in eos, which is the completion's last */
	GENERATE_STOP,	 /* because stop() said so */
	GENERATE_LENGTH, /* after max_new tokens, or where decoder_room() ends */
};

struct generate_prompt {
	uint64_t id;
	const int32_t *token; /* [n], copied */
	int64_t n;	      /* at least 1 */
	void *tag;	      /* the caller's, handed back with the completions */
};

struct generated {
	uint64_t id;
	void *tag;
	int k;
	const int32_t *token; /* segment 0 is the prompt, i + 1 is completion i */
	const int64_t *seg;   /* [k + 2] */
	const enum generate_end *end; /* [k] */
	/*
	 * Of each completion's tokens, completions in order, and their sums: log-probs under the model as it is,
	 * whatever the rules made of its logits.
	 */
	const float *tlogp, *logp;
};

struct generate_options {
	const struct model *model;
	const struct ops *ops;
	struct sample_rules rules;
	uint64_t seed;
	int k;		 /* samples of each prompt */
	int64_t max_new; /* tokens of a completion, at least 1 */
	int64_t batch;	 /* sequences at a time */
	const int32_t *eos;
	size_t eoses;
	size_t memory; /* bytes that keys and values may take */

	/* The next prompt: 1, 0 where there is none, -1. What it points to is not looked at again. */
	int (*next)(void *context, struct generate_prompt *p, struct err *err);
	/*
	 * Is a sequence of n tokens, the first of them a prompt's, at its end? 1, 0, -1. Asked after each token but
	 * EOS; seat, below batch, is the same for all tokens of a completion, and then another's. NULL: never.
	 */
	int (*stop)(void *context, int64_t seat, const int32_t *token, int64_t prompt, int64_t n, struct err *err);
	/* A prompt's completions, in the order of the prompts. 0 or -1. */
	int (*take)(void *context, const struct generated *g, struct err *err);
	void *context;
};

struct generate_totals {
	uint64_t prompts, prompt_tokens, tokens; /* that came out, of completions */
	uint64_t steps;				 /* passes that computed a token for each of some sequences */
	uint64_t end[3];			 /* completions by how they ended */
};

/* Bytes besides the model's and those of o->memory, without what long prompts take while they are computed. */
int generate_memory(const struct generate_options *o, size_t *bytes, struct err *err);

/* Bytes of o->memory that a sequence of so many tokens takes. */
size_t generate_memory_of(const struct generate_options *o, int64_t tokens);

/*
 * Runs until next() says 0. totals is kept up to date for whoever looks from the callbacks. ERR_LIMIT for a
 * prompt that leaves no room for a token, or whose sequence cannot fit into o->memory; ERR_FAILED where logits
 * are not finite; ERR_MISMATCH for tokens outside the vocabulary. These name the prompt by its id.
 */
int generate(const struct generate_options *o, struct generate_totals *totals, struct err *err);

#endif
