#include "learn/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

#define RNG_STREAM 0x0071u /* of rounding */

const char *const optimizer_names[] = {"adamw", "rmsprop", "sgd", "lion", "adafactor", NULL};
const char *const optimizer_moment_names[] = {"f32", "bf16", "int8", NULL};

static const struct kind {
	enum update_kind update;
	bool mean, square; /* which moments it has */
	unsigned uses;
	double beta1, beta2;
} kinds[] = {
	[OPTIMIZER_ADAMW] = {UPDATE_ADAMW, true, true,
		OPTIMIZER_BETA1 | OPTIMIZER_BETA2 | OPTIMIZER_EPS | OPTIMIZER_MOMENTS, 0.9, 0.999},
	[OPTIMIZER_RMSPROP] = {UPDATE_RMSPROP, false, true, OPTIMIZER_BETA2 | OPTIMIZER_EPS | OPTIMIZER_MOMENTS, 0, 0.99},
	[OPTIMIZER_SGD] = {UPDATE_SGD, true, false, OPTIMIZER_BETA1 | OPTIMIZER_MOMENTS, 0.9, 0},
	[OPTIMIZER_LION] = {UPDATE_LION, true, false, OPTIMIZER_BETA1 | OPTIMIZER_BETA2 | OPTIMIZER_MOMENTS, 0.9, 0.99},
	[OPTIMIZER_ADAFACTOR] = {.uses = 0},
};

unsigned optimizer_uses(enum optimizer_kind kind)
{
	return kinds[kind].uses;
}

struct optimizer_options optimizer_defaults(enum optimizer_kind kind)
{
	return (struct optimizer_options){
		.kind = kind, .beta1 = kinds[kind].beta1, .beta2 = kinds[kind].beta2, .eps = 1e-8};
}

struct optimizer {
	struct optimizer_options o;
	const struct params *params;
	const struct ops *ops;
	int64_t steps;
	struct memory {
		struct moment mean, square;
		float *row, *col;
	} *memory; /* [params.n] */
	char *block;	/* all of them */
	double *scratch;
};

/* Hands out the block; without one, only counts. */
struct placer {
	char *block;
	size_t at;
};

static void *place(struct placer *p, size_t n, size_t size)
{
	void *x = p->block ? p->block + p->at : NULL;

	p->at += (n * size + 63) / 64 * 64;
	return x;
}

static size_t blocks_of(size_t n)
{
	return (n + MOMENT_BLOCK - 1) / MOMENT_BLOCK;
}

static struct moment place_moment(struct placer *p, size_t n, enum moment_type type, bool squares)
{
	static const size_t size[] = {[MOMENT_F32] = 4, [MOMENT_BF16] = 2, [MOMENT_INT8] = 1};
	struct moment m = {.type = type, .squares = squares, .data = place(p, n, size[type])};

	if (type == MOMENT_INT8)
		m.scale = place(p, blocks_of(n), sizeof *m.scale);
	return m;
}

/* Lays out the memories, in memory unless NULL; how many bytes they take. */
static size_t lay_out(struct memory *memory, char *block, const struct optimizer_options *o, const struct params *params)
{
	const struct kind *kind = &kinds[o->kind];
	struct placer p = {.block = block};

	for (size_t i = 0; i < params->n; i++) {
		const struct param *q = &params->param[i];
		struct memory m = {.row = NULL};

		if (kind->mean)
			m.mean = place_moment(&p, q->count, o->moments, false);
		if (kind->square)
			m.square = place_moment(&p, q->count, o->moments, true);
		if (o->kind == OPTIMIZER_ADAFACTOR)
			m.row = place(&p, (size_t)q->shape[0], sizeof *m.row);
		if (o->kind == OPTIMIZER_ADAFACTOR && q->rank == 2)
			m.col = place(&p, (size_t)q->shape[1], sizeof *m.col);
		if (memory)
			memory[i] = m;
	}
	return p.at;
}

size_t optimizer_memory(const struct optimizer_options *o, const struct params *p)
{
	return lay_out(NULL, NULL, o, p);
}

static size_t most_rows(const struct params *p)
{
	int64_t most = 1;

	for (size_t i = 0; i < p->n; i++)
		most = p->param[i].shape[0] > most ? p->param[i].shape[0] : most;
	return (size_t)most;
}

