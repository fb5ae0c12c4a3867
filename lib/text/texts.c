#include "text/texts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void texts_release(struct texts *t)
{
	free(t->v);
	buf_release(&t->bytes);
	*t = (struct texts)TEXTS_INIT;
}

int texts_put(struct texts *t, int32_t id, const char *s, size_t n, bool special, struct err *err)
{
	size_t need = (size_t)id + 1;

	if (id >= TEXTS_MAX || n > UINT32_MAX)
		return err_set(err, ERR_LIMIT, "a token with the id %d, the most is %d", id,
			TEXTS_MAX - 1);
	if (mem_grow(&t->v, &t->cap, need, sizeof *t->v, err))
		return -1;
	if (need > t->n) {
		memset(t->v + t->n, 0, (need - t->n) * sizeof *t->v);
		t->n = need;
	}
	t->v[id] = (struct texts_entry){t->bytes.len, (uint32_t)n, true, special};
	buf_add(&t->bytes, s, n);
	return buf_check(&t->bytes, err);
}

const char *texts_get(const struct texts *t, int32_t id, size_t *n, bool *special)
{
	if (id < 0 || (size_t)id >= t->n || !t->v[id].known)
		return NULL;
	*n = t->v[id].n;
	*special = t->v[id].special;
	return t->bytes.data + t->v[id].at;
}
