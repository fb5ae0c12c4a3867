#include <string.h>

#include "model/decoder_impl.h"

/* ---- what the arch says, in the operations' terms */

struct qkv decoder_qkv(const struct arch *a)
{
	int64_t d = a->head_dim, q = q_width(a), kv = kv_width(a), ld = q + 2 * kv;

	if (a->qkv_by_head)
		return (struct qkv){0, d, 2 * d, 3 * d, 3 * d, ld};
	return (struct qkv){0, q, q + kv, d, d, ld};
}

struct attention decoder_attention(const struct arch *a, int l)
{
	struct qkv at = decoder_qkv(a);

	return (struct attention){a->heads, a->kv_heads, a->head_dim, at.ld, at.q_step, at.kv_step,
		a->layer[l].scale, a->attention_cap, a->layer[l].window};
}

struct spans decoder_spans(const struct pack *p)
{
	return (struct spans){p->span, p->group, p->groups};
}

struct norm decoder_norm(const struct arch *a, enum role role)
{
	int64_t width = role == ROLE_QNORM ? q_width(a) : role == ROLE_KNORM ? kv_width(a) : a->hidden;
	bool qk = role == ROLE_QNORM || role == ROLE_KNORM, by_head = qk && a->norm_by_head;
	int64_t n = by_head ? a->head_dim : width;

	return (struct norm){a->norm, a->eps, a->gain_plus, n, width / n, qk ? q_width(a) + kv_width(a) : n,
		qk ? decoder_qkv(a).ld : n};
}

struct input decoder_attention_input(const struct arch *a, const struct layer *y)
{
	return (struct input){arch_tensor(a, ROLE_NORM1) ? ROLE_NORM1 : ROLE_COUNT, y->x, y->stat1};
}

struct input decoder_mlp_input(const struct arch *a, const struct layer *y)
{
	if (arch_tensor(a, ROLE_NORM2))
		return (struct input){ROLE_NORM2, a->parallel ? y->x : y->mid, y->stat2};
	if (a->parallel)
		return decoder_attention_input(a, y);
	return (struct input){ROLE_COUNT, y->mid, NULL};
}

/* ---- the walk */

static struct layer *layer_of(struct decoder *d, int64_t l)
{
	return &d->layer[decoder_trains(d) ? l : 0];
}

static void norm(const struct decoder *d, float *y, float *stat, const float *x, enum role role, int l,
	int64_t rows)
{
	struct norm sizes = decoder_norm(&d->m->arch, role);

	d->ops->norm_forward(d->ops, y, stat, x, model_vector(d->m, role, l, false),
		model_vector(d->m, role, l, true), rows, &sizes);
}

const float *decoder_read(const struct decoder *d, const struct input *in, int l, int64_t rows)
{
	if (in->norm == ROLE_COUNT)
		return in->x;
	norm(d, d->normed, in->stat, in->x, in->norm, l, rows);
	return d->normed;
}

void decoder_turn(const struct decoder *d, float *qkv, int l, int64_t rows, bool back)
{
	const struct arch *a = &d->m->arch;
	const struct qkv at = decoder_qkv(a);
	int which = a->layer[l].rotation;

	if (which < 0)
		return;
	struct turning q = {a->heads, at.q_step, a->rotation[which].dim / 2, a->rotation[which].neighbours};
	struct turning k = {a->kv_heads, at.kv_step, q.half, q.neighbours};

	d->ops->rope(d->ops, qkv + at.q, at.ld, d->turn[which], rows, &q, back);
	d->ops->rope(d->ops, qkv + at.k, at.ld, d->turn[which], rows, &k, back);
}

/* Queries, keys and values of x, the first two normed where the arch has norms for them. */
static void project(struct decoder *d, struct layer *y, const float *x, int l, int64_t rows)
{
	const struct arch *a = &d->m->arch;
	const struct qkv at = decoder_qkv(a);
	bool normed = arch_tensor(a, ROLE_QNORM);
	float *q = normed ? y->raw : y->qkv + at.q, *k = normed ? y->raw + q_width(a) : y->qkv + at.k;
	int64_t ld = normed ? q_width(a) + kv_width(a) : at.ld;

	if (arch_tensor(a, ROLE_QKV)) {
		decoder_linear(d, y->qkv, at.ld, x, ROLE_QKV, l, rows, false);
		return;
	}
	d->ops->hold(d->ops, x);
	decoder_linear(d, q, ld, x, ROLE_Q, l, rows, false);
	decoder_linear(d, k, ld, x, ROLE_K, l, rows, false);
	decoder_linear(d, y->qkv + at.v, at.ld, x, ROLE_V, l, rows, false);
	d->ops->hold(d->ops, NULL);
	if (normed) {
		norm(d, y->qkv + at.q, y->qstat, q, ROLE_QNORM, l, rows);
		norm(d, y->qkv + at.k, y->kstat, k, ROLE_KNORM, l, rows);
	}
}

