#include "eval/reward.h"

#include <math.h>

/* By how much of a log-prob rounding may move it. */
#define ROUNDING 1e-5

int reward_init(struct reward *r, const struct reward_options *options, struct err *err)
{
	*r = (struct reward){.options = *options};
	return stats_bootstrap_init(&r->bootstrap, options->resamples, options->seed, err);
}

void reward_release(struct reward *r)
{
	stats_bootstrap_release(&r->bootstrap);
}

/* The score before beta, which would only add rounding to comparisons. */
static double raw_score(const struct reward *r, const struct reward_completion *c)
{
	return r->options.reference ? c->policy - c->reference : c->policy;
}

static double raw_token_score(const struct reward *r, const struct reward_completion *c)
{
	return raw_score(r, c) / (c->tokens ? (double)c->tokens : 1);
}

static double scale(const struct reward *r)
{
	return r->options.reference ? r->options.beta : 1;
}

static void compare(struct reward_tally *t, double chosen, double rejected)
{
	t->wins += chosen > rejected;
	t->ties += chosen == rejected;
	t->losses += chosen < rejected;
}

/* What t counts beyond before is a record's. */
static void close_record(struct reward_tally *t, const struct reward_tally *before)
{
	double wins = (double)(t->wins - before->wins), ties = (double)(t->ties - before->ties);
	double losses = (double)(t->losses - before->losses);

	stats_rate_add(&t->decided, wins, wins + losses);
	stats_rate_add(&t->half, wins + ties / 2, wins + ties + losses);
}

static void add_kl(struct reward_kl *kl, double ratio)
{
	kl->open[REWARD_K1] += ratio;
	kl->open[REWARD_K2] += ratio * ratio / 2;
	kl->open[REWARD_K3] += exp(-ratio) - 1 + ratio;
	kl->open_count++;
}

/* The record weighs as much as its completions, or as one. */
static void close_kl(struct reward_kl *kl, bool as_one)
{
	double weight = as_one ? 1 : kl->open_count;

	for (int i = 0; kl->open_count > 0 && i < REWARD_ESTIMATES; i++) {
		stats_mean_add(&kl->k[i], kl->open[i] / kl->open_count * weight, weight);
		kl->open[i] = 0;
	}
	kl->open_count = 0;
}

/* What counts each completion once, and takes records for independent. */
static void add_record(struct reward *r, const struct reward_completion *c, int k)
{
	r->records++;
	for (int i = 0; i < k; i++) {
		r->empty += c[i].tokens == 0;
		if (r->options.reference)
			add_kl(&r->kl, c[i].policy - c[i].reference);
	}
	close_kl(&r->kl, true);
}

static void add_side(struct reward *r, struct reward_side *side, const struct reward_completion *c)
{
	double ratio = c->policy - c->reference;

	stats_sample_add(&side->score, scale(r) * raw_score(r, c));
	stats_sample_add(&side->policy, c->policy);
	if (r->options.reference) {
		stats_sample_add(&side->reference, c->reference);
		stats_sample_add(&side->ratio, ratio);
		add_kl(&side->kl, ratio);
		side->fell += ratio < 0;
		if (fabs(ratio) > ROUNDING * fmax(1, fabs(c->reference)))
			r->differs = true;
	}
	side->tokens += c->tokens;
}

static double softplus(double x)
{
	return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

double reward_margin(const struct reward *r, const struct reward_completion *chosen,
	const struct reward_completion *rejected)
{
	return scale(r) * (raw_score(r, chosen) - raw_score(r, rejected));
}

void reward_add_ranking(struct reward *r, const struct reward_completion *c, int k)
{
	struct reward_tally sequence = r->sequence, token = r->token;
	double margin, sum = 0, pairs = (double)k * (k - 1) / 2;

	add_record(r, c, k);
	for (int i = 0; i < k; i++)
		for (int j = i + 1; j < k; j++) {
			compare(&r->sequence, raw_score(r, &c[i]), raw_score(r, &c[j]));
			compare(&r->token, raw_token_score(r, &c[i]), raw_token_score(r, &c[j]));
			add_side(r, &r->chosen, &c[i]);
			add_side(r, &r->rejected, &c[j]);
			margin = reward_margin(r, &c[i], &c[j]);
			stats_sample_add(&r->margin, margin);
			if (r->options.reference)
				stats_sample_add(&r->loss, softplus(-margin));
			sum += margin;
		}
	close_record(&r->sequence, &sequence);
	close_record(&r->token, &token);
	close_kl(&r->chosen.kl, false);
	close_kl(&r->rejected.kl, false);
	stats_bootstrap_add(&r->bootstrap, sum, pairs);
	r->pairs += (uint64_t)pairs;
}

void reward_add_labelled(struct reward *r, const struct reward_completion *c, bool good)
{
	struct reward_side *side = good ? &r->chosen : &r->rejected;

	add_record(r, c, 1);
	add_side(r, side, c);
	close_kl(&side->kl, false);
	r->labelled++;
}

void reward_add_single(struct reward *r, const struct reward_completion *c)
{
	add_record(r, c, 1);
	add_side(r, &r->single, c);
	close_kl(&r->single.kl, false);
}

void reward_add_given(struct reward *r, const double *scores, int k)
{
	double sum = 0;

	for (int i = 0; i < k; i++)
		sum += scores[i];
	stats_sample_add(&r->given, sum / k);
}

uint64_t reward_paired(const struct reward *r)
{
	return r->records - r->labelled - r->single.policy.n;
}

static double ratio_variance(const struct reward_kl *kl)
{
	double mean = stats_mean_value(&kl->k[REWARD_K1]);

	return 2 * stats_mean_value(&kl->k[REWARD_K2]) - mean * mean;
}

struct stats_interval reward_kl_interval(
	const struct reward_kl *kl, enum reward_estimate which, double level)
{
	struct stats_interval i = {NAN, NAN};

	if (which == REWARD_K1)
		return stats_mean_interval(&kl->k[which], level);
	if (which == REWARD_K3 && ratio_variance(kl) > REWARD_TAME * REWARD_TAME)
		return i;
	i = stats_mean_skewed_interval(&kl->k[which], level);
	if (i.low < 0)
		i.low = 0;
	return i;
}

double reward_per_token(const struct reward_side *side, const struct stats_sample *s)
{
	return side->tokens ? stats_sample_sum(s) / (double)side->tokens : NAN;
}

unsigned reward_doubts(const struct reward *r, double level)
{
	struct stats_interval i = stats_rate_wilson(&r->sequence.decided, level);
	unsigned doubts = 0;

	if (r->pairs == 0 && (r->records == 0 || r->single.policy.n < r->records))
		doubts |= REWARD_NO_PAIRS;
	if (r->pairs && reward_paired(r) < REWARD_ENOUGH)
		doubts |= REWARD_FEW_PAIRS;
	if (r->pairs && r->sequence.ties == r->pairs)
		doubts |= REWARD_ALL_TIES;
	if (r->options.reference && r->records && !r->differs)
		doubts |= REWARD_SAME_COLUMNS;
	if (i.low <= 0.5 && i.high >= 0.5)
		doubts |= REWARD_UNDECIDED;
	if (r->empty)
		doubts |= REWARD_EMPTY;
	return doubts;
}
