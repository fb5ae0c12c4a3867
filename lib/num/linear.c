#include "num/linear.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK ((size_t)8 << 20) /* bytes of an operand that are laid out at a time, */
#define DEEP ((int64_t)5120)	/* and numbers of a line, which multipliers add up in parts of a divisor */
#define LINES MAT_BLOCK		/* that are laid out together; every multiplier's are a divisor */
#define COLUMNS (8 * LINES)	/* at most, of lines that lie across: memory is read by pages, not by lines of a cache */
#define TILE ((size_t)1 << 20)	/* bytes of a right operand that a part is multiplied with: half of a second cache, */
#define TILE_M 256		/* and rows of the part */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t round_up(int64_t n, int64_t to)
{
	return (n + to - 1) / to * to;
}

/* Numbers of a line of k: not a multiple of a page, so that lines do not all fall on the same places of a cache. */
static int64_t depth(const struct multiplier *m, int64_t k)
{
	int64_t deep = round_up(k, m->deep), page = (int64_t)(4096 / m->size);

	return m->as_is && deep % (page / 4) == 0 ? deep + m->deep : deep;
}

/* Bytes of lines of k numbers. */
static size_t size_of(const struct multiplier *m, int64_t lines, int64_t k)
{
	return (size_t)(lines * depth(m, k)) * m->size;
}

/* Of n lines, as many as have so many bytes, a multiple of some. */
static int64_t lines_of(const struct multiplier *m, size_t bytes, int64_t k, int64_t n, int64_t some)
{
	int64_t fit = (int64_t)(bytes / size_of(m, 1, k)) / some * some;

	return least(n, fit > some ? fit : some);
}

/* How many of n lines that lie across are laid out together, by as many threads as there are. */
static int64_t strip(int64_t n)
{
	int64_t strips = round_up((n + COLUMNS - 1) / COLUMNS, omp_get_max_threads());

	return round_up((n - 1) / strips + 1, LINES);
}

/* ---- operands */

