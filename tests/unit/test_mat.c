/* Matrices in fewer bits, dropout, and the gains of columns. */
#include "tests/unit/support/check.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/dtype.h"
#include "num/kernels.h"
#include "num/ops.h"

static const char *const backends[] = {"reference", "cpu-base", "cpu-v3", "cpu-v4", "cpu"};

#define EACH_BACKEND(ops) \
	for (size_t b_ = 0; b_ < sizeof backends / sizeof *backends; b_++) \
		if ((ops = ops_find(backends[b_])))

/* A random matrix of a type, and the floats that it stands for. */
struct made {
	struct mat w;
	void *data;
	float *scale, *floats;
};

static struct made make(enum mat_type type, int64_t rows, int64_t columns, bool in_first, uint64_t seed)
{
	float *exact = check_random(seed, rows * columns, 1);
	int64_t blocks = mat_row_blocks(type, columns);
	size_t size = mat_row_size(type, columns);
	struct made m = {.data = calloc((size_t)rows, size), .scale = calloc((size_t)(rows * blocks + 1), sizeof(float)),
		.floats = calloc((size_t)(rows * columns), sizeof(float))};
	const struct ops *ref = ops_find("reference");

	assert_true(m.data && m.scale && m.floats);
	for (int64_t r = 0; r < rows; r++) {
		char *to = (char *)m.data + size * (size_t)r;

		if (blocks)
			mat_quantise(type, to, m.scale + r * blocks, exact + r * columns, columns);
		else
			dtype_from_f32(to, exact + r * columns, type == MAT_F16 ? F16 : type == MAT_BF16 ? BF16 : F32, (size_t)columns);
	}
	m.w = (struct mat){m.data, in_first ? columns : rows, in_first ? rows : columns, in_first, type, m.scale, NULL};
	ref->mat_load(ref, m.floats, columns, &m.w, 0, rows, 0, columns);
	free(exact);
	return m;
}

static void unmake(struct made *m)
{
	free(m->data), free(m->scale), free(m->floats);
}

/* How far rounding may go, against the largest of a block: half of the widest gap between two levels. */
static void rounding_is_to_the_nearest(void **state)
{
	static const float most[] = {0, 0x1p-11f, 0x1p-8f, 0.5f / 127, (1 - 0.6961928f) / 2};
	enum { N = 3 * MAT_BLOCK + 37 };
	float *x = check_random(9, N, 2);

	(void)state;
	memset(x + MAT_BLOCK, 0, MAT_BLOCK * sizeof *x); /* nothing, and a scale of 0 */
	for (enum mat_type type = MAT_INT8; type <= MAT_NF4; type++) {
		uint8_t data[N];
		float scale[5] = {-1, -1, -1, -1, -1}, got[N];
		struct mat w = {data, 1, N, false, type, scale, NULL};
		const struct ops *ref = ops_find("reference");

		mat_quantise(type, data, scale, x, N);
		assert_true(scale[1] == 0 && scale[4] == -1);
		ref->mat_load(ref, got, N, &w, 0, 1, 0, N);
		for (int i = 0; i < N; i++) {
			assert_true(fabsf(got[i] - x[i]) <= scale[i / MAT_BLOCK] * most[type] * 1.0001f);
			if (fabsf(x[i]) == scale[i / MAT_BLOCK] && (type == MAT_INT8 || x[i] != 0))
				assert_true(fabsf(got[i] - x[i]) <= fabsf(x[i]) * 1e-6f);
		}
	}
	free(x);
}

static void levels_are_normal_quantiles(void **state)
{
	(void)state;
	assert_true(mat_nf4[0] == -1 && mat_nf4[7] == 0 && mat_nf4[15] == 1);
	for (int i = 1; i < 16; i++)
		assert_true(mat_nf4[i] > mat_nf4[i - 1]);
	/* Between levels of the positive half lies the same share of a normal distribution. */
	for (int i = 9; i < 15; i++) {
		const double widest = 1.8481308; /* the quantile of 0.9677083, which is 1 */
		double a = erf(mat_nf4[i - 1] * widest / sqrt(2)), b = erf(mat_nf4[i] * widest / sqrt(2)),
		       c = erf(mat_nf4[i + 1] * widest / sqrt(2));

		assert_true(fabs((c - b) - (b - a)) < 2e-4);
	}
}

