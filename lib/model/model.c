#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/adapter.h"
#include "model/model_impl.h"

#define CONFIG_LIMIT ((size_t)16 << 20)

const struct modeldir_tensor *model_find_tensor(const struct model *m, const char *name)
{
	const char *prefix = m->arch.family->optional_prefix;
	const struct modeldir_tensor *t = modeldir_find(&m->dir, name);

	if (!t && prefix && !strncmp(name, prefix, strlen(prefix)))
		t = modeldir_find(&m->dir, name + strlen(prefix));
	return t;
}

const struct param *model_param_of(const struct model *m, const char *tensor)
{
	const char *prefix = m->arch.family->optional_prefix;
	size_t skip = prefix ? strlen(prefix) : 0;

	for (size_t i = 0; i < m->params.n; i++) {
		const char *name = m->params.param[i].name;

		if (!strcmp(name, tensor) ||
			(skip && !strncmp(name, prefix, skip) && !strcmp(name + skip, tensor)))
			return &m->params.param[i];
	}
	return NULL;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && !strcmp(s + n - k, end);
}

bool model_is_head(const struct model *m, const char *tensor)
{
	const char *head = arch_tensor(&m->arch, ROLE_HEAD);
	size_t n = strlen(head);

	return !strncmp(tensor, head, n) && !strcmp(tensor + n, ".weight");
}

/* Nothing in the files that would go unused; ignored buffers apart, and a head that is tied. */
static int check_unused(const struct model *m, struct err *err)
{
	for (size_t i = 0; i < m->dir.ntensors; i++) {
		const char *name = m->dir.tensors[i].info->name;
		bool known = model_param_of(m, name) || (m->arch.tied && model_is_head(m, name));

		for (const char *const *end = m->arch.family->ignored; !known && *end; end++)
			known = ends_with(name, *end);
		if (!known)
			return err_set(err, ERR_MISMATCH, "%s: tensor '%s' is not known in a model of type %s",
				m->dir.path, name, m->arch.family->model_type);
	}
	return 0;
}

/*
 * A tied head may lie in the file all the same. If it differs from the embeddings, it is the file's own
 * that counts, as transformers 5 has it.
 */
static void settle_tie(struct model *m)
{
	const struct modeldir_tensor *embed, *head;
	char name[200];

	snprintf(name, sizeof name, "%s.weight", arch_tensor(&m->arch, ROLE_EMBED));
	embed = model_find_tensor(m, name);
	snprintf(name, sizeof name, "%s.weight", arch_tensor(&m->arch, ROLE_HEAD));
	head = model_find_tensor(m, name);
	if (m->arch.tied && embed && head)
		m->arch.tied = head->info->dtype == embed->info->dtype &&
			head->info->end - head->info->begin == embed->info->end - embed->info->begin &&
			!memcmp(head->data, embed->data, head->info->end - head->info->begin);
}

static int check_tensor(const struct model *m, const struct param *p, struct err *err)
{
	const struct modeldir_tensor *t = model_find_tensor(m, p->name);
	enum dtype type;

	if (!t)
		return err_set(err, ERR_MISMATCH, "%s: tensor '%s' is missing", m->dir.path, p->name);
	type = t->info->dtype;
	if (t->info->rank != p->rank || t->info->shape[0] != p->shape[0] ||
		(p->rank == 2 && t->info->shape[1] != p->shape[1]))
		return err_set(err, ERR_MISMATCH, "%s: tensor '%s' is [%lld, %lld], the config says [%lld, %lld]",
			m->dir.path, p->name, (long long)(t->info->rank > 0 ? t->info->shape[0] : 1),
			(long long)(t->info->rank > 1 ? t->info->shape[1] : 1), (long long)p->shape[0],
			(long long)p->shape[1]);
	if (type != F32 && type != F16 && type != BF16 && type != F64)
		return err_set(err, ERR_MISMATCH, "%s: tensor '%s' is %s, not F32, F16, BF16 or F64", m->dir.path,
			p->name, dtype_name(type));
	return 0;
}

/* Where a parameter's values are to be, without m->own: its data is the file's, or NULL. */
static struct values choose(const struct model *m, const struct param *p, enum model_use use)
{
	const struct modeldir_tensor *t = model_find_tensor(m, p->name);
	enum dtype type = t->info->dtype;
	bool aligned = (uintptr_t)t->data % dtype_size(type) == 0;

	if ((use == MODEL_INT8 || use == MODEL_NF4) && p->rank == 2 && role_in_layer(p->role))
		return (struct values){NULL, NULL, use == MODEL_INT8 ? MAT_INT8 : MAT_NF4};
	if (aligned && type == F32)
		return (struct values){t->data, NULL, MAT_F32};
	if (aligned && p->rank == 2 && (type == F16 || type == BF16))
		return (struct values){t->data, NULL, type == F16 ? MAT_F16 : MAT_BF16};
	return (struct values){NULL, NULL, MAT_F32};
}

