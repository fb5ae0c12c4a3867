/* What making adapters (adapter.c) and their files (adapter_peft.c) share. */
#ifndef MODEL_ADAPTER_IMPL_H
#define MODEL_ADAPTER_IMPL_H

#include "model/adapter.h"

/* Can a parameter have an adapter? */
bool adapter_can_have(const struct param *p);

/* The module of a tensor: how much of "a.b.q_proj.weight" is "a.b.q_proj". */
size_t adapter_module_length(const struct param *p);

/* An adapter whose matrices have no ranks yet; and, once they have, with all its parameters, as the model's. */
struct adapter *adapter_blank(const struct model *m, const struct adapter_options *o, struct err *err);
int adapter_attach(struct model *m, struct adapter *a, struct err *err); /* frees a on failure */

#endif
