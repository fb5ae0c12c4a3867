#include "model/pack.h"

#include <stdlib.h>

#include "base/mem.h"

static int64_t inputs(const int64_t *seg, int s)
{
	int64_t n = seg[s + 1] - seg[s];

	return s && n ? n - 1 : n;
}

int64_t pack_rows(const int64_t *seg, int k)
{
	int64_t n = 0;

	for (int s = 0; s <= k; s++)
		n += inputs(seg, s);
	return n;
}

static int reserve(struct pack *p, const int64_t *seg, int k, struct err *err)
{
	size_t rows = (size_t)(p->rows + pack_rows(seg, k));
	size_t counted = (size_t)(p->counted + seg[k + 1] - seg[1]);

	return mem_grow(&p->token, &p->token_cap, rows, sizeof *p->token, err) ||
			mem_grow(&p->pos, &p->pos_cap, rows, sizeof *p->pos, err) ||
			mem_grow(&p->span, &p->span_cap, (size_t)(p->spans + k + 1), sizeof *p->span, err) ||
			mem_grow(&p->group, &p->group_cap, (size_t)p->groups + 2, sizeof *p->group, err) ||
			mem_grow(&p->row, &p->row_cap, counted, sizeof *p->row, err) ||
			mem_grow(&p->target, &p->target_cap, counted, sizeof *p->target, err)
		? -1
		: 0;
}

int pack_add(struct pack *p, const int32_t *tokens, const int64_t *seg, int k, const int64_t *uncounted,
	struct err *err)
{
	int64_t prompt = p->rows, prompt_len = seg[1] - seg[0];

	if (reserve(p, seg, k, err))
		return -1;
	p->group[p->groups] = p->spans;
	for (int s = 0; s <= k; s++) {
		int64_t start = p->rows, n = inputs(seg, s), len = seg[s + 1] - seg[s], before = s ? prompt_len : 0;

		p->span[p->spans++] = (struct span){start, n, prompt, before};
		for (int64_t i = 0; i < n; i++) {
			p->token[p->rows] = tokens[seg[s] + i];
			p->pos[p->rows++] = (int32_t)(before + i);
		}
		for (int64_t i = s ? uncounted[s - 1] : len; i < len; i++) {
			p->row[p->counted] = i ? start + i - 1 : prompt + prompt_len - 1;
			p->target[p->counted++] = tokens[seg[s] + i];
		}
		if (before + len > p->longest)
			p->longest = before + len;
	}
	p->group[++p->groups] = p->spans;
	return 0;
}

void pack_clear(struct pack *p)
{
	p->rows = p->spans = p->groups = p->counted = p->longest = 0;
}

void pack_release(struct pack *p)
{
	free(p->token);
	free(p->pos);
	free(p->span);
	free(p->group);
	free(p->row);
	free(p->target);
	*p = (struct pack)PACK_INIT;
}
