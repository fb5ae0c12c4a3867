#include "text/layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/dialogue.h"
#include "text/rows.h"

struct fault_shown layout_part_name(const struct layout_row *row, int part)
{
	struct fault_shown name;

	if (row->k <= 2)
		snprintf(name.text, sizeof name.text, "%s",
			part == 0     ? "the prompt"
			: row->k == 1 ? "the completion"
			: part == 1   ? "chosen"
				      : "rejected");
	else
		snprintf(name.text, sizeof name.text, "completion %d", part);
	return name;
}

static const char *kind_name(const struct json *v)
{
	static const char *const names[] = {
		[JSON_NONE] = "nothing",
		[JSON_NULL] = "null",
		[JSON_BOOL] = "a boolean",
		[JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};

	return names[json_kind(v)];
}

bool layout_is_blank(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] != ' ' && (s[i] < '\t' || s[i] > '\r'))
			return false;
	return true;
}

void layout_put_keys(struct buf *out, const struct json *row)
{
	int n = 0;

	if (json_kind(row) != JSON_OBJECT || !json_first(row))
		buf_add_str(out, "no keys");
	for (const struct json *v = json_kind(row) == JSON_OBJECT ? json_first(row) : NULL; v; v = json_next(v)) {
		if (n == 20) {
			buf_add_str(out, ", ...");
			return;
		}
		buf_add_fmt(out, "%s%s (%s)", n++ ? ", " : "", fault_show(json_key(v)).text, kind_name(v));
	}
}

bool layout_number(const struct json *v, double *out)
{
	const char *text = json_text(v);
	char *end;

	if (json_number(v, out))
		return true;
	if (!text || !*text)
		return false;
	*out = strtod(text, &end);
	return !*end && isfinite(*out);
}

const struct json *layout_find(const struct json *row, const char *path)
{
	char name[256];
	size_t n;

	for (;; path += n + 1) {
		n = strcspn(path, ".");
		if (n >= sizeof name)
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		if (json_kind(row) == JSON_ARRAY) {
			char *end;
			unsigned long i = strtoul(name, &end, 10);

			for (row = *end || !n ? NULL : json_first(row); row && i; i--)
				row = json_next(row);
		} else {
			row = json_get(row, name);
		}
		if (!row || !path[n])
			return row;
	}
}

/* ---- finding values */

static bool same_name(const char *names, size_t n, const char *key)
{
	return strlen(key) == n && !memcmp(names, key, n);
}

static const char *mapped(const struct layout_options *o, const char *key, size_t n)
{
	for (size_t i = 0; o && i < o->nmap; i++)
		if (same_name(key, n, o->map[i].key))
			return o->map[i].path;
	return NULL;
}

/* Is the field of that name another key's value? Then it is not its own as well. */
static bool is_taken(const struct layout_options *o, const char *name, size_t n)
{
	for (size_t i = 0; o && i < o->nmap; i++)
		if (same_name(name, n, o->map[i].path))
			return true;
	return false;
}

/* The value of the first of the names that the row has; *name is that name, *twice whether it is there twice. */
static const struct json *find_key(const struct layout_options *o, const struct json *row, const char *names,
	const char **name, bool *twice)
{
	const struct json *found = NULL;

	*twice = false;
	for (size_t n; *names && !found; names += n + (names[n] == '|')) {
		const char *path;

		n = strcspn(names, "|");
		path = mapped(o, names, n);
		if (path) {
			*name = path;
			found = layout_find(row, path);
			continue;
		}
		if (is_taken(o, names, n))
			continue;
		for (const struct json *v = json_first(row); v; v = json_next(v)) {
			if (!same_name(names, n, json_key(v)))
				continue;
			*twice = found != NULL;
			found = v;
			*name = json_key(v);
		}
	}
	return found;
}

