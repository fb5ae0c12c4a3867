/* Options of losses, and what they come to. */
#ifndef CMD_LOSS_H
#define CMD_LOSS_H

#include "cmd/cmd.h"
#include "learn/loss.h"

struct cmd_loss {
	const char *list; /* --loss */
	struct loss_params params;
	int divergence;
	double divergence_alpha, ld_alpha;
	bool wpo, reference_free;
};

#define CMD_LOSS_INIT {.list = "sigmoid", .divergence_alpha = 0.5, .ld_alpha = 1}

#define CMD_LOSS_OPTIONS(l) \
	{0, "loss", "LIST", CMD_STRING, &(l).list, .help = "losses with weights: NAME[:W],... (default sigmoid)"}, \
	{0, "beta", "X", CMD_REAL, &(l).params.beta, 0, 1e6, \
		.help = "strength of the pull to the reference (default by the loss: mostly 0.1)"}, \
	{0, "label-smoothing", "X", CMD_REAL, &(l).params.smoothing, 0, 0.4999, \
		.help = "share of flipped labels (default 0; exo_pair 0.001)"}, \
	{0, "gamma", "X", CMD_REAL, &(l).params.gamma, -1e6, 1e6, .help = "target margin (default 0.5)"}, \
	{0, "tau", "X", CMD_REAL, &(l).params.tau, 0, 1, .help = "discopop's temperature (default 0.05)"}, \
	{0, "alpha", "X", CMD_REAL, &(l).params.alpha, 0, 100, .help = "alphapo's exponent (default 0.25)"}, \
	{0, "penalty", "X", CMD_REAL, &(l).params.penalty, 0, 1e6, .help = "dpop's (default 50)"}, \
	{0, "nll", "X", CMD_REAL, &(l).params.nll, 0, 1e6, \
		.help = "weight of chosen's negative log-prob (default: cpo and orpo 1, slic 0.1)"}, \
	{0, "desirable", "X", CMD_REAL, &(l).params.desirable, 0, 1e6, .help = "kto's weight of good ones (default 1)"}, \
	{0, "undesirable", "X", CMD_REAL, &(l).params.undesirable, 0, 1e6, .help = "and of bad ones (default 1)"}, \
	{0, "f-divergence", "NAME", CMD_CHOICE, &(l).divergence, .choices = loss_divergence_names, \
		.help = "reverse_kl (default), forward_kl, js_divergence, alpha_divergence"}, \
	{0, "f-alpha", "X", CMD_REAL, &(l).divergence_alpha, -100, 100, .help = "alpha_divergence's (default 0.5)"}, \
	{0, "ld-alpha", "X", CMD_REAL, &(l).ld_alpha, 0, 1, .help = "weight of the longer one's tail (default 1)"}, \
	{0, "wpo", 0, CMD_FLAG, &(l).wpo, .help = "weigh pairs by how likely the policy would write them"}, \
	{0, "reference-free", 0, CMD_FLAG, &(l).reference_free, .help = "the loss sees no reference"}

/* The usage's part. */
#define CMD_LOSS_SYNOPSIS "[--loss LIST] [--beta X] " CMD_LOSS_SYNOPSIS_REST "[--wpo] [--reference-free] "
#define CMD_LOSS_SYNOPSIS_REST \
	"[--label-smoothing X] [--gamma X] [--tau X] [--alpha X] [--penalty X] [--nll X] [--desirable X] [--undesirable X] " \
	"[--f-divergence reverse_kl|forward_kl|js_divergence|alpha_divergence] [--f-alpha X] [--ld-alpha X] "

/* The losses of a list with all that was given, for loss_settle(). 0 or -1. */
int cmd_loss_parse(const struct cmd_loss *o, const char *list, struct loss *l, struct err *err);

/* The loss of --loss; exits with a usage error where the options have no effect on it, or no meaning. */
void cmd_loss_settle(const struct cmd_loss *o, struct loss *l);

#endif