/* Products with a matrix in fewer bits are those with the floats that it stands for, at sizes about the panels'. */
static void products_are_those_of_the_floats(void **state)
{
	static const int64_t sizes[][3] = {{1, 1, 1}, {5, 130, 67}, {257, 64, 1030}, {3, 1100, 129}, {7, 6, 2050}};
	const struct ops *ops;

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (int turn = 0; turn < 8; turn++) {
			int64_t rows = sizes[s][0], out = sizes[s][1], in = sizes[s][2];
			bool first = turn % 2;
			struct made m = make((enum mat_type)(turn / 2 + 1), first ? in : out, first ? out : in, first, s);
			struct mat plain = {m.floats, out, in, first, MAT_F32, NULL, NULL};
			float *x = check_random(3, rows * in, 1), *dy = check_random(4, rows * out, 1),
			      *y = calloc((size_t)(rows * out), sizeof *y), *dx = calloc((size_t)(rows * in), sizeof *dx), *y2, *dx2;
			const struct ops *ref = ops_find("cpu-base");

			ref->linear_forward(ref, y, out, x, in, &plain, NULL, rows, false);
			ref->linear_backward_x(ref, dx, in, dy, out, &plain, rows, false);
			EACH_BACKEND(ops)
			{
				y2 = calloc((size_t)(rows * out), sizeof *y2);
				dx2 = calloc((size_t)(rows * in + out), sizeof *dx2);
				assert_true(y2 && dx2);
				ops->linear_forward(ops, y2, out, x, in, &m.w, NULL, rows, true);
				check_close("y", y2, y, rows * out, 2e-5);
				ops->linear_backward_x(ops, dx2, in, dy, out, &m.w, rows, false);
				check_close("dx", dx2, dx, rows * in, 2e-5);
				memset(y2, 0, sizeof *y2 * (size_t)(rows * out));
				ops->linear_apart(ops, y2, out, x, in, &m.w, NULL, rows, true);
				check_close("y apart", y2, y, rows * out, 2e-5);
				for (int64_t r = 0; r < rows; r += 3) { /* a row alone, to the bit */
					ops->linear_apart(ops, dx2, out, x + r * in, in, &m.w, NULL, 1, false);
					assert_memory_equal(dx2, y2 + r * out, sizeof *y2 * (size_t)out);
				}
				free(y2), free(dx2);
			}
			free(x), free(dy), free(y), free(dx);
			unmake(&m);
		}
}

static void round_all(float *x, int64_t n)
{
	uint16_t *half = malloc((size_t)n * sizeof *half);

	assert_non_null(half);
	dtype_from_f32(half, x, BF16, (size_t)n);
	dtype_to_f32(x, half, BF16, (size_t)n);
	free(half);
}

/* Rows of got[rows, out], by linear_apart() or linear_forward(), are what they are alone, with other threads. */
static void check_rows_alone(const struct ops *ops, bool apart, const float *got, const float *x, const struct mat *w,
	int64_t rows)
{
	float *alone = malloc((size_t)w->out * sizeof *alone);

	assert_non_null(alone);
	omp_set_num_threads(1);
	for (int64_t r = 0; r < rows; r += !apart ? (rows + 2) / 3 : rows < 20 ? 1 : 7) {
		(apart ? ops->linear_apart : ops->linear_forward)(
			ops, alone, w->out, x + r * w->in, w->in, w, NULL, 1, false);
		assert_memory_equal(alone, got + r * w->out, sizeof *alone * (size_t)w->out);
	}
	omp_set_num_threads(2);
	free(alone);
}

/* The first part takes long. */
static void wait_part(void *arg, int64_t from, int64_t n, int64_t slot)
{
	(void)arg, (void)n, (void)slot;
	if (from == 0)
		usleep(200);
}

