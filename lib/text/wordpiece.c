#include "text/wordpiece.h"

#include <stdlib.h>
#include <string.h>

#include "text/field.h"
#include "text/trie.h"
#include "text/uchar.h"

struct wordpiece {
	struct vocab vocab;
	struct trie trie;
	uint32_t
		inside; /* the node of the prefix, where tokens inside a word begin; 0: there is none */
	bool whole;	/* WordLevel */
	size_t most; /* characters of a word */
	char *unknown;
	int32_t unk; /* its id, or -1 */
};

static int load_trie(struct wordpiece *w, const char *prefix, size_t n, struct err *err)
{
	const struct vocab *v = &w->vocab;

	for (size_t i = 0; v->slots && i <= v->mask; i++) {
		const struct vocab_slot *slot = &v->slots[i];

		if (slot->id >= 0 && trie_put(&w->trie, v->keys + slot->at, slot->n, slot->id, err))
			return -1;
	}
	w->inside = TRIE_ROOT;
	for (size_t i = 0; i < n && w->inside; i++)
		w->inside = trie_step(&w->trie, w->inside, prefix[i]);
	return 0;
}

static int load(struct wordpiece *w, const struct json *model, const char *unknown, struct err *err)
{
	char *prefix = mem_copy("##", 2, err);
	size_t prefix_n = 2, n = strlen(unknown);
	int64_t most = 100;
	int result = -1;

	w->unknown = mem_copy(unknown, n, err);
	if (prefix && w->unknown && vocab_load(&w->vocab, json_get(model, "vocab"), err) == 0 &&
		field_string(model, "unk_token", true, &w->unknown, &n, err) == 0 &&
		field_string(model, "continuing_subword_prefix", true, &prefix, &prefix_n, err) ==
			0 &&
		field_int(model, "max_input_chars_per_word", true, INT32_MAX, &most, err) == 0)
		result = w->whole ? 0 : load_trie(w, prefix, prefix_n, err);
	w->unk = result ? -1 : vocab_get(&w->vocab, w->unknown, n);
	w->most = (size_t)most;
	free(prefix);
	return result;
}

static struct wordpiece *new (const struct json *model, bool whole, struct err *err)
{
	struct wordpiece *w = mem_new(1, sizeof *w, err);

	if (!w)
		return NULL;
	w->vocab = (struct vocab)VOCAB_INIT;
	w->whole = whole;
	if (load(w, model, whole ? "<unk>" : "[UNK]", err)) {
		err_at(err, "model");
		wordpiece_free(w);
		return NULL;
	}
	return w;
}

struct wordpiece *wordpiece_new(const struct json *model, struct err *err)
{
	return new (model, false, err);
}

struct wordpiece *wordpiece_new_whole(const struct json *model, struct err *err)
{
	return new (model, true, err);
}

void wordpiece_free(struct wordpiece *w)
{
	if (!w)
		return;
	vocab_release(&w->vocab);
	trie_release(&w->trie);
	free(w->unknown);
	free(w);
}

const struct vocab *wordpiece_vocab(const struct wordpiece *w)
{
	return &w->vocab;
}

/* Does the word have more characters than that? */
static bool is_longer(const char *word, size_t n, size_t most)
{
	size_t at = 0;

	for (; at < n && most; most--)
		at += uchar_size(word[at]);
	return at < n;
}

/* The longest token at word[at], as a number; *end: where it ends. -1: none */
static int32_t longest(
	const struct wordpiece *w, const char *word, size_t n, size_t at, size_t *end)
{
	uint32_t node = at ? w->inside : TRIE_ROOT;
	int32_t found = -1, id;

	while (node && at < n && (node = trie_step(&w->trie, node, word[at]))) {
		at++;
		id = trie_value(&w->trie, node);
		if (id >= 0) {
			found = id;
			*end = at;
		}
	}
	return found;
}

static int add(struct ids *ids, struct ids *ends, int32_t id, size_t end, struct err *err)
{
	return ids_add(ids, id, err) || (ends && ids_add(ends, (int32_t)end, err)) ? -1 : 0;
}

int wordpiece_encode(const struct wordpiece *w, const char *word, size_t n, struct ids *ids,
	struct ids *ends, struct err *err)
{
	size_t first = ids->n, at = w->whole || is_longer(word, n, w->most) ? n : 0, end = 0;
	int32_t id = w->whole ? vocab_get(&w->vocab, word, n) : -1;

	if (id >= 0)
		return add(ids, ends, id, n, err);
	if (at == 0) {
		for (; at < n && (id = longest(w, word, n, at, &end)) >= 0; at = end)
			if (add(ids, ends, id, end, err))
				return -1;
		if (at == n)
			return 0;
		if (ends)
			ends->n -= ids->n - first;
		ids->n = first;
	}
	if (w->unk < 0)
		return err_set(err, ERR_FAILED,
			"'%.*s' is not in the vocabulary, nor is the unknown token '%s'",
			(int)(n < 40 ? n : 40), word, w->unknown);
	return add(ids, ends, w->unk, n, err);
}
