#include "num/ops.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "num/adafactor.h"
#include "num/apart.h"
#include "num/kernels.h"
#include "num/linear.h"

/* How work is cut, by sizes alone: rows, columns and elements to a part. */
#define ROWS 16
#define COLUMNS 64
#define ELEMENTS 16384
#define ALONE 65536 /* multiplications that are done sooner than other threads are called */

/* Also by the threads, since a row comes out the same whatever goes with it. */
#define PART_LEAST 32	/* rows that a thread takes through several operations, */
#define PART_BYTES 512	/* of so many columns of an operand at most */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void mat_load(const struct ops *ops, float *dst, int64_t ld, const struct mat *w, int64_t row, int64_t rows,
	int64_t column, int64_t columns)
{
	int64_t all = mat_columns(w);
	size_t skip = mat_row_size(w->type, column), size = mat_row_size(w->type, all);

	for (int64_t r = 0; r < rows; r++) {
		const char *data = (const char *)w->data + size * (size_t)(row + r) + skip;
		const float *scale = w->scale + mat_row_blocks(w->type, all) * (row + r) + column / MAT_BLOCK;

		if (w->type == MAT_F32)
			memcpy(dst + r * ld, data, sizeof *dst * (size_t)columns);
		else
			ops->kernels->mat_load(dst + r * ld, w->type, data, scale, columns);
	}
}

static void hold(const struct ops *ops, const float *x)
{
	if (ops->multiplier)
		linear_hold(x);
}

/* Rows in parts: of units of rows, as many in each part as in any other, or one more. */
struct parts {
	int64_t n, units, unit;
};

/* As many parts as threads, or a multiple of that, where they are not too small. */
static struct parts parts_of(const struct ops *ops, int64_t rows)
{
	const struct multiplier *m = ops->multiplier;
	int64_t threads = omp_get_max_threads(), most, units, fewest, n;

	if (rows <= PART_LEAST || !m)
		return (struct parts){1, 1, rows};
	most = PART_BYTES / (int64_t)m->size;
	units = (rows + m->rows - 1) / m->rows;
	n = ((rows + most - 1) / most + threads - 1) / threads * threads;
	fewest = (PART_LEAST + m->rows - 1) / m->rows;
	return (struct parts){least(n, (units + fewest - 1) / fewest), units, m->rows};
}

static int64_t part_rows(const struct ops *ops, int64_t rows)
{
	struct parts p = parts_of(ops, rows);

	return (p.units + p.n - 1) / p.n * p.unit;
}

/* Parts are a thread's share of the rows or PART_LEAST, made up to a multiple. */
static int64_t room(const struct ops *ops, int64_t rows)
{
	int64_t threads = omp_get_max_threads(), least_room = threads * PART_LEAST;

	if (rows <= PART_LEAST || !ops->multiplier)
		return rows;
	return (rows > least_room ? rows : least_room) + threads * ops->multiplier->rows;
}

/* For each thread of a team that has nothing left to do: until all have come here. */
static void meanwhile(const struct ops *ops, struct tilings *ahead, int *here)
{
	int all = omp_get_num_threads(), come;

	if (!ahead)
		return;
#pragma omp atomic capture
	come = ++*here;
	while (come < all && linear_tile_piece(ops, ahead)) {
#pragma omp atomic read
		come = *here;
	}
}

static void each_part(const struct ops *ops, int64_t rows,
	void (*do_part)(void *arg, int64_t from, int64_t n, int64_t slot), void *arg, struct tilings *ahead)
{
	struct parts p = parts_of(ops, rows);
	int here = 0;

	if (p.n == 1) {
		do_part(arg, 0, rows, 0);
		return;
	}
#pragma omp parallel
	{
#pragma omp for schedule(dynamic) nowait
		for (int64_t i = 0; i < p.n; i++) {
			int64_t from = p.units * i / p.n * p.unit, to = p.units * (i + 1) / p.n * p.unit;

			do_part(arg, from, least(to, rows) - from, omp_get_thread_num());
		}
		meanwhile(ops, ahead, &here);
	}
}

