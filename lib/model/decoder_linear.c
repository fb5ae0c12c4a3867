/*
 * The decoder's matrix products: a role's matrix, and what the model's adapter adds to it. What an adapter makes of
 * its input is computed again in the backward pass, which is cheaper than to keep it.
 */
#include <string.h>

#include "model/decoder_impl.h"

/* A pass that generates has rows that see nothing of each other, not even by rounding. */
void decoder_product(const struct decoder *d, float *y, int64_t ldy, const float *x, const struct mat *w,
	const float *bias, int64_t rows, bool add)
{
	(d->alone ? d->ops->linear_apart : d->ops->linear_forward)(d->ops, y, ldy, x, w->in, w, bias, rows, add);
}

/* A's input: x, or what dropout leaves of it. */
static const float *wet(const struct decoder *d, const float *x, const struct adapter_part *t, int64_t rows)
{
	struct dropout drop = d->drop;

	if (drop.p == 0)
		return x;
	drop.noise += t->number * 0x9e3779b9u;
	d->ops->drop(d->ops, d->wet, x, &drop, rows, t->a.in);
	return d->wet;
}

/* d->low = scale A x; returns x as A saw it. */
static const float *go_low(const struct decoder *d, const float *x, const struct adapter_part *t, int64_t rows)
{
	const float *in = wet(d, x, t, rows);

	decoder_product(d, d->low, t->a.out, in, &t->a, NULL, rows, false);
	d->ops->scale(d->ops, d->low, t->scale, rows * t->a.out);
	return in;
}

/* d->wide = (W + scale B A) x, after go_low(). */
static void go_wide(const struct decoder *d, const float *x, const struct mat *w, const struct adapter_part *t,
	int64_t rows)
{
	decoder_product(d, d->wide, w->out, x, w, NULL, rows, false);
	decoder_product(d, d->wide, w->out, d->low, &t->b, NULL, rows, true);
}

void decoder_linear(const struct decoder *d, float *y, int64_t ldy, const float *x, enum role role, int l,
	int64_t rows, bool add)
{
	const struct ops *ops = d->ops;
	const float *bias = model_vector(d->m, role, l, true);
	struct mat w = model_mat(d->m, role, l);
	struct adapter_part t;

	w.tiles = d->tiled[role];
	if (!adapter_of(d->m, role, l, &t)) {
		decoder_product(d, y, ldy, x, &w, bias, rows, add);
		return;
	}
	go_low(d, x, &t, rows);
	/* Before it moved, the same steps as without it, so that in BF16 too the same comes out, to the bit. */
	if (t.gains && t.moved) {
		go_wide(d, x, &w, &t, rows);
		ops->stretch_forward(ops, y, ldy, d->wide, t.gains, bias, rows, w.out, add);
		return;
	}
	decoder_product(d, y, ldy, x, &w, bias, rows, add);
	decoder_product(d, y, ldy, d->low, &t.b, NULL, rows, true);
}

/* The magnitudes' gradients; d->wide becomes the gradient of what they were multiplied with. */
static void magnitude_back(const struct decoder *d, float *grads, const float *dy, int64_t ldy,
	const struct adapter_part *t, int64_t rows)
{
	float *dgain = d->dgain;

	memset(dgain, 0, sizeof *dgain * (size_t)t->b.out);
	d->ops->stretch_backward(d->ops, d->wide, dgain, dy, ldy, d->wide, t->gains, rows, t->b.out);
	for (int64_t i = 0; i < t->b.out; i++)
		if (t->norms[i] > 0)
			grads[t->grad_magnitude + (size_t)i] += dgain[i] / t->norms[i];
}

/* ---- gradients of matrices that are made of all rows at once, which come part by part */

/* The next n bytes of d->columns, on a cache line. */
static char *take(const struct decoder *d, int64_t *at, int64_t n)
{
	char *p = d->columns ? d->columns + *at : NULL;

	*at += (n + 63) / 64 * 64;
	return p;
}

