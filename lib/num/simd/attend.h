/* What attention in float32 and in BF16 have in common: which keys a block of rows sees, and the rows of its softmax. */
#ifndef NUM_SIMD_ATTEND_H
#define NUM_SIMD_ATTEND_H

#include <math.h>

#include "num/simd/simd.h"
#include "num/simd/transpose.h"

static inline void clear(float *x, int64_t ld, int64_t rows, int64_t n)
{
	for (int64_t r = 0; r < rows; r++)
		memset(x + r * ld, 0, sizeof *x * (size_t)n);
}

/*
 * Keys are taken in blocks of so many positions, for which rows that see more of them add up as they go (online softmax:
 * Milakov and Gimelshein, arXiv 1805.02867; Dao et al., arXiv 2205.14135), so that what is computed of a block stays in
 * the second cache. Blocks begin at multiples of it, whatever rows are packed together.
 */
#define KEYS 512
#define KEY_ROW (KEYS + 16) /* floats from one row of them to the next, which do not fall on the same places of a cache */

/*
 * The keys of a block that some query rows look at, numbered from the block's first, in two parts: rows of the prefix, and
 * the span's own. A row sees some of them, the others count as 0; low is such that loads are aligned as the block is.
 */
struct keys {
	int64_t block; /* the position of its first */
	int64_t low, end;
	struct {
		int64_t at, n, row; /* the first, how many, and the first one's row of the pack */
	} part[2];
};

/* The first key that the row at a position sees. */
static inline int64_t first_key(const struct attention *a, int64_t position)
{
	return a->window && position >= a->window ? position - a->window + 1 : 0;
}

static inline int64_t at_least(int64_t x, int64_t least)
{
	return x > least ? x : least;
}

static inline int64_t at_most(int64_t x, int64_t most)
{
	return x < most ? x : most;
}

/* Of a block, those between two positions. */
static inline struct keys keys_between(const struct span *s, int64_t block, int64_t from, int64_t to)
{
	int64_t low = at_least(from, block), end = at_least(at_most(to, block + KEYS), low), before = s->prefix_len;
	int64_t prefix = at_most(low, before), prefix_end = at_most(end, before);
	int64_t own = at_least(low, before), own_end = at_least(end, before);

	return (struct keys){block, low - block, end - block,
		{{prefix - block, prefix_end - prefix, s->prefix + prefix},
			{own - block, own_end - own, s->start + own - before}}};
}

/* Of a block, those that rows of the span's own see, from i to end - 1. */
static inline struct keys keys_of(const struct attention *a, const struct span *s, int64_t block, int64_t i, int64_t end)
{
	return keys_between(s, block, first_key(a, s->prefix_len + i) / 16 * 16, s->prefix_len + end);
}

/* t[d, KEY_ROW] = the block's keys of x, turned. */
static inline void turn_keys(float *t, const float *x, int64_t ld, const struct keys *k, int64_t d)
{
	for (int i = 0; i < 2; i++)
		turn(t + k->part[i].at, KEY_ROW, x + k->part[i].row * ld, ld, k->part[i].n, d);
}

/* p = cap * tanh(p * scale / cap) */
static inline void soften(float *p, int64_t n, float scale, float cap)
{
	int64_t j = 0;

	for (; j + VL <= n; j += VL)
		vec_store(p + j, vec_tanh(vec_load(p + j) * (scale / cap)) * cap);
	if (j < n)
		vec_store_part(p + j, vec_tanh(vec_load_part(p + j, n - j) * (scale / cap)) * cap, n - j);
}

/* p[0..n) = exp(p * scale - most); the sum. */
static inline float exponentials(float *p, int64_t n, float scale, float most)
{
	vf sum = {0}, x;
	int64_t j = 0;

	for (; j + VL <= n; j += VL) {
		x = vec_exp(vec_load(p + j) * scale - most);
		sum += x;
		vec_store(p + j, x);
	}
	if (j < n) {
		x = vec_exp(vec_load_part(p + j, n - j) * scale - most);
		vec_store_part(p + j, x, n - j);
		sum += vec_first(x, n - j);
	}
	return vec_sum(sum);
}

/* x[0..n) = 0, a few */
static inline void zero(float *x, int64_t n)
{
	int64_t j = 0;

	for (; j + VL <= n; j += VL)
		vec_store(x + j, (vf){0});
	if (j < n)
		vec_store_part(x + j, (vf){0}, n - j);
}

/* The keys of a block that the row at a position sees. */
struct seen {
	int64_t first, n;
};

static inline struct seen seen_at(const struct attention *a, const struct keys *k, int64_t position)
{
	int64_t first = at_least(first_key(a, position) - k->block, k->low), end = at_most(position + 1 - k->block, k->end);

	return (struct seen){first, at_least(end - first, 0)};
}

/* Zeros around them, within those of the query rows. */
static inline void mask(float *p, const struct keys *k, struct seen seen)
{
	int64_t first = seen.n ? seen.first : k->end, last = seen.n ? seen.first + seen.n : k->end;

	zero(p + k->low, first - k->low);
	zero(p + last, k->end - last);
}

