#include "text/unigram.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/field.h"
#include "text/trie.h"
#include "text/uchar.h"

#define PENALTY 10.0 /* of an unknown character */

struct unigram {
	struct vocab vocab;
	struct trie trie;
	double *scores; /* by id */
	size_t n;
	double unknown_score;
	int32_t unk; /* -1: none */
	bool byte_fallback;
	int32_t byte_ids[256];
};

/* The best way to a place of the word: its last token. */
struct way {
	double score;
	int32_t id; /* of it, -1: no way yet */
	uint32_t start;
};

struct unigram_work {
	struct way *ways;
	size_t cap;
};

/* ---- loading */

/*
 * A number as the library reads it: all its digits as one integer, the last ones dropped where 64 bits do not
 * hold them, divided by a power of ten. That rounds twice, which decides between ways of the same score.
 */
static double read_number(const char *s)
{
	bool negative = *s == '-', point = false, full = false;
	uint64_t digits = 0, next = 0;
	long exponent = 0;
	char power[24];
	double x;

	for (s += negative; (*s >= '0' && *s <= '9') || *s == '.'; s++) {
		if (*s == '.') {
			point = true;
			continue;
		}
		full = full || __builtin_mul_overflow(digits, 10, &next) ||
		       __builtin_add_overflow(next, (uint64_t)(*s - '0'), &next);
		digits = full ? digits : next;
		exponent += full - point;
	}
	if (*s == 'e' || *s == 'E')
		exponent += strtol(s + 1, NULL, 10) % 100000;
	x = negative ? -(double)digits : (double)digits;
	for (; exponent < -308 && x != 0; exponent += 308)
		x /= 1e308;
	snprintf(power, sizeof power, "1e%ld", labs(exponent));
	return exponent < 0 ? x / strtod(power, NULL) : x * strtod(power, NULL);
}

static int load_entry(
	struct unigram *u, const struct json *entry, int32_t id, double *lowest, struct err *err)
{
	size_t n;
	const char *token = json_string(json_first(entry), &n), *number;
	double *score = &u->scores[id];

	if (!token || !json_number(json_next(json_first(entry)), score) || json_count(entry) != 2)
		return err_set(
			err, ERR_CORRUPT, "model: entry %d of vocab is not [\"token\",score]", id);
	number = json_number_text(json_next(json_first(entry)));
	if (number)
		*score = read_number(number);
	if (*score < *lowest)
		*lowest = *score;
	return vocab_put(&u->vocab, token, n, id, err) || trie_put(&u->trie, token, n, id, err) ? -1
												: 0;
}

static int load(struct unigram *u, const struct json *model, struct err *err)
{
	const struct json *list = json_get(model, "vocab");
	double lowest = 1.0 / 0.0;
	int64_t unk = -1;
	int32_t id = 0;

	u->n = json_count(list);
	if (json_kind(list) != JSON_ARRAY || u->n >= INT32_MAX)
		return err_set(err, ERR_CORRUPT, "model: vocab is no list");
	u->scores = mem_new(u->n, sizeof *u->scores, err);
	if (!u->scores)
		return -1;
	for (const struct json *v = json_first(list); v; v = json_next(v))
		if (load_entry(u, v, id++, &lowest, err))
			return -1;
	if (field_int(model, "unk_id", true, (int64_t)u->n - 1, &unk, err) ||
		field_bool(model, "byte_fallback", true, &u->byte_fallback, err))
		return err_at(err, "model");
	u->unk = (int32_t)unk;
	u->unknown_score = lowest - PENALTY;
	vocab_bytes(&u->vocab, u->byte_ids);
	return 0;
}

struct unigram *unigram_new(const struct json *model, struct err *err)
{
	struct unigram *u = mem_new(1, sizeof *u, err);

	if (!u)
		return NULL;
	u->vocab = (struct vocab)VOCAB_INIT;
	if (load(u, model, err)) {
		unigram_free(u);
		return NULL;
	}
	return u;
}

void unigram_free(struct unigram *u)
{
	if (!u)
		return;
	vocab_release(&u->vocab);
	trie_release(&u->trie);
	free(u->scores);
	free(u);
}

const struct vocab *unigram_vocab(const struct unigram *u)
{
	return &u->vocab;
}

