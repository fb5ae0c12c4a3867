/*
 * What a processor backend is made of: operations on a part of the rows, columns or elements, in one
 * thread. num/ops.c gives the parts to threads; the parts depend on sizes alone, so that results do not
 * depend on the number of threads. reference.c is the definition; simd/ is compiled once for each
 * instruction set, and tested against it.
 *
 * Arguments as in ops.h; [from, to) is the part.
 */
#ifndef NUM_KERNELS_H
#define NUM_KERNELS_H

#include <float.h>
#include <math.h>
#include <string.h>

#include "num/ops.h"

static inline uint16_t half_of(float x) /* to nearest even; NaN stays NaN */
{
	uint32_t bits;

	memcpy(&bits, &x, sizeof bits);
	bits += 0x7fff + (bits >> 16 & 1);
	return (uint16_t)(x != x ? 0x7fc0 : bits >> 16);
}

/*
 * c[m, n] = a times b, or + c, with float32 sums, in the calling thread. a and b are laid out by a struct multiplier, m
 * and n lines of which the first k numbers are used; lda and ldb are the numbers of a line. An element of c depends on its
 * two lines alone.
 */
typedef void multiply_lines(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb, float *c,
	int64_t ldc, bool add);

/* How a processor multiplies matrices: from operands laid out in lines, which are rows of the left, columns of the right. */
struct multiplier {
	size_t size;   /* of a number: floats, or BF16 */
	int64_t rows;  /* of the left operand that are multiplied together: best is a multiple of it; parts are */
	int64_t lines; /* that lie together in a right operand: the next so many come after so many times ldt numbers */
	int64_t deep;  /* a line's numbers are made up to a multiple of it */
	bool as_is;    /* a left operand is rows of floats: what has such rows need not be laid out */

	/* n lines of k numbers each to an operand with lines of ldt numbers. Lines are x's rows if rows, else its columns. */
	void (*lay_out)(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows, bool right);
	multiply_lines *multiply;
	bool deep_scores; /* in BF16: attention's scores by products of three times the depth are faster than in float32 */
};

static inline bool ops_half(const struct ops *ops)
{
	return ops->multiplier && ops->multiplier->size == sizeof(uint16_t);
}

/* Rows that pass through all blocks of keys together in attention; a multiple of the rows that kernels multiply at a time. */
#define ATTEND_ROWS 576

/*
 * A row's sums when a logit above all before is seen, the first that is as large as top in z[n], which begins at at. A
 * row may begin with logits of minus infinity, from which nothing can be taken away.
 */
static inline void logp_rise(struct logp_sums *s, const float *z, int64_t at, int64_t n, float top)
{
	double rise = (double)top - s->top, scale = exp(-rise);

	if (at == 0)
		*s = (struct logp_sums){.top = top == -INFINITY ? -FLT_MAX : top};
	else
		*s = (struct logp_sums){s->sum * scale, (s->weighted - rise * s->sum) * scale,
			s->squares * scale * scale, s->total, top, s->own, s->best};
	for (int64_t i = 0; i < n; i++)
		if (z[i] == top) {
			s->best = at + i;
			return;
		}
}

/* Adds z[n] to a row's sums, none of them above its top. */
static inline void logp_take(struct logp_sums *s, const float *z, int64_t n)
{
	for (int64_t i = 0; i < n; i++) {
		double x = (double)z[i] - s->top, e = exp(x);

		s->sum += e;
		s->weighted += e * x;
		s->squares += e * e;
		s->total += z[i];
	}
}

struct kernels {
	const char *name;

	/*
	 * c[m, n] += a[m, k] * b[k, n]; tb: b is stored transposed. lda, ldb, ldc: floats a row. An element of c is the same,
	 * to the bit, whatever m and n are.
	 */
	void (*gemm_apart)(bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
		int64_t ldb, float *c, int64_t ldc);

	/*
	 * c[m, n] += a[m, in] times outputs from on, of w, for few rows: w is read as it lies. in_first: from is a multiple of
	 * MAT_BLOCK.
	 * What gemm_apart() makes of its floats, to the bit, where those of [out, in] are summed 1024 at a time. NULL:
	 * there is none.
	 */
	void (*gemm_few)(int64_t m, const float *a, int64_t lda, const struct mat *w, int64_t from, int64_t n, float *c,
		int64_t ldc);

