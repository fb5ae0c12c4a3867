#include "num/apart.h"

#include <stdlib.h>

#include "num/kernels.h"

/* How work is cut, by sizes alone: columns to a part, and the depth of a part that is made floats of at a time. */
#define COLUMNS 64
#define PANEL_K 1024
#define FEW 6	    /* rows for which a matrix is read as it lies, where panels would give the same bits */
#define ALONE 65536 /* multiplications that are done sooner than other threads are called */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- in float32 */

/*
 * Columns from to to of rows of y += x times w: panel by panel where w has no floats, or many rows would look for
 * them all over again.
 */
static void add_floats(const struct ops *ops, float *y, int64_t ldy, const float *x, int64_t ldx, const struct mat *w,
	int64_t rows, int64_t from, int64_t to)
{
	bool tb = !w->in_first;
	int64_t all = mat_columns(w), n = to - from;
	float panel[COLUMNS * PANEL_K] __attribute__((aligned(64)));

	if (rows <= FEW && ops->kernels->gemm_few) {
		ops->kernels->gemm_few(rows, x, ldx, w, from, n, y + from, ldy);
		return;
	}
	if (w->type == MAT_F32 && tb) {
		ops->kernels->gemm_apart(
			tb, rows, n, w->in, x, ldx, (const float *)w->data + from * all, all, y + from, ldy);
		return;
	}
	for (int64_t k = 0; k < w->in; k += PANEL_K) {
		int64_t deep = least(PANEL_K, w->in - k), ld = tb ? PANEL_K : COLUMNS;

		ops->mat_load(ops, panel, ld, w, tb ? from : k, tb ? n : deep, tb ? k : from, tb ? deep : n);
		ops->kernels->gemm_apart(tb, rows, n, deep, x + k, ldx, panel, ld, y + from, ldy);
	}
}

/* ---- in BF16 */

static _Thread_local struct {
	uint16_t *data;
	size_t cap;
} room;

static bool by_tiles(const struct ops *ops)
{
#if defined(__x86_64__)
	return ops->multiplier->multiply == gemm_half_amx;
#else
	(void)ops;
	return false;
#endif
}

/* Rows rounded and packed; NULL: there is no memory. */
static const uint16_t *pack(const struct ops *ops, const float *x, int64_t ldx, int64_t rows, int64_t k)
{
	size_t n = (size_t)((rows + HALF_LINES - 1) / HALF_LINES * HALF_LINES * half_depth(k));
	uint16_t *to;

	if (room.cap < n) {
		free(room.data);
		room.data = aligned_alloc(64, n * sizeof *room.data);
		room.cap = room.data ? n : 0;
	}
	to = room.data;
	if (!to)
		return NULL;
#pragma omp parallel for if (rows > HALF_LINES)
	for (int64_t from = 0; from < rows; from += HALF_LINES)
		ops->kernels->half_pack(by_tiles(ops), to, x, ldx, from, rows, k);
	return to;
}

#define PANEL_LD (PANEL_K + 32) /* no power of 2, so that columns do not fall on the same cache lines */

/* panel[outputs from to to][deep], rounded, of w's inputs from k on. */
static void load_half(
	const struct ops *ops, uint16_t *panel, const struct mat *w, int64_t from, int64_t to, int64_t k, int64_t deep)
{
	float row[PANEL_K];
	uint16_t half[COLUMNS];

	if (!w->in_first) {
		for (int64_t j = from; j < to; j++, panel += PANEL_LD) {
			ops->mat_load(ops, row, 0, w, j, 1, k, deep);
			ops->kernels->to_half(panel, row, deep);
		}
		return;
	}
	for (int64_t l = 0; l < deep; l++) {
		ops->mat_load(ops, row, 0, w, k + l, 1, from, to - from);
		ops->kernels->to_half(half, row, to - from);
		for (int64_t j = 0; j < to - from; j++)
			panel[j * PANEL_LD + l] = half[j];
	}
}

/* The same as add_floats(), of packed x. */
static void add_half(const struct ops *ops, float *y, int64_t ldy, const uint16_t *x, const struct mat *w, int64_t rows,
	int64_t from, int64_t to)
{
	uint16_t panel[COLUMNS * PANEL_LD] __attribute__((aligned(64)));
	int64_t depth = half_depth(w->in);

	if (w->type == MAT_BF16 && !w->in_first) {
		ops->kernels->half_apart(by_tiles(ops), rows, to - from, 0, w->in, x, depth,
			(const uint16_t *)w->data + from * w->in, w->in, y + from, ldy);
		return;
	}
	for (int64_t k = 0; k < w->in; k += PANEL_K) {
		int64_t deep = least(PANEL_K, w->in - k);

		load_half(ops, panel, w, from, to, k, deep);
		ops->kernels->half_apart(
			by_tiles(ops), rows, to - from, k, deep, x, depth, panel, PANEL_LD, y + from, ldy);
	}
}

void apart_linear(const struct ops *ops, float *y, int64_t ldy, const float *x, int64_t ldx, const struct mat *w,
	const float *bias, int64_t rows, bool add)
{
	const uint16_t *packed = ops_half(ops) ? pack(ops, x, ldx, rows, w->in) : NULL;
	int64_t part = rows <= FEW && !w->in_first && w->out < 16 * COLUMNS ? COLUMNS / 2 : COLUMNS;

	/* Parts that lie side by side go to one thread, which has asked for the next one's rows. */
#pragma omp parallel for schedule(static) if (rows * w->in * w->out > ALONE)
	for (int64_t from = 0; from < w->out; from += part) {
		int64_t to = least(from + part, w->out);

		begin_linear(ops->kernels, y, ldy, bias, rows, from, to, add);
		if (packed)
			add_half(ops, y, ldy, packed, w, rows, from, to);
		else
			add_floats(ops, y, ldy, x, ldx, w, rows, from, to);
	}
}
