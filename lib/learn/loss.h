/*
 * Preference losses as functions of log-probs (natural logarithm) and lengths. One table says of each loss
 * its name, which parameters it has, what it needs of a record, and whether it looks at a whole batch; it
 * drives options, their checks, the gate before the first update and the manual.
 *
 * Notation. p, q: a completion's log-prob under policy and reference, summed over its n counted tokens; w and
 * l stand for the chosen and the rejected one. r = p - q. s(r) = r, or another score by the divergence.
 * x = beta (s_w - s_l). sig: the logistic function, LS its logarithm. a = p / n, the mean by token.
 *
 *	struct loss l;
 *
 *	loss_parse(&l, "sigmoid:1,sft:0.2", err);
 *	l.given |= LOSS_BETA, l.params.beta = 0.2;              what was asked for; the rest has defaults
 *	loss_settle(&l, err);                                   checks it all
 *	value = loss_eval(&l, &state, examples, n, &totals, &seen);
 */
#ifndef LEARN_LOSS_H
#define LEARN_LOSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum loss_id {
	LOSS_SIGMOID,
	LOSS_HINGE,
	LOSS_IPO,
	LOSS_IPO_SUM,
	LOSS_EXO_PAIR,
	LOSS_NCA_PAIR,
	LOSS_ROBUST,
	LOSS_BCO_PAIR,
	LOSS_SPPO_HARD,
	LOSS_AOT,
	LOSS_AOT_UNPAIRED,
	LOSS_APO_ZERO,
	LOSS_APO_DOWN,
	LOSS_DISCOPOP,
	LOSS_SFT,
	LOSS_SIGMOID_NORM,
	LOSS_SIMPO,
	LOSS_CPO,
	LOSS_ORPO,
	LOSS_ALPHAPO,
	LOSS_SLIC,
	LOSS_DPOP,
	LOSS_FLOOR,
	LOSS_KTO,
	LOSS_BCO,
	LOSS_PLACKETT_LUCE,
	LOSS_IDS
};

/* Parameters and modifiers, as bits of loss_kind.uses and loss.given, in the order of loss_options. */
enum {
	LOSS_BETA = 1 << 0,
	LOSS_SMOOTHING = 1 << 1,
	LOSS_GAMMA = 1 << 2,
	LOSS_TAU = 1 << 3,
	LOSS_ALPHA = 1 << 4,
	LOSS_PENALTY = 1 << 5,
	LOSS_NLL = 1 << 6,
	LOSS_DESIRABLE = 1 << 7,
	LOSS_UNDESIRABLE = 1 << 8,
	/* The modifiers. */
	LOSS_DIVERGENCE = 1 << 9,
	LOSS_DIVERGENCE_ALPHA = 1 << 10,
	LOSS_LD_ALPHA = 1 << 11,
	LOSS_WPO = 1 << 12,
	LOSS_REFERENCE_FREE = 1 << 13,
};

#define LOSS_PARAMS 9
#define LOSS_OPTIONS 14

struct loss_params {
	double beta;	    /* > 0 */
	double smoothing;   /* label smoothing, 0 <= eps < 0.5 */
	double gamma;	    /* target margin of averages */
	double tau;	    /* discopop's temperature, 0 < tau <= 1 */
	double alpha;	    /* alphapo's */
	double penalty;	    /* dpop's lambda */
	double nll;	    /* weight of the chosen completion's negative log-prob */
	double desirable;   /* weights of kto's two kinds */
	double undesirable;
};

/* What it needs of a record. */
enum loss_takes {
	LOSS_PAIRS,	/* two completions, best first */
	LOSS_FIRST,	/* any number; looks at the first */
	LOSS_LABELLED,	/* a completion with a label, and a probe: see LOSS_PROBE */
	LOSS_EITHER,	/* a pair, or one completion with a label */
	LOSS_RANKINGS,	/* two or more, best first */
};

/* The label of a completion that serves to estimate the KL: it belongs to another prompt. */
#define LOSS_PROBE (-1.0f)

struct loss_kind {
	const char *name;
	const char *about; /* the paper */
	unsigned uses;
	struct loss_params defaults;
	enum loss_takes takes;
	bool reference; /* compares with one */
	bool batch;	/* its value is no mean over examples: looks at all of them at once */
};

extern const struct loss_kind loss_kinds[LOSS_IDS];

/* An option's name, and of a parameter the place and the range. */
struct loss_option {
	const char *name;
	size_t offset; /* in loss_params */
	double min, max;
	bool open; /* min itself is not allowed */
};

extern const struct loss_option loss_options[LOSS_OPTIONS];

/* The parameter of option i. */
double *loss_param(struct loss_params *p, int i);