	/*
	 * Rows from from on, HALF_LINES of them if there are, to BF16, as half_apart() wants them: rows times
	 * half_depth(k) numbers, rows made up to a multiple of HALF_LINES where there are more than that. amx: for tiles.
	 */
	void (*half_pack)(bool amx, uint16_t *to, const float *x, int64_t ldx, int64_t from, int64_t rows, int64_t k);

	/*
	 * y[rows, n] += x w, with sums in float32, for k columns of packed x from at, a multiple of HALF_DEPTH; depth is
	 * that of all of x. w is stored transposed, ldw numbers a row. An element is the same, to the bit, whatever rows
	 * and n are. NULL: there is none.
	 */
	void (*half_apart)(bool amx, int64_t rows, int64_t n, int64_t at, int64_t k, const uint16_t *x, int64_t depth,
		const uint16_t *w, int64_t ldw, float *y, int64_t ldy);

	/* columns numbers of a stored row of which data and scale point to the first; not MAT_F32. */
	void (*mat_load)(float *dst, enum mat_type type, const void *data, const float *scale, int64_t columns);

	/* n floats to BF16, to nearest even; NaN stays NaN. */
	void (*to_half)(uint16_t *half, const float *x, int64_t n);

	/*
	 * What a struct multiplier of BF16 lays out, in tiles: 16 lines after 16 lines, to[k / 32][16][32], zeros for what is
	 * not there. A left operand's tile has a line in each of its rows; a right one's has the numbers 2i and 2i + 1 of
	 * all lines, line by line, in row i. AVX-512's needs AVX512-BF16, as those products do.
	 */
	void (*half_tiles)(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows, bool right);

	void (*norm_forward)(float *y, float *stat, const float *x, const float *gain, const float *bias,
		int64_t from, int64_t to, const struct norm *s);
	void (*norm_backward_x)(float *dx, const float *dy, const float *x, const float *stat,
		const float *gain, int64_t from, int64_t to, const struct norm *s, bool add);

	/* Columns from to to of dgain and dbias. */
	void (*norm_backward_w)(float *dgain, float *dbias, const float *dy, const float *x,
		const float *stat, int64_t from, int64_t to, int64_t rows, const struct norm *s);

	void (*rope)(float *x, int64_t ld, const float *turn, int64_t from, int64_t to,
		const struct turning *s, bool back);

	/* Rows of a span, ATTEND_ROWS at most, for the query heads of one key-value head; scratch of attend_scratch() floats. */
	void (*attend_forward)(float *out, float *lse, const float *q, const float *k, const float *v,
		const struct attention *a, const struct span *s, int64_t from, int64_t to, int64_t kv_head, float *scratch);
	/* One group's spans (from to to), since they share gradients. */
	void (*attend_backward)(float *dq, float *dk, float *dv, const float *dout, const float *out,
		const float *lse, const float *q, const float *k, const float *v, const struct attention *a,
		const struct span *span, int64_t from, int64_t to, int64_t kv_head, float *scratch);
	/* The same with products in BF16, in which rows see all positions before them: no window. */
	void (*attend_half_forward)(const struct multiplier *m, float *out, float *lse, const float *q, const float *k,
		const float *v, const struct attention *a, const struct span *s, int64_t from, int64_t to, int64_t kv_head,
		float *scratch);
	void (*attend_half_backward)(const struct multiplier *m, float *dq, float *dk, float *dv, const float *dout,
		const float *out, const float *lse, const float *q, const float *k, const float *v,
		const struct attention *a, const struct span *span, int64_t from, int64_t to, int64_t kv_head,
		float *scratch);
	int64_t (*attend_half_scratch)(const struct attention *a);
	int64_t (*attend_scratch)(int64_t longest, const struct attention *a); /* longest: keys that a row may see */

