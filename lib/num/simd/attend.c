/*
 * Attention of one group for one key-value head, in blocks of query rows. Keys (and, backward, values)
 * are transposed once a span, so that every product below is a broadcast times a row: one small matrix
 * product serves all.
 */
#include <math.h>

#include "num/simd/simd.h"
#include "num/simd/vec.h"

#define BLOCK 32 /* query rows at a time */

/* Rows and vectors that a product holds in registers. */
#if VL == 8
#define MR 4
#define NV 2
#else
#define MR 6
#define NV 4
#endif

/* c[mr, nv vectors] += a * b over k; a(i, l) = a[i * am + l * ak]. last: elements of the last vector. */
__attribute__((always_inline)) static inline void tile(int mr, int nv, int64_t k, const float *a, int64_t am,
	int64_t ak, const float *b, int64_t ldb, float *c, int64_t ldc, int64_t last)
{
	vf acc[MR][NV];

	for (int i = 0; i < mr; i++)
		for (int j = 0; j < nv; j++)
			acc[i][j] = j == nv - 1 && last < VL ? vec_load_part(c + i * ldc + j * VL, last)
							     : vec_load(c + i * ldc + j * VL);
	for (int64_t l = 0; l < k; l++) {
		vf row[NV];

		for (int j = 0; j < nv; j++)
			row[j] = j == nv - 1 && last < VL ? vec_load_part(b + l * ldb + j * VL, last)
							  : vec_load(b + l * ldb + j * VL);
		for (int i = 0; i < mr; i++)
			for (int j = 0; j < nv; j++)
				acc[i][j] += a[i * am + l * ak] * row[j];
	}
	for (int i = 0; i < mr; i++)
		for (int j = 0; j < nv; j++) {
			if (j == nv - 1 && last < VL)
				vec_store_part(c + i * ldc + j * VL, acc[i][j], last);
			else
				vec_store(c + i * ldc + j * VL, acc[i][j]);
		}
}

/* mr rows of c, all n columns. */
__attribute__((always_inline)) static inline void strip(int mr, int64_t n, int64_t k, const float *a,
	int64_t am, int64_t ak, const float *b, int64_t ldb, float *c, int64_t ldc)
{
	int64_t j = 0;

	for (; j + NV * VL <= n; j += NV * VL)
		tile(mr, NV, k, a, am, ak, b + j, ldb, c + j, ldc, VL);
	for (; j + VL <= n; j += VL)
		tile(mr, 1, k, a, am, ak, b + j, ldb, c + j, ldc, VL);
	if (j < n)
		tile(mr, 1, k, a, am, ak, b + j, ldb, c + j, ldc, n - j);
}

/* c[m, n] += a[m, k] b[k, n]; a(i, l) = a[i * am + l * ak]. */
static void product(int64_t m, int64_t n, int64_t k, const float *a, int64_t am, int64_t ak, const float *b,
	int64_t ldb, float *c, int64_t ldc)
{
	int64_t i = 0;

	for (; i + MR <= m; i += MR)
		strip(MR, n, k, a + i * am, am, ak, b, ldb, c + i * ldc, ldc);
	for (; i + 2 <= m; i += 2)
		strip(2, n, k, a + i * am, am, ak, b, ldb, c + i * ldc, ldc);
	if (i < m)
		strip(1, n, k, a + i * am, am, ak, b, ldb, c + i * ldc, ldc);
}

static void clear(float *x, int64_t ld, int64_t rows, int64_t n)
{
	for (int64_t r = 0; r < rows; r++)
		memset(x + r * ld, 0, sizeof *x * (size_t)n);
}

/* t[d, keys]: column at + j gets row j of x. */
static void transpose(float *t, int64_t keys, int64_t at, const float *x, int64_t ld, int64_t rows, int64_t d)
{
	for (int64_t f = 0; f < d; f++)
		for (int64_t j = 0; j < rows; j++)
			t[f * keys + at + j] = x[j * ld + f];
}

int64_t VEC_NAME(attend_scratch)(int64_t longest, int64_t head_dim)
{
	return longest * (2 * head_dim + 2 * BLOCK);
}

/* The longest row of keys in spans from to to. */
static int64_t most_keys(const struct span *span, int64_t from, int64_t to)
{
	int64_t most = 0;

	for (int64_t s = from; s < to; s++)
		if (span[s].prefix_len + span[s].len > most)
			most = span[s].prefix_len + span[s].len;
	return most;
}

/* p[0..n) = exp(p * scale - most); the sum. What is behind n, to end, becomes 0. */
static float exponentials(float *p, int64_t n, int64_t end, float scale, float most)
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
		sum += vec_load_part(p + j, n - j);
	}
	if (n < end)
		memset(p + n, 0, sizeof *p * (size_t)(end - n));
	return vec_sum(sum);
}

static float largest(const float *p, int64_t n)
{
	vf most = vec_set(p[0]);
	int64_t j = 0;
	float m;

	for (; j + VL <= n; j += VL)
		most = vec_max(most, vec_load(p + j));
	m = vec_most(most);
	for (; j < n; j++)
		m = p[j] > m ? p[j] : m;
	return m;
}

