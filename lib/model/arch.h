/*
 * A decoder described by data. A family (one file each) reads its config.json into this, and names its
 * tensors; everything else follows from here: shapes, initial weights, forward and backward pass.
 */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/json.h"
#include "num/ops.h"

/* What a tensor is for; those from ROLE_NORM1 to ROLE_DOWN exist once a layer. */
enum role {
	ROLE_EMBED,  /* [vocab, hidden] token embeddings */
	ROLE_PLACES, /* [positions, hidden] learned positions */
	ROLE_NORM1,  /* before attention */
	ROLE_Q,
	ROLE_K,
	ROLE_V,
	ROLE_QKV, /* the three in one */
	ROLE_OUT, /* attention's output */
	ROLE_NORM2, /* before the MLP */
	ROLE_GATE,
	ROLE_UP,
	ROLE_DOWN,
	ROLE_NORM, /* the last */
	ROLE_HEAD, /* [vocab, hidden], unless tied to the embeddings */
	ROLE_COUNT
};

struct arch {
	const struct family *family;
	int64_t vocab, hidden, layers, heads, kv_heads, head_dim, inner;
	int64_t positions; /* the longest sequence that it is made for */
	enum norm_kind norm;
	float eps;
	enum act_kind act;
	bool gated;     /* down(act(gate(x)) * up(x)) instead of down(act(up(x))) */
	bool places;    /* learned positions, added to the embeddings */
	bool tied;      /* the head is the embeddings */
	bool in_first;  /* matrices of layers are stored [in, out] */
	bool fused_qkv;
	bool qkv_bias, out_bias, mlp_bias, norm_bias;
	float attention_scale;
	int64_t rotary;       /* features of a head that turn, even; 0: none */
	double *frequencies;  /* [rotary / 2], radians a position; the arch's own */
	float turn_scale;     /* factor on cosine and sine */
	double init_std;      /* of random weights */
	bool init_residual;   /* residual projections start smaller by sqrt(2 layers), as GPT-2 */
};

struct family_name {
	enum role role;
	const char *name; /* of the tensors, without ".weight" or ".bias"; "%d" stands for the layer */
};

struct family {
	const char *model_type;
	const struct family_name *names; /* ended by NULL */
	const char *optional_prefix;     /* that some checkpoints leave out of the names; or NULL */
	const char *const *ignored;      /* ends of names of buffers that are no parameters; NULL-terminated */
	int (*describe)(struct arch *a, const struct json *config, struct err *err);
};

extern const struct family family_gpt2, family_llama;

/*
 * Reads config.json's object. ERR_MISMATCH for a family or setting that is not supported, ERR_CORRUPT for
 * values without meaning; both name the key. Release a in any case.
 */
int arch_describe(struct arch *a, const struct json *config, struct err *err);
void arch_release(struct arch *a);

bool role_in_layer(enum role role);

/* The matrix of a role is [out, in]; a norm has in = 0 and a gain of out. out = 0: not in this arch. */
void role_shape(const struct arch *a, enum role role, int64_t *out, int64_t *in);
bool role_has_bias(const struct arch *a, enum role role);

/* ---- for families: keys of the config; null counts as missing where a default is given */

/* Sizes from 1 to 2^31 - 1. fallback 0: the key must be there. */
int config_size(const struct json *config, const char *key, int64_t fallback, int64_t *out, struct err *err);
int config_real(const struct json *config, const char *key, double fallback, double *out, struct err *err);
int config_bool(const struct json *config, const char *key, bool fallback, bool *out, struct err *err);
int config_act(const struct json *config, const char *key, const char *fallback, enum act_kind *out,
	struct err *err);

#endif
