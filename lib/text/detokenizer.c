#include "text/detokenizer.h"

#include <stdlib.h>

#include "base/mem.h"
#include "text/tokenizer_impl.h"

struct detokenizer {
	const struct tokenizer *t;
	bool special;
	struct matcher *matcher;
	struct decode_work *work;
};

struct detokenizer *detokenizer_new(const struct tokenizer *t, unsigned flags, struct err *err)
{
	struct detokenizer *d = mem_new(1, sizeof *d, err);

	if (!d)
		return NULL;
	d->t = t;
	d->special = flags & DETOKENIZER_SPECIAL;
	d->matcher = matcher_new(err);
	d->work = d->matcher ? decode_work_new(t->decode, err) : NULL;
	if (!d->work) {
		detokenizer_free(d);
		return NULL;
	}
	return d;
}

void detokenizer_free(struct detokenizer *d)
{
	if (!d)
		return;
	matcher_free(d->matcher);
	decode_work_free(d->work);
	free(d);
}

int detokenizer_put(struct detokenizer *d, int32_t id, struct buf *out, struct err *err)
{
	size_t n;
	bool special;
	const char *token = texts_get(&d->t->texts, id, &n, &special);

	if (!token || (special && !d->special))
		return 0;
	return decode_token(d->work, d->matcher, token, n, out, err);
}

int detokenizer_end(struct detokenizer *d, struct buf *out, struct err *err)
{
	return decode_end(d->work, d->matcher, out, err);
}

int detokenizer_peek(struct detokenizer *d, struct buf *out, struct err *err)
{
	return decode_peek(d->work, d->matcher, out, err);
}

int detokenizer_decode(
	struct detokenizer *d, const int32_t *ids, size_t n, struct buf *out, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (detokenizer_put(d, ids[i], out, err))
			return -1;
	return detokenizer_end(d, out, err);
}