struct operand {
	char *data;
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

void linear_hold(const float *x)
{
	mine.held = x;
	mine.left.of = mine.right.of = mine.turned.of = NULL;
}

static bool reserve(const struct multiplier *m, struct operand *o, int64_t lines, int64_t k)
{
	size_t n = size_of(m, round_up(lines, LINES), k);

	o->of = NULL;
	if (o->cap >= n)
		return true;
	release_at_end();
	free(o->data);
	o->data = aligned_alloc(64, n);
	o->cap = o->data ? n : 0;
	return o->data;
}

/*
 * n lines of k numbers, which are x's rows if rows, else its columns. What is held is made once: nobody makes it both
 * of rows and of columns.
 */
static bool make(const struct multiplier *m, struct operand *o, const float *x, int64_t ld, int64_t n, int64_t k, bool rows,
	bool right)
{
	int64_t some = rows ? LINES : strip(n);
	char *to;

	if (o->of == x && o->n == n && o->k == k && o->ld == ld)
		return true;
	if (!reserve(m, o, n, k))
		return false;
	to = o->data;
#pragma omp parallel for
	for (int64_t i = 0; i < n; i += some)
		m->lay_out(to + size_of(m, i, k), depth(m, k), x + (rows ? i * ld : i), ld, least(some, n - i), k, rows, right);
	*o = (struct operand){o->data, o->cap, x == mine.held ? x : NULL, n, k, ld};
	return true;
}

/* Lines of a matrix as a right operand: w's rows as stored if rows, else its columns; k numbers of each from at on. */
struct lines {
	const struct mat *w;
	bool rows;
	int64_t at, k;
};

/* n of them from line on, which are floats. */
static void make_float_lines(const struct ops *ops, char *to, const struct lines *s, int64_t line, int64_t n)
{
	int64_t all = mat_columns(s->w);
	const float *x = (const float *)s->w->data + (s->rows ? line * all + s->at : s->at * all + line);

	ops->multiplier->lay_out(to, depth(ops->multiplier, s->k), x, all, n, s->k, s->rows, true);
}

/* LINES of them from line on, or the last n. */
static void make_lines(const struct ops *ops, char *to, const struct lines *s, int64_t line, int64_t n)
{
	enum { SOME = 4 * MAT_BLOCK };
	const struct multiplier *m = ops->multiplier;
	float part[SOME * LINES] __attribute__((aligned(64)));
	int64_t end = s->at + s->k, ldt = depth(m, s->k);

	for (int64_t l = s->at; l < end; l += SOME, to += (size_t)(SOME * m->lines) * m->size) {
		int64_t some = least(SOME, end - l), ld = s->rows ? SOME : LINES;

		ops->mat_load(ops, part, ld, s->w, s->rows ? line : l, s->rows ? n : some, s->rows ? l : line,
			s->rows ? some : n);
		m->lay_out(to, ldt, part, ld, n, some, s->rows, true);
	}
}

/* How many of n of them are made together. */
static int64_t some_lines(const struct lines *s, int64_t n)
{
	return s->w->type == MAT_F32 && !s->rows ? strip(n) : LINES;
}

/* Those from j on, some of them or the last, of n that begin at from. */
static void make_some(
	const struct ops *ops, char *to, const struct lines *s, int64_t from, int64_t n, int64_t j, int64_t some)
{
	(s->w->type == MAT_F32 ? make_float_lines : make_lines)(
		ops, to + size_of(ops->multiplier, j, s->k), s, from + j, least(some, n - j));
}

/* All n from from on. */
static void make_all_lines(const struct ops *ops, char *to, const struct lines *s, int64_t from, int64_t n)
{
	int64_t some = some_lines(s, n);

#pragma omp parallel for schedule(dynamic)
	for (int64_t j = 0; j < n; j += some)
		make_some(ops, to, s, from, n, j, some);
}

/* All of it: its outputs, or its inputs if turned. */
static struct lines lines_in(const struct mat *w, bool turned)
{
	return (struct lines){w, w->in_first == turned, 0, turned ? w->out : w->in};
}

int64_t linear_tiles(const struct ops *ops, const struct mat *w, bool turned)
{
	int64_t n = turned ? w->in : w->out;

	return ops->multiplier ? (int64_t)size_of(ops->multiplier, round_up(n, LINES), lines_in(w, turned).k) : 0;
}

void linear_tile_later(const struct ops *ops, struct tilings *t, void *to, const struct mat *w, bool turned)
{
	struct lines s = lines_in(w, turned);
	int64_t n = turned ? w->in : w->out;

	(void)ops;
	t->of[t->n++] = (struct tiling){*w, to, turned, n, some_lines(&s, n)};
}

bool linear_tile_piece(const struct ops *ops, struct tilings *t)
{
	int64_t piece;

#pragma omp atomic capture
	piece = t->next++;
	for (const struct tiling *x = t->of; x < t->of + t->n; x++) {
		struct lines s = lines_in(&x->w, x->turned);
		int64_t pieces = (x->lines + x->some - 1) / x->some;

		if (piece < pieces) {
			make_some(ops, x->to, &s, 0, x->lines, piece * x->some, x->some);
			return true;
		}
		piece -= pieces;
	}
	return false;
}

void linear_tile(const struct ops *ops, struct tilings *t)
{
#pragma omp parallel
	while (linear_tile_piece(ops, t))
		continue;
}

int64_t linear_columns(const struct ops *ops, int64_t n, int64_t rows)
{
	return ops->multiplier ? (int64_t)size_of(ops->multiplier, round_up(n, LINES), rows) : 0;
}

/* An operand's bytes before a number of its first lines. */
static size_t skip(const struct multiplier *m, int64_t k, bool right)
{
	return (size_t)(m->as_is && !right ? k : k * m->lines) * m->size;
}

void linear_lay_columns(const struct ops *ops, void *to, const float *x, int64_t ldx, int64_t n, int64_t rows, int64_t from,
	int64_t some, bool right)
{
	const struct multiplier *m = ops->multiplier;

	m->lay_out((char *)to + skip(m, from, right), depth(m, rows), x, ldx, n, some, false, right);
}

/* ---- products */

/* c[m, n] = a * b, or + c, by all threads that are here; a's lines have size lda. */
static void multiply_here(const struct multiplier *by, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda,
	const char *b, float *c, int64_t ldc, bool add)
{
	int64_t tm = TILE_M / by->rows * by->rows, tn = lines_of(by, TILE, k, n, LINES);

	while (tn > LINES && ((m + tm - 1) / tm) * ((n + tn - 1) / tn) < 8)
		tn = round_up(tn / 2, LINES);
#pragma omp for collapse(2) schedule(dynamic) nowait
	for (int64_t j = 0; j < n; j += tn)
		for (int64_t i = 0; i < m; i += tm)
			by->multiply(least(tm, m - i), least(tn, n - j), k, (const char *)a + (size_t)(i * lda) * by->size, lda,
				b + size_of(by, j, k), depth(by, k), c + i * ldc + j, ldc, add);
}

static void multiply(const struct multiplier *by, int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const char *b,
	float *c, int64_t ldc, bool add)
{
#pragma omp parallel
	multiply_here(by, m, n, k, a, lda, b, c, ldc, add);
}

/* As linear_product(), as far as there is memory for operands. */
static bool by_lines(const struct ops *ops, int64_t rows, const float *a, int64_t lda, const struct mat *w, bool turned,
	float *c, int64_t ldc, bool add)
{
	const struct multiplier *by = ops->multiplier;
	int64_t n = turned ? w->in : w->out, k = turned ? w->out : w->in;
	struct lines s = lines_in(w, turned);
	int64_t step;
	const char *left = (const char *)a;

	if (!by->as_is) {
		if (!make(by, &mine.left, a, lda, rows, k, true, false))
			return false;
		left = mine.left.data;
		lda = depth(by, k);
	}
	if (w->tiles) {
		multiply(by, rows, n, k, left, lda, w->tiles, c, ldc, add);
		return true;
	}
	s.k = k > 2 * DEEP ? DEEP : k;
	step = lines_of(by, CHUNK, s.k, n, LINES);
	if (!reserve(by, &mine.weights, step, s.k))
		return false;
	for (; s.at < k; s.at += s.k) {
		const char *part = left + skip(by, s.at, false);

		s.k = least(s.k, k - s.at);
		for (int64_t from = 0; from < n; from += step) {
			int64_t wide = least(step, n - from);

			make_all_lines(ops, mine.weights.data, &s, from, wide);
			multiply(by, rows, wide, s.k, part, lda, mine.weights.data, c + from, ldc, add || s.at > 0);
		}
	}
	return true;
}

/* As it is defined, a part of w's floats at a time. */
static void as_defined(const struct ops *ops, int64_t rows, const float *a, int64_t lda, const struct mat *w, bool turned,
	float *c, int64_t ldc, bool add)
{
	enum { SOME = 16 * MAT_BLOCK };
	bool tb = w->in_first == turned;
	int64_t n = turned ? w->in : w->out, depth = turned ? w->out : w->in;

#pragma omp parallel for schedule(dynamic)
	for (int64_t j = 0; j < n; j += LINES) {
		float part[LINES * SOME];
		int64_t wide = least(LINES, n - j);

		for (int64_t k = 0; k < depth; k += SOME) {
			int64_t deep = least(SOME, depth - k), ld = tb ? SOME : LINES;

			ops->mat_load(ops, part, ld, w, tb ? j : k, tb ? wide : deep, tb ? k : j, tb ? deep : wide);
			reference_gemm(false, tb, rows, wide, deep, a + k, lda, part, ld, c + j, ldc, add || k > 0);
		}
	}
}

void linear_product(const struct ops *ops, int64_t rows, const float *a, int64_t lda, const struct mat *w, bool turned,
	float *c, int64_t ldc, bool add)
{
	if (!ops->multiplier || !by_lines(ops, rows, a, lda, w, turned, c, ldc, add))
		as_defined(ops, rows, a, lda, w, turned, c, ldc, add);
}

static bool outer_by_lines(const struct multiplier *by, float *c, const float *a, int64_t lda, int64_t m, const float *b,
	int64_t ldb, int64_t n, int64_t rows)
{
	int64_t step = lines_of(by, CHUNK, rows, m, LINES);

	if (!make(by, &mine.right, b, ldb, n, rows, false, true))
		return false;
	for (int64_t from = 0; from < m; from += step) {
		int64_t high = least(step, m - from);

		if (!make(by, &mine.turned, a + from, lda, high, rows, false, false))
			return false;
		multiply(by, high, n, rows, mine.turned.data, depth(by, rows), mine.right.data, c + from * n, n, true);
	}
	return true;
}

void linear_outers(const struct ops *ops, const struct outer *outer, int n, int64_t rows)
{
	const struct multiplier *by = ops->multiplier;

#pragma omp parallel
	for (const struct outer *o = outer; o < outer + n; o++)
		multiply_here(by, o->m, o->n, rows, o->left, depth(by, rows), o->right, o->dw, o->n, true);
}

void linear_outer(const struct ops *ops, float *c, const float *a, int64_t lda, int64_t m, const float *b, int64_t ldb,
	int64_t n, int64_t rows)
{
	if (ops->multiplier && outer_by_lines(ops->multiplier, c, a, lda, m, b, ldb, n, rows))
		return;
#pragma omp parallel for
	for (int64_t i = 0; i < m; i += LINES)
		reference_gemm(true, false, least(LINES, m - i), n, rows, a + i, lda, b, ldb, c + i * n, n, true);
}
