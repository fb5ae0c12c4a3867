#include "num/half.h"

#include <stdlib.h>
#include <string.h>

#define ROUND 32	       /* rows are made up to a multiple, so that there are few shapes: each has code of its own */
#define CHUNK ((int64_t)1 << 22) /* numbers of a matrix that are rounded at a time */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t round_up(int64_t n)
{
	return (n + ROUND - 1) / ROUND * ROUND;
}

bool half_supported(void)
{
#if defined(__x86_64__)
	return gemm_half_supported() && __builtin_cpu_supports("avx512bf16");
#else
	return false;
#endif
}

/* ---- rounded operands */

static _Thread_local struct {
	uint16_t *data;
	size_t cap;
} room;

static uint16_t *room_for(int64_t n)
{
	if (room.cap < (size_t)n) {
		free(room.data);
		room.data = aligned_alloc(64, ((size_t)n * sizeof *room.data + 63) / 64 * 64);
		room.cap = room.data ? (size_t)n : 0;
	}
	return room.data;
}

/* to[round_up(rows), columns] = x, and zeros behind. */
static void round_rows(const struct ops *ops, uint16_t *to, const float *x, int64_t ldx, int64_t rows, int64_t columns)
{
#pragma omp parallel for
	for (int64_t r = 0; r < round_up(rows); r++) {
		if (r < rows)
			ops->kernels->to_half(to + r * columns, x + r * ldx, columns);
		else
			memset(to + r * columns, 0, sizeof *to * (size_t)columns);
	}
}

/* to[rows, columns] = a part of w. */
static void round_part(const struct ops *ops, uint16_t *to, const struct mat *w, int64_t row, int64_t rows,
	int64_t column, int64_t columns)
{
	enum { PART = 8 * MAT_BLOCK };

#pragma omp parallel for
	for (int64_t r = 0; r < rows; r++)
		for (int64_t i = 0; i < columns; i += PART) {
			float part[PART];
			int64_t n = least(PART, columns - i);

			ops->mat_load(ops, part, 0, w, row + r, 1, column + i, n);
			ops->kernels->to_half(to + r * columns + i, part, n);
		}
}

/* ---- products of them */

/* Rows of which some are made up: by way of a tile of their number. */
static void last_rows(bool tb, int64_t m, int64_t n, int64_t k, const uint16_t *a, int64_t lda, const uint16_t *b,
	int64_t ldb, float *c, int64_t ldc, bool add)
{
	float tile[TILE_M * TILE_N] __attribute__((aligned(64)));

	gemm_half_dnnl(false, tb, round_up(m), n, k, a, lda, b, ldb, tile, n, false);
	for (int64_t i = 0; i < m; i++)
		for (int64_t j = 0; j < n; j++)
			c[i * ldc + j] = (add ? c[i * ldc + j] : 0) + tile[i * n + j];
}

/* c[m, n] = a * b, or + c; without ta, a has round_up(m) rows. */
static void tiles(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const uint16_t *a, int64_t lda, const uint16_t *b,
	int64_t ldb, float *c, int64_t ldc, bool add)
{
	int64_t tn = TILE_N;

	while (tn > 96 && ((m + TILE_M - 1) / TILE_M) * ((n + tn - 1) / tn) < 8)
		tn /= 2;
#pragma omp parallel for collapse(2) schedule(dynamic)
	for (int64_t j = 0; j < n; j += tn)
		for (int64_t i = 0; i < m; i += TILE_M) {
			int64_t high = least(TILE_M, m - i), wide = least(tn, n - j);
			const uint16_t *x = a + (ta ? i : i * lda), *y = b + (tb ? j * ldb : j);
			float *to = c + i * ldc + j;

			if (ta || high % ROUND == 0)
				gemm_half_dnnl(ta, tb, high, wide, k, x, lda, y, ldb, to, ldc, add);
			else
				last_rows(tb, high, wide, k, x, lda, y, ldb, to, ldc, add);
		}
}

bool half_product(const struct ops *ops, int64_t rows, const float *a, int64_t lda, const struct mat *w, bool turned,
	float *c, int64_t ldc, bool add)
{
	int64_t n = turned ? w->in : w->out, k = turned ? w->out : w->in, all = mat_columns(w), step = n;
	bool tb = w->in_first == turned, ready = w->type == MAT_BF16;
	uint16_t *x, *part;

	if (!ready && n * k > CHUNK)
		step = least(n, (CHUNK / k + TILE_N - 1) / TILE_N * TILE_N);
	x = room_for(round_up(rows) * k + (ready ? 0 : step * k));
	if (!x)
		return false;
	part = x + round_up(rows) * k;
	round_rows(ops, x, a, lda, rows, k);
	if (ready) {
		tiles(false, tb, rows, n, k, x, k, w->data, all, c, ldc, add);
		return true;
	}
	for (int64_t j = 0; j < n; j += step) {
		int64_t wide = least(step, n - j);

		round_part(ops, part, w, tb ? j : 0, tb ? wide : k, tb ? 0 : j, tb ? k : wide);
		tiles(false, tb, rows, wide, k, x, k, part, tb ? k : wide, c + j, ldc, add);
	}
	return true;
}

bool half_outer(const struct ops *ops, float *c, const float *a, int64_t lda, int64_t m, const float *b, int64_t ldb,
	int64_t n, int64_t rows)
{
	int64_t k = round_up(rows);
	uint16_t *x = room_for(k * (m + n)), *y = x + k * m;

	if (!x)
		return false;
	round_rows(ops, x, a, lda, rows, m);
	round_rows(ops, y, b, ldb, rows, n);
	tiles(true, false, m, n, k, x, m, y, n, c, n, true);
	return true;
}
