#include "learn/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* How far the policy may be from the reference before the first update: rounding, not another model. */
#define GATE_ABSOLUTE 1e-3
#define GATE_RELATIVE 1e-4
#define GATE_LOSS 1e-2

int64_t example_counted(const struct example *e, int completion)
{
	return e->seg[completion + 2] - e->seg[completion + 1] - e->uncounted[completion];
}

/* ---- sums */

static void add_side(struct judge_side *a, const struct judge_side *b)
{
	a->completions += b->completions;
	a->counted += b->counted;
	a->logp += b->logp;
	a->reward += b->reward;
	a->logit += b->logit;
	a->hits += b->hits;
}

void judge_step_add(struct judge_step *a, const struct judge_step *b)
{
	a->examples += b->examples;
	a->tokens += b->tokens;
	a->loss += b->loss;
	a->loss_weight += b->loss_weight;
	a->grad_norm += b->grad_norm;
	add_side(&a->chosen, &b->chosen);
	add_side(&a->rejected, &b->rejected);
	a->compared += b->compared;
	a->right += b->right;
	a->margin += b->margin;
	a->entropy += b->entropy;
	a->kl += b->kl;
	a->delta += b->delta;
	for (int i = 0; i < 3; i++) {
		a->classes.change[i] += b->classes.change[i];
		a->classes.counted[i] += b->classes.counted[i];
	}
}

double judge_change(const struct judge_classes *c, int from, int to)
{
	double change = 0, counted = 0;

	for (int i = from; i < to; i++) {
		change += c->change[i];
		counted += c->counted[i];
	}
	return change / counted;
}

/* ---- the batch */

void judge_release(struct judge *j)
{
	loss_state_release(&j->state);
	free(j->items);
	free(j->examples);
	free(j->p);
	free(j->q);
	free(j->raw);
	free(j->gp);
	free(j->graw);
	free(j->n);
	*j = (struct judge)JUDGE_INIT;
}

int judge_begin(struct judge *j, int64_t n, int64_t completions, int64_t first_tokens, struct err *err)
{
	size_t k = (size_t)completions;

	j->step = (struct judge_step){0};
	j->totals = (struct loss_totals){n, first_tokens};
	j->added = j->completions = 0;
	if (loss_state_reserve(&j->state, n, err) ||
		mem_grow(&j->items, &j->cap_items, (size_t)n, sizeof *j->items, err) ||
		mem_grow(&j->examples, &j->cap_examples, (size_t)n, sizeof *j->examples, err) ||
		mem_grow(&j->p, &j->cap_p, k, sizeof *j->p, err) || mem_grow(&j->q, &j->cap_q, k, sizeof *j->q, err) ||
		mem_grow(&j->raw, &j->cap_raw, k, sizeof *j->raw, err) ||
		mem_grow(&j->gp, &j->cap_gp, k, sizeof *j->gp, err) ||
		mem_grow(&j->graw, &j->cap_graw, k, sizeof *j->graw, err) ||
		mem_grow(&j->n, &j->cap_n, k, sizeof *j->n, err))
		return -1;
	return 0;
}

static bool has_reference(const struct judge *j, const struct example *e)
{
	return e->ref && loss_needs_reference(j->loss);
}

/* Of a pair, tokens behind the shorter one's length count less under LD-DPO; others all count. */
static int64_t full_tokens(const struct judge *j, const struct example *e, int c)
{
	int64_t n = example_counted(e, c), other;

	if (j->loss->ld_alpha == 1 || e->k != 2)
		return n;
	other = example_counted(e, 1 - c);
	return n < other ? n : other;
}

/* WPO's weight: how likely the policy would have written it, by token. */
static double likelihood(const struct logp_row *rows, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += rows[i].logp - rows[i].square;
	return exp(sum / (double)n);
}

/* The side that a completion's figures belong to; NULL for neither. */
static struct judge_side *side_of(struct judge *j, const struct example *e, int k, int c)
{
	int side = loss_side(k, e->label, c);

	return side < 0 ? NULL : side == 0 ? &j->step.chosen : &j->step.rejected;
}

