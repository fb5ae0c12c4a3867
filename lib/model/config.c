#include "model/config.h"

#include <math.h>
#include <string.h>

static bool missing(const struct json *v)
{
	return json_kind(v) == JSON_NONE || json_kind(v) == JSON_NULL;
}

static int read_int(const struct json *v, const char *key, int64_t least, int64_t *out, struct err *err)
{
	if (json_int(v, out) && *out >= least && *out <= INT32_MAX)
		return 0;
	return err_set(err, ERR_CORRUPT, "'%s' is %s", key, missing(v) ? "missing" : "not a size");
}

int config_size(const struct json *config, const char *key, int64_t fallback, int64_t *out, struct err *err)
{
	const struct json *v = json_get(config, key);

	*out = fallback;
	return missing(v) && fallback ? 0 : read_int(v, key, 1, out, err);
}

int config_size_or_null(const struct json *config, const char *key, int64_t fallback, int64_t null, int64_t *out,
	struct err *err)
{
	if (json_kind(json_get(config, key)) != JSON_NULL)
		return config_size(config, key, fallback, out, err);
	*out = null;
	return 0;
}

int config_int(const struct json *config, const char *key, int64_t least, int64_t fallback, int64_t *out,
	struct err *err)
{
	const struct json *v = json_get(config, key);

	*out = fallback;
	return missing(v) ? 0 : read_int(v, key, least, out, err);
}

int config_real(const struct json *config, const char *key, double fallback, double *out, struct err *err)
{
	const struct json *v = json_get(config, key);

	*out = fallback;
	if (missing(v))
		return isnan(fallback) ? err_set(err, ERR_CORRUPT, "'%s' is missing", key) : 0;
	return json_number(v, out) ? 0 : err_set(err, ERR_CORRUPT, "'%s' is not a number", key);
}

int config_real_or_null(const struct json *config, const char *key, double fallback, double null, double *out,
	struct err *err)
{
	if (json_kind(json_get(config, key)) != JSON_NULL)
		return config_real(config, key, fallback, out, err);
	*out = null;
	return 0;
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

bool config_asks(const struct json *config, const char *key)
{
	const struct json *v = json_get(config, key);
	double x;
	bool yes;

	if (json_number(v, &x))
		return x != 0;
	if (json_bool(v, &yes))
		return yes;
	return json_kind(v) == JSON_STRING || json_count(v) > 0;
}
