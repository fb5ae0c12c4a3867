#include "cmd/cmd_metrics.h"

#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "io/json.h"

static void put(struct buf *b, const char *prefix, const char *key, double x)
{
	buf_add_fmt(b, "%s\"%s%s\":", b->len > 1 ? "," : "", prefix, key);
	json_put_number(b, x);
}

double metrics_mean(double sum, double n)
{
	return n > 0 ? sum / n : 0;
}

static void put_side(struct buf *b, const char *prefix, const char *name, const struct judge_side *side)
{
	char key[40];

	snprintf(key, sizeof key, "logps/%s", name);
	put(b, prefix, key, metrics_mean(side->logp, (double)side->completions));
	snprintf(key, sizeof key, "logits/%s", name);
	put(b, prefix, key, metrics_mean(side->logit, (double)side->counted));
}

/* The change of chosen log-probs by token: of all, and of short, medium and long ones; of those that there are. */
static void put_change(struct buf *b, const char *prefix, const struct judge_classes *c)
{
	static const struct {
		const char *key;
		int from, to;
	} all[] = {{"change/chosen", 0, 3}, {"change/chosen_short", 0, 1}, {"change/chosen_medium", 1, 2},
		{"change/chosen_long", 2, 3}};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		double change = judge_change(c, all[i].from, all[i].to);

		if (!isnan(change))
			put(b, prefix, all[i].key, change);
	}
}

static void put_common(struct buf *b, const char *prefix, const struct loss *l, const struct judge_step *s)
{
	const struct judge_side *w = &s->chosen, *r = &s->rejected;
	double chosen = metrics_mean(w->reward, (double)w->completions);
	double rejected = metrics_mean(r->reward, (double)r->completions);

	put(b, prefix, "loss", metrics_mean(s->loss, s->loss_weight));
	put(b, prefix, "entropy", metrics_mean(s->entropy, (double)(w->counted + r->counted)));
	put(b, prefix, "mean_token_accuracy", metrics_mean(w->hits, (double)w->counted));
	put_side(b, prefix, "chosen", w);
	if (loss_completions(l, 2) == 1)
		return;
	put_side(b, prefix, "rejected", r);
	put(b, prefix, "rewards/chosen", chosen);
	put(b, prefix, "rewards/rejected", rejected);
	if (s->compared)
		put(b, prefix, "rewards/accuracies", metrics_mean(s->right, (double)s->compared));
	put(b, prefix, "rewards/margins",
		s->compared ? metrics_mean(s->margin, (double)s->compared) : chosen - rejected);
	put_change(b, prefix, &s->classes);
	if (loss_has(l, LOSS_KTO))
		put(b, prefix, "kl", metrics_mean(s->kl, (double)s->examples));
	if (loss_has(l, LOSS_BCO))
		put(b, prefix, "delta", metrics_mean(s->delta, (double)s->examples));
}

static int write_line(struct journal *to, struct buf *b, struct err *err)
{
	int rc;

	buf_add_str(b, "}\n");
	rc = buf_check(b, err) || journal_add(to, b->data, b->len, err) ? -1 : 0;
	buf_release(b);
	return rc;
}

static void begin_line(struct buf *b, int64_t step, double epoch)
{
	buf_add_char(b, '{');
	put(b, "", "step", (double)step);
	put(b, "", "epoch", epoch);
}

int metrics_train(struct metrics *m, int64_t step, double epoch, double lr, int64_t tokens,
	const struct judge_step *s, struct err *err)
{
	struct buf b = BUF_INIT;

	if (m->log.fd < 0)
		return 0;
	begin_line(&b, step, epoch);
	put_common(&b, "", m->loss, s);
	put(&b, "", "grad_norm", metrics_mean(s->grad_norm, (double)s->examples));
	put(&b, "", "learning_rate", lr);
	put(&b, "", "num_tokens", (double)tokens);
	return write_line(&m->log, &b, err);
}

int metrics_eval(struct metrics *m, int64_t step, double epoch, const struct judge_step *s, struct err *err)
{
	struct buf b = BUF_INIT;

	if (m->log.fd < 0)
		return 0;
	begin_line(&b, step, epoch);
	put_common(&b, "eval_", m->loss, s);
	return write_line(&m->log, &b, err);
}

/* ---- records */

static void put_of(struct buf *b, const char *key, const char *side, double x)
{
	char name[40];

	snprintf(name, sizeof name, "%s/%s", key, side);
	put(b, "", name, x);
}

/* The change of each counted token's log-prob since the reference. */
static void put_ratios(struct buf *b, const char *side, const struct logp_row *rows, const float *ref, int64_t n)
{
	buf_add_fmt(b, ",\"log_ratios/%s\":[", side);
	for (int64_t t = 0; t < n; t++) {
		buf_add_str(b, t ? "," : "");
		json_put_number(b, (double)rows[t].logp - (double)ref[t]);
	}
	buf_add_char(b, ']');
}

/* Completion c, whose counted tokens begin at token. */
static void put_completion(struct buf *b, const struct metrics *m, const struct judge *j, int64_t i, int c,
	const char *side, const struct logp_row *rows, int64_t token)
{
	const struct loss_example *item = &j->items[i];
	const struct example *e = j->examples[i];

	put_of(b, "logps", side, item->raw[c]);
	if (e->ref)
		put_of(b, "ref_logps", side, (double)e->ref[c]);
	if (loss_completions(m->loss, 2) > 1)
		put_of(b, "rewards", side, judge_reward(j, i, c));
	put_of(b, "tokens", side, (double)item->n[c]);
	put_of(b, "gradient", side, (item->gp[c] + item->graw[c]) * (double)j->step.examples);
	if (m->tokens)
		put_ratios(b, side, rows + token, e->ref_tokens + token, item->n[c]);
}

/* Returns where the next one's rows begin. */
static const struct logp_row *put_record(
	struct buf *b, const struct metrics *m, const struct judge *j, int64_t i, const struct logp_row *rows)
{
	static const char *const sides[] = {"chosen", "rejected"};
	const struct loss_example *item = &j->items[i];
	int64_t token = 0;
	int found[2] = {-1, -1};

	buf_add_fmt(b, ",\"id\":\"%016llx\"", (unsigned long long)j->examples[i]->id);
	put(b, "", "loss", item->loss);
	for (int c = 0; c < item->k; c++) {
		int side = loss_side(item->k, item->label, c);

		if (side >= 0) {
			put_completion(b, m, j, i, c, sides[side], rows, token);
			found[side] = c;
		}
		token += item->n[c];
	}
	if (found[0] >= 0 && found[1] >= 0)
		put(b, "", "rewards/margins", judge_reward(j, i, found[0]) - judge_reward(j, i, found[1]));
	return rows + token;
}

int metrics_records(struct metrics *m, int64_t step, double epoch, const struct trainer *t, struct err *err)
{
	const struct judge *j = trainer_judge(t);
	const struct logp_row *rows = trainer_rows(t);

	for (int64_t i = 0; m->records.fd >= 0 && i < j->added; i++) {
		struct buf b = BUF_INIT;

		begin_line(&b, step, epoch);
		rows = put_record(&b, m, j, i, rows);
		if (write_line(&m->records, &b, err))
			return -1;
	}
	return 0;
}
