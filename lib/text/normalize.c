#include "text/normalize.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "text/charmap.h"
#include "text/charsmap.h"
#include "text/field.h"
#include "text/normalize_form.h"
#include "text/uchar.h"

struct step {
	enum step_kind { PREPEND, REPLACE, FORM, MAP, PRECOMPILED, STRIP } kind;
	char *text; /* PREPEND: what; REPLACE: by what */
	size_t n;
	struct pattern *pattern;   /* REPLACE */
	int form;		   /* FORM: utf8proc's options */
	charmap *map;		   /* MAP */
	struct charsmap *charsmap; /* PRECOMPILED */
	bool left, right;	   /* STRIP */
};

struct normalize {
	struct step *steps;
	size_t n, cap;
};

/* ---- places */

void places_copy(struct places *p, const struct places *old, size_t from, size_t n, size_t to)
{
	for (int i = 0; i < 2; i++)
		if (old->at[i] > from)
			p->at[i] = to + (old->at[i] - from < n ? old->at[i] - from : n);
	if (old->plain)
		buf_add(old->made, old->plain + from, n);
}

void places_replace(
	struct places *p, const struct places *old, size_t from, size_t n, size_t to, size_t made)
{
	for (int i = 0; i < 2; i++) {
		if (old->at[i] && old->at[i] >= from + n)
			p->at[i] = to + made;
		else if (old->at[i] > from)
			p->at[i] = to;
	}
	if (old->plain) {
		char *room = buf_extend(old->made, made);

		if (room)
			memset(room, n && memchr(old->plain + from, 1, n) != NULL, made);
	}
}

/* ---- loading */

static int load(struct normalize *z, const struct json *v, struct err *err);

static const struct {
	const char *name;
	int form; /* utf8proc's options; or */
	charmap *map;
} simple[] = {{"NFC", UTF8PROC_COMPOSE, NULL}, {"NFD", UTF8PROC_DECOMPOSE, NULL},
	{"NFKC", UTF8PROC_COMPOSE | UTF8PROC_COMPAT, NULL},
	{"NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, NULL}, {"Lowercase", 0, charmap_lower},
	{"StripAccents", 0, charmap_marks}, {"Nmt", 0, charmap_nmt},
	{"ByteLevel", 0, charmap_bytes}};

static int load_precompiled(const struct json *v, struct step *step, struct err *err)
{
	size_t n;
	const char *text = json_string(json_get(v, "precompiled_charsmap"), &n);

	step->kind = PRECOMPILED;
	if (!text)
		return err_set(err, ERR_CORRUPT, "no precompiled_charsmap");
	step->charsmap = charsmap_new_base64(text, n, err);
	return step->charsmap ? 0 : -1;
}

static int load_step(const struct json *v, const char *type, struct step *step, struct err *err)
{
	for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
		if (!strcmp(type, simple[i].name)) {
			step->kind = simple[i].map ? MAP : FORM;
			step->form = simple[i].form | UTF8PROC_STABLE;
			step->map = simple[i].map;
			return 0;
		}
	}
	if (!strcmp(type, "Prepend")) {
		step->kind = PREPEND;
		return field_string(v, "prepend", false, &step->text, &step->n, err);
	}
	if (!strcmp(type, "Replace")) {
		step->kind = REPLACE;
		step->pattern = pattern_new(json_get(v, "pattern"), err);
		return step->pattern ? field_string(v, "content", false, &step->text, &step->n, err)
				     : -1;
	}
	if (!strcmp(type, "Precompiled"))
		return load_precompiled(v, step, err);
	if (strcmp(type, "Strip"))
		return err_set(err, ERR_FAILED, "not supported");
	step->kind = STRIP;
	return field_bool(v, "strip_left", false, &step->left, err) ||
			       field_bool(v, "strip_right", false, &step->right, err)
		       ? -1
		       : 0;
}

static struct step *add_step(struct normalize *z, struct step step, struct err *err)
{
	if (mem_grow(&z->steps, &z->cap, z->n + 1, sizeof *z->steps, err))
		return NULL;
	z->steps[z->n] = step;
	return &z->steps[z->n++];
}

/* BERT's is four of the others, each if it is asked for. */
static int load_bert(struct normalize *z, const struct json *v, struct err *err)
{
	const struct json *strip = json_get(v, "strip_accents");
	bool clean, chinese, accents, lower;

	if (field_bool(v, "clean_text", false, &clean, err) ||
		field_bool(v, "handle_chinese_chars", false, &chinese, err) ||
		field_bool(v, "lowercase", false, &lower, err))
		return -1;
	accents = lower;
	if (json_kind(strip) != JSON_NONE && field_bool(v, "strip_accents", true, &accents, err))
		return -1;
	if ((clean && !add_step(z, (struct step){.kind = MAP, .map = charmap_clean}, err)) ||
		(chinese &&
			!add_step(z, (struct step){.kind = MAP, .map = charmap_chinese}, err)) ||
		(accents && (!add_step(z,
				     (struct step){.kind = FORM,
					     .form = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE},
				     err) ||
				    !add_step(z, (struct step){.kind = MAP, .map = charmap_accents},
					    err))) ||
		(lower && !add_step(z, (struct step){.kind = MAP, .map = charmap_lower}, err)))
		return -1;
	return 0;
}

