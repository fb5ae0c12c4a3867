/* Writes a model as the folder that it came from. */
#include <stdlib.h>

#include "base/mem.h"
#include "io/modelout.h"
#include "model/model_impl.h"

struct saver {
	const struct model *m;
	void *converted; /* room for the largest tensor */
};

static const void *tensor_data(void *arg, const struct safetensor *t, struct err *err)
{
	struct saver *s = arg;
	const struct model *m = s->m;
	const struct param *p = model_param_of(m, t->name);

	(void)err;
	if (!p && m->arch.tied && model_is_head(m, t->name))
		p = params_find(&m->params, ROLE_EMBED, 0, false);
	if (!p)
		return modeldir_find(&m->dir, t->name)->data;
	dtype_from_f32(s->converted, m->weights + p->offset, t->dtype, p->count);
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