int64_t decoder_place_seen(struct decoder *d, int half, int64_t rows)
{
	const struct ops *ops = d->ops;
	int64_t at = 0;

	for (const enum role *role = decoder_halves[half]; *role != ROLE_COUNT; role++) {
		struct mat w = model_mat(d->m, *role, 0);
		struct seen *s = &d->seen[*role];
		enum role first = decoder_reader(*role);

		if (!w.data)
			continue;
		s->dy = take(d, &at, ops->columns(ops, w.out, rows));
		s->x = first == *role ? take(d, &at, ops->columns(ops, w.in, rows)) : d->seen[first].x;
		s->bias = NULL;
		if (model_vector(d->m, *role, 0, true))
			s->bias = (float *)(void *)take(d, &at, ops->sums(ops, rows) * w.out * (int64_t)sizeof(float));
	}
	return at;
}

static void see(const struct decoder *d, const float *dy, int64_t ldy, const float *x, enum role role, const struct mat *w,
	int64_t rows)
{
	const struct ops *ops = d->ops;
	const struct seen *s = &d->seen[role];

	ops->lay_columns(ops, s->dy, dy, ldy, w->out, d->pass_rows, d->from, rows, w->in_first);
	if (decoder_reader(role) == role)
		ops->lay_columns(ops, s->x, x, w->in, w->in, d->pass_rows, d->from, rows, !w->in_first);
	if (s->bias)
		ops->sum_rows(ops, s->bias, dy, ldy, w->out, d->from, rows);
}

void decoder_sum_seen(const struct decoder *d, float *grads, int half, int l)
{
	const struct ops *ops = d->ops;
	struct outer outer[TILINGS];
	int n = 0;

	for (const enum role *role = decoder_halves[half]; *role != ROLE_COUNT; role++) {
		struct mat w = model_mat(d->m, *role, l);
		const struct seen *s = &d->seen[*role];
		float *dw = decoder_grad(d, grads, *role, l, false), *dbias = decoder_grad(d, grads, *role, l, true);

		if (!w.data)
			continue;
		outer[n++] = w.in_first ? (struct outer){dw, s->x, w.in, s->dy, w.out} : (struct outer){dw, s->dy, w.out, s->x, w.in};
		if (dbias)
			ops->linear_backward_w(ops, NULL, dbias, s->bias, w.out, NULL, 0, &w, ops->sums(ops, d->pass_rows));
	}
	ops->outers(ops, outer, n, d->pass_rows);
}

void decoder_linear_back(const struct decoder *d, float *grads, float *dx, const float *dy, int64_t ldy,
	const float *x, enum role role, int l, int64_t rows, bool add)
{
	const struct ops *ops = d->ops;
	struct mat w = model_mat(d->m, role, l);
	struct adapter_part t;
	const float *in;

	w.tiles = d->tiled[role];
	if (!adapter_of(d->m, role, l, &t)) {
		if (d->columns)
			see(d, dy, ldy, x, role, &w, rows);
		else
			ops->linear_backward_w(ops, decoder_grad(d, grads, role, l, false),
				decoder_grad(d, grads, role, l, true), dy, ldy, x, w.in, &w, rows);
		ops->linear_backward_x(ops, dx, w.in, dy, ldy, &w, rows, add);
		return;
	}
	in = go_low(d, x, &t, rows);
	if (t.gains) {
		go_wide(d, x, &w, &t, rows);
		magnitude_back(d, grads, dy, ldy, &t, rows);
		dy = d->wide;
		ldy = w.out;
	}
	ops->linear_backward_w(ops, grads + t.grad_b, NULL, dy, ldy, d->low, t.b.in, &t.b, rows);
	ops->linear_backward_x(ops, d->low, t.b.in, dy, ldy, &t.b, rows, false);
	ops->scale(ops, d->low, t.scale, rows * t.b.in);
	ops->linear_backward_w(ops, grads + t.grad_a, NULL, d->low, t.b.in, in, t.a.in, &t.a, rows);
	ops->linear_backward_x(ops, dx, w.in, dy, ldy, &w, rows, add);
	if (d->drop.p == 0) {
		ops->linear_backward_x(ops, dx, w.in, d->low, t.a.out, &t.a, rows, true);
		return;
	}
	ops->linear_backward_x(ops, d->wet, w.in, d->low, t.a.out, &t.a, rows, false);
	wet(d, d->wet, &t, rows);
	ops->add(ops, dx, d->wet, rows * w.in);
}
