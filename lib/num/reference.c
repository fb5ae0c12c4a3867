/*
 * The definition of every operation: plain loops, sums in double, no cleverness. Whatever is faster is
 * tested against this.
 */
#include <math.h>
#include <string.h>

#include "num/kernels.h"

void reference_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
	int64_t ldb, float *c, int64_t ldc, bool add)
{
	for (int64_t i = 0; i < m; i++)
		for (int64_t j = 0; j < n; j++) {
			double sum = add ? c[i * ldc + j] : 0;

			for (int64_t l = 0; l < k; l++)
				sum += (double)a[ta ? l * lda + i : i * lda + l] * b[tb ? j * ldb + l : l * ldb + j];
			c[i * ldc + j] = (float)sum;
		}
}

static void gemm_apart(bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
	int64_t ldb, float *c, int64_t ldc)
{
	reference_gemm(false, tb, m, n, k, a, lda, b, ldb, c, ldc, true);
}

static void norm_forward(float *y, float *stat, const float *x, const float *gain, const float *bias,
	int64_t from, int64_t to, const struct norm *s)
{
	for (int64_t r = from; r < to; r++)
		for (int64_t p = 0; p < s->parts; p++) {
			const float *in = x + r * s->ldx + p * s->n;
			float *out = y + r * s->ldy + p * s->n, *st = stat + 2 * (r * s->parts + p);
			double mean = 0, square = 0, rstd;

			for (int64_t i = 0; i < s->n && s->kind == NORM_LAYER; i++)
				mean += (double)in[i] / (double)s->n;
			for (int64_t i = 0; i < s->n; i++)
				square += (in[i] - mean) * (in[i] - mean) / (double)s->n;
			rstd = 1 / sqrt(square + (double)s->eps);
			for (int64_t i = 0; i < s->n; i++)
				out[i] = (float)((in[i] - mean) * rstd * ((double)gain[i] + s->plus) + (bias ? bias[i] : 0));
			st[0] = (float)mean;
			st[1] = (float)rstd;
		}
}

static void norm_backward_x(float *dx, const float *dy, const float *x, const float *stat, const float *gain,
	int64_t from, int64_t to, const struct norm *s, bool add)
{
	for (int64_t r = from; r < to; r++)
		for (int64_t p = 0; p < s->parts; p++) {
			const float *in = x + r * s->ldx + p * s->n, *dout = dy + r * s->ldy + p * s->n;
			float *din = dx + r * s->ldy + p * s->n;
			double mean = stat[2 * (r * s->parts + p)], rstd = stat[2 * (r * s->parts + p) + 1];
			double sum = 0, dot = 0;

			for (int64_t i = 0; i < s->n; i++) {
				double g = dout[i] * ((double)gain[i] + s->plus);

				sum += s->kind == NORM_LAYER ? g / (double)s->n : 0;
				dot += g * (in[i] - mean) * rstd / (double)s->n;
			}
			for (int64_t i = 0; i < s->n; i++) {
				double g = dout[i] * ((double)gain[i] + s->plus), hat = (in[i] - mean) * rstd;

				din[i] = (float)(rstd * (g - sum - hat * dot)) + (add ? din[i] : 0);
			}
		}
}

static void norm_backward_w(float *dgain, float *dbias, const float *dy, const float *x, const float *stat,
	int64_t from, int64_t to, int64_t rows, const struct norm *s)
{
	for (int64_t i = from; i < to; i++) {
		double gain = 0, bias = 0;

		for (int64_t r = 0; r < rows; r++)
			for (int64_t p = 0; p < s->parts; p++) {
				const float *st = stat + 2 * (r * s->parts + p);
				double g = dy[r * s->ldy + p * s->n + i];

				gain += g * (x[r * s->ldx + p * s->n + i] - (double)st[0]) * st[1];
				bias += g;
			}
		if (dgain)
			dgain[i] += (float)gain;
		if (dbias)
			dbias[i] += (float)bias;
	}
}

static void rope(float *x, int64_t ld, const float *turn, int64_t from, int64_t to, const struct turning *s,
	bool back)
{
	int64_t next = s->neighbours ? 2 : 1, apart = s->neighbours ? 1 : s->half;

	for (int64_t r = from; r < to; r++)
		for (int64_t h = 0; h < s->heads; h++)
			for (int64_t i = 0; i < s->half; i++) {
				const float *t = turn + (r * s->half + i) * 2;
				float *p = x + r * ld + h * s->step + i * next, a = p[0], b = p[apart];
				float sine = back ? -t[1] : t[1];

				p[0] = a * t[0] - b * sine;
				p[apart] = b * t[0] + a * sine;
			}
}