/* "what it takes; parameters with their defaults; modifiers", for people. */
void loss_describe(enum loss_id id, char *text, size_t cap);

/* f-DPO (Wang et al., arXiv 2309.16240) as TRL scores it. */
enum loss_divergence {
	LOSS_REVERSE_KL, /* s = r */
	LOSS_FORWARD_KL, /* s = -exp(-r) */
	LOSS_JS,	 /* s = LS(r) */
	LOSS_ALPHA_DIV,	 /* s = exp((a - 1) r) / (a - 1); r where a is 1 */
};

/* Names in that order, as TRL has them, NULL-terminated. */
extern const char *const loss_divergence_names[];

#define LOSS_MAX_TERMS 8

struct loss_term {
	enum loss_id id;
	double weight;
	struct loss_params p; /* set by loss_settle() */
};

struct loss {
	struct loss_term term[LOSS_MAX_TERMS];
	int n;
	struct loss_params params; /* those that were given */
	unsigned given;		   /* which, modifiers included */
	enum loss_divergence divergence;
	double divergence_alpha; /* default 0.5 */
	/*
	 * LD-DPO (Liu et al., arXiv 2409.06411): of the longer of two completions, tokens behind the shorter
	 * one's length count this much, in policy and reference. 1: all count. Default 1.
	 */
	double ld_alpha;
	/*
	 * WPO (Zhou et al., arXiv 2406.11827): a pair's loss is multiplied by how likely the policy would have
	 * been to write it, exp of the mean over tokens of log p(token) - log sum_v p_v^2, for both completions.
	 */
	bool wpo;
	bool reference_free; /* q = 0 in the loss */
};

/* "name", or "name:weight,name:weight": ERR_USAGE names what is wrong. Everything else gets its default. */
int loss_parse(struct loss *l, const char *text, struct err *err);

/* Fills in what was not given and checks all: ERR_USAGE where it has no effect, no meaning or no range. */
int loss_settle(struct loss *l, struct err *err);

bool loss_needs_reference(const struct loss *l);
bool loss_needs_batch(const struct loss *l);
bool loss_needs_ref_tokens(const struct loss *l); /* the reference's log-prob of each token */
bool loss_has(const struct loss *l, enum loss_id id);

/* How many completions of a record with k it looks at: 1 for LOSS_FIRST, else all. */
int loss_completions(const struct loss *l, int k);

/* Does a record with k completions and these labels (or NULL) fit? Where not, why, for people. */
const char *loss_misfit(const struct loss *l, int k, const float *label);

/*
 * Which side completion c is on: 0, as the best; 1, as the worst; or -1. Where completions are labelled one by
 * one, a good label makes the first one best, a bad one worst; a probe is neither.
 */
int loss_side(int k, const float *label, int c);

/* ---- evaluation */

struct loss_example {
	int k;
	const double *p, *q; /* [k] sums; tails weighted by ld_alpha; q NULL without a reference, and where reference_free */
	const double *raw;   /* [k] the policy's, unweighted */
	const int64_t *n;    /* [k] counted tokens */
	const float *label;  /* [k] or NULL */
	double weight;	     /* WPO's; 1 without */
	/* Set: the derivative of the batch's loss by p[c], and by raw[c]. [k] each. */
	double *gp, *graw;
	double loss; /* set: its own, for LOSS_FIRST its share of the mean */
};

/* What the whole batch holds, of which loss_eval() may see a part. */
struct loss_totals {
	int64_t examples, tokens; /* tokens: counted, of first completions */
};

struct loss_ranked {
	double value;
	int64_t at;
};

/* bco's running mean of rewards, which is part of a run's state, and room for aot's ranks. */
struct loss_state {
	double mean, count;
	struct loss_ranked *room[2];
	size_t cap[2];
};

#define LOSS_STATE_INIT {.mean = 0}

/* Before loss_eval() of n examples. 0 or -1. */
int loss_state_reserve(struct loss_state *s, int64_t n, struct err *err);
void loss_state_release(struct loss_state *s);

/* What is worth logging besides. */
struct loss_seen {
	double kl;    /* kto's estimate */
	double delta; /* bco's running mean */
};

/*
 * The part of the batch's loss that n examples give, and their derivatives. Where loss_needs_batch(), they
 * must be the whole batch. learn: state is updated.
 */
double loss_eval(const struct loss *l, struct loss_state *state, bool learn, struct loss_example *e, int64_t n,
	const struct loss_totals *totals, struct loss_seen *seen);

/* log sig(x) without overflow, and sig(x). */
double loss_log_sigmoid(double x);
double loss_sigmoid(double x);

#endif