static void linear_forward(const struct ops *ops, float *y, int64_t ldy, const float *x, int64_t ldx,
	const struct mat *w, const float *bias, int64_t rows, bool add)
{
	if (bias) {
#pragma omp parallel for
		for (int64_t r = 0; r < rows; r++)
			begin_linear(ops->kernels, y + r * ldy, ldy, bias, 1, 0, w->out, add);
		add = true;
	}
	linear_product(ops, rows, x, ldx, w, false, y, ldy, add);
}

static void linear_backward_x(const struct ops *ops, float *dx, int64_t ldx, const float *dy, int64_t ldy,
	const struct mat *w, int64_t rows, bool add)
{
	linear_product(ops, rows, dy, ldy, w, true, dx, ldx, add);
}

static void linear_backward_w(const struct ops *ops, float *dw, float *dbias, const float *dy, int64_t ldy,
	const float *x, int64_t ldx, const struct mat *w, int64_t rows)
{
	if (dw && w->in_first)
		linear_outer(ops, dw, x, ldx, w->in, dy, ldy, w->out, rows);
	else if (dw)
		linear_outer(ops, dw, dy, ldy, w->out, x, ldx, w->in, rows);
	if (!dbias)
		return;
#pragma omp parallel for
	for (int64_t from = 0; from < w->out; from += COLUMNS)
		for (int64_t r = 0; r < rows; r++)
			ops->kernels->add(dbias, dy + r * ldy, 1, from, least(from + COLUMNS, w->out));
}

static int64_t sums(const struct ops *ops, int64_t rows)
{
	int64_t some = ops->multiplier ? ops->multiplier->rows : ROWS;

	return (rows + some - 1) / some;
}

/* Parts begin at a multiple of the rows that are summed together. */
static void sum_rows(const struct ops *ops, float *to, const float *x, int64_t ldx, int64_t n, int64_t from, int64_t some)
{
	int64_t together = ops->multiplier ? ops->multiplier->rows : ROWS;

	for (int64_t r = 0; r < some; r++) {
		float *sum = to + (from + r) / together * n;

		if (r % together == 0)
			memcpy(sum, x + r * ldx, sizeof *sum * (size_t)n);
		else
			ops->kernels->add(sum, x + r * ldx, 1, 0, n);
	}
}

static int64_t stored(const struct ops *ops, int64_t n)
{
	return ops_half(ops) ? (n + 1) / 2 : n;
}

static void store(const struct ops *ops, float *to, const float *x, int64_t rows, int64_t n)
{
	int64_t each = stored(ops, n);

	if (to == x)
		return;
#pragma omp parallel for if (rows > ROWS)
	for (int64_t r = 0; r < rows; r++)
		if (ops_half(ops))
			ops->kernels->to_half((uint16_t *)(void *)(to + r * each), x + r * n, n);
		else
			memcpy(to + r * n, x + r * n, sizeof *x * (size_t)n);
}

static void load(const struct ops *ops, float *x, const float *from, int64_t rows, int64_t n)
{
	int64_t each = stored(ops, n);

	if (x == from)
		return;
#pragma omp parallel for if (rows > ROWS)
	for (int64_t r = 0; r < rows; r++)
		if (ops_half(ops))
			ops->kernels->mat_load(x + r * n, MAT_BF16, from + r * each, NULL, n);
		else
			memcpy(x + r * n, from + r * n, sizeof *x * (size_t)n);
}

/* y[columns] += scale * a stored row of w, a block at a time. */
static void add_row(const struct ops *ops, float *y, const struct mat *w, int64_t row, float scale)
{
	enum { PART = 8 * MAT_BLOCK };
	float part[PART];
	int64_t columns = mat_columns(w);

	if (w->type == MAT_F32) {
		ops->kernels->add(y, (const float *)w->data + row * columns, scale, 0, columns);
		return;
	}
	for (int64_t i = 0; i < columns; i += PART) {
		mat_load(ops, part, 0, w, row, 1, i, least(PART, columns - i));
		ops->kernels->add(y + i, part, scale, 0, least(PART, columns - i));
	}
}