static double reward(const struct judge *j, double raw, const struct example *e, int c)
{
	const struct loss_term *t = &j->loss->term[0];
	double beta = t->p.beta > 0 ? t->p.beta : 1;

	if (has_reference(j, e))
		return beta * (raw - (double)e->ref[c]);
	if (t->id == LOSS_SIMPO || t->id == LOSS_ALPHAPO)
		return beta * raw / (double)example_counted(e, c);
	return beta * raw;
}

double judge_reward(const struct judge *j, int64_t i, int c)
{
	return reward(j, j->items[i].raw[c], j->examples[i], c);
}

/* Sums of a completion's rows, into its side and into the item. */
static void add_completion(struct judge *j, const struct example *e, int k, int c, const struct logp_row *rows)
{
	struct judge_side *side = side_of(j, e, k, c), none = {0};
	int64_t n = example_counted(e, c), full = full_tokens(j, e, c), at = j->completions + c;
	double tail = 0;

	if (!side)
		side = &none;
	j->n[at] = n;
	j->raw[at] = 0;
	for (int64_t i = 0; i < n; i++) {
		j->raw[at] += rows[i].logp;
		tail += i >= full ? rows[i].logp : 0;
		side->logit += rows[i].mean;
		side->hits += rows[i].hit;
		j->step.entropy += side == &none ? 0 : rows[i].entropy;
	}
	j->p[at] = j->raw[at] - (1 - j->loss->ld_alpha) * tail;
	side->completions++;
	side->counted += n;
	side->logp += j->raw[at];
	side->reward += reward(j, j->raw[at], e, c);
}

/* The reference's log-prob, its tail weighted as the policy's. */
static double reference(const struct judge *j, const struct example *e, int c)
{
	double q = e->ref[c], tail = 0;
	const float *tokens = e->ref_tokens;

	if (!tokens || j->loss->ld_alpha == 1)
		return q;
	for (int before = 0; before < c; before++)
		tokens += example_counted(e, before);
	for (int64_t i = full_tokens(j, e, c); i < example_counted(e, c); i++)
		tail += tokens[i];
	return q - (1 - j->loss->ld_alpha) * tail;
}

/* Before the first update the policy is the reference, or something is mixed up. */
static int gate(const struct example *e, int c, double logp, struct err *err)
{
	double ref = e->ref[c];

	if (fabs(logp - ref) <= GATE_ABSOLUTE + GATE_RELATIVE * fabs(ref))
		return 0;
	return err_set(err, ERR_MISMATCH,
		"record %016llx: before the first update the policy gives %s completion log-prob %.6g, the reference's "
		"in the stream is %.6g",
		(unsigned long long)e->id, e->k == 2 ? c ? "its rejected" : "its chosen" : "a", logp, ref);
}

static void add_change(struct judge *j, const struct example *e, double logp)
{
	int64_t n = example_counted(e, 0);
	int class = (n >= j->length[0]) + (n >= j->length[1]);

	j->step.classes.change[class] += logp - (double)e->ref[0];
	j->step.classes.counted[class] += (double)n;
}

static int not_finite(const struct example *e, int64_t steps, const char *what, double x, struct err *err)
{
	return err_set(err, ERR_FAILED, "step %lld, record %016llx: %s is %g", (long long)steps + 1,
		(unsigned long long)e->id, what, x);
}

static void compare(struct judge *j, const struct example *e, int k)
{
	double first, last;

	if (k < 2 || side_of(j, e, k, k - 1) != &j->step.rejected)
		return;
	first = reward(j, j->raw[j->completions], e, 0);
	last = reward(j, j->raw[j->completions + k - 1], e, k - 1);
	j->step.compared++;
	j->step.right += first > last;
	j->step.margin += first - last;
}

