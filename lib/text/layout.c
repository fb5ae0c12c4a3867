#include "text/layout.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "text/dialogue.h"
#include "text/rows.h"

/* ---- faults */

static const char *const reason_names[LAYOUT_REASONS] = {
	[LAYOUT_NOT_JSON] = "not-json",
	[LAYOUT_NOT_OBJECT] = "not-object",
	[LAYOUT_MISSING_KEY] = "missing-key",
	[LAYOUT_DUPLICATE_KEY] = "duplicate-key",
	[LAYOUT_LOST_KEY] = "lost-key",
	[LAYOUT_WRONG_TYPE] = "wrong-type",
	[LAYOUT_EMPTY] = "empty",
	[LAYOUT_IDENTICAL] = "identical",
	[LAYOUT_PREFIX] = "prefix",
	[LAYOUT_NO_PROMPT] = "no-prompt",
	[LAYOUT_PROMPT_DIFFERS] = "prompt-differs",
	[LAYOUT_ROLES] = "roles",
	[LAYOUT_MARKER] = "marker",
	[LAYOUT_NEEDS_TEMPLATE] = "needs-template",
};

const char *layout_reason_name(enum layout_reason reason)
{
	return reason_names[reason];
}

int layout_bad(struct layout_fault *fault, enum layout_reason reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fault->text, sizeof fault->text, fmt, ap);
	va_end(ap);
	fault->reason = reason;
	return 0;
}

struct layout_shown layout_show(const char *s)
{
	struct layout_shown shown;
	size_t n = 0;

	shown.text[n++] = '\'';
	for (; *s && n <= 40; s++)
		shown.text[n++] = *s >= ' ' && *s <= '~' ? *s : '?';
	snprintf(shown.text + n, sizeof shown.text - n, "%s'", *s ? "..." : "");
	return shown;
}

struct layout_shown layout_part_name(const struct layout_row *row, int part)
{
	struct layout_shown name;

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

const char *layout_kind_name(const struct json *v)
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
	for (const struct json *v = json_kind(row) == JSON_OBJECT ? json_first(row) : NULL; v;
		v = json_next(v)) {
		if (n == 20) {
			buf_add_str(out, ", ...");
			return;
		}
		buf_add_fmt(out, "%s%s (%s)", n++ ? ", " : "", layout_show(json_key(v)).text,
			layout_kind_name(v));
	}
}

/* ---- the table, most specific first */

/* Keys that belong to the prompt. */
static const char *const lost_beside_prompt[] = {"system", "system_prompt", "history", NULL};
static const char *const lost_beside_completion[] = {
	"system", "system_prompt", "history", "label", "chosen", "rejected", NULL};
static const char *const lost_beside_pair[] = {"prompt", "system", "system_prompt", "history",
	"instruction", "input", "question", "query", "context", "conversation", "conversations",
	"post", "info", NULL};
static const char *const lost_beside_chats[] = {"prompt", "system", "system_prompt", NULL};
static const char *const lost_beside_messages[] = {
	"system", "system_prompt", "chosen", "rejected", NULL};
static const char *const lost_beside_unlabelled[] = {
	"system", "system_prompt", "label", "chosen", "rejected", NULL};
static const char *const lost_beside_text[] = {
	"prompt", "completion", "chosen", "rejected", "messages", NULL};

/* clang-format off */
#define PROMPT(kind) {"prompt", LAYOUT_##kind}
#define PAIR(kind) {"chosen", LAYOUT_##kind}, {"rejected", LAYOUT_##kind}
#define LABEL {"label", LAYOUT_LABEL}

static const struct layout layouts[] = {
	{"hh", {PAIR(TRANSCRIPT)}, lost_beside_pair, .read = rows_read_transcripts},
	{"explicit", {PROMPT(TEXT), PAIR(TEXT)}, lost_beside_prompt, .read = rows_read_texts},
	{"explicit-chat", {PROMPT(TEXT_OR_MESSAGES), PAIR(MESSAGES)}, lost_beside_prompt, .chat = true,
		.read = rows_read_explicit_chat},
	{"implicit", {PAIR(TEXT)}, lost_beside_pair, .read = rows_read_implicit},
	{"implicit-chat", {PAIR(MESSAGES)}, lost_beside_chats, .chat = true, .read = rows_read_implicit_chat},
	{"ranking", {PROMPT(TEXT), {"completions", LAYOUT_TEXTS}}, lost_beside_prompt, .read = rows_read_ranking},
	{"unpaired", {PROMPT(TEXT), {"completion", LAYOUT_TEXT}, LABEL}, lost_beside_prompt, .labelled = true,
		.read = rows_read_texts},
	{"unpaired-chat", {PROMPT(TEXT_OR_MESSAGES), {"completion", LAYOUT_MESSAGES}, LABEL},
		lost_beside_prompt, .chat = true, .labelled = true, .read = rows_read_chat},
	{"unpaired-messages", {{"messages", LAYOUT_MESSAGES}, LABEL}, lost_beside_messages, .chat = true,
		.labelled = true, .read = rows_read_messages},
	{"completion", {PROMPT(TEXT), {"completion", LAYOUT_TEXT}}, lost_beside_completion,
		.read = rows_read_texts},
	{"completion-chat", {PROMPT(TEXT_OR_MESSAGES), {"completion", LAYOUT_MESSAGES}},
		lost_beside_completion, .chat = true, .read = rows_read_chat},
	{"messages", {{"messages", LAYOUT_MESSAGES}}, lost_beside_unlabelled, .chat = true,
		.read = rows_read_messages},
	{"text", {{"text", LAYOUT_TEXT}}, lost_beside_text, .read = rows_read_text},
};
/* clang-format on */

