#include "text/bpe_impl.h"

#include "base/utf8.h"
#include "text/uchar.h"

#define SHORT 40 /* symbols up to which a scan for the lowest rank is faster than a heap */

struct symbol {
	int32_t id;   /* -1: merged into the one before */
	uint32_t end; /* within the word, in bytes */
	uint32_t prev, next;
};

#define NONE UINT32_MAX

struct bpe_work {
	const struct bpe *bpe;
	struct symbol *symbols;
	size_t n, cap;
	uint64_t *heap; /* rank, position */
	size_t heap_n, heap_cap;
	bool unknown; /* an unknown character waits, so that others can join it, up to unknown_end
		       */
	uint32_t unknown_end;
	struct buf text;
};

struct bpe_work *bpe_work_new(const struct bpe *b, struct err *err)
{
	struct bpe_work *w = mem_new(1, sizeof *w, err);

	if (!w)
		return NULL;
	w->bpe = b;
	return w;
}

void bpe_work_free(struct bpe_work *w)
{
	if (!w)
		return;
	free(w->symbols);
	free(w->heap);
	buf_release(&w->text);
	free(w);
}

/* ---- characters to symbols */

static int add_symbol(struct bpe_work *w, int32_t id, uint32_t end, struct err *err)
{
	if (mem_grow(&w->symbols, &w->cap, w->n + 1, sizeof *w->symbols, err))
		return -1;
	w->symbols[w->n++] = (struct symbol){.id = id, .end = end};
	return 0;
}

static int flush_unknown(struct bpe_work *w, struct err *err)
{
	if (!w->unknown)
		return 0;
	w->unknown = false;
	return add_symbol(w, w->bpe->unk, w->unknown_end, err);
}

/*
 * A character the vocabulary lacks, as the n bytes at s, that ends at `end` of the word: its bytes'
 * tokens, or the unknown token, or nothing. An unknown one that waits is not put before bytes'
 * tokens.
 */
static int add_unknown(struct bpe_work *w, const char *s, size_t n, uint32_t end, struct err *err)
{
	const struct bpe *b = w->bpe;
	size_t known = 0;

	while (b->byte_fallback && known < n && b->byte_ids[(unsigned char)s[known]] >= 0)
		known++;
	if (b->byte_fallback && known == n) {
		for (size_t i = 0; i < n; i++)
			if (add_symbol(w, b->byte_ids[(unsigned char)s[i]], end, err))
				return -1;
		return 0;
	}
	if (!b->unk_token)
		return 0;
	if (b->unk < 0)
		return err_set(err, ERR_FAILED,
			"'%.*s' is not in the vocabulary, nor is the unknown token '%s'", (int)n, s,
			b->unk_token);
	if (!b->fuse_unk && flush_unknown(w, err))
		return -1;
	w->unknown = true;
	w->unknown_end = end;
	return 0;
}

static int add_character(
	struct bpe_work *w, int32_t id, const char *s, size_t n, uint32_t end, struct err *err)
{
	if (id < 0)
		return add_unknown(w, s, n, end, err);
	return flush_unknown(w, err) ? -1 : add_symbol(w, id, end, err);
}

/* One character of a vocabulary whose words have prefixes or suffixes. */
static int add_affixed(struct bpe_work *w, const char *s, size_t n, bool first, bool last,
	uint32_t end, struct err *err)
{
	const struct bpe *b = w->bpe;

	buf_clear(&w->text);
	if (!first && b->prefix)
		buf_add_str(&w->text, b->prefix);
	buf_add(&w->text, s, n);
	if (last && b->suffix)
		buf_add_str(&w->text, b->suffix);
	if (buf_check(&w->text, err))
		return -1;
	return add_character(w, vocab_get(&b->vocab, w->text.data, w->text.len), w->text.data,
		w->text.len, end, err);
}

static int split_characters(
	struct bpe_work *w, const char *word, size_t n, bool byte_level, struct err *err)
{
	const struct bpe *b = w->bpe;
	bool affixed = b->prefix || b->suffix;
	char text[4];
	const char *s;
	size_t size, step;
	int32_t id;
	int result;

