#include <math.h>

#include "cmd/cmd_evallogp.h"

static void json_tally(
	struct buf *out, const char *name, const struct reward_tally *t, double level)
{
	eval_json_key(out, "by_", name);
	buf_add_char(out, '{');
	eval_json_number(out, "", "wins", (double)t->wins);
	eval_json_number(out, "", "ties", (double)t->ties);
	eval_json_number(out, "", "losses", (double)t->losses);
	eval_json_number(out, "", "rate", stats_rate_value(&t->decided));
	eval_json_interval(out, "", "rate_interval", stats_rate_wilson(&t->decided, level));
	eval_json_number(out, "", "rate_ties_half", stats_rate_value(&t->half));
	eval_json_interval(out, "", "rate_ties_half_interval", stats_rate_wilson(&t->half, level));
	buf_add_char(out, '}');
}

/* group/chosen, group/rejected, group/single, and the same per token. */
static void json_means(struct buf *out, const char *group, const struct reward *r,
	const struct stats_sample *chosen, const struct stats_sample *rejected,
	const struct stats_sample *single)
{
	eval_json_number(out, group, "/chosen", stats_sample_mean(chosen));
	eval_json_number(out, group, "/rejected", stats_sample_mean(rejected));
	eval_json_number(out, group, "/single", stats_sample_mean(single));
	eval_json_number(out, group, "_per_token/chosen", reward_per_token(&r->chosen, chosen));
	eval_json_number(
		out, group, "_per_token/rejected", reward_per_token(&r->rejected, rejected));
	eval_json_number(out, group, "_per_token/single", reward_per_token(&r->single, single));
}

/* Means apart, since without a reference the score is the log-prob, whose means stand there anyway.
 */
static void json_spread(struct buf *out, const char *group, struct reward *r, double level)
{
	eval_json_number(out, group, "/chosen_sd", stats_sample_sd(&r->chosen.score));
	eval_json_number(out, group, "/rejected_sd", stats_sample_sd(&r->rejected.score));
	eval_json_number(out, group, "/accuracies",
		r->pairs ? (double)r->sequence.wins / (double)r->pairs : NAN);
	eval_json_number(out, group, "/margins", stats_sample_mean(&r->margin));
	eval_json_number(out, group, "/margins_sd", stats_sample_sd(&r->margin));
	eval_json_interval(
		out, group, "/margins_interval", stats_bootstrap_interval(&r->bootstrap, level));
}

static void json_kl(struct buf *out, const struct logp_eval *e, const struct reward *r)
{
	static const char *const names[3] = {"k1", "k2", "k3"}, *const of[3] = {"chosen",
									"rejected", "all"};
	const struct reward_kl *kl[3] = {&r->chosen.kl, &r->rejected.kl, &r->kl};

	eval_json_open(out, "kl", '{');
	for (int i = 0; i < 3; i++) {
		eval_json_open(out, of[i], '{');
		for (int j = 0; j < REWARD_ESTIMATES; j++) {
			eval_json_number(out, "", names[j], stats_mean_value(&kl[i]->k[j]));
			eval_json_interval(out, names[j], "_interval",
				reward_kl_interval(kl[i], j, e->o->level));
		}
		eval_json_close(out, '}');
	}
	eval_json_close(out, '}');
}

static void json_policy(struct buf *out, const struct logp_eval *e, struct reward *r)
{
	const bool two = e->reference;

	eval_json_number(out, "", "tokens/chosen", (double)r->chosen.tokens);
	eval_json_number(out, "", "tokens/rejected", (double)r->rejected.tokens);
	eval_json_number(out, "", "tokens/single", (double)r->single.tokens);
	json_tally(out, two ? "reward" : "logp", &r->sequence, e->o->level);
	json_tally(out, two ? "reward_per_token" : "logp_per_token", &r->token, e->o->level);
	json_means(out, "logps", r, &r->chosen.policy, &r->rejected.policy, &r->single.policy);
	json_spread(out, two ? "rewards" : "logps", r, e->o->level);
	if (two) {
		json_means(
			out, "rewards", r, &r->chosen.score, &r->rejected.score, &r->single.score);
		json_means(out, "ref_logps", r, &r->chosen.reference, &r->rejected.reference,
			&r->single.reference);
		json_means(out, "log_ratio", r, &r->chosen.ratio, &r->rejected.ratio,
			&r->single.ratio);
		eval_json_number(out, "fell", "/chosen", logp_share_fell(&r->chosen));
		eval_json_number(out, "fell", "/rejected", logp_share_fell(&r->rejected));
		eval_json_number(out, "fell", "/single", logp_share_fell(&r->single));
		eval_json_number(out, "", "loss", stats_sample_mean(&r->loss));
		json_kl(out, e, r);
	}
	if (e->o->score) {
		eval_json_number(out, "", "score", stats_sample_mean(&r->given));
		eval_json_interval(
			out, "", "score_interval", stats_sample_interval(&r->given, e->o->level));
		eval_json_number(out, "", "score_sd", stats_sample_sd(&r->given));
	}
}

