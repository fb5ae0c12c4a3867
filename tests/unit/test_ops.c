/*
 * The operations: the reference backend's gradients against central differences, and every processor
 * backend that runs here against the reference, at odd sizes.
 */
#include "tests/unit/support/check.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "num/kernels.h"
#include "tests/unit/support/backends.h"

static double weigh(const float *y, const float *weights, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += (double)y[i] * weights[i];
	return sum;
}

/* ---- linear */

struct linear {
	const struct ops *ops;
	float *x, *w, *bias, *weights, *y;
	int64_t rows, out, in;
	bool in_first;
};

static double linear_value(void *arg)
{
	struct linear *l = arg;
	struct mat w = {l->w, l->out, l->in, l->in_first, MAT_F32, NULL, NULL};

	l->ops->linear_forward(l->ops, l->y, l->out, l->x, l->in, &w, l->bias, l->rows, false);
	return weigh(l->y, l->weights, l->rows * l->out);
}

static void linear_case(int64_t rows, int64_t out, int64_t in, bool in_first, bool bias)
{
	const struct ops *ref = ops_find("reference"), *ops;
	struct linear l = {ref, check_random(1, rows * in, 1), check_random(2, out * in, 1),
		bias ? check_random(3, out, 1) : NULL, check_random(4, rows * out, 1), check_zeros(rows * out), rows, out,
		in, in_first};
	float *dx = check_zeros(rows * in), *dw = check_zeros(out * in), *db = check_zeros(out);
	float *y2 = check_zeros(rows * out), *dx2 = check_zeros(rows * in), *dw2 = check_zeros(out * in), *db2 = check_zeros(out);
	struct mat w = {l.w, out, in, in_first, MAT_F32, NULL, NULL};

	linear_value(&l);
	ref->linear_backward_x(ref, dx, in, l.weights, out, &w, rows, false);
	ref->linear_backward_w(ref, dw, bias ? db : NULL, l.weights, out, l.x, in, &w, rows);
	check_gradient("linear dx", linear_value, &l, l.x, dx, rows * in, 1e-3);
	check_gradient("linear dw", linear_value, &l, l.w, dw, out * in, 1e-3);
	if (bias)
		check_gradient("linear db", linear_value, &l, l.bias, db, out, 1e-3);
	linear_value(&l);
	EACH_BACKEND(ops)
	{
		ops->linear_forward(ops, y2, out, l.x, in, &w, l.bias, rows, false);
		check_close("linear y", y2, l.y, rows * out, 1e-5);
		memset(dx2, 0, sizeof *dx2 * (size_t)(rows * in));
		ops->linear_backward_x(ops, dx2, in, l.weights, out, &w, rows, true);
		check_close("linear dx", dx2, dx, rows * in, 1e-5);
		memset(dw2, 0, sizeof *dw2 * (size_t)(out * in));
		memset(db2, 0, sizeof *db2 * (size_t)out);
		ops->linear_backward_w(ops, dw2, db2, l.weights, out, l.x, in, &w, rows);
		check_close("linear dw", dw2, dw, out * in, 1e-5);
		if (bias)
			check_close("linear db", db2, db, out, 1e-5);
	}
	free(l.x), free(l.w), free(l.bias), free(l.weights), free(l.y), free(dx), free(dw), free(db);
	free(y2), free(dx2), free(dw2), free(db2);
}

static void test_linear(void **state)
{
	(void)state;
	linear_case(7, 13, 5, false, true);
	linear_case(7, 13, 5, true, true);
	linear_case(1, 1, 1, false, false);
	linear_case(33, 97, 70, false, false);
	linear_case(19, 70, 33, true, true);
}

/* ---- norm */

struct norm_case {
	const struct ops *ops;
	float *x, *gain, *bias, *weights, *y, *stat;
	int64_t rows;
	struct norm sizes;
};

static double norm_value(void *arg)
{
	struct norm_case *c = arg;

	c->ops->norm_forward(c->ops, c->y, c->stat, c->x, c->gain, c->bias, c->rows, &c->sizes);
	return weigh(c->y, c->weights, c->rows * c->sizes.ldy);
}

/* dx set in dy's place, of the pieces alone: what lies between rows stays. */
static void norm_in_place(const struct norm_case *c, const struct ops *ops, const float *stat, const float *dx,
	const float *start)
{
	struct norm s = c->sizes;
	int64_t n = c->rows * s.ldy;
	float *place = check_zeros(n), *want = check_zeros(n);

	memcpy(place, c->weights, sizeof *place * (size_t)n);
	memcpy(want, c->weights, sizeof *want * (size_t)n);
	for (int64_t r = 0; r < c->rows; r++)
		for (int64_t i = 0; i < s.parts * s.n; i++)
			want[r * s.ldy + i] = dx[r * s.ldy + i] - start[r * s.ldy + i];
	ops->norm_backward_x(ops, place, place, c->x, stat, c->gain, c->rows, &s, false);
	check_close("norm dx in place", place, want, n, 1e-5);
	free(place), free(want);
}

