/* The formulas for a pair, each with its derivatives. */
#include <math.h>

#include "learn/loss_impl.h"

double loss_log_sigmoid(double x)
{
	return x >= 0 ? -log1p(exp(-x)) : x - log1p(exp(x));
}

double loss_sigmoid(double x)
{
	return exp(loss_log_sigmoid(x));
}

double loss_score(const struct loss *l, double r, double *slope)
{
	double a = l->divergence_alpha - 1, t;

	switch (l->divergence) {
	case LOSS_FORWARD_KL:
		t = fmin(-r, 80);
		*slope = -r < 80 ? exp(t) : 0;
		return -exp(t);
	case LOSS_JS:
		*slope = loss_sigmoid(-r);
		return loss_log_sigmoid(r);
	case LOSS_ALPHA_DIV:
		if (fabs(a) < 1e-6)
			break;
		t = fmin(a * r, 80);
		*slope = a * r < 80 ? exp(t) : 0;
		return exp(t) / a;
	default:
		break;
	}
	*slope = 1;
	return r;
}

/* Both sides by the derivative of the loss by x = beta (s_w - s_l), or of averages. */
static double by_margin(struct loss_pair *x, double slope, double value)
{
	x->gw = slope;
	x->gl = -slope;
	return value;
}

/* -(1 - eps) LS(m) - eps LS(-m), and its slope by m. */
static double logistic(double m, double eps, double *slope)
{
	*slope = -(loss_sigmoid(-m) - eps);
	return -(1 - eps) * loss_log_sigmoid(m) - eps * loss_log_sigmoid(-m);
}

/* DPO (Rafailov et al., arXiv 2305.18290, eq. 7), with label smoothing as cDPO (Mitchell 2023). */
static double sigmoid(const struct loss_params *p, struct loss_pair *x)
{
	double slope, value = logistic(p->beta * (x->sw - x->sl), p->smoothing, &slope);

	return by_margin(x, p->beta * slope, value);
}

/* max(0, 1 - x): SLiC (arXiv 2305.10425) as RSO (2309.06657) normalises it. */
static double hinge(const struct loss_params *p, struct loss_pair *x)
{
	double m = p->beta * (x->sw - x->sl);

	return by_margin(x, m < 1 ? -p->beta : 0, fmax(0, 1 - m));
}

/* (d - 1 / (2 beta))^2 with beta for tau: IPO (Azar et al., arXiv 2310.12036, eq. 17), on averages or sums. */
static double ipo(const struct loss_params *p, struct loss_pair *x, double nw, double nl)
{
	double m = x->sw / nw - x->sl / nl - 1 / (2 * p->beta);

	x->gw = 2 * m / nw;
	x->gl = -2 * m / nl;
	return m * m;
}

/* EXO with two completions (Ji et al., arXiv 2402.00856): KL of sig(x) from the smoothed label. */
static double exo_pair(const struct loss_params *p, struct loss_pair *x)
{
	double eps = p->smoothing, m = p->beta * (x->sw - x->sl), q = loss_sigmoid(m), other = loss_sigmoid(-m);

	return by_margin(x, p->beta * q * other * (m + log(eps / (1 - eps))),
		q * (loss_log_sigmoid(m) - log1p(-eps)) + other * (loss_log_sigmoid(-m) - log(eps)));
}

/* NCA for pairs (Chen et al., arXiv 2402.05369). */
static double nca_pair(const struct loss_params *p, struct loss_pair *x)
{
	double u = p->beta * x->sw, v = p->beta * x->sl;

	x->gw = p->beta * (1.5 * loss_sigmoid(u) - 1);
	x->gl = 0.5 * p->beta * loss_sigmoid(v);
	return -loss_log_sigmoid(u) - 0.5 * loss_log_sigmoid(-u) - 0.5 * loss_log_sigmoid(-v);
}

/* rDPO (Chowdhury et al., arXiv 2403.00409): unbiased where a share eps of labels is flipped. */
static double robust(const struct loss_params *p, struct loss_pair *x)
{
	double eps = p->smoothing, m = p->beta * (x->sw - x->sl);

	return by_margin(x, -p->beta * ((1 - eps) * loss_sigmoid(-m) + eps * loss_sigmoid(m)) / (1 - 2 * eps),
		(-(1 - eps) * loss_log_sigmoid(m) + eps * loss_log_sigmoid(-m)) / (1 - 2 * eps));
}

