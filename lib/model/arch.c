#include "model/arch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/config.h"

static const struct family *const families[] = {&family_gpt2, &family_gptj, &family_gpt_neox, &family_llama,
	&family_mistral, &family_qwen2, &family_qwen3, &family_gemma, &family_gemma2, &family_gemma3_text,
	&family_phi3, &family_olmo2, &family_smollm3};

void arch_release(struct arch *a)
{
	for (int i = 0; i < a->rotations; i++)
		rope_release(&a->rotation[i]);
	free(a->layer);
	a->layer = NULL;
	a->rotations = 0;
}

int arch_make_layers(struct arch *a, struct err *err)
{
	if (a->heads % a->kv_heads)
		return err_set(err, ERR_CORRUPT, "%lld heads are not a multiple of %lld key-value heads",
			(long long)a->heads, (long long)a->kv_heads);
	if (a->layers > 100000 || a->heads > 1 << 20 || a->head_dim > 1 << 20 || a->hidden > 1 << 24 ||
		a->inner > 1 << 26 || a->heads * a->head_dim > 1 << 26)
		return err_set(err, ERR_LIMIT, "%lld layers of %lld features with %lld heads of %lld are too many",
			(long long)a->layers, (long long)a->hidden, (long long)a->heads, (long long)a->head_dim);
	a->layer = mem_new((size_t)a->layers, sizeof *a->layer, err);
	if (!a->layer)
		return -1;
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l] = (struct arch_layer){.rotation = -1, .scale = 1 / sqrtf((float)a->head_dim)};
	return 0;
}

/* What else a config may ask for, whatever its family, and nothing here does. */
static int refuse(const struct json *config, struct err *err)
{
	static const char *const keys[] = {"quantization_config", "vision_config", "audio_config", "num_local_experts",
		"num_experts", "n_routed_experts", "use_bidirectional_attention", "add_cross_attention",
		"is_encoder_decoder", "pruned_heads"};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (config_asks(config, keys[i]))
			return err_set(err, ERR_MISMATCH, "'%s' is not supported", keys[i]);
	return 0;
}

static int unknown(const char *type, struct err *err)
{
	char known[400] = "";

	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		strcat(strcat(known, i ? ", " : ""), families[i]->model_type);
	return err_set(err, ERR_MISMATCH, "config.json: model_type '%s' is not supported; these are: %s",
		type ? type : "(missing)", known);
}

int arch_describe(struct arch *a, const struct json *config, struct err *err)
{
	const char *type = json_text(json_get(config, "model_type"));

	*a = (struct arch){.embed_scale = 1, .init_std = 0.02, .padding = -1};
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		if (type && !strcmp(families[i]->model_type, type)) {
			a->family = families[i];
			if (refuse(config, err) || families[i]->describe(a, config, err))
				return err_at(err, "config.json (%s)", type);
			return 0;
		}
	return unknown(type, err);
}

static const char *find_name(const struct family_name *n, enum role role)
{
	for (; n && n->name; n++)
		if (n->role == role)
			return n->name;
	return NULL;
}

const char *arch_tensor(const struct arch *a, enum role role)
{
	const char *name = find_name(a->family->more, role);

	return name ? name : find_name(a->family->names, role);
}

bool arch_gated(const struct arch *a)
{
	return arch_tensor(a, ROLE_GATE) || arch_tensor(a, ROLE_GATE_UP);
}

enum role role_home(const struct arch *a, enum role role, int64_t *row)
{
	bool part = (role == ROLE_GATE || role == ROLE_UP) && arch_tensor(a, ROLE_GATE_UP);

	*row = part && role == ROLE_UP ? a->inner : 0;
	return part ? ROLE_GATE_UP : role;
}

bool role_in_layer(enum role role)
{
	return role >= ROLE_NORM1 && role <= ROLE_POST2;
}

void role_shape(const struct arch *a, enum role role, int64_t *out, int64_t *in)
{
	int64_t q = a->heads * a->head_dim, kv = a->kv_heads * a->head_dim;
	const int64_t shapes[ROLE_COUNT][2] = {
		[ROLE_EMBED] = {a->vocab, a->hidden},
		[ROLE_PLACES] = {a->positions, a->hidden},
		[ROLE_NORM1] = {a->hidden, 0},
		[ROLE_Q] = {q, a->hidden},
		[ROLE_K] = {kv, a->hidden},
		[ROLE_V] = {kv, a->hidden},
		[ROLE_QKV] = {q + 2 * kv, a->hidden},
		[ROLE_QNORM] = {a->norm_by_head ? a->head_dim : q, 0},
		[ROLE_KNORM] = {a->norm_by_head ? a->head_dim : kv, 0},
		[ROLE_OUT] = {a->hidden, q},
		[ROLE_POST1] = {a->hidden, 0},
		[ROLE_NORM2] = {a->hidden, 0},
		[ROLE_GATE] = {a->inner, a->hidden},
		[ROLE_UP] = {a->inner, a->hidden},
		[ROLE_GATE_UP] = {2 * a->inner, a->hidden},
		[ROLE_DOWN] = {a->hidden, a->inner},
		[ROLE_POST2] = {a->hidden, 0},
		[ROLE_NORM] = {a->hidden, 0},
		[ROLE_HEAD] = {a->vocab, a->hidden},
	};

	*out = shapes[role][0];
	*in = shapes[role][1];
}

bool role_has_weight(const struct arch *a, enum role role)
{
	return arch_tensor(a, role) && !(role == ROLE_HEAD && a->tied);
}

static bool wants_bias(const struct arch *a, enum role role)
{
	switch (role) {
	case ROLE_Q:
	case ROLE_K:
	case ROLE_V:
	case ROLE_QKV:
		return a->qkv_bias;
	case ROLE_OUT:
		return a->out_bias;
	case ROLE_GATE:
	case ROLE_UP:
	case ROLE_GATE_UP:
	case ROLE_DOWN:
		return a->mlp_bias;
	case ROLE_HEAD:
		return a->head_bias;
	case ROLE_EMBED:
	case ROLE_PLACES:
		return false;
	default:
		return a->norm_bias;
	}
}

bool role_has_bias(const struct arch *a, enum role role)
{
	return arch_tensor(a, role) && wants_bias(a, role);
}