static void embed_forward(const struct ops *ops, float *x, const struct mat *table, float scale,
	const struct mat *places, const int32_t *id, const int32_t *pos, int64_t rows)
{
	int64_t n = mat_columns(table);

#pragma omp parallel for if (rows > ROWS)
	for (int64_t r = 0; r < rows; r++) {
		memset(x + r * n, 0, sizeof *x * (size_t)n);
		add_row(ops, x + r * n, table, id[r], scale);
		if (places->data)
			add_row(ops, x + r * n, places, pos[r], 1);
	}
}

/* Rows may name the same token: threads split columns. */
static void embed_backward(const struct ops *ops, float *dtable, float scale, float *dplaces, const float *dx,
	const int32_t *id, const int32_t *pos, int64_t rows, int64_t n)
{
#pragma omp parallel for
	for (int64_t from = 0; from < n; from += COLUMNS)
		for (int64_t r = 0; r < rows; r++) {
			int64_t to = least(from + COLUMNS, n);

			ops->kernels->add(dtable + id[r] * n, dx + r * n, scale, from, to);
			if (dplaces)
				ops->kernels->add(dplaces + pos[r] * n, dx + r * n, 1, from, to);
		}
}

static void norm_forward(const struct ops *ops, float *y, float *stat, const float *x, const float *gain,
	const float *bias, int64_t rows, const struct norm *s)
{
#pragma omp parallel for if (rows > ROWS)
	for (int64_t r = 0; r < rows; r += ROWS)
		ops->kernels->norm_forward(y, stat, x, gain, bias, r, least(r + ROWS, rows), s);
}

static void norm_backward_w(const struct ops *ops, float *dgain, float *dbias, const float *dy, const float *x,
	const float *stat, int64_t rows, const struct norm *s)
{
#pragma omp parallel for
	for (int64_t c = 0; c < s->n; c += COLUMNS)
		ops->kernels->norm_backward_w(dgain, dbias, dy, x, stat, c, least(c + COLUMNS, s->n), rows, s);
}

static void norm_backward_x(const struct ops *ops, float *dx, const float *dy, const float *x, const float *stat,
	const float *gain, int64_t rows, const struct norm *s, bool add)
{
#pragma omp parallel for
	for (int64_t r = 0; r < rows; r += ROWS)
		ops->kernels->norm_backward_x(dx, dy, x, stat, gain, r, least(r + ROWS, rows), s, add);
}

static void rope(const struct ops *ops, float *x, int64_t ld, const float *turn, int64_t rows,
	const struct turning *s, bool back)
{
#pragma omp parallel for if (rows > ROWS)
	for (int64_t r = 0; r < rows; r += ROWS)
		ops->kernels->rope(x, ld, turn, r, least(r + ROWS, rows), s, back);
}

/* Each thread's part of the scratch, on a cache line of its own. */
static int64_t scratch_each(const struct ops *ops, int64_t keys, const struct attention *a)
{
	int64_t n = ops->kernels->attend_scratch(keys, a), half = 0;

	if (ops_half(ops))
		half = ops->kernels->attend_half_scratch(a);
	return ((half > n ? half : n) + 15) / 16 * 16;
}

static int64_t attend_scratch(const struct ops *ops, int64_t keys, const struct attention *a)
{
	return omp_get_max_threads() * scratch_each(ops, keys, a);
}

/* The most keys that a row of spans from from to to - 1 sees without a window. */
static int64_t most_keys(const struct spans *s, int64_t from, int64_t to)
{
	int64_t most = 0;

	for (int64_t i = from; i < to; i++)
		if (s->span[i].prefix_len + s->span[i].len > most)
			most = s->span[i].prefix_len + s->span[i].len;
	return most;
}