const struct layout *layout_at(size_t i)
{
	return i < sizeof layouts / sizeof *layouts ? &layouts[i] : NULL;
}

/* ---- what the table promises */

static bool is_label(const struct json *v, float *out)
{
	bool yes = false;
	double x = 0;

	if (json_bool(v, &yes))
		x = yes;
	else if (!json_number(v, &x) || (x != 0 && x != 1))
		return false;
	*out = (float)x;
	return true;
}

static bool all_strings(const struct json *list)
{
	for (const struct json *v = json_first(list); v; v = json_next(v))
		if (json_kind(v) != JSON_STRING)
			return false;
	return json_kind(list) == JSON_ARRAY;
}

/* Is the value of that kind, as far as a word can say? The layout's function sees to the rest. */
static bool has_kind(const struct json *v, enum layout_kind kind)
{
	float label;

	switch (kind) {
	case LAYOUT_TEXT:
	case LAYOUT_TRANSCRIPT:
		return json_kind(v) == JSON_STRING;
	case LAYOUT_TEXTS:
		return all_strings(v);
	case LAYOUT_MESSAGES:
		return json_kind(v) == JSON_ARRAY;
	case LAYOUT_TEXT_OR_MESSAGES:
		return json_kind(v) == JSON_STRING || json_kind(v) == JSON_ARRAY;
	case LAYOUT_LABEL:
		return is_label(v, &label);
	default:
		return false;
	}
}

/* For detection: has_kind, and a look inside. */
static bool looks_like(const struct json *v, enum layout_kind kind)
{
	const struct json *first = json_first(v);
	const char *s;
	size_t n;

	if (!has_kind(v, kind))
		return false;
	if (kind == LAYOUT_TRANSCRIPT) {
		s = json_string(v, &n);
		return dialogue_is_transcript(s, n);
	}
	if (json_kind(v) == JSON_ARRAY && kind != LAYOUT_TEXTS)
		return json_get(first, "role") && json_get(first, "content");
	return true;
}

/* The first key that the layout would lose and that says something; NULL. */
static const char *lost_key(const struct layout *l, const struct json *row)
{
	for (const char *const *key = l->lost; *key; key++) {
		const struct json *v = json_get(row, *key);
		size_t n = 1;

		json_string(v, &n);
		if (v && n && json_kind(v) != JSON_NULL &&
			((json_kind(v) != JSON_ARRAY && json_kind(v) != JSON_OBJECT) ||
				json_first(v)))
			return *key;
	}
	return NULL;
}

static bool fits(const struct layout *l, const struct json *row)
{
	for (int i = 0; i < LAYOUT_MAX_KEYS && l->keys[i].name; i++)
		if (!looks_like(json_get(row, l->keys[i].name), l->keys[i].kind))
			return false;
	return true;
}

const struct layout *layout_detect(const struct json *row, struct layout_fault *fault)
{
	const struct layout *l;
	const char *lost;

	layout_bad(fault, LAYOUT_MISSING_KEY, "no layout fits");
	if (json_kind(row) != JSON_OBJECT)
		layout_bad(fault, LAYOUT_NOT_OBJECT, "no layout fits %s", layout_kind_name(row));
	for (size_t i = 0; (l = layout_at(i)); i++) {
		if (!fits(l, row))
			continue;
		lost = lost_key(l, row);
		if (!lost)
			break;
		if (fault->reason != LAYOUT_LOST_KEY)
			layout_bad(fault, LAYOUT_LOST_KEY, "layout '%s' would lose key '%s'",
				l->name, lost);
	}
	return l;
}

static const char *kind_wanted(enum layout_kind kind)
{
	static const char *const names[] = {
		[LAYOUT_TEXT] = "a string",
		[LAYOUT_TRANSCRIPT] = "a string",
		[LAYOUT_TEXTS] = "an array of strings",
		[LAYOUT_MESSAGES] = "an array of messages",
		[LAYOUT_TEXT_OR_MESSAGES] = "a string or an array of messages",
		[LAYOUT_LABEL] = "true, false, 1 or 0",
	};

	return names[kind];
}