/* The slope by x, whose rows are as far from each other as s says, and dx, whose rows are elsewhere. */
static void norm_slopes(struct norm_case *c, const float *dx, const float *start)
{
	struct norm s = c->sizes;
	float *g = check_zeros(c->rows * s.ldx);

	for (int64_t r = 0; r < c->rows; r++)
		for (int64_t i = 0; i < s.parts * s.n; i++)
			g[r * s.ldx + i] = dx[r * s.ldy + i] - start[r * s.ldy + i];
	check_gradient("norm dx", norm_value, c, c->x, g, c->rows * s.ldx, 2e-3);
	free(g);
}

static void check_norm(int64_t rows, struct norm s, bool bias)
{
	const struct ops *ref = ops_find("reference"), *ops;
	int64_t in = rows * s.ldx, out = rows * s.ldy, n = s.n;
	struct norm_case c = {ref, check_random(1, in, 2), check_random(2, n, 1), bias ? check_random(3, n, 1) : NULL,
		check_random(4, out, 1), check_zeros(out), check_zeros(2 * rows * s.parts), rows, s};
	float *start = check_random(5, out, 1), *dx = check_zeros(out), *dg = check_zeros(n), *db = check_zeros(n), *y2 = check_zeros(out),
	      *dx2 = check_zeros(out), *dg2 = check_zeros(n), *db2 = check_zeros(n), *stat2 = check_zeros(2 * rows * s.parts);

	norm_value(&c);
	memcpy(dx, start, sizeof *dx * (size_t)out);
	ref->norm_backward_w(ref, dg, db, c.weights, c.x, c.stat, rows, &s);
	ref->norm_backward_x(ref, dx, c.weights, c.x, c.stat, c.gain, rows, &s, true);
	norm_slopes(&c, dx, start);
	check_gradient("norm dgain", norm_value, &c, c.gain, dg, n, 1e-3);
	if (bias)
		check_gradient("norm dbias", norm_value, &c, c.bias, db, n, 1e-3);
	norm_value(&c);
	norm_in_place(&c, ref, c.stat, dx, start);
	EACH_BACKEND(ops)
	{
		ops->norm_forward(ops, y2, stat2, c.x, c.gain, c.bias, rows, &s);
		check_close("norm y", y2, c.y, out, 1e-5);
		memcpy(dx2, start, sizeof *dx2 * (size_t)out);
		memset(dg2, 0, sizeof *dg2 * (size_t)n);
		memset(db2, 0, sizeof *db2 * (size_t)n);
		ops->norm_backward_w(ops, dg2, db2, c.weights, c.x, stat2, rows, &s);
		ops->norm_backward_x(ops, dx2, c.weights, c.x, stat2, c.gain, rows, &s, true);
		check_close("norm dx", dx2, dx, out, 1e-5);
		check_close("norm dgain", dg2, dg, n, 1e-5);
		check_close("norm dbias", db2, db, n, 1e-5);
		norm_in_place(&c, ops, stat2, dx, start);
	}
	free(c.x), free(c.gain), free(c.bias), free(c.weights), free(c.y), free(c.stat), free(start), free(dx), free(dg);
	free(db), free(y2), free(dx2), free(dg2), free(db2), free(stat2);
}

static void test_norm(void **state)
{
	(void)state;
	check_norm(5, (struct norm){NORM_LAYER, 1e-5f, 0, 33, 1, 33, 33}, true);
	check_norm(5, (struct norm){NORM_RMS, 1e-5f, 0, 33, 1, 33, 33}, false);
	check_norm(5, (struct norm){NORM_RMS, 1e-5f, 1, 33, 1, 33, 33}, false);
	check_norm(1, (struct norm){NORM_RMS, 1e-5f, 0, 7, 1, 7, 7}, false);
	check_norm(18, (struct norm){NORM_LAYER, 1e-5f, 0, 1100, 1, 1100, 1100}, true);
	check_norm(7, (struct norm){NORM_RMS, 1e-5f, 1, 9, 3, 40, 31}, false); /* heads of wider rows */
	check_norm(17, (struct norm){NORM_RMS, 1e-5f, 0, 70, 2, 150, 211}, false);
}

/* ---- activation */

struct act {
	const struct ops *ops;
	float *gate, *up, *weights, *y;
	int64_t n;
	enum act_kind kind;
};

static double act_value(void *arg)
{
	struct act *c = arg;

	c->ops->act_forward(c->ops, c->y, c->gate, c->up, c->n, c->kind);
	return weigh(c->y, c->weights, c->n);
}