/* Laid out by threads that wait for another, as far as they come. */
static void by_tiles(const struct ops *ops, bool turned, float *y, const float *x, struct mat w, int64_t rows)
{
	void *tiles = aligned_alloc(64, (size_t)ops->tiles(ops, &w, turned));
	struct tilings t = {0};

	assert_non_null(tiles);
	ops->tile_later(ops, &t, tiles, &w, turned);
	ops->each_part(ops, 300, wait_part, NULL, &t);
	ops->tile(ops, &t);
	w.tiles = tiles;
	if (turned)
		ops->linear_backward_x(ops, y, w.in, x, w.out, &w, rows, false);
	else
		ops->linear_forward(ops, y, w.out, x, w.in, &w, NULL, rows, false);
	free(tiles);
}

struct columns {
	const struct ops *ops;
	int64_t rows, m, n;
	const float *a, *b;
	void *left, *right;
	float *sums;
};

static void lay_part(void *arg, int64_t from, int64_t some, int64_t slot)
{
	const struct columns *c = arg;

	(void)slot;
	c->ops->lay_columns(c->ops, c->left, c->a + from * c->m, c->m, c->m, c->rows, from, some, false);
	c->ops->lay_columns(c->ops, c->right, c->b + from * c->n, c->n, c->n, c->rows, from, some, true);
	c->ops->sum_rows(c->ops, c->sums, c->b + from * c->n, c->n, c->n, from, some);
}

/* What linear_backward_w() makes, to the bit, of rows that come in parts. */
static void check_parts(const struct ops *ops, const float *dw, const float *dy, const float *x, const struct mat *w,
	int64_t rows)
{
	bool first = w->in_first;
	struct columns c = {ops, rows, first ? w->in : w->out, first ? w->out : w->in, first ? x : dy, first ? dy : x,
		NULL, NULL, NULL};
	struct mat sum = {NULL, c.n, c.m, false, MAT_F32, NULL, NULL};
	float *got = calloc((size_t)(c.m * c.n), sizeof *got), *bias = calloc((size_t)c.n, sizeof *bias),
	      *want = calloc((size_t)c.n, sizeof *want);

	c.left = aligned_alloc(64, (size_t)ops->columns(ops, c.m, rows));
	c.right = aligned_alloc(64, (size_t)ops->columns(ops, c.n, rows));
	c.sums = malloc((size_t)(ops->sums(ops, rows) * c.n) * sizeof *c.sums);
	assert_true(got && bias && want && c.left && c.right && c.sums);
	ops->each_part(ops, rows, lay_part, &c, NULL);
	ops->outers(ops, &(struct outer){got, c.left, c.m, c.right, c.n}, 1, rows);
	assert_memory_equal(got, dw, sizeof *got * (size_t)(c.m * c.n));
	ops->linear_backward_w(ops, NULL, bias, c.sums, c.n, NULL, 0, &sum, ops->sums(ops, rows));
	for (int64_t r = 0; r < rows; r++)
		for (int64_t i = 0; i < c.n; i++)
			want[i] += c.b[r * c.n + i];
	check_close("sums", bias, want, c.n, 1e-5);
	free(got), free(bias), free(want), free(c.left), free(c.right), free(c.sums);
}

