#include "model/pages.h"

#include <stdlib.h>

#include "base/mem.h"

/* Also makes room in the list for all that may be given back. */
int pages_promise(struct pages *p, int64_t n, struct err *err)
{
	if (mem_grow(&p->spare, &p->cap, (size_t)(p->promised + n), sizeof *p->spare, err))
		return -1;
	p->promised += n;
	return 0;
}

void pages_recall(struct pages *p, int64_t n)
{
	p->promised -= n;
}

int pages_take(struct pages *p, float **page, struct err *err)
{
	if (p->spares) {
		*page = p->spare[--p->spares];
		return 0;
	}
	*page = mem_new_aligned(p->floats, sizeof **page, err);
	return *page ? 0 : err_at(err, "keys and values");
}

void pages_give(struct pages *p, float *page)
{
	p->spare[p->spares++] = page;
}

void pages_release(struct pages *p)
{
	for (size_t i = 0; i < p->spares; i++)
		free(p->spare[i]);
	free(p->spare);
	*p = (struct pages){.spare = NULL};
}
