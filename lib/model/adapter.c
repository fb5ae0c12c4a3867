#include "model/adapter_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

#define RNG_STREAM 0x10a4u /* of initial weights */

/* ---- which matrices */

bool adapter_can_have(const struct param *p)
{
	return p->rank == 2 && role_in_layer(p->role);
}

size_t adapter_module_length(const struct param *p)
{
	return strlen(p->name) - strlen(".weight");
}

/* As PEFT: a module is meant by its whole name, or by an end of it after a dot. */
static bool is_meant(const struct param *p, const char *target, size_t n)
{
	size_t all = adapter_module_length(p);

	return all >= n && !memcmp(p->name + all - n, target, n) && (all == n || p->name[all - n - 1] == '.');
}

static int unknown_target(const struct model *m, const char *target, size_t n, struct err *err)
{
	char known[200] = "";

	for (size_t i = 0; i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];
		char module[60];
		const char *last;

		if (!adapter_can_have(p) || p->layer)
			continue;
		snprintf(module, sizeof module, "%.*s", (int)adapter_module_length(p), p->name);
		last = strrchr(module, '.') ? strrchr(module, '.') + 1 : module;
		if (!strstr(known, last) && strlen(known) + strlen(last) + 3 < sizeof known)
			snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", *known ? ", " : "", last);
	}
	return err_set(err, ERR_MISMATCH, "no matrix of a layer is called '%.*s'; there are %s", (int)n, target, known);
}

/* Marks the matrices that targets name, by rank. */
static int mark_targets(struct adapter *a, const struct model *m, struct err *err)
{
	const char *t = a->targets;
	bool found = !t;

	for (size_t i = 0; !t && i < m->params.n; i++)
		if (adapter_can_have(&m->params.param[i]))
			a->mat[i].rank = a->o.rank;
	while (t) {
		size_t n = strcspn(t, ",");

		found = false;
		for (size_t i = 0; n && i < m->params.n; i++)
			if (adapter_can_have(&m->params.param[i]) && is_meant(&m->params.param[i], t, n)) {
				a->mat[i].rank = a->o.rank;
				found = true;
			}
		if (!found)
			return unknown_target(m, t, n, err);
		t = t[n] ? t + n + 1 : NULL;
	}
	return 0;
}

/* ---- its parameters */

static void sizes_of(const struct model *m, const struct param *p, int64_t *out, int64_t *in)
{
	*out = p->shape[m->arch.in_first];
	*in = p->shape[!m->arch.in_first];
}

static int add_param(struct adapter *a, const struct param *of, const char *what, int rank, int64_t rows,
	int64_t columns, size_t *offset, struct err *err)
{
	struct param *p = &a->params.param[a->params.n];
	struct buf name = BUF_INIT;

	buf_add_fmt(&name, "base_model.model.%.*s.%s", (int)adapter_module_length(of), of->name, what);
	if (buf_check(&name, err)) {
		buf_release(&name);
		return -1;
	}
	*p = (struct param){.name = name.data, .role = of->role, .layer = of->layer, .decay = rank == 2, .rank = rank,
		.shape = {rows, columns}, .count = (size_t)rows * (size_t)columns, .offset = a->params.count};
	*offset = p->offset;
	a->params.n++;
	a->params.count += (p->count + 15) / 16 * 16;
	return 0;
}

static int list_params(struct adapter *a, const struct model *m, struct err *err)
{
	a->params.param = mem_new(3 * m->params.n, sizeof *a->params.param, err);
	if (!a->params.param)
		return -1;
	for (size_t i = 0; i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];
		struct adapter_mat *t = &a->mat[i];
		int64_t out, in;

		if (!t->rank)
			continue;
		sizes_of(m, p, &out, &in);
		t->scale = (float)(a->o.alpha / (a->o.rslora ? sqrt((double)t->rank) : (double)t->rank));
		if (add_param(a, p, "lora_A.weight", 2, t->rank, in, &t->a, err) ||
			add_param(a, p, "lora_B.weight", 2, out, t->rank, &t->b, err) ||
			(a->o.dora && add_param(a, p, "lora_magnitude_vector", 1, out, 1, &t->magnitude, err)))
			return -1;
	}
	a->weights = mem_new_aligned(a->params.count, sizeof *a->weights, err);
	if (!a->weights)
		return -1;
	memset(a->weights, 0, a->params.count * sizeof *a->weights);
	return 0;
}

