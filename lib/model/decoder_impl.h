/*
 * What the decoder's files share: decoder.c (memory), decoder_forward.c, decoder_next.c, decoder_backward.c,
 * decoder_linear.c, decoder_head.c.
 */
#ifndef MODEL_DECODER_IMPL_H
#define MODEL_DECODER_IMPL_H

#include "model/adapter.h"
#include "model/decoder.h"

/* What a layer's backward pass needs of its forward pass. What the arch does not have is NULL. */
struct layer {
	float *x;             /* [rows, hidden] what came in */
	float *stat1, *stat2; /* [rows, 2] of the norms before attention and MLP */
	float *raw;           /* [rows, (heads + kv_heads) * head_dim] queries and keys before their norms */
	float *qstat, *kstat; /* of those norms */
	float *qkv;           /* [rows, ld] queries, keys, values, turned */
	float *lse;           /* [rows, heads] */
	float *attended;      /* [rows, heads * head_dim] */
	float *out1, *post1;  /* [rows, hidden] attention's output before a norm of its own, and that norm's stat */
	float *mid;           /* [rows, hidden] between attention and MLP */
	float *gate, *up;     /* [rows, inner], as ops->store() keeps them */
	float *out2, *post2;  /* the MLP's output before a norm, and its stat */
};

/* Half a layer's matrices as they are laid out, or will be; at NULL: nothing is. */
struct laid {
	char *at;
	int layer; /* counted from 1; 0: none's */
	bool turned;
	struct tilings tilings;
};

/* What a matrix's gradient is made of once all rows have been seen: gradients of its outputs, its inputs, and sums. */
struct seen {
	char *dy, *x;
	float *bias;
};

struct decoder {
	const struct model *m;
	const struct ops *ops;
	enum decoder_memory memory;
	int64_t rows, counted, longest, chunk; /* room for */
	float *block;                          /* all of the following, and the layers' */
	struct layer *layer; /* [layers], or one for all; with DECODER_KEEP_INPUTS they share all but x */
	float *turn[2];      /* [rows, dim / 2, 2] cosines and sines of each rotation */
	float *last, *last_stat, *normed;
	float *acted;	  /* [part, inner] of each slot */
	float *gate, *up; /* the same; NULL where a layer keeps them as they are, and a part has those */
	float *head, *logits; /* [counted, hidden] inputs of the head; each slot's [part, LOGP_BLOCK], or [chunk, vocab] */
	struct logp_sums *sums;	 /* [counted] */
	char *head_tiles;	 /* of DECODER_HEAD outputs, */
	char *head_turned;	 /* and by LOGP_BLOCK of them */
	float *dx, *dmid, *dout; /* gradients of a layer's ends, of its middle if that is another, of what a norm took */
	float *dnormed, *dattended, *dqkv, *dgate, *dup, *dhead;
	float *scratch;
	/* Of a pass that generates: what its rows see and where they are kept; else NULL. */
	const struct past *past;
	bool alone; /* each row by itself, with its past */
	int64_t pass_rows; /* of the pass that is on, */
	int64_t from;	   /* and those before this part */
	struct laid laid[2]; /* each half's matrices, which several parts read; each role's in tiled */
	const void *tiled[ROLE_COUNT];
	char *columns;	   /* of half a layer's gradients and inputs, or the head's; NULL: gradients are made at once */
	struct seen seen[ROLE_COUNT];
	struct past *pasts;
	size_t pasts_cap;
	struct pack next;
	float *low, *wet, *wide, *dgain; /* an adapter's: [rows, rank], [rows, in], [rows, out], [out] */
	int64_t low_width, wet_width, wide_width; /* 0: without */
	struct dropout drop;		 /* of this pass */
	struct pack split; /* instead of the last pass's pack, where its prompts could not be shared */
	bool is_split;
};

static inline int64_t q_width(const struct arch *a)
{
	return a->heads * a->head_dim;
}

static inline int64_t kv_width(const struct arch *a)
{
	return a->kv_heads * a->head_dim;
}

/* Floats of a page before a layer's part. */
static inline int64_t decoder_part(const struct arch *a, int l)
{
	return l * 2 * kv_width(a) * PAST_PAGE;
}

/* Where a row's queries, keys and values begin, and how far one head is from the next. */
struct qkv {
	int64_t q, k, v, q_step, kv_step, ld;
};

/* For decoder_backward()? */
static inline bool decoder_trains(const struct decoder *d)
{
	return d->memory == DECODER_KEEP || d->memory == DECODER_KEEP_INPUTS;
}

