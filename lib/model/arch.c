#include "model/arch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct family *const families[] = {&family_gpt2, &family_llama};

void arch_release(struct arch *a)
{
	free(a->frequencies);
	a->frequencies = NULL;
}

static int check(const struct arch *a, struct err *err)
{
	if (a->heads % a->kv_heads)
		return err_set(err, ERR_CORRUPT, "%lld heads are not a multiple of %lld key-value heads",
			(long long)a->heads, (long long)a->kv_heads);
	if (a->rotary % 2 || a->rotary > a->head_dim)
		return err_set(err, ERR_CORRUPT, "rotation of %lld of %lld features of a head", (long long)a->rotary,
			(long long)a->head_dim);
	if (a->layers > 100000 || a->heads > 1 << 20 || a->head_dim > 1 << 20 || a->hidden > 1 << 24 ||
		a->inner > 1 << 26 || a->heads * a->head_dim > 1 << 26)
		return err_set(err, ERR_LIMIT, "%lld layers of %lld features with %lld heads of %lld are too many",
			(long long)a->layers, (long long)a->hidden, (long long)a->heads, (long long)a->head_dim);
	return 0;
}

int arch_describe(struct arch *a, const struct json *config, struct err *err)
{
	const char *type = json_text(json_get(config, "model_type"));
	char known[400] = "";

	*a = (struct arch){.turn_scale = 1, .init_std = 0.02};
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		if (type && !strcmp(families[i]->model_type, type)) {
			a->family = families[i];
			if (families[i]->describe(a, config, err) || check(a, err))
				return err_at(err, "config.json (%s)", type);
			return 0;
		}
		strcat(strcat(known, i ? ", " : ""), families[i]->model_type);
	}
	return err_set(err, ERR_MISMATCH, "config.json: model_type '%s' is not supported; these are: %s",
		type ? type : "(missing)", known);
}

bool role_in_layer(enum role role)
{
	return role >= ROLE_NORM1 && role <= ROLE_DOWN;
}

void role_shape(const struct arch *a, enum role role, int64_t *out, int64_t *in)
{
	int64_t q = a->heads * a->head_dim, kv = a->kv_heads * a->head_dim;
	const struct {
		bool there;
		int64_t out, in;
	} shapes[ROLE_COUNT] = {
		[ROLE_EMBED] = {true, a->vocab, a->hidden},
		[ROLE_PLACES] = {a->places, a->positions, a->hidden},
		[ROLE_NORM1] = {true, a->hidden, 0},
		[ROLE_Q] = {!a->fused_qkv, q, a->hidden},
		[ROLE_K] = {!a->fused_qkv, kv, a->hidden},
		[ROLE_V] = {!a->fused_qkv, kv, a->hidden},
		[ROLE_QKV] = {a->fused_qkv, q + 2 * kv, a->hidden},
		[ROLE_OUT] = {true, a->hidden, q},
		[ROLE_NORM2] = {true, a->hidden, 0},
		[ROLE_GATE] = {a->gated, a->inner, a->hidden},
		[ROLE_UP] = {true, a->inner, a->hidden},
		[ROLE_DOWN] = {true, a->hidden, a->inner},
		[ROLE_NORM] = {true, a->hidden, 0},
		[ROLE_HEAD] = {!a->tied, a->vocab, a->hidden},
	};

	*out = shapes[role].there ? shapes[role].out : 0;
	*in = shapes[role].in;
}

bool role_has_bias(const struct arch *a, enum role role)
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
	case ROLE_DOWN:
		return a->mlp_bias;
	case ROLE_NORM1:
	case ROLE_NORM2:
	case ROLE_NORM:
		return a->norm_bias;
	default:
		return false;
	}
}

static bool missing(const struct json *v)
{
	return json_kind(v) == JSON_NONE || json_kind(v) == JSON_NULL;
}

int config_size(const struct json *config, const char *key, int64_t fallback, int64_t *out, struct err *err)
{
	const struct json *v = json_get(config, key);

	*out = fallback;
	if (missing(v) && fallback)
		return 0;
	if (!json_int(v, out) || *out < 1 || *out > INT32_MAX)
		return err_set(err, ERR_CORRUPT, "'%s' is %s", key, missing(v) ? "missing" : "not a size");
	return 0;
}

int config_real(const struct json *config, const char *key, double fallback, double *out, struct err *err)
{
	const struct json *v = json_get(config, key);

	*out = fallback;
	if (missing(v))
		return isnan(fallback) ? err_set(err, ERR_CORRUPT, "'%s' is missing", key) : 0;
	return json_number(v, out) ? 0 : err_set(err, ERR_CORRUPT, "'%s' is not a number", key);
}

int config_bool(const struct json *config, const char *key, bool fallback, bool *out, struct err *err)
{
	const struct json *v = json_get(config, key);

	*out = fallback;
	if (missing(v) || json_bool(v, out))
		return 0;
	return err_set(err, ERR_CORRUPT, "'%s' is neither true nor false", key);
}

int config_act(const struct json *config, const char *key, const char *fallback, enum act_kind *out,
	struct err *err)
{
	static const struct {
		const char *name;
		enum act_kind kind;
	} acts[] = {{"gelu", ACT_GELU}, {"gelu_new", ACT_GELU_TANH}, {"gelu_pytorch_tanh", ACT_GELU_TANH},
		{"gelu_fast", ACT_GELU_TANH}, {"silu", ACT_SILU}, {"swish", ACT_SILU}, {"relu", ACT_RELU}};
	const struct json *v = json_get(config, key);
	const char *name = missing(v) ? fallback : json_text(v);

	for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
		if (name && !strcmp(name, acts[i].name)) {
			*out = acts[i].kind;
			return 0;
		}
	return err_set(err, ERR_MISMATCH, "'%s' is '%s', which is not supported", key, name ? name : "no text");
}
