/*
 * The operations: the reference backend's gradients against central differences, and every processor
 * backend that runs here against the reference, at odd sizes.
 */
#include "tests/unit/support/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "num/ops.h"

static const char *const backends[] = {"cpu-base", "cpu-v3", "cpu-v4", "cpu"};

#define EACH_BACKEND(ops) \
	for (size_t b_ = 0; b_ < sizeof backends / sizeof *backends; b_++) \
		if ((ops = ops_find(backends[b_])))

static float *zeros(int64_t n)
{
	float *x = calloc((size_t)n + 1, sizeof *x);

	assert_non_null(x);
	return x;
}

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
	struct mat w = {l->w, l->out, l->in, l->in_first};

	l->ops->linear_forward(l->ops, l->y, l->out, l->x, l->in, &w, l->bias, l->rows, false);
	return weigh(l->y, l->weights, l->rows * l->out);
}

static void linear_case(int64_t rows, int64_t out, int64_t in, bool in_first, bool bias)
{
	const struct ops *ref = ops_find("reference"), *ops;
	struct linear l = {ref, check_random(1, rows * in, 1), check_random(2, out * in, 1),
		bias ? check_random(3, out, 1) : NULL, check_random(4, rows * out, 1), zeros(rows * out), rows, out,
		in, in_first};
	float *dx = zeros(rows * in), *dw = zeros(out * in), *db = zeros(out);
	float *y2 = zeros(rows * out), *dx2 = zeros(rows * in), *dw2 = zeros(out * in), *db2 = zeros(out);
	struct mat w = {l.w, out, in, in_first};

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

struct norm {
	const struct ops *ops;
	float *x, *gain, *bias, *weights, *y, *stat;
	int64_t rows, n;
	enum norm_kind kind;
};

static double norm_value(void *arg)
{
	struct norm *c = arg;

	c->ops->norm_forward(c->ops, c->y, c->stat, c->x, c->gain, c->bias, c->rows, c->n, c->kind, 1e-5f);
	return weigh(c->y, c->weights, c->rows * c->n);
}

static void norm_case(int64_t rows, int64_t n, enum norm_kind kind, bool bias)
{
	const struct ops *ref = ops_find("reference"), *ops;
	struct norm c = {ref, check_random(1, rows * n, 2), check_random(2, n, 1),
		bias ? check_random(3, n, 1) : NULL, check_random(4, rows * n, 1), zeros(rows * n),
		zeros(2 * rows), rows, n, kind};
	float *dx = zeros(rows * n), *dg = zeros(n), *db = zeros(n), *y2 = zeros(rows * n),
	      *dx2 = zeros(rows * n), *dg2 = zeros(n), *db2 = zeros(n), *stat2 = zeros(2 * rows);

	norm_value(&c);
	ref->norm_backward(ref, dx, dg, db, c.weights, c.x, c.stat, c.gain, rows, n, kind);
	check_gradient("norm dx", norm_value, &c, c.x, dx, rows * n, 2e-3);
	check_gradient("norm dgain", norm_value, &c, c.gain, dg, n, 1e-3);
	if (bias)
		check_gradient("norm dbias", norm_value, &c, c.bias, db, n, 1e-3);
	norm_value(&c);
	EACH_BACKEND(ops)
	{
		ops->norm_forward(ops, y2, stat2, c.x, c.gain, c.bias, rows, n, kind, 1e-5f);
		check_close("norm y", y2, c.y, rows * n, 1e-5);
		memset(dx2, 0, sizeof *dx2 * (size_t)(rows * n));
		memset(dg2, 0, sizeof *dg2 * (size_t)n);
		memset(db2, 0, sizeof *db2 * (size_t)n);
		ops->norm_backward(ops, dx2, dg2, db2, c.weights, c.x, stat2, c.gain, rows, n, kind);
		check_close("norm dx", dx2, dx, rows * n, 1e-5);
		check_close("norm dgain", dg2, dg, n, 1e-5);
		check_close("norm dbias", db2, db, n, 1e-5);
	}
	free(c.x), free(c.gain), free(c.bias), free(c.weights), free(c.y), free(c.stat), free(dx), free(dg);
	free(db), free(y2), free(dx2), free(dg2), free(db2), free(stat2);
}

static void test_norm(void **state)
{
	(void)state;
	norm_case(5, 33, NORM_LAYER, true);
	norm_case(5, 33, NORM_RMS, false);
	norm_case(1, 7, NORM_RMS, false);
	norm_case(18, 1100, NORM_LAYER, true);
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
		zeros(n), n, kind};
	float *dg = zeros(n), *du = zeros(n), *y2 = zeros(n), *dg2 = zeros(n), *du2 = zeros(n);

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

static void test_act(void **state)
{
	(void)state;
	for (enum act_kind kind = ACT_GELU; kind <= ACT_RELU; kind++) {
		act_case(77, kind, true);
		act_case(77, kind, false);
	}
	act_case(40001, ACT_SILU, true);
}

/* ---- rope: turned back, it is what it was; backends agree */

static void test_rope(void **state)
{
	enum { ROWS = 9, HEADS = 3, DIM = 10, HALF = 4, LD = 37 };
	const struct ops *ref = ops_find("reference"), *ops;
	float turn[32 * HALF * 2], *x = check_random(1, ROWS * LD, 1), *y = zeros(ROWS * LD), *z = zeros(ROWS * LD);
	int32_t pos[ROWS] = {0, 1, 2, 3, 31, 4, 5, 30, 7};
	size_t bytes = sizeof *x * ROWS * LD;

	(void)state;
	for (int i = 0; i < 32 * HALF; i++) {
		turn[2 * i] = (float)cos(0.1 * i);
		turn[2 * i + 1] = (float)sin(0.1 * i);
	}
	memcpy(y, x, bytes);
	ref->rope(ref, y, LD, pos, turn, ROWS, HEADS, DIM, HALF, false);
	assert_true(fabsf(y[LD * 4] - x[LD * 4]) > 1e-3f);
	EACH_BACKEND(ops)
	{
		memcpy(z, x, bytes);
		ops->rope(ops, z, LD, pos, turn, ROWS, HEADS, DIM, HALF, false);
		check_close("rope", z, y, ROWS * LD, 1e-6);
		ops->rope(ops, z, LD, pos, turn, ROWS, HEADS, DIM, HALF, true);
		check_close("rope and back", z, x, ROWS * LD, 1e-6);
	}
	free(x), free(y), free(z);
}

/* ---- attention */

struct attend {
	const struct ops *ops;
	struct attention a;
	struct spans s;
	float *qkv, *weights, *out, *lse, *scratch;
	int64_t rows;
};

static void attend_run(struct attend *c, const struct ops *ops, float *out, float *lse)
{
	int64_t dq = c->a.heads * c->a.head_dim, dk = c->a.kv_heads * c->a.head_dim;

	ops->attend_forward(ops, out, lse, c->qkv, c->qkv + dq, c->qkv + dq + dk, &c->a, &c->s, c->scratch);
}

static double attend_value(void *arg)
{
	struct attend *c = arg;

	attend_run(c, c->ops, c->out, c->lse);
	return weigh(c->out, c->weights, c->rows * c->a.heads * c->a.head_dim);
}

static void attend_case(const struct span *span, const int64_t *group, int64_t groups, int64_t rows,
	int64_t heads, int64_t kv_heads, int64_t dim)
{
	const struct ops *ref = ops_find("reference"), *ops;
	int64_t dq = heads * dim, dk = kv_heads * dim, ld = dq + 2 * dk;
	struct attend c = {ref, {heads, kv_heads, dim, ld, 0.37f}, {span, group, groups},
		check_random(1, rows * ld, 1), check_random(2, rows * dq, 1), zeros(rows * dq), zeros(rows * heads),
		NULL, rows};
	float *grad = zeros(rows * ld), *grad2 = zeros(rows * ld), *out2 = zeros(rows * dq), *lse2 = zeros(rows * heads);
	int64_t scratch = ref->attend_scratch(ref, rows, dim);

	EACH_BACKEND(ops)
		if (ops->attend_scratch(ops, rows, dim) > scratch)
			scratch = ops->attend_scratch(ops, rows, dim);
	c.scratch = zeros(scratch);
	attend_value(&c);
	ref->attend_backward(ref, grad, grad + dq, grad + dq + dk, c.weights, c.out, c.lse, c.qkv, c.qkv + dq,
		c.qkv + dq + dk, &c.a, &c.s, c.scratch);
	if (rows < 50)
		check_gradient("attention", attend_value, &c, c.qkv, grad, rows * ld, 2e-3);
	attend_value(&c);
	EACH_BACKEND(ops)
	{
		attend_run(&c, ops, out2, lse2);
		check_close("attention out", out2, c.out, rows * dq, 1e-5);
		check_close("attention lse", lse2, c.lse, rows * heads, 1e-5);
		memset(grad2, 0x7f, sizeof *grad2 * (size_t)(rows * ld));
		ops->attend_backward(ops, grad2, grad2 + dq, grad2 + dq + dk, c.weights, out2, lse2, c.qkv,
			c.qkv + dq, c.qkv + dq + dk, &c.a, &c.s, c.scratch);
		check_close("attention gradient", grad2, grad, rows * ld, 2e-5);
	}
	free(c.qkv), free(c.weights), free(c.out), free(c.lse), free(c.scratch), free(grad), free(grad2), free(out2);
	free(lse2);
}

static void test_attend(void **state)
{
	/* A prompt with two completions; a text alone; an empty prompt with two completions. */
	const struct span small[] = {{0, 5, 0, 0}, {5, 3, 0, 5}, {8, 1, 0, 5}, {9, 4, 9, 0}, {13, 0, 13, 0},
		{13, 2, 13, 0}, {15, 3, 13, 0}};
	const int64_t small_groups[] = {0, 3, 4, 7};
	const struct span large[] = {{0, 75, 0, 0}, {75, 33, 0, 75}, {108, 64, 0, 75}, {172, 131, 172, 0}};
	const int64_t large_groups[] = {0, 3, 4};

	(void)state;
	attend_case(small, small_groups, 3, 18, 4, 2, 5);
	attend_case(small, small_groups, 3, 18, 3, 3, 16);
	attend_case(small, small_groups, 3, 18, 3, 1, 33);
	attend_case(large, large_groups, 2, 303, 6, 2, 64);
	attend_case(large, large_groups, 2, 303, 2, 2, 20);
}

/* ---- log-probs */

struct logp {
	const struct ops *ops;
	float *logits, *dlogp;
	const int32_t *target;
	int64_t n, vocab;
	struct logp_row rows[16];
};

static double logp_value(void *arg)
{
	struct logp *c = arg;
	double sum = 0;

	c->ops->logp_forward(c->ops, c->rows, c->logits, c->target, c->n, c->vocab);
	for (int64_t i = 0; i < c->n; i++)
		sum += (double)c->rows[i].logp * c->dlogp[i];
	return sum;
}

static void logp_case(int64_t n, int64_t vocab, double spread)
{
	const struct ops *ref = ops_find("reference"), *ops;
	int32_t target[16];
	struct logp c = {ref, check_random(1, n * vocab, spread), check_random(2, n, 1), target, n, vocab, {{.hit = false}}};
	float *grad = zeros(n * vocab), *grad2 = zeros(n * vocab);
	struct logp_row rows[16];
	size_t bytes = sizeof *grad * (size_t)(n * vocab);

	for (int64_t i = 0; i < n; i++)
		target[i] = (int32_t)((i * 7919) % vocab);
	logp_value(&c);
	memcpy(grad, c.logits, bytes);
	ref->logp_backward(ref, grad, c.rows, c.dlogp, target, n, vocab);
	if (spread < 3)
		check_gradient("logp", logp_value, &c, c.logits, grad, n * vocab, 2e-3);
	logp_value(&c);
	EACH_BACKEND(ops)
	{
		ops->logp_forward(ops, rows, c.logits, target, n, vocab);
		for (int64_t i = 0; i < n; i++) {
			check_close("logp", &rows[i].logp, &c.rows[i].logp, 1, 1e-6);
			check_close("lse", &rows[i].lse, &c.rows[i].lse, 1, 1e-6);
			check_close("entropy", &rows[i].entropy, &c.rows[i].entropy, 1, 1e-4);
			assert_true(fabsf(rows[i].mean - c.rows[i].mean) < 1e-5f);
			assert_int_equal(rows[i].hit, c.rows[i].hit);
		}
		memcpy(grad2, c.logits, bytes);
		ops->logp_backward(ops, grad2, rows, c.dlogp, target, n, vocab);
		check_close("logp gradient", grad2, grad, n * vocab, 1e-5);
	}
	free(c.logits), free(c.dlogp), free(grad), free(grad2);
}

static void test_logp(void **state)
{
	(void)state;
	logp_case(3, 11, 1);
	logp_case(1, 1, 1);
	logp_case(5, 5003, 10);
	logp_case(16, 300, 2);
}

/* ---- what is not a number stays so: no comparison, maximum or clamp on the way may swallow it */

static void test_nan(void **state)
{
	const struct span span = {0, 40, 0, 0};
	const int64_t group[] = {0, 1};
	const struct attention a = {2, 1, 4, 16, 1};
	const struct spans s = {&span, group, 1};
	const struct ops *ops;
	const int32_t target = 1;

	(void)state;
	EACH_BACKEND(ops)
		for (int64_t at = 0; at < 40; at++) {
			float *x = check_random(1, 40 * 16, 1), *out = zeros(40 * 16), *lse = zeros(40 * 16);
			float *scratch = zeros(ops->attend_scratch(ops, 40, 4));
			struct logp_row row;

			x[at] = NAN;
			for (enum act_kind kind = ACT_GELU; kind <= ACT_RELU; kind++) {
				ops->act_forward(ops, out, x, NULL, 40, kind);
				assert_true(isnan(out[at]) && !isnan(out[(at + 1) % 40]));
			}
			ops->logp_forward(ops, &row, x, &target, 1, 40);
			assert_true(isnan(row.logp) && isnan(row.lse));
			x[at] = 0;
			x[at * 16 + 8] = NAN; /* a key */
			ops->attend_forward(ops, out, lse, x, x + 8, x + 12, &a, &s, scratch);
			for (int64_t i = 0; i < 40; i++)
				for (int64_t h = 0; h < 2; h++)
					assert_true((i < at) != !!isnan(out[i * 8 + h * 4]));
			free(x), free(out), free(lse), free(scratch);
		}
}

/* ---- embedding, gather, optimizer */

static void test_embed(void **state)
{
	enum { ROWS = 9, N = 70, VOCAB = 6 };
	const struct ops *ref = ops_find("reference"), *ops;
	const int32_t id[ROWS] = {0, 5, 5, 2, 0, 1, 3, 5, 0}, pos[ROWS] = {0, 1, 2, 3, 4, 0, 1, 2, 3};
	const int64_t row[5] = {3, 3, 0, 8, 1};
	float *table = check_random(1, VOCAB * N, 1), *places = check_random(2, 5 * N, 1), *x = zeros(ROWS * N),
	      *y = zeros(ROWS * N), *dt = zeros(VOCAB * N), *dp = zeros(5 * N), *dt2, *dp2;

	(void)state;
	ref->embed_forward(ref, x, table, places, id, pos, ROWS, N);
	assert_true(x[3 * N + 7] == table[2 * N + 7] + places[3 * N + 7]);
	ref->embed_backward(ref, dt, dp, x, id, pos, ROWS, N);
	assert_true(fabsf(dt[7] - x[7] - x[4 * N + 7] - x[8 * N + 7]) < 1e-6f);
	EACH_BACKEND(ops)
	{
		dt2 = zeros(VOCAB * N);
		dp2 = zeros(5 * N);
		ops->embed_forward(ops, y, table, places, id, pos, ROWS, N);
		check_close("embed", y, x, ROWS * N, 1e-7);
		ops->embed_backward(ops, dt2, dp2, x, id, pos, ROWS, N);
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

static void test_optimizer(void **state)
{
	enum { N = 40003 };
	const struct ops *ref = ops_find("reference"), *ops;
	const struct adamw o = {1e-2f, 0.9f, 0.99f, 1e-8f, 0.1f, 1 - 0.9f * 0.9f, 1 - 0.99f * 0.99f, 0.5f};
	float *g = check_random(1, N, 1), *w0 = check_random(2, N, 1), *m0 = check_random(3, N, 0.1),
	      *v0 = zeros(N), *w[2], *m[2], *v[2];
	size_t bytes = sizeof *g * N;

	(void)state;
	for (int i = 0; i < N; i++)
		v0[i] = 0.01f * (float)(i % 7);
	for (int i = 0; i < 2; i++)
		w[i] = zeros(N), m[i] = zeros(N), v[i] = zeros(N);
	memcpy(w[0], w0, bytes), memcpy(m[0], m0, bytes), memcpy(v[0], v0, bytes);
	ref->adamw(ref, w[0], m[0], v[0], g, N, &o);
	EACH_BACKEND(ops)
	{
		memcpy(w[1], w0, bytes), memcpy(m[1], m0, bytes), memcpy(v[1], v0, bytes);
		ops->adamw(ops, w[1], m[1], v[1], g, N, &o);
		check_close("adamw w", w[1], w[0], N, 1e-6);
		check_close("adamw m", m[1], m[0], N, 1e-6);
		check_close("adamw v", v[1], v[0], N, 1e-6);
		assert_true(fabs(ops->sum_squares(ops, g, N) / ref->sum_squares(ref, g, N) - 1) < 1e-6);
	}
	for (int i = 0; i < 2; i++)
		free(w[i]), free(m[i]), free(v[i]);
	free(g), free(w0), free(m0), free(v0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_linear),
		cmocka_unit_test(test_norm),
		cmocka_unit_test(test_act),
		cmocka_unit_test(test_rope),
		cmocka_unit_test(test_attend),
		cmocka_unit_test(test_logp),
		cmocka_unit_test(test_nan),
		cmocka_unit_test(test_embed),
		cmocka_unit_test(test_optimizer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
