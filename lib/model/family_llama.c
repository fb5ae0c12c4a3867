/* Llama 1, 2, 3.x and what copies its form (SmolLM2, TinyLlama): rotary, RMS norms, gated MLP. */
#include <math.h>

#include "model/arch.h"
#include "model/rope.h"

static const struct family_name names[] = {
	{ROLE_EMBED, "model.embed_tokens"},
	{ROLE_NORM1, "model.layers.%d.input_layernorm"},
	{ROLE_Q, "model.layers.%d.self_attn.q_proj"},
	{ROLE_K, "model.layers.%d.self_attn.k_proj"},
	{ROLE_V, "model.layers.%d.self_attn.v_proj"},
	{ROLE_OUT, "model.layers.%d.self_attn.o_proj"},
	{ROLE_NORM2, "model.layers.%d.post_attention_layernorm"},
	{ROLE_GATE, "model.layers.%d.mlp.gate_proj"},
	{ROLE_UP, "model.layers.%d.mlp.up_proj"},
	{ROLE_DOWN, "model.layers.%d.mlp.down_proj"},
	{ROLE_NORM, "model.norm"},
	{ROLE_HEAD, "lm_head"},
	{0, NULL},
};

static const char *const ignored[] = {".rotary_emb.inv_freq", NULL};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	bool bias;
	double eps;

	if (config_size(c, "vocab_size", 32000, &a->vocab, err) ||
		config_size(c, "hidden_size", 4096, &a->hidden, err) ||
		config_size(c, "intermediate_size", 11008, &a->inner, err) ||
		config_size(c, "num_hidden_layers", 32, &a->layers, err) ||
		config_size(c, "num_attention_heads", 32, &a->heads, err) ||
		config_size(c, "num_key_value_heads", a->heads, &a->kv_heads, err) ||
		config_size(c, "head_dim", a->hidden / a->heads, &a->head_dim, err) ||
		config_size(c, "max_position_embeddings", 2048, &a->positions, err) ||
		config_act(c, "hidden_act", "silu", &a->act, err) ||
		config_real(c, "rms_norm_eps", 1e-6, &eps, err) ||
		config_bool(c, "tie_word_embeddings", false, &a->tied, err) ||
		config_bool(c, "attention_bias", false, &bias, err) ||
		config_bool(c, "mlp_bias", false, &a->mlp_bias, err) ||
		config_real(c, "initializer_range", 0.02, &a->init_std, err))
		return -1;
	a->norm = NORM_RMS;
	a->eps = (float)eps;
	a->gated = true;
	a->qkv_bias = a->out_bias = bias;
	a->attention_scale = 1 / sqrtf((float)a->head_dim);
	return rope_describe(a, c, a->head_dim, err);
}

const struct family family_llama = {"llama", names, NULL, ignored, describe};
