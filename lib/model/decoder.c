/* The decoder's memory. */
#include "model/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/decoder_impl.h"

/* Logits of a pass that generates that exist at a time, in floats: 128 MiB. */
#define LOGITS ((int64_t)1 << 25)

/* Hands out the block; without one, only counts. */
struct placer {
	float *block;
	size_t at;
};

/* The next n floats, on a cache line; none where the arch has no use for them. */
static float *place(struct placer *p, int64_t n, bool used)
{
	float *x = p->block && used ? p->block + p->at : NULL;

	p->at += used ? ((size_t)n + 15) / 16 * 16 : 0;
	return x;
}

static int64_t larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t chunk_of(const struct arch *a, int64_t counted)
{
	int64_t chunk = LOGITS / a->vocab > 16 ? LOGITS / a->vocab : 16;

	return counted < chunk ? counted : chunk;
}

/* A buffer of rows: floats a row, whether the arch has it, and whether it is for other parts' rows to see. */
struct field {
	float **at;
	int64_t width;
	bool used, shared;
};

#define FIELDS 16

/* All of a layer's; its input is the last. */
static void list_fields(struct field f[FIELDS], struct layer *y, const struct decoder *d)
{
	const struct arch *a = &d->m->arch;
	int64_t q = q_width(a), kv = kv_width(a), e = a->hidden, inner = d->ops->stored(d->ops, a->inner);
	bool train = decoder_trains(d);
	bool qk = arch_tensor(a, ROLE_QNORM), post1 = arch_tensor(a, ROLE_POST1), post2 = arch_tensor(a, ROLE_POST2);
	const struct field all[FIELDS] = {
		{&y->stat1, 2, arch_tensor(a, ROLE_NORM1), false},
		{&y->raw, q + kv, qk, false},
		{&y->qstat, 2 * (a->norm_by_head ? a->heads : 1), qk, false},
		{&y->kstat, 2 * (a->norm_by_head ? a->kv_heads : 1), qk, false},
		{&y->qkv, q + 2 * kv, true, true},
		{&y->lse, a->heads, true, true},
		{&y->attended, q, true, true},
		{&y->out1, e, post1, false},
		{&y->post1, 2, post1, false},
		{&y->mid, e, true, false},
		{&y->stat2, 2, arch_tensor(a, ROLE_NORM2), false},
		{&y->up, inner, train, false},
		{&y->gate, inner, train && arch_gated(a), false},
		{&y->out2, e, post2, false},
		{&y->post2, 2, post2, false},
		{&y->x, e, true, true},
	};

	memcpy(f, all, sizeof all);
}

#define GRADIENTS 8

/* All of the backward pass's. */
static void list_gradients(struct field f[GRADIENTS], struct decoder *d)
{
	const struct arch *a = &d->m->arch;
	bool train = decoder_trains(d), posts = arch_tensor(a, ROLE_POST1) || arch_tensor(a, ROLE_POST2);
	const struct field all[GRADIENTS] = {
		{&d->dx, a->hidden, train, true},
		{&d->dmid, a->hidden, train && a->parallel, true},
		{&d->dnormed, a->hidden, train, true},
		{&d->dattended, q_width(a), train, true},
		{&d->dqkv, q_width(a) + 2 * kv_width(a), train, true},
		{&d->dout, a->hidden, train && posts, false},
		{&d->dup, a->inner, train, false},
		{&d->dgate, a->inner, train && arch_gated(a), false},
	};

	memcpy(f, all, sizeof all);
}

void decoder_slice(const struct decoder *d, const struct layer *y, int64_t from, int64_t slot, struct decoder *part,
	struct layer *part_y)
{
	const struct arch *a = &d->m->arch;
	int64_t held = slot * d->ops->part(d->ops, d->pass_rows);
	struct field f[FIELDS], g[GRADIENTS];