/* BCO (Jung et al., arXiv 2404.04656) without its shift, as TRL has it for pairs. */
static double bco_pair(const struct loss_params *p, struct loss_pair *x)
{
	double u = p->beta * x->sw, v = p->beta * x->sl;

	x->gw = -p->beta * loss_sigmoid(-u);
	x->gl = p->beta * loss_sigmoid(v);
	return -loss_log_sigmoid(u) - loss_log_sigmoid(-v);
}

/* SPPO with hard labels (Wu et al., arXiv 2405.00675). */
static double sppo_hard(const struct loss_params *p, struct loss_pair *x)
{
	double w = x->sw - 1 / (2 * p->beta), l = x->sl + 1 / (2 * p->beta);

	x->gw = 2 * w;
	x->gl = 2 * l;
	return w * w + l * l;
}

/* APO (D'Oosterlinck et al., arXiv 2408.06266). */
static double apo_zero(const struct loss_params *p, struct loss_pair *x)
{
	return loss_apo_labelled(p, x->sw, true, &x->gw) + loss_apo_labelled(p, x->sl, false, &x->gl);
}

double loss_apo_labelled(const struct loss_params *p, double r, bool desirable, double *g)
{
	double u = p->beta * r, slope = p->beta * loss_sigmoid(u) * loss_sigmoid(-u);

	*g = desirable ? -slope : slope;
	return desirable ? loss_sigmoid(-u) : loss_sigmoid(u);
}

static double apo_down(const struct loss_params *p, struct loss_pair *x)
{
	double u = p->beta * x->sw, m = p->beta * (x->sw - x->sl);
	double du = p->beta * loss_sigmoid(u) * loss_sigmoid(-u), dm = p->beta * loss_sigmoid(m) * loss_sigmoid(-m);

	x->gw = du - dm;
	x->gl = dm;
	return loss_sigmoid(u) + loss_sigmoid(-m);
}

/* DiscoPOP's log-ratio modulated loss (Lu et al., arXiv 2406.08414): not convex around 0, as published. */
static double discopop(const struct loss_params *p, struct loss_pair *x)
{
	double m = p->beta * (x->sw - x->sl), ls = loss_log_sigmoid(m);
	double in = loss_log_sigmoid(m / p->tau), out = loss_log_sigmoid(-m / p->tau);
	double blend = exp(in), rest = exp(out), exponential = exp(in - m); /* blend * exp(-m) */

	return by_margin(x,
		p->beta * (-loss_sigmoid(-m) * rest - exponential + (exp(in + out - m) + blend * rest * ls) / p->tau),
		-ls * rest + exponential);
}

/* DPO on averages, as Tulu 3 (arXiv 2411.15124) trains. */
static double sigmoid_norm(const struct loss_params *p, struct loss_pair *x)
{
	double slope, value = logistic(p->beta * (x->sw / x->nw - x->sl / x->nl), 0, &slope);

	x->gw = p->beta * slope / x->nw;
	x->gl = -p->beta * slope / x->nl;
	return value;
}

/* SimPO (Meng et al., arXiv 2405.14734): gamma is the target margin, beta times its gamma_beta_ratio. */
static double simpo(const struct loss_params *p, struct loss_pair *x)
{
	double slope, value = logistic(p->beta * (x->pw / x->nw - x->pl / x->nl) - p->gamma, p->smoothing, &slope);

	x->gw = p->beta * slope / x->nw;
	x->gl = -p->beta * slope / x->nl;
	return value;
}

/* CPO's preference term (Xu et al., arXiv 2401.08417). */
static double cpo(const struct loss_params *p, struct loss_pair *x)
{
	double slope, value = logistic(p->beta * (x->pw - x->pl), p->smoothing, &slope);

	return by_margin(x, p->beta * slope, value);
}

