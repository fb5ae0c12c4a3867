/* Optimizers' steps and moments in fewer bits; loops that the compiler turns into vectors. */
#include <math.h>

#include "num/simd/simd.h"

static void adamw(float *restrict w, float *restrict m, float *restrict v, const float *restrict g, int64_t n,
	const struct update *o)
{
	float b1 = o->beta1, b2 = o->beta2, lr = o->lr, keep = 1 - lr * o->decay;
	float c1 = 1 / o->correct1, c2 = 1 / o->correct2;

#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		float grad = g[i] * o->scale;

		m[i] = b1 * m[i] + (1 - b1) * grad;
		v[i] = b2 * v[i] + (1 - b2) * grad * grad;
		w[i] = w[i] * keep - lr * (m[i] * c1) / (sqrtf(v[i] * c2) + o->eps);
	}
}

static void rmsprop(float *restrict w, float *restrict v, const float *restrict g, int64_t n, const struct update *o)
{
	float b2 = o->beta2, lr = o->lr, keep = 1 - lr * o->decay;

#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		float grad = g[i] * o->scale;

		v[i] = b2 * v[i] + (1 - b2) * grad * grad;
		w[i] = w[i] * keep - lr * grad / (sqrtf(v[i]) + o->eps);
	}
}

static void sgd(float *restrict w, float *restrict m, const float *restrict g, int64_t n, const struct update *o)
{
	float lr = o->lr, keep = 1 - lr * o->decay;

#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		m[i] = o->beta1 * m[i] + g[i] * o->scale;
		w[i] = w[i] * keep - lr * m[i];
	}
}

static void lion(float *restrict w, float *restrict m, const float *restrict g, int64_t n, const struct update *o)
{
	float b1 = o->beta1, b2 = o->beta2, lr = o->lr, keep = 1 - lr * o->decay;

#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		float grad = g[i] * o->scale, c = b1 * m[i] + (1 - b1) * grad;

		w[i] = w[i] * keep - (c > 0 ? lr : c < 0 ? -lr : 0);
		m[i] = b2 * m[i] + (1 - b2) * grad;
	}
}

void VEC_NAME(update)(float *w, float *m, float *v, const float *g, int64_t n, const struct update *o)
{
	switch (o->kind) {
	case UPDATE_ADAMW:
		adamw(w, m, v, g, n, o);
		break;
	case UPDATE_RMSPROP:
		rmsprop(w, v, g, n, o);
		break;
	case UPDATE_SGD:
		sgd(w, m, g, n, o);
		break;
	case UPDATE_LION:
		lion(w, m, g, n, o);
		break;
	}
}

/* ---- moments */

static inline float of_bits(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

static inline uint32_t to_bits(float x)
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof bits);
	return bits;
}

static void load_half(float *restrict x, const uint16_t *restrict half, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		x[i] = of_bits((uint32_t)half[i] << 16);
}

static void store_half(uint16_t *restrict half, const float *restrict x, int64_t from, int64_t n, uint32_t noise)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		half[i] = (uint16_t)((to_bits(x[i]) + (moment_noise(noise, (uint32_t)(from + i)) >> 16)) >> 16);
}

/* One block: a byte's code is the upper bits of the float that it stands for. */
static void load_bytes(float *restrict x, const uint8_t *restrict byte, int64_t n, float scale, bool squares)
{
	const uint32_t mask = squares ? 255 : 127, base = (uint32_t)(127 - (squares ? 31 : 15)) << 3;

#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		uint32_t code = byte[i] & mask, sign = (byte[i] & ~mask) << 24;

		x[i] = of_bits((code ? (code + base) << 20 : 0) | sign) * scale;
	}
}

/* Inlined twice, so that squares is known. */
static inline void store_bytes(uint8_t *restrict byte, const float *restrict x, int64_t from, int64_t n, float scale,
	bool squares, uint32_t noise)
{
	const int32_t base = (127 - (squares ? 31 : 15)) << 3, most = squares ? 255 : 127;
	const float least = of_bits((uint32_t)(base + 1) << 20);

#pragma omp simd
	for (int64_t i = 0; i < n; i++) {
		float y = x[i] / scale, size = fabsf(y);
		uint32_t random = moment_noise(noise, (uint32_t)(from + i)), sign = squares ? 0 : to_bits(y) >> 24 & 128;
		int32_t code = (int32_t)((to_bits(size) + (random >> 12)) >> 20) - base, low;

		if (squares)
			low = size > 0;
		else
			low = (float)(int32_t)(random >> 8) * 0x1p-24f < size / least;
		code = code < most ? code : most;
		code = size < least ? low : code;
		byte[i] = (uint8_t)((uint32_t)code | sign);
	}
}

void VEC_NAME(moment_load)(float *x, const struct moment *m, int64_t from, int64_t n)
{
	if (m->type == MOMENT_BF16) {
		load_half(x, (const uint16_t *)m->data + from, n);
		return;
	}
	for (int64_t i = 0; i < n; i += MOMENT_BLOCK)
		load_bytes(x + i, (const uint8_t *)m->data + from + i, n - i < MOMENT_BLOCK ? n - i : MOMENT_BLOCK,
			m->scale[(from + i) / MOMENT_BLOCK], m->squares);
}

static float largest(const float *x, int64_t n)
{
	float most = 0;

#pragma omp simd reduction(max : most)
	for (int64_t i = 0; i < n; i++)
		most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
	return most;
}

void VEC_NAME(moment_store)(const struct moment *m, const float *x, int64_t from, int64_t n, uint32_t noise)
{
	if (m->type == MOMENT_BF16) {
		store_half((uint16_t *)m->data + from, x, from, n, noise);
		return;
	}
	for (int64_t i = 0; i < n; i += MOMENT_BLOCK) {
		int64_t k = n - i < MOMENT_BLOCK ? n - i : MOMENT_BLOCK;
		uint8_t *byte = (uint8_t *)m->data + from + i;
		float scale = largest(x + i, k) / 1.875f;

		m->scale[(from + i) / MOMENT_BLOCK] = scale;
		if (!(scale > 0))
			memset(byte, 0, (size_t)k);
		else if (m->squares)
			store_bytes(byte, x + i, from + i, k, scale, true, noise);
		else
			store_bytes(byte, x + i, from + i, k, scale, false, noise);
	}
}
