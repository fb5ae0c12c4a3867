#include "num/half.h"

#include <pthread.h>
#include <stdlib.h>

#define CHUNK ((int64_t)1 << 22) /* numbers of an operand that are rounded at a time */
#define LINES MAT_BLOCK		 /* that are made at a time */
#define TILE ((int64_t)1 << 19)	 /* of a right operand that a part is multiplied with: half of a second cache */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t round_up(int64_t n, int64_t to)
{
	return (n + to - 1) / to * to;
}

/* Of n lines, as many as have most numbers, a multiple of some. */
static int64_t lines_of(int64_t most, int64_t k, int64_t n, int64_t some)
{
	int64_t fit = most / half_depth(k) / some * some;

	return least(n, fit > some ? fit : some);
}

/* ---- rounded operands */

struct operand {
	uint16_t *data;
	size_t cap;
	const float *of; /* what is held, if this is made of it: n lines of k numbers, ld floats apart */
	int64_t n, k, ld;
};

struct operands {
	const float *held;
	struct operand left, right, turned, weights;
};

static _Thread_local struct operands mine;
static pthread_key_t key;
static bool has_key;

/* Threads come and go with the number of them. */
static void release_mine(void *of)
{
	struct operands *m = of;

	free(m->left.data);
	free(m->right.data);
	free(m->turned.data);
	free(m->weights.data);
}

static void make_key(void)
{
	has_key = pthread_key_create(&key, release_mine) == 0;
}

/* Has the calling thread's operands freed when it ends. */
static void release_at_end(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_key);
	if (has_key)
		pthread_setspecific(key, &mine);
}

void half_hold(const float *x)
{
	mine.held = x;
	mine.left.of = mine.right.of = mine.turned.of = NULL;
}

static bool reserve(struct operand *o, int64_t lines, int64_t k)
{
	size_t n = (size_t)(round_up(lines, HALF_LINES) * half_depth(k));

	o->of = NULL;
	if (o->cap >= n)
		return true;
	release_at_end();
	free(o->data);
	o->data = aligned_alloc(64, n * sizeof *o->data);
	o->cap = o->data ? n : 0;
	return o->data;
}

/*
 * n lines of k numbers, which are x's rows if rows, else its columns. What is held is made once: nobody makes it both
 * of rows and of columns.
 */
static bool make(const struct ops *ops, struct operand *o, const float *x, int64_t ld, int64_t n, int64_t k, bool rows,
	bool right)
{
	uint16_t *to;

	if (o->of == x && o->n == n && o->k == k && o->ld == ld)
		return true;
	if (!reserve(o, n, k))
		return false;
	to = o->data;
#pragma omp parallel for
	for (int64_t i = 0; i < n; i += LINES)
		ops->kernels->half_tiles(to + i * half_depth(k), half_depth(k), x + (rows ? i * ld : i), ld, least(LINES, n - i), k,
			rows, right);
	*o = (struct operand){o->data, o->cap, x == mine.held ? x : NULL, n, k, ld};
	return true;
}

/* LINES lines, or the last n, of a right operand: those from line on of w, its rows as stored if rows. */
static void make_lines(const struct ops *ops, uint16_t *to, const struct mat *w, bool rows, int64_t line, int64_t n,
	int64_t k)
{
	enum { DEEP = 4 * MAT_BLOCK };
	float part[DEEP * LINES] __attribute__((aligned(64)));
	int64_t all = mat_columns(w);

	if (w->type == MAT_F32) {
		ops->kernels->half_tiles(to, half_depth(k), (const float *)w->data + (rows ? line * all : line), all, n, k, rows,
			true);
		return;
	}
	for (int64_t l = 0; l < k; l += DEEP) {
		int64_t some = least(DEEP, k - l), ld = rows ? DEEP : LINES;

		ops->mat_load(ops, part, ld, w, rows ? line : l, rows ? n : some, rows ? l : line, rows ? some : n);
		ops->kernels->half_tiles(to + l * HALF_LINES, half_depth(k), part, ld, n, some, rows, true);
	}
}

/* ---- products of them */

/* c[m, n] = a * b, or + c. */
static void gemm(const struct ops *ops, int64_t m, int64_t n, int64_t k, const uint16_t *a, const uint16_t *b, float *c,
	int64_t ldc, bool add)
{
	int64_t tn = lines_of(TILE, k, n, 2 * HALF_LINES);

	while (tn > 64 && ((m + TILE_M - 1) / TILE_M) * ((n + tn - 1) / tn) < 8)
		tn = round_up(tn / 2, 2 * HALF_LINES);
#pragma omp parallel for collapse(2) schedule(dynamic)
	for (int64_t j = 0; j < n; j += tn)
		for (int64_t i = 0; i < m; i += TILE_M)
			ops->half(least(TILE_M, m - i), least(tn, n - j), k, a + i * half_depth(k), b + j * half_depth(k),
				half_depth(k), c + i * ldc + j, ldc, add);
}

int64_t half_tiles(const struct mat *w)
{
	return round_up(w->out, HALF_LINES) * half_depth(w->in);
}

static void make_all_lines(const struct ops *ops, uint16_t *to, const struct mat *w, bool rows, int64_t from, int64_t n,
	int64_t k)
{
#pragma omp parallel for schedule(dynamic)
	for (int64_t j = 0; j < n; j += LINES)
		make_lines(ops, to + j * half_depth(k), w, rows, from + j, least(LINES, n - j), k);
}

void half_tile(const struct ops *ops, uint16_t *to, const struct mat *w)
{
	make_all_lines(ops, to, w, !w->in_first, 0, w->out, w->in);
}

bool half_product(const struct ops *ops, int64_t rows, const float *a, int64_t lda, const struct mat *w, bool turned,
	float *c, int64_t ldc, bool add)
{
	int64_t n = turned ? w->in : w->out, k = turned ? w->out : w->in, step = lines_of(CHUNK, k, n, MAT_BLOCK);

	if (!make(ops, &mine.left, a, lda, rows, k, true, false))
		return false;
	if (w->tiles && !turned) {
		gemm(ops, rows, n, k, mine.left.data, w->tiles, c, ldc, add);
		return true;
	}
	if (!reserve(&mine.weights, step, k))
		return false;
	for (int64_t from = 0; from < n; from += step) {
		int64_t wide = least(step, n - from);

		make_all_lines(ops, mine.weights.data, w, w->in_first == turned, from, wide, k);
		gemm(ops, rows, wide, k, mine.left.data, mine.weights.data, c + from, ldc, add);
	}
	return true;
}

bool half_outer(const struct ops *ops, float *c, const float *a, int64_t lda, int64_t m, const float *b, int64_t ldb,
	int64_t n, int64_t rows)
{
	int64_t step = lines_of(CHUNK, rows, m, TILE_M);

	if (!make(ops, &mine.right, b, ldb, n, rows, false, true))
		return false;
	for (int64_t from = 0; from < m; from += step) {
		int64_t high = least(step, m - from);

		if (!make(ops, &mine.turned, a + from, lda, high, rows, false, false))
			return false;
		gemm(ops, high, n, rows, mine.turned.data, mine.right.data, c + from * n, n, true);
	}
	return true;
}
