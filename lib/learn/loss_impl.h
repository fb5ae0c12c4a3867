/* Between the files of the losses. */
#ifndef LEARN_LOSS_IMPL_H
#define LEARN_LOSS_IMPL_H

#include "learn/loss.h"

/* r = p - q of completion c. */
static inline double loss_ratio(const struct loss_example *e, int c)
{
	return e->p[c] - (e->q ? e->q[c] : 0);
}

/* One pair, and what a formula makes of it. */
struct loss_pair {
	double sw, sl; /* scores */
	double pw, pl, nw, nl;
	/* Set: derivatives by the scores, or by p where there is no reference. */
	double gw, gl;
};

/* The formula's value for a pair; not for losses over a batch, rankings and LOSS_SFT. */
double loss_of_pair(enum loss_id id, const struct loss_params *p, struct loss_pair *x);

/* s(r), and its derivative. */
double loss_score(const struct loss *l, double r, double *slope);

/*
 * Losses over a batch: adds weight times the derivatives to e[].gp, and weight times each example's loss to
 * e[].loss; the value, a mean.
 */
double loss_aot(const struct loss_term *t, struct loss_state *state, struct loss_example *e, int64_t n);
double loss_aot_unpaired(const struct loss_term *t, struct loss_state *state, struct loss_example *e, int64_t n);
double loss_kto(const struct loss_term *t, struct loss_example *e, int64_t n, struct loss_seen *seen);
double loss_bco(const struct loss_term *t, struct loss_state *state, bool learn, struct loss_example *e, int64_t n,
	struct loss_seen *seen);

/* Plackett-Luce on one example; the value, derivatives as above but not divided by a batch's size. */
double loss_plackett_luce(const struct loss_term *t, struct loss_example *e, double scale);

/* apo_zero of one completion with a label. */
double loss_apo_labelled(const struct loss_params *p, double r, bool desirable, double *g);

#endif