/* A span's group in BF16? Not where a window leaves out keys, whose place in tiles would be another for each block. */
static bool attend_in_half(const struct ops *ops, const struct attention *a, const struct spans *s, int64_t span)
{
	int64_t g = 0;

	if (!ops_half(ops) || a->window == 0)
		return ops_half(ops);
	while (s->group[g + 1] <= span)
		g++;
	return a->window >= most_keys(s, s->group[g], s->group[g + 1]);
}

/* The last rows of long spans come first, as they see most keys. */
static void attend_forward(const struct ops *ops, float *out, float *lse, const float *q, const float *k,
	const float *v, const struct attention *a, const struct spans *s, float *scratch, struct tilings *ahead)
{
	int64_t spans = s->group[s->groups], longest = most_keys(s, 0, spans), each = scratch_each(ops, longest, a);
	int here = 0;

#pragma omp parallel
	{
		float *room = scratch + omp_get_thread_num() * each;

#pragma omp for collapse(3) schedule(dynamic) nowait
		for (int64_t part = (longest - 1) / ATTEND_ROWS; part >= 0; part--)
			for (int64_t i = 0; i < spans; i++)
				for (int64_t h = 0; h < a->kv_heads; h++) {
					const struct span *span = &s->span[i];
					int64_t from = part * ATTEND_ROWS, to = least(from + ATTEND_ROWS, span->len);

					if (from >= to)
						continue;
					if (attend_in_half(ops, a, s, i))
						ops->kernels->attend_half_forward(ops->multiplier, out, lse, q, k, v, a, span, from, to, h, room);
					else
						ops->kernels->attend_forward(out, lse, q, k, v, a, span, from, to, h, room);
				}
		meanwhile(ops, ahead, &here);
	}
}

static void attend_backward(const struct ops *ops, float *dq, float *dk, float *dv, const float *dout,
	const float *out, const float *lse, const float *q, const float *k, const float *v,
	const struct attention *a, const struct spans *s, float *scratch, struct tilings *ahead)
{
	int64_t each = scratch_each(ops, most_keys(s, 0, s->group[s->groups]), a);
	int here = 0;

#pragma omp parallel
	{
		float *room = scratch + omp_get_thread_num() * each;

#pragma omp for collapse(2) schedule(dynamic) nowait
		for (int64_t g = 0; g < s->groups; g++)
			for (int64_t h = 0; h < a->kv_heads; h++) {
				int64_t from = s->group[g], to = s->group[g + 1];

				if (attend_in_half(ops, a, s, from))
					ops->kernels->attend_half_backward(ops->multiplier, dq, dk, dv, dout, out, lse, q, k, v,
						a, s->span, from, to, h, room);
				else
					ops->kernels->attend_backward(
						dq, dk, dv, dout, out, lse, q, k, v, a, s->span, from, to, h, room);
			}
		meanwhile(ops, ahead, &here);
	}
}

static void keep(const struct ops *ops, const float *k, const float *v, const struct attention *a,
	const struct past *past, int64_t at, int64_t rows)
{
	int64_t d = a->head_dim;

	(void)ops;
#pragma omp parallel for collapse(2) if (rows > ROWS)
	for (int64_t r = 0; r < rows; r++)
		for (int64_t h = 0; h < a->kv_heads; h++) {
			int64_t last = past[r].len - 1, place = last % PAST_PAGE, own = r * a->ld + h * a->kv_step;
			float *part = past[r].page[last / PAST_PAGE] + at + h * 2 * d * PAST_PAGE;

			for (int64_t f = 0; f < d; f++)
				part[f * PAST_PAGE + place] = k[own + f];
			memcpy(part + (PAST_PAGE + place) * d, v + own, sizeof *v * (size_t)d);
		}
}

