/*
 * Attention of a span's rows, or backward of one group, for one key-value head with products in BF16, in blocks of query
 * rows and of keys: softmax and sums are in float32. A block's keys and values become tiles once, those of the prefix
 * and the span's own apart, so that either begins with a tile; queries, probabilities and gradients where they are
 * multiplied.
 *
 * Scores are exponents, so that what rounding queries and keys takes from a large one would be seen in all that comes
 * of it: they are made of what is rounded and of the rest, but for the product of both rests; or, where that takes
 * longer, in float32.
 */
#include "num/simd/attend.h"
#include "num/simd/product.h"

#define BLOCK (2 * HALF_LINES) /* query rows at a time */

/* Floats of what both() leaves of a block's keys, or of those keys, turned. */
static int64_t rests(const struct attention *a)
{
	return KEY_ROW * a->head_dim;
}

/* p, dp, rests and states, then, half a float each, at most six times keys by features or by queries, in whole tiles. */
int64_t VEC_NAME(attend_half_scratch)(const struct attention *a)
{
	return KEY_ROW * 2 * BLOCK + rests(a) + states(a) + (KEYS + 4 * BLOCK) * 6 * (a->head_dim + 2 * BLOCK) / 2;
}

/* Hands out room for tiles. */
struct room {
	uint16_t *at;
};

/* n lines of k numbers: x's rows, or its columns. */
static uint16_t *lines(struct room *room, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows, bool right)
{
	uint16_t *to = room->at;

	VEC_NAME(half_tiles)(to, half_depth(k), x, ldx, n, k, rows, right);
	room->at += (n + HALF_LINES - 1) / HALF_LINES * HALF_LINES * half_depth(k);
	return to;
}

/*
 * n rows as operands of scores(), three times as deep: as they are rounded and what that leaves, queries being rounded,
 * rest, rounded and keys (right) rounded, rounded, rest. scratch: n * d floats.
 */
static uint16_t *both(struct room *room, const float *x, int64_t ldx, int64_t n, int64_t d, bool right, float *scratch)
{
	int64_t deep = half_depth(d), next = HALF_LINES * deep;
	uint16_t *to = room->at;

	for (int64_t i = 0; i < n; i++)
		for (int64_t f = 0; f < d; f++) {
			uint32_t bits = (uint32_t)half_of(x[i * ldx + f]) << 16;
			float half;

			memcpy(&half, &bits, sizeof half);
			scratch[i * d + f] = x[i * ldx + f] - half;
		}
	for (int part = 0; part < 3; part++) {
		bool rest = part == (right ? 2 : 1);

		VEC_NAME(half_tiles)(to + part * next, 3 * deep, rest ? scratch : x, rest ? d : ldx, n, d, true, right);
	}
	room->at += (n + HALF_LINES - 1) / HALF_LINES * HALF_LINES * 3 * deep;
	return to;
}

/* A block's keys as scores() wants them: in float32 and turned, in rest, or as tiles; rest: rests() floats. */
static void keys_for_scores(const struct multiplier *m, uint16_t *tiles[2], struct room *room, const float *k, int64_t ld,
	const struct keys *all, int64_t d, float *rest)
{
	if (!m->deep_scores)
		turn_keys(rest, k, ld, all, d);
	for (int x = 0; x < 2 && m->deep_scores; x++)
		tiles[x] = both(room, k + all->part[x].row * ld, ld, all->part[x].n, d, true, rest);
}

/* p[rows, KEY_ROW] = rows of q times the keys that they see. */
static void scores(const struct multiplier *m, struct room room, float *p, const float *q, int64_t ld, int64_t rows,
	const struct keys *see, int64_t d, uint16_t *const tiles[2], float *rest)
{
	int64_t low = see->low, deep = 3 * half_depth(d);
	const uint16_t *query;

	if (!m->deep_scores) {
		product(rows, see->end - low, d, q, ld, 1, rest + low, KEY_ROW, p + low, KEY_ROW, false);
		return;
	}
	query = both(&room, q, ld, rows, d, false, rest);
	for (int x = 0; x < 2; x++)
		m->multiply(rows, see->part[x].n, deep, query, deep, tiles[x], deep, p + see->part[x].at, KEY_ROW, false);
}

/* Scratch after p, and, backward, dp, and what both() needs, on a cache line. */
static struct room room_after(float *scratch, int64_t floats)
{
	return (struct room){(uint16_t *)(void *)(scratch + (floats + 15) / 16 * 16)};
}

