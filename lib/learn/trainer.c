#include "learn/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

#define DROPOUT_STREAM 0xd409u /* of random numbers */

struct trainer {
	struct model *m;
	const struct ops *ops;
	struct trainer_options o;
	struct decoder *decoder;
	struct optimizer *optimizer;
	float *grads, *average; /* [model_trained(m)->count] */
	bool given_back; /* the gradient's memory, which is 0 */
	struct pack pack;
	struct judge judge;
	struct logp_row *rows; /* of the batch */
	float *dlogp;
	size_t rows_cap, dlogp_cap;
};

static enum decoder_memory kept(const struct trainer_options *o)
{
	return o->recompute ? DECODER_KEEP_INPUTS : DECODER_KEEP;
}

struct trainer *trainer_new(struct model *m, const struct ops *ops, const struct trainer_options *o,
	struct err *err)
{
	struct trainer *t = mem_new(1, sizeof *t, err);
	size_t n = model_trained(m)->count;

	if (!t)
		return NULL;
	*t = (struct trainer){.m = m, .ops = ops, .o = *o, .pack = PACK_INIT, .judge = JUDGE_INIT};
	t->judge.loss = &t->o.loss;
	memcpy(t->judge.length, o->length, sizeof t->judge.length);
	t->decoder = decoder_new(m, ops, kept(o), err);
	t->optimizer = optimizer_new(&o->optimizer, model_trained(m), ops, err);
	t->grads = mem_new_aligned(n, sizeof *t->grads, err);
	if (o->average > 0)
		t->average = mem_new_aligned(n, sizeof *t->average, err);
	if (!t->decoder || !t->optimizer || !t->grads || (o->average > 0 && !t->average)) {
		trainer_free(t);
		return NULL;
	}
	if (t->average)
		memcpy(t->average, model_trained_weights(m), n * sizeof *t->average);
	return t;
}

void trainer_free(struct trainer *t)
{
	if (!t)
		return;
	decoder_free(t->decoder);
	optimizer_free(t->optimizer);
	pack_release(&t->pack);
	judge_release(&t->judge);
	free(t->grads);
	free(t->average);
	free(t->rows);
	free(t->dlogp);
	free(t);
}

/* Floats of the largest part of the gradient that is complete at once, and of those that are not until the end. */
static size_t fused_floats(const struct params *p)
{
	size_t first = 0, layer = 0, largest = 0;
	int l = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct param *q = &p->param[i];

		if (params_place(q) != 1) {
			first += q->count;
			continue;
		}
		layer = q->layer == l ? layer + q->count : q->count;
		l = q->layer;
		largest = layer > largest ? layer : largest;
	}
	return first + largest;
}

int trainer_memory(const struct model *m, const struct ops *ops, const struct trainer_options *o, int64_t rows,
	int64_t counted, int64_t longest, bool single, size_t *bytes, struct err *err)
{
	const struct params *p = model_trained(m);
	bool fused = o->fuse && single && !m->adapter;
	size_t floats = (o->average > 0 ? 2 : 1) * p->count + (fused ? fused_floats(p) : p->count);
	struct decoder *d = decoder_new(m, ops, kept(o), err);

	if (!d)
		return -1;
	*bytes = (m->adapter ? model_memory(m) : 0) + floats * sizeof(float) + optimizer_memory(&o->optimizer, p) +
		decoder_memory(d, rows, counted, longest);
	decoder_free(d);
	return 0;
}

int trainer_reserve(struct trainer *t, int64_t rows, int64_t counted, int64_t longest, struct err *err)
{
	return decoder_reserve(t->decoder, rows, counted, longest, err);
}

const struct logp_row *trainer_rows(const struct trainer *t)
{
	return t->rows;
}

const struct judge *trainer_judge(const struct trainer *t)
{
	return &t->judge;
}

void trainer_add_term(struct trainer *t, const struct loss_term *term)
{
	t->o.loss.term[t->o.loss.n++] = *term;
}

struct optimizer *trainer_optimizer(struct trainer *t)
{
	return t->optimizer;
}

float *trainer_average(struct trainer *t)
{
	return t->average;
}

struct loss_state *trainer_loss_state(struct trainer *t)
{
	return &t->judge.state;
}

static int64_t steps_of(const struct trainer *t)
{
	return optimizer_steps(t->optimizer);
}

/* ---- a pass over a batch */

struct pass {
	struct trainer *t;
	const struct example *batch;
	int64_t n;
	bool learn, fused;
	double lr, square; /* fused: of the gradient's parts so far */
	/* The micro-batch: examples from from to to, whose counted tokens begin at first, and all of them at row. */
	int64_t from, to, first, counted, row;
};