static int find_values(struct layout_reading *r, const struct json *row)
{
	const struct layout *l = r->layout;

	for (const struct json *v = json_first(row); v; v = json_next(v))
		for (int i = 0; i < LAYOUT_MAX_KEYS && l->keys[i].name; i++) {
			if (strcmp(json_key(v), l->keys[i].name))
				continue;
			if (r->value[i])
				return layout_bad(r->fault, LAYOUT_DUPLICATE_KEY,
					"key '%s' is there twice", l->keys[i].name);
			r->value[i] = v;
		}
	for (int i = 0; i < LAYOUT_MAX_KEYS && l->keys[i].name; i++) {
		if (!r->value[i])
			return layout_bad(r->fault, LAYOUT_MISSING_KEY, "key '%s' is missing",
				l->keys[i].name);
		if (!has_kind(r->value[i], l->keys[i].kind))
			return layout_bad(r->fault, LAYOUT_WRONG_TYPE, "'%s' is %s, not %s",
				l->keys[i].name, layout_kind_name(r->value[i]),
				kind_wanted(l->keys[i].kind));
	}
	return 1;
}

static int read_label(struct layout_reading *r)
{
	float *label = arena_new(r->arena, 1, sizeof *label, r->err);

	for (int i = 0; label && i < LAYOUT_MAX_KEYS; i++)
		if (r->layout->keys[i].kind == LAYOUT_LABEL)
			is_label(r->value[i], label);
	r->row->labels = label;
	return label ? 1 : -1;
}

/* Before rendering, an empty answer among the messages of a completion. */
static int check_messages(struct layout_row *row, struct layout_fault *fault)
{
	for (int i = 1; i <= row->k; i++) {
		const struct layout_part *part = &row->parts[i];

		if (!part->n)
			return layout_bad(
				fault, LAYOUT_EMPTY, "%s is empty", layout_part_name(row, i).text);
		for (size_t m = 0; m < part->n; m++)
			if (!strcmp(part->messages[m].role, "assistant") &&
				layout_is_blank(part->messages[m].content, part->messages[m].len))
				return layout_bad(fault, LAYOUT_EMPTY, "%s has an empty answer",
					layout_part_name(row, i).text);
		row->turns |= part->n > 1;
	}
	return 1;
}

static int check_texts(const struct layout_row *row, struct layout_fault *fault)
{
	const struct layout_part *parts = row->parts;

	for (int i = 1; i <= row->k; i++) {
		if (layout_is_blank(parts[i].text, parts[i].len))
			return layout_bad(
				fault, LAYOUT_EMPTY, "%s is empty", layout_part_name(row, i).text);
		for (int j = 1; j < i; j++)
			if (parts[i].len == parts[j].len &&
				!memcmp(parts[i].text, parts[j].text, parts[i].len))
				return layout_bad(fault, LAYOUT_IDENTICAL, "%s and %s are the same",
					layout_part_name(row, j).text,
					layout_part_name(row, i).text);
	}
	return 1;
}

int layout_read(const struct layout *l, const struct json *json,
	const struct layout_options *options, struct arena *arena, struct layout_row *row,
	struct layout_fault *fault, struct err *err)
{
	struct layout_reading r = {
		.layout = l, .row = row, .arena = arena, .fault = fault, .err = err};
	const char *lost;
	int rc;

	*row = (struct layout_row){.source = json};
	if (json_kind(json) != JSON_OBJECT)
		return layout_bad(fault, LAYOUT_NOT_OBJECT, "the row is %s, not an object",
			layout_kind_name(json));
	rc = find_values(&r, json);
	lost = options->forced ? NULL : lost_key(l, json);
	if (rc == 1 && lost)
		rc = layout_bad(
			fault, LAYOUT_LOST_KEY, "layout '%s' would lose key '%s'", l->name, lost);
	if (rc == 1)
		rc = l->read(&r);
	if (rc == 1 && l->labelled)
		rc = read_label(&r);
	if (rc == 1 && l->chat) {
		rc = check_messages(row, fault);
		if (rc == 1)
			rc = options->render(options->context, row, arena, fault, err);
	}
	return rc == 1 ? check_texts(row, fault) : rc;
}

/* ---- what a row becomes */

int layout_record(
	const struct layout_row *row, struct pref_rec *rec, struct arena *arena, struct err *err)
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

void layout_put_meta(struct buf *out, const struct layout *l, const struct json *row)
{
	char comma = '{';

	for (const struct json *v = json_first(row); v; v = json_next(v)) {
		const char *key = json_key(v);
		bool used = false;

		for (int i = 0; i < LAYOUT_MAX_KEYS && l->keys[i].name; i++)
			used |= !strcmp(key, l->keys[i].name);
		if (used)
			continue;
		buf_add_char(out, comma);
		json_quote(out, key, strlen(key));
		buf_add_char(out, ':');
		json_write(out, v);
		comma = ',';
	}
	buf_add_str(out, comma == '{' ? "{}" : "}");
}
