/* What attention in float32 and in BF16 have in common: which keys a block of rows sees, and the rows of its softmax. */
#ifndef NUM_SIMD_ATTEND_H
#define NUM_SIMD_ATTEND_H

#include <math.h>

#include "num/simd/simd.h"

static inline void clear(float *x, int64_t ld, int64_t rows, int64_t n)
{
	for (int64_t r = 0; r < rows; r++)
		memset(x + r * ld, 0, sizeof *x * (size_t)n);
}

/* Floats from one row of so many keys to the next: whole lines of a cache, and not all rows at the same place of it. */
static inline int64_t row_of_keys(int64_t keys)
{
	int64_t row = (keys + 15) / 16 * 16;

	return row % 256 == 0 ? row + 16 : row;
}

/* That of the longest row of keys in spans from to to. */
static inline int64_t longest_row(const struct span *span, int64_t from, int64_t to)
{
	int64_t most = 0;

	for (int64_t s = from; s < to; s++)
		if (span[s].prefix_len + span[s].len > most)
			most = span[s].prefix_len + span[s].len;
	return row_of_keys(most);
}

/*
 * The keys that a block of query rows looks at, from low on, in two parts: rows of the prefix, and the span's
 * own. Keys are numbered by position; a row of the block sees some of them, the others count as 0.
 */
struct keys {
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

/* For rows of the span's own from i to end - 1. low is such that loads are aligned as the whole is. */
static inline struct keys keys_of(const struct attention *a, const struct span *s, int64_t i, int64_t end)
{
	int64_t before = s->prefix_len, low = first_key(a, before + i) / 16 * 16;
	int64_t prefix = low < before ? low : before, own = low - prefix;

	return (struct keys){low, before + end,
		{{prefix, before - prefix, s->prefix + prefix}, {before + own, end - own, s->start + own}}};
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

/* Zeros around the keys from first to last, within those of the block. */
static inline void mask(float *p, const struct keys *k, int64_t first, int64_t last)
{
	zero(p + k->low, first - k->low);
	zero(p + last + 1, k->end - last - 1);
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

/* In place: from products of the row at a position to what is proportional to its probabilities; their sum. */
static inline float row_forward(float *p, const struct attention *a, const struct keys *k, int64_t position, float *lse)
{
	int64_t first = first_key(a, position), n = position + 1 - first;
	float scale = a->scale, top, sum;

	if (a->cap != 0) {
		soften(p + first, n, scale, a->cap);
		scale = 1;
	}
	top = scale * vec_largest(p + first, n);
	sum = exponentials(p + first, n, scale, top);
	mask(p, k, first, position);
	*lse = top + logf(sum);
	return sum;
}

/*
 * In place, of the row at a position: p from products to probabilities, dp to the gradient of the products.
 * mean: of what came in as dp, by these probabilities.
 */
static inline void row_backward(float *p, float *dp, const struct attention *a, const struct keys *k, int64_t position,
	float lse, float mean)
{
	int64_t first = first_key(a, position), n = position + 1 - first;
	float *z = p + first, *dz = dp + first, inverse = a->cap == 0 ? 0 : 1 / a->cap, scale = a->cap == 0 ? a->scale : 1;

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
	mask(p, k, first, position);
	mask(dp, k, first, position);
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