	*part_y = *y;
	list_fields(f, part_y, d);
	for (int i = 0; i < FIELDS; i++)
		if (*f[i].at)
			*f[i].at += f[i].width * (f[i].shared || decoder_trains(d) ? from : held);
	*part = *d;
	list_gradients(g, part);
	for (int i = 0; i < GRADIENTS; i++)
		if (*g[i].at)
			*g[i].at += g[i].width * (g[i].shared ? from : held);
	part->from = from;
	part->normed += held * a->hidden;
	part->acted += held * a->inner;
	part->gate = d->gate ? d->gate + held * a->inner : part_y->gate;
	part->up = d->up ? d->up + held * a->inner : part_y->up;
	part->low += held * d->low_width;
	part->wet += held * d->wet_width;
	part->wide += held * d->wide_width;
	for (int i = 0; i < a->rotations; i++)
		part->turn[i] += from * a->rotation[i].dim;
	part->drop.first += from;
}

/* The last n of a layer's buffers. */
static void lay_out_layer(struct layer *y, struct placer *p, const struct decoder *d, int n, int64_t rows)
{
	struct field f[FIELDS];

	list_fields(f, y, d);
	for (int i = FIELDS - n; i < FIELDS; i++)
		*f[i].at = place(p, rows * f[i].width, f[i].used);
}

static int64_t half_tiles(const struct decoder *d, int half, bool turned)
{
	int64_t n = 0;

	for (const enum role *role = decoder_halves[half]; *role != ROLE_COUNT; role++) {
		struct mat w = model_mat(d->m, *role, 0);

		n += w.data ? d->ops->tiles(d->ops, &w, turned) : 0;
	}
	return n;
}

/* Room for the tiles of a layer's matrices, since those of one half are made while the other's are in use. */
static void lay_out_tiles(struct decoder *d, struct placer *p)
{
	for (int half = 0; half < 2; half++) {
		int64_t most = larger(half_tiles(d, half, false), decoder_trains(d) ? half_tiles(d, half, true) : 0);

		d->laid[half].at = (char *)place(p, most / (int64_t)sizeof(float), most > 0);
	}
}

/* Room for what the gradients of half a layer, or of the head, are made of; an adapter's are not made that way. */
static void lay_out_columns(struct decoder *d, struct placer *p, int64_t rows, int64_t counted)
{
	bool used = decoder_trains(d) && !d->m->adapter && d->ops->columns(d->ops, 1, rows) > 0;
	int64_t most = 0;

	if (used)
		most = larger(decoder_look_columns(d, counted),
			larger(decoder_place_seen(d, 0, rows), decoder_place_seen(d, 1, rows)));
	d->columns = (char *)place(p, most / (int64_t)sizeof(float), used);
}

static void lay_out_head(struct decoder *d, struct placer *p, int64_t counted)
{
	const struct arch *a = &d->m->arch;
	bool whole = d->memory == DECODER_NEXT;
	struct mat w = model_head(d->m), part = mat_part(&w, 0, w.out < DECODER_HEAD ? w.out : DECODER_HEAD);
	struct mat block = mat_part(&w, 0, w.out < LOGP_BLOCK ? w.out : LOGP_BLOCK);
	int64_t tiles = d->ops->tiles(d->ops, &part, false) / (int64_t)sizeof(float);
	int64_t turned = d->ops->tiles(d->ops, &block, true) / (int64_t)sizeof(float) * (DECODER_HEAD / LOGP_BLOCK);

	d->head = place(p, counted * a->hidden, true);
	d->logits = place(p, larger(d->ops->room(d->ops, counted) * LOGP_BLOCK, whole ? chunk_of(a, counted) * a->vocab : 0),
		true);
	d->sums = (struct logp_sums *)(void *)place(p, counted * (int64_t)(sizeof *d->sums / sizeof(float)), true);
	d->head_tiles = (char *)place(p, tiles, !whole && tiles > 0);
	d->head_turned = (char *)place(p, turned, decoder_trains(d) && turned > 0);
}

