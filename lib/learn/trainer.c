#include "learn/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* How far the policy may be from the reference before the first update: rounding, not another model. */
#define GATE_ABSOLUTE 1e-3
#define GATE_RELATIVE 1e-4
#define GATE_LOSS 1e-2

struct trainer {
	struct model *m;
	const struct ops *ops;
	struct trainer_options o;
	struct decoder *decoder;
	float *grads, *moment1, *moment2; /* [m->params.count] */
	int64_t steps;
	struct pack pack;
	struct logp_row *rows; /* of the batch */
	float *dlogp;
	size_t rows_cap, dlogp_cap;
};

struct trainer *trainer_new(struct model *m, const struct ops *ops, const struct trainer_options *o,
	struct err *err)
{
	struct trainer *t = mem_new(1, sizeof *t, err);
	size_t n = m->params.count;

	if (!t)
		return NULL;
	*t = (struct trainer){.m = m, .ops = ops, .o = *o, .pack = PACK_INIT};
	t->decoder = decoder_new(m, ops, true, err);
	t->grads = mem_new_aligned(n, sizeof *t->grads, err);
	t->moment1 = mem_new_aligned(n, sizeof *t->moment1, err);
	t->moment2 = mem_new_aligned(n, sizeof *t->moment2, err);
	if (!t->decoder || !t->grads || !t->moment1 || !t->moment2) {
		trainer_free(t);
		return NULL;
	}
	memset(t->moment1, 0, n * sizeof *t->moment1);
	memset(t->moment2, 0, n * sizeof *t->moment2);
	return t;
}

void trainer_free(struct trainer *t)
{
	if (!t)
		return;
	decoder_free(t->decoder);
	pack_release(&t->pack);
	free(t->grads);
	free(t->moment1);
	free(t->moment2);
	free(t->rows);
	free(t->dlogp);
	free(t);
}

size_t trainer_memory(struct trainer *t, int64_t rows, int64_t counted, int64_t longest)
{
	return 4 * sizeof(float) * t->m->params.count + decoder_memory(t->decoder, rows, counted, longest);
}

const struct logp_row *trainer_rows(const struct trainer *t)
{
	return t->rows;
}

int trainer_completions(const struct trainer_options *o, const struct example *e)
{
	return o->loss.kind == LOSS_SFT ? 1 : e->k;
}

static int64_t counted(const struct example *e, int completion)
{
	return e->seg[completion + 2] - e->seg[completion + 1] - e->uncounted[completion];
}

static int64_t example_counted(const struct trainer *t, const struct example *e)
{
	int64_t n = 0;

	for (int c = 0; c < trainer_completions(&t->o, e); c++)
		n += counted(e, c);
	return n;
}

/* Sums over an example's completion c, whose rows these are. */
struct sums {
	double logp, logit, entropy, hits;
};

static struct sums sum_rows(const struct logp_row *rows, int64_t n)
{
	struct sums s = {0};

	for (int64_t i = 0; i < n; i++) {
		s.logp += rows[i].logp;
		s.logit += rows[i].mean;
		s.entropy += rows[i].entropy;
		s.hits += rows[i].hit;
	}
	return s;
}

static void fill(float *p, int64_t n, double x)
{
	for (int64_t i = 0; i < n; i++)
		p[i] = (float)x;
}

static int not_finite(const struct trainer *t, const struct example *e, const char *what, double x, struct err *err)
{
	return err_set(err, ERR_FAILED, "step %lld, record %016llx: %s is %g", (long long)t->steps + 1,
		(unsigned long long)e->id, what, x);
}

/* Before the first update the policy is the reference, or something is mixed up. */
static int gate(const struct example *e, int c, double logp, struct err *err)
{
	double ref = e->ref[c];

	if (fabs(logp - ref) <= GATE_ABSOLUTE + GATE_RELATIVE * fabs(ref))
		return 0;
	return err_set(err, ERR_MISMATCH,
		"record %016llx: before the first update the policy gives its %s completion log-prob %.6g, the "
		"reference's in the stream is %.6g",
		(unsigned long long)e->id, c ? "rejected" : "chosen", logp, ref);
}

/*
 * One example's part of the loss, whose rows these are: metrics into s as sums, and, where dlogp is not
 * NULL, the loss's derivative by each row. tokens: counted in the whole batch, of n examples.
 */
