#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd_evallogp.h"

/* ---- the table: a name and columns of numbers; "-" where there is none */

static void put_cell(struct buf *out, double x, int decimals, const char *unit)
{
	int width = 12 - (int)strlen(unit);

	if (isnan(x))
		buf_add_fmt(out, "%12s", "-");
	else
		buf_add_fmt(out, "%*.*f%s", width, decimals, x, unit);
}

static void put_interval(
	struct buf *out, struct stats_interval i, double factor, int decimals, const char *unit)
{
	if (isnan(i.low))
		buf_add_fmt(out, "%4s", "-");
	else
		buf_add_fmt(out, "   %.*f to %.*f%s", decimals, factor * i.low, decimals,
			factor * i.high, unit);
}

static void put_rate(struct buf *out, const struct stats_rate *r, double level)
{
	put_cell(out, 100 * stats_rate_value(r), 2, " %");
	put_interval(out, stats_rate_wilson(r, level), 100, 2, " %");
	buf_add_char(out, '\n');
}

static void put_tally(struct buf *out, const char *name, const struct reward_tally *t, double level)
{
	buf_add_fmt(out, "%-24s%12" PRIu64 "%12" PRIu64 "%12" PRIu64, name, t->wins, t->ties,
		t->losses);
	put_rate(out, &t->decided, level);
	buf_add_fmt(out, "%-60s", "  ties as half a win");
	put_rate(out, &t->half, level);
}

static void put_sides(struct buf *out, const char *name, double chosen, double rejected)
{
	buf_add_fmt(out, "%-24s", name);
	put_cell(out, chosen, 4, "");
	put_cell(out, rejected, 4, "");
}

static void put_means(struct buf *out, const char *name, const struct reward *r,
	const struct stats_sample *chosen, const struct stats_sample *rejected)
{
	put_sides(out, name, stats_sample_mean(chosen), stats_sample_mean(rejected));
	buf_add_char(out, '\n');
	put_sides(out, "  per token", reward_per_token(&r->chosen, chosen),
		reward_per_token(&r->rejected, rejected));
	buf_add_char(out, '\n');
}

static double mean_tokens(const struct reward_side *s)
{
	return s->policy.n ? (double)s->tokens / (double)s->policy.n : NAN;
}

static void put_scores(struct buf *out, const char *name, struct reward *r, double level)
{
	const struct stats_sample *chosen = &r->chosen.score, *rejected = &r->rejected.score;

	put_sides(out, name, stats_sample_mean(chosen), stats_sample_mean(rejected));
	put_cell(out, stats_sample_mean(&r->margin), 4, "");
	put_interval(out, stats_bootstrap_interval(&r->bootstrap, level), 1, 4, "");
	buf_add_char(out, '\n');
	put_sides(out, "  standard deviation", stats_sample_sd(chosen), stats_sample_sd(rejected));
	put_cell(out, stats_sample_sd(&r->margin), 4, "");
	buf_add_char(out, '\n');
	put_sides(out, "  per token", reward_per_token(&r->chosen, chosen),
		reward_per_token(&r->rejected, rejected));
	buf_add_char(out, '\n');
}

static void put_ratios(struct buf *out, const struct reward *r)
{
	put_means(out, "log-prob, policy", r, &r->chosen.policy, &r->rejected.policy);
	put_means(out, "log-prob, reference", r, &r->chosen.reference, &r->rejected.reference);
	put_means(out, "log-ratio", r, &r->chosen.ratio, &r->rejected.ratio);
	buf_add_fmt(out, "%-24s", "  fell");
	put_cell(out, 100 * logp_share_fell(&r->chosen), 2, " %");
	put_cell(out, 100 * logp_share_fell(&r->rejected), 2, " %");
	buf_add_char(out, '\n');
}

static void put_loss(struct buf *out, const struct reward *r)
{
	buf_add_fmt(out, "%-48s", "DPO loss (ln 2 = 0.6931 untrained)");
	put_cell(out, stats_sample_mean(&r->loss), 4, "");
	buf_add_str(out, "\n");
}

/* ---- what is behind them */

static void put_length_row(
	struct table *t, const char *name, const struct margins_tally *c, double level)
{
	table_add(t, "%s", name);
	table_count(t, c->wins + c->ties + c->losses);
	table_number(t, 100 * stats_rate_value(&c->rate), 2, " %");
	table_interval(t, stats_rate_wilson(&c->rate, level), 100, 2, " %");
	table_row(t);
}

/* effect: at least how much the pairs of a record are alike, which is not kept for each number of tokens. */
static void put_quantile(
	struct table *t, const struct margins_quantile *q, double effect, double level)
{
	const double wins = (double)q->tally.wins, decided = wins + (double)q->tally.losses;