static int64_t counted(const struct trainer *t, const struct example *e)
{
	int64_t n = 0;

	for (int c = 0; c < loss_completions(&t->o.loss, e->k); c++)
		n += example_counted(e, c);
	return n;
}

static int check_example(const struct trainer *t, const struct example *e, struct err *err)
{
	const char *misfit = loss_misfit(&t->o.loss, e->k, e->label);
	unsigned long long id = e->id;

	if (misfit)
		return err_set(err, ERR_MISMATCH, "record %016llx has %d completion%s: %s", id, e->k, e->k == 1 ? "" : "s",
			misfit);
	for (int c = 0; c < loss_completions(&t->o.loss, e->k); c++)
		if (example_counted(e, c) < 1)
			return err_set(err, ERR_FAILED, "record %016llx: completion %d has no token that counts", id, c + 1);
	return 0;
}

static int begin(struct pass *p, struct err *err)
{
	struct trainer *t = p->t;
	int64_t tokens = 0, first = 0, completions = 0, rows = 0;

	pack_clear(&t->pack);
	for (int64_t i = 0; i < p->n; i++) {
		if (check_example(t, &p->batch[i], err))
			return -1;
		tokens += counted(t, &p->batch[i]);
		first += example_counted(&p->batch[i], 0);
		completions += loss_completions(&t->o.loss, p->batch[i].k);
		rows += pack_rows(p->batch[i].seg, loss_completions(&t->o.loss, p->batch[i].k));
	}
	if (mem_grow(&t->rows, &t->rows_cap, (size_t)tokens, sizeof *t->rows, err) ||
		mem_grow(&t->dlogp, &t->dlogp_cap, (size_t)tokens, sizeof *t->dlogp, err))
		return -1;
	p->fused = p->learn && t->o.fuse && rows <= t->o.batch_tokens;
	t->judge.gate = t->o.gate && p->learn && steps_of(t) == 0;
	return judge_begin(&t->judge, p->n, completions, first, err);
}

/* Packs the next micro-batch; false at the end. */
static bool next(struct pass *p, struct err *err, int *rc)
{
	struct trainer *t = p->t;

	p->from = p->to;
	p->first += p->counted;
	p->counted = 0;
	p->row += t->pack.rows;
	pack_clear(&t->pack);
	for (; p->to < p->n && *rc == 0; p->to++) {
		const struct example *e = &p->batch[p->to];
		int k = loss_completions(&t->o.loss, e->k);

		if (p->to > p->from && t->pack.rows + pack_rows(e->seg, k) > t->o.batch_tokens)
			break;
		*rc = pack_add(&t->pack, e->tokens, e->seg, k, e->uncounted, err);
		p->counted += counted(t, e);
	}
	return *rc == 0 && p->to > p->from;
}

static void rewind_pass(struct pass *p)
{
	p->from = p->to = p->first = p->counted = p->row = 0;
	pack_clear(&p->t->pack);
}

static int forward(struct pass *p, struct err *err)
{
	struct trainer *t = p->t;
	struct dropout drop = {.first = p->row};

	if (p->learn && steps_of(t) > 0 && t->o.dropout > 0) {
		uint32_t random[4];

		rng_bits(t->o.optimizer.seed, DROPOUT_STREAM, (uint64_t)steps_of(t), random);
		drop.p = (float)t->o.dropout;
		drop.noise = random[0];
	}
	decoder_drop(t->decoder, &drop);
	if (decoder_forward(t->decoder, &t->pack, t->rows + p->first, err) == 0)
		return 0;
	return err_at(err, "step %lld, records from %016llx", (long long)steps_of(t) + 1,
		(unsigned long long)p->batch[p->from].id);
}

static int add(struct pass *p, struct err *err)
{
	struct trainer *t = p->t;
	int64_t at = p->first;

	for (int64_t i = p->from; i < p->to; i++) {
		if (judge_add(&t->judge, &p->batch[i], t->rows + at, steps_of(t), err))
			return -1;
		at += counted(t, &p->batch[i]);
	}
	return 0;
}

/* A part of the gradient is used, and its memory given back. */
static void use_part(void *arg, size_t from, size_t to)
{
	struct pass *p = arg;
	struct trainer *t = p->t;
	const struct params *all = model_trained(t->m);
	const struct param *last = &all->param[to - 1];
	size_t begin = all->param[from].offset, n = last->offset + last->count - begin;
	float *g = t->grads + begin, *weights = model_trained_weights(t->m);

	p->square += t->ops->sum_squares(t->ops, g, (int64_t)n);
	if (!isfinite(p->square))
		return;
	optimizer_step_part(t->optimizer, from, to, weights, t->grads, p->lr, 1);
	if (t->average)
		t->ops->blend(t->ops, t->average + begin, weights + begin, (float)t->o.average, (int64_t)n);
	mem_forget(g, n * sizeof *g);
}