static int judge(const struct trainer *t, const struct example *e, const struct logp_row *rows, float *dlogp,
	int64_t n, int64_t tokens, struct trainer_step *s, struct err *err)
{
	const struct loss *l = &t->o.loss;
	int64_t nw = counted(e, 0), nl;
	struct sums w = sum_rows(rows, nw), r;
	double gw, gl, loss, rw, rl;

	s->chosen_logp += w.logp;
	s->chosen_logit += w.logit;
	s->entropy += w.entropy;
	s->hits += w.hits;
	s->chosen_counted += nw;
	s->counted += nw;
	if (l->kind == LOSS_SFT) {
		s->loss -= w.logp;
		if (dlogp)
			fill(dlogp, nw, -1.0 / (double)tokens);
		return isfinite(w.logp) ? 0 : not_finite(t, e, "its log-prob", w.logp, err);
	}
	nl = counted(e, 1);
	r = sum_rows(rows + nw, nl);
	loss = loss_pair(l, w.logp, r.logp, e->ref[0], e->ref[1], &gw, &gl);
	if (!isfinite(loss) || !isfinite(gw) || !isfinite(gl))
		return not_finite(t, e, "its loss", loss, err);
	if (dlogp && t->steps == 0 && (gate(e, 0, w.logp, err) || gate(e, 1, r.logp, err)))
		return -1;
	rw = l->beta * (w.logp - e->ref[0]);
	rl = l->beta * (r.logp - e->ref[1]);
	s->loss += loss;
	s->rejected_logp += r.logp;
	s->rejected_logit += r.logit;
	s->entropy += r.entropy;
	s->counted += nl;
	s->chosen_reward += rw;
	s->rejected_reward += rl;
	s->margin += rw - rl;
	s->accuracy += rw > rl;
	if (dlogp) {
		fill(dlogp, nw, gw / (double)n);
		fill(dlogp + nw, nl, gl / (double)n);
	}
	return 0;
}

/* Sums to means. */
static void average(const struct trainer *t, struct trainer_step *s)
{
	int64_t rejected = s->counted - s->chosen_counted;
	double n = (double)s->examples;

	s->loss /= t->o.loss.kind == LOSS_SFT ? (double)s->chosen_counted : n;
	s->chosen_logp /= n;
	s->rejected_logp /= n;
	s->chosen_reward /= n;
	s->rejected_reward /= n;
	s->accuracy /= n;
	s->margin /= n;
	s->chosen_logit /= (double)s->chosen_counted;
	s->rejected_logit /= rejected ? (double)rejected : 1;
	s->entropy /= (double)s->counted;
	s->hits /= (double)s->chosen_counted;
}

static int check_example(const struct trainer *t, const struct example *e, struct err *err)
{
	unsigned long long id = e->id;

	if (t->o.loss.kind != LOSS_SFT && e->k != 2)
		return err_set(err, ERR_MISMATCH, "record %016llx has %d completions; loss '%s' takes pairs", id, e->k,
			loss_names[t->o.loss.kind]);
	for (int c = 0; c < trainer_completions(&t->o, e); c++)
		if (counted(e, c) < 1)
			return err_set(err, ERR_FAILED, "record %016llx: completion %d has no token that counts", id,
				c + 1);
	return 0;
}

/* Forward, and backward where asked for, over the whole batch, micro-batch by micro-batch. */
static int pass(struct trainer *t, const struct example *batch, int64_t n, bool backward, struct trainer_step *s,
	struct err *err)
{
	int64_t tokens = 0, done = 0, end;

	*s = (struct trainer_step){.examples = n};
	for (int64_t i = 0; i < n; i++) {
		if (check_example(t, &batch[i], err))
			return -1;
		tokens += example_counted(t, &batch[i]);
		s->tokens += batch[i].seg[trainer_completions(&t->o, &batch[i]) + 1] - batch[i].seg[0];
	}
	if (mem_grow(&t->rows, &t->rows_cap, (size_t)tokens, sizeof *t->rows, err) ||
		mem_grow(&t->dlogp, &t->dlogp_cap, (size_t)tokens, sizeof *t->dlogp, err))
		return -1;
	for (int64_t i = 0; i < n; i = end) {
		int64_t first = done;

		pack_clear(&t->pack);
		for (end = i; end < n; end++) {
			const struct example *e = &batch[end];
			int k = trainer_completions(&t->o, e);

			if (end > i && t->pack.rows + pack_rows(e->seg, k) > t->o.batch_tokens)
				break;
			if (pack_add(&t->pack, e->tokens, e->seg, k, e->uncounted, err))
				return -1;
		}
		if (decoder_forward(t->decoder, &t->pack, t->rows + first, err))
			return err_at(err, "step %lld, records from %016llx", (long long)t->steps + 1,
				(unsigned long long)batch[i].id);
		for (int64_t j = i; j < end; j++) {
			if (judge(t, &batch[j], t->rows + done, backward ? t->dlogp + done : NULL, n, tokens, s, err))
				return -1;
			done += example_counted(t, &batch[j]);
		}
		if (backward)
			decoder_backward(t->decoder, &t->pack, t->rows + first, t->dlogp + first, t->grads);
	}
	average(t, s);
	return 0;
}