static int load_sequence(struct normalize *z, const struct json *list, struct err *err)
{
	if (json_kind(list) != JSON_ARRAY)
		return err_set(err, ERR_CORRUPT, "normalizer 'Sequence': normalizers is no list");
	for (const struct json *v = json_first(list); v; v = json_next(v))
		if (load(z, v, err))
			return -1;
	return 0;
}

static int load(struct normalize *z, const struct json *v, struct err *err)
{
	const char *type = json_text(json_get(v, "type"));
	struct step *step;

	if (!type)
		return err_set(err, ERR_CORRUPT, "a normalizer without a type");
	if (!strcmp(type, "Sequence"))
		return load_sequence(z, json_get(v, "normalizers"), err);
	if (!strcmp(type, "BertNormalizer") || !strcmp(type, "Bert"))
		return load_bert(z, v, err) ? err_at(err, "normalizer '%s'", type) : 0;
	step = add_step(z, (struct step){.text = NULL}, err);
	if (!step)
		return -1;
	return load_step(v, type, step, err) ? err_at(err, "normalizer '%s'", type) : 0;
}

struct normalize *normalize_new(const struct json *v, struct err *err)
{
	struct normalize *z = mem_new(1, sizeof *z, err);

	if (z && json_kind(v) != JSON_NONE && json_kind(v) != JSON_NULL && load(z, v, err)) {
		normalize_free(z);
		return NULL;
	}
	return z;
}

void normalize_free(struct normalize *z)
{
	if (!z)
		return;
	for (size_t i = 0; i < z->n; i++) {
		free(z->steps[i].text);
		pattern_free(z->steps[i].pattern);
		charsmap_free(z->steps[i].charsmap);
	}
	free(z->steps);
	free(z);
}

void normalize_work_release(struct normalize_work *w)
{
	for (int i = 0; i < 2; i++) {
		buf_release(&w->text[i]);
		buf_release(&w->plain[i]);
	}
	free(w->points);
}

/* ---- steps */

static size_t count_byte(const char *s, size_t n, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += s[i] == byte;
	return count;
}

/*
 * Copies up to the first such byte, or all: how many. Words are short: eight bytes at a time, n of them at most, of
 * which some may be past that byte.
 */
static size_t copy_until(char *to, const char *in, size_t n, unsigned char byte)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t eight, found;
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		memcpy(&eight, in + i, 8);
		memcpy(to + i, &eight, 8);
		eight ^= ones * byte;
		found = (eight - ones) & ~eight & ones * 0x80; /* its lowest bit: of the first byte that is 0 */
		if (found)
			return i + (size_t)__builtin_ctzll(found) / 8;
	}
	for (; i < n && (unsigned char)in[i] != byte; i++)
		to[i] = in[i];
	return i;
}

/* Every such byte becomes the step's text; for most texts of SentencePiece's vocabularies, spaces. */
static void run_replace_byte(const struct step *step, char byte, const char *in, size_t n,
	struct buf *out, struct places *p)
{
	size_t made = step->n, count = count_byte(in, n, byte), copied;
	char *to = buf_extend(out, n + count * made - count);

	for (int i = 0; i < 2; i++)
		p->at[i] += count_byte(in, p->at[i], byte) * (made - 1);
	for (size_t at = 0; to && at < n; at++) {
		copied = copy_until(to, in + at, n - at, (unsigned char)byte);
		at += copied;
		to += copied;
		for (size_t i = 0; at < n && i < made; i++)
			*to++ = step->text[i];
	}
}

static int run_replace(const struct step *step, struct matcher *m, const char *in, size_t n,
	struct buf *out, struct places *p, struct err *err)
{
	struct pattern_search search = PATTERN_SEARCH(in, n);
	struct places old = *p;
	size_t copied = 0;
	int found, byte = pattern_byte(step->pattern);

	if (byte >= 0 && step->n && !p->plain && n <= NORMALIZE_MAX / step->n) {
		run_replace_byte(step, (char)byte, in, n, out, p);
		return 0;
	}

	*p = (struct places){.at = {0}};
	while ((found = pattern_next(step->pattern, m, &search, err)) > 0) {
		places_copy(p, &old, copied, search.start - copied, out->len);
		buf_add(out, in + copied, search.start - copied);
		places_replace(p, &old, search.start, search.end - search.start, out->len, step->n);
		buf_add(out, step->text, step->n);
		copied = search.end;
		if (out->len > NORMALIZE_MAX)
			return 0;
	}
	places_copy(p, &old, copied, n - copied, out->len);
	buf_add(out, in + copied, n - copied);
	return found;
}

static void run_map(charmap *map, const char *in, size_t n, struct buf *out, struct places *p)
{
	const char *s = in, *end = in + n, *at;
	struct places old = *p;
	char text[CHARMAP_MAX];
	size_t size;

	*p = (struct places){.at = {0}};
	while (s < end) {
		at = s;
		size = map(uchar_next(&s), text);
		places_replace(p, &old, (size_t)(at - in), (size_t)(s - at), out->len, size);
		buf_add(out, text, size);
	}
}