	w->n = 0;
	w->unknown = false;
	for (size_t i = 0; i < n; i += step) {
		unsigned char c = (unsigned char)word[i];

		step = byte_level ? 1 : uchar_size(word[i]);
		s = byte_level ? text : word + i;
		size = byte_level ? (size_t)utf8_encode(text, bpe_byte_character(c)) : step;
		if (affixed) {
			result = add_affixed(
				w, s, size, i == 0, i + step == n, (uint32_t)(i + step), err);
		} else {
			id = byte_level ? b->level_ids[c]
			     : c < 128	? b->ascii_ids[c]
					: vocab_get(&b->vocab, s, size);
			result = add_character(w, id, s, size, (uint32_t)(i + step), err);
		}
		if (result)
			return -1;
	}
	return flush_unknown(w, err);
}

/* ---- merging */

/* bytes: those that the symbols stand for, one each; or NULL. */
static void merge_few(struct bpe_work *w, const unsigned char *bytes)
{
	const struct bpe *b = w->bpe;
	struct symbol *symbols = w->symbols;
	uint32_t ranks[SHORT], lowest;
	size_t n = w->n, at;

	for (size_t i = 0; i + 1 < n; i++)
		ranks[i] = bytes ? b->byte_ranks[bytes[i] << 8 | bytes[i + 1]]
				 : bpe_rank(b, symbols[i].id, symbols[i + 1].id);
	while (n > 1) {
		lowest = BPE_NO_RANK;
		at = 0;
		for (size_t i = 0; i + 1 < n; i++) {
			if (ranks[i] < lowest) {
				lowest = ranks[i];
				at = i;
			}
		}
		if (lowest == BPE_NO_RANK)
			break;
		symbols[at].id = b->made[lowest];
		symbols[at].end = symbols[at + 1].end;
		memmove(symbols + at + 1, symbols + at + 2, (n - at - 2) * sizeof *symbols);
		n--;
		if (at + 1 < n)
			memmove(ranks + at + 1, ranks + at + 2, (n - at - 2) * sizeof *ranks);
		for (size_t i = at > 0 ? at - 1 : at; i <= at && i + 1 < n; i++)
			ranks[i] = bpe_rank(b, symbols[i].id, symbols[i + 1].id);
	}
	w->n = n;
}

static void sift_down(uint64_t *heap, size_t n, size_t at)
{
	uint64_t item = heap[at];

	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= item)
			break;
		heap[at] = heap[child];
	}
	heap[at] = item;
}

/*
 * Adds the pair that begins at that symbol, where it has a rank; restores the heap's order only if
 * told.
 */
static int push_pair(struct bpe_work *w, uint32_t at, bool ordered, struct err *err)
{
	const struct symbol *left = &w->symbols[at];
	uint32_t rank;
	uint64_t item;
	size_t i;

	if (left->next == NONE)
		return 0;
	rank = bpe_rank(w->bpe, left->id, w->symbols[left->next].id);
	if (rank == BPE_NO_RANK)
		return 0;
	if (mem_grow(&w->heap, &w->heap_cap, w->heap_n + 1, sizeof *w->heap, err))
		return -1;
	item = (uint64_t)rank << 32 | at;
	i = w->heap_n++;
	for (; ordered && i > 0 && w->heap[(i - 1) / 2] > item; i = (i - 1) / 2)
		w->heap[i] = w->heap[(i - 1) / 2];
	w->heap[i] = item;
	return 0;
}

static int merge_many(struct bpe_work *w, struct err *err)
{
	const struct bpe *b = w->bpe;
	struct symbol *s = w->symbols, *left, *right;
	uint32_t rank;
	uint64_t top;
	size_t to = 0;

	for (size_t i = 0; i < w->n; i++) {
		s[i].prev = i ? (uint32_t)i - 1 : NONE;
		s[i].next = i + 1 < w->n ? (uint32_t)i + 1 : NONE;
	}
	w->heap_n = 0;
	for (size_t i = 0; i < w->n; i++)
		if (push_pair(w, (uint32_t)i, false, err))
			return -1;
	for (size_t i = w->heap_n / 2; i-- > 0;)
		sift_down(w->heap, w->heap_n, i);
	while (w->heap_n) {
		top = w->heap[0];
		w->heap[0] = w->heap[--w->heap_n];
		sift_down(w->heap, w->heap_n, 0);
		left = &s[(uint32_t)top];
		if (left->id < 0 || left->next == NONE)
			continue;
		right = &s[left->next];
		rank = bpe_rank(b, left->id, right->id);
		if (rank == BPE_NO_RANK || b->made[rank] != b->made[top >> 32])
			continue; /* what was there when this was pushed has been merged since */
		left->id = b->made[rank];
		left->end = right->end;
		left->next = right->next;
		right->id = -1;
		if (right->next != NONE)
			s[right->next].prev = (uint32_t)top;
		if ((left->prev != NONE && push_pair(w, left->prev, true, err)) ||
			push_pair(w, (uint32_t)top, true, err))
			return -1;
	}
	for (size_t i = 0; i < w->n; i++)
		if (s[i].id >= 0)
			s[to++] = s[i];
	w->n = to;
	return 0;
}

