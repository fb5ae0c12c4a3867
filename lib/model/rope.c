#include "model/rope.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/config.h"

/* Where a setting is looked for: here first, then there; then, for some, in the config itself. */
struct settings {
	const struct json *config, *here, *there;
	double positions, original;
};

static const struct json *lookup(const struct settings *s, const char *key)
{
	const struct json *v = json_get(s->here, key);

	return json_kind(v) == JSON_NONE ? json_get(s->there, key) : v;
}

static int real(const struct settings *s, const char *key, double missing, double *out, struct err *err)
{
	const struct json *at = json_kind(json_get(s->here, key)) == JSON_NONE ? s->there : s->here;

	return config_real(at, key, missing, out, err);
}

static struct settings find_settings(const struct json *config, const struct rope_keys *keys)
{
	struct settings s = {.config = config, .here = json_get(config, "rope_scaling")};

	if (keys->unscaled || json_count(s.here) == 0)
		s.here = NULL;
	s.there = json_get(config, "rope_parameters");
	if (keys->layer_type)
		s.there = json_get(s.there, keys->layer_type);
	else if (s.here)
		s.there = NULL;
	return s;
}

static const char *scaling(const struct settings *s, const struct rope_keys *keys)
{
	const char *kind = json_text(lookup(s, "rope_type"));

	if (!kind)
		kind = json_text(lookup(s, "type"));
	if (!kind)
		kind = "default";
	if (keys->longrope_names && (!strcmp(kind, "su") || !strcmp(kind, "yarn")))
		kind = "longrope";
	return kind;
}

static int set_dim(struct rotation *r, double dim, int64_t head_dim, struct err *err)
{
	if (!(dim >= 0 && dim < 0x1p31))
		return err_set(err, ERR_CORRUPT, "rotation of %g features of a head", dim);
	r->dim = (int64_t)dim;
	if (r->dim % 2 || r->dim > head_dim)
		return err_set(err, ERR_CORRUPT, "rotation of %lld of %lld features of a head", (long long)r->dim,
			(long long)head_dim);
	return 0;
}

int rope_plain(struct rotation *r, int64_t dim, int64_t head_dim, double theta, struct err *err)
{
	*r = (struct rotation){.scale = 1, .theta = theta};
	if (set_dim(r, (double)dim, head_dim, err))
		return -1;
	if (!(theta > 0))
		return err_set(err, ERR_CORRUPT, "'rope_theta' is %g", theta);
	r->frequency = mem_new((size_t)dim / 2 + 1, sizeof *r->frequency, err);
	if (!r->frequency)
		return -1;
	for (int64_t i = 0; i < dim / 2; i++)
		r->frequency[i] = pow(theta, -2.0 * (double)i / (double)dim);
	return 0;
}

static int read_factor(const struct settings *s, double missing, double *factor, struct err *err)
{
	if (real(s, "factor", missing, factor, err))
		return -1;
	return *factor > 0 ? 0 : err_set(err, ERR_CORRUPT, "rope scaling by %g", *factor);
}

static int scale_linear(struct rotation *r, const struct settings *s, struct err *err)
{
	double factor;

	if (read_factor(s, NAN, &factor, err))
		return -1;
	for (int64_t i = 0; i < r->dim / 2; i++)
		r->frequency[i] /= factor;
	return 0;
}

static int scale_dynamic(struct rotation *r, const struct settings *s, struct err *err)
{
	if (read_factor(s, NAN, &r->growth, err))
		return -1;
	r->limit = s->positions;
	return r->dim > 2 ? 0 : err_set(err, ERR_CORRUPT, "dynamic scaling of %lld features", (long long)r->dim);
}

