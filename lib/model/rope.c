#include "model/rope.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"

/* Frequencies with long waves are divided by factor, short ones kept, those between blended. */
static int scale_llama3(struct arch *a, const struct json *config, const struct json *s, double factor,
	struct err *err)
{
	double low, high, original, wave, smooth;

	if (config_real(s, "low_freq_factor", NAN, &low, err) || config_real(s, "high_freq_factor", NAN, &high, err) ||
		config_real(s, "original_max_position_embeddings", (double)a->positions, &original, err) ||
		config_real(config, "original_max_position_embeddings", original, &original, err))
		return err_at(err, "rope scaling");
	for (int64_t i = 0; i < a->rotary / 2; i++) {
		wave = 2 * M_PI / a->frequencies[i];
		smooth = (original / wave - low) / (high - low);
		if (wave > original / low)
			a->frequencies[i] /= factor;
		else if (wave >= original / high)
			a->frequencies[i] *= (1 - smooth) / factor + smooth;
	}
	return 0;
}

int rope_describe(struct arch *a, const struct json *config, int64_t dim, struct err *err)
{
	const struct json *s = json_get(config, "rope_scaling"), *parameters = json_get(config, "rope_parameters");
	const char *kind;
	double theta, factor = 1;

	if (json_count(s) == 0)
		s = parameters;
	if (config_real(config, "rope_theta", 10000, &theta, err) ||
		config_real(s, "rope_theta", theta, &theta, err))
		return -1;
	kind = json_text(json_get(s, "rope_type"));
	if (!kind)
		kind = json_text(json_get(s, "type"));
	if (!kind)
		kind = "default";
	a->rotary = dim;
	a->frequencies = mem_new((size_t)dim / 2 + 1, sizeof *a->frequencies, err);
	if (!a->frequencies)
		return -1;
	if (!(theta > 0))
		return err_set(err, ERR_CORRUPT, "'rope_theta' is %g", theta);
	for (int64_t i = 0; i < dim / 2; i++)
		a->frequencies[i] = pow(theta, -2.0 * (double)i / (double)dim);
	if (!strcmp(kind, "default"))
		return 0;
	if (strcmp(kind, "linear") && strcmp(kind, "llama3"))
		return err_set(err, ERR_MISMATCH, "rope_type '%s' is not supported", kind);
	if (config_real(s, "factor", NAN, &factor, err))
		return err_at(err, "rope scaling");
	if (!(factor > 0))
		return err_set(err, ERR_CORRUPT, "rope scaling by %g", factor);
	if (!strcmp(kind, "llama3"))
		return scale_llama3(a, config, s, factor, err);
	for (int64_t i = 0; i < dim / 2; i++)
		a->frequencies[i] /= factor;
	return 0;
}

void rope_turn(const struct arch *a, float *turn, int64_t n)
{
	int64_t half = a->rotary / 2;

#pragma omp parallel for
	for (int64_t p = 0; p < n; p++)
		for (int64_t i = 0; i < half; i++) {
			double angle = (double)p * a->frequencies[i];

			turn[2 * (p * half + i)] = (float)(cos(angle) * a->turn_scale);
			turn[2 * (p * half + i) + 1] = (float)(sin(angle) * a->turn_scale);
		}
}