	table_add(t, "%" PRIu64 " to %" PRIu64 " tokens", q->from, q->to);
	table_count(t, q->tally.wins + q->tally.ties + q->tally.losses);
	table_number(t, decided > 0 ? 100 * wins / decided : NAN, 2, " %");
	table_interval(t, stats_wilson(wins / effect, decided / effect, level), 100, 2, " %");
	table_row(t);
}

static void put_length(struct buf *out, const struct logp_model *model, double level)
{
	const struct margins *m = &model->margins;
	const char *const heads[] = {"by length", "pairs", "win rate", "interval", NULL};
	struct margins_quantile q[LOGP_QUANTILES];
	struct margins_line line = margins_line(m);
	const double effect = fmax(1, stats_rate_effect(&model->reward.sequence.decided));
	struct table t = TABLE_INIT;

	eval_put_heads(&t, level, heads);
	put_length_row(&t, "chosen is longer", &m->length[CHOSEN_LONGER], level);
	put_length_row(&t, "same length", &m->length[SAME_LENGTH], level);
	put_length_row(&t, "chosen is shorter", &m->length[CHOSEN_SHORTER], level);
	for (int i = 0, n = margins_quantiles(m, LOGP_QUANTILES, q); i < n; i++)
		put_quantile(&t, &q[i], effect, level);
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
	table_add(&t, "the longer one is the chosen one");
	table_number(&t, 100 * margins_longer_rule(m), 2, " %");
	table_row(&t);
	table_add(&t, "the policy prefers the longer one");
	table_number(&t, 100 * margins_prefers_longer(m), 2, " %");
	table_row(&t);
	table_add(&t, "win rate, longer and shorter weighed alike");
	table_number(&t, 100 * margins_balanced(m), 2, " %");
	table_row(&t);
	table_add(&t, "the margins' variance that length explains");
	table_number(&t, 100 * line.r2, 2, " %");
	table_row(&t);
	table_add(&t, "margin at equal length");
	table_number(&t, line.intercept, 4, "");
	table_row(&t);
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
}

static void put_calibration(struct buf *out, const struct logp_eval *e, const struct margins *m)
{
	const char *const heads[] = {
		"sigmoid(margin) or 1 - it", "pairs", "said", "won", "interval", NULL};
	double factor = margins_best_factor(m);
	struct table t = TABLE_INIT;

	eval_put_heads(&t, e->o->level, heads);
	for (int i = 0; i < MARGINS_BINS; i++) {
		const struct margins_bin *b = &m->bin[i];
		const double n = b->right.trials;

		if (!(n > 0))
			continue;
		table_add(&t, "%.2f to %.2f", 0.5 + 0.5 * i / MARGINS_BINS,
			0.5 + 0.5 * (i + 1) / MARGINS_BINS);
		table_count(&t, (uint64_t)n);
		table_number(&t, 100 * b->confidence / n, 2, " %");
		table_number(&t, 100 * stats_rate_value(&b->right), 2, " %");
		table_interval(&t, stats_rate_wilson(&b->right, e->o->level), 100, 2, " %");
		table_row(&t);
	}
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
	buf_add_fmt(out, "\ncalibration error %.2f %%; ", 100 * margins_calibration_error(m));
	if (isnan(factor))
		buf_add_str(out, "no beta from 2^-8 to 2^8 times this one predicts best\n");
	else
		buf_add_fmt(out, "beta %.4g would predict best\n", factor * e->o->beta);
}

static void put_displacement(struct buf *out, const struct logp_eval *e, const struct margins *m)
{
	const char *const heads[] = {
		"log-probs against the reference", "pairs", "share", "interval", NULL};
	static const char *const move[2][2] = {{"both rose", "chosen rose, rejected fell"},
		{"chosen fell, rejected rose", "both fell"}};
	struct table t = TABLE_INIT;

	eval_put_heads(&t, e->o->level, heads);
	for (int c = 0; c < 2; c++)
		for (int r = 0; r < 2; r++) {
			const struct margins_tally *of = &m->fell[c][r];

			table_add(&t, "%s", move[c][r]);
			table_count(&t, of->wins);
			table_number(&t, 100 * stats_rate_value(&of->rate), 2, " %");
			table_interval(&t, stats_rate_wilson(&of->rate, e->o->level), 100, 2, " %");
			table_row(&t);
		}
	put_length_row(&t, "displaced: won, though chosen fell", &m->displaced, e->o->level);
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
}

/* ---- one policy */