static void act_case(int64_t n, enum act_kind kind, bool gated)
{
	const struct ops *ref = ops_find("reference"), *ops;
	struct act c = {ref, check_random(1, n, 2), gated ? check_random(2, n, 1) : NULL, check_random(3, n, 1),
		check_zeros(n), n, kind};
	float *dg = check_zeros(n), *du = check_zeros(n), *y2 = check_zeros(n), *dg2 = check_zeros(n), *du2 = check_zeros(n);

	act_value(&c);
	ref->act_backward(ref, dg, gated ? du : NULL, c.weights, c.gate, c.up, n, kind);
	if (kind != ACT_RELU)
		check_gradient("act dgate", act_value, &c, c.gate, dg, n, 2e-3);
	if (gated)
		check_gradient("act dup", act_value, &c, c.up, du, n, 1e-3);
	act_value(&c);
	EACH_BACKEND(ops)
	{
		ops->act_forward(ops, y2, c.gate, c.up, n, kind);
		check_close("act y", y2, c.y, n, 2e-6);
		ops->act_backward(ops, dg2, gated ? du2 : NULL, c.weights, c.gate, c.up, n, kind);
		check_close("act dgate", dg2, dg, n, 2e-6);
		check_close("act dup", du2, du, gated ? n : 0, 2e-6);
	}
	free(c.gate), free(c.up), free(c.weights), free(c.y), free(dg), free(du), free(y2), free(dg2), free(du2);
}

/* The exact gelu and its slope, each value by itself: check_close() would forgive the tails what the largest allows. */
static void test_gelu_far(void **state)
{
	enum { N = 2001 };
	const struct ops *ops;
	float x[N], one[N], y[N], slope[N];

	(void)state;
	for (int i = 0; i < N; i++) {
		x[i] = (float)(i - 1000) * 0.012f;
		one[i] = 1;
	}
	EACH_BACKEND(ops)
	{
		ops->act_forward(ops, y, x, NULL, N, ACT_GELU);
		ops->act_backward(ops, slope, NULL, one, x, NULL, N, ACT_GELU);
		for (int i = 0; i < N; i++) {
			double phi = 0.5 * erfc(-x[i] * M_SQRT1_2), density = exp(-0.5 * x[i] * x[i]) / sqrt(2 * M_PI);

			assert_true(fabs(y[i] - x[i] * phi) <= 1e-5 * fabs(x[i] * phi));
			assert_true(fabs(slope[i] - phi - x[i] * density) <= 1e-5 * (phi + fabs(x[i]) * density));
		}
	}
}

static void test_act(void **state)
{
	(void)state;
	for (enum act_kind kind = ACT_GELU; kind <= ACT_RELU; kind++) {
		act_case(77, kind, true);
		act_case(77, kind, false);
	}
	act_case(40001, ACT_SILU, true);
}

/* ---- rope: pairs are those that they should be; turned back, it is what it was; backends agree */

static void rope_case(struct turning s, int64_t rows, int64_t ld)
{
	const struct ops *ref = ops_find("reference"), *ops;
	float *turn = check_zeros(rows * s.half * 2), *x = check_random(1, rows * ld, 1), *y = check_zeros(rows * ld);
	float *z = check_zeros(rows * ld);
	size_t bytes = sizeof *x * (size_t)(rows * ld);

	for (int64_t i = 0; i < rows * s.half; i++) {
		turn[2 * i] = (float)cos(0.1 * (double)i);
		turn[2 * i + 1] = (float)sin(0.1 * (double)i);
	}
	memcpy(y, x, bytes);
	ref->rope(ref, y, ld, turn, rows, &s, false);
	for (int64_t i = 0; i < rows * ld; i++) {
		int64_t r = i / ld, h = i % ld / s.step, f = i % ld % s.step;
		int64_t pair = s.neighbours || !s.half ? f / 2 : f % s.half;
		bool turns = h < s.heads && f < 2 * s.half, second = s.neighbours ? f % 2 : f >= s.half;
		int64_t other = i + (s.neighbours ? 1 : s.half) * (second ? -1 : 1);
		double angle = 0.1 * (double)(r * s.half + pair);

		assert_true(fabs(y[i] - (turns ? x[i] * cos(angle) + x[other] * sin(angle) * (second ? 1 : -1) : x[i])) <
			1e-5);
	}
	EACH_BACKEND(ops)
	{
		memcpy(z, x, bytes);
		ops->rope(ops, z, ld, turn, rows, &s, false);
		check_close("rope", z, y, rows * ld, 1e-6);
		ops->rope(ops, z, ld, turn, rows, &s, true);
		check_close("rope and back", z, x, rows * ld, 1e-6);
	}
	free(turn), free(x), free(y), free(z);
}