static void json_outcomes(struct buf *out, double wins, double ties, double losses)
{
	eval_json_number(out, "", "wins", wins);
	eval_json_number(out, "", "ties", ties);
	eval_json_number(out, "", "losses", losses);
}

static void json_length(struct buf *out, const struct margins *m, double level)
{
	static const char *const names[MARGINS_LENGTHS] = {
		"chosen_longer", "same_length", "chosen_shorter"};
	struct margins_line line = margins_line(m);
	struct margins_quantile q[LOGP_QUANTILES];

	eval_json_open(out, "length", '{');
	for (int i = 0; i < MARGINS_LENGTHS; i++) {
		const struct margins_tally *t = &m->length[i];

		eval_json_open(out, names[i], '{');
		json_outcomes(out, (double)t->wins, (double)t->ties, (double)t->losses);
		eval_json_number(out, "", "rate", stats_rate_value(&t->rate));
		eval_json_interval(out, "", "rate_interval", stats_rate_wilson(&t->rate, level));
		eval_json_close(out, '}');
	}
	eval_json_number(out, "", "longer_is_chosen", margins_longer_rule(m));
	eval_json_number(out, "", "prefers_longer", margins_prefers_longer(m));
	eval_json_number(out, "", "balanced_rate", margins_balanced(m));
	eval_json_number(out, "", "margin_r2", line.r2);
	eval_json_number(out, "", "margin_per_token", line.slope);
	eval_json_number(out, "", "margin_at_equal_length", line.intercept);
	eval_json_open(out, "quantiles", '[');
	for (int i = 0, n = margins_quantiles(m, LOGP_QUANTILES, q); i < n; i++) {
		const struct margins_length_tally *t = &q[i].tally;
		double pairs = (double)t->wins + (double)t->ties + (double)t->losses;

		eval_json_open(out, NULL, '{');
		eval_json_number(out, "", "from", (double)q[i].from);
		eval_json_number(out, "", "to", (double)q[i].to);
		json_outcomes(out, (double)t->wins, (double)t->ties, (double)t->losses);
		eval_json_number(out, "", "margin", t->margin / pairs);
		eval_json_close(out, '}');
	}
	eval_json_close(out, ']');
	eval_json_close(out, '}');
}

static void json_calibration(struct buf *out, const struct logp_eval *e, const struct margins *m)
{
	eval_json_open(out, "calibration", '{');
	eval_json_number(out, "", "error", margins_calibration_error(m));
	eval_json_number(out, "", "best_beta", e->o->beta * margins_best_factor(m));
	eval_json_open(out, "bins", '[');
	for (int i = 0; i < MARGINS_BINS; i++) {
		const struct margins_bin *b = &m->bin[i];

		if (!(b->right.trials > 0))
			continue;
		eval_json_open(out, NULL, '{');
		eval_json_number(out, "", "pairs", b->right.trials);
		eval_json_number(out, "", "confidence", b->confidence / b->right.trials);
		eval_json_number(out, "", "accuracy", stats_rate_value(&b->right));
		eval_json_interval(
			out, "", "accuracy_interval", stats_rate_wilson(&b->right, e->o->level));
		eval_json_close(out, '}');
	}
	eval_json_close(out, ']');
	eval_json_close(out, '}');
}