/* Means by side, and how they compare. */
static void put_sides_table(struct buf *out, const struct logp_eval *e, struct reward *r)
{
	const double level = e->o->level;

	buf_add_fmt(out, "\n%-24s%12s%12s%12s%12s   %g %% interval\n", "", "wins", "ties", "losses",
		"win rate", 100 * level);
	put_tally(out, e->reference ? "reward" : "log-prob", &r->sequence, level);
	put_tally(out, e->reference ? "reward per token" : "log-prob per token", &r->token, level);
	buf_add_fmt(out, "\n%-24s%12s%12s%12s   %g %% interval\n", "", "chosen", "rejected",
		"margin", 100 * level);
	put_scores(out, e->reference ? "reward" : "log-prob (nats)", r, level);
	if (e->reference)
		put_ratios(out, r);
	put_sides(out, "tokens", mean_tokens(&r->chosen), mean_tokens(&r->rejected));
	buf_add_char(out, '\n');
	if (e->reference)
		put_loss(out, r);
}

static void put_single_mean(struct buf *out, const char *name, const struct reward_side *side,
	const struct stats_sample *s)
{
	buf_add_fmt(out, "%-24s", name);
	put_cell(out, stats_sample_mean(s), 4, "");
	buf_add_fmt(out, "\n%-24s", "  per token");
	put_cell(out, reward_per_token(side, s), 4, "");
	buf_add_char(out, '\n');
}

static void put_single(struct buf *out, const struct logp_eval *e, const struct reward_side *side)
{
	buf_add_fmt(out, "\n%-24s%12s\n", "", "single");
	put_single_mean(
		out, e->reference ? "log-prob, policy" : "log-prob (nats)", side, &side->policy);
	if (e->reference) {
		put_single_mean(out, "log-prob, reference", side, &side->reference);
		put_single_mean(out, "log-ratio", side, &side->ratio);
		buf_add_fmt(out, "%-24s", "  fell");
		put_cell(out, 100 * logp_share_fell(side), 2, " %");
		buf_add_char(out, '\n');
	}
	buf_add_fmt(out, "%-24s", "tokens");
	put_cell(out, mean_tokens(side), 4, "");
	buf_add_char(out, '\n');
}

static void put_reference(struct buf *out, const struct logp_eval *e)
{
	if (!e->reference)
		buf_add_str(out, "no reference");
	else if (logp_has_sides(e))
		buf_add_fmt(out, "reference '%s', beta %g", e->o->reference, e->o->beta);
	else
		buf_add_fmt(out, "reference '%s'", e->o->reference);
	buf_add_str(out, e->reference && e->n > 1 ? "; r: log-ratio\n" : "\n");
}

static void put_one(struct buf *out, const struct logp_eval *e, struct logp_model *m)
{
	struct reward *r = &m->reward;

	buf_add_fmt(out, "policy '%s', ", m->policy);
	put_reference(out, e);
	buf_add_fmt(out, "%" PRIu64 " records, %" PRIu64 " pairs", r->records, r->pairs);
	if (r->labelled)
		buf_add_fmt(out, ", %" PRIu64 " labelled completions", r->labelled);
	if (r->single.policy.n)
		buf_add_fmt(out, ", %" PRIu64 " single completions", r->single.policy.n);
	buf_add_char(out, '\n');
	if (logp_has_sides(e))
		put_sides_table(out, e, r);
	if (r->single.policy.n)
		put_single(out, e, &r->single);
	if (r->pairs)
		put_length(out, m, e->o->level);
	if (r->pairs && e->reference) {
		put_displacement(out, e, &m->margins);
		put_calibration(out, e, &m->margins);
	}
	if (e->reference && (r->pairs || r->single.policy.n))
		logp_put_kl(out, e, r);
	if (e->o->score)
		logp_put_given(out, e, r);
}

/* ---- several */

static void put_name(struct table *t, const struct logp_eval *e, const struct logp_model *m)
{
	if (m->file && e->policies > 1)
		table_add(t, "%s: %s", m->file, m->policy);
	else
		table_add(t, "%s", m->file ? m->file : m->policy);
}

static void put_row(struct table *t, const struct logp_eval *e, struct reward *r)
{
	const double level = e->o->level;

	table_count(t, r->pairs);
	table_count(t, r->sequence.ties);
	table_number(t, 100 * stats_rate_value(&r->sequence.decided), 2,
		reward_doubts(r, level) & REWARD_UNDECIDED ? " %?" : " %");
	table_interval(t, stats_rate_wilson(&r->sequence.decided, level), 100, 2, " %");
	table_number(t, 100 * stats_rate_value(&r->token.decided), 2, " %");
	table_number(t, stats_sample_mean(&r->margin), 4, "");
	table_interval(t, stats_bootstrap_interval(&r->bootstrap, level), 1, 4, "");
	if (e->reference) {
		table_number(t, stats_sample_mean(&r->chosen.ratio), 4, "");
		table_number(t, stats_sample_mean(&r->rejected.ratio), 4, "");
		table_number(t, 100 * logp_share_fell(&r->chosen), 2, " %");
		table_number(t, stats_sample_mean(&r->loss), 4, "");
	}
	table_row(t);
}

