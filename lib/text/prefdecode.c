#include "text/prefdecode.h"

#include <stdlib.h>

#include "base/mem.h"

struct prefdecode {
	struct detokenizer *decoder;
	struct buf text;
	int64_t *seg;
	size_t cap;
};

struct prefdecode *prefdecode_new(const struct tokenizer *t, unsigned flags, struct err *err)
{
	struct prefdecode *p = mem_new(1, sizeof *p, err);

	if (!p)
		return NULL;
	p->decoder = detokenizer_new(t, flags, err);
	if (!p->decoder) {
		prefdecode_free(p);
		return NULL;
	}
	return p;
}

void prefdecode_free(struct prefdecode *p)
{
	if (!p)
		return;
	detokenizer_free(p->decoder);
	buf_release(&p->text);
	free(p->seg);
	free(p);
}

static int put(struct prefdecode *p, const struct pref_rec *in, int segment, struct err *err)
{
	for (int64_t i = in->seg[segment]; i < in->seg[segment + 1]; i++)
		if (detokenizer_put(p->decoder, in->tokens[i], &p->text, err))
			return -1;
	return 0;
}

int prefdecode_record(
	struct prefdecode *p, const struct pref_rec *in, struct pref_rec *out, struct err *err)
{
	size_t k = (size_t)in->k, start;

	if (mem_grow(&p->seg, &p->cap, k + 2, sizeof *p->seg, err))
		return -1;
	buf_clear(&p->text);
	p->seg[0] = 0;
	for (size_t i = 1; i <= k; i++) {
		start = p->text.len;
		if (put(p, in, 0, err))
			return -1;
		if (i == 1)
			p->seg[1] = (int64_t)p->text.len;
		else
			p->text.len = start; /* it stands there already */
		if (put(p, in, (int)i, err) || detokenizer_end(p->decoder, &p->text, err))
			return -1;
		p->seg[i + 1] = (int64_t)p->text.len;
	}
	if (buf_check(&p->text, err))
		return -1;
	*out = (struct pref_rec){.id = in->id,
		.k = in->k,
		.seg = p->seg,
		.text = p->text.data,
		.label = in->label,
		.meta = in->meta,
		.meta_len = in->meta_len};
	return 0;
}