static void attend_past(const struct ops *ops, float *out, const float *q, const struct attention *a,
	const struct past *past, int64_t at, int64_t rows, float *scratch)
{
	int64_t longest = 0, each;

	for (int64_t r = 0; r < rows; r++)
		longest = past[r].len > longest ? past[r].len : longest;
	each = scratch_each(ops, longest, a);
#pragma omp parallel for collapse(2) schedule(dynamic) if (rows * longest * a->heads * a->head_dim > ALONE)
	for (int64_t r = 0; r < rows; r++)
		for (int64_t h = 0; h < a->kv_heads; h++)
			ops->kernels->attend_past(out + r * a->heads * a->head_dim, q + r * a->ld, a, &past[r], at, h,
				scratch + omp_get_thread_num() * each);
}

static void act_forward(const struct ops *ops, float *y, const float *gate, const float *up, int64_t n,
	enum act_kind kind)
{
#pragma omp parallel for if (n > ELEMENTS)
	for (int64_t i = 0; i < n; i += ELEMENTS)
		ops->kernels->act_forward(y, gate, up, i, least(i + ELEMENTS, n), kind);
}

static void act_backward(const struct ops *ops, float *dgate, float *dup, const float *dy, const float *gate,
	const float *up, int64_t n, enum act_kind kind)
{
#pragma omp parallel for
	for (int64_t i = 0; i < n; i += ELEMENTS)
		ops->kernels->act_backward(dgate, dup, dy, gate, up, i, least(i + ELEMENTS, n), kind);
}

static void gather(const struct ops *ops, float *y, const float *x, const int64_t *row, int64_t n, int64_t width)
{
	(void)ops;
#pragma omp parallel for if (n > ROWS)
	for (int64_t i = 0; i < n; i++)
		memcpy(y + i * width, x + row[i] * width, sizeof *y * (size_t)width);
}

/* A row may be named twice: threads split columns. */
static void scatter(const struct ops *ops, float *dx, const float *dy, const int64_t *row, int64_t n,
	int64_t width)
{
#pragma omp parallel for
	for (int64_t from = 0; from < width; from += COLUMNS)
		for (int64_t i = 0; i < n; i++)
			ops->kernels->add(dx + row[i] * width, dy + i * width, 1, from, least(from + COLUMNS, width));
}

static void soft_cap(const struct ops *ops, float *x, int64_t n, float cap)
{
#pragma omp parallel for if (n > ELEMENTS)
	for (int64_t i = 0; i < n; i += ELEMENTS)
		ops->kernels->soft_cap(x, i, least(i + ELEMENTS, n), cap);
}

static void logp_add(const struct ops *ops, struct logp_sums *sums, const float *logits, const int32_t *target, int64_t n,
	int64_t at, int64_t columns)
{
#pragma omp parallel for if (n > 1)
	for (int64_t i = 0; i < n; i++)
		for (int64_t c = 0; c < columns; c += LOGP_BLOCK)
			ops->kernels->logp_add(
				&sums[i], logits + i * columns + c, target[i], at + c, least(LOGP_BLOCK, columns - c));
}

static void logp_end(const struct ops *ops, struct logp_row *out, const struct logp_sums *sums, const int32_t *target,
	int64_t n, int64_t vocab)
{
	(void)ops;
	for (int64_t i = 0; i < n; i++) {
		const struct logp_sums *s = &sums[i];
		double lse = log(s->sum); /* above the largest */

		out[i] = (struct logp_row){
			.logp = (float)((double)s->own - s->top - lse),
			.lse = (float)(s->top + lse),
			.mean = (float)(s->total / (double)vocab),
			.entropy = (float)(lse - s->weighted / s->sum),
			.square = (float)(log(s->squares) - 2 * lse),
			.hit = s->best == target[i],
		};
	}
}

