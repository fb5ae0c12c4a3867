/*
 * Preference losses as functions of sequence log-probs (natural logarithm, summed over a completion's
 * counted tokens). Notation: pw, pl the policy's log-prob of the chosen and of the rejected completion, qw,
 * ql the reference's; h = (pw - qw) - (pl - ql).
 */
#ifndef LEARN_LOSS_H
#define LEARN_LOSS_H

#include <stdbool.h>

enum loss_kind {
	/*
	 * DPO (Rafailov et al., arXiv 2305.18290, eq. 7) with label smoothing as cDPO (Mitchell 2023):
	 * -(1 - eps) log sigmoid(beta h) - eps log sigmoid(-beta h).
	 */
	LOSS_SIGMOID,
	/* Cross-entropy of the chosen completion, mean over the batch's counted tokens. */
	LOSS_SFT,
};

/* Names in the order of loss_kind, NULL-terminated. */
extern const char *const loss_names[];

struct loss {
	enum loss_kind kind;
	double beta;      /* > 0 */
	double smoothing; /* eps, 0 <= eps < 0.5 */
};

/* Does it compare with a reference's log-probs? */
bool loss_needs_reference(enum loss_kind kind);

/* One pair's loss; *gw and *gl get its derivative by pw and pl. Not for LOSS_SFT. */
double loss_pair(const struct loss *l, double pw, double pl, double qw, double ql, double *gw, double *gl);

/* What loss_pair() gives where the policy is the reference: for sigmoid ln 2, whatever beta and eps. */
double loss_at_start(const struct loss *l);

/* log sigmoid(x) without overflow. */
double loss_log_sigmoid(double x);

#endif
