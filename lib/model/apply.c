#include "model/apply.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "model/adapter.h"

int model_tensors(const struct model *m, struct update_tensor **out, struct err *err)
{
	const struct params *trained = model_trained(m);
	float *weights = model_trained_weights(m);

	*out = mem_new(trained->n, sizeof **out, err);
	for (size_t i = 0; *out && i < trained->n; i++) {
		const struct param *p = &trained->param[i];

		(*out)[i] = (struct update_tensor){p->name, F32, p->rank, {p->shape[0], p->shape[1]}, weights + p->offset};
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

void model_join_digests(char sha256[65], const char *more)
{
	struct sha256 s;
	uint8_t digest[32];

	sha256_init(&s);
	sha256_add(&s, sha256, strlen(sha256));
	sha256_add(&s, more, strlen(more));
	sha256_finish(&s, digest);
	sha256_hex(digest, sha256);
}

static int apply_folder(struct model *m, const char *path, char sha256[65], struct err *err)
{
	char digest[65];

	if (adapter_load(m, path, digest, err))
		return -1;
	model_join_digests(sha256, digest);
	return 0;
}

/* An adapter that its stream describes; without one, m's own values are to be replaced. */
static int begin(struct model *m, const struct update *u, const char *path, struct err *err)
{
	const char *config = meta_get(update_meta(u), APPLY_ADAPTER);

	if (config)
		return adapter_from_text(m, config, err) ? err_at(err, "%s", path) : 0;
	return model_hold(m, err);
}

int model_apply(struct model *m, const char *path, const char *base, char sha256[65], uint64_t max_payload,
	struct err *err)
{
	struct update_tensor *tensors = NULL;
	struct update *u;
	int rc;

	if (adapter_is_folder(path))
		return apply_folder(m, path, sha256, err);
	u = update_open(path, max_payload, err);
	rc = !u || model_check_base(u, path, base, err) || begin(m, u, path, err) ||
		model_tensors(m, &tensors, err) || update_read(u, tensors, model_trained(m)->n, err);
	rc = rc ? -1 : 0;
	if (rc == 0)
		model_join_digests(sha256, update_sha256(u));
	free(tensors);
	update_close(u);
	return rc;
}
