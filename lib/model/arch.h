/*
 * A decoder described by data. A family (one file each) reads its config.json into this, and names its
 * tensors; everything else follows from here: shapes, initial weights, forward and backward pass.
 *
 * Each layer is
 *
 *	mid = x + post1(out(attention(norm1(x))))
 *	y = mid + post2(down(act(gate(norm2(mid))) * up(norm2(mid))))
 *
 * where the norms are those that the family names; without a gate the MLP is down(act(up(...))); and where
 * both halves are parallel, norm2 reads x instead of mid, and without a norm2 the MLP shares norm1.
 */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/json.h"
#include "model/rope.h"
#include "num/ops.h"

/* What a tensor is for; those from ROLE_NORM1 to ROLE_POST2 exist once a layer. */
enum role {
	ROLE_EMBED,  /* [vocab, hidden] token embeddings */
	ROLE_PLACES, /* [positions, hidden] learned positions, added to the embeddings */
	ROLE_NORM1,  /* before attention */
	ROLE_Q,
	ROLE_K,
	ROLE_V,
	ROLE_QKV,    /* the three in one */
	ROLE_QNORM,  /* of queries and of keys, before they turn */
	ROLE_KNORM,
	ROLE_OUT,    /* attention's output */
	ROLE_POST1,  /* norm of attention's output */
	ROLE_NORM2,  /* before the MLP */
	ROLE_GATE,
	ROLE_UP,
	ROLE_GATE_UP, /* the two in one, the gate's rows first */
	ROLE_DOWN,
	ROLE_POST2,  /* norm of the MLP's output */
	ROLE_NORM,   /* the last */
	ROLE_HEAD,   /* [vocab, hidden], unless tied to the embeddings */
	ROLE_COUNT
};

struct arch_layer {
	bool sliding;   /* of the kind that layer_types calls sliding_attention */
	int64_t window; /* a token sees the last so many, itself among them; 0: all */
	int rotation;   /* which of the arch's rotations; -1: none */
	float scale;    /* of queries times keys */
};

struct arch {
	const struct family *family;
	int64_t vocab, hidden, layers, heads, kv_heads, head_dim, inner;
	int64_t positions; /* the longest sequence that it is made for */
	struct arch_layer *layer; /* [layers] the arch's own */
	struct rotation rotation[2];
	int rotations;
	enum norm_kind norm;
	float eps;
	float gain_plus;    /* 1 where gains are kept as what they differ from 1 */
	enum act_kind act;
	bool parallel;      /* attention and MLP read the same and are added at once */
	bool qkv_by_head;   /* ROLE_QKV's rows are each head's query, key and value, not all queries first */
	bool norm_by_head;  /* ROLE_QNORM and ROLE_KNORM are over each head, not over all at once */
	bool tied;          /* the head is the embeddings */
	bool in_first;      /* matrices of layers are stored [in, out] */
	bool qkv_bias, out_bias, mlp_bias, norm_bias, head_bias;
	float embed_scale;
	float attention_cap, logit_cap; /* soft caps, x = cap tanh(x / cap); 0: none */
	double init_std;    /* of random weights */
	bool init_residual; /* residual projections start smaller by sqrt(2 layers), as GPT-2 */
	int64_t padding;    /* the token whose random embedding is zero; -1: none */
};

struct family_name {
	enum role role;
	const char *name; /* of the tensors, without ".weight" or ".bias"; "%d" stands for the layer */
};

struct family {
	const char *model_type;
	const struct family_name *names; /* of all roles that it has; ended by NULL */
	const struct family_name *more;  /* roles besides those, or with other names; ended by NULL; or NULL */
	const char *optional_prefix;     /* that some checkpoints leave out of the names; or NULL */
	const char *const *ignored;      /* ends of names of buffers that are no parameters; NULL-terminated */
	int (*describe)(struct arch *a, const struct json *config, struct err *err);
};

extern const struct family family_gpt2, family_gptj, family_gpt_neox, family_llama, family_mistral, family_qwen2,
	family_qwen3, family_gemma, family_gemma2, family_gemma3_text, family_phi3, family_olmo2, family_smollm3;

/*
 * Reads config.json's object. ERR_MISMATCH for a family or setting that is not supported, ERR_CORRUPT for
 * values without meaning; both name the key. Release a in any case.
 */
int arch_describe(struct arch *a, const struct json *config, struct err *err);
void arch_release(struct arch *a);

/* For families: checks the sizes, which must be set, and makes a->layer, all alike. */
int arch_make_layers(struct arch *a, struct err *err);

bool arch_gated(const struct arch *a);

/* The role's name of tensors, without ending; NULL where the family has no such tensor. */
const char *arch_tensor(const struct arch *a, enum role role);

/* The tensor that has a role's matrix as its rows from *row on: the role itself, but for ROLE_GATE_UP's parts. */
enum role role_home(const struct arch *a, enum role role, int64_t *row);

bool role_in_layer(enum role role);

/* The matrix of a role is [out, in]; a norm has in = 0 and a gain of out. */
void role_shape(const struct arch *a, enum role role, int64_t *out, int64_t *in);
bool role_has_weight(const struct arch *a, enum role role);
bool role_has_bias(const struct arch *a, enum role role);

#endif