static void test_rope(void **state)
{
	(void)state;
	for (int neighbours = 0; neighbours < 2; neighbours++) {
		rope_case((struct turning){3, 10, 4, neighbours}, 9, 37);
		rope_case((struct turning){2, 15, 2, neighbours}, 33, 33); /* part of heads far apart */
		rope_case((struct turning){1, 64, 32, neighbours}, 3, 64);
		rope_case((struct turning){2, 5, 0, neighbours}, 3, 10);
	}
}

/* ---- attention */

struct attend {
	const struct ops *ops;
	struct attention a;
	struct spans s;
	float *qkv, *weights, *out, *lse, *scratch;
	int64_t rows, k, v; /* where keys and values begin in a row */
};

static void attend_run(struct attend *c, const struct ops *ops, float *out, float *lse)
{
	ops->attend_forward(ops, out, lse, c->qkv, c->qkv + c->k, c->qkv + c->v, &c->a, &c->s, c->scratch, NULL);
}

static double attend_value(void *arg)
{
	struct attend *c = arg;

	attend_run(c, c->ops, c->out, c->lse);
	return weigh(c->out, c->weights, c->rows * c->a.heads * c->a.head_dim);
}

/* One layer's worth of a pack: spans in groups, and their rows. */
struct records {
	const struct span *span;
	const int64_t *group;
	int64_t groups, rows;
};

/* Rounded to BF16, numbers are off by one in 512 at most; gradients are of sums of such, and of what came of them. */
static void attend_by_half(struct attend *c, const char *name, const float *grad)
{
	const struct ops *ops = ops_find(name);
	int64_t n = c->rows * c->a.heads * c->a.head_dim, k = c->k, v = c->v;
	float *out = check_zeros(n), *lse = check_zeros(c->rows * c->a.heads), *got = check_zeros(c->rows * c->a.ld), *scratch;

	if (ops) {
		scratch = check_zeros(ops->attend_scratch(ops, c->rows, &c->a));
		ops->attend_forward(ops, out, lse, c->qkv, c->qkv + k, c->qkv + v, &c->a, &c->s, scratch, NULL);
		check_close("attention out in BF16", out, c->out, n, 1e-2);
		check_close("attention lse in BF16", lse, c->lse, c->rows * c->a.heads, 1e-2);
		memset(got, 0x7f, sizeof *got * (size_t)(c->rows * c->a.ld));
		ops->attend_backward(ops, got, got + k, got + v, c->weights, out, lse, c->qkv, c->qkv + k, c->qkv + v, &c->a,
			&c->s, scratch, NULL);
		check_close("attention gradient in BF16", got, grad, c->rows * c->a.ld, 1e-2);
		free(scratch);
	}
	free(out), free(lse), free(got);
}

static void attend_case(const struct records *r, struct attention a, int64_t k, int64_t v)
{
	const struct ops *ref = ops_find("reference"), *ops;
	int64_t rows = r->rows, wide = a.heads * a.head_dim;
	struct attend c = {ref, a, {r->span, r->group, r->groups}, check_random(1, rows * a.ld, 1),
		check_random(2, rows * wide, 1), check_zeros(rows * wide), check_zeros(rows * a.heads), NULL, rows, k, v};
	float *grad = check_zeros(rows * a.ld), *grad2 = check_zeros(rows * a.ld), *out2 = check_zeros(rows * wide);
	float *lse2 = check_zeros(rows * a.heads);
	int64_t scratch = ref->attend_scratch(ref, rows, &a);

	EACH_BACKEND(ops)
		if (ops->attend_scratch(ops, rows, &a) > scratch)
			scratch = ops->attend_scratch(ops, rows, &a);
	c.scratch = check_zeros(scratch);
	attend_value(&c);
	ref->attend_backward(ref, grad, grad + k, grad + v, c.weights, c.out, c.lse, c.qkv, c.qkv + k, c.qkv + v, &c.a,
		&c.s, c.scratch, NULL);
	if (rows < 50)
		check_gradient("attention", attend_value, &c, c.qkv, grad, rows * a.ld, 2e-3);
	attend_value(&c);
	EACH_BACKEND(ops)
	{
		attend_run(&c, ops, out2, lse2);
		check_close("attention out", out2, c.out, rows * wide, 1e-5);
		check_close("attention lse", lse2, c.lse, rows * a.heads, 1e-5);
		memset(grad2, 0x7f, sizeof *grad2 * (size_t)(rows * a.ld));
		ops->attend_backward(ops, grad2, grad2 + k, grad2 + v, c.weights, out2, lse2, c.qkv, c.qkv + k,
			c.qkv + v, &c.a, &c.s, c.scratch, NULL);
		check_close("attention gradient", grad2, grad, rows * a.ld, 2e-5);
	}
	attend_by_half(&c, "half-amx", grad);
	attend_by_half(&c, "half-pairs", grad);
	free(c.qkv), free(c.weights), free(c.out), free(c.lse), free(c.scratch), free(grad), free(grad2), free(out2);
	free(lse2);
}

