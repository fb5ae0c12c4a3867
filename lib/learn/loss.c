#include "learn/loss.h"

#include <math.h>
#include <stddef.h>

const char *const loss_names[] = {"sigmoid", "sft", NULL};

bool loss_needs_reference(enum loss_kind kind)
{
	return kind != LOSS_SFT;
}

double loss_log_sigmoid(double x)
{
	return x >= 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

double loss_pair(const struct loss *l, double pw, double pl, double qw, double ql, double *gw, double *gl)
{
	double x = l->beta * ((pw - qw) - (pl - ql)), eps = l->smoothing;

	*gw = -l->beta * (exp(loss_log_sigmoid(-x)) - eps);
	*gl = -*gw;
	return -(1 - eps) * loss_log_sigmoid(x) - eps * loss_log_sigmoid(-x);
}

double loss_at_start(const struct loss *l)
{
	double gw, gl;

	return loss_pair(l, 0, 0, 0, 0, &gw, &gl);
}
