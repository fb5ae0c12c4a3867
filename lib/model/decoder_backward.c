#include <string.h>

#include "model/decoder_impl.h"

float *decoder_grad(const struct decoder *d, float *grads, enum role role, int l, bool bias)
{
	size_t skip;
	const struct param *p = params_part(&d->m->params, &d->m->arch, role, l, bias, &skip);

	return p && !d->m->adapter ? grads + p->offset + skip : NULL;
}

/* dx = the gradient through a norm of x, or += it. */
static void norm_back(const struct decoder *d, float *dx, const float *dy, const float *x, const float *stat, enum role role,
	int l, int64_t rows, bool add)
{
	struct norm sizes = decoder_norm(&d->m->arch, role);

	d->ops->norm_backward_x(d->ops, dx, dy, x, stat, model_vector(d->m, role, l, false), rows, &sizes, add);
}

/* The gradients of a norm's own parameters, if the arch has it and they are trained: sums over all rows. */
static void norm_sum(const struct decoder *d, float *grads, const float *dy, const float *x, const float *stat, enum role role,
	int l)
{
	struct norm sizes;

	if (role == ROLE_COUNT || !arch_tensor(&d->m->arch, role) || d->m->adapter)
		return;
	sizes = decoder_norm(&d->m->arch, role);
	d->ops->norm_backward_w(d->ops, decoder_grad(d, grads, role, l, false), decoder_grad(d, grads, role, l, true), dy, x,
		stat, d->pass_rows, &sizes);
}

/* d->dx += d->dnormed, the gradient of what decoder_read() gave, through the norm if there was one. */
static void read_back(struct decoder *d, const struct input *in, int l, int64_t rows)
{
	if (in->norm == ROLE_COUNT)
		d->ops->add(d->ops, d->dx, d->dnormed, rows * d->m->arch.hidden);
	else
		norm_back(d, d->dx, d->dnormed, in->x, in->stat, in->norm, l, rows, true);
}

/* din = the gradient of what went into a half's last matrix, dy being that of the sum it was added to. */
static void half_back(struct decoder *d, float *din, const float *dy, const float *in, enum role role,
	enum role post, const float *out, const float *stat, int l, int64_t rows, float *grads)
{
	if (out) {
		norm_back(d, d->dout, dy, out, stat, post, l, rows, false);
		dy = d->dout;
	}
	decoder_linear_back(d, grads, din, dy, d->m->arch.hidden, in, role, l, rows, false);
}

static void mlp_back(struct decoder *d, const struct layer *y, int l, int64_t rows, float *grads)
{
	const struct arch *a = &d->m->arch;
	const struct ops *ops = d->ops;
	const struct input in = decoder_mlp_input(a, y);
	const float *x;

	if (arch_gated(a))
		ops->load(ops, d->gate, y->gate, rows, a->inner);
	ops->load(ops, d->up, y->up, rows, a->inner);
	decoder_activate(d, rows);
	half_back(d, d->dup, d->dx, d->acted, ROLE_DOWN, ROLE_POST2, y->out2, y->post2, l, rows, grads);
	if (arch_gated(a))
		ops->act_backward(ops, d->dgate, d->dup, d->dup, d->gate, d->up, rows * a->inner, a->act);
	else
		ops->act_backward(ops, d->dup, NULL, d->dup, d->up, NULL, rows * a->inner, a->act);
	x = decoder_read(d, &in, l, rows);
	ops->hold(ops, x);
	decoder_linear_back(d, grads, d->dnormed, d->dup, a->inner, x, ROLE_UP, l, rows, false);
	if (arch_gated(a))
		decoder_linear_back(d, grads, d->dnormed, d->dgate, a->inner, x, ROLE_GATE, l, rows, true);
	ops->hold(ops, NULL);
	read_back(d, &in, l, rows);
}

