#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/modelout.h"

#define CONFIG_LIMIT ((size_t)16 << 20)

/* The tensor of that name in the folder, or under the name without the family's optional prefix. */
static const struct modeldir_tensor *find(const struct model *m, const char *name)
{
	const char *prefix = m->arch.family->optional_prefix;
	const struct modeldir_tensor *t = modeldir_find(&m->dir, name);

	if (!t && prefix && !strncmp(name, prefix, strlen(prefix)))
		t = modeldir_find(&m->dir, name + strlen(prefix));
	return t;
}

/* The parameter whose tensor that is, or NULL. */
static const struct param *param_of(const struct model *m, const char *tensor)
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

static bool is_head(const struct model *m, const char *tensor)
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
		bool known = param_of(m, name) || (m->arch.tied && is_head(m, name));

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
	embed = find(m, name);
	snprintf(name, sizeof name, "%s.weight", arch_tensor(&m->arch, ROLE_HEAD));
	head = find(m, name);
	if (m->arch.tied && embed && head)
		m->arch.tied = head->info->dtype == embed->info->dtype &&
			head->info->end - head->info->begin == embed->info->end - embed->info->begin &&
			!memcmp(head->data, embed->data, head->info->end - head->info->begin);
}

static int bind(struct model *m, const struct param *p, enum model_use use, struct err *err)
{
	const struct modeldir_tensor *t = find(m, p->name);
	float *own = m->weights ? m->weights + p->offset : NULL;
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
	if (use == MODEL_READ && type == F32 && (uintptr_t)t->data % sizeof(float) == 0)
		m->data[p - m->params.param] = t->data;
	else if (own)
		m->data[p - m->params.param] = own;
	return 0;
}

/* Fills m->weights from the files where a parameter is bound to it. */
static void convert(struct model *m)
{
#pragma omp parallel for schedule(dynamic)
	for (size_t i = 0; i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];
		const struct modeldir_tensor *t = find(m, p->name);

		if (m->data[i] == m->weights + p->offset)
			dtype_to_f32(m->weights + p->offset, t->data, t->info->dtype, p->count);
	}
}

int model_open(struct model *m, const char *folder, enum model_use use, struct err *err)
{
	bool whole = true;

	*m = (struct model){.config = path_join(folder, "config.json", err)};
	if (!m->config || modeldir_open(&m->dir, folder, err) || arch_describe(&m->arch, m->dir.config, err))
		return -1;
	settle_tie(m);
	if (params_init(&m->params, &m->arch, err) || check_unused(m, err))
		return -1;
	m->data = mem_new(m->params.n, sizeof *m->data, err);
	if (!m->data)
		return -1;
	for (size_t i = 0; i < m->params.n; i++) {
		if (bind(m, &m->params.param[i], use, err))
			return -1;
		whole = whole && m->data[i];
	}
	if (whole)
		return 0;
	m->weights = mem_new_aligned(m->params.count, sizeof *m->weights, err);
	if (!m->weights)
		return -1;
	memset(m->weights, 0, m->params.count * sizeof *m->weights);
	for (size_t i = 0; i < m->params.n; i++)
		if (!m->data[i])
			m->data[i] = m->weights + m->params.param[i].offset;
	convert(m);
	return 0;
}

int model_init(struct model *m, const char *config, uint64_t seed, struct err *err)
{
	*m = (struct model){.config = mem_copy(config, strlen(config), err)};
	m->dir.config = m->config ? json_load(config, CONFIG_LIMIT, err) : NULL;
	if (!m->dir.config || arch_describe(&m->arch, m->dir.config, err) ||
		params_init(&m->params, &m->arch, err))
		return -1;
	m->data = mem_new(m->params.n, sizeof *m->data, err);
	m->weights = mem_new_aligned(m->params.count, sizeof *m->weights, err);
	if (!m->data || !m->weights)
		return -1;
	memset(m->weights, 0, m->params.count * sizeof *m->weights);
	params_randomize(&m->params, &m->arch, seed, m->weights);
	model_set_weights(m, m->weights);
	return 0;
}