int judge_add(struct judge *j, const struct example *e, const struct logp_row *rows, int64_t steps, struct err *err)
{
	int k = loss_completions(j->loss, e->k);
	struct loss_example *item = &j->items[j->added];
	int64_t at = j->completions;

	*item = (struct loss_example){.k = k, .p = j->p + at, .raw = j->raw + at, .n = j->n + at, .label = e->label,
		.weight = 1, .gp = j->gp + at, .graw = j->graw + at, .q = has_reference(j, e) ? j->q + at : NULL};
	j->examples[j->added] = e;
	for (int c = 0; c < k; c++) {
		add_completion(j, e, k, c, rows);
		if (!isfinite(j->raw[at + c]))
			return not_finite(e, steps, "a log-prob", j->raw[at + c], err);
		if (item->q)
			j->q[at + c] = reference(j, e, c);
		if (item->q && !isfinite(j->q[at + c]))
			return not_finite(e, steps, "the reference's log-prob", j->q[at + c], err);
		if (item->q && j->gate && gate(e, c, j->raw[at + c], err))
			return -1;
		if (j->loss->wpo)
			item->weight *= likelihood(rows, example_counted(e, c));
		rows += example_counted(e, c);
	}
	compare(j, e, k);
	if (item->q && side_of(j, e, k, 0) == &j->step.chosen)
		add_change(j, e, item->raw[0]);
	j->step.examples++;
	j->step.tokens += e->seg[k + 1] - e->seg[0];
	j->completions += k;
	j->added++;
	return 0;
}

/* ---- evaluation */

/* What the loss would be if the policy were the reference exactly. */
static int check_start(struct judge *j, int64_t from, int64_t to, double loss, struct err *err)
{
	struct loss_state state = {.room = {j->state.room[0], j->state.room[1]}};
	struct loss_seen seen;
	double want, *p = j->p;

	if (!loss_needs_reference(j->loss) || loss_has(j->loss, LOSS_SFT))
		return 0;
	for (int64_t i = from; i < to; i++)
		j->items[i].p = j->items[i].q;
	want = loss_eval(j->loss, &state, false, j->items + from, to - from, &j->totals, &seen);
	for (int64_t i = 0; i < to; p += j->items[i++].k)
		j->items[i].p = p;
	if (fabs(loss - want) <= GATE_LOSS * fmax(1, fabs(want)))
		return 0;
	return err_set(err, ERR_MISMATCH, "before the first update the loss is %.6g instead of %.6g", loss, want);
}

/* The derivative by each counted token of an example; returns where the next one's begin. */
static float *spread(const struct judge *j, int64_t i, float *dlogp)
{
	const struct loss_example *item = &j->items[i];
	double alpha = j->loss->ld_alpha;

	for (int c = 0; c < item->k; c++) {
		int64_t full = full_tokens(j, j->examples[i], c);

		for (int64_t t = 0; t < item->n[c]; t++)
			*dlogp++ = (float)(item->gp[c] * (t < full ? 1 : alpha) + item->graw[c]);
	}
	return dlogp;
}

static int check_item(const struct judge *j, int64_t i, int64_t steps, struct err *err)
{
	const struct loss_example *item = &j->items[i];

	if (!isfinite(item->loss))
		return not_finite(j->examples[i], steps, "its loss", item->loss, err);
	for (int c = 0; c < item->k; c++)
		if (!isfinite(item->gp[c]))
			return not_finite(j->examples[i], steps, "the loss's derivative", item->gp[c], err);
	return 0;
}

int judge_eval(struct judge *j, int64_t from, int64_t to, bool learn, float *dlogp, int64_t steps, struct err *err)
{
	bool tokens = j->loss->n == 1 && loss_has(j->loss, LOSS_SFT);
	double weight = (double)(tokens ? j->totals.tokens : j->totals.examples), loss;
	struct loss_seen seen;

	if (j->gate && loss_needs_reference(j->loss)) {
		struct loss_state start = j->state;

		loss = loss_eval(j->loss, &start, false, j->items + from, to - from, &j->totals, &seen);
		if (check_start(j, from, to, loss, err))
			return -1;
	}
	loss = loss_eval(j->loss, &j->state, learn, j->items + from, to - from, &j->totals, &seen);
	for (int64_t i = from; i < to; i++) {
		if (check_item(j, i, steps, err))
			return -1;
		if (dlogp)
			dlogp = spread(j, i, dlogp);
	}
	j->step.loss += loss * weight;
	j->step.loss_weight = weight;
	j->step.kl += seen.kl * (double)(to - from);
	j->step.delta += seen.delta * (double)(to - from);
	return 0;
}
