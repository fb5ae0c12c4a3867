#include "text/normalize.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/charmap.h"
#include "text/charsmap.h"
#include "text/field.h"
#include "text/uchar.h"

struct step {
	enum step_kind { PREPEND, REPLACE, FORM, MAP, PRECOMPILED, STRIP } kind;
	char *text; /* PREPEND: what; REPLACE: by what */
	size_t n;
	struct pattern *pattern; /* REPLACE */
	int form;		 /* FORM: utf8proc's options */
	charmap *map;		 /* MAP */
	struct charsmap *charsmap; /* PRECOMPILED */
	bool left, right;	 /* STRIP */
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
	{"StripAccents", 0, charmap_marks}, {"Nmt", 0, charmap_nmt}, {"ByteLevel", 0, charmap_bytes}};

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
		(chinese && !add_step(z, (struct step){.kind = MAP, .map = charmap_chinese}, err)) ||
		(accents &&
			(!add_step(z,
				 (struct step){.kind = FORM, .form = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE},
				 err) ||
				!add_step(z, (struct step){.kind = MAP, .map = charmap_accents}, err))) ||
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

/* ---- normal forms */

/* What a form does not change, and what does not join with the character before it. */
static bool is_inert(int form, uint32_t cp)
{
	static const uint32_t composed[][2] = {{0x0370, 0x0373}, {0x0375, 0x037d}, {0x037f, 0x0386},
		{0x0388, 0x0482}, {0x048a, 0x0590}, {0x05d0, 0x05ea}, {0x0620, 0x064a},
		{0x0660, 0x066f}, {0x0671, 0x06d5}, {0x0904, 0x0939}, {0x0e01, 0x0e37},
		{0x0e3f, 0x0e47}, {0x10a0, 0x10ff}, {0x1e00, 0x1eff}, {0x2010, 0x20cf},
		{0x2100, 0x2125}, {0x212c, 0x2328}, {0x232b, 0x2adb}, {0x2e80, 0x3029},
		{0x3030, 0x3098}, {0x309b, 0xa66e}, {0xac00, 0xd7a3}, {0xe000, 0xf8ff},
		{0xff00, 0xfffd}, {0x1f000, 0x1faff}, {0x20000, 0x2a6df}};

	if (form & UTF8PROC_COMPOSE && !(form & UTF8PROC_COMPAT))
		return cp < 0x300 || uchar_in(composed, sizeof composed / sizeof *composed, cp);
	return cp < 0x80 || (cp >= 0x3400 && cp <= 0x4dbf) || (cp >= 0x4e00 && cp <= 0x9fff);
}

/* Marks and compatibility characters newer than the library's tables. */
static bool is_newer(uint32_t cp)
{
	static const uint32_t newer[][2] = {{0x7fd, 0x7fd}, {0x898, 0x89f}, {0x8ca, 0x8d3},
		{0x9fe, 0x9fe}, {0xc3c, 0xc3c}, {0xd3b, 0xd3c}, {0xeba, 0xeba}, {0x1715, 0x1715},
		{0x1abf, 0x1ace}, {0x1df6, 0x1dfa}, {0x32ff, 0x32ff}, {0xa7f2, 0xa7f4},
		{0xa82c, 0xa82c}, {0xab69, 0xab69}, {0x10781, 0x107ba}, {0x10d24, 0x10d27},
		{0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50}, {0x10f82, 0x10f85},
		{0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
		{0x11930, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47},
		{0x11a99, 0x11a99}, {0x11d42, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42},
		{0x16ff0, 0x16ff1}, {0x1e030, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae},
		{0x1e2ec, 0x1e2ef}, {0x1e4ec, 0x1e4ef}, {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}};

	return uchar_in(newer, sizeof newer / sizeof *newer, cp);
}

/* Appends the normal form of a stretch. */
static int add_form(int form, struct normalize_work *w, const char *s, size_t n, struct buf *out,
	struct err *err)
{
	utf8proc_ssize_t count;
	char text[4];

	do {
		count = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n,
			w->points, (utf8proc_ssize_t)w->cap, (utf8proc_option_t)form);
		if (count < 0)
			return err_set(err, ERR_FAILED, "normalizing: %s", utf8proc_errmsg(count));
		if ((size_t)count <= w->cap)
			break;
		if (mem_grow(&w->points, &w->cap, (size_t)count, sizeof *w->points, err))
			return -1;
	} while (true);
	count = utf8proc_normalize_utf32(w->points, count, (utf8proc_option_t)form);
	for (utf8proc_ssize_t i = 0; i < count; i++)
		buf_add(out, text, (size_t)utf8_encode(text, (uint32_t)w->points[i]));
	return 0;
}

