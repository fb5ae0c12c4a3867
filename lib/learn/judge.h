/*
 * What the loss says of a batch: from the log-probs of its tokens to metrics, and to the loss's derivative by
 * each of those log-probs. The examples of a batch are added in order, then evaluated, all at once or part by
 * part.
 *
 *	judge_begin(&j, n, completions, tokens, err);
 *	judge_add(&j, &example, rows, err);           once an example
 *	judge_eval(&j, 0, n, learn, dlogp, err);      dlogp[tokens]
 *	use(j.step);
 */
#ifndef LEARN_JUDGE_H
#define LEARN_JUDGE_H

#include "learn/loss.h"
#include "num/ops.h"

/* One record. Everything is the caller's, and must live as long as the batch. */
struct example {
	uint64_t id;	       /* names it in errors */
	int k;		       /* completions, best first */
	const int32_t *tokens; /* as pack_add() takes them */
	const int64_t *seg, *uncounted;
	const float *ref;	 /* [k] the reference's log-probs, where the loss needs them */
	const float *ref_tokens; /* the same by counted token, where loss_needs_ref_tokens() */
	const float *label;	 /* [k] or NULL */
};

int64_t example_counted(const struct example *e, int completion);

/* Sums over completions, and how many they are of. */
struct judge_side {
	int64_t completions, counted; /* counted tokens */
	double logp, reward;	      /* a reward is beta (p - q); without a reference beta p, or beta p / n */
	double logit;		      /* of the means over the vocabulary, by token */
	double hits;		      /* tokens predicted first */
};

/*
 * What became of the chosen completions' log-probs since the start, where the policy was the reference: sums of
 * p - q and of counted tokens, of short, medium and long ones.
 */
struct judge_classes {
	double change[3], counted[3];
};

/* By token, of the classes from from to to; NAN where there is nothing. */
double judge_change(const struct judge_classes *c, int from, int to);

/* One step, or one evaluation, or several: sums. */
struct judge_step {
	int64_t examples;
	int64_t tokens; /* of prompts and completions, each once */
	double loss, loss_weight; /* the sum of losses times what they stand for, and that: examples or tokens */
	double grad_norm;	  /* times examples; before clipping */
	/*
	 * Best and worst completion of each example; of examples with one completion, those with a good and
	 * those with a bad label. Rankings: the first and the last.
	 */
	struct judge_side chosen, rejected;
	int64_t compared;	  /* examples with both */
	double right, margin;	  /* of those: the first has the higher reward, and by how much */
	double entropy;		  /* nats, by token of both sides */
	double kl, delta;	  /* times examples: as loss_seen has them */
	struct judge_classes classes; /* where there is a reference */
};

/* Adds b to a. */
void judge_step_add(struct judge_step *a, const struct judge_step *b);

struct judge {
	const struct loss *loss;
	struct loss_state state;
	bool gate; /* the policy must still be the reference */
	int64_t length[2]; /* counted tokens from which on a completion is medium, and long */
	struct judge_step step;

	/* The batch. */
	struct loss_example *items;
	const struct example **examples;
	struct loss_totals totals;
	double *p, *q, *raw, *gp, *graw; /* by completion */
	int64_t *n;
	size_t cap_items, cap_examples, cap_p, cap_q, cap_raw, cap_gp, cap_graw, cap_n;
	int64_t added, completions;
};

#define JUDGE_INIT {.state = LOSS_STATE_INIT}

/* Of the batch that was evaluated last: the reward of completion c of example i, as judge_side has it. */
double judge_reward(const struct judge *j, int64_t i, int c);

void judge_release(struct judge *j);

/* A batch of n examples with so many completions that the loss looks at, and counted tokens of first ones. */
int judge_begin(struct judge *j, int64_t n, int64_t completions, int64_t first_tokens, struct err *err);

/*
 * The next example, whose counted tokens' rows these are, completions in order; steps: updates so far, for
 * errors. ERR_FAILED names a log-prob that is not finite; while j->gate, ERR_MISMATCH names a completion
 * whose log-prob is not the reference's.
 */
int judge_add(struct judge *j, const struct example *e, const struct logp_row *rows, int64_t steps, struct err *err);

/*
 * Evaluates the examples from from to to, which were added: adds to j->step. dlogp, unless NULL, gets the
 * derivatives by their rows, behind each other. learn: this is training, and the loss's state goes on. While
 * j->gate the loss must be that of the reference.
 */
int judge_eval(struct judge *j, int64_t from, int64_t to, bool learn, float *dlogp, int64_t steps, struct err *err);

#endif