/* The row of key number j of those that a span's rows see. */
static int64_t key_row(const struct span *s, int64_t j)
{
	return j < s->prefix_len ? s->prefix + j : s->start + j - s->prefix_len;
}

static double dot(const float *a, const float *b, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += (double)a[i] * b[i];
	return sum;
}

/* The first key that the row at a position sees. */
static int64_t first_key(const struct attention *a, int64_t position)
{
	return a->window && position >= a->window ? position - a->window + 1 : 0;
}

/* What the softmax takes for the product of a query and a key, and its derivative by that. */
static double score(const struct attention *a, double product, double *slope)
{
	double s = a->scale * product, t;

	*slope = a->scale;
	if (a->cap == 0)
		return s;
	t = tanh(s / a->cap);
	*slope *= 1 - t * t;
	return a->cap * t;
}

static void attend_forward(float *out, float *lse, const float *q, const float *k, const float *v,
	const struct attention *a, const struct span *s, int64_t from, int64_t to, int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, at = kv_head * a->kv_step;
	double slope;

	for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
		for (int64_t i = from; i < to; i++) {
			int64_t row = s->start + i, last = s->prefix_len + i, first = first_key(a, last);
			double most = -INFINITY, sum = 0;

			for (int64_t j = first; j <= last; j++) {
				scratch[j] = (float)score(a,
					dot(q + row * a->ld + h * a->q_step, k + key_row(s, j) * a->ld + at, d), &slope);
				most = fmax(most, scratch[j]);
			}
			for (int64_t j = first; j <= last; j++)
				sum += exp(scratch[j] - most);
			lse[row * a->heads + h] = (float)(most + log(sum));
			for (int64_t f = 0; f < d; f++) {
				double o = 0;

				for (int64_t j = first; j <= last; j++)
					o += exp(scratch[j] - most) / sum * v[key_row(s, j) * a->ld + at + f];
				out[(row * a->heads + h) * d + f] = (float)o;
			}
		}
}

static void attend_past(float *out, const float *q, const struct attention *a, const struct past *past, int64_t at,
	int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, first = first_key(a, past->len - 1);

	at += kv_head * 2 * d * PAST_PAGE;
	for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++) {
		double most = -INFINITY, sum = 0, slope;

		for (int64_t j = first; j < past->len; j++) {
			const float *k = past->page[j / PAST_PAGE] + at + j % PAST_PAGE;
			double product = 0;

			for (int64_t f = 0; f < d; f++)
				product += (double)q[h * a->q_step + f] * k[f * PAST_PAGE];
			scratch[j] = (float)score(a, product, &slope);
			most = fmax(most, scratch[j]);
		}
		for (int64_t j = first; j < past->len; j++)
			sum += exp(scratch[j] - most);
		for (int64_t f = 0; f < d; f++) {
			double o = 0;

			for (int64_t j = first; j < past->len; j++)
				o += exp(scratch[j] - most) / sum *
					past->page[j / PAST_PAGE][at + (PAST_PAGE + j % PAST_PAGE) * d + f];
			out[h * d + f] = (float)o;
		}
	}
}

/* Zeros where the gradients of one key-value head and its query heads will be added up. */
static void clear_gradients(float *dq, float *dk, float *dv, const struct attention *a, const struct span *span,
	int64_t kv_head)
{
	int64_t per = a->heads / a->kv_heads;
	size_t bytes = sizeof *dq * (size_t)a->head_dim;

	for (int64_t r = span->start; r < span->start + span->len; r++) {
		for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
			memset(dq + r * a->ld + h * a->q_step, 0, bytes);
		memset(dk + r * a->ld + kv_head * a->kv_step, 0, bytes);
		memset(dv + r * a->ld + kv_head * a->kv_step, 0, bytes);
	}
}

static void attend_backward(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *lse, const float *q, const float *k, const float *v, const struct attention *a,
	const struct span *span, int64_t from, int64_t to, int64_t kv_head, float *scratch)
{
	int64_t per = a->heads / a->kv_heads, d = a->head_dim, at = kv_head * a->kv_step;

	(void)scratch;
	for (int64_t s = from; s < to; s++)
		clear_gradients(dq, dk, dv, a, &span[s], kv_head);
	for (int64_t s = from; s < to; s++)
		for (int64_t h = kv_head * per; h < (kv_head + 1) * per; h++)
			for (int64_t i = 0; i < span[s].len; i++) {
				int64_t row = span[s].start + i, last = span[s].prefix_len + i;
				const float *qr = q + row * a->ld + h * a->q_step, *dor = dout + (row * a->heads + h) * d;
				double mean = dot(dor, out + (row * a->heads + h) * d, d), slope;

				for (int64_t j = first_key(a, last); j <= last; j++) {
					int64_t at_key = key_row(&span[s], j) * a->ld + at;
					double p = exp(score(a, dot(qr, k + at_key, d), &slope) - lse[row * a->heads + h]);
					double ds = p * (dot(dor, v + at_key, d) - mean) * slope;

					for (int64_t f = 0; f < d; f++) {
						dv[at_key + f] += (float)(p * dor[f]);
						dk[at_key + f] += (float)(ds * qr[f]);
						dq[row * a->ld + h * a->q_step + f] += (float)(ds * k[at_key + f]);
					}
				}
			}
}