/* Where the grapheme cluster at s ends, that is a letter with its marks. */
static const char *cluster_end(const char *s, const char *end)
{
	utf8proc_int32_t state = 0, cp = (utf8proc_int32_t)uchar_next(&s), next;
	const char *at;

	while (s < end) {
		at = s;
		if (cp < 0x80 && (unsigned char)*s < 0x80 && cp != '\r')
			return s;
		next = (utf8proc_int32_t)uchar_next(&at);
		if (utf8proc_grapheme_break_stateful(cp, next, &state))
			return s;
		s = at;
		cp = next;
	}
	return end;
}

/* Behind the ASCII characters at s that the map leaves alone, but for one that a mark may join. */
static const char *skip_kept(const struct charsmap *map, const char *s, const char *end)
{
	const char *start = s;

	while (s < end && charsmap_keeps(map, *s))
		s++;
	return s > start && s < end && (unsigned char)*s >= 0x80 ? s - 1 : s;
}

/* Whole clusters are looked up where they are short, and else their characters. */
static void run_precompiled(
	const struct charsmap *map, const char *in, size_t n, struct buf *out, struct places *p)
{
	const char *s = in, *end = in + n, *stop, *made;
	struct places old = *p;
	size_t size, step;

	*p = (struct places){.at = {0}};
	while (s < end) {
		stop = skip_kept(map, s, end);
		if (stop > s) {
			places_copy(p, &old, (size_t)(s - in), (size_t)(stop - s), out->len);
			buf_add(out, s, (size_t)(stop - s));
			s = stop;
			continue;
		}
		stop = cluster_end(s, end);
		step = (size_t)(stop - s);
		made = step < 6 ? charsmap_find(map, s, step, &size) : NULL;
		for (; s < stop; s += step) {
			if (!made) {
				step = uchar_size(*s);
				made = charsmap_find(map, s, step, &size);
			}
			if (made)
				places_replace(p, &old, (size_t)(s - in), step, out->len, size);
			else
				places_copy(p, &old, (size_t)(s - in), step, out->len);
			buf_add(out, made ? made : s, made ? size : step);
			made = NULL;
		}
	}
}

static void run_strip(const struct step *step, const char **text, size_t *n, struct places *p)
{
	const char *s = *text, *end = s + *n, *next;
	size_t cut;

	for (next = s; step->left && next < end; s = next)
		if (!uchar_is_space(uchar_next(&next)))
			break;
	for (; step->right && end > s; end = next) {
		const char *last = next = uchar_back(end);

		if (!uchar_is_space(uchar_next(&last)))
			break;
	}
	cut = (size_t)(s - *text);
	*n = (size_t)(end - s);
	*text = s;
	p->plain = p->plain ? p->plain + cut : NULL;
	for (int i = 0; i < 2; i++) {
		p->at[i] = p->at[i] > cut ? p->at[i] - cut : 0;
		if (p->at[i] > *n)
			p->at[i] = *n;
	}
}

static int run_step(const struct step *step, struct normalize_work *w, struct matcher *m,
	const char *in, size_t n, struct buf *out, struct places *p, struct err *err)
{
	struct places old = *p;

	if (step->kind == FORM)
		return normalize_form_run(step->form, w, in, n, out, p, err);
	if (step->kind == REPLACE)
		return run_replace(step, m, in, n, out, p, err);
	if (step->kind == MAP) {
		run_map(step->map, in, n, out, p);
		return 0;
	}
	if (step->kind == PRECOMPILED) {
		run_precompiled(step->charsmap, in, n, out, p);
		return 0;
	}
	places_replace(p, &old, 0, 0, 0, step->n);
	places_copy(p, &old, 0, n, step->n);
	buf_add(out, step->text, step->n);
	buf_add(out, in, n);
	return 0;
}

int normalize_run(const struct normalize *z, struct normalize_work *w, struct matcher *m,
	const char **text, size_t *n, struct places *places, struct err *err)
{
	const uint8_t *plain;
	int turn = 0;

	for (size_t i = 0; i < z->n && *n; i++) {
		const struct step *step = &z->steps[i];
		struct buf *out = &w->text[turn];

		if (step->kind == STRIP) {
			run_strip(step, text, n, places);
			continue;
		}
		if (step->kind == FORM && !normalize_form_changes(step->form, *text, *n))
			continue;
		buf_clear(out);
		buf_clear(&w->plain[turn]);
		places->made = &w->plain[turn];
		plain = places->plain;
		if (run_step(step, w, m, *text, *n, out, places, err) || buf_check(out, err) ||
			buf_check(&w->plain[turn], err))
			return -1;
		places->plain = plain ? (const uint8_t *)w->plain[turn].data : NULL;
		if (out->len > NORMALIZE_MAX)
			return err_set(err, ERR_LIMIT, "normalized text of more than %zu bytes",
				NORMALIZE_MAX);
		*text = out->data;
		*n = out->len;
		turn = !turn;
	}
	return 0;
}