size_t unigram_size(const struct unigram *u)
{
	return u->n;
}

struct unigram_work *unigram_work_new(struct err *err)
{
	return mem_new(1, sizeof(struct unigram_work), err);
}

void unigram_work_free(struct unigram_work *w)
{
	if (!w)
		return;
	free(w->ways);
	free(w);
}

/* ---- encoding */

static bool improve(
	struct way *to, const struct way *from, double score, int32_t id, uint32_t start)
{
	score += from->score;
	if (to->start != UINT32_MAX && !(score > to->score))
		return false;
	*to = (struct way){score, id, start};
	return true;
}

static int no_unknown(const char *s, size_t n, struct err *err)
{
	return err_set(err, ERR_FAILED,
		"'%.*s' is not in the vocabulary, which has no unknown token",
		(int)(n < 40 ? n : 40), s);
}

/* The ways to all places of the word, from the left. */
static int find_ways(
	const struct unigram *u, struct way *ways, const char *word, size_t n, struct err *err)
{
	size_t size;

	for (size_t at = 0; at < n; at += size) {
		uint32_t node = TRIE_ROOT;
		bool alone = false;

		size = uchar_size(word[at]);
		for (size_t end = at; end < n && (node = trie_step(&u->trie, node, word[end]));) {
			int32_t id = trie_value(&u->trie, node);

			if (++end, id < 0)
				continue;
			improve(&ways[end], &ways[at], u->scores[id], id, (uint32_t)at);
			alone |= end == at + size;
		}
		if (!alone &&
			improve(&ways[at + size], &ways[at], u->unknown_score, u->unk,
				(uint32_t)at) &&
			u->unk < 0)
			return no_unknown(word + at, size, err);
	}
	return 0;
}

static int add(struct ids *ids, struct ids *ends, int32_t id, size_t end, struct err *err)
{
	return ids_add(ids, id, err) || (ends && ids_add(ends, (int32_t)end, err)) ? -1 : 0;
}

/* What is unknown from `at` to `end`: a token after all, or bytes' tokens, or the unknown one. */
static int add_unknown(const struct unigram *u, const char *word, size_t at, size_t end,
	struct ids *ids, struct ids *ends, struct err *err)
{
	int32_t id = vocab_get(&u->vocab, word + at, end - at);
	size_t known = at;

	while (id < 0 && u->byte_fallback && known < end &&
		u->byte_ids[(unsigned char)word[known]] >= 0)
		known++;
	if (id < 0 && known < end)
		id = u->unk;
	if (id >= 0)
		return add(ids, ends, id, end, err);
	for (; at < end; at++)
		if (add(ids, ends, u->byte_ids[(unsigned char)word[at]], end, err))
			return -1;
	return 0;
}

/*
 * The way to the end, in order. Each place's `start` is where its last token begins; turned around first, so
 * that it is where the next one ends.
 */
static int follow(const struct unigram *u, struct way *ways, const char *word, size_t n,
	struct ids *ids, struct ids *ends, struct err *err)
{
	uint32_t end = (uint32_t)n, start, next = 0;
	int32_t id = ways[n].id, before;

	while (end > 0) {
		start = ways[end].start;
		before = ways[start].id;
		ways[start].id = id;
		ways[end].start = next;
		next = end;
		end = start;
		id = before;
	}
	ways[0].start = next;
	for (size_t at = 0; at < n; at = end) {
		id = ways[at].id;
		end = ways[at].start;
		while (id == u->unk && end < n && ways[end].id == id)
			end = ways[end].start;
		if (id == u->unk ? add_unknown(u, word, at, end, ids, ends, err)
				 : add(ids, ends, id, end, err))
			return -1;
	}
	return 0;
}

int unigram_encode(const struct unigram *u, struct unigram_work *w, const char *word, size_t n,
	struct ids *ids, struct ids *ends, struct err *err)
{
	if (mem_grow(&w->ways, &w->cap, n + 1, sizeof *w->ways, err))
		return -1;
	for (size_t i = 0; i <= n; i++)
		w->ways[i] = (struct way){.id = -1, .start = UINT32_MAX};
	w->ways[0].start = 0;
	return find_ways(u, w->ways, word, n, err) || follow(u, w->ways, word, n, ids, ends, err)
		       ? -1
		       : 0;
}