static int64_t attend_scratch(int64_t longest, const struct attention *a)
{
	(void)a;
	return longest;
}

/* act(x) and its derivative. */
static double act(double x, enum act_kind kind, double *slope)
{
	const double c = 0.7978845608028654; /* sqrt(2 / pi) */
	double t, s;

	switch (kind) {
	case ACT_GELU:
		t = 0.5 * (1 + erf(x * M_SQRT1_2));
		*slope = t + x * exp(-0.5 * x * x) * 0.3989422804014327; /* 1 / sqrt(2 pi) */
		return x * t;
	case ACT_GELU_TANH:
		t = tanh(c * (x + 0.044715 * x * x * x));
		*slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
		return 0.5 * x * (1 + t);
	case ACT_SILU:
		s = 1 / (1 + exp(-x));
		*slope = s * (1 + x * (1 - s));
		return x * s;
	default:
		*slope = x > 0;
		return x < 0 ? 0 : x;
	}
}

static void act_forward(float *y, const float *gate, const float *up, int64_t from, int64_t to,
	enum act_kind kind)
{
	double slope;

	for (int64_t i = from; i < to; i++)
		y[i] = (float)(act(gate[i], kind, &slope) * (up ? up[i] : 1));
}

static void act_backward(float *dgate, float *dup, const float *dy, const float *gate, const float *up,
	int64_t from, int64_t to, enum act_kind kind)
{
	for (int64_t i = from; i < to; i++) {
		double slope, a = act(gate[i], kind, &slope), g = dy[i];

		dgate[i] = (float)(g * slope * (up ? up[i] : 1));
		if (up)
			dup[i] = (float)(g * a);
	}
}

static void soft_cap(float *x, int64_t from, int64_t to, float cap)
{
	for (int64_t i = from; i < to; i++)
		x[i] = (float)(cap * tanh((double)x[i] / cap));
}

static void logp_add(struct logp_sums *s, const float *z, int32_t target, int64_t at, int64_t n)
{
	float top = z[0];

	for (int64_t i = 1; i < n; i++)
		top = z[i] > top ? z[i] : top;
	if (at == 0 || top > s->top)
		logp_rise(s, z, at, n, top);
	logp_take(s, z, n);
	if (target >= at && target < at + n)
		s->own = z[target - at];
}

static void logp_backward(float *z, const struct logp_row *row, float dlogp, int64_t target, int64_t n, float cap)
{
	for (int64_t i = 0; i < n; i++) {
		double slope = cap == 0 ? 1 : 1 - (double)z[i] / cap * (z[i] / cap);

		z[i] = (float)(dlogp * ((i == target) - exp((double)z[i] - row->lse)) * slope);
	}
}

static void drop(float *y, const float *x, const struct dropout *d, int64_t from, int64_t to, int64_t n)
{
	for (int64_t r = from; r < to; r++)
		for (int64_t i = 0; i < n; i++) {
			uint32_t random = moment_noise(d->noise, (uint32_t)((d->first + r) * n + i));

			y[r * n + i] = (float)(random >> 8) * 0x1p-24f < d->p ? 0 : x[r * n + i] / (1 - d->p);
		}
}

static void add(float *y, const float *x, float scale, int64_t from, int64_t to)
{
	for (int64_t i = from; i < to; i++)
		y[i] += scale * x[i];
}

static double sum_squares(const float *x, int64_t from, int64_t to)
{
	return dot(x + from, x + from, to - from);
}

const struct kernels kernels_reference = {
	"reference",
	gemm_apart,
	NULL,
	NULL,
	NULL,
	reference_mat_load,
	reference_to_half,
	reference_half_tiles,
	norm_forward,
	norm_backward_x,
	norm_backward_w,
	rope,
	attend_forward,
	attend_backward,
	NULL,
	NULL,
	NULL,
	attend_scratch,
	attend_past,
	act_forward,
	act_backward,
	soft_cap,
	logp_add,
	logp_backward,
	drop,
	add,
	sum_squares,
	reference_update,
	reference_moment_load,
	reference_moment_store,
};
