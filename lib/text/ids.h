/* Token ids that grow. */
#ifndef TEXT_IDS_H
#define TEXT_IDS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

struct ids {
	int32_t *v;
	size_t n, cap;
};

#define IDS_INIT                                                                                   \
	{                                                                                          \
		.v = NULL                                                                          \
	}

static inline void ids_release(struct ids *ids)
{
	free(ids->v);
	*ids = (struct ids)IDS_INIT;
}

/* Room for more of them. 0 or -1 */
static inline int ids_reserve(struct ids *ids, size_t more, struct err *err)
{
	return ids->cap - ids->n >= more
		       ? 0
		       : mem_grow(&ids->v, &ids->cap, ids->n + more, sizeof *ids->v, err);
}

static inline int ids_add(struct ids *ids, int32_t id, struct err *err)
{
	if (ids_reserve(ids, 1, err))
		return -1;
	ids->v[ids->n++] = id;
	return 0;
}

#endif