void VEC_NAME(attend_half_forward)(const struct multiplier *m, float *out, float *lse, const float *q, const float *k,
	const float *v, const struct attention *a, const struct span *s, int64_t from, int64_t to, int64_t kv_head,
	float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, ld = a->ld, wide = a->heads * d, before = s->prefix_len;
	int64_t first = kv_head * per;
	float *p = scratch, *rest = p + BLOCK * KEY_ROW;
	struct softmax *state = (struct softmax *)(void *)(rest + rests(a));

	k += kv_head * a->kv_step;
	v += kv_head * a->kv_step;
	rows_begin(out, state, a, s->start + from, to - from, kv_head);
	for (int64_t block = 0; block < before + to; block += KEYS) {
		struct keys all = keys_between(s, block, block, before + to);
		struct room room = room_after(rest, rests(a) + states(a));
		uint16_t *key[2], *value[2];

		keys_for_scores(m, key, &room, k, ld, &all, d, rest);
		for (int x = 0; x < 2; x++)
			value[x] = lines(&room, v + all.part[x].row * ld, ld, d, all.part[x].n, false, true);
		for (int64_t h = first; h < first + per; h++)
			for (int64_t i = from; i < to; i += BLOCK) {
				int64_t rows = at_most(to - i, BLOCK), row = s->start + i;
				struct keys keys = keys_of(a, s, block, i, i + rows);
				float *o = out + row * wide + h * d;

				if (keys.end == keys.low)
					continue;
				scores(m, room, p, q + row * ld + h * a->q_step, ld, rows, &keys, d, key, rest);
				for (int64_t r = 0; r < rows; r++)
					row_forward(p + r * KEY_ROW, a, &keys, before + i + r,
						&state[(h - first) * ATTEND_ROWS + i - from + r], o + r * wide);
				for (int x = 0; x < 2; x++) {
					struct room then = room;
					int64_t some = keys.part[x].n;

					m->multiply(rows, d, some, lines(&then, p + keys.part[x].at, KEY_ROW, rows, some, true, false),
						half_depth(some), value[x], half_depth(all.part[x].n), o, wide, true);
				}
			}
	}
	rows_end(out, lse, state, a, s->start + from, to - from, kv_head);
}

/* Rows of d numbers that nobody has looked at since the forward pass, and that are wanted after the next products. */
static inline void ask_for(const float *x, int64_t ld, int64_t rows, int64_t d)
{
	for (int64_t r = 0; r < rows; r++)
		for (int64_t f = 0; f < d; f += 16)
			__builtin_prefetch(x + r * ld + f);
}

/* Adds to the gradients what one span's rows make of one block of keys. */
static void block_backward(const struct multiplier *m, float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *lse, const float *q, const float *k, const float *v, const struct attention *a, const struct span *s,
	int64_t block, int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, ld = a->ld, wide = a->heads * d;
	float *p = scratch, *dp = p + BLOCK * KEY_ROW, *rest = dp + BLOCK * KEY_ROW;
	struct keys all = keys_between(s, block, block, s->prefix_len + s->len);
	struct room room = room_after(rest, rests(a));
	uint16_t *key[2], *turned_key[2], *value[2];

	keys_for_scores(m, key, &room, k, ld, &all, d, rest);
	for (int x = 0; x < 2; x++) {
		const float *its = k + all.part[x].row * ld;
		int64_t n = all.part[x].n;

		turned_key[x] = lines(&room, its, ld, d, n, false, true);
		value[x] = lines(&room, v + all.part[x].row * ld, ld, n, d, true, true);
	}
	for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
		for (int64_t i = 0; i < s->len; i += BLOCK) {
			int64_t rows = at_most(s->len - i, BLOCK), row = s->start + i, head = row * ld + h * a->q_step;
			struct keys keys = keys_of(a, s, block, i, i + rows);
			const float *o = out + row * wide + h * d, *ob = dout + row * wide + h * d;
			struct room now = room;
			uint16_t *grad, *turned_query, *turned_grad;

			if (keys.end == keys.low)
				continue;
			scores(m, room, p, q + head, ld, rows, &keys, d, key, rest);
			grad = lines(&now, ob, wide, rows, d, true, false);
			turned_query = lines(&now, q + head, ld, d, rows, false, true);
			turned_grad = lines(&now, ob, wide, d, rows, false, true);
			ask_for(o, wide, rows, d);
			for (int x = 0; x < 2; x++)
				m->multiply(rows, keys.part[x].n, d, grad, half_depth(d), value[x], half_depth(d),
					dp + keys.part[x].at, KEY_ROW, false);
			for (int64_t r = 0; r < rows; r++) {
				float mean = dot(ob + r * wide, o + r * wide, d);

				row_backward(p + r * KEY_ROW, dp + r * KEY_ROW, a, &keys, s->prefix_len + i + r,
					lse[(row + r) * a->heads + h], mean);
			}
			for (int x = 0; x < 2; x++) {
				int64_t some = keys.part[x].n, its = keys.part[x].row * ld, deep = half_depth(rows);
				float *part = p + keys.part[x].at, *dpart = dp + keys.part[x].at;
				struct room then = now;

				m->multiply(some, d, rows, lines(&then, part, KEY_ROW, some, rows, false, false), deep, turned_grad, deep,
					dv + its, ld, true);
				then = now;
				m->multiply(some, d, rows, lines(&then, dpart, KEY_ROW, some, rows, false, false), deep, turned_query, deep,
					dk + its, ld, true);
				then = now;
				m->multiply(rows, d, some, lines(&then, dpart, KEY_ROW, rows, some, true, false), half_depth(some),
					turned_key[x], half_depth(all.part[x].n), dq + head, ld, true);
			}
		}
}

void VEC_NAME(attend_half_backward)(const struct multiplier *m, float *dq, float *dk, float *dv, const float *dout,
	const float *out, const float *lse, const float *q, const float *k, const float *v, const struct attention *a,
	const struct span *span, int64_t from, int64_t to, int64_t kv_head, float *scratch)
{
	int64_t its = kv_head * a->kv_step;

	for (const struct span *s = span + from; s < span + to; s++)
		clear_gradients(dq, dk, dv, a, s, kv_head);
	for (const struct span *s = span + from; s < span + to; s++)
		for (int64_t block = 0; block < s->prefix_len + s->len; block += KEYS)
			block_backward(m, dq, dk + its, dv + its, dout, out, lse, q, k + its, v + its, a, s, block, kv_head,
				scratch);
}