/* Frequencies with long waves are divided by factor, short ones kept, those between blended. */
static int scale_llama3(struct rotation *r, const struct settings *s, struct err *err)
{
	double factor, low, high;

	if (read_factor(s, NAN, &factor, err) || real(s, "low_freq_factor", NAN, &low, err) ||
		real(s, "high_freq_factor", NAN, &high, err))
		return -1;
	for (int64_t i = 0; i < r->dim / 2; i++) {
		double wave = 2 * M_PI / r->frequency[i], smooth = (s->original / wave - low) / (high - low);

		if (wave > s->original / low)
			r->frequency[i] /= factor;
		else if (wave >= s->original / high)
			r->frequency[i] *= (1 - smooth) / factor + smooth;
	}
	return 0;
}

static double yarn_magnitude(double factor, double k)
{
	return factor > 1 ? 0.1 * k * log(factor) + 1 : 1;
}

/* The feature that turns so many times over the original positions. */
static double yarn_feature(const struct rotation *r, const struct settings *s, double turns)
{
	return (double)r->dim * log(s->original / (turns * 2 * M_PI)) / (2 * log(r->theta));
}

/* Features that turn often are kept, those that turn seldom divided by factor, with a ramp between. */
static int scale_yarn(struct rotation *r, const struct settings *s, struct err *err)
{
	double factor, fast, slow, mscale, all, low, high;
	bool truncate;

	if (read_factor(s, s->positions / s->original, &factor, err) || real(s, "beta_fast", 32, &fast, err) ||
		real(s, "beta_slow", 1, &slow, err) || real(s, "mscale", 0, &mscale, err) ||
		real(s, "mscale_all_dim", 0, &all, err) ||
		config_bool(json_kind(json_get(s->here, "truncate")) == JSON_NONE ? s->there : s->here, "truncate", true,
			&truncate, err))
		return -1;
	low = yarn_feature(r, s, fast != 0 ? fast : 32);
	high = yarn_feature(r, s, slow != 0 ? slow : 1);
	if (truncate) {
		low = floor(low);
		high = ceil(high);
	}
	low = fmax(low, 0);
	high = fmin(high, (double)r->dim - 1);
	if (!(fabs(low) < 0x1p53 && fabs(high) < 0x1p53))
		return err_set(err, ERR_CORRUPT, "yarn's ramp is not finite");
	for (int64_t i = 0; i < r->dim / 2; i++) {
		double ramp = ((double)i - low) / (high != low ? high - low : 1e-3);

		ramp = fmin(fmax(ramp, 0), 1);
		r->frequency[i] *= ramp / factor + 1 - ramp;
	}
	r->scale = (float)(mscale != 0 && all != 0 ? yarn_magnitude(factor, mscale) / yarn_magnitude(factor, all)
						  : yarn_magnitude(factor, 1));
	return 0;
}

/* f[i] /= the list's ith number. */
static int divide(double *f, int64_t n, const struct settings *s, const char *key, struct err *err)
{
	const struct json *list = lookup(s, key), *v = json_first(list);
	double x;

	if (json_kind(list) != JSON_ARRAY || json_count(list) != (size_t)n)
		return err_set(err, ERR_CORRUPT, "'%s' is not a list of %lld numbers", key, (long long)n);
	for (int64_t i = 0; i < n; i++, v = json_next(v)) {
		if (!json_number(v, &x) || !(x > 0))
			return err_set(err, ERR_CORRUPT, "'%s' holds what is not a number above 0", key);
		f[i] /= x;
	}
	return 0;
}

static int scale_longrope(struct rotation *r, const struct settings *s, struct err *err)
{
	int64_t n = r->dim / 2;
	double factor;

	r->beyond = mem_new((size_t)n + 1, sizeof *r->beyond, err);
	if (!r->beyond || read_factor(s, s->positions / s->original, &factor, err))
		return -1;
	memcpy(r->beyond, r->frequency, sizeof *r->beyond * (size_t)n);
	r->limit = s->original;
	r->scale = factor > 1 ? (float)sqrt(1 + log(factor) / log(s->original)) : 1;
	return divide(r->frequency, n, s, "short_factor", err) || divide(r->beyond, n, s, "long_factor", err) ? -1 : 0;
}

