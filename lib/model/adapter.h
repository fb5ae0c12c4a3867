/*
 * Low-rank adapters: a matrix W [out, in] that stays as it is, with a change B A of rank r that is trained (Hu et
 * al., "LoRA", arXiv 2106.09685)
 *
 *	y = W x + scale B A drop(x)          A [r, in], B [out, r]; scale = alpha / r, or alpha / sqrt(r)
 *
 * the latter for rank stabilisation (Kalajdzievski, "rsLoRA", arXiv 2312.03732). With magnitudes (Liu et al.,
 * "DoRA", arXiv 2402.09353), row i of W + scale B A is divided by its norm, which is taken for a constant in the
 * backward pass, and multiplied by magnitude i. At the start B is 0, A uniform within 1 / sqrt(in), and magnitudes
 * are the norms of W's rows, so that nothing is changed.
 *
 *	struct adapter_options o = ADAPTER_DEFAULTS;
 *
 *	adapter_new(&model, &o, seed, err);               model.adapter, which the decoder goes by
 *	adapter_save(&model, "adapter", "base", "base", err);
 *	...
 *	adapter_load(&model, "adapter", err);
 *
 * Adapters belong to tensors: where one tensor has two roles (Phi-3's gate_up_proj), they share A.
 */
#ifndef MODEL_ADAPTER_H
#define MODEL_ADAPTER_H

#include "base/err.h"
#include "model/model.h"

struct adapter_options {
	int64_t rank;
	double alpha;
	double dropout; /* share of the inputs of A that is left out while training */
	bool rslora, dora;
	const char *targets; /* names of modules, separated by commas; NULL: all matrices of layers */
};

#define ADAPTER_DEFAULTS                                                                                               \
	{                                                                                                              \
		.rank = 8, .alpha = 8                                                                                  \
	}

/* A matrix's adapter: where its parameters begin in the adapter's weights. */
struct adapter_mat {
	int64_t rank; /* 0: the matrix has none */
	float scale;
	size_t a, b, magnitude; /* the last, and what follows, only with DoRA */
	double *squares;	/* [out] squared norms of W's rows */
	float *norms;		/* [2, out] norms of W + scale B A's, and magnitudes divided by them */
	bool moved;		/* by DoRA: it is no longer W */
};

struct adapter {
	struct adapter_options o; /* targets: its own */
	char *targets;
	struct params params; /* named as PEFT does; without places by role */
	float *weights;	      /* [params.count] */
	struct adapter_mat *mat; /* [n], the model's params.n */
	size_t n;
	float *scratch; /* of adapter_refresh() */
};

/*
 * Gives a model an adapter at its start; it must have none. ERR_MISMATCH names a target that no matrix of the
 * model's layers has, and those that there are.
 */
int adapter_new(struct model *m, const struct adapter_options *o, uint64_t seed, struct err *err);
void adapter_free(struct adapter *a); /* NULL is fine */

/* What a role of a layer gets from the model's adapter; false: nothing. */
struct adapter_part {
	struct mat a, b;
	float scale;
	size_t grad_a, grad_b, grad_magnitude; /* where their gradients begin, laid out as the weights */
	const float *norms, *gains;	       /* DoRA: [b.out]; otherwise NULL */
	bool moved;			       /* DoRA: see struct adapter_mat */
	uint32_t number;		       /* of the tensor */
};

bool adapter_of(const struct model *m, enum role role, int layer, struct adapter_part *part);

/* With DoRA: computes norms and gains, for the weights as they are now, and whether these change anything. */
void adapter_refresh(const struct model *m, const struct ops *ops);

/* The largest rank. */
int64_t adapter_rank(const struct adapter *a);

/* Adds the changes to m->weights (MODEL_TRAIN), and frees the adapter. */
int adapter_merge(struct model *m, struct err *err);

/* ---- on disk: as PEFT writes it (huggingface/peft, 0.15: LoraConfig, save_pretrained) */

/*
 * Writes a folder of adapter_config.json and adapter_model.safetensors, and what the folder settings has beside a
 * model. base: what the config calls the base model. The path is old or new, never half.
 */
int adapter_save(const struct model *m, const char *path, const char *base, const char *settings, struct err *err);

/* Is there an adapter in the folder? */
bool adapter_is_folder(const char *path);

/*
 * Gives a model the adapter of a folder. ERR_MISMATCH names what is not supported, or does not fit the model.
 * digest: of config and tensors, 64 hexadecimal digits.
 */
int adapter_load(struct model *m, const char *path, char digest[65], struct err *err);

/* The text of adapter_config.json, appended; and an adapter at its start by such a text. */
int adapter_describe(const struct model *m, const char *base, struct buf *out, struct err *err);
int adapter_from_text(struct model *m, const char *text, struct err *err);

#endif