static void put_row_heads(struct table *t, const struct logp_eval *e)
{
	const char *const heads[] = {
		"pairs", "ties", "win rate", "interval", "per token", "margin", "interval", NULL};
	const char *const more[] = {"chosen r", "rejected r", "chosen fell", "loss", NULL};

	for (const char *const *h = heads; *h; h++)
		if (strcmp(*h, "interval"))
			table_add(t, "%s", *h);
		else
			table_add(t, "%g %% interval", 100 * e->o->level);
	for (const char *const *h = more; e->reference && *h; h++)
		table_add(t, "%s", *h);
	table_row(t);
}

/* What tables of several say of each. */
struct columns {
	void (*heads)(struct table *t, const struct logp_eval *e);
	void (*row)(struct table *t, const struct logp_eval *e, struct reward *r);
	bool shown;
};

#define TABLES 2

static void find_tables(const struct logp_eval *e, struct columns tables[TABLES])
{
	tables[0] = (struct columns){put_row_heads, put_row, logp_has_sides(e)};
	tables[1] = (struct columns){
		logp_put_record_heads, logp_put_record_row, logp_has_singles(e) || e->o->score};
}

static void put_models(struct buf *out, struct logp_eval *e, const struct columns *how)
{
	struct table t = TABLE_INIT;

	table_add(&t, "policy");
	how->heads(&t, e);
	for (size_t i = 0; i < e->n; i++) {
		put_name(&t, e, &e->all[i]);
		how->row(&t, e, &e->all[i].reward);
	}
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
}

static void put_paired(struct buf *out, const struct logp_eval *e)
{
	const char *const heads[] = {"the same pairs", "against", "only it wins", "only the other",
		"difference", "interval", "McNemar's p", "margin", "interval", NULL};
	struct table t = TABLE_INIT;

	eval_put_heads(&t, e->o->level, heads);
	for (size_t i = 0; i < e->n; i++) {
		struct paired *p = &e->all[i].paired;

		if (i % e->policies == 0)
			continue;
		put_name(&t, e, &e->all[i]);
		table_add(&t, "%s", e->all[i - i % e->policies].policy);
		table_count(&t, p->second);
		table_count(&t, p->first);
		table_number(&t, 100 * paired_difference(p), 2, " %");
		table_interval(&t, paired_difference_interval(p, e->o->level), 100, 2, " %");
		table_add(&t, "%.3g", paired_mcnemar(p->first, p->second));
		table_number(&t, stats_sample_mean(&p->margins), 4, "");
		table_interval(&t, stats_bootstrap_interval(&p->margin, e->o->level), 1, 4, "");
		table_row(&t);
	}
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
}

static void put_groups(struct buf *out, struct logp_eval *e, const struct columns *how)
{
	struct table t = TABLE_INIT;

	table_add(&t, "%s", e->o->by);
	if (e->n > 1)
		table_add(&t, "policy");
	how->heads(&t, e);
	for (int g = 0; g < e->groups.n; g++)
		for (size_t i = 0; i < e->n; i++) {
			if ((size_t)g >= e->all[i].ngroups)
				continue;
			table_add(&t, "%s", names_get(&e->groups, g));
			if (e->n > 1)
				put_name(&t, e, &e->all[i]);
			how->row(&t, e, &e->all[i].groups[g]);
		}
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
}

void logp_put_text(struct buf *out, struct logp_eval *e)
{
	struct columns tables[TABLES];
	unsigned doubts = 0;

	find_tables(e, tables);
	if (e->n == 1)
		put_one(out, e, &e->all[0]);
	else
		put_reference(out, e);
	for (int i = 0; e->n > 1 && i < TABLES; i++)
		if (tables[i].shown)
			put_models(out, e, &tables[i]);
	if (e->policies > 1 && tables[0].shown)
		put_paired(out, e);
	for (int i = 0; e->o->by && i < TABLES; i++)
		if (tables[i].shown)
			put_groups(out, e, &tables[i]);
	for (size_t i = 0; i < e->n; i++)
		doubts |= logp_find_doubts(e, &e->all[i]);
	eval_put_doubts(out, logp_doubts, doubts);
}
