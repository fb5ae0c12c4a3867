/* What loading (model.c) and saving (model_save.c) share: which tensor of the files is which parameter. */
#ifndef MODEL_MODEL_IMPL_H
#define MODEL_MODEL_IMPL_H

#include "model/model.h"

/* The tensor of that name in the folder, or under the name without the family's optional prefix; or NULL. */
const struct modeldir_tensor *model_find_tensor(const struct model *m, const char *name);

/* The parameter whose tensor that is, or NULL. */
const struct param *model_param_of(const struct model *m, const char *tensor);

/* Is it the head's matrix? */
bool model_is_head(const struct model *m, const char *tensor);

#endif
