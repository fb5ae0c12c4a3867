#include "text/pretokenize_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/scan.h"
#include "text/uchar.h"

void pretokenize_work_release(struct pretokenize_work *w)
{
	for (int i = 0; i < 2; i++) {
		buf_release(&w->text[i]);
		free(w->words[i].v);
	}
}

/* ---- splitting */

static int add_word(struct words *words, size_t at, size_t end, struct err *err)
{
	if (at == end)
		return 0;
	if (words->n == words->cap &&
		mem_grow(&words->v, &words->cap, words->n + 1, sizeof *words->v, err))
		return -1;
	words->v[words->n++] = (struct word){at, end - at};
	return 0;
}

/*
 * Stretches of a text, in order and without gaps, matches and what is between them, to words. All
 * behaviors but Isolated and Removed may join a stretch to the one before.
 */
struct joiner {
	enum split_behavior behavior;
	struct words *out;
	bool held, was_match; /* a stretch waits for what comes next */
	size_t at, end;
};

static int join(struct joiner *j, size_t at, size_t end, bool is_match, struct err *err)
{
	bool joins = j->held;

	if (j->behavior == SPLIT_ISOLATED || j->behavior == SPLIT_REMOVED)
		return is_match && j->behavior == SPLIT_REMOVED ? 0
								: add_word(j->out, at, end, err);
	if (j->behavior == SPLIT_CONTIGUOUS)
		joins = joins && is_match == j->was_match;
	else if (j->behavior == SPLIT_MERGED_WITH_PREVIOUS)
		joins = joins && is_match && !j->was_match;
	else
		joins = joins && !is_match && j->was_match;
	if (j->held && !joins && add_word(j->out, j->at, j->end, err))
		return -1;
	if (!joins)
		j->at = at;
	j->end = end;
	j->held = true;
	j->was_match = is_match;
	return 0;
}

static int join_last(struct joiner *j, struct err *err)
{
	return j->held ? add_word(j->out, j->at, j->end, err) : 0;
}

/* One word of text at the matches of a pattern written out by hand, which cover all of it. */
static int split_scan(
	enum scan_rule rule, const char *text, struct word word, struct words *out, struct err *err)
{
	size_t end;

	for (size_t at = 0; at < word.n; at = end) {
		end = scan_next(rule, text + word.at, word.n, at);
		if (add_word(out, word.at + at, word.at + end, err))
			return -1;
	}
	return 0;
}

/* Likewise at the matches of any pattern. */
static int split_pattern(const struct split_step *step, struct matcher *m, const char *text,
	struct word word, struct words *out, struct err *err)
{
	struct joiner j = {.behavior = step->behavior, .out = out};
	struct pattern_search search = PATTERN_SEARCH(text + word.at, word.n);
	enum scan_rule rule = pattern_rule(step->pattern);
	size_t end = 0;
	int found;

	if (rule != SCAN_NONE && step->behavior == SPLIT_ISOLATED)
		return split_scan(rule, text, word, out, err);
	while ((found = pattern_next(step->pattern, m, &search, err)) > 0) {
		if (end < search.start &&
			join(&j, word.at + end, word.at + search.start, step->invert, err))
			return -1;
		if (join(&j, word.at + search.start, word.at + search.end, !step->invert, err))
			return -1;
		end = search.end;
	}
	if (found < 0 ||
		(end < word.n && join(&j, word.at + end, word.at + word.n, step->invert, err)))
		return -1;
	return join_last(&j, err);
}

static int split_characters(const struct split_step *step, const char *text, struct word word,
	struct words *out, struct err *err)
{
	struct joiner j = {.behavior = step->behavior, .out = out};
	const char *s = text + word.at, *end = s + word.n, *from = s, *at;