/* sum = x + what role's matrix makes of in; where the arch norms that, it goes by way of out, and sum may be NULL. */
static void add_half(struct decoder *d, float *sum, const float *x, const float *in, enum role role,
	enum role post, float *out, float *stat, int l, int64_t rows)
{
	const struct arch *a = &d->m->arch;

	if (sum)
		memcpy(sum, x, sizeof *sum * (size_t)(rows * a->hidden));
	if (!out) {
		decoder_linear(d, sum, a->hidden, in, role, l, rows, true);
		return;
	}
	decoder_linear(d, out, a->hidden, in, role, l, rows, false);
	norm(d, d->normed, stat, out, post, l, rows);
	if (sum)
		d->ops->add(d->ops, sum, d->normed, rows * a->hidden);
}

static void attend(struct decoder *d, struct layer *y, int l, const struct pack *p, struct tilings *ahead)
{
	const struct arch *a = &d->m->arch;
	const struct qkv at = decoder_qkv(a);
	const struct attention sizes = decoder_attention(a, l);
	const struct spans s = decoder_spans(p);

	if (d->past)
		d->ops->keep(d->ops, y->qkv + at.k, y->qkv + at.v, &sizes, d->past, decoder_part(a, l), p->rows);
	if (d->alone)
		d->ops->attend_past(d->ops, y->attended, y->qkv + at.q, &sizes, d->past, decoder_part(a, l), p->rows,
			d->scratch);
	else
		d->ops->attend_forward(d->ops, y->attended, y->lse, y->qkv + at.q, y->qkv + at.k, y->qkv + at.v, &sizes,
			&s, d->scratch, ahead);
}

void decoder_activate(struct decoder *d, int64_t rows)
{
	const struct arch *a = &d->m->arch;
	bool gated = arch_gated(a);

	d->ops->act_forward(d->ops, d->acted, gated ? d->gate : d->up, gated ? d->up : NULL, rows * a->inner, a->act);
}

/* Without out, only what the backward pass needs. */
static void mlp(struct decoder *d, struct layer *y, int l, int64_t rows, float *out)
{
	const struct arch *a = &d->m->arch;
	const struct input in = decoder_mlp_input(a, y);
	const float *x = decoder_read(d, &in, l, rows);

	d->ops->hold(d->ops, x);
	if (arch_gated(a))
		decoder_linear(d, d->gate, a->inner, x, ROLE_GATE, l, rows, false);
	decoder_linear(d, d->up, a->inner, x, ROLE_UP, l, rows, false);
	d->ops->hold(d->ops, NULL);
	if (y->gate)
		d->ops->store(d->ops, y->gate, d->gate, rows, a->inner);
	if (y->up)
		d->ops->store(d->ops, y->up, d->up, rows, a->inner);
	if (!out && !y->out2)
		return;
	decoder_activate(d, rows);
	add_half(d, out, y->mid, d->acted, ROLE_DOWN, ROLE_POST2, y->out2, y->post2, l, rows);
}

/* ---- a layer, but for attention part by part */

struct walk {
	struct decoder *d;
	struct layer *y;
	int l;
	float *out;
};

static void before_attention(void *arg, int64_t from, int64_t n, int64_t slot)
{
	const struct walk *w = arg;
	struct decoder d;
	struct layer y;

	decoder_slice(w->d, w->y, from, slot, &d, &y);
	const struct input in = decoder_attention_input(&d.m->arch, &y);

	project(&d, &y, decoder_read(&d, &in, w->l, n), w->l, n);
	decoder_turn(&d, y.qkv, w->l, n, false);
}

static void behind_attention(void *arg, int64_t from, int64_t n, int64_t slot)
{
	const struct walk *w = arg;
	struct decoder d;
	struct layer y;

	decoder_slice(w->d, w->y, from, slot, &d, &y);
	add_half(&d, y.mid, y.x, y.attended, ROLE_OUT, ROLE_POST1, y.out1, y.post1, w->l, n);
	mlp(&d, &y, w->l, n, w->out ? w->out + from * d.m->arch.hidden : NULL);
}

static const enum role before[] = {ROLE_Q, ROLE_K, ROLE_V, ROLE_QKV, ROLE_COUNT};
static const enum role behind[] = {ROLE_OUT, ROLE_UP, ROLE_GATE, ROLE_DOWN, ROLE_COUNT};
const enum role *const decoder_halves[2] = {before, behind};

struct tilings *decoder_ahead(struct decoder *d, int half, int l, bool turned)
{
	struct laid *laid = &d->laid[half];
	char *to = laid->at;

	if (!to)
		return NULL;
	if (laid->layer == l + 1 && laid->turned == turned)
		return &laid->tilings;
	*laid = (struct laid){.at = to, .layer = l + 1, .turned = turned};
	for (const enum role *role = decoder_halves[half]; *role != ROLE_COUNT; role++) {
		struct mat m = model_mat(d->m, *role, l);

		if (m.data) {
			d->ops->tile_later(d->ops, &laid->tilings, to, &m, turned);
			to += d->ops->tiles(d->ops, &m, turned);
		}
	}
	return &laid->tilings;
}

