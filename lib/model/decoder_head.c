/*
 * The decoder's head, without keeping logits: a part's rows by a block of outputs, at which it looks while they are in its
 * cache. The backward pass computes them again, and makes gradients of them there.
 */
#include "model/decoder_impl.h"

void decoder_logits(struct decoder *d, int64_t first, int64_t n)
{
	const struct arch *a = &d->m->arch;
	struct mat w = model_head(d->m);

	decoder_product(d, d->logits, w.out, d->head + first * w.in, &w, model_vector(d->m, ROLE_HEAD, 0, true), n, false);
	if (a->logit_cap != 0)
		d->ops->soft_cap(d->ops, d->logits, n * w.out, a->logit_cap);
}

struct looking {
	const struct decoder *d;
	const struct pack *p;
	struct mat w; /* outputs from at on, laid out */
	int64_t at;
	/* The backward pass's: what outer() needs, unless NULL; and all outputs' gradients, if they are trained. */
	const struct logp_row *rows;
	const float *dlogp;
	char *dy, *x;
	float *sums, *dw, *dbias;
};

/* The next outputs of l->w from i on, LOGP_BLOCK of them or the last, with their place in its tiles. */
static struct mat block(const struct looking *l, int64_t i)
{
	const struct ops *ops = l->d->ops;
	struct mat passed = mat_part(&l->w, 0, i), w;

	w = mat_part(&l->w, i, l->w.out - i < LOGP_BLOCK ? l->w.out - i : LOGP_BLOCK);
	w.tiles = l->w.tiles ? (const char *)l->w.tiles + ops->tiles(ops, &passed, false) : NULL;
	return w;
}

/* The slot's logits: of n rows from from on, at those outputs. */
static float *look_at(const struct looking *l, const struct mat *w, int64_t i, int64_t from, int64_t n, int64_t slot)
{
	const struct decoder *d = l->d;
	const float *bias = model_vector(d->m, ROLE_HEAD, 0, true);
	float *logits = d->logits + slot * d->ops->part(d->ops, l->p->counted) * LOGP_BLOCK, cap = d->m->arch.logit_cap;

	decoder_product(d, logits, w->out, d->head + from * w->in, w, bias ? bias + l->at + i : NULL, n, false);
	if (cap != 0)
		d->ops->soft_cap(d->ops, logits, n * w->out, cap);
	return logits;
}

/* The next outputs, laid out; false behind the last. */
static bool next_outputs(struct looking *l)
{
	const struct decoder *d = l->d;
	struct mat all = model_head(d->m);
	struct tilings t = {0};

	l->at += l->w.out;
	if (l->at == all.out)
		return false;
	l->w = mat_part(&all, l->at, all.out - l->at < DECODER_HEAD ? all.out - l->at : DECODER_HEAD);
	if (d->head_tiles) {
		d->ops->tile_later(d->ops, &t, d->head_tiles, &l->w, false);
		d->ops->tile(d->ops, &t);
		l->w.tiles = d->head_tiles;
	}
	return true;
}

static void look_at_part(void *arg, int64_t from, int64_t n, int64_t slot)
{
	const struct looking *l = arg;
	const struct ops *ops = l->d->ops;

	for (int64_t i = 0; i < l->w.out; i += LOGP_BLOCK) {
		struct mat w = block(l, i);
		const float *logits = look_at(l, &w, i, from, n, slot);

		ops->logp_add(ops, l->d->sums + from, logits, l->p->target + from, n, l->at + i, w.out);
	}
}

void decoder_look(struct decoder *d, const struct pack *p, struct logp_row *rows)
{
	struct looking l = {.d = d, .p = p};

	while (next_outputs(&l))
		d->ops->each_part(d->ops, p->counted, look_at_part, &l, NULL);
	d->ops->logp_end(d->ops, rows, d->sums, p->target, p->counted, d->m->arch.vocab);
}

/* ---- backward */

static int64_t turned_block(const struct looking *l)
{
	struct mat first = block(l, 0);

	return l->d->ops->tiles(l->d->ops, &first, true);
}