	while (s < end) {
		at = s;
		if (!step->is_match(uchar_next(&s)))
			continue;
		if (from < at && join(&j, (size_t)(from - text), (size_t)(at - text), false, err))
			return -1;
		if (join(&j, (size_t)(at - text), (size_t)(s - text), true, err))
			return -1;
		from = s;
	}
	if (from < end && join(&j, (size_t)(from - text), (size_t)(end - text), false, err))
		return -1;
	return join_last(&j, err);
}

/* \w+|[^\w\s]+ */
static int split_words(const char *text, struct word word, struct words *out, struct err *err)
{
	const char *s = text + word.at, *end = s + word.n, *from = s, *at;
	int last = 0, kind;

	while (s < end) {
		uint32_t cp;

		at = s;
		cp = uchar_next(&s);
		kind = uchar_is_word(cp) ? 1 : uchar_is_space(cp) ? 0 : 2;
		if (kind == last)
			continue;
		if (last && add_word(out, (size_t)(from - text), (size_t)(at - text), err))
			return -1;
		from = at;
		last = kind;
	}
	return last ? add_word(out, (size_t)(from - text), (size_t)(end - text), err) : 0;
}

static int split_length(const struct split_step *step, const char *text, struct word word,
	struct words *out, struct err *err)
{
	size_t at = word.at, end = at, stop = at + word.n;

	for (; at < stop; at = end) {
		for (int64_t i = 0; i < step->length && end < stop; i++)
			end += uchar_size(text[end]);
		if (add_word(out, at, end, err))
			return -1;
	}
	return 0;
}

/* ---- rewriting: words of one text to words of another */

struct rewriting {
	const char *text; /* old */
	struct buf *out;
	struct places old, *places;
	size_t done; /* of the old text */
};

/* What lies between words is dropped. */
static void skip_to(struct rewriting *r, size_t at)
{
	places_replace(r->places, &r->old, r->done, at - r->done, r->out->len, 0);
	r->done = at;
}

/* The next n bytes become `made`. */
static void put(struct rewriting *r, size_t n, const char *made, size_t size)
{
	places_replace(r->places, &r->old, r->done, n, r->out->len, size);
	buf_add(r->out, made, size);
	r->done += n;
}

/* Something new that goes with the character behind it. */
static void put_before(struct rewriting *r, const char *made, size_t size)
{
	put(r, 1, made, size);
	r->done--;
}

static void copy(struct rewriting *r, size_t n)
{
	places_copy(r->places, &r->old, r->done, n, r->out->len);
	buf_add(r->out, r->text + r->done, n);
	r->done += n;
}

/* From `from` on, a word begins at each replacement character. */
static int split_metaspace(const struct split_step *step, const struct buf *out, size_t from,
	struct words *words, struct err *err)
{
	size_t n = strlen(step->metaspace.mark), at = from, behind;
	const char *next;

	while (step->metaspace.split) {
		behind = at + uchar_size(out->data[at]);
		next = memmem(out->data + behind, out->len - behind, step->metaspace.mark, n);
		if (!next)
			break;
		if (add_word(words, at, (size_t)(next - out->data), err))
			return -1;
		at = (size_t)(next - out->data);
	}
	return add_word(words, at, out->len, err);
}

static int rewrite_metaspace(const struct split_step *step, struct rewriting *r, struct word word,
	struct words *words, struct err *err)
{
	size_t n = strlen(step->metaspace.mark), from = r->out->len, end = word.at + word.n, stop;
	const char *start = r->text + word.at, *space;
	bool marked = *start == ' ' || (word.n >= n && !memcmp(start, step->metaspace.mark, n));

	if (!marked &&
		(step->metaspace.prepend == METASPACE_ALWAYS ||
			(step->metaspace.prepend == METASPACE_FIRST && word.at < r->old.at[0])))
		put_before(r, step->metaspace.mark, n);
	while (r->done < end) {
		space = memchr(r->text + r->done, ' ', end - r->done);
		stop = space ? (size_t)(space - r->text) : end;
		copy(r, stop - r->done);
		if (space)
			put(r, 1, step->metaspace.mark, n);
	}
	if (buf_check(r->out, err))
		return -1;
	return split_metaspace(step, r->out, from, words, err);
}