static bool is_label(const struct json *v, float *out)
{
	const char *text = json_text(v);
	bool yes = false;
	double x = 0;

	if (text && (!strcmp(text, "true") || !strcmp(text, "True")))
		x = 1;
	else if (json_bool(v, &yes))
		x = yes;
	else if (!(text && (!strcmp(text, "false") || !strcmp(text, "False"))) &&
		 (!layout_number(v, &x) || (x != 0 && x != 1)))
		return false;
	*out = (float)x;
	return true;
}

static bool all_of(const struct json *list, enum json_kind kind)
{
	double x;

	for (const struct json *v = json_first(list); v; v = json_next(v))
		if (kind == JSON_NUMBER ? !layout_number(v, &x) : json_kind(v) != kind)
			return false;
	return json_kind(list) == JSON_ARRAY;
}

static bool all_turns(const struct json *list)
{
	for (const struct json *v = json_first(list); v; v = json_next(v))
		if (!all_of(v, JSON_STRING) || json_count(v) != 2)
			return false;
	return json_kind(list) == JSON_ARRAY;
}

/* Is the value of that kind, as far as a word can say? The layout's function sees to the rest. */
static bool has_kind(const struct json *v, enum layout_kind kind)
{
	enum json_kind is = json_kind(v);
	float label;

	switch (kind) {
	case KIND_TEXT:
	case KIND_TRANSCRIPT:
		return is == JSON_STRING;
	case KIND_TEXTS:
		return all_of(v, JSON_STRING);
	case KIND_MESSAGES:
		return is == JSON_ARRAY || is == JSON_OBJECT;
	case KIND_TEXT_OR_MESSAGES:
		return is == JSON_STRING || is == JSON_ARRAY;
	case KIND_ITEMS:
		return all_of(v, JSON_OBJECT);
	case KIND_TURNS:
		return all_turns(v);
	case KIND_LABEL:
		return is_label(v, &label);
	case KIND_NUMBERS:
		return all_of(v, JSON_NUMBER);
	case KIND_SCALAR:
		return is == JSON_NUMBER || is == JSON_STRING || is == JSON_NULL;
	case KIND_OBJECT:
		return is == JSON_OBJECT;
	default:
		return true;
	}
}

static const char *kind_wanted(enum layout_kind kind)
{
	static const char *const names[] = {
		[KIND_TEXT] = "a string",
		[KIND_TRANSCRIPT] = "a string",
		[KIND_TEXTS] = "an array of strings",
		[KIND_MESSAGES] = "an array of messages",
		[KIND_TEXT_OR_MESSAGES] = "a string or an array of messages",
		[KIND_ITEMS] = "an array of objects",
		[KIND_TURNS] = "an array of pairs of strings",
		[KIND_LABEL] = "true, false, 1 or 0",
		[KIND_NUMBERS] = "an array of numbers",
		[KIND_SCALAR] = "a number or a string",
		[KIND_OBJECT] = "an object",
		[KIND_ANY] = "a value",
	};

	return names[kind];
}

/* ---- detection */

/* has_kind(), and a look inside. */
static bool looks_like(const struct layout *l, const struct json *v, enum layout_kind kind)
{
	const char *s;
	size_t n;

	if (!has_kind(v, kind))
		return false;
	switch (kind) {
	case KIND_TRANSCRIPT:
		s = json_string(v, &n);
		return dialogue_is_transcript(s, n);
	case KIND_ITEMS:
		return json_get(json_first(v), l->item_text);
	case KIND_MESSAGES:
	case KIND_TEXT_OR_MESSAGES:
		return json_kind(v) == JSON_STRING || chat_is_message(json_kind(v) == JSON_ARRAY ? json_first(v) : v);
	default:
		return true;
	}
}

static bool says_nothing(const struct json *v)
{
	enum json_kind kind = json_kind(v);
	size_t n = 1;

	json_string(v, &n);
	return kind == JSON_NONE || kind == JSON_NULL || !n ||
	       ((kind == JSON_ARRAY || kind == JSON_OBJECT) && !json_first(v));
}