static void turn_blocks(const struct looking *l)
{
	const struct decoder *d = l->d;
	char *to = d->head_turned;

	for (int64_t i = 0; to && i < l->w.out; i += LOGP_BLOCK, to += turned_block(l)) {
		struct mat w = block(l, i);
		struct tilings t = {0};

		d->ops->tile_later(d->ops, &t, to, &w, true);
		d->ops->tile(d->ops, &t);
	}
}

/* What the head's own gradients need of dy, the logits' gradients, and of the rows that made them. */
static void see(const struct looking *l, const float *dy, int64_t i, int64_t from, int64_t n, const struct mat *w)
{
	const struct ops *ops = l->d->ops;
	const float *x = l->d->head + from * w->in;
	int64_t counted = l->p->counted;

	if (!l->dy) {
		ops->linear_backward_w(ops, l->dw + (l->at + i) * w->in, l->dbias ? l->dbias + l->at + i : NULL, dy, w->out,
			x, w->in, w, n);
		return;
	}
	ops->lay_columns(ops, l->dy + ops->columns(ops, i, counted), dy, w->out, w->out, counted, from, n, false);
	if (l->at + i == 0)
		ops->lay_columns(ops, l->x, x, w->in, w->in, counted, from, n, true);
	if (l->dbias)
		ops->sum_rows(ops, l->sums + i * ops->sums(ops, counted), dy, w->out, w->out, from, n);
}

static void look_back_at_part(void *arg, int64_t from, int64_t n, int64_t slot)
{
	const struct looking *l = arg;
	const struct decoder *d = l->d;
	const struct ops *ops = d->ops;

	for (int64_t i = 0; i < l->w.out; i += LOGP_BLOCK) {
		struct mat w = block(l, i);
		float *dy = look_at(l, &w, i, from, n, slot);

		ops->logp_backward(ops, dy, l->rows + from, l->dlogp + from, l->p->target + from, n, l->at + i, w.out,
			d->m->arch.logit_cap);
		if (l->dw)
			see(l, dy, i, from, n, &w);
		w.tiles = d->head_turned ? d->head_turned + i / LOGP_BLOCK * turned_block(l) : NULL;
		ops->linear_backward_x(ops, d->dhead + from * w.in, w.in, dy, w.out, &w, n, l->at + i > 0);
	}
}

/* The outputs' gradients, from what was seen of all rows. */
static void sum_outputs(const struct looking *l)
{
	const struct ops *ops = l->d->ops;
	struct outer outer = {l->dw + l->at * l->w.in, l->dy, l->w.out, l->x, l->w.in};
	int64_t sums = ops->sums(ops, l->p->counted);

	ops->outers(ops, &outer, 1, l->p->counted);
	for (int64_t i = 0; l->dbias && i < l->w.out; i += LOGP_BLOCK) {
		struct mat w = block(l, i);

		ops->linear_backward_w(ops, NULL, l->dbias + l->at + i, l->sums + i * sums, w.out, NULL, 0, &w, sums);
	}
}

int64_t decoder_look_columns(const struct decoder *d, int64_t counted)
{
	const struct ops *ops = d->ops;
	bool bias = model_vector(d->m, ROLE_HEAD, 0, true);

	return ops->columns(ops, DECODER_HEAD, counted) + ops->columns(ops, d->m->arch.hidden, counted) +
	       (bias ? ops->sums(ops, counted) * DECODER_HEAD * (int64_t)sizeof(float) : 0);
}

void decoder_look_back(struct decoder *d, const struct pack *p, const struct logp_row *rows, const float *dlogp, float *grads)
{
	const struct ops *ops = d->ops;
	struct looking l = {.d = d, .p = p, .rows = rows, .dlogp = dlogp, .dy = d->columns};

	l.dw = decoder_grad(d, grads, d->m->arch.tied ? ROLE_EMBED : ROLE_HEAD, 0, false);
	l.dbias = decoder_grad(d, grads, ROLE_HEAD, 0, true);
	if (l.dy) {
		l.x = l.dy + ops->columns(ops, DECODER_HEAD, p->counted);
		l.sums = (float *)(void *)(l.x + ops->columns(ops, d->m->arch.hidden, p->counted));
	}
	while (next_outputs(&l)) {
		turn_blocks(&l);
		ops->each_part(ops, p->counted, look_back_at_part, &l, NULL);
		if (l.dy && l.dw)
			sum_outputs(&l);
	}
}