void VEC_NAME(attend_forward)(float *out, float *lse, const float *q, const float *k, const float *v,
	const struct attention *a, const struct span *span, int64_t from, int64_t to, int64_t kv_head,
	float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, ld = a->ld, wide = a->heads * d;
	int64_t most = most_keys(span, from, to);
	float *kt = scratch, *p = kt + d * most;

	k += kv_head * d;
	v += kv_head * d;
	for (const struct span *s = span + from; s < span + to; s++) {
		int64_t before = s->prefix_len;

		transpose(kt, most, 0, k + s->prefix * ld, ld, before, d);
		transpose(kt, most, before, k + s->start * ld, ld, s->len, d);
		for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
			for (int64_t i = 0; i < s->len; i += BLOCK) {
				int64_t rows = s->len - i < BLOCK ? s->len - i : BLOCK, own = i + rows;
				int64_t keys = before + own, row = s->start + i;
				float *o = out + row * wide + h * d, sums[BLOCK];

				clear(p, most, rows, keys);
				product(rows, keys, d, q + row * ld + h * d, ld, 1, kt, most, p, most);
				clear(o, wide, rows, d);
				for (int64_t r = 0; r < rows; r++) {
					int64_t seen = before + i + r + 1;
					float top = a->scale * largest(p + r * most, seen);

					sums[r] = exponentials(p + r * most, seen, keys, a->scale, top);
					lse[(row + r) * a->heads + h] = top + logf(sums[r]);
				}
				product(rows, d, before, p, most, 1, v + s->prefix * ld, ld, o, wide);
				product(rows, d, own, p + before, most, 1, v + s->start * ld, ld, o, wide);
				for (int64_t r = 0; r < rows; r++)
					for (int64_t f = 0; f < d; f++)
						o[r * wide + f] /= sums[r];
			}
	}
}

/* In place: p from products to probabilities, dp to the gradient of the products. */
static void row_backward(float *p, float *dp, int64_t n, int64_t end, float scale, float lse, float mean)
{
	exponentials(p, n, end, scale, lse);
	for (int64_t j = 0; j < n; j++)
		dp[j] = p[j] * (dp[j] - mean) * scale;
	if (n < end)
		memset(dp + n, 0, sizeof *dp * (size_t)(end - n));
}

void VEC_NAME(attend_backward)(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *lse, const float *q, const float *k, const float *v, const struct attention *a,
	const struct span *span, int64_t from, int64_t to, int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, ld = a->ld, wide = a->heads * d;
	int64_t most = most_keys(span, from, to), at = kv_head * d;
	float *kt = scratch, *vt = kt + d * most, *p = vt + d * most, *dp = p + BLOCK * most;

	for (int64_t s = from; s < to; s++) {
		clear(dq + span[s].start * ld + at * per, ld, span[s].len, per * d);
		clear(dk + span[s].start * ld + at, ld, span[s].len, d);
		clear(dv + span[s].start * ld + at, ld, span[s].len, d);
	}
	for (const struct span *s = span + from; s < span + to; s++) {
		int64_t before = s->prefix_len, first = s->prefix * ld + at, start = s->start * ld + at;

		transpose(kt, most, 0, k + first, ld, before, d);
		transpose(kt, most, before, k + start, ld, s->len, d);
		transpose(vt, most, 0, v + first, ld, before, d);
		transpose(vt, most, before, v + start, ld, s->len, d);
		for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
			for (int64_t i = 0; i < s->len; i += BLOCK) {
				int64_t rows = s->len - i < BLOCK ? s->len - i : BLOCK, own = i + rows;
				int64_t keys = before + own, row = s->start + i;
				const float *qb = q + row * ld + h * d, *o = out + row * wide + h * d;
				const float *ob = dout + row * wide + h * d;
				float *dqb = dq + row * ld + h * d;

				clear(p, most, rows, keys);
				clear(dp, most, rows, keys);
				product(rows, keys, d, qb, ld, 1, kt, most, p, most);
				product(rows, keys, d, ob, wide, 1, vt, most, dp, most);
				for (int64_t r = 0; r < rows; r++) {
					float mean = 0;

					for (int64_t f = 0; f < d; f++)
						mean += ob[r * wide + f] * o[r * wide + f];
					row_backward(p + r * most, dp + r * most, before + i + r + 1, keys,
						a->scale, lse[(row + r) * a->heads + h], mean);
				}
				product(before, d, rows, p, 1, most, ob, wide, dv + first, ld);
				product(own, d, rows, p + before, 1, most, ob, wide, dv + start, ld);
				product(before, d, rows, dp, 1, most, qb, ld, dk + first, ld);
				product(own, d, rows, dp + before, 1, most, qb, ld, dk + start, ld);
				product(rows, d, before, dp, most, 1, k + first, ld, dqb, ld);
				product(rows, d, own, dp + before, most, 1, k + start, ld, dqb, ld);
			}
	}
}
