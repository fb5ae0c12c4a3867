/*
 * Attention of a span's rows, or backward of one group, for one key-value head, in blocks of query rows and of keys. A
 * block's keys (and, backward, values) are turned, so that every product below is a broadcast times a row: one small
 * matrix product serves all.
 */
#include "num/simd/attend.h"
#include "num/simd/product.h"

#define BLOCK (6 * MR) /* query rows at a time */

int64_t VEC_NAME(attend_scratch)(int64_t longest, const struct attention *a)
{
	(void)longest;
	return KEY_ROW * (2 * a->head_dim + 2 * BLOCK) + states(a);
}

void VEC_NAME(attend_forward)(float *out, float *lse, const float *q, const float *k, const float *v,
	const struct attention *a, const struct span *s, int64_t from, int64_t to, int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, ld = a->ld, wide = a->heads * d, before = s->prefix_len;
	int64_t first = kv_head * per, least = first_key(a, before + from) / KEYS * KEYS;
	float *kt = scratch, *p = kt + d * KEY_ROW;
	struct softmax *state = (struct softmax *)(void *)(p + BLOCK * KEY_ROW);

	k += kv_head * a->kv_step;
	v += kv_head * a->kv_step;
	rows_begin(out, state, a, s->start + from, to - from, kv_head);
	for (int64_t block = least; block < before + to; block += KEYS) {
		struct keys all = keys_between(s, block, block, before + to);

		turn_keys(kt, k, ld, &all, d);
		for (int64_t h = first; h < first + per; h++)
			for (int64_t i = from; i < to; i += BLOCK) {
				int64_t rows = at_most(to - i, BLOCK), row = s->start + i;
				struct keys keys = keys_of(a, s, block, i, i + rows);
				int64_t low = keys.low, n = keys.end - low;
				float *o = out + row * wide + h * d;

				if (n == 0)
					continue;
				product(rows, n, d, q + row * ld + h * a->q_step, ld, 1, kt + low, KEY_ROW, p + low, KEY_ROW, false);
				for (int64_t r = 0; r < rows; r++)
					row_forward(p + r * KEY_ROW, a, &keys, before + i + r,
						&state[(h - first) * ATTEND_ROWS + i - from + r], o + r * wide);
				for (int x = 0; x < 2; x++)
					product(rows, d, keys.part[x].n, p + keys.part[x].at, KEY_ROW, 1,
						v + keys.part[x].row * ld, ld, o, wide, true);
			}
	}
	rows_end(out, lse, state, a, s->start + from, to - from, kv_head);
}

void VEC_NAME(attend_past)(float *out, const float *q, const struct attention *a, const struct past *past,
	int64_t at, int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, n = past->len;
	int64_t least = first_key(a, n - 1) / KEYS * KEYS;
	float *p = scratch, lse;

	at += kv_head * 2 * d * PAST_PAGE;
	for (int64_t h = 0; h < per; h += BLOCK) {
		int64_t heads = at_most(per - h, BLOCK), first = kv_head * per + h;
		float *o = out + first * d;
		struct softmax state[BLOCK];

		clear(o, d, heads, d);
		for (int64_t r = 0; r < heads; r++)
			state[r] = (struct softmax)SOFTMAX_INIT;
		for (int64_t block = least; block < n; block += KEYS) {
			int64_t low = at_least(first_key(a, n - 1) / PAST_PAGE * PAST_PAGE, block), end = at_most(n, block + KEYS);
			struct keys keys = {.block = block, .low = low - block, .end = end - block};

			for (int64_t j = low; j < end; j += PAST_PAGE)
				product(heads, at_most(end - j, PAST_PAGE), d, q + first * a->q_step, a->q_step, 1,
					past->page[j / PAST_PAGE] + at, PAST_PAGE, p + j - block, KEY_ROW, false);
			for (int64_t r = 0; r < heads; r++)
				row_forward(p + r * KEY_ROW, a, &keys, n - 1, &state[r], o + r * d);
			for (int64_t j = low; j < end; j += PAST_PAGE)
				product(heads, d, at_most(end - j, PAST_PAGE), p + j - block, KEY_ROW, 1,
					past->page[j / PAST_PAGE] + at + d * PAST_PAGE, d, o, d, true);
		}
		for (int64_t r = 0; r < heads; r++)
			row_end(o + r * d, &lse, &state[r], d);
	}
}

void VEC_NAME(attend_backward)(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *lse, const float *q, const float *k, const float *v, const struct attention *a,
	const struct span *span, int64_t from, int64_t to, int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, ld = a->ld, wide = a->heads * d, its = kv_head * a->kv_step;
	float *kt = scratch, *vt = kt + d * KEY_ROW, *p = vt + d * KEY_ROW, *dp = p + BLOCK * KEY_ROW;

	for (const struct span *s = span + from; s < span + to; s++)
		clear_gradients(dq, dk, dv, a, s, kv_head);
	for (const struct span *s = span + from; s < span + to; s++)
		for (int64_t block = 0; block < s->prefix_len + s->len; block += KEYS) {
			struct keys all = keys_between(s, block, block, s->prefix_len + s->len);

			turn_keys(kt, k + its, ld, &all, d);
			turn_keys(vt, v + its, ld, &all, d);
			for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
				for (int64_t i = 0; i < s->len; i += BLOCK) {
					int64_t rows = at_most(s->len - i, BLOCK), row = s->start + i;
					struct keys keys = keys_of(a, s, block, i, i + rows);
					int64_t low = keys.low, n = keys.end - low, head = row * ld + h * a->q_step;
					const float *o = out + row * wide + h * d, *ob = dout + row * wide + h * d;

					if (n == 0)
						continue;
					product(rows, n, d, q + head, ld, 1, kt + low, KEY_ROW, p + low, KEY_ROW, false);
					product(rows, n, d, ob, wide, 1, vt + low, KEY_ROW, dp + low, KEY_ROW, false);
					for (int64_t r = 0; r < rows; r++) {
						float mean = dot(ob + r * wide, o + r * wide, d);

						row_backward(p + r * KEY_ROW, dp + r * KEY_ROW, a, &keys, s->prefix_len + i + r,
							lse[(row + r) * a->heads + h], mean);
					}
					for (int x = 0; x < 2; x++) {
						int64_t m = keys.part[x].n, first = keys.part[x].at, there = keys.part[x].row * ld + its;

						product(m, d, rows, p + first, 1, KEY_ROW, ob, wide, dv + there, ld, true);
						product(m, d, rows, dp + first, 1, KEY_ROW, q + head, ld, dk + there, ld, true);
						product(rows, d, m, dp + first, KEY_ROW, 1, k + there, ld, dq + head, ld, true);
					}
				}
		}
}