/* Products by ops are those by plain, of operands rounded to BF16 if ops multiplies those, at any number of threads. */
static void products_by(const struct ops *ops, const struct ops *plain, const int64_t sizes[5][3])
{
	bool half = ops_half(ops);

	for (size_t s = 0; s < 5; s++)
		for (int turn = 0; turn < 10; turn++) {
			int64_t rows = sizes[s][0], out = sizes[s][1], in = sizes[s][2];
			bool first = turn % 2;
			struct made m = make((enum mat_type)(turn / 2), first ? in : out, first ? out : in, first, s);
			struct mat floats = {m.floats, out, in, first, MAT_F32, NULL, NULL};
			float *x = check_random(3, rows * in, 1), *dy = check_random(4, rows * out, 1),
			      *y = calloc((size_t)(rows * out), sizeof *y), *dx = calloc((size_t)(rows * in), sizeof *dx),
			      *dw = calloc((size_t)(in * out), sizeof *dw), *y2 = calloc((size_t)(rows * out), sizeof *y2),
			      *dx2 = calloc((size_t)(rows * in), sizeof *dx2), *dw2 = calloc((size_t)(in * out), sizeof *dw2);
			float *y3 = malloc((size_t)(rows * out) * sizeof *y3);

			assert_true(y && dx && dw && y2 && dx2 && dw2 && y3);
			omp_set_num_threads(2);
			ops->hold(ops, s % 2 ? x : NULL);
			ops->linear_forward(ops, y2, out, x, in, &m.w, NULL, rows, true);
			ops->linear_backward_x(ops, dx2, in, dy, out, &m.w, rows, false);
			ops->linear_backward_w(ops, dw2, NULL, dy, out, x, in, &m.w, rows);
			omp_set_num_threads(1);
			ops->linear_forward(ops, y3, out, x, in, &m.w, NULL, rows, false);
			ops->hold(ops, NULL);
			assert_memory_equal(y3, y2, (size_t)(rows * out) * sizeof *y3);
			by_tiles(ops, false, y3, x, m.w, rows);
			assert_memory_equal(y3, y2, (size_t)(rows * out) * sizeof *y3);
			by_tiles(ops, true, dx, dy, m.w, rows);
			assert_memory_equal(dx, dx2, (size_t)(rows * in) * sizeof *dx);
			omp_set_num_threads(1 + (int)s % 3);
			check_parts(ops, dw2, dy, x, &m.w, rows);
			omp_set_num_threads(1);
			check_rows_alone(ops, false, y3, x, &m.w, rows);
			ops->linear_apart(ops, y3, out, x, in, &m.w, NULL, rows, false);
			check_rows_alone(ops, true, y3, x, &m.w, rows);
			if (half) {
				round_all(x, rows * in);
				round_all(dy, rows * out);
				round_all(m.floats, in * out);
			}
			plain->linear_forward(plain, y, out, x, in, &floats, NULL, rows, false);
			plain->linear_backward_x(plain, dx, in, dy, out, &floats, rows, false);
			plain->linear_backward_w(plain, dw, NULL, dy, out, x, in, &floats, rows);
			check_close("y", y2, y, rows * out, 2e-5);
			check_close("y apart", y3, y, rows * out, 2e-5);
			check_close("dx", dx2, dx, rows * in, 2e-5);
			check_close("dw", dw2, dw, in * out, 2e-5);
			free(x), free(dy), free(y), free(dx), free(dw), free(y2), free(dx2), free(dw2), free(y3);
			unmake(&m);
		}
}

static void kept_for_the_backward_pass(void **state)
{
	static const char *const name[] = {"reference", "cpu", "half"};

	(void)state;
	for (int64_t n = 1, rows = 37; n < 40; n += 19)
		for (int i = 0; i < 3; i++) {
			const struct ops *ops = ops_find(name[i]);
			float *x = check_random(7, rows * n, 1), *back = check_random(8, rows * n, 1);
			float *to = ops ? malloc(sizeof *to * (size_t)(ops->stored(ops, n) * rows)) : NULL;

			if (ops) {
				assert_int_equal(ops->stored(ops, n), ops_half(ops) ? (n + 1) / 2 : n);
				ops->store(ops, to, x, rows, n);
				ops->load(ops, back, to, rows, n);
				if (ops_half(ops))
					round_all(x, rows * n);
				assert_memory_equal(back, x, sizeof *x * (size_t)(rows * n));
			}
			free(x), free(back), free(to);
		}
}

static void products_in_f32(void **state)
{
	static const int64_t sizes[5][3] = {{1, 1, 1}, {5, 130, 67}, {127, 64, 1030}, {33, 300, 129}, {9, 70, 10300}};
	const struct ops *ops;

	(void)state;
	EACH_BACKEND(ops)
		if (ops->multiplier)
			products_by(ops, ops_find("reference"), sizes);
}