/* All queries, then all keys, then all values. */
static void attend_kinds(const struct records *r, int64_t heads, int64_t kv_heads, int64_t dim, float cap,
	int64_t window)
{
	struct attention a = {heads, kv_heads, dim, (heads + 2 * kv_heads) * dim, dim, dim, 0.37f, cap, window};

	attend_case(r, a, heads * dim, (heads + kv_heads) * dim);
}

/* A prompt with two completions; a text alone; an empty prompt with two completions. */
static const struct span small_spans[] = {{0, 5, 0, 0}, {5, 3, 0, 5}, {8, 1, 0, 5}, {9, 4, 9, 0}, {13, 0, 13, 0},
	{13, 2, 13, 0}, {15, 3, 13, 0}};
static const int64_t small_groups[] = {0, 3, 4, 7};
static const struct span large_spans[] = {{0, 75, 0, 0}, {75, 33, 0, 75}, {108, 64, 0, 75}, {172, 131, 172, 0}};
static const int64_t large_groups[] = {0, 3, 4};
/* More than a block of keys, and than the queries that pass through all blocks together. */
static const struct span long_spans[] = {{0, 601, 0, 0}, {601, 40, 0, 601}, {641, 200, 0, 601}, {841, 257, 841, 0}};
static const struct records lengthy = {long_spans, large_groups, 2, 1098};
static const struct records small = {small_spans, small_groups, 3, 18}, large = {large_spans, large_groups, 2, 303};

static void test_attend(void **state)
{
	static const int64_t windows[] = {1, 2, 4, 6, 7, 1000}, wide[] = {1, 33, 100}, wider[] = {100, 257, 512, 600};

	(void)state;
	attend_kinds(&small, 4, 2, 5, 0, 0);
	attend_kinds(&small, 3, 3, 16, 0, 0);
	attend_kinds(&small, 3, 1, 33, 0, 0);
	attend_kinds(&small, 2, 1, 7, 0.8f, 0);
	attend_kinds(&large, 6, 2, 64, 0, 0);
	attend_kinds(&large, 2, 2, 20, 0, 0);
	attend_kinds(&large, 2, 2, 11, 1.5f, 0);
	for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
		attend_kinds(&small, 4, 2, 5, i % 2 ? 2 : 0, windows[i]);
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
		attend_kinds(&large, 2, 1, 20, i % 2 ? 2 : 0, wide[i]);
	attend_kinds(&lengthy, 3, 1, 24, 0, 0);
	attend_kinds(&lengthy, 4, 2, 9, 3, 0);
	for (size_t i = 0; i < sizeof wider / sizeof *wider; i++)
		attend_kinds(&lengthy, 2, 1, 16, 0, wider[i]);
	/* Each head's query, key and value side by side. */
	attend_case(&small, (struct attention){3, 3, 6, 54, 18, 18, 0.37f, 0, 3}, 6, 12);
	attend_case(&large, (struct attention){1, 1, 17, 51, 51, 51, 0.37f, 0, 0}, 17, 34);
}

/* What a window of w sees is what is left when all but the last w tokens are cut off. */
static void test_window(void **state)
{
	enum { ROWS = 640, D = 8, LD = 3 * D, W = 330 };
	const struct span all = {0, ROWS, 0, 0}, shared[] = {{0, 290, 0, 0}, {290, 350, 0, 290}};
	const int64_t one[] = {0, 1}, two[] = {0, 2};
	const struct spans whole = {&all, one, 1}, split = {shared, two, 1};
	struct attention a = {1, 1, D, LD, D, D, 0.5f, 0, W};
	const struct ops *ops;

	(void)state;
	EACH_BACKEND(ops)
	{
		float *x = check_random(1, ROWS * LD, 1), *scratch = check_zeros(ops->attend_scratch(ops, ROWS, &a));
		float *out = check_zeros(ROWS * D), *part = check_zeros(ROWS * D), *lse = check_zeros(ROWS);

		a.window = W;
		ops->attend_forward(ops, out, lse, x, x + D, x + 2 * D, &a, &whole, scratch, NULL);
		ops->attend_forward(ops, part, lse, x, x + D, x + 2 * D, &a, &split, scratch, NULL);
		check_close("a prompt's rows in the window", part, out, ROWS * D, 1e-6);
		a.window = 0;
		for (int64_t i = W - 1; i < ROWS; i += 7) {
			const struct span last = {i - W + 1, W, i - W + 1, 0};
			const struct spans s = {&last, one, 1};

			ops->attend_forward(ops, part, lse, x, x + D, x + 2 * D, &a, &s, scratch, NULL);
			check_close("the last of a window", part + i * D, out + i * D, D, 1e-6);
		}
		free(x), free(scratch), free(out), free(part), free(lse);
	}
}