void model_release(struct model *m)
{
	free(m->weights);
	free(m->config);
	free(m->data);
	params_release(&m->params);
	arch_release(&m->arch);
	modeldir_release(&m->dir);
	*m = (struct model){.weights = NULL};
}

void model_set_weights(struct model *m, float *weights)
{
	m->weights = weights;
	for (size_t i = 0; i < m->params.n; i++)
		m->data[i] = weights + m->params.param[i].offset;
}

static const float *values(const struct model *m, enum role role, int layer, bool bias)
{
	size_t skip;
	const struct param *p = params_part(&m->params, &m->arch, role, layer, bias, &skip);

	return p ? m->data[p - m->params.param] + skip : NULL;
}

struct mat model_mat(const struct model *m, enum role role, int layer)
{
	int64_t out, in;

	role_shape(&m->arch, role, &out, &in);
	return (struct mat){values(m, role, layer, false), out, in, m->arch.in_first && role_in_layer(role)};
}

const float *model_vector(const struct model *m, enum role role, int layer, bool bias)
{
	return values(m, role, layer, bias);
}

/* ---- saving */

struct saver {
	const struct model *m;
	void *converted; /* room for the largest tensor */
};

static const void *tensor_data(void *arg, const struct safetensor *t, struct err *err)
{
	struct saver *s = arg;
	const struct model *m = s->m;
	const struct param *p = param_of(m, t->name);

	(void)err;
	if (!p && m->arch.tied && is_head(m, t->name))
		p = params_find(&m->params, ROLE_EMBED, 0, false);
	if (!p)
		return modeldir_find(&m->dir, t->name)->data;
	dtype_from_f32(s->converted, m->data[p - m->params.param], t->dtype, p->count);
	return s->converted;
}

static int save_file(
	struct saver *s, struct modelout *out, const char *name, const struct safetensors *like, struct err *err)
{
	struct safetensors doc = SAFETENSORS_INIT;
	size_t largest = 0;
	int rc = meta_set(&doc.meta, "format", "pt", err);

	if (like) {
		rc = rc || (like->meta.n && meta_copy(&doc.meta, &like->meta, err));
		for (size_t i = 0; rc == 0 && i < like->n; i++) {
			const struct safetensor *t = &like->tensors[i];

			rc = safetensors_add(&doc, t->name, t->dtype, t->rank, t->shape, err);
		}
	} else {
		for (size_t i = 0; rc == 0 && i < s->m->params.n; i++) {
			const struct param *p = &s->m->params.param[i];

			rc = safetensors_add(&doc, p->name, F32, p->rank, p->shape, err);
		}
	}
	for (size_t i = 0; i < doc.n; i++)
		if (safetensor_count(&doc.tensors[i]) * dtype_size(doc.tensors[i].dtype) > largest)
			largest = safetensor_count(&doc.tensors[i]) * dtype_size(doc.tensors[i].dtype);
	s->converted = rc ? NULL : mem_new_aligned(largest, 1, err);
	rc = rc || !s->converted || modelout_tensors(out, name, &doc, tensor_data, s, err);
	free(s->converted);
	safetensors_release(&doc);
	return rc ? -1 : 0;
}

static int save_index(const struct model *m, struct modelout *out, struct err *err)
{
	static const char name[] = "model.safetensors.index.json";
	char *from = path_join(m->dir.path, name, err);
	int rc = from ? modelout_copy(out, from, name, err) : -1;

	free(from);
	return rc;
}

int model_save(const struct model *m, const char *path, const char *settings, struct err *err)
{
	struct saver s = {.m = m};
	struct modelout out;
	int rc = modelout_open(&out, path, err) || modelout_copy(&out, m->config, "config.json", err) ||
		modelout_copy_settings(&out, settings, err);

	if (rc == 0 && m->dir.sharded)
		rc = save_index(m, &out, err);
	for (size_t f = 0; rc == 0 && f < m->dir.nfiles; f++)
		rc = save_file(&s, &out, m->dir.files[f].name, &m->dir.files[f].doc, err);
	if (rc == 0 && !m->dir.nfiles)
		rc = save_file(&s, &out, "model.safetensors", NULL, err);
	if (rc == 0)
		rc = modelout_commit(&out, err);
	modelout_close(&out);
	return rc ? -1 : 0;
}