static void logp_forward(const struct ops *ops, struct logp_row *out, const float *logits,
	const int32_t *target, int64_t n, int64_t vocab)
{
#pragma omp parallel for if (n > 1)
	for (int64_t i = 0; i < n; i++) {
		struct logp_sums sums;

		logp_add(ops, &sums, logits + i * vocab, target + i, 1, 0, vocab);
		logp_end(ops, out + i, &sums, target + i, 1, vocab);
	}
}

static void logp_backward(const struct ops *ops, float *logits, const struct logp_row *rows, const float *dlogp,
	const int32_t *target, int64_t n, int64_t at, int64_t columns, float cap)
{
#pragma omp parallel for
	for (int64_t i = 0; i < n; i++)
		ops->kernels->logp_backward(logits + i * columns, &rows[i], dlogp[i], target[i] - at, columns, cap);
}

static void stretch_forward(const struct ops *ops, float *y, int64_t ldy, const float *x, const float *gain,
	const float *bias, int64_t rows, int64_t n, bool add)
{
	(void)ops;
#pragma omp parallel for if (rows > ROWS)
	for (int64_t r = 0; r < rows; r++)
		for (int64_t i = 0; i < n; i++) {
			float *to = &y[r * ldy + i];

			*to = (add ? *to : 0) + gain[i] * x[r * n + i] + (bias ? bias[i] : 0);
		}
}

static void stretch_backward(const struct ops *ops, float *dx, float *dgain, const float *dy, int64_t ldy,
	const float *x, const float *gain, int64_t rows, int64_t n)
{
	(void)ops;
#pragma omp parallel for
	for (int64_t from = 0; from < n; from += COLUMNS)
		for (int64_t r = 0; r < rows; r++)
			for (int64_t i = from; i < least(from + COLUMNS, n); i++) {
				dgain[i] += dy[r * ldy + i] * x[r * n + i];
				dx[r * n + i] = gain[i] * dy[r * ldy + i];
			}
}

static void drop(const struct ops *ops, float *y, const float *x, const struct dropout *d, int64_t rows, int64_t n)
{
#pragma omp parallel for
	for (int64_t r = 0; r < rows; r += ROWS)
		ops->kernels->drop(y, x, d, r, least(r + ROWS, rows), n);
}

static void scale(const struct ops *ops, float *x, float factor, int64_t n)
{
	(void)ops;
#pragma omp parallel for simd if (parallel : n > ELEMENTS)
	for (int64_t i = 0; i < n; i++)
		x[i] *= factor;
}

static void add(const struct ops *ops, float *y, const float *x, int64_t n)
{
#pragma omp parallel for if (n > ELEMENTS)
	for (int64_t i = 0; i < n; i += ELEMENTS)
		ops->kernels->add(y, x, 1, i, least(i + ELEMENTS, n));
}

static void blend(const struct ops *ops, float *y, const float *x, float keep, int64_t n)
{
	(void)ops;
#pragma omp parallel for simd
	for (int64_t i = 0; i < n; i++)
		y[i] = keep * y[i] + (1 - keep) * x[i];
}

/* Part by part, and the parts' sums in order: the same at any number of threads. */
static double sum_squares(const struct ops *ops, const float *x, int64_t n)
{
	enum { SUMS = 256 };
	double part[SUMS], sum = 0;
	int64_t size = (n + SUMS - 1) / SUMS;

#pragma omp parallel for
	for (int64_t i = 0; i < SUMS; i++)
		part[i] = i * size < n ? ops->kernels->sum_squares(x, i * size, least((i + 1) * size, n)) : 0;
	for (int i = 0; i < SUMS; i++)
		sum += part[i];
	return sum;
}

static float *floats(const struct moment *m, int64_t from)
{
	return m ? (float *)m->data + from : NULL;
}