static void products_in_bf16(void **state)
{
	static const int64_t sizes[5][3] = {{1, 1, 1}, {5, 130, 67}, {257, 64, 1030}, {9, 70, 10300}, {300, 2100, 2050}};
	static const char *const name[] = {"half-amx", "half-pairs"};
	int found = 0;

	(void)state;
	for (int i = 0; i < 2; i++)
		if (ops_find(name[i])) {
			products_by(ops_find(name[i]), ops_find("cpu"), sizes);
			found++;
		}
	if (!found)
		skip();
}

/* Can all backends here make tiles? */
static bool rounds(void)
{
#if defined(__x86_64__)
	return gemm_half_has_pairs();
#else
	return true;
#endif
}

/* Operands of BF16 products, by every backend as by the definition: odd sizes, rows or columns, left or right. */
static void tiles_of_bf16(void **state)
{
	static const int64_t sizes[][2] = {{1, 1}, {16, 32}, {7, 31}, {16, 33}, {3, 1030}, {15, 64}, {70, 40}, {48, 200}};
	const struct ops *ops;

	(void)state;
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
		for (int how = 0; how < 4; how++) {
			int64_t n = sizes[s][0], k = sizes[s][1], ld = how % 2 ? k + 5 : n + 5, lines = how % 2 ? n : k;
			int64_t ldt = half_depth(k) + (s % 2 ? HALF_DEPTH : 0);
			size_t count = (size_t)((n + HALF_LINES - 1) / HALF_LINES * HALF_LINES * ldt);
			float *x = check_random(17 + s, lines * ld, 3);
			uint16_t *want = malloc(count * sizeof *want), *got = malloc(count * sizeof *got);

			assert_true(want && got);
			memset(want, 1, count * sizeof *want);
			reference_half_tiles(want, ldt, x, ld, n, k, how % 2, how / 2);
			for (int64_t i = 0; i < n && how < 2; i++) { /* what a left operand's tiles hold, and where */
				uint16_t one;

				reference_to_half(&one, &x[how % 2 ? i * ld + k - 1 : (k - 1) * ld + i], 1);
				assert_int_equal(want[i / 16 * 16 * ldt + (k - 1) / 32 * 512 + i % 16 * 32 + (k - 1) % 32], one);
			}
			EACH_BACKEND(ops)
			{
				if (!rounds())
					continue;
				memset(got, 1, count * sizeof *got);
				ops->kernels->half_tiles(got, ldt, x, ld, n, k, how % 2, how / 2);
				assert_memory_equal(got, want, count * sizeof *got);
			}
			free(x), free(want), free(got);
		}
}

static void rounding_to_bf16(void **state)
{
	const float odd[] = {0, -0.0f, 1, INFINITY, -INFINITY, NAN, 3.4e38f, 1e-40f, 1.00390625f, 1.01171875f};
	float *x = check_random(11, 1003, 100);
	uint16_t got[1003], want[1003];
	const struct ops *ops;

	(void)state;
	memcpy(x, odd, sizeof odd);
	dtype_from_f32(want, x, BF16, 1003);
	EACH_BACKEND(ops)
	{
		ops->kernels->to_half(got, x, 1003);
		for (int i = 0; i < 1003; i++)
			assert_true(got[i] == want[i] || (x[i] != x[i] && (got[i] & 0x7f80) == 0x7f80 && got[i] & 0x7f));
	}
	free(x);
}

static void parts_load_as_the_whole(void **state)
{
	enum { ROWS = 5, COLUMNS = 4 * MAT_BLOCK + 3 };
	const struct ops *ops;

	(void)state;
	for (enum mat_type type = MAT_F32; type <= MAT_NF4; type++) {
		struct made m = make(type, ROWS, COLUMNS, false, type);
		float got[3 * 300];

		EACH_BACKEND(ops)
		{
			ops->mat_load(ops, got, 300, &m.w, 2, 3, MAT_BLOCK, COLUMNS - MAT_BLOCK);
			for (int r = 0; r < 3; r++)
				check_close("part", got + r * 300, m.floats + (r + 2) * COLUMNS + MAT_BLOCK, COLUMNS - MAT_BLOCK, 1e-7);
		}
		unmake(&m);
	}
}