/* log(1 - exp(a)) for a < 0 (Maechler 2012). */
static double log1mexp(double a)
{
	return a > -M_LN2 ? log(-expm1(a)) : log1p(-exp(a));
}

/* ORPO (Hong et al., arXiv 2403.07691): beta is its lambda; nll weighs the mean negative log-prob of chosen. */
static double orpo(const struct loss_params *p, struct loss_pair *x)
{
	double aw = fmin(x->pw / x->nw, -1e-12), al = fmin(x->pl / x->nl, -1e-12), slope;
	double odds = (aw - al) - (log1mexp(aw) - log1mexp(al)), value = p->beta * logistic(odds, 0, &slope);

	x->gw = (p->beta * slope / -expm1(aw) - p->nll) / x->nw;
	x->gl = -p->beta * slope / -expm1(al) / x->nl;
	return value - p->nll * x->pw / x->nw;
}

/* AlphaPO (Gupta et al., arXiv 2501.03884): rewards (1 - P^-alpha) / alpha of mean probabilities P. */
static double alphapo(const struct loss_params *p, struct loss_pair *x)
{
	double ew = exp(fmin(-p->alpha * x->pw / x->nw, 80)), el = exp(fmin(-p->alpha * x->pl / x->nl, 80)), slope;
	double value = logistic(p->beta * (el - ew) / p->alpha - p->gamma, p->smoothing, &slope);

	x->gw = p->beta * slope * ew / x->nw;
	x->gl = -p->beta * slope * el / x->nl;
	return value;
}

/* SLiC-HF (Zhao et al., arXiv 2305.10425): beta is its margin, on sums. */
static double slic(const struct loss_params *p, struct loss_pair *x)
{
	double m = p->beta - x->pw + x->pl;

	x->gw = (m > 0 ? -1 : 0) - p->nll;
	x->gl = m > 0 ? 1 : 0;
	return fmax(0, m) - p->nll * x->pw;
}

/* DPO-Positive (Pal et al., arXiv 2402.13228, eq. 3): the chosen one must not fall below the reference. */
static double dpop(const struct loss_params *p, struct loss_pair *x)
{
	double slope, value = logistic(p->beta * (x->sw - x->sl - p->penalty * fmax(0, -x->sw)), 0, &slope);

	x->gw = p->beta * slope * (x->sw < 0 ? 1 + p->penalty : 1);
	x->gl = -p->beta * slope;
	return value;
}

/* Its penalty alone; added to a loss, as mlx-lm-lora has it. */
static double floor_loss(struct loss_pair *x)
{
	x->gw = x->sw < 0 ? -1 : 0;
	x->gl = 0;
	return fmax(0, -x->sw);
}

double loss_of_pair(enum loss_id id, const struct loss_params *p, struct loss_pair *x)
{
	switch (id) {
	case LOSS_HINGE:
		return hinge(p, x);
	case LOSS_IPO:
		return ipo(p, x, x->nw, x->nl);
	case LOSS_IPO_SUM:
		return ipo(p, x, 1, 1);
	case LOSS_EXO_PAIR:
		return exo_pair(p, x);
	case LOSS_NCA_PAIR:
		return nca_pair(p, x);
	case LOSS_ROBUST:
		return robust(p, x);
	case LOSS_BCO_PAIR:
		return bco_pair(p, x);
	case LOSS_SPPO_HARD:
		return sppo_hard(p, x);
	case LOSS_APO_ZERO:
		return apo_zero(p, x);
	case LOSS_APO_DOWN:
		return apo_down(p, x);
	case LOSS_DISCOPOP:
		return discopop(p, x);
	case LOSS_SIGMOID_NORM:
		return sigmoid_norm(p, x);
	case LOSS_SIMPO:
		return simpo(p, x);
	case LOSS_CPO:
		return cpo(p, x);
	case LOSS_ORPO:
		return orpo(p, x);
	case LOSS_ALPHAPO:
		return alphapo(p, x);
	case LOSS_SLIC:
		return slic(p, x);
	case LOSS_DPOP:
		return dpop(p, x);
	case LOSS_FLOOR:
		return floor_loss(x);
	default:
		return sigmoid(p, x);
	}
}