/* squares[out]: of the norms of w's rows (columns, where it is in_first). */
static int find_squares(double *squares, const struct mat *w, struct err *err)
{
	const struct ops *ops = ops_find("cpu");
	int64_t columns = mat_columns(w);
	float *row = mem_new((size_t)columns, sizeof *row, err);

	for (int64_t r = 0; row && r < mat_rows(w); r++) {
		ops->mat_load(ops, row, 0, w, r, 1, 0, columns);
		for (int64_t c = 0; c < columns; c++)
			squares[w->in_first ? c : r] += (double)row[c] * row[c];
	}
	free(row);
	return row ? 0 : -1;
}

/* What magnitudes need beside themselves: four numbers a row, and room to work. */
static int add_norms(struct adapter *a, const struct model *m, struct err *err)
{
	int64_t widest = 0, rank = adapter_rank(a);

	for (size_t i = 0; i < m->params.n; i++) {
		struct adapter_mat *t = &a->mat[i];
		struct mat w = model_param_mat(m, &m->params.param[i]);
		int64_t out = w.out;

		if (!t->rank)
			continue;
		t->squares = mem_new((size_t)out, sizeof *t->squares, err);
		t->norms = mem_new(2 * (size_t)out, sizeof *t->norms, err);
		if (!t->squares || !t->norms || find_squares(t->squares, &w, err))
			return -1;
		for (int64_t j = 0; j < out; j++)
			a->weights[t->magnitude + (size_t)j] = (float)sqrt(t->squares[j]);
		widest = out > widest ? out : widest;
	}
	a->scratch = mem_new((size_t)(rank * (2 * widest + rank)), sizeof *a->scratch, err);
	return a->scratch ? 0 : -1;
}

struct adapter *adapter_blank(const struct model *m, const struct adapter_options *o, struct err *err)
{
	struct adapter *a = mem_new(1, sizeof *a, err);

	if (!a)
		return NULL;
	*a = (struct adapter){.o = *o, .targets = o->targets ? mem_copy(o->targets, strlen(o->targets), err) : NULL};
	a->mat = mem_new(m->params.n, sizeof *a->mat, err);
	a->n = a->mat ? m->params.n : 0;
	if (a->mat && (a->targets || !o->targets))
		return a;
	adapter_free(a);
	return NULL;
}

int adapter_attach(struct model *m, struct adapter *a, struct err *err)
{
	if (list_params(a, m, err) || (a->o.dora && add_norms(a, m, err))) {
		adapter_free(a);
		return -1;
	}
	m->adapter = a;
	return 0;
}

int adapter_new(struct model *m, const struct adapter_options *o, uint64_t seed, struct err *err)
{
	struct adapter *a = adapter_blank(m, o, err);

	if (!a)
		return -1;
	if (mark_targets(a, m, err)) {
		adapter_free(a);
		return -1;
	}
	if (adapter_attach(m, a, err))
		return -1;
	for (size_t i = 0; i < m->params.n; i++) {
		int64_t out, in;

		sizes_of(m, &m->params.param[i], &out, &in);
		for (int64_t k = 0; k < a->mat[i].rank * in; k++)
			a->weights[a->mat[i].a + (size_t)k] =
				(float)((2 * rng_uniform(seed, (uint64_t)RNG_STREAM << 32 | i, (uint64_t)k) - 1) / sqrt((double)in));
	}
	return 0;
}

void adapter_free(struct adapter *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++) {
		free(a->mat[i].squares);
		free(a->mat[i].norms);
	}
	params_release(&a->params);
	free(a->mat);
	free(a->weights);
	free(a->scratch);
	free(a->targets);
	free(a);
}

int64_t adapter_rank(const struct adapter *a)
{
	int64_t most = 0;

	for (size_t i = 0; i < a->n; i++)
		most = a->mat[i].rank > most ? a->mat[i].rank : most;
	return most;
}

/* ---- as the decoder takes it */

bool adapter_of(const struct model *m, enum role role, int layer, struct adapter_part *part)
{
	size_t skip;
	const struct param *p = params_part(&m->params, &m->arch, role, layer, false, &skip);
	const struct adapter *a = m->adapter;
	const struct adapter_mat *t = a && p ? &a->mat[p - m->params.param] : NULL;
	int64_t out, in, all;
	size_t row;

	if (!t || !t->rank)
		return false;
	role_shape(&m->arch, role, &out, &in);
	row = skip / (size_t)in;
	sizes_of(m, p, &all, &in);
	*part = (struct adapter_part){
		.a = {a->weights + t->a, t->rank, in, false, MAT_F32, NULL, NULL},
		.b = {a->weights + t->b + row * (size_t)t->rank, out, t->rank, false, MAT_F32, NULL, NULL},
		.scale = t->scale,
		.grad_a = t->a,
		.grad_b = t->b + row * (size_t)t->rank,
		.grad_magnitude = t->magnitude + row,
		.norms = a->o.dora ? t->norms + row : NULL,
		.gains = a->o.dora ? t->norms + all + row : NULL,
		.moved = t->moved,
		.number = (uint32_t)(p - m->params.param),
	};
	return true;
}

