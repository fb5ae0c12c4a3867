/* The definition of optimizers' steps, and of moments in fewer bits. */
#include <math.h>
#include <string.h>

#include "num/kernels.h"

void reference_update(float *w, float *m, float *v, const float *g, int64_t n, const struct update *o)
{
	for (int64_t i = 0; i < n; i++) {
		float grad = g[i] * o->scale, c;

		w[i] -= o->lr * o->decay * w[i];
		switch (o->kind) {
		case UPDATE_ADAMW:
			m[i] = o->beta1 * m[i] + (1 - o->beta1) * grad;
			v[i] = o->beta2 * v[i] + (1 - o->beta2) * grad * grad;
			w[i] -= o->lr * (m[i] / o->correct1) / (sqrtf(v[i] / o->correct2) + o->eps);
			break;
		case UPDATE_RMSPROP:
			v[i] = o->beta2 * v[i] + (1 - o->beta2) * grad * grad;
			w[i] -= o->lr * grad / (sqrtf(v[i]) + o->eps);
			break;
		case UPDATE_SGD:
			m[i] = o->beta1 * m[i] + grad;
			w[i] -= o->lr * m[i];
			break;
		case UPDATE_LION:
			c = o->beta1 * m[i] + (1 - o->beta1) * grad;
			w[i] -= o->lr * (float)((c > 0) - (c < 0));
			m[i] = o->beta2 * m[i] + (1 - o->beta2) * grad;
			break;
		}
	}
}

static float of_byte(uint8_t byte, bool squares)
{
	int code = squares ? byte : byte & 127;
	float x = code ? ldexpf(1 + (float)(code & 7) / 8, (code >> 3) - (squares ? 31 : 15)) : 0;

	return squares || byte < 128 ? x : -x;
}

/* x by its block's scale to a byte: one of its two neighbours, by 32 random bits. */
static uint8_t to_byte(float x, bool squares, uint32_t random)
{
	const int lowest = squares ? -31 : -15, most = squares ? 255 : 127;
	float size = fabsf(x), least = ldexpf(1.125f, lowest);
	int sign = !squares && x < 0 ? 128 : 0, code;
	uint32_t bits;

	if (size == 0)
		return 0;
	if (size < least) {
		code = squares || (float)(random >> 8) * 0x1p-24f < size / least;
		return (uint8_t)(sign + code);
	}
	memcpy(&bits, &size, sizeof bits);
	code = (int)((bits + (random >> 12)) >> 20) - ((127 + lowest) << 3);
	return (uint8_t)(sign + (code < most ? code : most));
}

void reference_moment_load(float *x, const struct moment *m, int64_t from, int64_t n)
{
	const uint16_t *half = m->data;
	const uint8_t *byte = m->data;

	for (int64_t i = 0; i < n; i++) {
		if (m->type == MOMENT_BF16) {
			uint32_t bits = (uint32_t)half[from + i] << 16;

			memcpy(&x[i], &bits, sizeof bits);
		} else {
			x[i] = m->scale[(from + i) / MOMENT_BLOCK] * of_byte(byte[from + i], m->squares);
		}
	}
}

void reference_moment_store(const struct moment *m, const float *x, int64_t from, int64_t n, uint32_t noise)
{
	uint16_t *half = m->data;
	uint8_t *byte = m->data;

	for (int64_t first = 0; first < n; first += MOMENT_BLOCK) {
		int64_t last = first + MOMENT_BLOCK < n ? first + MOMENT_BLOCK : n;
		float most = 0, scale;

		for (int64_t i = first; i < last; i++)
			most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
		scale = most / 1.875f;
		if (m->type == MOMENT_INT8)
			m->scale[(from + first) / MOMENT_BLOCK] = scale;
		for (int64_t i = first; i < last; i++) {
			uint32_t random = moment_noise(noise, (uint32_t)(from + i)), bits;

			if (m->type == MOMENT_BF16) {
				memcpy(&bits, &x[i], sizeof bits);
				half[from + i] = (uint16_t)((bits + (random >> 16)) >> 16);
			} else {
				byte[from + i] = scale > 0 ? to_byte(x[i] / scale, m->squares, random) : 0;
			}
		}
	}
}