/* Bytes of a parameter's numbers, and of those and their scales, on cache lines. */
static size_t size_of(const struct param *p, enum mat_type type, size_t *all)
{
	int64_t rows = p->rank == 2 ? p->shape[0] : 1, columns = p->rank == 2 ? p->shape[1] : p->shape[0];
	size_t numbers = (mat_row_size(type, columns) * (size_t)rows + 63) / 64 * 64;

	*all = numbers + ((size_t)(mat_row_blocks(type, columns) * rows) * sizeof(float) + 63) / 64 * 64;
	return numbers;
}

/* Fills a parameter's values, of which numbers and scales are in memory of the model's own, from its file. */
static int fill(const struct model *m, const struct param *p, enum mat_type type, char *numbers, float *scale,
	struct err *err)
{
	const struct modeldir_tensor *t = model_find_tensor(m, p->name);
	int64_t columns = p->shape[1], blocks = mat_row_blocks(type, columns);
	size_t from = (size_t)columns * dtype_size(t->info->dtype), to = mat_row_size(type, columns);
	float *row;

	if (type == MAT_F32) {
		dtype_to_f32((float *)(void *)numbers, t->data, t->info->dtype, p->count);
		modeldir_forget_tensor(t);
		return 0;
	}
	row = mem_new((size_t)columns, sizeof *row, err);
	for (int64_t i = 0; row && i < p->shape[0]; i++) {
		dtype_to_f32(row, (const char *)t->data + from * (size_t)i, t->info->dtype, (size_t)columns);
		mat_quantise(type, numbers + to * (size_t)i, scale + blocks * i, row, columns);
	}
	free(row);
	modeldir_forget_tensor(t);
	return row ? 0 : -1;
}

/* Gives the parameters without data a place in m->own, and fills them. */
static int make_own(struct model *m, struct err *err)
{
	size_t *place = mem_new(m->params.n + 1, sizeof *place, err), bytes = 0, numbers, all;
	int rc = 0;
	char *own;

	for (size_t i = 0; place && i < m->params.n; i++) {
		size_of(&m->params.param[i], m->values[i].type, &all);
		place[i] = bytes;
		bytes += m->values[i].data ? 0 : all;
		place[i + 1] = bytes;
	}
	own = m->own = place ? mem_new_aligned(bytes + 1, 1, err) : NULL;
	if (!own) {
		free(place);
		return -1;
	}
	memset(own, 0, bytes);
#pragma omp parallel for schedule(dynamic) reduction(+ : rc) private(numbers, all)
	for (size_t i = 0; i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];
		struct values *v = &m->values[i];
		struct err each = ERR_INIT;

		if (v->data)
			continue;
		numbers = size_of(p, v->type, &all);
		v->data = own + place[i];
		v->scale = (float *)(void *)(own + place[i] + numbers);
		rc += fill(m, p, v->type, own + place[i], (float *)(void *)(own + place[i] + numbers), &each) != 0;
	}
	free(place);
	return rc ? err_set(err, ERR_FAILED, "%s: no memory for a row of a matrix", m->dir.path) : 0;
}

int model_hold(struct model *m, struct err *err)
{
	for (size_t i = 0; i < m->params.n; i++)
		if (m->values[i].type == MAT_INT8 || m->values[i].type == MAT_NF4)
			return err_set(err, ERR_MISMATCH, "%s: a matrix in blocks of few bits cannot be trained or changed",
				m->dir.path);
	if (m->weights)
		return 0;
	m->weights = mem_new_aligned(m->params.count, sizeof *m->weights, err);
	if (!m->weights)
		return -1;
	memset(m->weights, 0, m->params.count * sizeof *m->weights);
	model_set_weights(m, m->weights);
#pragma omp parallel for schedule(dynamic)
	for (size_t i = 0; i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];
		const struct modeldir_tensor *t = model_find_tensor(m, p->name);

		dtype_to_f32(m->weights + p->offset, t->data, t->info->dtype, p->count);
		modeldir_forget_tensor(t);
	}
	free(m->own);
	m->own = NULL;
	return 0;
}

int model_open(struct model *m, const char *folder, enum model_use use, struct err *err)
{
	*m = (struct model){.config = path_join(folder, "config.json", err)};
	if (!m->config || modeldir_open(&m->dir, folder, err) || arch_describe(&m->arch, m->dir.config, err))
		return -1;
	settle_tie(m);
	if (params_init(&m->params, &m->arch, err) || check_unused(m, err))
		return -1;
	m->values = mem_new(m->params.n, sizeof *m->values, err);
	if (!m->values)
		return -1;
	for (size_t i = 0; i < m->params.n; i++) {
		if (check_tensor(m, &m->params.param[i], err))
			return -1;
		if (use != MODEL_TRAIN)
			m->values[i] = choose(m, &m->params.param[i], use);
	}
	return use == MODEL_TRAIN ? model_hold(m, err) : make_own(m, err);
}

