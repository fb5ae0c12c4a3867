/*
 * The operations that a decoder is made of, forward and backward, as a table of functions, one table a
 * backend. Models call through the table and know nothing of processors.
 *
 * Everything is float32, row-major, and the caller's; a row is one token of a pack (spans below). A
 * backward function adds to gradients of weights, and says of each other gradient whether it adds
 * or sets. Results do not depend on the number of threads: threads split outputs, never sums.
 *
 *	const struct ops *ops = ops_find("cpu");
 *
 *	struct norm norm = {NORM_RMS, 1e-5f, 0, 576, 1, 576, 576};
 *
 *	ops->norm_forward(ops, y, stat, x, gain, NULL, rows, &norm);
 *	ops->linear_forward(ops, q, 576, y, 576, &wq, NULL, rows, false);
 */
#ifndef NUM_OPS_H
#define NUM_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How a matrix's numbers are kept; computing is in float32 all the same. The last two are blocks of MAT_BLOCK
 * neighbours in a stored row, the last of a row shorter, with a scale each: a byte b stands for scale b / 127,
 * four bits (the first number's the lower ones, rows begin on a byte) for scale times a level of NF4, which are
 * quantiles of the normal distribution (Dettmers et al., "QLoRA", arXiv 2305.14314).
 */
enum mat_type { MAT_F32, MAT_F16, MAT_BF16, MAT_INT8, MAT_NF4 };

#define MAT_BLOCK 64

extern const float mat_nf4[16]; /* ascending, from -1 to 1 */

/*
 * A weight matrix that maps in features to out. Hugging Face's Linear stores it [out, in]; GPT-2's
 * Conv1D the other way round, [in, out]: in_first.
 */
struct mat {
	const void *data;
	int64_t out, in;
	bool in_first;
	enum mat_type type;
	const float *scale; /* of the blocks, row by row */
	const void *tiles; /* what ops->tile() made of it for the product to come, unless NULL */
};

static inline int64_t mat_rows(const struct mat *w) /* as stored */
{
	return w->in_first ? w->in : w->out;
}

static inline int64_t mat_columns(const struct mat *w)
{
	return w->in_first ? w->out : w->in;
}

/* Bytes, and blocks, of a stored row of so many numbers. */
size_t mat_row_size(enum mat_type type, int64_t columns);
int64_t mat_row_blocks(enum mat_type type, int64_t columns);

/* Outputs from from to from + n - 1 of a matrix that is not in_first, without its tiles. */
struct mat mat_part(const struct mat *w, int64_t from, int64_t n);

/*
 * Matrices that products will find laid out: ops->tile_later() adds one, and ops->tile() does what is left. Until then
 * threads that have nothing left to do of another operation do some of it. Begins as {0}.
 */
#define TILINGS 4
struct tilings {
	int n;
	struct tiling {
		struct mat w;
		void *to;
		bool turned;
		int64_t lines, some; /* of the operand, and those that are laid out together */
	} of[TILINGS];
	int64_t next; /* of all matrices' pieces */
};

/* Rounds a stored row to blocks: to[mat_row_size()], scale[mat_row_blocks()]. */
void mat_quantise(enum mat_type type, void *to, float *scale, const float *row, int64_t columns);

/* A matrix's gradient, dw[m, n], and what ops->lay_columns() made of the m and n columns that it is made of. */
struct outer {
	float *dw;
	const void *left;
	int64_t m;
	const void *right;
	int64_t n;
};

/* Inputs that are left out at random, each with chance p, the others made larger by 1 / (1 - p). */
struct dropout {
	float p;
	uint32_t noise; /* decides which: another one for each matrix and step */
	int64_t first;	/* the first row's number */
};

/*
 * Which rows see which. A span's own rows see each other causally, and before them all rows of its
 * prefix: a completion is a span whose prefix is its prompt, so that a prompt stands in a pack
 * once, whatever the number of its completions. A prompt is a span without prefix. Own row i is at
 * position prefix_len + i. Attention's window narrows that to the last positions.
 */
struct span {
	int64_t start, len;	    /* own rows */
	int64_t prefix, prefix_len; /* rows of the prefix, which is a span of the same group */
};

/* Spans in groups (records): rows of different groups never meet. */
struct spans {
	const struct span *span;
	const int64_t *group; /* [groups + 1] group g has spans group[g] to group[g + 1] - 1 */
	int64_t groups;
};

/*
 * Attention's sizes. Head h uses key-value head h / (heads / kv_heads). What the softmax takes is
 * cap * tanh(score / cap) with score = scale * q k, or the score itself where cap is 0.
 */
struct attention {
	int64_t heads, kv_heads, head_dim;
	int64_t ld;              /* floats from one row of q, k or v to the next */
	int64_t q_step, kv_step; /* floats from one head of a row to the next */
	float scale, cap;
	int64_t window; /* a row sees the last so many positions, its own among them; 0: all */
};

/*
 * Keys and values of rows that were computed earlier, which a row sees: those of position j, and it is the row's
 * own that is the last, in page j / PAST_PAGE. A page has a part for each layer, at a distance that the caller
 * says; a part has, for each key-value head, keys[head_dim][PAST_PAGE], then values[PAST_PAGE][head_dim].
 */
#define PAST_PAGE 64

struct past {
	float *const *page;
	int64_t len; /* positions, the row's own included; at least 1 */
};

enum norm_kind { NORM_LAYER, NORM_RMS };

/* A norm's sizes. A row has parts pieces of n features side by side, each normed alone with the same gain. */
struct norm {
	enum norm_kind kind;
	float eps;
	float plus; /* added to the gain: Gemma keeps gains as what they differ from 1 */
	int64_t n, parts;
	int64_t ldx, ldy; /* floats from one row of x to the next; of y, dy and dx */
};

/*
 * A rotation's sizes: of each of heads heads, step floats apart, the first 2 * half features turn, in pairs
 * (i, i + half), or (2i, 2i + 1) where they are neighbours.
 */
struct turning {
	int64_t heads, step, half;
	bool neighbours;
};

enum act_kind { ACT_GELU, ACT_GELU_TANH, ACT_SILU, ACT_RELU };

/* One counted token's row of logits, looked at. */
struct logp_row {
	float logp;    /* log softmax at the target */
	float lse;     /* log sum exp of the logits */
	float mean;    /* of the logits */
	float entropy; /* of the softmax, in nats */
	float square;  /* log of the sum of the squared probabilities */
	bool hit;      /* the target has the (first) largest logit */
};

/*
 * What is known of a row's logits from those looked at: sums over e = exp(z - top) of e, e (z - top) and e^2, and of z,
 * the largest, which is the first at best, and the target's own.
 */
struct logp_sums {
	double sum, weighted, squares, total;
	float top, own;
	int64_t best;
};

#define LOGP_BLOCK 512 /* logits of a row that are looked at together */

/* How a step changes a weight w, by its gradient g and what is remembered of earlier ones, m and v. */
enum update_kind {
	UPDATE_ADAMW,	/* m, v = means of g and g^2 by beta1, beta2; w -= lr m / correct1 / (sqrt(v / correct2) + eps) */
	UPDATE_RMSPROP, /* v = mean of g^2 by beta2; w -= lr g / (sqrt(v) + eps) */
	UPDATE_SGD,	/* m = beta1 m + g; w -= lr m */
	UPDATE_LION,	/* w -= lr sign(beta1 m + (1 - beta1) g); then m = mean of g by beta2 */
};

struct update {
	enum update_kind kind;
	float lr, beta1, beta2, eps;
	float decay;		  /* before all that, w -= lr decay w */
	float correct1, correct2; /* 1 - beta^t, for this step t */
	float scale;		  /* of the gradient, from clipping */
	uint32_t noise;		  /* decides how moments are rounded; another one for each step and tensor */
};

/*
 * How m or v is kept. In fewer bits than it has, a number is rounded up or down at random, so that what changes
 * by less than the last bit moves all the same, in the mean.
 *
 * MOMENT_INT8: blocks of MOMENT_BLOCK numbers with one scale each, a float, by which the largest is 1.875. Bytes
 * are small floats of 3 bits of fraction: with a sign, 0 or (1 + f / 8) 2^(e - 15) for e of 4 bits; without, 0 or
 * (1 + f / 8) 2^(e - 31) for e of 5, and then nothing but 0 becomes 0, since v is divided by.
 */
enum moment_type { MOMENT_F32, MOMENT_BF16, MOMENT_INT8 };

#define MOMENT_BLOCK 256

struct moment {
	enum moment_type type;
	bool squares;	/* never negative: without a sign */
	void *data;	/* a float, a BF16 or a byte for each weight */
	float *scale;	/* MOMENT_INT8: one for each block */
};

/*
 * Adafactor (Shazeer and Stern, arXiv 1804.04235) for a matrix, which remembers g^2 by means over rows and over
 * columns: v = row col / mean(row), w -= lr u / max(1, rms(u)) with u = g / sqrt(v).
 */
struct adafactor {
	float lr, decay, scale; /* as above */
	float keep;		/* share of row and col that stays: 1 - t^-0.8 */
};

struct kernels; /* num/kernels.h */
struct multiplier;

struct ops {
	const char *name;
	const struct kernels *kernels; /* of a processor backend */
	const struct multiplier *multiplier; /* by which linear_*() multiply; NULL: as they are defined */

	/* y[rows, out] = x[rows, in] times w, plus bias[out] unless NULL; added to y if add. ldx,
	 * ldy: floats a row. */
	void (*linear_forward)(const struct ops *ops, float *y, int64_t ldy, const float *x,
		int64_t ldx, const struct mat *w, const float *bias, int64_t rows, bool add);

	/*
	 * The same for few rows, bound by reading the weights. Each row comes out as if it were computed alone, to
	 * the bit; which is not what linear_forward() would give.
	 */
	void (*linear_apart)(const struct ops *ops, float *y, int64_t ldy, const float *x, int64_t ldx,
		const struct mat *w, const float *bias, int64_t rows, bool add);

	/*
	 * x will be an operand of several products to come and not change until this is said of another, or NULL: what
	 * they make of it need be made but once.
	 */
	void (*hold)(const struct ops *ops, const float *x);

	/*
	 * Lays matrices out as linear_forward() needs them, or linear_backward_x() if turned: tiles() bytes of w on a cache
	 * line, which w->tiles may point to while w does not change. A backend that reads matrices as they are has 0 of them.
	 */
	int64_t (*tiles)(const struct ops *ops, const struct mat *w, bool turned);
	void (*tile_later)(const struct ops *ops, struct tilings *t, void *to, const struct mat *w, bool turned);
	void (*tile)(const struct ops *ops, struct tilings *t);

	/*
	 * Calls do_part(arg, from, n, slot) for all rows, part() at most at a time, in the threads that there are, each with a
	 * slot of its own: what is done with a part's rows one operation after the other then finds them in its processor's
	 * cache. All at once where parts are not worth it. Slots have part() rows each: no more than room() of them together,
	 * also for fewer rows. Threads that have no part left while others do begin with what tile() will do of ahead, if any.
	 */
	int64_t (*part)(const struct ops *ops, int64_t rows);
	int64_t (*room)(const struct ops *ops, int64_t rows);
	void (*each_part)(const struct ops *ops, int64_t rows,
		void (*do_part)(void *arg, int64_t from, int64_t n, int64_t slot), void *arg, struct tilings *ahead);

	/* dx[rows, in] = dy times w transposed; added if add. */
	void (*linear_backward_x)(const struct ops *ops, float *dx, int64_t ldx, const float *dy,
		int64_t ldy, const struct mat *w, int64_t rows, bool add);

	/* Stored rows from row and columns from column, a multiple of MAT_BLOCK, to dst, ld floats a row. */
	void (*mat_load)(const struct ops *ops, float *dst, int64_t ld, const struct mat *w, int64_t row, int64_t rows,
		int64_t column, int64_t columns);

	/* dw (of w's shape; w's data is not used) and dbias, unless NULL, += what dy and x give. */
	void (*linear_backward_w)(const struct ops *ops, float *dw, float *dbias, const float *dy,
		int64_t ldy, const float *x, int64_t ldx, const struct mat *w, int64_t rows);

	/*
	 * What linear_backward_w() does, with rows that come part by part, as each_part() has them. Of a matrix of n columns
	 * and so many rows, columns() bytes on a cache line hold what outers() needs (none: the backend cannot do that),
	 * and lay_columns() puts some rows from from on there, the first of which is at x. Then outers() adds to the dw of
	 * some matrices left transposed times right. sums() rows of n floats hold sums over a few rows each, and sum_rows()
	 * puts those of a part there: their sum, over all parts, is that of all rows, the same at any number of threads.
	 */
	int64_t (*columns)(const struct ops *ops, int64_t n, int64_t rows);
	void (*lay_columns)(const struct ops *ops, void *to, const float *x, int64_t ldx, int64_t n, int64_t rows, int64_t from,
		int64_t some, bool right);
	void (*outers)(const struct ops *ops, const struct outer *outer, int n, int64_t rows);
	int64_t (*sums)(const struct ops *ops, int64_t rows);
	void (*sum_rows)(const struct ops *ops, float *sums, const float *x, int64_t ldx, int64_t n, int64_t from,
		int64_t some);

	/*
	 * x[rows, n] for the backward pass, in BF16 by a backend that multiplies in that: stored() floats a row; and back.
	 * Nothing where both are the same.
	 */
	int64_t (*stored)(const struct ops *ops, int64_t n);
	void (*store)(const struct ops *ops, float *to, const float *x, int64_t rows, int64_t n);
	void (*load)(const struct ops *ops, float *x, const float *from, int64_t rows, int64_t n);

	/* x[rows, n] = scale * table[id] + places[pos]; places without data: none. Neither is in_first. */
	void (*embed_forward)(const struct ops *ops, float *x, const struct mat *table, float scale,
		const struct mat *places, const int32_t *id, const int32_t *pos, int64_t rows);
	void (*embed_backward)(const struct ops *ops, float *dtable, float scale, float *dplaces,
		const float *dx, const int32_t *id, const int32_t *pos, int64_t rows, int64_t n);

	/*
	 * y = (x - mean) * rstd * gain + bias, or for NORM_RMS x * rstd * gain with rstd over the
	 * mean square. stat[rows][parts][2] gets mean and rstd for the backward pass. bias may be NULL.
	 */
	void (*norm_forward)(const struct ops *ops, float *y, float *stat, const float *x,
		const float *gain, const float *bias, int64_t rows, const struct norm *sizes);

	/* dgain and dbias (either may be NULL) += ... */
	void (*norm_backward_w)(const struct ops *ops, float *dgain, float *dbias, const float *dy, const float *x,
		const float *stat, int64_t rows, const struct norm *sizes);

	/* dx is added to if add, otherwise set, and may then be dy itself. */
	void (*norm_backward_x)(const struct ops *ops, float *dx, const float *dy, const float *x, const float *stat,
		const float *gain, int64_t rows, const struct norm *sizes, bool add);

	/*
	 * Turns rows of x, ld floats apart, in place. turn[rows][half][2] holds the cosines and sines of
	 * each row's angles. back: the other way, which is its own backward pass.
	 */
	void (*rope)(const struct ops *ops, float *x, int64_t ld, const float *turn, int64_t rows,
		const struct turning *sizes, bool back);

	/* Floats of scratch that attention needs, for all threads, where no row sees more than keys rows. */
	int64_t (*attend_scratch)(const struct ops *ops, int64_t keys, const struct attention *a);

	/*
	 * out[rows, heads * head_dim] from q, k, v; lse[rows, heads] gets each row's log sum exp
	 * for the backward pass. ahead: as for each_part().
	 */
	void (*attend_forward)(const struct ops *ops, float *out, float *lse, const float *q,
		const float *k, const float *v, const struct attention *a, const struct spans *s,
		float *scratch, struct tilings *ahead);

	/* dq, dk, dv (laid out as q, k, v) are set. */
	void (*attend_backward)(const struct ops *ops, float *dq, float *dk, float *dv,
		const float *dout, const float *out, const float *lse, const float *q,
		const float *k, const float *v, const struct attention *a, const struct spans *s,
		float *scratch, struct tilings *ahead);

	/* Keeps the keys and values of rows, each at the last position of its past; at: floats of a page before the part. */
	void (*keep)(const struct ops *ops, const float *k, const float *v, const struct attention *a,
		const struct past *past, int64_t at, int64_t rows);

	/*
	 * out[rows, heads * head_dim] from q and what each row sees in its past. Each row as if it were computed
	 * alone, to the bit. scratch: as for attend_forward().
	 */
	void (*attend_past)(const struct ops *ops, float *out, const float *q, const struct attention *a,
		const struct past *past, int64_t at, int64_t rows, float *scratch);

	/* y = act(gate) * up, or act(gate) where up is NULL; n elements. */
	void (*act_forward)(const struct ops *ops, float *y, const float *gate, const float *up,
		int64_t n, enum act_kind kind);

	/* dgate and dup (NULL as up) are set; either may be dy itself. */
	void (*act_backward)(const struct ops *ops, float *dgate, float *dup, const float *dy,
		const float *gate, const float *up, int64_t n, enum act_kind kind);

	/* y[i] = x[row[i]], and its backward dx[row[i]] += dy[i]; n rows of width floats. */
	void (*gather)(const struct ops *ops, float *y, const float *x, const int64_t *row,
		int64_t n, int64_t width);
	void (*scatter)(const struct ops *ops, float *dx, const float *dy, const int64_t *row,
		int64_t n, int64_t width);

	/* In place: x = cap * tanh(x / cap), n elements. */
	void (*soft_cap)(const struct ops *ops, float *x, int64_t n, float cap);

	/*
	 * Looks at columns logits of n rows, those from at on, a multiple of LOGP_BLOCK; at 0 begins. Then what is known of
	 * all vocab. What comes out is the same, to the bit, whatever n and columns are.
	 */
	void (*logp_add)(const struct ops *ops, struct logp_sums *sums, const float *logits, const int32_t *target, int64_t n,
		int64_t at, int64_t columns);
	void (*logp_end)(const struct ops *ops, struct logp_row *out, const struct logp_sums *sums, const int32_t *target,
		int64_t n, int64_t vocab);

	/* Looks at n rows of vocab logits: all of that at once. */
	void (*logp_forward)(const struct ops *ops, struct logp_row *out, const float *logits,
		const int32_t *target, int64_t n, int64_t vocab);

	/*
	 * In place: columns logits of n rows, those from at on, become d/dlogits of sum_i dlogp[i] * logp[i]; where
	 * soft_cap() made them, the derivative by what they were before. cap 0: nothing did.
	 */
	void (*logp_backward)(const struct ops *ops, float *logits, const struct logp_row *rows, const float *dlogp,
		const int32_t *target, int64_t n, int64_t at, int64_t columns, float cap);

	/* y[rows, n] = gain x + bias, a gain and a bias (unless NULL) for each column; added to y if add. */
	void (*stretch_forward)(const struct ops *ops, float *y, int64_t ldy, const float *x, const float *gain,
		const float *bias, int64_t rows, int64_t n, bool add);

	/* dx[rows, n] = gain dy; dgain += ... */
	void (*stretch_backward)(const struct ops *ops, float *dx, float *dgain, const float *dy, int64_t ldy,
		const float *x, const float *gain, int64_t rows, int64_t n);

	/* y[rows, n] = what dropout leaves of x, which may be y; its own backward pass. */
	void (*drop)(const struct ops *ops, float *y, const float *x, const struct dropout *d, int64_t rows, int64_t n);

	/* x *= factor, n elements. */
	void (*scale)(const struct ops *ops, float *x, float factor, int64_t n);

	/* y += x, n elements. */
	void (*add)(const struct ops *ops, float *y, const float *x, int64_t n);

	/* y = keep y + (1 - keep) x, n elements. */
	void (*blend)(const struct ops *ops, float *y, const float *x, float keep, int64_t n);

	/* Sum of squares, in double. */
	double (*sum_squares)(const struct ops *ops, const float *x, int64_t n);

	/* One step on n weights; m or v is NULL where the kind has none. */
	void (*update)(const struct ops *ops, float *w, const struct moment *m, const struct moment *v,
		const float *g, int64_t n, const struct update *o);

	/* One step on w[rows, columns]; columns 1: a vector, and col is not used. scratch[rows]. */
	void (*adafactor)(const struct ops *ops, float *w, float *row, float *col, const float *g,
		int64_t rows, int64_t columns, const struct adafactor *o, double *scratch);
};

/*
 * "cpu", the fastest for this processor; "half", the same with matrix products in BF16, NULL where the processor has
 * none ("half-amx" and "half-pairs": by that alone); or "reference", the definition; NULL for others.
 */
const struct ops *ops_find(const char *name);

#endif