/* ---- words */

/* *id: the token that the whole word is, whatever merges say, or -1. */
static int find_whole(struct bpe_work *w, const char *word, size_t n, bool byte_level, int32_t *id,
	struct err *err)
{
	const struct bpe *b = w->bpe;
	char *to;

	*id = -1;
	if (!b->ignore_merges || n > b->longest)
		return 0;
	if (!byte_level) {
		*id = vocab_get(&b->vocab, word, n);
		return 0;
	}
	buf_clear(&w->text);
	to = buf_extend(&w->text, 2 * n);
	if (!to)
		return buf_check(&w->text, err);
	for (size_t i = 0; i < n; i++) {
		const char *text = b->level_text[(unsigned char)word[i]];

		memcpy(to, text, 2);
		to += text[2];
	}
	*id = vocab_get(&b->vocab, w->text.data, (size_t)(to - w->text.data));
	return 0;
}

/* Each byte to its symbol. */
static int split_bytes(struct bpe_work *w, const unsigned char *bytes, size_t n, struct err *err)
{
	if (mem_grow(&w->symbols, &w->cap, n, sizeof *w->symbols, err))
		return -1;
	for (size_t i = 0; i < n; i++)
		w->symbols[i] =
			(struct symbol){.id = w->bpe->level_ids[bytes[i]], .end = (uint32_t)i + 1};
	w->n = n;
	return 0;
}

/* The word's symbols to w, merged as far as they go. */
static int make_symbols(
	struct bpe_work *w, const char *word, size_t n, bool byte_level, struct err *err)
{
	const struct bpe *b = w->bpe;
	const unsigned char *bytes =
		byte_level && b->all_bytes ? (const unsigned char *)word : NULL;
	int32_t id;

	if (find_whole(w, word, n, byte_level, &id, err))
		return -1;
	w->n = 0;
	if (id >= 0)
		return add_symbol(w, id, (uint32_t)n, err);
	if (bytes ? split_bytes(w, bytes, n, err) : split_characters(w, word, n, byte_level, err))
		return -1;
	if (w->n > SHORT)
		return merge_many(w, err);
	merge_few(w, bytes);
	return 0;
}

static bool is_letter(int kind)
{
	return kind < BPE_SPACE && uchar_ascii[kind] == UCHAR_LETTER;
}

size_t bpe_part_end(const struct bpe *b, const char *word, size_t n, size_t at)
{
	int kind = bpe_kind(word + at), next;

	for (at += uchar_size(word[at]); at < n; at += uchar_size(word[at])) {
		next = bpe_kind(word + at);
		if (!b->joins[kind][next])
			break;
		if (is_letter(next)) /* all letters are joined */
			at = (size_t)(uchar_skip_letters(word + at, word + n) - word) - 1;
		kind = bpe_kind(word + at);
	}
	return at;
}

int bpe_encode(struct bpe_work *w, const char *word, size_t n, bool byte_level, struct ids *ids,
	struct ids *ends, struct err *err)
{
	if (make_symbols(w, word, n, byte_level, err) || ids_reserve(ids, w->n, err) ||
		(ends && ids_reserve(ends, w->n, err)))
		return -1;
	for (size_t i = 0; i < w->n; i++)
		ids->v[ids->n++] = w->symbols[i].id;
	for (size_t i = 0; ends && i < w->n; i++)
		ends->v[ends->n++] = (int32_t)w->symbols[i].end;
	return 0;
}