static void json_displacement(struct buf *out, const struct margins *m, double level)
{
	eval_json_open(out, "displacement", '{');
	eval_json_number(out, "", "both_rose", (double)m->fell[0][0].wins);
	eval_json_number(out, "", "chosen_rose_rejected_fell", (double)m->fell[0][1].wins);
	eval_json_number(out, "", "chosen_fell_rejected_rose", (double)m->fell[1][0].wins);
	eval_json_number(out, "", "both_fell", (double)m->fell[1][1].wins);
	eval_json_number(out, "", "chosen_fell", stats_rate_value(&m->chosen_fell.rate));
	eval_json_interval(
		out, "", "chosen_fell_interval", stats_rate_wilson(&m->chosen_fell.rate, level));
	eval_json_number(out, "", "displaced", stats_rate_value(&m->displaced.rate));
	eval_json_interval(
		out, "", "displaced_interval", stats_rate_wilson(&m->displaced.rate, level));
	eval_json_close(out, '}');
}

static void json_groups(struct buf *out, const struct logp_eval *e, struct logp_model *m)
{
	eval_json_open(out, "by", '[');
	for (size_t g = 0; g < m->ngroups; g++) {
		struct reward *r = &m->groups[g];

		eval_json_open(out, NULL, '{');
		eval_json_string(out, "group", names_get(&e->groups, (int)g));
		eval_json_number(out, "", "records", (double)r->records);
		eval_json_number(out, "", "pairs", (double)r->pairs);
		json_policy(out, e, r);
		eval_json_close(out, '}');
	}
	eval_json_close(out, ']');
}

static void json_paired(
	struct buf *out, const struct logp_eval *e, struct logp_model *m, const char *against)
{
	struct paired *p = &m->paired;

	eval_json_open(out, "paired", '{');
	eval_json_string(out, "against", against);
	eval_json_number(out, "", "both_win", (double)p->both);
	eval_json_number(out, "", "only_it_wins", (double)p->second);
	eval_json_number(out, "", "only_the_other_wins", (double)p->first);
	eval_json_number(out, "", "neither_wins", (double)p->neither);
	eval_json_number(out, "", "difference", paired_difference(p));
	eval_json_interval(
		out, "", "difference_interval", paired_difference_interval(p, e->o->level));
	eval_json_number(out, "", "mcnemar_p", paired_mcnemar(p->first, p->second));
	eval_json_number(out, "", "margin_difference", stats_sample_mean(&p->margins));
	eval_json_interval(out, "", "margin_difference_interval",
		stats_bootstrap_interval(&p->margin, e->o->level));
	eval_json_close(out, '}');
}

static void json_model(struct buf *out, const struct logp_eval *e, size_t i)
{
	struct logp_model *m = &e->all[i];
	struct reward *r = &m->reward;

	if (m->file)
		eval_json_string(out, "file", m->file);
	eval_json_number(out, "", "records", (double)r->records);
	eval_json_number(out, "", "pairs", (double)r->pairs);
	eval_json_number(out, "", "labelled", (double)r->labelled);
	eval_json_number(out, "", "single", (double)r->single.policy.n);
	eval_json_string(out, "policy", m->policy);
	eval_json_string(out, "reference", e->reference ? e->o->reference : NULL);
	eval_json_number(out, "", "beta", e->reference ? e->o->beta : NAN);
	eval_json_number(out, "", "level", e->o->level);
	eval_json_number(out, "", "bootstrap", (double)e->o->resamples);
	eval_json_number(out, "", "seed", (double)e->o->seed);
	json_policy(out, e, r);
	json_length(out, &m->margins, e->o->level);
	if (e->reference) {
		json_displacement(out, &m->margins, e->o->level);
		json_calibration(out, e, &m->margins);
	}
	if (i % e->policies)
		json_paired(out, e, m, e->all[i - i % e->policies].policy);
	if (e->o->by)
		json_groups(out, e, m);
	eval_json_doubts(out, logp_doubts, logp_find_doubts(e, m));
}

void logp_put_json(struct buf *out, struct logp_eval *e)
{
	buf_add_char(out, '{');
	if (e->n == 1) {
		json_model(out, e, 0);
	} else {
		eval_json_open(out, "models", '[');
		for (size_t i = 0; i < e->n; i++) {
			eval_json_open(out, NULL, '{');
			json_model(out, e, i);
			eval_json_close(out, '}');
		}
		eval_json_close(out, ']');
	}
	buf_add_str(out, "}\n");
}