struct optimizer *optimizer_new(
	const struct optimizer_options *options, const struct params *p, const struct ops *ops, struct err *err)
{
	struct optimizer *o = mem_new(1, sizeof *o, err);
	size_t bytes = optimizer_memory(options, p);

	if (!o)
		return NULL;
	*o = (struct optimizer){.o = *options, .params = p, .ops = ops};
	o->memory = mem_new(p->n, sizeof *o->memory, err);
	o->block = mem_new_aligned(bytes, 1, err);
	o->scratch = mem_new(most_rows(p), sizeof *o->scratch, err);
	if (!o->memory || !o->block || !o->scratch) {
		optimizer_free(o);
		return NULL;
	}
	memset(o->block, 0, bytes);
	lay_out(o->memory, o->block, options, p);
	return o;
}

void optimizer_free(struct optimizer *o)
{
	if (!o)
		return;
	free(o->memory);
	free(o->block);
	free(o->scratch);
	free(o);
}

int64_t optimizer_steps(const struct optimizer *o)
{
	return o->steps;
}

void optimizer_set_steps(struct optimizer *o, int64_t steps)
{
	o->steps = steps;
}

/* ---- a step */

static uint32_t noise_of(const struct optimizer *o, size_t parameter)
{
	uint32_t bits[4];

	rng_bits(o->o.seed, (uint64_t)RNG_STREAM << 32 | parameter, (uint64_t)o->steps, bits);
	return bits[0];
}

static void step_adafactor(struct optimizer *o, size_t i, float *w, const float *g, double lr, double scale)
{
	const struct param *p = &o->params->param[i];
	struct adafactor how = {
		.lr = (float)lr,
		.decay = p->decay ? (float)o->o.weight_decay : 0,
		.scale = (float)scale,
		.keep = (float)(1 - pow((double)o->steps, -0.8)),
	};

	o->ops->adafactor(o->ops, w, o->memory[i].row, o->memory[i].col, g, p->shape[0],
		p->rank == 2 ? p->shape[1] : 1, &how, o->scratch);
}

static void step_moments(struct optimizer *o, size_t i, float *w, const float *g, double lr, double scale)
{
	const struct kind *kind = &kinds[o->o.kind];
	const struct param *p = &o->params->param[i];
	struct memory *m = &o->memory[i];
	struct update how = {
		.kind = kind->update,
		.lr = (float)lr,
		.beta1 = (float)o->o.beta1,
		.beta2 = (float)o->o.beta2,
		.eps = (float)o->o.eps,
		.decay = p->decay ? (float)o->o.weight_decay : 0,
		.correct1 = (float)(1 - pow(o->o.beta1, (double)o->steps)),
		.correct2 = (float)(1 - pow(o->o.beta2, (double)o->steps)),
		.scale = (float)scale,
		.noise = noise_of(o, i),
	};

	o->ops->update(o->ops, w, kind->mean ? &m->mean : NULL, kind->square ? &m->square : NULL, g,
		(int64_t)p->count, &how);
}

void optimizer_begin(struct optimizer *o)
{
	o->steps++;
}

void optimizer_step(struct optimizer *o, float *weights, const float *grads, double lr, double scale)
{
	optimizer_begin(o);
	optimizer_step_part(o, 0, o->params->n, weights, grads, lr, scale);
}

void optimizer_step_part(struct optimizer *o, size_t from, size_t to, float *weights, const float *grads, double lr,
	double scale)
{
	for (size_t i = from; i < to; i++) {
		size_t at = o->params->param[i].offset;

		if (o->o.kind == OPTIMIZER_ADAFACTOR)
			step_adafactor(o, i, weights + at, grads + at, lr, scale);
		else
			step_moments(o, i, weights + at, grads + at, lr, scale);
	}
}

/* ---- memories, for who keeps them */

static int add_moment(struct optimizer_memory_part *parts, const char *name, const char *scale, const struct moment *m,
	size_t n)
{
	static const enum dtype type[] = {[MOMENT_F32] = F32, [MOMENT_BF16] = BF16, [MOMENT_INT8] = U8};

	if (!m->data)
		return 0;
	parts[0] = (struct optimizer_memory_part){name, type[m->type], n, m->data};
	if (m->type != MOMENT_INT8)
		return 1;
	parts[1] = (struct optimizer_memory_part){scale, F32, blocks_of(n), m->scale};
	return 2;
}

int optimizer_parts(struct optimizer *o, size_t i, struct optimizer_memory_part parts[OPTIMIZER_PARTS])
{
	const struct param *p = &o->params->param[i];
	struct memory *m = &o->memory[i];
	int n = add_moment(parts, "mean", "mean.scale", &m->mean, p->count);

	n += add_moment(parts + n, "square", "square.scale", &m->square, p->count);
	if (m->row)
		parts[n++] = (struct optimizer_memory_part){"row", F32, (size_t)p->shape[0], m->row};
	if (m->col)
		parts[n++] = (struct optimizer_memory_part){"col", F32, (size_t)p->shape[1], m->col};
	return n;
}