static void update(struct trainer *t, double lr, double norm)
{
	int64_t step = ++t->steps;
	struct adamw o = {
		.lr = (float)lr,
		.beta1 = (float)t->o.beta1,
		.beta2 = (float)t->o.beta2,
		.eps = (float)t->o.eps,
		.correct1 = (float)(1 - pow(t->o.beta1, (double)step)),
		.correct2 = (float)(1 - pow(t->o.beta2, (double)step)),
		/* As torch's clip_grad_norm_. */
		.scale = t->o.clip > 0 && norm > t->o.clip ? (float)(t->o.clip / (norm + 1e-6)) : 1,
	};

	for (size_t i = 0; i < t->m->params.n; i++) {
		const struct param *p = &t->m->params.param[i];

		o.decay = p->decay ? (float)t->o.weight_decay : 0;
		t->ops->adamw(t->ops, t->m->weights + p->offset, t->moment1 + p->offset, t->moment2 + p->offset,
			t->grads + p->offset, (int64_t)p->count, &o);
	}
}

int trainer_step(struct trainer *t, const struct example *batch, int64_t n, double lr, struct trainer_step *s,
	struct err *err)
{
	double start = loss_needs_reference(t->o.loss.kind) ? loss_at_start(&t->o.loss) : 0;

	memset(t->grads, 0, t->m->params.count * sizeof *t->grads);
	if (pass(t, batch, n, true, s, err))
		return -1;
	if (t->steps == 0 && start && fabs(s->loss - start) > GATE_LOSS)
		return err_set(err, ERR_MISMATCH, "before the first update the loss is %.6g instead of %.6g", s->loss,
			start);
	s->grad_norm = sqrt(t->ops->sum_squares(t->ops, t->grads, (int64_t)t->m->params.count));
	if (!isfinite(s->grad_norm))
		return err_set(err, ERR_FAILED, "step %lld, records from %016llx: the gradient's norm is %g",
			(long long)t->steps + 1, (unsigned long long)batch[0].id, s->grad_norm);
	update(t, lr, s->grad_norm);
	return 0;
}

int trainer_evaluate(struct trainer *t, const struct example *batch, int64_t n, struct trainer_step *s,
	struct err *err)
{
	return pass(t, batch, n, false, s, err);
}

static double merge(double a, int64_t na, double b, int64_t nb)
{
	return na + nb ? (a * (double)na + b * (double)nb) / (double)(na + nb) : 0;
}

void trainer_step_merge(struct trainer_step *a, const struct trainer_step *b)
{
	int64_t n = a->examples, k = b->examples;
	int64_t rejected_a = a->counted - a->chosen_counted, rejected_b = b->counted - b->chosen_counted;
	bool pairs = b->counted > b->chosen_counted;

	a->loss = pairs ? merge(a->loss, n, b->loss, k) : merge(a->loss, a->counted, b->loss, b->counted);
	a->grad_norm = merge(a->grad_norm, n, b->grad_norm, k);
	a->chosen_logp = merge(a->chosen_logp, n, b->chosen_logp, k);
	a->rejected_logp = merge(a->rejected_logp, n, b->rejected_logp, k);
	a->chosen_reward = merge(a->chosen_reward, n, b->chosen_reward, k);
	a->rejected_reward = merge(a->rejected_reward, n, b->rejected_reward, k);
	a->accuracy = merge(a->accuracy, n, b->accuracy, k);
	a->margin = merge(a->margin, n, b->margin, k);
	a->chosen_logit = merge(a->chosen_logit, a->chosen_counted, b->chosen_logit, b->chosen_counted);
	a->rejected_logit = merge(a->rejected_logit, rejected_a, b->rejected_logit, rejected_b);
	a->entropy = merge(a->entropy, a->counted, b->entropy, b->counted);
	a->hits = merge(a->hits, a->chosen_counted, b->hits, b->chosen_counted);
	a->examples += k;
	a->tokens += b->tokens;
	a->counted += b->counted;
	a->chosen_counted += b->chosen_counted;
}
