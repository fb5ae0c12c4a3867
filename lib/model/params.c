#include "model/params.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

#define RNG_STREAM 0x1a17u /* of initial weights */

/* "model.layers.%d.x" and 3 to "model.layers.3.x.weight". */
static char *full_name(const char *pattern, int layer, bool bias, struct err *err)
{
	const char *mark = strstr(pattern, "%d");
	struct buf b = BUF_INIT;

	buf_add(&b, pattern, mark ? (size_t)(mark - pattern) : strlen(pattern));
	if (mark)
		buf_add_fmt(&b, "%d%s", layer, mark + 2);
	buf_add_str(&b, bias ? ".bias" : ".weight");
	if (buf_check(&b, err)) {
		buf_release(&b);
		return NULL;
	}
	return b.data;
}

static int add(struct params *p, const struct arch *a, enum role role, int layer, bool bias, struct err *err)
{
	struct param *q = &p->param[p->n];
	int64_t out, in;
	bool swap;

	if (!(bias ? role_has_bias(a, role) : role_has_weight(a, role)))
		return 0;
	role_shape(a, role, &out, &in);
	*q = (struct param){.role = role, .layer = layer, .bias = bias, .offset = p->count};
	q->name = full_name(arch_tensor(a, role), layer, bias, err);
	if (!q->name)
		return -1;
	q->rank = in && !bias ? 2 : 1;
	swap = q->rank == 2 && a->in_first && role_in_layer(role);
	q->shape[0] = swap ? in : out;
	q->shape[1] = swap ? out : q->rank == 2 ? in : 1;
	q->count = (size_t)q->shape[0] * (size_t)q->shape[1];
	q->decay = q->rank == 2;
	p->at[(layer * ROLE_COUNT + (int)role) * 2 + bias] = (int)p->n++;
	p->count += (q->count + 15) / 16 * 16; /* each starts on a cache line */
	return 0;
}

static int place_of(enum role role)
{
	return role_in_layer(role) ? 1 : role < ROLE_NORM1 ? 0 : 2;
}

int params_place(const struct param *p)
{
	return place_of(p->role);
}

int params_init(struct params *p, const struct arch *a, struct err *err)
{
	size_t most = (size_t)(a->layers + 1) * ROLE_COUNT * 2;

	*p = (struct params){
		.param = mem_new(most, sizeof *p->param, err),
		.at = mem_new(most, sizeof *p->at, err),
	};
	if (!p->param || !p->at)
		return -1;
	for (size_t i = 0; i < most; i++)
		p->at[i] = -1;
	for (int pass = 0; pass < 3; pass++)
		for (int layer = 0; layer < (pass == 1 ? a->layers : 1); layer++)
			for (enum role role = 0; role < ROLE_COUNT; role++)
				if (place_of(role) == pass &&
					(add(p, a, role, layer, false, err) || add(p, a, role, layer, true, err)))
					return -1;
	return 0;
}

void params_release(struct params *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->param[i].name);
	free(p->param);
	free(p->at);
	*p = (struct params){.param = NULL};
}

const struct param *params_find(const struct params *p, enum role role, int layer, bool bias)
{
	int i = p->at[(layer * ROLE_COUNT + (int)role) * 2 + bias];

	return i < 0 ? NULL : &p->param[i];
}

const struct param *params_part(const struct params *p, const struct arch *a, enum role role, int layer, bool bias,
	size_t *skip)
{
	int64_t row, out, in;
	enum role home = role_home(a, role, &row);

	role_shape(a, home, &out, &in);
	*skip = (size_t)row * (bias ? 1 : (size_t)in);
	return params_find(p, home, layer, bias);
}

static void fill_normal(float *w, size_t n, double std, uint64_t seed, uint64_t parameter)
{
#pragma omp parallel for
	for (size_t j = 0; j < n; j += 2) {
		double z[2];

		rng_normal(seed, (uint64_t)RNG_STREAM << 32 | parameter, j, z);
		w[j] = (float)(z[0] * std);
		if (j + 1 < n)
			w[j + 1] = (float)(z[1] * std);
	}
}

void params_randomize(const struct params *p, const struct arch *a, uint64_t seed, float *weights)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct param *q = &p->param[i];
		float *w = weights + q->offset;
		bool residual = a->init_residual && (q->role == ROLE_OUT || q->role == ROLE_DOWN);

		if (q->rank == 2)
			fill_normal(w, q->count, a->init_std / (residual ? sqrt(2.0 * (double)a->layers) : 1), seed, i);
		else
			for (size_t j = 0; j < q->count; j++)
				w[j] = q->bias ? 0 : 1 - a->gain_plus;
		if (q->role == ROLE_EMBED && a->padding >= 0)
			memset(w + a->padding * a->hidden, 0, sizeof *w * (size_t)a->hidden);
	}
}
