/* Everything but attention and the matrix product: row by row, or element by element. */
#include <math.h>

#include "num/simd/simd.h"
#include "num/simd/sums.h"
#include "num/simd/vec.h"

/* Sums of vectors are carried to double every CHUNK elements. */
#define CHUNK 1024

static double sum_of(const float *x, int64_t n)
{
	double sum = 0;

	for (int64_t c = 0; c < n; c += CHUNK) {
		int64_t end = c + CHUNK < n ? c + CHUNK : n, i = c;
		vf part = {0};

		for (; i + VL <= end; i += VL)
			part += vec_load(x + i);
		if (i < end)
			part += vec_load_part(x + i, end - i);
		sum += vec_sum(part);
	}
	return sum;
}

/* Sum of (x - mean)^2. */
static double sum_of_squares(const float *x, float mean, int64_t n)
{
	double sum = 0;

	for (int64_t c = 0; c < n; c += CHUNK) {
		int64_t end = c + CHUNK < n ? c + CHUNK : n, i = c;
		vf part = {0};

		for (; i + VL <= end; i += VL)
			part += (vec_load(x + i) - mean) * (vec_load(x + i) - mean);
		sum += vec_sum(part);
		for (; i < end; i++)
			sum += (x[i] - mean) * (x[i] - mean);
	}
	return sum;
}

static void norm_forward(float *y, float *stat, const float *x, const float *gain, const float *bias,
	int64_t from, int64_t to, const struct norm *s)
{
	float plus = s->plus;
	int64_t n = s->n;

	for (int64_t piece = from * s->parts; piece < to * s->parts; piece++) {
		int64_t r = piece / s->parts, at = piece % s->parts * n;
		const float *in = x + r * s->ldx + at;
		float *out = y + r * s->ldy + at, *st = stat + 2 * piece;
		float mean = s->kind == NORM_LAYER ? (float)(sum_of(in, n) / (double)n) : 0, rstd;

		rstd = (float)(1 / sqrt(sum_of_squares(in, mean, n) / (double)n + (double)s->eps));
		for (int64_t i = 0; i < n; i++)
			out[i] = (in[i] - mean) * rstd * (gain[i] + plus);
		if (bias)
			for (int64_t i = 0; i < n; i++)
				out[i] += bias[i];
		st[0] = mean;
		st[1] = rstd;
	}
}

/* dx, of n features, = or += the gradient through one norm. */
static void norm_piece_backward(float *dx, const float *dy, const float *x, const float *stat, const float *gain,
	const struct norm *s, bool add)
{
	float mean = stat[0], rstd = stat[1], plus = s->plus, flat, slope;
	int64_t n = s->n;
	double sum = 0, dot = 0;

	for (int64_t c = 0; c < n; c += CHUNK) {
		int64_t end = c + CHUNK < n ? c + CHUNK : n, i = c;
		vf sums = {0}, dots = {0}, g;

		for (; i + VL <= end; i += VL) {
			g = vec_load(dy + i) * (vec_load(gain + i) + plus);
			sums += g;
			dots += g * (vec_load(x + i) - mean);
		}
		sum += vec_sum(sums);
		dot += vec_sum(dots);
		for (; i < end; i++) {
			sum += dy[i] * (gain[i] + plus);
			dot += dy[i] * (gain[i] + plus) * (x[i] - mean);
		}
	}
	flat = s->kind == NORM_LAYER ? (float)(sum / (double)n) : 0;
	slope = (float)(dot * rstd * rstd / (double)n);
	if (add)
		for (int64_t i = 0; i < n; i++)
			dx[i] += rstd * (dy[i] * (gain[i] + plus) - flat - (x[i] - mean) * slope);
	else
		for (int64_t i = 0; i < n; i++)
			dx[i] = rstd * (dy[i] * (gain[i] + plus) - flat - (x[i] - mean) * slope);
}

static void norm_backward_x(float *dx, const float *dy, const float *x, const float *stat, const float *gain,
	int64_t from, int64_t to, const struct norm *s, bool add)
{
	for (int64_t piece = from * s->parts; piece < to * s->parts; piece++) {
		int64_t r = piece / s->parts, at = piece % s->parts * s->n, y = r * s->ldy + at;

		norm_piece_backward(dx + y, dy + y, x + r * s->ldx + at, stat + 2 * piece, gain, s, add);
	}
}