static int scale(struct rotation *r, const struct settings *s, const char *kind, struct err *err)
{
	static const struct {
		const char *name;
		int (*apply)(struct rotation *r, const struct settings *s, struct err *err);
		bool magnified; /* attention_factor counts */
	} kinds[] = {{"linear", scale_linear, false}, {"dynamic", scale_dynamic, false}, {"llama3", scale_llama3, false},
		{"yarn", scale_yarn, true}, {"longrope", scale_longrope, true}};
	double magnitude;

	if (!strcmp(kind, "default"))
		return 0;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (!strcmp(kind, kinds[i].name)) {
			if (kinds[i].apply(r, s, err) || real(s, "attention_factor", r->scale, &magnitude, err))
				return err_at(err, "rope scaling");
			if (kinds[i].magnified)
				r->scale = (float)magnitude;
			return isfinite(r->scale) ? 0 : err_set(err, ERR_CORRUPT, "rope scaling: magnitude %g", r->scale);
		}
	return err_set(err, ERR_MISMATCH, "rope_type '%s' is not supported", kind);
}

int rope_describe(struct rotation *r, const struct json *config, const struct rope_keys *keys, int64_t head_dim,
	int64_t positions, struct err *err)
{
	struct settings s = find_settings(config, keys);
	double theta, part = 1;

	*r = (struct rotation){.scale = 1};
	s.positions = (double)positions;
	if (config_real(config, keys->theta_key ? keys->theta_key : "rope_theta", keys->theta, &theta, err) ||
		real(&s, "rope_theta", theta, &theta, err))
		return -1;
	if (config_real(config, keys->part_key ? keys->part_key : "partial_rotary_factor", keys->part_key ? keys->part : 1,
		    &part, err) ||
		real(&s, "partial_rotary_factor", part, &part, err))
		return -1;
	if (!keys->part_key && part != 1)
		return err_set(err, ERR_MISMATCH, "'partial_rotary_factor' %g is not supported", part);
	if (real(&s, "original_max_position_embeddings", s.positions, &s.original, err) ||
		config_real_or_null(config, "original_max_position_embeddings",
			keys->original > 0 ? keys->original : s.original, s.original, &s.original, err))
		return -1;
	if (!(s.original > 0))
		return err_set(err, ERR_CORRUPT, "'original_max_position_embeddings' is %g", s.original);
	if (set_dim(r, part * (double)head_dim, head_dim, err) || rope_plain(r, r->dim, head_dim, theta, err))
		return -1;
	return scale(r, &s, scaling(&s, keys), err);
}

void rope_release(struct rotation *r)
{
	free(r->frequency);
	free(r->beyond);
	r->frequency = r->beyond = NULL;
}

int64_t rope_class(const struct rotation *r, int64_t length)
{
	if ((double)length <= r->limit || (!r->beyond && r->growth == 0))
		return 0;
	return r->beyond ? 1 : length;
}

static double frequency(const struct rotation *r, int64_t i, int64_t length)
{
	double dim = (double)r->dim, grown;

	if (rope_class(r, length) == 0)
		return r->frequency[i];
	if (r->beyond)
		return r->beyond[i];
	grown = r->theta * pow(r->growth * (double)length / r->limit - (r->growth - 1), dim / (dim - 2));
	return pow(grown, -2.0 * (double)i / dim);
}

void rope_turn(const struct rotation *r, float *turn, const int32_t *pos, int64_t n, int64_t length)
{
	int64_t half = r->dim / 2;

#pragma omp parallel for
	for (int64_t p = 0; p < n; p++)
		for (int64_t i = 0; i < half; i++) {
			double angle = (double)pos[p] * frequency(r, i, length), sine, cosine;

			sincos(angle, &sine, &cosine);
			turn[2 * (p * half + i)] = (float)(cosine * r->scale);
			turn[2 * (p * half + i) + 1] = (float)(sine * r->scale);
		}
}