void decoder_forget_tiles(struct decoder *d)
{
	for (int half = 0; half < 2; half++)
		d->laid[half].layer = 0;
}

void decoder_tile(struct decoder *d, int half, int l, bool turned)
{
	struct tilings *t = decoder_ahead(d, half, l, turned);
	int i = 0;

	memset(d->tiled, 0, sizeof d->tiled);
	if (!t)
		return;
	d->ops->tile(d->ops, t);
	for (const enum role *role = decoder_halves[half]; *role != ROLE_COUNT; role++)
		if (model_mat(d->m, *role, l).data)
			d->tiled[*role] = t->of[i++].to;
}

/* Rows that are alone split outputs instead, and read each matrix once. */
static void each_part(struct walk *w, int half, void (*do_part)(void *arg, int64_t from, int64_t n, int64_t slot),
	struct tilings *ahead)
{
	struct decoder *d = w->d;

	if (d->alone) {
		memset(d->tiled, 0, sizeof d->tiled);
		do_part(w, 0, d->pass_rows, 0);
		return;
	}
	decoder_tile(d, half, w->l, false);
	d->ops->each_part(d->ops, d->pass_rows, do_part, w, ahead);
}

void decoder_layer(struct decoder *d, struct layer *y, int l, const struct pack *p, float *out)
{
	struct walk w = {d, y, l, out};
	struct tilings *second = d->alone ? NULL : decoder_ahead(d, 1, l, false), *next = NULL;

	each_part(&w, 0, before_attention, second);
	attend(d, y, l, p, second);
	if (out && l + 1 < d->m->arch.layers && !d->alone)
		next = decoder_ahead(d, 0, l + 1, false);
	each_part(&w, 1, behind_attention, next);
}

int decoder_check(const struct decoder *d, const struct pack *p, struct err *err)
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
	if (arch_tensor(a, ROLE_PLACES) && p->longest > a->positions)
		return err_set(err, ERR_LIMIT, "a sequence of %lld tokens; the model has %lld positions",
			(long long)p->longest, (long long)a->positions);
	return 0;
}

/* All rotations' classes in one. */
static int64_t class_of(const void *arch, int64_t length)
{
	const struct arch *a = arch;
	int64_t class = 0;

	for (int i = 0; i < a->rotations; i++)
		class = class << 31 | rope_class(&a->rotation[i], length);
	return class;
}

/* The pack to compute: the caller's, unless sequences that share a prompt turn it differently. */
static const struct pack *choose_pack(struct decoder *d, const struct pack *p, struct err *err)
{
	d->is_split = false;
	if (class_of(&d->m->arch, p->longest) == 0)
		return p;
	if (pack_split(&d->split, p, class_of, &d->m->arch, err))
		return NULL;
	d->is_split = d->split.groups > p->groups;
	return d->is_split ? &d->split : p;
}

/* The cosines and sines of all rows; those of a group turn by the length of any of its sequences. */
static void set_turns(struct decoder *d, const struct pack *p)
{
	const struct arch *a = &d->m->arch;

	for (int i = 0; i < a->rotations; i++)
		for (int64_t g = 0; g < p->groups; g++) {
			int64_t first = p->span[p->group[g]].start, last = p->group[g + 1] - 1;
			int64_t end = p->span[last].start + p->span[last].len;

			rope_turn(&a->rotation[i], d->turn[i] + first * a->rotation[i].dim, p->pos + first, end - first,
				pack_length(p, last));
		}
}

void decoder_drop(struct decoder *d, const struct dropout *drop)
{
	d->drop = *drop;
}

void decoder_walk(struct decoder *d, const struct pack *p)
{
	const struct arch *a = &d->m->arch;
	const struct ops *ops = d->ops;
	struct mat embed = model_mat(d->m, ROLE_EMBED, 0), places = model_mat(d->m, ROLE_PLACES, 0);

	d->pass_rows = p->rows;
	decoder_forget_tiles(d);
	set_turns(d, p);
	adapter_refresh(d->m, ops_find("cpu"));
	ops->embed_forward(ops, layer_of(d, 0)->x, &embed, a->embed_scale, &places, p->token, p->pos, p->rows);
	for (int64_t l = 0; l < a->layers; l++)
		decoder_layer(d, layer_of(d, l), (int)l, p, l + 1 == a->layers ? d->last : layer_of(d, l + 1)->x);
	norm(d, d->normed, d->last_stat, d->last, ROLE_NORM, 0, p->rows);
}

int decoder_forward(struct decoder *d, const struct pack *given, struct logp_row *rows, struct err *err)
{
	const struct pack *p = decoder_check(d, given, err) ? NULL : choose_pack(d, given, err);

	if (!p || decoder_reserve(d, p->rows, p->counted, p->longest, err))
		return -1;
	decoder_walk(d, p);
	d->ops->gather(d->ops, d->head, d->normed, p->row, p->counted, d->m->arch.hidden);
	decoder_look(d, p, rows);
	return 0;
}
