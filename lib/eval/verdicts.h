/*
 * Verdicts of judges on pairs of answers, kept in memory (some 50 bytes each), and what they come to: win
 * rates as alpaca_eval defines them, agreement between judges, position bias.
 *
 * A verdict has two sides, base and model; value is the model's share of it: 1 a win, 0 the base's win, 0.5 a
 * draw, anything between a judge's probability.
 */
#ifndef EVAL_VERDICTS_H
#define EVAL_VERDICTS_H

#include <stdbool.h>

#include "eval/names.h"
#include "eval/stats.h"

enum verdict_first { FIRST_UNKNOWN, FIRST_BASE, FIRST_MODEL };

struct verdict {
	int base, model;		  /* of verdicts.models */
	int judge, item, group;		  /* of theirs; -1: not told */
	double value;			  /* 0 to 1 */
	double base_length, model_length; /* characters; -1: not told */
	enum verdict_first first;	  /* which answer the judge saw first */
};

/* Zeroed: empty. */
struct verdicts {
	struct names models, judges, items, groups;
	struct verdict *all;
	size_t n, cap;
	uint64_t unjudged; /* records without a verdict, which count nowhere */
};

int verdicts_add(struct verdicts *v, const struct verdict *one, struct err *err);
void verdicts_release(struct verdicts *v);

/*
 * The model that all others are held against: the only one that is in every verdict, of two the base of the
 * first verdict; -1 where there is none.
 */
int verdicts_common_base(const struct verdicts *v);

/* By item, models and judge: what all below ask for. */
void verdicts_sort(struct verdicts *v);

/* Where the item's verdicts end that begin at i; a verdict without an item is one of its own. */
size_t verdicts_item_end(const struct verdicts *v, size_t i);

/* ---- win rates */

/* As alpaca_eval names them; Y. Dubois et al., "Length-Controlled AlpacaEval", 2024. */
struct winrate {
	uint64_t n_wins, n_wins_base, n_draws, n_total;
	struct stats_sample value;
	struct stats_rate items;    /* the value, item by item: for its interval, from 0 to 1 */
	struct stats_rate discrete; /* a win as 1, a draw as a half, item by item */
	double length;		    /* sum of the model's lengths; NaN where one is not told */
};

/* Which verdicts count, and from whose side. */
struct winrate_choice {
	int model;
	int base;  /* -1: any */
	int group; /* -1: any */
};

/* Of sorted verdicts. */
void winrate_count(
	struct winrate *w, const struct verdicts *v, const struct winrate_choice *choice);

double winrate_percent(const struct winrate *w);	/* 100 mean(value) */
double winrate_standard_error(const struct winrate *w); /* 100 sd(value) / sqrt(n) */
double winrate_discrete(const struct winrate *w);	/* wins and half of the draws, in percent */

/* The verdict's value from that model's side. */
double verdict_share(const struct verdict *one, int model);

/* ---- judges */

/* -1 base, 0 draw, 1 model. */
int verdict_sign(double value);

/* How two judges' verdicts on the same items and models agree, and how those of both orders of one judge do. */
struct agreement {
	uint64_t n, items;
	uint64_t table[3][3];  /* by sign + 1: the first, the second */
	double products[9][9]; /* of an item's counts, of each cell with each, summed over items */
};

/* An item's verdicts: counts[3 * first + second], by sign + 1; none is fine. */
void agreement_add(struct agreement *a, const uint64_t counts[9]);

double agreement_rate(const struct agreement *a); /* NaN without any */

/*
 * Cohen's kappa (J. Cohen, "A coefficient of agreement for nominal scales", 1960); NaN where both always say the
 * same one thing. Its interval is Wilson's of the rate of agreement, brought to kappa's scale, at the number of
 * trials that has kappa's large-sample error (J. Fleiss, J. Cohen and B. Everitt, 1969), items being clusters:
 * it is none too narrow where nearly all agree, as kappa -+ that error is.
 */
double agreement_kappa(const struct agreement *a);
struct stats_interval agreement_kappa_interval(const struct agreement *a, double level);

/*
 * Every pair of verdicts of the judges one and two (one != two) on the same models and item; where a judge
 * has several on it, their mean counts.
 */
void verdicts_agreement(const struct verdicts *v, int one, int two, struct agreement *a);

/* Does the place of an answer sway the judge? */
struct position {
	uint64_t first_wins, second_wins, draws; /* of verdicts whose order is told */
	struct stats_rate first; /* the first one's of those decided, item by item */
	struct agreement orders; /* base shown first, model shown first: the same judge and item */
};

void verdicts_position(const struct verdicts *v, struct position *p);

#endif
