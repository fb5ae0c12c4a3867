/* What configs of several families share. For the family_*.c files alone. */
#ifndef MODEL_FAMILY_H
#define MODEL_FAMILY_H

#include "model/arch.h"
#include "model/config.h"

/* Llama's, which many share. */
extern const struct family_name family_llama_names[];
extern const char *const family_llama_ignored[];

/* What transformers' class has where config.json has no such key. */
struct family_defaults {
	int64_t vocab, hidden, inner, layers, heads;
	int64_t kv_heads;  /* 0: as many as heads */
	int64_t head_dim;  /* 0: hidden / heads */
	int64_t positions; /* max_position_embeddings */
	int64_t padding;   /* pad_token_id; -1: none */
	double eps;
	bool tied;
};

/*
 * The keys that Llama has and what came after it: sizes, RMS norms, tying, initialisation. Makes a->layer.
 * Null for num_key_value_heads is as many as heads, for head_dim hidden / heads, whatever the defaults.
 */
int family_describe(struct arch *a, const struct json *config, const struct family_defaults *d, struct err *err);

/* attention_bias: biases on queries, keys, values and attention's output. */
int family_biases(struct arch *a, const struct json *config, struct err *err);

/* family_describe() and what the first Gemma and those after it have in common. */
int family_describe_gemma(struct arch *a, const struct json *config, const struct family_defaults *d,
	struct err *err);

/* The rotation of all layers, of a->head_dim features by `keys`. */
int family_rotate(struct arch *a, const struct json *config, const struct rope_keys *keys, struct err *err);

/* query_pre_attn_scalar, whose inverse root scales the scores of all layers; 256 where it is missing. */
int family_scale(struct arch *a, const struct json *config, struct err *err);

/* sliding_window on all layers; null, or missing 0: none. */
int family_slide_all(struct arch *a, const struct json *config, int64_t missing, struct err *err);

/*
 * sliding_window on the layers that layer_types calls sliding_attention or, where it is missing, on those whose
 * `sliding` is set already.
 */
int family_slide(struct arch *a, const struct json *config, int64_t missing, struct err *err);

/* Only with use_sliding_window, and where layer_types is missing on layers from max_window_layers on. */
int family_slide_upper(struct arch *a, const struct json *config, struct err *err);

#endif
