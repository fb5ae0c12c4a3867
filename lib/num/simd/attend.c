/*
 * Attention of one group for one key-value head, in blocks of query rows. Keys (and, backward, values)
 * are transposed once a span, so that every product below is a broadcast times a row: one small matrix
 * product serves all.
 */
#include "num/simd/attend.h"
#include "num/simd/product.h"

#define BLOCK (6 * MR) /* query rows at a time */

/* t[d, keys]: column at + j gets row j of x. */
static void transpose(float *t, int64_t keys, int64_t at, const float *x, int64_t ld, int64_t rows, int64_t d)
{
	for (int64_t f = 0; f < d; f++)
		for (int64_t j = 0; j < rows; j++)
			t[f * keys + at + j] = x[j * ld + f];
}

int64_t VEC_NAME(attend_scratch)(int64_t longest, int64_t head_dim)
{
	return row_of_keys(longest) * (2 * head_dim + 2 * BLOCK);
}

void VEC_NAME(attend_forward)(float *out, float *lse, const float *q, const float *k, const float *v,
	const struct attention *a, const struct span *span, int64_t from, int64_t to, int64_t kv_head,
	float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, ld = a->ld, wide = a->heads * d;
	int64_t most = longest_row(span, from, to);
	float *kt = scratch, *p = kt + d * most;

	k += kv_head * a->kv_step;
	v += kv_head * a->kv_step;
	for (const struct span *s = span + from; s < span + to; s++) {
		transpose(kt, most, 0, k + s->prefix * ld, ld, s->prefix_len, d);
		transpose(kt, most, s->prefix_len, k + s->start * ld, ld, s->len, d);
		for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
			for (int64_t i = 0; i < s->len; i += BLOCK) {
				int64_t rows = s->len - i < BLOCK ? s->len - i : BLOCK, row = s->start + i;
				struct keys keys = keys_of(a, s, i, i + rows);
				int64_t low = keys.low, n = keys.end - low;
				float *o = out + row * wide + h * d, sums[BLOCK];

				clear(p + low, most, rows, n);
				product(rows, n, d, q + row * ld + h * a->q_step, ld, 1, kt + low, most, p + low, most);
				clear(o, wide, rows, d);
				for (int64_t r = 0; r < rows; r++)
					sums[r] = row_forward(p + r * most, a, &keys, s->prefix_len + i + r,
						&lse[(row + r) * a->heads + h]);
				for (int x = 0; x < 2; x++)
					product(rows, d, keys.part[x].n, p + keys.part[x].at, most, 1,
						v + keys.part[x].row * ld, ld, o, wide);
				for (int64_t r = 0; r < rows; r++)
					for (int64_t f = 0; f < d; f++)
						o[r * wide + f] /= sums[r];
			}
	}
}

void VEC_NAME(attend_past)(float *out, const float *q, const struct attention *a, const struct past *past,
	int64_t at, int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, n = past->len;
	int64_t low = first_key(a, n - 1) / PAST_PAGE * PAST_PAGE;
	struct keys keys = {.low = low, .end = n};
	float *p = scratch, lse;

	at += kv_head * 2 * d * PAST_PAGE;
	for (int64_t h = 0; h < per; h += BLOCK) {
		int64_t heads = per - h < BLOCK ? per - h : BLOCK, first = kv_head * per + h;
		float *o = out + first * d, sums[BLOCK];

		clear(p + low, n, heads, n - low);
		for (int64_t j = low; j < n; j += PAST_PAGE)
			product(heads, n - j < PAST_PAGE ? n - j : PAST_PAGE, d, q + first * a->q_step, a->q_step, 1,
				past->page[j / PAST_PAGE] + at, PAST_PAGE, p + j, n);
		clear(o, d, heads, d);
		for (int64_t r = 0; r < heads; r++)
			sums[r] = row_forward(p + r * n, a, &keys, n - 1, &lse);
		for (int64_t j = low; j < n; j += PAST_PAGE)
			product(heads, d, n - j < PAST_PAGE ? n - j : PAST_PAGE, p + j, n, 1,
				past->page[j / PAST_PAGE] + at + d * PAST_PAGE, d, o, d);
		for (int64_t r = 0; r < heads; r++)
			for (int64_t f = 0; f < d; f++)
				o[r * d + f] /= sums[r];
	}
}

void VEC_NAME(attend_backward)(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *lse, const float *q, const float *k, const float *v, const struct attention *a,
	const struct span *span, int64_t from, int64_t to, int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, ld = a->ld, wide = a->heads * d;
	int64_t most = longest_row(span, from, to), at = kv_head * a->kv_step;
	float *kt = scratch, *vt = kt + d * most, *p = vt + d * most, *dp = p + BLOCK * most;

	for (const struct span *s = span + from; s < span + to; s++)
		clear_gradients(dq, dk, dv, a, s, kv_head);
	for (const struct span *s = span + from; s < span + to; s++) {
		int64_t before = s->prefix_len, prefix = s->prefix * ld + at, start = s->start * ld + at;

		transpose(kt, most, 0, k + prefix, ld, before, d);
		transpose(kt, most, before, k + start, ld, s->len, d);
		transpose(vt, most, 0, v + prefix, ld, before, d);
		transpose(vt, most, before, v + start, ld, s->len, d);
		for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
			for (int64_t i = 0; i < s->len; i += BLOCK) {
				int64_t rows = s->len - i < BLOCK ? s->len - i : BLOCK, row = s->start + i;
				struct keys keys = keys_of(a, s, i, i + rows);
				int64_t low = keys.low, n = keys.end - low, head = row * ld + h * a->q_step;
				const float *o = out + row * wide + h * d, *ob = dout + row * wide + h * d;

				clear(p + low, most, rows, n);
				clear(dp + low, most, rows, n);
				product(rows, n, d, q + head, ld, 1, kt + low, most, p + low, most);
				product(rows, n, d, ob, wide, 1, vt + low, most, dp + low, most);
				for (int64_t r = 0; r < rows; r++) {
					float mean = dot(ob + r * wide, o + r * wide, d);

					row_backward(p + r * most, dp + r * most, a, &keys, before + i + r,
						lse[(row + r) * a->heads + h], mean);
				}
				for (int x = 0; x < 2; x++) {
					int64_t m = keys.part[x].n, first = keys.part[x].at, its = keys.part[x].row * ld + at;

					product(m, d, rows, p + first, 1, most, ob, wide, dv + its, ld);
					product(m, d, rows, dp + first, 1, most, q + head, ld, dk + its, ld);
					product(rows, d, m, dp + first, most, 1, k + its, ld, dq + head, ld);
				}
			}
	}
}