static void dropout_is_by_place(void **state)
{
	enum { ROWS = 90, N = 611 };
	float *x = check_random(7, ROWS * N, 1), *y = calloc(ROWS * N, sizeof *y), *part = calloc(ROWS * N, sizeof *part);
	const struct ops *ops;
	int64_t left, first = -1;

	(void)state;
	EACH_BACKEND(ops)
	{
		const struct dropout d = {0.3f, 12345, 7}, later = {0.3f, 12345, 7 + 40}, other = {0.3f, 12346, 7};

		left = 0;
		ops->drop(ops, y, x, &d, ROWS, N);
		for (int64_t i = 0; i < ROWS * N; i++) {
			assert_true(y[i] == 0 || fabsf(y[i] - x[i] / 0.7f) <= fabsf(x[i]) * 1e-6f);
			left += y[i] != 0;
		}
		assert_true(first < 0 || first == left); /* the same of all backends */
		first = left;
		assert_true(fabs((double)left / (ROWS * N) - 0.7) < 4 * sqrt(0.21 / (ROWS * N)));
		ops->drop(ops, part, x + 40 * N, &later, ROWS - 40, N); /* rows know their numbers */
		assert_memory_equal(part, y + 40 * N, (ROWS - 40) * N * sizeof *y);
		ops->drop(ops, part, x, &other, ROWS, N);
		assert_memory_not_equal(part, y, ROWS * N * sizeof *y);
		memcpy(part, x, ROWS * N * sizeof *x);
		ops->drop(ops, part, part, &d, ROWS, N);
		assert_memory_equal(part, y, ROWS * N * sizeof *y);
	}
	free(x), free(y), free(part);
}

static void gains_stretch_columns(void **state)
{
	enum { ROWS = 9, N = 70, LD = 73 };
	float *x = check_random(1, ROWS * N, 1), *gain = check_random(2, N, 1), *bias = check_random(3, N, 1),
	      *dy = check_random(4, ROWS * LD, 1), y[ROWS * LD] = {0}, dx[ROWS * N], dgain[N];
	const struct ops *ops;

	(void)state;
	EACH_BACKEND(ops)
	{
		ops->stretch_forward(ops, y, LD, x, gain, bias, ROWS, N, false);
		ops->stretch_forward(ops, y, LD, x, gain, NULL, ROWS, N, true);
		for (int i = 0; i < N; i++)
			dgain[i] = 1;
		memcpy(dx, x, sizeof dx);
		ops->stretch_backward(ops, dx, dgain, dy, LD, dx, gain, ROWS, N);
		for (int i = 0; i < N; i++) {
			double sum = 1;

			for (int r = 0; r < ROWS; r++) {
				sum += (double)dy[r * LD + i] * x[r * N + i];
				assert_true(fabsf(y[r * LD + i] - 2 * gain[i] * x[r * N + i] - bias[i]) < 1e-5f);
				assert_true(fabsf(dx[r * N + i] - gain[i] * dy[r * LD + i]) < 1e-6f);
			}
			assert_true(fabs(sum - dgain[i]) < 1e-4);
		}
		assert_true(y[LD - 1] == 0); /* between rows nothing is written */
	}
	free(x), free(gain), free(bias), free(dy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounding_is_to_the_nearest),
		cmocka_unit_test(levels_are_normal_quantiles),
		cmocka_unit_test(products_are_those_of_the_floats),
		cmocka_unit_test(products_in_f32),
		cmocka_unit_test(products_in_bf16),
		cmocka_unit_test(kept_for_the_backward_pass),
		cmocka_unit_test(tiles_of_bf16),
		cmocka_unit_test(rounding_to_bf16),
		cmocka_unit_test(parts_load_as_the_whole),
		cmocka_unit_test(dropout_is_by_place),
		cmocka_unit_test(gains_stretch_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