static void backward(struct pass *p)
{
	const struct decoder_listener listener = {use_part, p};
	struct trainer *t = p->t;

	if (p->fused)
		optimizer_begin(t->optimizer);
	decoder_backward(t->decoder, &t->pack, t->rows + p->first, t->dlogp + p->first, t->grads,
		p->fused ? &listener : NULL);
}

/* Evaluates the examples from from to to, whose rows begin at first. */
static int judge(struct pass *p, int64_t from, int64_t to, int64_t first, struct err *err)
{
	struct trainer *t = p->t;

	return judge_eval(&t->judge, from, to, p->learn, p->learn ? t->dlogp + first : NULL, steps_of(t), err);
}

/* Each micro-batch is done with before the next one. */
static int run_by_parts(struct pass *p, struct err *err)
{
	int rc = 0;

	while (next(p, err, &rc)) {
		if (forward(p, err) || add(p, err) || judge(p, p->from, p->to, p->first, err))
			return -1;
		if (p->learn)
			backward(p);
	}
	return rc;
}

/* The loss sees the whole batch before any derivative is known. */
static int run_at_once(struct pass *p, struct err *err)
{
	bool alone = false;
	int rc = 0;

	while (next(p, err, &rc)) {
		alone = p->from == 0 && p->to == p->n;
		if (forward(p, err) || add(p, err))
			return -1;
	}
	if (rc || judge(p, 0, p->n, 0, err))
		return -1;
	if (!p->learn)
		return 0;
	rewind_pass(p);
	while (next(p, err, &rc)) {
		if (!alone && forward(p, err))
			return -1;
		backward(p);
	}
	return rc;
}

static int run(struct pass *p, struct judge_step *s, struct err *err)
{
	int rc = loss_needs_batch(&p->t->o.loss) ? run_at_once(p, err) : run_by_parts(p, err);

	*s = p->t->judge.step;
	return rc;
}

void trainer_swap_average(struct trainer *t)
{
	float *weights = model_trained_weights(t->m);

	if (!t->average)
		return;
	model_set_weights(t->m, t->average);
	t->average = weights;
}

/* The gradient is 0: by work of its own, unless the last step gave it back. */
static void clear_gradient(struct trainer *t, bool fused)
{
	size_t n = model_trained(t->m)->count;

	if (fused && !t->given_back)
		mem_forget(t->grads, n * sizeof *t->grads);
	else if (!fused)
		memset(t->grads, 0, n * sizeof *t->grads);
	t->given_back = fused;
}

/* All of the gradient is used at once. */
static void update(struct pass *p, double norm)
{
	struct trainer *t = p->t;
	float *weights = model_trained_weights(t->m);
	/* As torch's clip_grad_norm_. */
	double scale = t->o.clip > 0 && norm > t->o.clip ? t->o.clip / (norm + 1e-6) : 1;

	optimizer_step(t->optimizer, weights, t->grads, p->lr, scale);
	if (t->average)
		t->ops->blend(t->ops, t->average, weights, (float)t->o.average, (int64_t)model_trained(t->m)->count);
}

int trainer_step(struct trainer *t, const struct example *batch, int64_t n, double lr, struct judge_step *s,
	struct err *err)
{
	struct pass p = {.t = t, .batch = batch, .n = n, .learn = true, .lr = lr};
	long long number = steps_of(t) + 1;
	double norm;

	if (begin(&p, err))
		return -1;
	clear_gradient(t, p.fused);
	if (run(&p, s, err))
		return -1;
	norm = sqrt(p.fused ? p.square : t->ops->sum_squares(t->ops, t->grads, (int64_t)model_trained(t->m)->count));
	if (!isfinite(norm))
		return err_set(err, ERR_FAILED, "step %lld, records from %016llx: the gradient's norm is %g", number,
			(unsigned long long)batch[0].id, norm);
	s->grad_norm = norm * (double)n;
	if (!p.fused)
		update(&p, norm);
	return 0;
}

int trainer_evaluate(struct trainer *t, const struct example *batch, int64_t n, struct judge_step *s,
	struct err *err)
{
	struct pass p = {.t = t, .batch = batch, .n = n};

	return begin(&p, err) || run(&p, s, err) ? -1 : 0;
}