static void norm_backward_w(float *dgain, float *dbias, const float *dy, const float *x, const float *stat,
	int64_t from, int64_t to, int64_t rows, const struct norm *s)
{
	for (int64_t piece = 0; piece < rows * s->parts; piece++) {
		int64_t r = piece / s->parts, at = piece % s->parts * s->n;
		const float *dout = dy + r * s->ldy + at, *in = x + r * s->ldx + at;
		float mean = stat[2 * piece], rstd = stat[2 * piece + 1];

		if (dgain)
			for (int64_t i = from; i < to; i++)
				dgain[i] += dout[i] * (in[i] - mean) * rstd;
		if (dbias)
			for (int64_t i = from; i < to; i++)
				dbias[i] += dout[i];
	}
}

/* One head whose pairs lie next, and their members apart, floats from each other. */
__attribute__((always_inline)) static inline void rope_head(float *restrict x, const float *restrict turn,
	int64_t half, int64_t next, int64_t apart, bool back)
{
	for (int64_t i = 0; i < half; i++) {
		float a = x[i * next], b = x[i * next + apart], c = turn[2 * i];
		float s = back ? -turn[2 * i + 1] : turn[2 * i + 1];

		x[i * next] = a * c - b * s;
		x[i * next + apart] = b * c + a * s;
	}
}

static void rope(float *x, int64_t ld, const float *turn, int64_t from, int64_t to, const struct turning *s,
	bool back)
{
	for (int64_t r = from; r < to; r++)
		for (int64_t h = 0; h < s->heads; h++) {
			float *head = x + r * ld + h * s->step;

			if (s->neighbours)
				rope_head(head, turn + r * s->half * 2, s->half, 2, 1, back);
			else
				rope_head(head, turn + r * s->half * 2, s->half, 1, s->half, back);
		}
}

/* act(x) and, unless NULL, its derivative. */
static inline vf act(vf x, enum act_kind kind, vf *slope)
{
	const float c = 0.7978845608f; /* sqrt(2 / pi) */
	vf t, density, zero = {0};

	switch (kind) {
	case ACT_GELU:
		t = vec_normal(x, &density);
		if (slope)
			*slope = t + x * density;
		return x * t;
	case ACT_GELU_TANH:
		/* (1 + tanh u) / 2 = 1 / (1 + exp(-2u)) */
		t = vec_reciprocal(1.0f + vec_exp(-2.0f * c * (x + 0.044715f * x * x * x)));
		if (slope)
			*slope = t + x * t * (1.0f - t) * (2.0f * c) * (1.0f + 3 * 0.044715f * x * x);
		return x * t;
	case ACT_SILU:
		t = vec_reciprocal(1.0f + vec_exp(-x));
		if (slope)
			*slope = t * (1.0f + x * (1.0f - t));
		return x * t;
	default:
		if (slope)
			*slope = vec_select(x > zero, zero + 1.0f, zero);
		return vec_select(x < zero, zero, x);
	}
}

static void act_forward(float *y, const float *gate, const float *up, int64_t from, int64_t to,
	enum act_kind kind)
{
	int64_t i = from;
	vf a;

	for (; i + VL <= to; i += VL) {
		a = act(vec_load(gate + i), kind, NULL);
		vec_store(y + i, up ? a * vec_load(up + i) : a);
	}
	if (i < to) {
		a = act(vec_load_part(gate + i, to - i), kind, NULL);
		vec_store_part(y + i, up ? a * vec_load_part(up + i, to - i) : a, to - i);
	}
}

static void act_backward(float *dgate, float *dup, const float *dy, const float *gate, const float *up,
	int64_t from, int64_t to, enum act_kind kind)
{
	vf a, slope, g;

	for (int64_t i = from; i < to; i += VL) {
		int64_t n = to - i;
		bool whole = n >= VL;

		a = act(whole ? vec_load(gate + i) : vec_load_part(gate + i, n), kind, &slope);
		g = whole ? vec_load(dy + i) : vec_load_part(dy + i, n);
		slope *= g;
		if (up) {
			slope *= whole ? vec_load(up + i) : vec_load_part(up + i, n);
			a *= g;
			if (whole)
				vec_store(dup + i, a);
			else
				vec_store_part(dup + i, a, n);
		}
		if (whole)
			vec_store(dgate + i, slope);
		else
			vec_store_part(dgate + i, slope, n);
	}
}

