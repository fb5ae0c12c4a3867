#include "model/apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"

int model_tensors(const struct model *m, struct update_tensor **out, struct err *err)
{
	*out = mem_new(m->params.n, sizeof **out, err);
	for (size_t i = 0; *out && i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];

		(*out)[i] = (struct update_tensor){
			p->name, F32, p->rank, {p->shape[0], p->shape[1]}, m->weights + p->offset};
	}
	return *out ? 0 : -1;
}

int model_check_base(const struct update *u, const char *path, const char *sha256, struct err *err)
{
	const char *base = meta_get(update_meta(u), "model.sha256");

	if (!base || !*sha256 || !strcmp(base, sha256))
		return 0;
	return err_set(err, ERR_MISMATCH, "%s: an update of model %.12s, this model is %.12s", path, base, sha256);
}

/* Base and update in one digest: that of both digests' text. */
static void join_digests(char sha256[65], const char *update)
{
	struct sha256 s;
	uint8_t digest[32];

	sha256_init(&s);
	sha256_add(&s, sha256, strlen(sha256));
	sha256_add(&s, update, strlen(update));
	sha256_finish(&s, digest);
	sha256_hex(digest, sha256);
}

int model_apply(struct model *m, const char *path, char sha256[65], uint64_t max_payload, struct err *err)
{
	struct update *u = update_open(path, max_payload, err);
	struct update_tensor *tensors = NULL;
	int rc = !u || model_check_base(u, path, sha256, err) || model_tensors(m, &tensors, err) ||
				 update_read(u, tensors, m->params.n, err)
			 ? -1
			 : 0;

	if (rc == 0)
		join_digests(sha256, update_sha256(u));
	free(tensors);
	update_close(u);
	return rc;
}