/* d->dnormed = the gradient of what queries, keys and values were made of. */
static void project_back(struct decoder *d, const struct layer *y, const float *x, int l, int64_t rows, float *grads)
{
	const struct arch *a = &d->m->arch;
	const struct qkv at = decoder_qkv(a);
	float *dq = d->dqkv + at.q, *dk = d->dqkv + at.k, *dv = d->dqkv + at.v;

	if (arch_tensor(a, ROLE_QNORM)) {
		norm_back(d, dq, dq, y->raw, y->qstat, ROLE_QNORM, l, rows, false);
		norm_back(d, dk, dk, y->raw + q_width(a), y->kstat, ROLE_KNORM, l, rows, false);
	}
	if (arch_tensor(a, ROLE_QKV)) {
		decoder_linear_back(d, grads, d->dnormed, d->dqkv, at.ld, x, ROLE_QKV, l, rows, false);
		return;
	}
	d->ops->hold(d->ops, x);
	decoder_linear_back(d, grads, d->dnormed, dq, at.ld, x, ROLE_Q, l, rows, false);
	decoder_linear_back(d, grads, d->dnormed, dk, at.ld, x, ROLE_K, l, rows, true);
	decoder_linear_back(d, grads, d->dnormed, dv, at.ld, x, ROLE_V, l, rows, true);
	d->ops->hold(d->ops, NULL);
}

/* ---- a layer, but for attention part by part */

struct back {
	struct decoder *d;
	const struct layer *y;
	int l;
	float *grads;
};

/* The MLP reads the layer's input in a parallel arch, whose gradient is then not that of the middle. */
static void behind_attention(void *arg, int64_t from, int64_t n, int64_t slot)
{
	const struct back *b = arg;
	struct decoder d;
	struct layer y;
	bool parallel = b->d->m->arch.parallel;

	decoder_slice(b->d, b->y, from, slot, &d, &y);
	if (parallel)
		memcpy(d.dmid, d.dx, sizeof *d.dx * (size_t)(n * d.m->arch.hidden));
	mlp_back(&d, &y, b->l, n, b->grads);
	half_back(&d, d.dattended, parallel ? d.dmid : d.dx, y.attended, ROLE_OUT, ROLE_POST1, y.out1, y.post1, b->l, n, b->grads);
}

static void before_attention(void *arg, int64_t from, int64_t n, int64_t slot)
{
	const struct back *b = arg;
	struct decoder d;
	struct layer y;

	decoder_slice(b->d, b->y, from, slot, &d, &y);
	const struct input in = decoder_attention_input(&d.m->arch, &y);

	project_back(&d, &y, decoder_read(&d, &in, b->l, n), b->l, n, b->grads);
	read_back(&d, &in, b->l, n);
}

/* An adapter's gradients are not made of parts. */
static void each_part(struct back *b, int half, void (*do_part)(void *arg, int64_t from, int64_t n, int64_t slot),
	struct tilings *ahead)
{
	struct decoder *d = b->d;

	if (!d->columns) {
		memset(d->tiled, 0, sizeof d->tiled);
		do_part(b, 0, d->pass_rows, 0);
		return;
	}
	decoder_place_seen(d, half, d->pass_rows);
	decoder_tile(d, half, b->l, true);
	d->ops->each_part(d->ops, d->pass_rows, do_part, b, ahead);
	decoder_sum_seen(d, b->grads, half, b->l);
}

/* What the backward pass of the layer before l begins with, unless that computes its forward pass anew first. */
static struct tilings *next_half(struct decoder *d, int l)
{
	return d->columns && l > 0 && d->memory == DECODER_KEEP ? decoder_ahead(d, 1, l - 1, true) : NULL;
}

