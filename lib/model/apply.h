/* Updates (io/update.h) on top of the model that they were trained from. */
#ifndef MODEL_APPLY_H
#define MODEL_APPLY_H

#include "io/update.h"
#include "model/model.h"

/*
 * The tensors of an update of this model: its parameters and their values, which must be its own (MODEL_TRAIN).
 * *out, of m->params.n elements, is for free().
 */
int model_tensors(const struct model *m, struct update_tensor **out, struct err *err);

/* ERR_MISMATCH unless the update was made from the model of that digest (an empty one belongs to any). */
int model_check_base(const struct update *u, const char *path, const char *sha256, struct err *err);

/*
 * Replaces m's values by those of the update at path. sha256: the digest of the base model; it becomes one of
 * both together, under which ref-logp and dpo-step know what --apply makes. max_payload: 0 for the default.
 */
int model_apply(struct model *m, const char *path, char sha256[65], uint64_t max_payload, struct err *err);

#endif
