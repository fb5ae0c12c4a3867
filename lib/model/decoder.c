#include "model/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/rope.h"

/* Logits that exist at a time, in floats: 128 MiB. */
#define LOGITS ((int64_t)1 << 25)

/* What a layer's backward pass needs of its forward pass. */
struct layer {
	float *x;               /* [rows, hidden] what came in */
	float *stat1, *stat2;   /* [rows, 2] of the norms */
	float *qkv;             /* [rows, ld] queries, keys, values side by side, turned */
	float *lse;             /* [rows, heads] */
	float *attended;        /* [rows, heads * head_dim] */
	float *mid;             /* [rows, hidden] between attention and MLP */
	float *gate, *up;       /* [rows, inner]; one of them without a gate */
};

struct decoder {
	const struct model *m;
	const struct ops *ops;
	bool train;
	int64_t rows, counted, longest, chunk; /* room for */
	float *block;                          /* all of the following, and the layers' */
	size_t block_floats;
	struct layer *layer; /* [layers], or one for all */
	float *last, *last_stat, *normed, *acted;
	float *head, *logits; /* [counted, hidden] inputs of the head; [chunk, vocab] */
	float *dx, *dnormed, *dattended, *dqkv, *dgate, *dup, *dhead;
	float *scratch;
	float *turn;
	int64_t turns;
};

/* ---- memory */

static int64_t q_width(const struct arch *a)
{
	return a->heads * a->head_dim;
}

static int64_t kv_width(const struct arch *a)
{
	return a->kv_heads * a->head_dim;
}

/* The next n floats of the block, on a cache line; only counted where there is no block. */
static float *place(const struct decoder *d, size_t *at, int64_t n)
{
	float *p = d->block ? d->block + *at : NULL;

	*at += ((size_t)n + 15) / 16 * 16;
	return p;
}

static int64_t chunk_of(const struct arch *a, int64_t counted)
{
	int64_t chunk = LOGITS / a->vocab > 16 ? LOGITS / a->vocab : 16;

	return counted < chunk ? counted : chunk;
}

/* Lays out the block for these sizes; how many floats it takes. */
static size_t lay_out(struct decoder *d, int64_t rows, int64_t counted, int64_t longest)
{
	const struct arch *a = &d->m->arch;
	int64_t ld = q_width(a) + 2 * kv_width(a), e = rows * a->hidden, inner = rows * a->inner;
	size_t at = 0;

	for (int64_t l = 0; l < (d->train ? a->layers : 1); l++) {
		struct layer *y = &d->layer[l];

		y->x = place(d, &at, e);
		y->stat1 = place(d, &at, 2 * rows);
		y->qkv = place(d, &at, rows * ld);
		y->lse = place(d, &at, rows * a->heads);
		y->attended = place(d, &at, rows * q_width(a));
		y->mid = place(d, &at, e);
		y->stat2 = place(d, &at, 2 * rows);
		y->up = place(d, &at, inner);
		y->gate = a->gated ? place(d, &at, inner) : NULL;
	}
	d->last = place(d, &at, e);
	d->last_stat = place(d, &at, 2 * rows);
	d->normed = place(d, &at, e);
	d->acted = place(d, &at, inner);
	d->head = place(d, &at, counted * a->hidden);
	d->logits = place(d, &at, chunk_of(a, counted) * a->vocab);
	d->scratch = place(d, &at, d->ops->attend_scratch(d->ops, longest, a->head_dim));
	if (d->train) {
		d->dx = place(d, &at, e);
		d->dnormed = place(d, &at, e);
		d->dattended = place(d, &at, rows * q_width(a));
		d->dqkv = place(d, &at, rows * ld);
		d->dup = place(d, &at, inner);
		d->dgate = a->gated ? place(d, &at, inner) : NULL;
		d->dhead = place(d, &at, counted * a->hidden);
	}
	return at;
}

