#include "model/family.h"

#include <math.h>
#include <string.h>

/* pad_token_id, counted from the end where it is negative, as torch does; null: none. */
static int read_padding(struct arch *a, const struct json *c, int64_t missing, struct err *err)
{
	enum json_kind kind = json_kind(json_get(c, "pad_token_id"));

	if (kind == JSON_NULL)
		return 0;
	if (config_int(c, "pad_token_id", INT32_MIN, missing, &a->padding, err))
		return -1;
	if (kind != JSON_NONE && a->padding < 0)
		a->padding += a->vocab;
	if (a->padding < 0 || a->padding >= a->vocab)
		a->padding = -1;
	return 0;
}

int family_describe(struct arch *a, const struct json *c, const struct family_defaults *d, struct err *err)
{
	int64_t even;
	double eps;

	if (config_size(c, "vocab_size", d->vocab, &a->vocab, err) ||
		config_size(c, "hidden_size", d->hidden, &a->hidden, err) ||
		config_size(c, "intermediate_size", d->inner, &a->inner, err) ||
		config_size(c, "num_hidden_layers", d->layers, &a->layers, err) ||
		config_size(c, "num_attention_heads", d->heads, &a->heads, err) ||
		config_size(c, "max_position_embeddings", d->positions, &a->positions, err))
		return -1;
	even = a->hidden / a->heads;
	if (config_size_or_null(c, "num_key_value_heads", d->kv_heads ? d->kv_heads : a->heads, a->heads,
		    &a->kv_heads, err) ||
		config_size_or_null(c, "head_dim", d->head_dim ? d->head_dim : even, even, &a->head_dim, err) ||
		config_real(c, "rms_norm_eps", d->eps, &eps, err) ||
		config_bool(c, "tie_word_embeddings", d->tied, &a->tied, err) ||
		config_real(c, "initializer_range", 0.02, &a->init_std, err) ||
		read_padding(a, c, d->padding, err))
		return -1;
	if (a->head_dim < 1)
		return err_set(err, ERR_CORRUPT, "'hidden_size' %lld is less than 'num_attention_heads' %lld",
			(long long)a->hidden, (long long)a->heads);
	a->norm = NORM_RMS;
	a->eps = (float)eps;
	return arch_make_layers(a, err);
}

int family_biases(struct arch *a, const struct json *config, struct err *err)
{
	if (config_bool(config, "attention_bias", false, &a->qkv_bias, err))
		return -1;
	a->out_bias = a->qkv_bias;
	return 0;
}

int family_describe_gemma(struct arch *a, const struct json *config, const struct family_defaults *d,
	struct err *err)
{
	if (family_describe(a, config, d, err) ||
		config_act(config, "hidden_activation", "gelu_pytorch_tanh", &a->act, err) ||
		family_biases(a, config, err))
		return -1;
	a->gain_plus = 1;
	a->embed_scale = sqrtf((float)a->hidden);
	return 0;
}

int family_rotate(struct arch *a, const struct json *config, const struct rope_keys *keys, struct err *err)
{
	a->rotations = 1;
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l].rotation = 0;
	return rope_describe(&a->rotation[0], config, keys, a->head_dim, a->positions, err);
}

/* missing, 0: none. */
static int read_window(const struct json *config, int64_t missing, int64_t *window, struct err *err)
{
	bool none = json_kind(json_get(config, "sliding_window")) == JSON_NULL;

	return config_int(config, "sliding_window", 1, none ? 0 : missing, window, err);
}

static int read_types(struct arch *a, const struct json *types, struct err *err)
{
	const struct json *v = json_first(types);

	for (int64_t l = 0; l < a->layers; l++, v = json_next(v)) {
		const char *type = json_text(v);

		if (!v)
			return err_set(err, ERR_CORRUPT, "'layer_types' has %lld for %lld layers", (long long)l,
				(long long)a->layers);
		a->layer[l].sliding = type && !strcmp(type, "sliding_attention");
		if (!type || (!a->layer[l].sliding && strcmp(type, "full_attention")))
			return err_set(err, ERR_MISMATCH, "'layer_types' has '%s', which is not supported",
				type ? type : "no text");
	}
	return 0;
}

int family_slide(struct arch *a, const struct json *config, int64_t missing, struct err *err)
{
	int64_t window;

	if (read_window(config, missing, &window, err) ||
		(config_asks(config, "layer_types") && read_types(a, json_get(config, "layer_types"), err)))
		return -1;
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l].window = a->layer[l].sliding ? window : 0;
	return 0;
}

int family_slide_all(struct arch *a, const struct json *config, int64_t missing, struct err *err)
{
	int64_t window;

	if (read_window(config, missing, &window, err))
		return -1;
	for (int64_t l = 0; l < a->layers; l++) {
		a->layer[l].sliding = true;
		a->layer[l].window = window;
	}
	return 0;
}

int family_slide_upper(struct arch *a, const struct json *config, struct err *err)
{
	int64_t from;
	bool use;

	if (config_bool(config, "use_sliding_window", false, &use, err) ||
		config_int(config, "max_window_layers", 0, 28, &from, err))
		return -1;
	for (int64_t l = from; l < a->layers; l++)
		a->layer[l].sliding = true;
	return use ? family_slide(a, config, 4096, err) : 0;
}

int family_scale(struct arch *a, const struct json *config, struct err *err)
{
	double scalar;

	if (config_real(config, "query_pre_attn_scalar", 256, &scalar, err))
		return -1;
	if (!(scalar > 0))
		return err_set(err, ERR_CORRUPT, "'query_pre_attn_scalar' is %g", scalar);
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l].scale = (float)(1 / sqrt(scalar));
	return 0;
}
