#include "text/wordmodel.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

struct wordmodel {
	struct bpe *bpe; /* one of these */
	struct unigram *unigram;
	struct wordpiece *wordpiece;
};

struct wordmodel_work {
	const struct wordmodel *model;
	struct bpe_work *bpe;
	struct unigram_work *unigram;
	struct buf text;
	struct ids ends;
};

static const char *type_of(const struct json *model)
{
	const char *type = json_text(json_get(model, "type"));

	if (type)
		return type;
	if (json_get(model, "merges"))
		return "BPE";
	if (json_kind(json_get(model, "vocab")) == JSON_ARRAY)
		return "Unigram";
	return json_get(model, "max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

struct wordmodel *wordmodel_new(const struct json *model, struct err *err)
{
	struct wordmodel *m = mem_new(1, sizeof *m, err);
	const char *type = type_of(model);
	bool known = true;

	if (!m)
		return NULL;
	if (!strcmp(type, "BPE"))
		m->bpe = bpe_new(model, err);
	else if (!strcmp(type, "Unigram"))
		m->unigram = unigram_new(model, err);
	else if (!strcmp(type, "WordPiece"))
		m->wordpiece = wordpiece_new(model, err);
	else if (!strcmp(type, "WordLevel"))
		m->wordpiece = wordpiece_new_whole(model, err);
	else
		known = false;
	if (!known)
		err_set(err, ERR_FAILED, "model '%s' is not supported", type);
	if (!m->bpe && !m->unigram && !m->wordpiece) {
		free(m);
		return NULL;
	}
	return m;
}

void wordmodel_free(struct wordmodel *m)
{
	if (!m)
		return;
	bpe_free(m->bpe);
	unigram_free(m->unigram);
	wordpiece_free(m->wordpiece);
	free(m);
}

const struct vocab *wordmodel_vocab(const struct wordmodel *m)
{
	return m->bpe	    ? bpe_vocab(m->bpe)
	       : m->unigram ? unigram_vocab(m->unigram)
			    : wordpiece_vocab(m->wordpiece);
}

size_t wordmodel_size(const struct wordmodel *m)
{
	return m->unigram ? unigram_size(m->unigram) : wordmodel_vocab(m)->count;
}

struct wordmodel_work *wordmodel_work_new(const struct wordmodel *m, struct err *err)
{
	struct wordmodel_work *w = mem_new(1, sizeof *w, err);

	if (!w)
		return NULL;
	w->model = m;
	if (m->bpe)
		w->bpe = bpe_work_new(m->bpe, err);
	else if (m->unigram)
		w->unigram = unigram_work_new(err);
	if ((m->bpe && !w->bpe) || (m->unigram && !w->unigram)) {
		free(w);
		return NULL;
	}
	return w;
}

void wordmodel_work_free(struct wordmodel_work *w)
{
	if (!w)
		return;
	bpe_work_free(w->bpe);
	unigram_work_free(w->unigram);
	buf_release(&w->text);
	ids_release(&w->ends);
	free(w);
}

/* The word's bytes as their characters; *mark follows. */
static int spell(
	struct wordmodel_work *w, const char **word, size_t *n, size_t *mark, struct err *err)
{
	size_t to = 0;
	char text[4];

	buf_clear(&w->text);
	for (size_t i = 0; i < *n; i++) {
		if (i == *mark)
			to = w->text.len;
		buf_add(&w->text, text,
			(size_t)utf8_encode(text, bpe_byte_character((unsigned char)(*word)[i])));
	}
	if (buf_check(&w->text, err))
		return -1;
	*mark = *mark < *n ? to : w->text.len;
	*word = w->text.data;
	*n = w->text.len;
	return 0;
}

int wordmodel_encode(struct wordmodel_work *w, const char *word, size_t n, bool byte_level,
	size_t mark, struct ids *ids, size_t *before, struct err *err)
{
	const struct wordmodel *m = w->model;
	size_t start = ids->n;

	if (m->bpe)
		return bpe_encode(m->bpe, w->bpe, word, n, byte_level, mark, ids, before, err);
	if (byte_level && spell(w, &word, &n, &mark, err))
		return -1;
	w->ends.n = 0;
	if (m->unigram ? unigram_encode(m->unigram, w->unigram, word, n, ids, &w->ends, err)
		       : wordpiece_encode(m->wordpiece, word, n, ids, &w->ends, err))
		return -1;
	for (size_t i = 0; i < w->ends.n && (size_t)w->ends.v[i] <= mark; i++)
		*before = start + i + 1;
	return 0;
}