size_t decoder_memory(struct decoder *d, int64_t rows, int64_t counted, int64_t longest)
{
	size_t floats = lay_out(d, rows, counted, longest);

	lay_out(d, d->rows, d->counted, d->longest);
	return floats * sizeof(float);
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Cosines and sines for n positions. */
static int reserve_turns(struct decoder *d, int64_t n, struct err *err)
{
	const struct arch *a = &d->m->arch;

	if (!a->rotary || n <= d->turns)
		return 0;
	free(d->turn);
	d->turns = 0;
	d->turn = mem_new_aligned((size_t)n, sizeof *d->turn * (size_t)a->rotary, err);
	if (!d->turn)
		return -1;
	rope_turn(a, d->turn, n);
	d->turns = n;
	return 0;
}

int decoder_reserve(struct decoder *d, int64_t rows, int64_t counted, int64_t longest, struct err *err)
{
	size_t floats;

	if (reserve_turns(d, longest, err))
		return -1;
	if (d->block && rows <= d->rows && counted <= d->counted && longest <= d->longest)
		return 0;
	rows = larger(rows, d->rows);
	counted = larger(counted, d->counted);
	longest = larger(longest, d->longest);
	free(d->block);
	d->block = NULL;
	floats = lay_out(d, rows, counted, longest);
	d->block = mem_new_aligned(floats, sizeof *d->block, err);
	if (!d->block)
		return err_at(err, "activations of %lld tokens", (long long)rows);
	lay_out(d, rows, counted, longest);
	d->rows = rows;
	d->counted = counted;
	d->longest = longest;
	d->chunk = chunk_of(&d->m->arch, counted);
	return 0;
}

struct decoder *decoder_new(const struct model *m, const struct ops *ops, bool train, struct err *err)
{
	struct decoder *d = mem_new(1, sizeof *d, err);

	if (!d)
		return NULL;
	*d = (struct decoder){.m = m, .ops = ops, .train = train};
	d->layer = mem_new(train ? (size_t)m->arch.layers : 1, sizeof *d->layer, err);
	if (!d->layer) {
		free(d);
		return NULL;
	}
	return d;
}

void decoder_free(struct decoder *d)
{
	if (!d)
		return;
	free(d->layer);
	free(d->block);
	free(d->turn);
	free(d);
}

/* ---- forward */

static struct attention attention(const struct arch *a)
{
	return (struct attention){a->heads, a->kv_heads, a->head_dim, q_width(a) + 2 * kv_width(a),
		a->attention_scale};
}

static struct spans spans(const struct pack *p)
{
	return (struct spans){p->span, p->group, p->groups};
}

static struct layer *layer_of(struct decoder *d, int64_t l)
{
	return &d->layer[d->train ? l : 0];
}

static void linear(const struct decoder *d, float *y, int64_t ldy, const float *x, enum role role, int l,
	int64_t rows, bool add)
{
	struct mat w = model_mat(d->m, role, l);

	d->ops->linear_forward(d->ops, y, ldy, x, w.in, &w, model_vector(d->m, role, l, true), rows, add);
}

static void norm(const struct decoder *d, float *y, float *stat, const float *x, enum role role, int l,
	int64_t rows)
{
	const struct arch *a = &d->m->arch;

	d->ops->norm_forward(d->ops, y, stat, x, model_vector(d->m, role, l, false),
		model_vector(d->m, role, l, true), rows, a->hidden, a->norm, a->eps);
}

/* Turns queries and keys, which lie side by side. */
static void turn(const struct decoder *d, float *qkv, const struct pack *p, bool back)
{
	const struct arch *a = &d->m->arch;

	if (a->rotary)
		d->ops->rope(d->ops, qkv, q_width(a) + 2 * kv_width(a), p->pos, d->turn, p->rows,
			a->heads + a->kv_heads, a->head_dim, a->rotary / 2, back);
}

static void attend(struct decoder *d, struct layer *y, int l, const struct pack *p)
{
	const struct arch *a = &d->m->arch;
	const struct attention sizes = attention(a);
	const struct spans s = spans(p);
	int64_t q = q_width(a), kv = kv_width(a);

	norm(d, d->normed, y->stat1, y->x, ROLE_NORM1, l, p->rows);
	if (a->fused_qkv) {
		linear(d, y->qkv, sizes.ld, d->normed, ROLE_QKV, l, p->rows, false);
	} else {
		linear(d, y->qkv, sizes.ld, d->normed, ROLE_Q, l, p->rows, false);
		linear(d, y->qkv + q, sizes.ld, d->normed, ROLE_K, l, p->rows, false);
		linear(d, y->qkv + q + kv, sizes.ld, d->normed, ROLE_V, l, p->rows, false);
	}
	turn(d, y->qkv, p, false);
	d->ops->attend_forward(d->ops, y->attended, y->lse, y->qkv, y->qkv + q, y->qkv + q + kv, &sizes, &s,
		d->scratch);
	memcpy(y->mid, y->x, sizeof *y->mid * (size_t)(p->rows * a->hidden));
	linear(d, y->mid, a->hidden, y->attended, ROLE_OUT, l, p->rows, true);
}

/* act(gate) * up, or act(up). */
static void activate(struct decoder *d, const struct layer *y, int64_t rows)
{
	const struct arch *a = &d->m->arch;

	if (a->gated)
		d->ops->act_forward(d->ops, d->acted, y->gate, y->up, rows * a->inner, a->act);
	else
		d->ops->act_forward(d->ops, d->acted, y->up, NULL, rows * a->inner, a->act);
}

static void mlp(struct decoder *d, struct layer *y, int l, int64_t rows, float *out)
{
	const struct arch *a = &d->m->arch;

	norm(d, d->normed, y->stat2, y->mid, ROLE_NORM2, l, rows);
	if (a->gated)
		linear(d, y->gate, a->inner, d->normed, ROLE_GATE, l, rows, false);
	linear(d, y->up, a->inner, d->normed, ROLE_UP, l, rows, false);
	activate(d, y, rows);
	memcpy(out, y->mid, sizeof *out * (size_t)(rows * a->hidden));
	linear(d, out, a->hidden, d->acted, ROLE_DOWN, l, rows, true);
}

static struct mat head_mat(const struct model *m)
{
	return model_mat(m, m->arch.tied ? ROLE_EMBED : ROLE_HEAD, 0);
}

/* Logits of the counted tokens from first, n of them. */
static void head_logits(struct decoder *d, int64_t first, int64_t n)
{
	struct mat w = head_mat(d->m);

	d->ops->linear_forward(d->ops, d->logits, w.out, d->head + first * w.in, w.in, &w, NULL, n, false);
}

static int check_pack(const struct decoder *d, const struct pack *p, struct err *err)
{
	const struct arch *a = &d->m->arch;

	for (int64_t i = 0; i < p->rows; i++)
		if (p->token[i] < 0 || p->token[i] >= a->vocab)
			return err_set(err, ERR_MISMATCH, "token %d is outside the model's vocabulary of %lld",
				p->token[i], (long long)a->vocab);
	for (int64_t i = 0; i < p->counted; i++)
		if (p->target[i] < 0 || p->target[i] >= a->vocab)
			return err_set(err, ERR_MISMATCH, "token %d is outside the model's vocabulary of %lld",
				p->target[i], (long long)a->vocab);
	if (a->places && p->longest > a->positions)
		return err_set(err, ERR_LIMIT, "a sequence of %lld tokens; the model has %lld positions",
			(long long)p->longest, (long long)a->positions);
	return 0;
}

int decoder_forward(struct decoder *d, const struct pack *p, struct logp_row *rows, struct err *err)
{
	const struct arch *a = &d->m->arch;
	const struct ops *ops = d->ops;
	struct mat embed = model_mat(d->m, ROLE_EMBED, 0);

	if (check_pack(d, p, err) || decoder_reserve(d, p->rows, p->counted, p->longest, err))
		return -1;
	ops->embed_forward(ops, layer_of(d, 0)->x, embed.data, model_mat(d->m, ROLE_PLACES, 0).data, p->token,
		p->pos, p->rows, a->hidden);
	for (int64_t l = 0; l < a->layers; l++) {
		struct layer *y = layer_of(d, l);

		attend(d, y, (int)l, p);
		mlp(d, y, (int)l, p->rows, l + 1 == a->layers ? d->last : layer_of(d, l + 1)->x);
	}
	norm(d, d->normed, d->last_stat, d->last, ROLE_NORM, 0, p->rows);
	ops->gather(ops, d->head, d->normed, p->row, p->counted, a->hidden);
	for (int64_t i = 0; i < p->counted; i += d->chunk) {
		int64_t n = p->counted - i < d->chunk ? p->counted - i : d->chunk;

		head_logits(d, i, n);
		ops->logp_forward(ops, rows + i, d->logits, p->target + i, n, a->vocab);
	}
	return 0;
}

/* ---- backward */

static float *grad_of(const struct decoder *d, float *grads, enum role role, int l, bool bias)
{
	const struct param *p = params_find(&d->m->params, role, l, bias);

	return p ? grads + p->offset : NULL;
}

static void linear_back(const struct decoder *d, float *grads, float *dx, const float *dy, int64_t ldy,
	const float *x, enum role role, int l, int64_t rows, bool add)
{
	struct mat w = model_mat(d->m, role, l);

	d->ops->linear_backward_w(d->ops, grad_of(d, grads, role, l, false), grad_of(d, grads, role, l, true), dy,
		ldy, x, w.in, &w, rows);
	d->ops->linear_backward_x(d->ops, dx, w.in, dy, ldy, &w, rows, add);
}

/* dx += the gradient through a norm of x. */
static void norm_back(const struct decoder *d, float *grads, float *dx, const float *dy, const float *x,
	const float *stat, enum role role, int l, int64_t rows)
{
	const struct arch *a = &d->m->arch;

	d->ops->norm_backward(d->ops, dx, grad_of(d, grads, role, l, false), grad_of(d, grads, role, l, true), dy,
		x, stat, model_vector(d->m, role, l, false), rows, a->hidden, a->norm);
}

static void mlp_back(struct decoder *d, const struct layer *y, int l, int64_t rows, float *grads)
{
	const struct arch *a = &d->m->arch;
	const struct ops *ops = d->ops;

	activate(d, y, rows);
	linear_back(d, grads, d->dup, d->dx, a->hidden, d->acted, ROLE_DOWN, l, rows, false);
	if (a->gated)
		ops->act_backward(ops, d->dgate, d->dup, d->dup, y->gate, y->up, rows * a->inner, a->act);
	else
		ops->act_backward(ops, d->dup, NULL, d->dup, y->up, NULL, rows * a->inner, a->act);
	norm(d, d->normed, y->stat2, y->mid, ROLE_NORM2, l, rows);
	linear_back(d, grads, d->dnormed, d->dup, a->inner, d->normed, ROLE_UP, l, rows, false);
	if (a->gated)
		linear_back(d, grads, d->dnormed, d->dgate, a->inner, d->normed, ROLE_GATE, l, rows, true);
	norm_back(d, grads, d->dx, d->dnormed, y->mid, y->stat2, ROLE_NORM2, l, rows);
}

static void attend_back(struct decoder *d, const struct layer *y, int l, const struct pack *p, float *grads)
{
	const struct arch *a = &d->m->arch;
	const struct attention sizes = attention(a);
	const struct spans s = spans(p);
	int64_t q = q_width(a), kv = kv_width(a), ld = sizes.ld;

	linear_back(d, grads, d->dattended, d->dx, a->hidden, y->attended, ROLE_OUT, l, p->rows, false);
	d->ops->attend_backward(d->ops, d->dqkv, d->dqkv + q, d->dqkv + q + kv, d->dattended, y->attended, y->lse,
		y->qkv, y->qkv + q, y->qkv + q + kv, &sizes, &s, d->scratch);
	turn(d, d->dqkv, p, true);
	norm(d, d->normed, y->stat1, y->x, ROLE_NORM1, l, p->rows);
	if (a->fused_qkv) {
		linear_back(d, grads, d->dnormed, d->dqkv, ld, d->normed, ROLE_QKV, l, p->rows, false);
	} else {
		linear_back(d, grads, d->dnormed, d->dqkv, ld, d->normed, ROLE_Q, l, p->rows, false);
		linear_back(d, grads, d->dnormed, d->dqkv + q, ld, d->normed, ROLE_K, l, p->rows, true);
		linear_back(d, grads, d->dnormed, d->dqkv + q + kv, ld, d->normed, ROLE_V, l, p->rows, true);
	}
	norm_back(d, grads, d->dx, d->dnormed, y->x, y->stat1, ROLE_NORM1, l, p->rows);
}

/* The head, chunk by chunk, its logits computed again unless all of them are still there. */
static void head_back(struct decoder *d, const struct pack *p, const struct logp_row *rows, const float *dlogp,
	float *grads)
{
	const struct arch *a = &d->m->arch;
	const struct ops *ops = d->ops;
	struct mat w = head_mat(d->m);
	float *dw = grad_of(d, grads, a->tied ? ROLE_EMBED : ROLE_HEAD, 0, false);

	for (int64_t i = 0; i < p->counted; i += d->chunk) {
		int64_t n = p->counted - i < d->chunk ? p->counted - i : d->chunk;

		if (p->counted > d->chunk)
			head_logits(d, i, n);
		ops->logp_backward(ops, d->logits, rows + i, dlogp + i, p->target + i, n, a->vocab);
		ops->linear_backward_w(ops, dw, NULL, d->logits, a->vocab, d->head + i * a->hidden, a->hidden, &w, n);
		ops->linear_backward_x(ops, d->dhead + i * a->hidden, a->hidden, d->logits, a->vocab, &w, n, false);
	}
	memset(d->dnormed, 0, sizeof *d->dnormed * (size_t)(p->rows * a->hidden));
	ops->scatter(ops, d->dnormed, d->dhead, p->row, p->counted, a->hidden);
}

void decoder_backward(struct decoder *d, const struct pack *p, const struct logp_row *rows, const float *dlogp,
	float *grads)
{
	const struct arch *a = &d->m->arch;

	head_back(d, p, rows, dlogp, grads);
	memset(d->dx, 0, sizeof *d->dx * (size_t)(p->rows * a->hidden));
	norm_back(d, grads, d->dx, d->dnormed, d->last, d->last_stat, ROLE_NORM, 0, p->rows);
	for (int64_t l = a->layers - 1; l >= 0; l--) {
		mlp_back(d, &d->layer[l], (int)l, p->rows, grads);
		attend_back(d, &d->layer[l], (int)l, p, grads);
	}
	d->ops->embed_backward(d->ops, grad_of(d, grads, ROLE_EMBED, 0, false),
		grad_of(d, grads, ROLE_PLACES, 0, false), d->dx, p->token, p->pos, p->rows, a->hidden);
}
