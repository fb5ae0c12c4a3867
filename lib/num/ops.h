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
 * A weight matrix that maps in features to out. Hugging Face's Linear stores it [out, in]; GPT-2's
 * Conv1D the other way round, [in, out]: in_first.
 */
struct mat {
	const float *data;
	int64_t out, in;
	bool in_first;
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

struct adamw {
	float lr, beta1, beta2, eps, decay; /* decay: decoupled, multiplied by lr */
	float correct1, correct2;	    /* 1 - beta^t, for this step t */
	float scale;			    /* of the gradient, from clipping */
};

struct kernels;

struct ops {
	const char *name;
	const struct kernels *kernels; /* of a processor backend */

	/* y[rows, out] = x[rows, in] times w, plus bias[out] unless NULL; added to y if add. ldx,
	 * ldy: floats a row. */
	void (*linear_forward)(const struct ops *ops, float *y, int64_t ldy, const float *x,
		int64_t ldx, const struct mat *w, const float *bias, int64_t rows, bool add);

	/* dx[rows, in] = dy times w transposed; added if add. */
	void (*linear_backward_x)(const struct ops *ops, float *dx, int64_t ldx, const float *dy,
		int64_t ldy, const struct mat *w, int64_t rows, bool add);

	/* dw (of w's shape; w's data is not used) and dbias, unless NULL, += what dy and x give. */
	void (*linear_backward_w)(const struct ops *ops, float *dw, float *dbias, const float *dy,
		int64_t ldy, const float *x, int64_t ldx, const struct mat *w, int64_t rows);

	/* x[rows, n] = scale * table[id] + places[pos]; places may be NULL. */
	void (*embed_forward)(const struct ops *ops, float *x, const float *table, float scale,
		const float *places, const int32_t *id, const int32_t *pos, int64_t rows,
		int64_t n);
	void (*embed_backward)(const struct ops *ops, float *dtable, float scale, float *dplaces,
		const float *dx, const int32_t *id, const int32_t *pos, int64_t rows, int64_t n);

	/*
	 * y = (x - mean) * rstd * gain + bias, or for NORM_RMS x * rstd * gain with rstd over the
	 * mean square. stat[rows][parts][2] gets mean and rstd for the backward pass. bias may be NULL.
	 */
	void (*norm_forward)(const struct ops *ops, float *y, float *stat, const float *x,
		const float *gain, const float *bias, int64_t rows, const struct norm *sizes);

	/* dx is added to if add, otherwise set, and may then be dy itself; dgain and dbias (either may be NULL) += ... */
	void (*norm_backward)(const struct ops *ops, float *dx, float *dgain, float *dbias,
		const float *dy, const float *x, const float *stat, const float *gain, int64_t rows,
		const struct norm *sizes, bool add);

	/*
	 * Turns rows of x, ld floats apart, in place. turn[rows][half][2] holds the cosines and sines of
	 * each row's angles. back: the other way, which is its own backward pass.
	 */
	void (*rope)(const struct ops *ops, float *x, int64_t ld, const float *turn, int64_t rows,
		const struct turning *sizes, bool back);

	/* Floats of scratch that attention needs, for all threads, where no row sees more than keys rows. */
	int64_t (*attend_scratch)(const struct ops *ops, int64_t keys, int64_t head_dim);

	/*
	 * out[rows, heads * head_dim] from q, k, v; lse[rows, heads] gets each row's log sum exp
	 * for the backward pass.
	 */
	void (*attend_forward)(const struct ops *ops, float *out, float *lse, const float *q,
		const float *k, const float *v, const struct attention *a, const struct spans *s,
		float *scratch);

	/* dq, dk, dv (laid out as q, k, v) are set. */
	void (*attend_backward)(const struct ops *ops, float *dq, float *dk, float *dv,
		const float *dout, const float *out, const float *lse, const float *q,
		const float *k, const float *v, const struct attention *a, const struct spans *s,
		float *scratch);

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

	/* Looks at n rows of vocab logits. */
	void (*logp_forward)(const struct ops *ops, struct logp_row *out, const float *logits,
		const int32_t *target, int64_t n, int64_t vocab);

	/*
	 * In place: logits become d/dlogits of sum_i dlogp[i] * logp[i]; where soft_cap() made them, the
	 * derivative by what they were before. cap 0: nothing did.
	 */
	void (*logp_backward)(const struct ops *ops, float *logits, const struct logp_row *rows,
		const float *dlogp, const int32_t *target, int64_t n, int64_t vocab, float cap);

	/* y += x, n elements. */
	void (*add)(const struct ops *ops, float *y, const float *x, int64_t n);

	/* Sum of squares, in double. */
	double (*sum_squares)(const struct ops *ops, const float *x, int64_t n);

	/* One step of AdamW (Loshchilov and Hutter, arXiv 1711.05101) on n weights. */
	void (*adamw)(const struct ops *ops, float *w, float *m, float *v, const float *g,
		int64_t n, const struct adamw *o);
};

/* "cpu", the fastest for this processor, or "reference", the definition; NULL for others. */
const struct ops *ops_find(const char *name);

#endif