static bool reads_key(const struct layout *l, const struct layout_options *o, const char *key)
{
	for (int i = 0; i < LAYOUT_MAX_KEYS && l->keys[i].slot; i++)
		for (const char *names = l->keys[i].names; *names;) {
			size_t n = strcspn(names, "|");
			const char *path = mapped(o, names, n);

			if (path ? same_name(path, strcspn(path, "."), key) : same_name(names, n, key))
				return true;
			names += n + (names[n] == '|');
		}
	return false;
}

/* The first key that the layout would lose and that says something; NULL. */
static const char *lost_key(const struct layout *l, const struct layout_options *o, const struct json *row)
{
	for (const char *const *key = l->lost; key && *key; key++)
		if (!reads_key(l, o, *key) && !says_nothing(json_get(row, *key)))
			return *key;
	return NULL;
}

static bool fits(const struct layout *l, const struct layout_options *o, const struct json *row)
{
	const char *name;
	bool twice;

	for (int i = 0; i < LAYOUT_MAX_KEYS && l->keys[i].slot; i++)
		if (!l->keys[i].optional &&
			!looks_like(l, find_key(o, row, l->keys[i].names, &name, &twice), l->keys[i].kind))
			return false;
	return true;
}

const struct layout *layout_detect(
	const struct json *row, const struct layout_options *options, struct fault *fault)
{
	const struct layout *l;
	const char *lost;

	fault_set(fault, FAULT_MISSING_KEY, "no layout fits");
	if (json_kind(row) != JSON_OBJECT) {
		fault_set(fault, FAULT_NOT_OBJECT, "no layout fits %s", kind_name(row));
		return NULL;
	}
	for (size_t i = 0; (l = layout_at(i)); i++) {
		if (!fits(l, options, row))
			continue;
		lost = lost_key(l, options, row);
		if (!lost)
			break;
		if (fault->code != FAULT_LOST_KEY)
			fault_set(fault, FAULT_LOST_KEY, "layout '%s' would lose key '%s'", l->name, lost);
	}
	return l;
}

/* ---- reading */

static int find_values(struct layout_reading *r, const struct json *row)
{
	for (int i = 0; i < LAYOUT_MAX_KEYS && r->layout->keys[i].slot; i++) {
		const struct layout_key *key = &r->layout->keys[i];
		const struct json *v;
		bool twice;

		r->key[key->slot] = key->names;
		v = find_key(r->options, row, key->names, &r->key[key->slot], &twice);
		if (twice)
			return fault_set(
				r->fault, FAULT_DUPLICATE_KEY, "key '%.60s' is there twice", r->key[key->slot]);
		if (key->optional && says_nothing(v))
			continue;
		if (!v)
			return fault_set(r->fault, FAULT_MISSING_KEY, "key '%.60s' is missing", r->key[key->slot]);
		if (!has_kind(v, key->kind))
			return fault_set(r->fault, FAULT_WRONG_TYPE, "'%.60s' is %s, not %s", r->key[key->slot],
				kind_name(v), kind_wanted(key->kind));
		r->value[key->slot] = v;
	}
	return 1;
}

static int read_label(struct layout_reading *r)
{
	r->row->labels = arena_new(r->arena, 1, sizeof *r->row->labels, r->err);
	if (r->row->labels)
		is_label(r->value[SLOT_LABEL], r->row->labels);
	return r->row->labels ? 1 : -1;
}

int rows_new_parts(struct layout_reading *r, size_t k)
{
	r->row->k = (int)k;
	r->row->parts = arena_new(r->arena, k + 1, sizeof *r->row->parts, r->err);
	if (!r->row->parts)
		return -1;
	for (size_t i = 0; i <= k; i++)
		r->row->parts[i] = (struct layout_part){.text = ""};
	return 1;
}

