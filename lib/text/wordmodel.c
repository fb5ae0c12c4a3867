#include "text/wordmodel.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/uchar.h"
#include "text/unigram.h"
#include "text/wordcache.h"
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
	struct wordcache cache;
	struct words parts;
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
	if ((m->bpe && !w->bpe) || (m->unigram && !w->unigram) || wordcache_init(&w->cache, err)) {
		wordmodel_work_free(w);
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
	wordcache_release(&w->cache);
	free(w->parts.v);
	buf_release(&w->text);
	ids_release(&w->ends);
	free(w);
}

/* The word's bytes as their characters; ends, if any, are turned back into bytes by unspell(). */
static int spell(struct wordmodel_work *w, const char **word, size_t *n, struct err *err)
{
	char text[4];

	buf_clear(&w->text);
	for (size_t i = 0; i < *n; i++)
		buf_add(&w->text, text,
			(size_t)utf8_encode(text, bpe_byte_character((unsigned char)(*word)[i])));
	*word = w->text.data;
	*n = w->text.len;
	return buf_check(&w->text, err);
}

static void unspell(struct wordmodel_work *w)
{
	size_t at = 0;
	int32_t bytes = 0;

	for (size_t i = 0; i < w->ends.n; i++) {
		for (; at < (size_t)w->ends.v[i]; bytes++)
			at += uchar_size(w->text.data[at]);
		w->ends.v[i] = bytes;
	}
}

/* A word, or a part of one, by the model. */
static int encode_anew(struct wordmodel_work *w, const char *word, size_t n, bool byte_level,
	struct ids *ids, struct ids *ends, struct err *err)
{
	const struct wordmodel *m = w->model;
	int rc;

	if (byte_level && !m->bpe && spell(w, &word, &n, err))
		return -1;
	if (n > INT32_MAX)
		return err_set(err, ERR_LIMIT, "a word of %zu bytes, the most is %d", n, INT32_MAX);
	if (m->bpe)
		return bpe_encode(w->bpe, word, n, byte_level, ids, ends, err);
	rc = m->unigram ? unigram_encode(m->unigram, w->unigram, word, n, ids, ends, err)
			: wordpiece_encode(m->wordpiece, word, n, ids, ends, err);
	if (rc == 0 && byte_level && ends)
		unspell(w);
	return rc;
}

/* The word that the mark is inside of. */
static int encode_marked(struct wordmodel_work *w, const char *word, size_t n, bool byte_level,
	size_t mark, struct ids *ids, size_t *before, struct err *err)
{
	size_t start = ids->n;

	w->ends.n = 0;
	if (encode_anew(w, word, n, byte_level, ids, &w->ends, err))
		return -1;
	for (size_t i = 0; i < w->ends.n && (size_t)w->ends.v[i] <= mark; i++)
		*before = start + i + 1;
	return 0;
}

/* Words of characters in parts, so that a text without spaces to split at is not one long word. */
static int split(struct wordmodel_work *w, const char *text, const struct word **words,
	size_t *count, struct err *err)
{
	struct words *parts = &w->parts;

	parts->n = 0;
	for (size_t i = 0; i < *count; i++) {
		const char *word = text + (*words)[i].at;
		size_t n = (*words)[i].n, end;

		for (size_t at = 0; at < n; at = end) {
			end = bpe_part_end(w->model->bpe, word, n, at);
			if (parts->n == parts->cap && mem_grow(&parts->v, &parts->cap, parts->n + 1,
							      sizeof *parts->v, err))
				return -1;
			parts->v[parts->n++] = (struct word){(*words)[i].at + at, end - at};
		}
	}
	*words = parts->v;
	*count = parts->n;
	return 0;
}

#define AHEAD 32 /* words whose place in the cache is asked for at once */

int wordmodel_encode(struct wordmodel_work *w, const char *text, size_t n, const struct word *words,
	size_t count, bool byte_level, size_t mark, struct ids *ids, size_t *before,
	struct err *err)
{
	struct wordcache_key keys[AHEAD];
	size_t here, found, start;

	if (w->model->bpe && !byte_level && split(w, text, &words, &count, err))
		return -1;
	for (; count; words += here, count -= here) {
		here = count < AHEAD ? count : AHEAD;
		for (size_t i = 0; i < here; i++) {
			keys[i] = wordcache_key(text + words[i].at, words[i].n, n - words[i].at);
			wordcache_prefetch(&w->cache, &keys[i]);
		}
		for (size_t i = 0; i < here; i++) {
			const struct word *word = &words[i];

			if (ids_reserve(ids, WORDCACHE_IDS, err))
				return -1;
			if (mark > word->at && mark < word->at + word->n) {
				if (encode_marked(w, text + word->at, word->n, byte_level,
					    mark - word->at, ids, before, err))
					return -1;
				continue;
			}
			start = ids->n;
			found = wordcache_get(&keys[i], ids->v + start);
			ids->n += found;
			if (!found) {
				if (encode_anew(w, text + word->at, word->n, byte_level, ids, NULL,
					    err))
					return -1;
				found = ids->n - start;
				if (keys[i].high && found && found <= WORDCACHE_IDS)
					wordcache_put(&keys[i], ids->v + start, found);
			}
			if (word->at + word->n <= mark && found)
				*before = ids->n;
		}
	}
	return 0;
}