static int rewrite_prefix(
	struct rewriting *r, struct word word, struct words *words, struct err *err)
{
	size_t from = r->out->len;

	if (r->text[word.at] != ' ')
		put_before(r, " ", 1);
	copy(r, word.n);
	return add_word(words, from, r->out->len, err);
}

static int rewrite_bytes(
	struct rewriting *r, struct word word, struct words *words, struct err *err)
{
	size_t from = r->out->len;
	char text[4];

	for (size_t i = 0; i < word.n; i++)
		put(r, 1, text,
			(size_t)utf8_encode(
				text, bpe_byte_character((unsigned char)r->text[word.at + i])));
	return add_word(words, from, r->out->len, err);
}

/* ---- steps */

enum action { SPLITS, PREFIXES, MAPS_BYTES };

struct run {
	struct pretokenize_work *w;
	struct matcher *m;
	const char *text;
	size_t n;
	struct places *places;
	int words, buffer; /* which of w->words holds the words, which of w->text is free */
};

static int act_on(const struct split_step *step, enum action action, struct run *run,
	struct rewriting *r, struct word word, struct words *out, struct err *err)
{
	if (action == PREFIXES)
		return rewrite_prefix(r, word, out, err);
	if (action == MAPS_BYTES)
		return rewrite_bytes(r, word, out, err);
	if (step->kind == SPLIT_METASPACE)
		return rewrite_metaspace(step, r, word, out, err);
	if (step->kind == SPLIT_CHARACTERS)
		return split_characters(step, run->text, word, out, err);
	if (step->kind == SPLIT_LENGTH)
		return split_length(step, run->text, word, out, err);
	if (step->kind == SPLIT_WORDS)
		return split_words(run->text, word, out, err);
	return split_pattern(step, run->m, run->text, word, out, err);
}

static int act(const struct split_step *step, enum action action, struct run *run, struct err *err)
{
	const struct words *in = &run->w->words[run->words];
	struct words *out = &run->w->words[!run->words];
	bool rewrites = action != SPLITS || step->kind == SPLIT_METASPACE;
	struct rewriting r = {run->text, &run->w->text[run->buffer], *run->places, run->places, 0};

	out->n = 0;
	if (rewrites) {
		buf_clear(r.out);
		*r.places = (struct places){.at = {0}};
	}
	for (size_t i = 0; i < in->n; i++) {
		if (rewrites)
			skip_to(&r, in->v[i].at);
		if (act_on(step, action, run, &r, in->v[i], out, err))
			return -1;
	}
	run->words = !run->words;
	if (!rewrites)
		return 0;
	skip_to(&r, run->n);
	if (buf_check(r.out, err))
		return -1;
	if (r.out->len > NORMALIZE_MAX)
		return err_set(
			err, ERR_LIMIT, "pre-tokenized text of more than %zu bytes", NORMALIZE_MAX);
	run->text = r.out->data;
	run->n = r.out->len;
	run->buffer = !run->buffer;
	return 0;
}

const struct words *pretokenize_run(const struct pretokenize *t, struct pretokenize_work *w,
	struct matcher *m, const char **text, size_t *n, struct places *places, struct err *err)
{
	struct run run = {w, m, *text, *n, places, 0, 0};

	w->words[0].n = 0;
	if (add_word(&w->words[0], 0, *n, err))
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		const struct split_step *step = &t->steps[i];

		if (step->prefix_space && act(step, PREFIXES, &run, err))
			return NULL;
		if ((step->kind != SPLIT_BYTE_LEVEL || step->pattern) &&
			act(step, SPLITS, &run, err))
			return NULL;
		if (step->kind == SPLIT_BYTE_LEVEL && i + 1 < t->n &&
			act(step, MAPS_BYTES, &run, err))
			return NULL;
	}
	*text = run.text;
	*n = run.n;
	return &w->words[run.words];
}