/* Before rendering, an empty answer among the messages of a completion. */
static int check_messages(struct layout_row *row, bool keep_empty, struct fault *fault)
{
	for (int i = 1; i <= row->k; i++) {
		const struct layout_part *part = &row->parts[i];

		if (!part->n)
			return fault_set(fault, FAULT_EMPTY, "%s is empty", layout_part_name(row, i).text);
		for (size_t m = 0; m < part->n && !keep_empty; m++)
			if (!strcmp(part->messages[m].role, "assistant") && part->messages[m].content &&
				layout_is_blank(part->messages[m].content, part->messages[m].len) &&
				!chat_field(&part->messages[m]))
				return fault_set(
					fault, FAULT_EMPTY, "%s has an empty answer", layout_part_name(row, i).text);
		row->turns |= part->n > 1;
	}
	return 1;
}

static int check_texts(const struct layout_row *row, const struct layout_options *o, struct fault *fault)
{
	const struct layout_part *parts = row->parts;

	for (int i = 1; i <= row->k; i++) {
		if (!o->keep_empty && layout_is_blank(parts[i].text, parts[i].len))
			return fault_set(fault, FAULT_EMPTY, "%s is empty", layout_part_name(row, i).text);
		for (int j = 1; j < i && !o->keep_identical; j++)
			if (parts[i].len == parts[j].len && !memcmp(parts[i].text, parts[j].text, parts[i].len))
				return fault_set(fault, FAULT_IDENTICAL, "%s and %s are the same",
					layout_part_name(row, j).text, layout_part_name(row, i).text);
	}
	return 1;
}

int layout_read(const struct layout *l, const struct json *json, const struct layout_options *options,
	struct arena *arena, struct layout_row *row, struct fault *fault, struct err *err)
{
	struct layout_reading r = {
		.layout = l, .options = options, .row = row, .arena = arena, .fault = fault, .err = err};
	const char *lost;
	int rc;

	*row = (struct layout_row){.source = json};
	if (json_kind(json) != JSON_OBJECT)
		return fault_set(fault, FAULT_NOT_OBJECT, "the row is %s, not an object", kind_name(json));
	rc = find_values(&r, json);
	lost = options->forced ? NULL : lost_key(l, options, json);
	if (rc == 1 && lost)
		rc = fault_set(fault, FAULT_LOST_KEY, "layout '%s' would lose key '%s'", l->name, lost);
	if (rc == 1)
		rc = l->read(&r);
	if (rc == 1 && r.value[SLOT_LABEL])
		rc = read_label(&r);
	if (rc == 1 && !l->chat && options->chat)
		rc = rows_make_chat(&r);
	row->chat = l->chat || options->chat;
	if (rc == 1 && row->chat) {
		rc = check_messages(row, options->keep_empty, fault);
		if (rc == 1)
			rc = options->render(options->context, row, arena, fault, err);
	}
	return rc == 1 ? check_texts(row, options, fault) : rc;
}

/* ---- what a row becomes */

int layout_record(const struct layout_row *row, struct pref_rec *rec, struct arena *arena, struct err *err)
{
	size_t k = (size_t)row->k, n = 0;
	int64_t *seg = arena_new(arena, k + 2, sizeof *seg, err);
	char *text;

	for (size_t i = 0; i <= k; i++)
		n += row->parts[i].len;
	text = seg ? arena_new(arena, n, 1, err) : NULL;
	if (!text)
		return -1;
	n = 0;
	for (size_t i = 0; i <= k; i++) {
		seg[i] = (int64_t)n;
		memcpy(text + n, row->parts[i].text, row->parts[i].len);
		n += row->parts[i].len;
	}
	seg[k + 1] = (int64_t)n;
	*rec = (struct pref_rec){.k = row->k, .seg = seg, .text = text, .label = row->labels};
	return pref_make_id(rec, err);
}

void layout_put_meta(struct buf *out, const struct layout *l, const struct json *row,
	const struct layout_options *options)
{
	char comma = '{';

	for (const struct json *v = json_first(row); v; v = json_next(v)) {
		if (reads_key(l, options, json_key(v)))
			continue;
		buf_add_char(out, comma);
		json_quote(out, json_key(v), strlen(json_key(v)));
		buf_add_char(out, ':');
		json_write(out, v);
		comma = ',';
	}
	buf_add_str(out, comma == '{' ? "{}" : "}");
}
