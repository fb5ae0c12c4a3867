/*
 * What a policy thinks of preferences: rewards, margins, win rates, log-ratios and DPO's loss over
 * records whose completions are known by their log-probs alone. Constant memory at any number of
 *records.
 *
 * The score of a completion is its implicit reward (R. Rafailov et al., "Direct Preference
 * Optimization", 2023, equation 5, without the term that all completions of a prompt share)
 *
 *	reward = beta * (log p(completion | prompt; policy) - log p(completion | prompt; reference))
 *
 * or, without a reference, the policy's log-prob itself. It is taken twice: per sequence, and per
 *counted token of the completion, since a sum over tokens favours lengths. A completion without
 *counted tokens has its score, which is 0 where log-probs are sound, in place of the mean per
 *token.
 *
 * A record with k completions, best first, stands for its k (k - 1) / 2 pairs (better: chosen,
 *worse: rejected), which k = 2 makes one; the completions of a ranking then count once for each
 *pair they are in. Intervals take records, not pairs, for independent.
 *
 *	struct reward r;
 *
 *	if (reward_init(&r, &options, err))
 *		return -1;
 *	reward_add_ranking(&r, completions, k);         for each record
 *	rate = stats_rate_value(&r.sequence.decided);
 *	...
 *	reward_release(&r);
 */
#ifndef EVAL_REWARD_H
#define EVAL_REWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/stats.h"

struct reward_options {
	bool reference;	  /* there is one; otherwise scores are log-probs and beta is not used */
	double beta;	  /* > 0 */
	size_t resamples; /* for the margin's interval; 0: none */
	uint64_t seed;	  /* of the bootstrap */
};

struct reward_completion {
	double policy,
		reference; /* log-probs, natural logarithm, finite; reference: 0 without one */
	uint64_t tokens;   /* counted ones */
};

/* How often the chosen completion scores above (win), exactly as (tie) or below (loss) the
 * rejected. */
struct reward_tally {
	uint64_t wins, ties, losses;
	struct stats_rate decided; /* wins of wins and losses */
	struct stats_rate half;	   /* wins and half of the ties, of all pairs */
};

/*
 * Estimates of KL(policy, reference) from log-ratios r of completions that the policy wrote (J. Schulman,
 * "Approximating KL divergence", 2020): r, unbiased; r^2 / 2, biased, of low variance; exp(-r) - 1 + r, unbiased and
 * never negative.
 */
enum reward_estimate { REWARD_K1, REWARD_K2, REWARD_K3, REWARD_ESTIMATES };

struct reward_kl {
	struct stats_mean
		k[REWARD_ESTIMATES]; /* records being clusters; empty without a reference */
	double open[REWARD_ESTIMATES], open_count; /* of the record that is being added */
};

/* All chosen completions, all rejected ones, or all single ones. */
struct reward_side {
	struct stats_sample score, policy, reference,
		ratio; /* ratio: policy - reference, log-probs */
	struct reward_kl kl;
	uint64_t tokens; /* counted, of all together */
	uint64_t fell;	 /* completions with r < 0 */
};

struct reward {
	struct reward_options options;
	uint64_t records; /* all of them */
	uint64_t pairs;
	uint64_t labelled; /* completions that came without another, by reward_add_labelled() */
	uint64_t empty;	   /* completions without counted tokens */
	struct reward_tally sequence, token;
	struct reward_side chosen, rejected, single;
	/* Of each record, the mean over its completions. */
	struct reward_kl kl;
	struct stats_sample given;  /* by reward_add_given() */
	struct stats_sample margin; /* score of the chosen minus score of the rejected, by pair */
	struct stats_sample loss;   /* -log sigmoid(margin), by pair; empty without a reference */
	struct stats_bootstrap bootstrap; /* of the mean margin; a row a record with pairs */
	bool differs; /* policy and reference, by more than rounding: 1e-5 of max(1, |reference|) */
};

int reward_init(struct reward *r, const struct reward_options *options, struct err *err);
void reward_release(struct reward *r);

/* k >= 2 completions of one prompt, best first. */
void reward_add_ranking(struct reward *r, const struct reward_completion *c, int k);

/* One completion known to be good (counted as chosen) or bad (rejected): it makes no pair. */
void reward_add_labelled(struct reward *r, const struct reward_completion *c, bool good);

/* One completion of which nothing is known, such as a sample: neither chosen nor rejected. */
void reward_add_single(struct reward *r, const struct reward_completion *c);

/* What somebody else thinks of a record's completions, such as a reward model. */
void reward_add_given(struct reward *r, const double *scores, int k);

/* Records with pairs. */
uint64_t reward_paired(const struct reward *r);

/* The score of the chosen completion minus that of the rejected one. */
double reward_margin(const struct reward *r, const struct reward_completion *chosen,
	const struct reward_completion *rejected);

/*
 * The interval of an estimate: Student's; of K2 and K3, which are skewed and never negative,
 * stats_mean_skewed_interval()'s from 0 on. NaN for fewer than two records, and of K3 where log-ratios have a
 * standard deviation above REWARD_TAME nats: the mean is then ruled by completions so rare that no sample of usual
 * size shows how much it varies.
 */
#define REWARD_TAME 0.7

struct stats_interval reward_kl_interval(
	const struct reward_kl *kl, enum reward_estimate which, double level);

/* Sum over all completions by all their counted tokens; NaN without tokens. s: one of side's
 * samples. */
double reward_per_token(const struct reward_side *side, const struct stats_sample *s);

/* Reasons not to believe the numbers, as a set of bits. */
enum reward_doubt {
	REWARD_NO_PAIRS = 1,	 /* nor is every record a single completion */
	REWARD_FEW_PAIRS = 2,	 /* fewer than REWARD_ENOUGH records with pairs */
	REWARD_ALL_TIES = 4,	 /* by sequence */
	REWARD_SAME_COLUMNS = 8, /* policy and reference, up to rounding */
	REWARD_UNDECIDED = 16,	 /* the interval of the win rate by sequence holds one half */
	REWARD_EMPTY = 32,	 /* some completions have no counted tokens */
};

#define REWARD_ENOUGH 30

unsigned reward_doubts(const struct reward *r, double level);

#endif