/* Weights from from to to, a block at a time where a moment is not kept in floats. */
static void update_part(const struct kernels *k, float *w, const struct moment *m, const struct moment *v,
	const float *g, int64_t from, int64_t to, const struct update *o)
{
	float mean[MOMENT_BLOCK], square[MOMENT_BLOCK];

	if ((!m || m->type == MOMENT_F32) && (!v || v->type == MOMENT_F32)) {
		k->update(w + from, floats(m, from), floats(v, from), g + from, to - from, o);
		return;
	}
	for (int64_t i = from; i < to; i += MOMENT_BLOCK) {
		int64_t n = least(MOMENT_BLOCK, to - i);

		if (m)
			k->moment_load(mean, m, i, n);
		if (v)
			k->moment_load(square, v, i, n);
		k->update(w + i, mean, square, g + i, n, o);
		if (m)
			k->moment_store(m, mean, i, n, o->noise);
		if (v)
			k->moment_store(v, square, i, n, ~o->noise);
	}
}

static void update(const struct ops *ops, float *w, const struct moment *m, const struct moment *v, const float *g,
	int64_t n, const struct update *o)
{
#pragma omp parallel for
	for (int64_t i = 0; i < n; i += ELEMENTS)
		update_part(ops->kernels, w, m, v, g, i, least(i + ELEMENTS, n), o);
}

#define TABLE(its_name, its_kernels, its_multiplier) \
	{ \
		its_name, its_kernels, its_multiplier, linear_forward, apart_linear, hold, linear_tiles, linear_tile_later, linear_tile, part_rows, room, \
			each_part, linear_backward_x, mat_load, \
			linear_backward_w, linear_columns, linear_lay_columns, linear_outers, sums, sum_rows, stored, store, load, \
			embed_forward, embed_backward, norm_forward, norm_backward_w, norm_backward_x, rope, attend_scratch, attend_forward, \
			attend_backward, keep, attend_past, act_forward, act_backward, gather, scatter, soft_cap, logp_add, logp_end, logp_forward, \
			logp_backward, stretch_forward, stretch_backward, drop, scale, add, blend, sum_squares, update, adafactor, \
	}

extern const struct kernels kernels_base, kernels_v3, kernels_v4;
extern const struct multiplier multiplier_base, multiplier_v3, multiplier_v4;

static const struct ops reference = TABLE("reference", &kernels_reference, NULL);

#if defined(__x86_64__)
extern void half_tiles_v4(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows, bool right);

static const struct multiplier amx = {sizeof(uint16_t), 2 * HALF_LINES, HALF_LINES, HALF_DEPTH, false, half_tiles_v4,
	gemm_half_amx, true},
	pairs = {sizeof(uint16_t), 2 * HALF_LINES, HALF_LINES, HALF_DEPTH, false, half_tiles_v4, gemm_half_pairs, false};
static const struct ops cpu_v3 = TABLE("cpu-v3", &kernels_v3, &multiplier_v3),
	cpu_v4 = TABLE("cpu-v4", &kernels_v4, &multiplier_v4), half_amx = TABLE("half-amx", &kernels_v4, &amx),
	half_pairs = TABLE("half-pairs", &kernels_v4, &pairs);
#endif
static const struct ops cpu_base = TABLE("cpu-base", &kernels_base, &multiplier_base);

const struct ops *ops_find(const char *name)
{
	if (!strcmp(name, "reference"))
		return &reference;
#if defined(__x86_64__)
	bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
	bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");

	bool rounds = v4 && gemm_half_has_pairs(), half = rounds && !strcmp(name, "half");

	if ((half || (rounds && !strcmp(name, "half-amx"))) && gemm_half_has_amx())
		return &half_amx;
	if (half || (rounds && !strcmp(name, "half-pairs")))
		return &half_pairs;
	if (v4 && (!strcmp(name, "cpu") || !strcmp(name, "cpu-v4")))
		return &cpu_v4;
	if (v3 && (!strcmp(name, "cpu") || !strcmp(name, "cpu-v3")))
		return &cpu_v3;
#endif
	return !strcmp(name, "cpu") || !strcmp(name, "cpu-base") ? &cpu_base : NULL;
}
