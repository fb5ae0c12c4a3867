/* Updates (io/update.h) on top of the model that they were trained from. */
#ifndef MODEL_APPLY_H
#define MODEL_APPLY_H

#include "io/update.h"
#include "model/model.h"

/* The tensors of an update of this model: what is trained. *out, of model_trained(m)->n elements, is for free(). */
int model_tensors(const struct model *m, struct update_tensor **out, struct err *err);

/* ERR_MISMATCH unless the update was made from the model of that digest (an empty one belongs to any). */
int model_check_base(const struct update *u, const char *path, const char *sha256, struct err *err);

/* One digest of two: that of both texts. */
void model_join_digests(char sha256[65], const char *more);

/* The key of an update's metadata that says that it is one of an adapter: the adapter's config. */
#define APPLY_ADAPTER "adapter.config"

/*
 * Puts the update at path on top of m: values instead of m's (MODEL_TRAIN), or an adapter, which may also be a
 * folder that PEFT made. base: the digest of the folder that the model
 * came from. sha256: that under which streams know the model; it becomes one of model and update together.
 * max_payload: 0 for the default.
 */
int model_apply(struct model *m, const char *path, const char *base, char sha256[65], uint64_t max_payload,
	struct err *err);

#endif