/* ---- log-probs */

struct logp {
	const struct ops *ops;
	float *logits, *dlogp;
	const int32_t *target;
	int64_t n, vocab;
	float cap;
	float *capped;
	struct logp_row rows[16];
};

static const float *logp_run(struct logp *c, const struct ops *ops, struct logp_row *rows)
{
	memcpy(c->capped, c->logits, sizeof *c->capped * (size_t)(c->n * c->vocab));
	if (c->cap != 0)
		ops->soft_cap(ops, c->capped, c->n * c->vocab, c->cap);
	ops->logp_forward(ops, rows, c->capped, c->target, c->n, c->vocab);
	return c->capped;
}

static double logp_value(void *arg)
{
	struct logp *c = arg;
	double sum = 0;

	logp_run(c, c->ops, c->rows);
	for (int64_t i = 0; i < c->n; i++)
		sum += (double)c->rows[i].logp * c->dlogp[i];
	return sum;
}

/* What a row of logits is, by the definitions. */
static void check_row(const struct logp_row *row, const float *z, int64_t vocab, int32_t target)
{
	double sum = 0, mean = 0, entropy = 0, square = 0, lse;
	bool first = true;

	for (int64_t i = 0; i < vocab; i++) {
		sum += exp((double)z[i]);
		mean += (double)z[i] / (double)vocab;
		first = first && (i < target ? z[i] < z[target] : z[i] <= z[target]);
	}
	lse = log(sum);
	for (int64_t i = 0; i < vocab; i++) {
		entropy -= exp(z[i] - lse) * (z[i] - lse);
		square += exp(2 * (z[i] - lse));
	}
	assert_true(fabs(row->logp - (z[target] - lse)) < 1e-6 * (1 + fabs(lse)));
	assert_true(fabs(row->lse - lse) < 1e-6 * (1 + fabs(lse)));
	assert_true(fabs(row->mean - mean) < 1e-5);
	assert_true(fabs(row->entropy - entropy) < 1e-5);
	assert_true(fabs(row->square - log(square)) < 1e-5);
	assert_int_equal(row->hit, first);
}

static void logp_case(int64_t n, int64_t vocab, double spread, float cap)
{
	const struct ops *ref = ops_find("reference"), *ops;
	int32_t target[16];
	struct logp c = {ref, check_random(1, n * vocab, spread), check_random(2, n, 1), target, n, vocab, cap,
		check_zeros(n * vocab), {{.hit = false}}};
	float *grad = check_zeros(n * vocab), *grad2 = check_zeros(n * vocab), *part = check_zeros(vocab);
	struct logp_row rows[16];
	size_t bytes = sizeof *grad * (size_t)(n * vocab);

	for (int64_t i = 0; i < n; i++)
		target[i] = (int32_t)((i * 7919) % vocab);
	memcpy(grad, logp_run(&c, ref, c.rows), bytes);
	ref->logp_backward(ref, grad, c.rows, c.dlogp, target, n, 0, vocab, cap);
	if (spread < 3)
		check_gradient("logp", logp_value, &c, c.logits, grad, n * vocab, 2e-3);
	logp_value(&c);
	for (int64_t i = 0; i < n; i++)
		check_row(&c.rows[i], c.capped + i * vocab, vocab, target[i]);
	EACH_BACKEND(ops)
	{
		memcpy(grad2, logp_run(&c, ops, rows), bytes);
		for (int64_t i = 0; i < n; i++) {
			check_close("logp", &rows[i].logp, &c.rows[i].logp, 1, 1e-6);
			check_close("lse", &rows[i].lse, &c.rows[i].lse, 1, 1e-6);
			check_close("entropy", &rows[i].entropy, &c.rows[i].entropy, 1, 1e-4);
			check_close("square", &rows[i].square, &c.rows[i].square, 1, 1e-5);
			assert_true(fabsf(rows[i].mean - c.rows[i].mean) < 1e-5f);
			assert_int_equal(rows[i].hit, c.rows[i].hit);
		}
		ops->logp_backward(ops, grad2, rows, c.dlogp, target, n, 0, vocab, cap);
		check_close("logp gradient", grad2, grad, n * vocab, 1e-5);
		for (int64_t i = 0; i < n; i++) { /* two blocks of a row's columns come out as all of them do */
			int64_t some = vocab / 3;

			memcpy(part, c.capped + i * vocab, sizeof *part * (size_t)vocab);
			ops->logp_backward(ops, part, rows + i, c.dlogp + i, target + i, 1, 0, some, cap);
			ops->logp_backward(ops, part + some, rows + i, c.dlogp + i, target + i, 1, some, vocab - some, cap);
			check_close("logp gradient by blocks", part, grad2 + i * vocab, vocab, 1e-7);
		}
	}
	free(c.logits), free(c.dlogp), free(c.capped), free(grad), free(grad2), free(part);
}