/* d->dx: from the gradient of what the layer gave to that of what came in. */
static void layer_back(struct decoder *d, const struct layer *y, int l, const struct pack *p, float *grads)
{
	const struct arch *a = &d->m->arch;
	const struct qkv at = decoder_qkv(a);
	const struct attention sizes = decoder_attention(a, l);
	const struct spans s = decoder_spans(p);
	const struct input first = decoder_attention_input(a, y), second = decoder_mlp_input(a, y);
	struct back b = {d, y, l, grads};
	struct tilings *half = d->columns ? decoder_ahead(d, 0, l, true) : NULL;

	norm_sum(d, grads, d->dx, y->out2, y->post2, ROLE_POST2, l);
	each_part(&b, 1, behind_attention, half);
	norm_sum(d, grads, d->dnormed, second.x, second.stat, second.norm, l);
	norm_sum(d, grads, a->parallel ? d->dmid : d->dx, y->out1, y->post1, ROLE_POST1, l);
	d->ops->attend_backward(d->ops, d->dqkv + at.q, d->dqkv + at.k, d->dqkv + at.v, d->dattended, y->attended,
		y->lse, y->qkv + at.q, y->qkv + at.k, y->qkv + at.v, &sizes, &s, d->scratch, next_half(d, l));
	decoder_turn(d, d->dqkv, l, p->rows, true);
	norm_sum(d, grads, d->dqkv + at.q, y->raw, y->qstat, ROLE_QNORM, l);
	norm_sum(d, grads, d->dqkv + at.k, y->raw + q_width(a), y->kstat, ROLE_KNORM, l);
	each_part(&b, 0, before_attention, next_half(d, l));
	norm_sum(d, grads, d->dnormed, first.x, first.stat, first.norm, l);
}

/* Tells the listener of the parameters that place says: 0 before the layers, 1 layer l, 2 behind them. */
static void tell(const struct decoder *d, const struct decoder_listener *listener, int place, int l)
{
	const struct params *p = &d->m->params;
	size_t from = 0, to;

	if (!listener || d->m->adapter)
		return;
	while (from < p->n && params_place(&p->param[from]) < place)
		from++;
	while (from < p->n && params_place(&p->param[from]) == place && p->param[from].layer < l)
		from++;
	for (to = from; to < p->n && params_place(&p->param[to]) == place && p->param[to].layer == l;)
		to++;
	if (from < to)
		listener->done(listener->arg, from, to);
}

void decoder_backward(struct decoder *d, const struct pack *given, const struct logp_row *rows, const float *dlogp,
	float *grads, const struct decoder_listener *listener)
{
	const struct arch *a = &d->m->arch;
	const struct pack *p = d->is_split ? &d->split : given;

	decoder_forget_tiles(d);
	decoder_look_back(d, p, rows, dlogp, grads);
	memset(d->dnormed, 0, sizeof *d->dnormed * (size_t)(p->rows * a->hidden));
	d->ops->scatter(d->ops, d->dnormed, d->dhead, p->row, p->counted, a->hidden);
	norm_sum(d, grads, d->dnormed, d->last, d->last_stat, ROLE_NORM, 0);
	norm_back(d, d->dx, d->dnormed, d->last, d->last_stat, ROLE_NORM, 0, p->rows, false);
	tell(d, listener, 2, 0);
	for (int64_t l = a->layers - 1; l >= 0; l--) {
		if (d->memory == DECODER_KEEP_INPUTS && l + 1 < a->layers)
			decoder_layer(d, &d->layer[l], (int)l, p, NULL);
		layer_back(d, &d->layer[l], (int)l, p, grads);
		tell(d, listener, 1, (int)l);
	}
	if (d->m->adapter) {
		if (listener)
			listener->done(listener->arg, 0, model_trained(d->m)->n);
		return;
	}
	d->ops->embed_backward(d->ops, decoder_grad(d, grads, ROLE_EMBED, 0, false), a->embed_scale,
		decoder_grad(d, grads, ROLE_PLACES, 0, false), d->dx, p->token, p->pos, p->rows, a->hidden);
	tell(d, listener, 0, 0);
}
