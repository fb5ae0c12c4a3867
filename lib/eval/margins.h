/*
 * What is behind a win rate by reward: how far length explains it, whether margins are as sure as they say,
 * which way log-probs moved. Constant memory but for 32 bytes for each token of the longest pair.
 *
 *	struct margins m;
 *
 *	margins_init(&m);
 *	margins_add(&m, &pair, err);       for each pair of a record
 *	margins_close_record(&m);          and after each record
 */
#ifndef EVAL_MARGINS_H
#define EVAL_MARGINS_H

#include <stdbool.h>

#include "eval/histogram.h"
#include "eval/stats.h"

struct margins_pair {
	double margin;		 /* reward of the chosen minus that of the rejected */
	double chosen, rejected; /* log-ratios; 0 without a reference */
	uint64_t chosen_tokens, rejected_tokens;
};

/* Pairs by outcome, and their rate of wins among wins and losses, records being clusters. */
struct margins_tally {
	uint64_t wins, ties, losses;
	struct stats_rate rate;
	double open_wins, open_decided; /* of the record that is being added */
};

enum margins_length { CHOSEN_LONGER, SAME_LENGTH, CHOSEN_SHORTER, MARGINS_LENGTHS };

#define MARGINS_BINS 10	 /* of confidence, from 0.5 to 1 */
#define MARGINS_BETAS 33 /* that are tried: beta times 2^-8 to 2^8 */

struct margins_bin {
	uint64_t n;
	double confidence, right; /* sums; a tie is half right */
};

struct margins_length_tally {
	uint64_t wins, ties, losses;
	double margin;
};

struct margins {
	struct margins_tally length[MARGINS_LENGTHS];
	struct margins_length_tally
		*by_tokens; /* [cap], by the pair's tokens, chosen and rejected together */
	size_t cap;

	/* Margin (y) by length difference (x), chosen - rejected, in tokens. */
	uint64_t pairs;
	double x, y, xx, yy, xy; /* means, and sums of products of distances from them */

	struct histogram spread; /* of margins */
	struct margins_bin bin[MARGINS_BINS];
	double loss[MARGINS_BETAS]; /* sums */

	/* By whether the chosen and the rejected completion became less likely than under the reference. */
	uint64_t fell[2][2];
	struct margins_tally
		displaced; /* "wins": pairs won although the chosen one fell; "losses": all others */
	struct margins_tally chosen_fell; /* "wins": it fell */
};

void margins_init(struct margins *m);
int margins_add(struct margins *m, const struct margins_pair *pair, struct err *err);
void margins_close_record(struct margins *m);
void margins_release(struct margins *m);

/* How often the longer completion is the chosen one, pairs of one length as half: what length alone gets. */
double margins_longer_rule(const struct margins *m);

/* How often the policy prefers the longer one, of pairs that differ in length and are no ties. */
double margins_prefers_longer(const struct margins *m);

/* The mean of the win rates where the chosen one is longer and where it is shorter: no rule that goes by
 * length alone gets other than half. NaN where one of them is not defined. */
double margins_balanced(const struct margins *m);

/* Least squares of margin by length difference: the part of the margins' variance that it explains, the
 * slope by token, and the margin at equal length. NaN where undefined. */
struct margins_line {
	double r2, slope, intercept;
};

struct margins_line margins_line(const struct margins *m);

/*
 * Splits pairs by tokens into at most n groups of about as many pairs; pairs of equally many tokens stay
 * together, so that there may be fewer. Returns how many there are.
 */
struct margins_quantile {
	uint64_t from, to; /* tokens of a pair */
	struct margins_length_tally tally;
};

int margins_quantiles(const struct margins *m, int n, struct margins_quantile *out);

/* Expected calibration error: mean distance of confidence and accuracy over bins. NaN without pairs. */
double margins_calibration_error(const struct margins *m);

/* The factor of beta at which sigmoid(margin) predicts best; NaN where none in reach is: all are won. */
double margins_best_factor(const struct margins *m);

#endif