/* Sum of products. */
static inline float dot(const float *x, const float *y, int64_t n)
{
	vf sum = {0};
	int64_t j = 0;

	for (; j + VL <= n; j += VL)
		sum += vec_load(x + j) * vec_load(y + j);
	if (j < n)
		sum += vec_load_part(x + j, n - j) * vec_load_part(y + j, n - j);
	return vec_sum(sum);
}

/* What a row has seen so far: the largest, and the sum of exponentials by which it is larger. Begins as SOFTMAX_INIT. */
struct softmax {
	float top, sum;
};

#define SOFTMAX_INIT {-INFINITY, 0}

/* Floats of the states of ATTEND_ROWS rows. */
static inline int64_t states(const struct attention *a)
{
	return ATTEND_ROWS * (a->heads / a->kv_heads) * (int64_t)(sizeof(struct softmax) / sizeof(float));
}

/*
 * In place: from products of the row at a position with a block's keys to what is proportional to their probabilities. What
 * earlier blocks gave to out[d] is made smaller where this one has something larger.
 */
static inline void row_forward(float *p, const struct attention *a, const struct keys *k, int64_t position,
	struct softmax *so_far, float *out)
{
	struct seen seen = seen_at(a, k, position);
	float scale = a->scale, top, factor;

	mask(p, k, seen);
	if (!seen.n)
		return;
	p += seen.first;
	if (a->cap != 0) {
		soften(p, seen.n, scale, a->cap);
		scale = 1;
	}
	top = fmaxf(so_far->top, scale * vec_largest(p, seen.n));
	factor = expf(so_far->top - top);
	if (so_far->sum > 0 && factor != 1)
		for (int64_t f = 0; f < a->head_dim; f++)
			out[f] *= factor;
	*so_far = (struct softmax){top, so_far->sum * factor + exponentials(p, seen.n, scale, top)};
}

/* Before any block: n rows' outputs for the heads of a key-value head, from row first on; state[per][ATTEND_ROWS]. */
static inline void rows_begin(float *out, struct softmax *state, const struct attention *a, int64_t first, int64_t n,
	int64_t kv_head)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, wide = a->heads * d;

	clear(out + first * wide + kv_head * per * d, wide, n, per * d);
	for (int64_t i = 0; i < per * ATTEND_ROWS; i++)
		state[i] = (struct softmax)SOFTMAX_INIT;
}

/* A row's output and lse, once all blocks have been seen. */
static inline void row_end(float *out, float *lse, const struct softmax *all, int64_t d)
{
	for (int64_t f = 0; f < d; f++)
		out[f] /= all->sum;
	*lse = all->top + logf(all->sum);
}

static inline void rows_end(float *out, float *lse, const struct softmax *state, const struct attention *a, int64_t first,
	int64_t n, int64_t kv_head)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim;

	for (int64_t i = 0; i < n; i++)
		for (int64_t h = 0; h < per; h++) {
			int64_t at = (first + i) * a->heads + kv_head * per + h;

			row_end(out + at * d, &lse[at], &state[h * ATTEND_ROWS + i], d);
		}
}

/*
 * In place, of the row at a position: p from products to probabilities, dp to the gradient of the products.
 * mean: of what came in as dp, by these probabilities.
 */
static inline void row_backward(float *p, float *dp, const struct attention *a, const struct keys *k, int64_t position,
	float lse, float mean)
{
	struct seen seen = seen_at(a, k, position);
	int64_t n = seen.n;
	float *z = p + seen.first, *dz = dp + seen.first, inverse = a->cap == 0 ? 0 : 1 / a->cap, scale = a->cap == 0 ? a->scale : 1;

	mask(p, k, seen);
	mask(dp, k, seen);
	if (a->cap != 0)
		soften(z, n, a->scale, a->cap);
	for (int64_t j = 0; j < n; j += VL) { /* the soft cap's slope, where there is one, by what it gave */
		int64_t some = n - j;
		vf x = some < VL ? vec_load_part(z + j, some) : vec_load(z + j), e = vec_exp(x * scale - lse);
		vf dx = some < VL ? vec_load_part(dz + j, some) : vec_load(dz + j);

		dx = (dx - mean) * (a->scale * (1.0f - (x * inverse) * (x * inverse))) * e;
		if (some < VL) {
			vec_store_part(z + j, e, some);
			vec_store_part(dz + j, dx, some);
		} else {
			vec_store(z + j, e);
			vec_store(dz + j, dx);
		}
	}
}

/* Zeros where the gradients of one key-value head and its query heads will be added up. */
static inline void clear_gradients(float *dq, float *dk, float *dv, const struct attention *a, const struct span *s,
	int64_t kv_head)
{
	int64_t per = a->heads / a->kv_heads, first = s->start * a->ld;

	for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
		clear(dq + first + h * a->q_step, a->ld, s->len, a->head_dim);
	clear(dk + first + kv_head * a->kv_step, a->ld, s->len, a->head_dim);
	clear(dv + first + kv_head * a->kv_step, a->ld, s->len, a->head_dim);
}

#endif