int model_init(struct model *m, const char *config, uint64_t seed, struct err *err)
{
	*m = (struct model){.config = mem_copy(config, strlen(config), err)};
	m->dir.config = m->config ? json_load(config, CONFIG_LIMIT, err) : NULL;
	if (!m->dir.config || arch_describe(&m->arch, m->dir.config, err) ||
		params_init(&m->params, &m->arch, err))
		return -1;
	m->values = mem_new(m->params.n, sizeof *m->values, err);
	m->weights = mem_new_aligned(m->params.count, sizeof *m->weights, err);
	if (!m->values || !m->weights)
		return -1;
	memset(m->weights, 0, m->params.count * sizeof *m->weights);
	params_randomize(&m->params, &m->arch, seed, m->weights);
	model_set_weights(m, m->weights);
	return 0;
}

void model_release(struct model *m)
{
	adapter_free(m->adapter);
	free(m->weights);
	free(m->own);
	free(m->half);
	free(m->config);
	free(m->values);
	params_release(&m->params);
	arch_release(&m->arch);
	modeldir_release(&m->dir);
	*m = (struct model){.weights = NULL};
}

const struct params *model_trained(const struct model *m)
{
	return m->adapter ? &m->adapter->params : &m->params;
}

float *model_trained_weights(const struct model *m)
{
	return m->adapter ? m->adapter->weights : m->weights;
}

void model_set_weights(struct model *m, float *weights)
{
	if (m->adapter) {
		m->adapter->weights = weights;
		return;
	}
	m->weights = weights;
	for (size_t i = 0; i < m->params.n; i++)
		m->values[i] = (struct values){weights + m->params.param[i].offset, NULL, MAT_F32};
}

int model_twin(struct model *twin, const struct model *m, struct err *err)
{
	size_t n = model_trained(m)->count;
	float *weights = mem_new_aligned(n, sizeof *weights, err);

	*twin = *m;
	twin->values = m->adapter ? m->values : mem_new(m->params.n, sizeof *twin->values, err);
	twin->adapter = m->adapter ? mem_new(1, sizeof *twin->adapter, err) : NULL;
	if (twin->adapter)
		*twin->adapter = *m->adapter;
	if (!weights || !twin->values || (m->adapter && !twin->adapter)) {
		free(weights);
		free(m->adapter ? NULL : twin->values);
		free(twin->adapter);
		*twin = (struct model){.weights = NULL};
		return -1;
	}
	memcpy(weights, model_trained_weights(m), n * sizeof *weights);
	model_set_weights(twin, weights);
	return 0;
}

void model_twin_release(struct model *twin)
{
	if (twin->adapter) {
		free(twin->adapter->weights);
		free(twin->adapter);
	} else {
		free(twin->weights);
		free(twin->values);
	}
	*twin = (struct model){.weights = NULL};
}

size_t model_memory(const struct model *m)
{
	size_t bytes = 0, all;

	for (size_t i = 0; i < m->params.n; i++) {
		size_of(&m->params.param[i], m->values[i].type, &all);
		bytes += all;
	}
	if (m->head)
		bytes += mat_row_size(MAT_BF16, m->arch.hidden) * (size_t)m->arch.vocab;
	return bytes;
}

struct mat model_param_mat(const struct model *m, const struct param *p)
{
	const struct values *v = &m->values[p - m->params.param];
	bool in_first = m->arch.in_first && role_in_layer(p->role);

	return (struct mat){v->data, p->shape[in_first], p->shape[!in_first], in_first, v->type, v->scale, NULL};
}

struct mat model_mat(const struct model *m, enum role role, int layer)
{
	size_t skip, row;
	const struct param *p = params_part(&m->params, &m->arch, role, layer, false, &skip);
	struct mat w = p ? model_param_mat(m, p) : (struct mat){.data = NULL};

	role_shape(&m->arch, role, &w.out, &w.in);
	if (skip) {
		row = skip / (size_t)w.in;
		w.data = (const char *)w.data + mat_row_size(w.type, w.in) * row;
		w.scale += (size_t)mat_row_blocks(w.type, w.in) * row;
	}
	return w;
}

struct mat model_head(const struct model *m)
{
	struct mat w = model_mat(m, m->arch.tied ? ROLE_EMBED : ROLE_HEAD, 0);

	if (m->head) {
		w.data = m->head;
		w.type = MAT_BF16;
	}
	return w;
}

const float *model_vector(const struct model *m, enum role role, int layer, bool bias)
{
	size_t skip;
	const struct param *p = params_part(&m->params, &m->arch, role, layer, bias, &skip);

	return p ? (const float *)m->values[p - m->params.param].data + skip : NULL;
}
