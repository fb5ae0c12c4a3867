#include "cmd/cmd_evallogp.h"

static void put_kl_row(
	struct table *t, const struct logp_eval *e, const char *name, const struct reward_kl *kl)
{
	table_add(t, "%s", name);
	for (int i = 0; i < REWARD_ESTIMATES; i++) {
		table_number(t, stats_mean_value(&kl->k[i]), 4, "");
		table_interval(t, reward_kl_interval(kl, i, e->o->level), 1, 4, "");
	}
	table_row(t);
}

void logp_put_kl(struct buf *out, const struct logp_eval *e, const struct reward *r)
{
	const char *const heads[] = {"KL, had the policy written", "mean r", "interval", "r^2/2",
		"interval", "exp(-r)-1+r", "interval", NULL};
	struct table t = TABLE_INIT;

	eval_put_heads(&t, e->o->level, heads);
	if (r->pairs) {
		put_kl_row(&t, e, "chosen", &r->chosen.kl);
		put_kl_row(&t, e, "rejected", &r->rejected.kl);
	}
	put_kl_row(&t, e, "all, by record", &r->kl);
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
}

void logp_put_given(struct buf *out, const struct logp_eval *e, const struct reward *r)
{
	const char *const heads[] = {
		"score, by record", "mean", "interval", "standard deviation", NULL};
	struct table t = TABLE_INIT;

	eval_put_heads(&t, e->o->level, heads);
	table_add(&t, "%s", e->o->score);
	table_number(&t, stats_sample_mean(&r->given), 4, "");
	table_interval(&t, stats_sample_interval(&r->given, e->o->level), 1, 4, "");
	table_number(&t, stats_sample_sd(&r->given), 4, "");
	table_row(&t);
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
}

void logp_put_record_heads(struct table *t, const struct logp_eval *e)
{
	table_add(t, "records");
	if (e->reference) {
		table_add(t, "KL: mean r");
		table_add(t, "%g %% interval", 100 * e->o->level);
		table_add(t, "exp(-r)-1+r");
		table_add(t, "%g %% interval", 100 * e->o->level);
	}
	if (e->o->score) {
		table_add(t, "%s", e->o->score);
		table_add(t, "%g %% interval", 100 * e->o->level);
	}
	table_row(t);
}

void logp_put_record_row(struct table *t, const struct logp_eval *e, struct reward *r)
{
	const double level = e->o->level;

	table_count(t, r->records);
	if (e->reference) {
		table_number(t, stats_mean_value(&r->kl.k[REWARD_K1]), 4, "");
		table_interval(t, reward_kl_interval(&r->kl, REWARD_K1, level), 1, 4, "");
		table_number(t, stats_mean_value(&r->kl.k[REWARD_K3]), 4, "");
		table_interval(t, reward_kl_interval(&r->kl, REWARD_K3, level), 1, 4, "");
	}
	if (e->o->score) {
		table_number(t, stats_sample_mean(&r->given), 4, "");
		table_interval(t, stats_sample_interval(&r->given, level), 1, 4, "");
	}
	table_row(t);
}