/*
 * A place inside a stretch: behind what the characters before it become, where those characters
 * remain as they are beside the others; else places->at[1] comes first, and places->at[0] behind
 * one character.
 */
static int place_inside(const struct step *step, struct normalize_work *w, const char *s, size_t n,
	struct buf *out, size_t to, size_t *place, bool is_first, struct err *err)
{
	size_t made = out->len - to, alone;

	if (add_form(step->form, w, s, n, out, err) || buf_check(out, err))
		return -1;
	alone = out->len - to - made;
	if (alone <= made && !memcmp(out->data + to, out->data + to + made, alone))
		*place = to + alone;
	else
		*place = is_first && made ? to + uchar_size(out->data[to]) : to;
	out->len -= alone;
	return 0;
}

/*
 * Only stretches that could change go through utf8proc: from the last inert character on, which a
 * mark may join, to the next.
 */
static int run_form(const struct step *step, struct normalize_work *w, const char *in, size_t n,
	struct buf *out, struct places *p, struct err *err)
{
	const char *end = in + n, *copied = in, *stretch = in, *s = in, *at;
	struct places old = *p;
	size_t to;
	uint32_t cp;

	*p = (struct places){.at = {0}};
	while (s < end) {
		at = s;
		cp = uchar_next(&s);
		if (is_inert(step->form, cp)) {
			stretch = at;
			continue;
		}
		if (is_newer(cp)) {
			stretch = s;
			continue;
		}
		for (at = s; s < end; at = s) {
			cp = uchar_next(&s);
			if (is_inert(step->form, cp) || is_newer(cp))
				break;
		}
		places_copy(p, &old, (size_t)(copied - in), (size_t)(stretch - copied), out->len);
		buf_add(out, copied, (size_t)(stretch - copied));
		to = out->len;
		if (add_form(step->form, w, stretch, (size_t)(at - stretch), out, err))
			return -1;
		places_replace(
			p, &old, (size_t)(stretch - in), (size_t)(at - stretch), to, out->len - to);
		for (int i = 0; i < 2; i++) {
			size_t place = old.at[i];

			if (place > (size_t)(stretch - in) && place < (size_t)(at - in) &&
				place_inside(step, w, stretch, place - (size_t)(stretch - in), out,
					to, &p->at[i], i == 0, err))
				return -1;
		}
		copied = stretch = s = at;
	}
	places_copy(p, &old, (size_t)(copied - in), (size_t)(end - copied), out->len);
	buf_add(out, copied, (size_t)(end - copied));
	return 0;
}

static bool form_changes(const struct step *step, const char *in, size_t n)
{
	const char *end = in + n;

	while (in < end)
		if (!is_inert(step->form, uchar_next(&in)))
			return true;
	return false;
}

/* ---- the other steps */

static size_t count_byte(const char *s, size_t n, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += s[i] == byte;
	return count;
}

/* Every such byte becomes the step's text; for most texts of SentencePiece's vocabularies, spaces. */
static void run_replace_byte(const struct step *step, char byte, const char *in, size_t n,
	struct buf *out, struct places *p)
{
	size_t made = step->n, count = count_byte(in, n, byte);
	char *to = buf_extend(out, n + count * made - count);
	const char *end = in + n, *next;

	for (int i = 0; i < 2; i++)
		p->at[i] += count_byte(in, p->at[i], byte) * (made - 1);
	for (; to && (next = memchr(in, byte, (size_t)(end - in))); in = next + 1) {
		memcpy(to, in, (size_t)(next - in));
		to += next - in;
		for (size_t i = 0; i < made; i++)
			*to++ = step->text[i];
	}
	if (to)
		memcpy(to, in, (size_t)(end - in));
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
		return run_form(step, w, in, n, out, p, err);
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
		if (step->kind == FORM && !form_changes(step, *text, *n))
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