static void test_logp(void **state)
{
	(void)state;
	logp_case(3, 11, 1, 0);
	logp_case(1, 1, 1, 0);
	logp_case(5, 5003, 10, 0);
	logp_case(2, 512, 3, 0);
	logp_case(16, 300, 2, 0);
	logp_case(3, 11, 1, 1.5f);
	logp_case(5, 301, 2, 30);
	logp_case(5, 5003, 10, 8);
}

/* A soft cap is as exact for small numbers as for large. */
static void test_soft_cap(void **state)
{
	enum { N = 4001 };
	const struct ops *ops;

	(void)state;
	EACH_BACKEND(ops)
	{
		float *x = check_zeros(N);

		for (int i = 0; i < N; i++)
			x[i] = (float)((i % 2 ? 1 : -1) * 1e-6 * exp(i * 0.005));
		ops->soft_cap(ops, x, N, 5);
		for (int i = 0; i < N; i++) {
			double v = (float)((i % 2 ? 1 : -1) * 1e-6 * exp(i * 0.005));

			assert_true(fabs(x[i] / (5 * tanh(v / 5)) - 1) < 4e-7);
		}
		free(x);
	}
}

/* ---- what is not a number stays so: no comparison, maximum or clamp on the way may swallow it */

/* What cannot be chosen may fill a whole block. */
static void check_masked(const struct ops *ops)
{
	enum { VOCAB = 2 * LOGP_BLOCK + 5 };
	const int32_t target = VOCAB - 2;
	float z[VOCAB];
	struct logp_row row;

	for (int i = 0; i < VOCAB; i++)
		z[i] = i < VOCAB - 2 ? -INFINITY : 1;
	ops->logp_forward(ops, &row, z, &target, 1, VOCAB);
	assert_true(fabs(row.logp + log(2)) < 1e-6 && fabs(row.lse - 1 - log(2)) < 1e-6 && row.hit);
}

static void test_nan(void **state)
{
	const struct span span = {0, 40, 0, 0};
	const int64_t group[] = {0, 1};
	struct attention a = {2, 1, 4, 16, 4, 4, 1, 0, 0};
	const struct spans s = {&span, group, 1};
	const struct ops *ops;
	const int32_t target = 1;

	(void)state;
	EACH_BACKEND(ops)
		for (int64_t at = 0; at < 40; at++) {
			float *x = check_random(1, 40 * 16, 1), *out = check_zeros(40 * 16), *lse = check_zeros(40 * 16);
			float *scratch = check_zeros(ops->attend_scratch(ops, 40, &a));
			struct logp_row row;

			x[at] = NAN;
			for (enum act_kind kind = ACT_GELU; kind <= ACT_RELU; kind++) {
				ops->act_forward(ops, out, x, NULL, 40, kind);
				assert_true(isnan(out[at]) && !isnan(out[(at + 1) % 40]));
			}
			ops->logp_forward(ops, &row, x, &target, 1, 40);
			assert_true(isnan(row.logp) && isnan(row.lse));
			check_masked(ops);
			x[at] = 0;
			x[at * 16 + 8] = NAN; /* a key */
			for (a.cap = 0; a.cap < 20; a.cap += 10) {
				ops->attend_forward(ops, out, lse, x, x + 8, x + 12, &a, &s, scratch, NULL);
				for (int64_t i = 0; i < 40; i++)
					for (int64_t h = 0; h < 2; h++)
						assert_true((i < at) != !!isnan(out[i * 8 + h * 4]));
			}
			free(x), free(out), free(lse), free(scratch);
		}
}

/* ---- embedding, gather */