static void lay_out_adapter(struct decoder *d, struct placer *p, int64_t rows)
{
	const struct adapter *t = d->m->adapter;
	int64_t in = 0, out = 0;

	for (size_t i = 0; t && i < t->n; i++)
		if (t->mat[i].rank) {
			struct mat w = model_param_mat(d->m, &d->m->params.param[i]);

			in = larger(in, w.in);
			out = larger(out, w.out);
		}
	d->low_width = t ? adapter_rank(t) : 0;
	d->wet_width = t && decoder_trains(d) && t->o.dropout > 0 ? in : 0;
	d->wide_width = t && t->o.dora ? out : 0;
	d->low = place(p, rows * d->low_width, d->low_width > 0);
	d->wet = place(p, rows * d->wet_width, d->wet_width > 0);
	d->wide = place(p, rows * d->wide_width, d->wide_width > 0);
	d->dgain = place(p, out, t && t->o.dora);
}

/* Lays out the block for these sizes; how many floats it takes. */
static size_t lay_out(struct decoder *d, int64_t rows, int64_t counted, int64_t longest)
{
	const struct arch *a = &d->m->arch;
	int64_t e = rows * a->hidden;
	const struct attention attention = decoder_attention(a, 0);
	struct field g[GRADIENTS];
	int64_t parts = d->ops->room(d->ops, rows);
	bool train = decoder_trains(d), as_they_are = d->ops->stored(d->ops, a->inner) == a->inner;
	struct placer p = {.block = d->block};

	for (int64_t l = 0; l < (train ? a->layers : 1); l++) {
		if (l > 0)
			d->layer[l] = d->layer[0];
		lay_out_layer(&d->layer[l], &p, d, l == 0 || d->memory == DECODER_KEEP ? FIELDS : 1, parts);
	}
	lay_out_tiles(d, &p);
	for (int i = 0; i < a->rotations; i++)
		d->turn[i] = place(&p, rows * a->rotation[i].dim, true);
	d->last = place(&p, e, true);
	d->last_stat = place(&p, 2 * rows, true);
	d->normed = place(&p, parts * a->hidden, true);
	d->acted = place(&p, parts * a->inner, true);
	d->gate = place(&p, parts * a->inner, arch_gated(a) && !(train && as_they_are));
	d->up = place(&p, parts * a->inner, !(train && as_they_are));
	lay_out_head(d, &p, counted);
	d->scratch = place(&p, d->ops->attend_scratch(d->ops, longest, &attention), true);
	list_gradients(g, d);
	for (int i = 0; i < GRADIENTS; i++)
		*g[i].at = place(&p, parts * g[i].width, g[i].used);
	lay_out_columns(d, &p, rows, counted);
	d->dhead = place(&p, counted * a->hidden, train);
	lay_out_adapter(d, &p, parts);
	return p.at;
}

size_t decoder_memory(struct decoder *d, int64_t rows, int64_t counted, int64_t longest)
{
	size_t floats = lay_out(d, rows, counted, longest);

	lay_out(d, d->rows, d->counted, d->longest);
	return floats * sizeof(float);
}

int decoder_reserve(struct decoder *d, int64_t rows, int64_t counted, int64_t longest, struct err *err)
{
	size_t floats;

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

struct decoder *decoder_new(const struct model *m, const struct ops *ops, enum decoder_memory memory, struct err *err)
{
	struct decoder *d = mem_new(1, sizeof *d, err);

	if (!d)
		return NULL;
	*d = (struct decoder){.m = m, .ops = ops, .memory = memory, .next = PACK_INIT, .split = PACK_INIT};
	d->layer = mem_new(decoder_trains(d) ? (size_t)m->arch.layers : 1, sizeof *d->layer, err);
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
	pack_release(&d->next);
	pack_release(&d->split);
	free(d->pasts);
	free(d->layer);
	free(d->block);
	free(d);
}