	/* One row, of out and q, for the query heads of one key-value head; scratch as above. */
	void (*attend_past)(float *out, const float *q, const struct attention *a, const struct past *past,
		int64_t at, int64_t kv_head, float *scratch);

	void (*act_forward)(float *y, const float *gate, const float *up, int64_t from, int64_t to,
		enum act_kind kind);
	void (*act_backward)(float *dgate, float *dup, const float *dy, const float *gate, const float *up,
		int64_t from, int64_t to, enum act_kind kind);

	void (*soft_cap)(float *x, int64_t from, int64_t to, float cap);

	/* n logits of a row, LOGP_BLOCK at most. */
	void (*logp_add)(struct logp_sums *s, const float *z, int32_t target, int64_t at, int64_t n);
	/* n logits of a row; target may lie outside. */
	void (*logp_backward)(float *z, const struct logp_row *row, float dlogp, int64_t target, int64_t n, float cap);

	/* Rows of n numbers. */
	void (*drop)(float *y, const float *x, const struct dropout *d, int64_t from, int64_t to, int64_t n);

	/* y += scale * x */
	void (*add)(float *y, const float *x, float scale, int64_t from, int64_t to);
	double (*sum_squares)(const float *x, int64_t from, int64_t to);

	/* n weights; moments as floats. */
	void (*update)(float *w, float *m, float *v, const float *g, int64_t n, const struct update *o);

	/* n numbers of a moment from from, which begins a block; not MOMENT_F32. */
	void (*moment_load)(float *x, const struct moment *m, int64_t from, int64_t n);
	void (*moment_store)(const struct moment *m, const float *x, int64_t from, int64_t n, uint32_t noise);
};

/* 32 random bits for element i (its lower 32 bits), by hashing. */
static inline uint32_t moment_noise(uint32_t noise, uint32_t i)
{
	uint32_t x = (i * 0x9e3779b1u) ^ noise;

	x = (x ^ x >> 16) * 0x7feb352du;
	x = (x ^ x >> 15) * 0x846ca68bu;
	return x ^ x >> 16;
}

extern const struct kernels kernels_reference;

/* Of the reference: c[m, n] = a[m, k] * b[k, n], + c if add; ta, tb: stored transposed. */
void reference_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
	int64_t ldb, float *c, int64_t ldc, bool add);

/* Of the reference, in reference_update.c. */
void reference_update(float *w, float *m, float *v, const float *g, int64_t n, const struct update *o);
void reference_moment_load(float *x, const struct moment *m, int64_t from, int64_t n);
void reference_moment_store(const struct moment *m, const float *x, int64_t from, int64_t n, uint32_t noise);

/* Of the reference, in mat.c. */
void reference_to_half(uint16_t *half, const float *x, int64_t n);
void reference_half_tiles(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows,
	bool right);
void reference_mat_load(float *dst, enum mat_type type, const void *data, const float *scale, int64_t columns);

/* Columns from to to of rows of y, to which a product will be added: plus bias, or what it is, or 0. */
static inline void begin_linear(const struct kernels *k, float *y, int64_t ldy, const float *bias, int64_t rows,
	int64_t from, int64_t to, bool add)
{
	for (int64_t r = 0; r < rows; r++) {
		if (add && bias)
			k->add(y + r * ldy, bias, 1, from, to);
		else if (bias)
			memcpy(y + r * ldy + from, bias + from, sizeof *y * (size_t)(to - from));
		else if (!add)
			memset(y + r * ldy + from, 0, sizeof *y * (size_t)(to - from));
	}
}

/* A tile of BF16: 16 lines, 32 numbers deep. */
#define HALF_LINES 16
#define HALF_DEPTH 32
#define HALF_TILE (HALF_LINES * HALF_DEPTH)

/* Numbers of a line of k in tiles. */
static inline int64_t half_depth(int64_t k)
{
	return (k + HALF_DEPTH - 1) / HALF_DEPTH * HALF_DEPTH;
}

#if defined(__x86_64__)
multiply_lines gemm_half_amx, gemm_half_pairs; /* of half_tiles() */
bool gemm_half_has_amx(void);
bool gemm_half_has_pairs(void);
#endif

#endif