static void test_embed(void **state)
{
	enum { ROWS = 9, N = 70, VOCAB = 6 };
	const struct ops *ref = ops_find("reference"), *ops;
	const int32_t id[ROWS] = {0, 5, 5, 2, 0, 1, 3, 5, 0}, pos[ROWS] = {0, 1, 2, 3, 4, 0, 1, 2, 3};
	const int64_t row[5] = {3, 3, 0, 8, 1};
	float *table = check_random(1, VOCAB * N, 1), *places = check_random(2, 5 * N, 1), *x = check_zeros(ROWS * N),
	      *y = check_zeros(ROWS * N), *dt = check_zeros(VOCAB * N), *dp = check_zeros(5 * N), *dt2, *dp2;

	const struct mat tokens = {table, VOCAB, N, false, MAT_F32, NULL, NULL},
			 learned = {places, 5, N, false, MAT_F32, NULL, NULL},
			 none = {NULL, 0, N, false, MAT_F32, NULL, NULL};

	(void)state;
	ref->embed_forward(ref, x, &tokens, 2.5f, &none, id, pos, ROWS);
	assert_true(x[3 * N + 7] == 2.5f * table[2 * N + 7]);
	ref->embed_forward(ref, x, &tokens, 2.5f, &learned, id, pos, ROWS);
	assert_true(fabsf(x[3 * N + 7] - 2.5f * table[2 * N + 7] - places[3 * N + 7]) < 1e-6f);
	ref->embed_backward(ref, dt, 2.5f, dp, x, id, pos, ROWS, N);
	assert_true(fabsf(dt[7] - 2.5f * (x[7] + x[4 * N + 7] + x[8 * N + 7])) < 1e-5f);
	assert_true(fabsf(dp[7] - x[7] - x[5 * N + 7]) < 1e-6f);
	EACH_BACKEND(ops)
	{
		dt2 = check_zeros(VOCAB * N);
		dp2 = check_zeros(5 * N);
		ops->embed_forward(ops, y, &tokens, 2.5f, &learned, id, pos, ROWS);
		check_close("embed", y, x, ROWS * N, 1e-7);
		ops->embed_backward(ops, dt2, 2.5f, dp2, x, id, pos, ROWS, N);
		check_close("embed dtable", dt2, dt, VOCAB * N, 1e-6);
		check_close("embed dplaces", dp2, dp, 5 * N, 1e-6);
		ops->gather(ops, y, x, row, 5, N);
		for (int i = 0; i < 5; i++)
			assert_memory_equal(y + i * N, x + row[i] * N, N * sizeof *y);
		memset(y, 0, sizeof *y * ROWS * N);
		ops->scatter(ops, y, x, row, 5, N);
		assert_true(fabsf(y[3 * N + 5] - x[5] - x[N + 5]) < 1e-6f);
		free(dt2), free(dp2);
	}
	free(table), free(places), free(x), free(y), free(dt), free(dp);
}

/* ---- parts of rows */

struct seen {
	int64_t rows, part, room;
	int *times;
};

static void see(void *arg, int64_t from, int64_t n, int64_t slot)
{
	struct seen *s = arg;

	assert_true(slot >= 0 && slot * s->part + n <= s->room && n > 0 && n <= s->part && from + n <= s->rows);
	for (int64_t i = from; i < from + n; i++)
		s->times[i]++;
}

static void test_parts(void **state)
{
	static const int64_t sizes[] = {1, 31, 32, 33, 257, 2048, 10007};
	static const char *const name[] = {"reference", "cpu", "half"};
	int times[10007];

	(void)state;
	for (int b = 0; b < 12; b++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			const struct ops *ops = ops_find(name[b % 3]);
			struct seen s = {sizes[i], 0, 0, times};

			if (!ops)
				continue;
			omp_set_num_threads(1 + b / 3 * 3);
			s.part = ops->part(ops, s.rows);
			s.room = ops->room(ops, s.rows);
			memset(times, 0, sizeof times);
			ops->each_part(ops, s.rows, see, &s, NULL);
			for (int64_t r = 0; r < s.rows; r++)
				assert_int_equal(times[r], 1);
			for (int64_t r = 1; r <= s.rows; r++) /* room is enough for fewer rows */
				assert_true((ops->part(ops, r) < r ? omp_get_max_threads() * ops->part(ops, r) : r) <= s.room);
		}
}

/* A key that is not a number reaches all rows that see it, also by way of later blocks, and no others. */
static void test_nan_in_blocks(void **state)
{
	enum { ROWS = 1100, D = 4, LD = 3 * D };
	static const int64_t places[] = {0, 511, 512, 1099};
	const struct span span = {0, ROWS, 0, 0};
	const int64_t group[] = {0, 1};
	const struct attention a = {1, 1, D, LD, D, D, 1, 0, 0};
	const struct spans s = {&span, group, 1};
	const struct ops *ops;

	(void)state;
	EACH_BACKEND(ops)
		for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
			float *x = check_random(1, ROWS * LD, 1), *out = check_zeros(ROWS * D), *lse = check_zeros(ROWS);
			float *scratch = check_zeros(ops->attend_scratch(ops, ROWS, &a));

			x[places[p] * LD + D] = NAN;
			ops->attend_forward(ops, out, lse, x, x + D, x + 2 * D, &a, &s, scratch, NULL);
			for (int64_t i = 0; i < ROWS; i++)
				assert_true((i < places[p]) == !isnan(out[i * D]) && (i < places[p]) == !isnan(lse[i]));
			free(x), free(out), free(lse), free(scratch);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_norm),
		cmocka_unit_test(test_act),
		cmocka_unit_test(test_gelu_far),
		cmocka_unit_test(test_rope),
		cmocka_unit_test(test_attend),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_logp),
		cmocka_unit_test(test_soft_cap),
		cmocka_unit_test(test_nan),
		cmocka_unit_test(test_nan_in_blocks),
		cmocka_unit_test(test_embed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
