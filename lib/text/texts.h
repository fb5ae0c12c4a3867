/* What tokens look like: from an id to its text, as the vocabulary writes it. */
#ifndef TEXT_TEXTS_H
#define TEXT_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TEXTS_MAX ((int32_t)1 << 24) /* ids are below it */

struct texts_entry {
	size_t at;
	uint32_t n;
	bool known, special;
};

struct texts {
	struct texts_entry *v; /* by id */
	size_t n, cap;
	struct buf bytes;
};

#define TEXTS_INIT                                                                                 \
	{                                                                                          \
		.v = NULL                                                                          \
	}

void texts_release(struct texts *t);

/* In place of what the id had. ERR_LIMIT where it is too large. */
int texts_put(struct texts *t, int32_t id, const char *s, size_t n, bool special, struct err *err);

/* The n bytes of that id's token; NULL where there is none. */
const char *texts_get(const struct texts *t, int32_t id, size_t *n, bool *special);

#endif