/*
 * Row i of W + s B A has the squared norm |W_i|^2 + 2 s B_i . (W A^T)_i + s^2 B_i A A^T B_i^T, for which a change
 * of r ranks needs r rows of a pass, and no matrix of W's size.
 */
static void refresh(const struct adapter *a, struct adapter_mat *t, const struct mat *w, const struct ops *ops)
{
	const int64_t r = t->rank, out = w->out;
	const struct mat ma = {a->weights + t->a, r, w->in, false, MAT_F32, NULL, NULL};
	const float *b = a->weights + t->b;
	float *wa = a->scratch, *baa = wa + r * out, *aa = baa + out * r; /* [r, out], [out, r], [r, r] */
	const struct mat maa = {aa, r, r, false, MAT_F32, NULL, NULL};
	bool moved = false;

	ops->linear_forward(ops, wa, out, ma.data, w->in, w, NULL, r, false);
	ops->linear_forward(ops, aa, r, ma.data, w->in, &ma, NULL, r, false);
	ops->linear_forward(ops, baa, r, b, r, &maa, NULL, out, false);
#pragma omp parallel for reduction(|| : moved)
	for (int64_t i = 0; i < out; i++) {
		double square = t->squares[i];

		for (int64_t k = 0; k < r; k++) {
			moved = moved || b[i * r + k] != 0;
			square += (double)t->scale * b[i * r + k] * (2.0 * wa[k * out + i] + (double)t->scale * baa[i * r + k]);
		}
		t->norms[i] = (float)sqrt(square > 0 ? square : 0);
		t->norms[out + i] = t->norms[i] > 0 ? a->weights[t->magnitude + (size_t)i] / t->norms[i] : 0;
		moved = moved || (t->norms[i] > 0 && t->norms[out + i] != 1);
	}
	t->moved = moved;
}

void adapter_refresh(const struct model *m, const struct ops *ops)
{
	for (size_t i = 0; m->adapter && m->adapter->o.dora && i < m->params.n; i++)
		if (m->adapter->mat[i].rank) {
			struct mat w = model_param_mat(m, &m->params.param[i]);

			refresh(m->adapter, &m->adapter->mat[i], &w, ops);
		}
}

/* ---- merging */

/*
 * A stored row of the change is the sum over ranks k of left[k] times row k of right: for [out, in], B's row and
 * A; for [in, out], A's column and B transposed.
 */
static void add_change(float *w, const struct param *p, const float *a, const float *b, int64_t rank, float scale,
	bool in_first, const float *turned)
{
	int64_t rows = p->shape[0], columns = p->shape[1];

#pragma omp parallel for
	for (int64_t i = 0; i < rows; i++)
		for (int64_t k = 0; k < rank; k++) {
			float left = scale * (in_first ? a[k * rows + i] : b[i * rank + k]);
			const float *right = (in_first ? turned : a) + k * columns;

			for (int64_t j = 0; j < columns; j++)
				w[i * columns + j] += left * right[j];
		}
}

static int merge(struct model *m, size_t i, struct err *err)
{
	const struct adapter *a = m->adapter;
	const struct adapter_mat *t = &a->mat[i];
	const struct param *p = &m->params.param[i];
	float *w = m->weights + p->offset, *b = a->weights + t->b;
	struct mat now = model_param_mat(m, p);
	double *squares = mem_new((size_t)now.out, sizeof *squares, err);
	float *turned = mem_new((size_t)(now.out * t->rank), sizeof *turned, err);
	int rc = squares && turned ? 0 : -1;

	for (int64_t j = 0; rc == 0 && j < now.out; j++)
		for (int64_t k = 0; k < t->rank; k++)
			turned[k * now.out + j] = b[j * t->rank + k];
	if (rc == 0)
		add_change(w, p, a->weights + t->a, b, t->rank, t->scale, m->arch.in_first, turned);
	if (rc == 0 && a->o.dora && (rc = find_squares(squares, &now, err)) == 0)
		for (size_t j = 0; j < p->count; j++) {
			size_t row = m->arch.in_first ? j % (size_t)now.out : j / (size_t)now.in;

			w[j] *= squares[row] > 0 ? (float)(a->weights[t->magnitude + row] / sqrt(squares[row])) : 0;
		}
	free(squares);
	free(turned);
	return rc;
}

int adapter_merge(struct model *m, struct err *err)
{
	for (size_t i = 0; i < m->params.n; i++)
		if (m->adapter->mat[i].rank && merge(m, i, err))
			return -1;
	adapter_free(m->adapter);
	m->adapter = NULL;
	return 0;
}