struct qkv decoder_qkv(const struct arch *a);
struct attention decoder_attention(const struct arch *a, int l);
struct spans decoder_spans(const struct pack *p);

/* The sizes of a role's norm. That of queries or keys reads rows of y->raw and writes rows of y->qkv. */
struct norm decoder_norm(const struct arch *a, enum role role);

/* The matrices before attention and those behind it, first readers first; each list ends with ROLE_COUNT. */
extern const enum role *const decoder_halves[2];

/* The first role of a half that reads what role does. */
static inline enum role decoder_reader(enum role role)
{
	return role == ROLE_K || role == ROLE_V ? ROLE_Q : role == ROLE_GATE ? ROLE_UP : role;
}

/*
 * Lays out the matrices of half a layer, for products with their inputs, or gradients of their outputs if turned; what is
 * left to do of it, for operations before, which return while the other half is in use; and says that weights change.
 */
void decoder_tile(struct decoder *d, int half, int l, bool turned);
struct tilings *decoder_ahead(struct decoder *d, int half, int l, bool turned);
void decoder_forget_tiles(struct decoder *d);

/* Places d->seen of half a layer in d->columns, for so many rows; returns bytes. */
int64_t decoder_place_seen(struct decoder *d, int half, int64_t rows);

/*
 * The decoder and a layer's buffers for the rows of a part, from from on, that a slot has (ops->each_part()). What of a
 * row is not kept for others to see is in the slot's share.
 */
void decoder_slice(const struct decoder *d, const struct layer *y, int64_t from, int64_t slot, struct decoder *part,
	struct layer *part_y);

/* What attention and the MLP read: the norm by which they do, and of what; ROLE_COUNT: no norm. */
struct input {
	enum role norm;
	const float *x;
	float *stat;
};

struct input decoder_attention_input(const struct arch *a, const struct layer *y);
struct input decoder_mlp_input(const struct arch *a, const struct layer *y);

/* Computes an input, in d->normed, or x itself where there is no norm. */
const float *decoder_read(const struct decoder *d, const struct input *in, int l, int64_t rows);

/* Turns the queries and keys of a layer's rows, or back. */
void decoder_turn(const struct decoder *d, float *qkv, int l, int64_t rows, bool back);

/* d->acted: act(d->gate) * d->up, or act(d->up). */
void decoder_activate(struct decoder *d, int64_t rows);

/* Tokens within the vocabulary, sequences within learned positions? */
int decoder_check(const struct decoder *d, const struct pack *p, struct err *err);

/* All rows from embeddings to d->normed. */
void decoder_walk(struct decoder *d, const struct pack *p);
/* y = x times w, plus bias unless NULL; added if add. */
void decoder_product(const struct decoder *d, float *y, int64_t ldy, const float *x, const struct mat *w,
	const float *bias, int64_t rows, bool add);

/* y = what role's matrix, and the adapter, make of x, with the bias; added if add. */
void decoder_linear(const struct decoder *d, float *y, int64_t ldy, const float *x, enum role role, int l,
	int64_t rows, bool add);

/*
 * The gradients of the trained parameters, and dx, of its input; added if add. Where there are d->columns, a matrix's
 * gradient is made later, by decoder_sum_seen().
 */
void decoder_linear_back(const struct decoder *d, float *grads, float *dx, const float *dy, int64_t ldy,
	const float *x, enum role role, int l, int64_t rows, bool add);

/* The gradients of the matrices of half a layer, from what was seen of all rows. */
void decoder_sum_seen(const struct decoder *d, float *grads, int half, int l);

/* Where a role's gradient begins; NULL where there is none, or it is not trained. */
float *decoder_grad(const struct decoder *d, float *grads, enum role role, int l, bool bias);

/* A layer's forward pass, once its x is there: all that its backward pass needs; out = y, unless NULL. */
void decoder_layer(struct decoder *d, struct layer *y, int l, const struct pack *p, float *out);

/* d->logits: those of the counted tokens from first, n of them; of a pass that generates. */
void decoder_logits(struct decoder *d, int64_t first, int64_t n);

#define DECODER_HEAD (8 * LOGP_BLOCK) /* outputs of the head that are laid out at a time */

/* The log-probs of d->head's rows. */
void decoder_look(struct decoder *d, const struct pack *p, struct logp_row *rows);

/* d->dhead, and the gradients of the head's own parameters. */
void decoder_look_back(struct decoder *d, const struct pack *p, const struct logp_row *rows, const float *dlogp, float *grads);

/* Bytes of d->columns that it needs. */
int64_t decoder_look_columns(const struct decoder *d, int64_t counted);

#endif