static void soft_cap(float *x, int64_t from, int64_t to, float cap)
{
	int64_t i = from;

	for (; i + VL <= to; i += VL)
		vec_store(x + i, vec_tanh(vec_load(x + i) / cap) * cap);
	if (i < to)
		vec_store_part(x + i, vec_tanh(vec_load_part(x + i, to - i) / cap) * cap, to - i);
}

static void logp_add(struct logp_sums *s, const float *z, int32_t target, int64_t at, int64_t n)
{
	vf sum = {0}, weighted = {0}, squares = {0}, total = {0};
	float top = vec_largest(z, n);
	int64_t i = 0;
	v4 all;

	if (at == 0 || top > s->top)
		logp_rise(s, z, at, n, top);
	for (; i + VL <= n; i += VL) {
		vf x = vec_load(z + i) - s->top, e = vec_exp(x);

		sum += e;
		weighted += e * x;
		squares += e * e;
		total += vec_load(z + i);
	}
	all = sums(sum, weighted, squares, total);
	s->sum += all[0];
	s->weighted += all[1];
	s->squares += all[2];
	s->total += all[3];
	logp_take(s, z + i, n - i);
	if (target >= at && target < at + n)
		s->own = z[target - at];
}

static void logp_backward(float *z, const struct logp_row *row, float dlogp, int64_t target, int64_t n, float cap)
{
	bool here = target >= 0 && target < n;
	float inverse = cap == 0 ? 0 : 1 / cap, own = here ? z[target] * inverse : 0;

	for (int64_t i = 0; i < n; i += VL) {
		vf x = n - i >= VL ? vec_load(z + i) : vec_load_part(z + i, n - i);

		x = vec_exp(x - row->lse) * -dlogp * (1.0f - (x * inverse) * (x * inverse));
		if (n - i >= VL)
			vec_store(z + i, x);
		else
			vec_store_part(z + i, x, n - i);
	}
	if (here)
		z[target] += dlogp * (1 - own * own);
}

static void drop(float *y, const float *x, const struct dropout *d, int64_t from, int64_t to, int64_t n)
{
	const float larger = 1 / (1 - d->p);
	const uint32_t least = (uint32_t)(d->p * 0x1p24f);

	for (int64_t r = from; r < to; r++) {
		uint32_t first = (uint32_t)((d->first + r) * n);

#pragma omp simd
		for (int64_t i = 0; i < n; i++)
			y[r * n + i] = moment_noise(d->noise, first + (uint32_t)i) >> 8 < least ? 0 : x[r * n + i] * larger;
	}
}

static void add(float *restrict y, const float *restrict x, float scale, int64_t from, int64_t to)
{
	for (int64_t i = from; i < to; i++)
		y[i] += scale * x[i];
}

static double sum_squares(const float *x, int64_t from, int64_t to)
{
	return sum_of_squares(x + from, 0, to - from);
}

const struct kernels VEC_NAME(kernels) = {
#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
	"cpu-" TEXT(ISA),
	VEC_NAME(gemm_apart),
	VEC_NAME(gemm_few),
#if VL == 16
	VEC_NAME(half_pack),
	VEC_NAME(half_apart),
#else
	NULL,
	NULL,
#endif
	VEC_NAME(mat_load),
	VEC_NAME(to_half),
	VEC_NAME(half_tiles),
	norm_forward,
	norm_backward_x,
	norm_backward_w,
	rope,
	VEC_NAME(attend_forward),
	VEC_NAME(attend_backward),
	VEC_NAME(attend_half_forward),
	VEC_NAME(attend_half_backward),
	VEC_NAME(attend_half_scratch),
	VEC_NAME(attend_scratch),
	VEC_NAME(attend_past),
	act_forward,
	act_backward,
	soft_cap,
	logp_add,
	logp_backward,
	drop,
	add,
	sum_squares,
	VEC_NAME(update),
	VEC_NAME(moment_load),
	VEC_NAME(moment_store),
};
