#include "model/pack.h"

#include <stdlib.h>
#include <string.h>

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

/* Room for so many more. */
static int reserve(struct pack *p, int64_t rows, int64_t spans, int64_t counted, struct err *err)
{
	size_t all = (size_t)(p->rows + rows), ends = (size_t)(p->spans + spans), tokens = (size_t)(p->counted + counted);

	return mem_grow(&p->token, &p->token_cap, all, sizeof *p->token, err) ||
			mem_grow(&p->pos, &p->pos_cap, all, sizeof *p->pos, err) ||
			mem_grow(&p->span, &p->span_cap, ends, sizeof *p->span, err) ||
			mem_grow(&p->end, &p->end_cap, ends, sizeof *p->end, err) ||
			mem_grow(&p->group, &p->group_cap, (size_t)p->groups + 2, sizeof *p->group, err) ||
			mem_grow(&p->row, &p->row_cap, tokens, sizeof *p->row, err) ||
			mem_grow(&p->target, &p->target_cap, tokens, sizeof *p->target, err)
		? -1
		: 0;
}

int pack_add(struct pack *p, const int32_t *tokens, const int64_t *seg, int k, const int64_t *uncounted,
	struct err *err)
{
	int64_t prompt = p->rows, prompt_len = seg[1] - seg[0];

	if (reserve(p, pack_rows(seg, k), k + 1, seg[k + 1] - seg[1], err))
		return -1;
	p->group[p->groups] = p->spans;
	for (int s = 0; s <= k; s++) {
		int64_t start = p->rows, n = inputs(seg, s), len = seg[s + 1] - seg[s], before = s ? prompt_len : 0;

		p->span[p->spans] = (struct span){start, n, prompt, before};
		for (int64_t i = 0; i < n; i++) {
			p->token[p->rows] = tokens[seg[s] + i];
			p->pos[p->rows++] = (int32_t)(before + i);
		}
		for (int64_t i = s ? uncounted[s - 1] : len; i < len; i++) {
			p->row[p->counted] = i ? start + i - 1 : prompt + prompt_len - 1;
			p->target[p->counted++] = tokens[seg[s] + i];
		}
		p->end[p->spans++] = p->counted;
		if (before + len > p->longest)
			p->longest = before + len;
	}
	p->group[++p->groups] = p->spans;
	return 0;
}

int pack_add_next(struct pack *p, int32_t token, int64_t before, struct err *err)
{
	if (reserve(p, 1, 1, 0, err))
		return -1;
	p->group[p->groups] = p->spans;
	p->span[p->spans] = (struct span){p->rows, 1, p->rows, before};
	p->end[p->spans++] = p->counted;
	p->token[p->rows] = token;
	p->pos[p->rows++] = (int32_t)before;
	if (before + 1 > p->longest)
		p->longest = before + 1;
	p->group[++p->groups] = p->spans;
	return 0;
}

int64_t pack_length(const struct pack *p, int64_t s)
{
	return p->span[s].prefix_len + p->span[s].len + 1;
}

/* Adds a copy of span s of p, and what counts of it, where prefix is the prompt's first row in out. */
static void copy_span(struct pack *out, const struct pack *p, int64_t s, int64_t prefix)
{
	struct span from = p->span[s], to = {out->rows, from.len, prefix, from.prefix_len};

	memcpy(out->token + to.start, p->token + from.start, sizeof *p->token * (size_t)from.len);
	memcpy(out->pos + to.start, p->pos + from.start, sizeof *p->pos * (size_t)from.len);
	for (int64_t i = s ? p->end[s - 1] : 0; i < p->end[s]; i++) {
		bool own = p->row[i] >= from.start;

		out->row[i] = p->row[i] + (own ? to.start - from.start : prefix - from.prefix);
		out->target[i] = p->target[i];
	}
	out->span[out->spans] = to;
	out->end[out->spans++] = p->end[s];
	out->rows += from.len;
}

/* Adds completions of the group of span s, s among them and none before it, that are of its kind. */
static int copy_kind(struct pack *out, const struct pack *p, int64_t prompt, int64_t s, int64_t last,
	int64_t (*kind)(const void *arg, int64_t length), const void *arg, struct err *err)
{
	int64_t its = kind(arg, pack_length(p, s)), start = out->rows, rows = 0;

	for (int64_t i = prompt; i < last; i++)
		rows += p->span[i].len;
	if (reserve(out, rows, last - prompt, p->counted - out->counted, err))
		return -1;
	out->group[out->groups] = out->spans;
	copy_span(out, p, prompt, start);
	for (int64_t i = s; i < last; i++)
		if (kind(arg, pack_length(p, i)) == its)
			copy_span(out, p, i, start);
	out->group[++out->groups] = out->spans;
	return 0;
}

int pack_split(struct pack *out, const struct pack *p, int64_t (*kind)(const void *arg, int64_t length),
	const void *arg, struct err *err)
{
	pack_clear(out);
	for (int64_t g = 0; g < p->groups; g++) {
		int64_t prompt = p->group[g], last = p->group[g + 1];

		for (int64_t s = prompt + 1; s < last; s++) {
			bool done = false;

			for (int64_t i = prompt + 1; i < s; i++)
				done = done || kind(arg, pack_length(p, i)) == kind(arg, pack_length(p, s));
			if (!done && copy_kind(out, p, prompt, s, last, kind, arg, err))
				return -1;
		}
	}
	out->counted = p->counted;
	out->longest = p->longest;
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
	free(p->end);
	free(p->group);
	free(p->row);
	free(p->target);
	*p = (struct pack)PACK_INIT;
}
