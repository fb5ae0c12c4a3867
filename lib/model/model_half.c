/* Matrices that become BF16, for products in it that are bound by reading them. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/model_impl.h"

static bool in_blocks(const struct values *v)
{
	return v->type == MAT_INT8 || v->type == MAT_NF4;
}

static bool becomes_half(const struct model *m, const struct param *p, const struct values *v)
{
	bool in_layer = role_in_layer(p->role);

	if (p->rank != 2 || in_blocks(v) || !(in_layer || p->role == ROLE_HEAD))
		return false;
	return v->type != MAT_BF16 || (in_layer && m->arch.in_first);
}

/* Bytes of a parameter in m->half: as BF16; as it is, where it would go with m->weights; or none. */
static size_t half_size(const struct model *m, const struct param *p, const struct values *v)
{
	size_t each = becomes_half(m, p, v) ? sizeof(uint16_t) : m->weights ? sizeof(float) : 0;

	return (p->count * each + 63) / 64 * 64;
}

/* to[columns, rows] or, not turned, to[rows, columns] of what is stored [rows, columns]. */
static int round_matrix(uint16_t *to, const struct mat *w, bool turned, struct err *err)
{
	const struct ops *ops = ops_find("cpu");
	int64_t rows = mat_rows(w), columns = mat_columns(w);
	float *row = mem_new((size_t)columns, sizeof *row, err);
	uint16_t *half = mem_new((size_t)columns, sizeof *half, err);

	for (int64_t r = 0; row && half && r < rows; r++) {
		ops->mat_load(ops, row, 0, w, r, 1, 0, columns);
		dtype_from_f32(turned ? half : to + r * columns, row, BF16, (size_t)columns);
		for (int64_t i = 0; turned && i < columns; i++)
			to[i * rows + r] = half[i];
	}
	free(half);
	free(row);
	return row && half ? 0 : -1;
}

static int fill(const struct model *m, const struct param *p, const struct values *v, void *to, struct err *err)
{
	const struct modeldir_tensor *t = model_find_tensor(m, p->name);
	struct mat w = model_param_mat(m, p);

	if (!becomes_half(m, p, v)) {
		memcpy(to, v->data, p->count * sizeof(float));
		return 0;
	}
	if (round_matrix(to, &w, w.in_first, err))
		return -1;
	if (t && v->data == t->data)
		modeldir_forget_tensor(t);
	return 0;
}

/* The values of m that are in m->half from now on, and the layers' matrices the other way round. */
static void settle(struct model *m, const size_t *place)
{
	bool turns = false;

	for (size_t i = 0; i < m->params.n; i++) {
		struct param *p = &m->params.param[i];
		struct values *v = &m->values[i];

		if (place[i + 1] == place[i])
			continue;
		*v = (struct values){(char *)m->half + place[i], NULL, becomes_half(m, p, v) ? MAT_BF16 : MAT_F32};
		if (m->arch.in_first && p->rank == 2 && role_in_layer(p->role)) {
			int64_t rows = p->shape[0];

			p->shape[0] = p->shape[1];
			p->shape[1] = rows;
			turns = true;
		}
	}
	m->arch.in_first = m->arch.in_first && !turns;
	free(m->weights);
	m->weights = NULL;
}

int model_halve(struct model *m, struct err *err)
{
	const struct param *embed = params_find(&m->params, ROLE_EMBED, 0, false);
	struct mat table = model_param_mat(m, embed);
	size_t *place = mem_new(m->params.n + 1, sizeof *place, err), bytes = 0;
	bool copy = m->arch.tied && table.type != MAT_BF16;
	int rc = 0;

	for (size_t i = 0; place && i < m->params.n; i++) {
		place[i] = bytes;
		bytes += half_size(m, &m->params.param[i], &m->values[i]);
		place[i + 1] = bytes;
	}
	m->half = place ? mem_new_aligned(bytes + (copy ? embed->count * sizeof(uint16_t) : 0) + 1, 1, err) : NULL;
	if (!m->half) {
		free(place);
		return -1;
	}
#pragma omp parallel for schedule(dynamic) reduction(+ : rc)
	for (size_t i = 0; i < m->params.n; i++) {
		struct err each = ERR_INIT;

		if (place[i + 1] > place[i])
			rc += fill(m, &m->params.param[i], &m->values[i], (char *)m->half + place[i], &each) != 0;
	}
	if (copy && rc == 0) {
		m->head = (char *)m->half + bytes;
		rc = round_matrix((uint16_t *)(void *)((char *)m->half + bytes), &table, false, err);
	}
	settle(m, place);
	free(place);
	return rc ? err_set(err, ERR_FAILED, "%s: no memory for a row of a matrix", m->dir.path) : 0;
}
