#include "text/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "io/file.h"
#include "jinja/jinja.h"
#include "text/marks.h"

#define FILE_LIMIT ((size_t)1 << 26)

struct template {
	struct jinja *plain, *tools; /* tools: for rows with tools, or NULL */
	char sha256[65];
	bool tells_time;
	struct buf variables; /* an object without its end */
	const struct tm *now;
	const struct specials *mark;
	struct specials escaped; /* those, in JSON */
	uint32_t used;		 /* marks that templates and variables have, as by marks_used() */
};

/* ---- finding the source */

/* The file of that name in a folder, parsed; NULL without an error where there is none. */
static struct json *load(const char *folder, const char *name, struct err *err)
{
	char *path = path_join(folder, name, err);
	struct json *v = path && access(path, F_OK) == 0 ? json_load(path, FILE_LIMIT, err) : NULL;

	free(path);
	return v;
}

/* The same as text. 1, 0 where there is none, -1. */
static int read_text(const char *folder, const char *name, struct buf *out, struct err *err)
{
	char *path = folder ? path_join(folder, name, err) : NULL;
	const char *from = folder ? path : name;
	int rc = !from ? -1 : folder && access(from, F_OK) ? 0 : file_read(from, FILE_LIMIT, out, err) ? -1 : 1;

	free(path);
	return rc;
}

/* The template of that name in the value of "chat_template": a string, or a list of named ones. */
static bool find_named(const struct json *value, const char *name, struct buf *out)
{
	size_t n;
	const char *text = strcmp(name, "default") ? NULL : json_string(value, &n);

	for (const struct json *v = json_kind(value) == JSON_ARRAY ? json_first(value) : NULL; v && !text;
		v = json_next(v))
		if (json_text(json_get(v, "name")) && !strcmp(json_text(json_get(v, "name")), name))
			text = json_string(json_get(v, "template"), &n);
	if (text)
		buf_add(out, text, n);
	return text != NULL;
}

/* The source of that name in the folder. 1, 0 where there is none, -1. */
static int find_source(const char *folder, const char *name, struct buf *out, struct err *err)
{
	static const char *const files[] = {"tokenizer_config.json", "chat_template.json"};
	char path[128];
	int rc = 0;

	if (strcmp(name, "default"))
		snprintf(path, sizeof path, "additional_chat_templates/%.80s.jinja", name);
	else
		snprintf(path, sizeof path, "chat_template.jinja");
	if (!strchr(name, '/'))
		rc = read_text(folder, path, out, err);
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		struct err why = ERR_INIT;
		struct json *file = load(folder, files[i], &why);

		if (why.code) {
			*err = why;
			rc = -1;
		} else if (find_named(json_get(file, "chat_template"), name, out)) {
			rc = 1;
		}
		json_free(file);
	}
	return rc;
}

static struct jinja *parse(struct template *t, const struct buf *source, const char *place, struct err *err)
{
	struct jinja *j = jinja_parse(source->data, source->len, err);

	if (!j)
		err_at(err, "%s", place);
	t->used |= marks_used(source->data, source->len);
	t->tells_time |= memmem(source->data, source->len, "strftime_now", 12) != NULL;
	return j;
}

static int open_sources(struct template *t, const struct template_options *o, struct err *err)
{
	const char *name = o->name ? o->name : "default", *place = o->file ? o->file : o->folder;
	struct buf source = BUF_INIT, tools = BUF_INIT;
	struct sha256 h;
	uint8_t digest[32];
	int rc = o->file ? read_text(NULL, o->file, &source, err) : find_source(o->folder, name, &source, err);

	if (rc == 0)
		rc = err_set(err, ERR_FAILED, "%s has no chat template%s%s; -t FILE gives one", place,
			o->name ? " named " : "", o->name ? o->name : "");
	if (rc == 1 && !o->file && !o->name)
		rc = find_source(o->folder, "tool_use", &tools, err) < 0 ? -1 : 1;
	buf_add_str(&source, "");
	buf_add_str(&tools, "");
	if (rc == 1 && (buf_check(&source, err) || buf_check(&tools, err)))
		rc = -1;
	if (rc == 1 && !(t->plain = parse(t, &source, place, err)))
		rc = -1;
	if (rc == 1 && tools.len && !(t->tools = parse(t, &tools, place, err)))
		rc = -1;
	sha256_init(&h);
	sha256_add(&h, source.data, source.len);
	sha256_finish(&h, digest);
	sha256_hex(digest, t->sha256);
	buf_release(&source);
	buf_release(&tools);
	return rc == 1 ? 0 : -1;
}

/* ---- variables */

/* ,"name":"token" as the folder's settings have it: a string, or an object with its content. */
static void put_token(struct buf *out, const char *name, const char *given, const struct json *a, const struct json *b)
{
	const struct json *v = json_get(a, name);
	size_t n;
	const char *text;

	if (json_kind(v) == JSON_NONE)
		v = json_get(b, name);
	if (json_kind(v) == JSON_OBJECT)
		v = json_get(v, "content");
	text = given ? given : json_string(v, &n);
	if (!text)
		return;
	buf_add_fmt(out, ",\"%s\":", name);
	json_quote(out, text, given ? strlen(given) : n);
}

/* Appends an object's members, each after a comma. */
static void put_members(struct buf *out, const struct json *object)
{
	for (const struct json *v = json_first(object); v; v = json_next(v)) {
		buf_add_char(out, ',');
		json_quote(out, json_key(v), strlen(json_key(v)));
		buf_add_char(out, ':');
		json_write(out, v);
	}
}

static int set_variables(struct template *t, const struct template_options *o, struct err *err)
{
	static const char *const names[] = {"unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};
	struct err why = ERR_INIT;
	struct json *config = o->folder ? load(o->folder, "tokenizer_config.json", &why) : NULL;
	struct json *map = o->folder && !why.code ? load(o->folder, "special_tokens_map.json", &why) : NULL;
	struct json *kwargs = o->kwargs ? json_parse(o->kwargs, strlen(o->kwargs), err) : NULL;
	int rc = 0;

	if (why.code) {
		*err = why;
		rc = -1;
	} else if (o->kwargs && json_kind(kwargs) != JSON_OBJECT) {
		rc = err_set(err, ERR_USAGE, "the template's arguments are no JSON object: %s", o->kwargs);
	}
	buf_add_str(&t->variables, "{\"tools\":null,\"documents\":null,\"add_generation_prompt\":false");
	put_token(&t->variables, "bos_token", o->bos, config, map);
	put_token(&t->variables, "eos_token", o->eos, config, map);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		put_token(&t->variables, names[i], NULL, config, map);
	if (rc == 0)
		put_members(&t->variables, kwargs);
	json_free(config);
	json_free(map);
	json_free(kwargs);
	t->used |= marks_used(t->variables.data, t->variables.len);
	return rc ? -1 : buf_check(&t->variables, err);
}

struct template *template_open(const struct template_options *o, struct err *err)
{
	struct template *t = mem_new(1, sizeof *t, err);

	if (!t)
		return NULL;
	t->now = o->now;
	t->mark = o->mark;
	if ((o->mark && specials_escape(&t->escaped, o->mark, err)) || open_sources(t, o, err) || set_variables(t, o, err)) {
		template_free(t);
		return NULL;
	}
	return t;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	jinja_free(t->plain);
	jinja_free(t->tools);
	buf_release(&t->variables);
	specials_release(&t->escaped);
	free(t);
}

const char *template_sha256(const struct template *t)
{
	return t->sha256;
}

bool template_tells_time(const struct template *t)
{
	return t->tells_time;
}

/* ---- rendering */

/* Appends the text; 1, 0 with the exception, -1. o is for what the messages are. */
static int render(const struct template *t, const struct jinja *j, const struct buf *json, struct jinja_options o,
	struct buf *out, struct buf *exception, struct err *err)
{
	struct err why = ERR_INIT;
	struct json *variables = json_parse(json->data, json->len, err);
	int rc;

	o.now = t->now;
	o.exception = exception;
	rc = variables ? jinja_render(j, variables, &o, out, &why) : -1;
	json_free(variables);
	if (!variables || rc == 0)
		return variables ? 1 : -1;
	if (!exception->len)
		buf_add_str(exception, why.text);
	return 0;
}

int template_render(const struct template *t, const char *object, size_t n, struct buf *out, struct buf *exception,
	struct err *err)
{
	struct json *members = json_parse(object, n, err);
	struct buf json = BUF_INIT;
	int rc = members ? 0 : -1;

	if (rc == 0 && json_kind(members) != JSON_OBJECT)
		rc = err_set(err, ERR_FAILED, "variables are no JSON object");
	buf_add(&json, t->variables.data, t->variables.len);
	put_members(&json, members);
	buf_add_char(&json, '}');
	if (rc == 0)
		rc = buf_check(&json, err);
	if (rc == 0)
		rc = render(t, t->tools && json_first(json_get(members, "tools")) ? t->tools : t->plain, &json,
			(struct jinja_options){0}, out, exception, err);
	json_free(members);
	buf_release(&json);
	return rc;
}

/* ---- rows */

struct rendering {
	const struct template *t;
	struct layout_row *row;
	struct fault *fault;
	struct err *err;
	const struct jinja *jinja;
	struct buf extra; /* the row's own variables, each after a comma */
	struct buf json;
	struct buf *messages; /* [k + 1] of each part, in JSON; and parsed */
	struct json **parsed;
	struct buf *text;     /* [k + 1] of the prompt, of the conversation with each completion */
	char mark[4];	      /* stands within special tokens of the messages; "" for none */
};

/* A field of the row as a variable; a string is JSON itself. 1 or 0. */
static int put_field(struct rendering *r, const char *name, struct buf *out)
{
	const struct json *v = json_get(r->row->source, name);
	struct err why = ERR_INIT;
	size_t n = 0;
	const char *text = json_string(v, &n);
	struct json *parsed = n ? json_parse(text, n, &why) : NULL;

	if (n && !parsed)
		return fault_set(r->fault, FAULT_TEMPLATE, "'%s' is a string that is not JSON: %.100s", name, why.text);
	if (parsed)
		v = parsed;
	if (json_first(v)) {
		buf_add_fmt(out, ",\"%s\":", name);
		json_write(out, v);
	}
	json_free(parsed);
	return 1;
}

static int set_extra(struct rendering *r)
{
	const struct json *kwargs = json_get(r->row->source, "chat_template_kwargs");

	if (!put_field(r, "tools", &r->extra))
		return 0;
	r->jinja = r->extra.len && r->t->tools ? r->t->tools : r->t->plain;
	if (!put_field(r, "documents", &r->extra))
		return 0;
	if (json_kind(kwargs) == JSON_OBJECT)
		put_members(&r->extra, kwargs);
	return 1;
}

static int set_messages(struct rendering *r)
{
	for (int i = 0; i <= r->row->k; i++) {
		const struct layout_part *part = &r->row->parts[i];

		buf_add_char(&r->messages[i], '[');
		for (size_t m = 0; m < part->n; m++) {
			if (m)
				buf_add_char(&r->messages[i], ',');
			chat_put(&r->messages[i], &part->messages[m]);
		}
		buf_add_char(&r->messages[i], ']');
		if (buf_check(&r->messages[i], r->err))
			return -1;
	}
	return 1;
}

/* Marks special tokens in the messages by a character that neither they nor anything else here has. */
static int mark_messages(struct rendering *r)
{
	uint32_t used = r->t->used | marks_used(r->extra.data, r->extra.len);
	bool any = false;

	for (int i = 0; i <= r->row->k; i++) {
		used |= marks_used(r->messages[i].data, r->messages[i].len);
		any |= marks_put(&r->messages[i], &r->t->escaped, "", r->err) == 1;
	}
	if (!any)
		return 1;
	if (!marks_choose(used, r->mark))
		return fault_set(r->fault, FAULT_TEMPLATE,
			"special tokens beside all the characters from U+FDD0 to U+FDEF, of which one would mark them");
	for (int i = 0; i <= r->row->k; i++)
		if (marks_put(&r->messages[i], &r->t->escaped, r->mark, r->err) < 0)
			return -1;
	return 1;
}

static int parse_messages(struct rendering *r)
{
	for (int i = 0; i <= r->row->k; i++) {
		r->parsed[i] = json_parse(r->messages[i].data, r->messages[i].len, r->err);
		if (!r->parsed[i])
			return -1;
	}
	return 1;
}

/* Renders the prompt's messages, and for i > 0 those of completion i behind them. */
static int render_messages(struct rendering *r, int i)
{
	const struct layout_part *parts = r->row->parts;
	bool ask = i == 0 && parts[0].n && strcmp(parts[0].messages[parts[0].n - 1].role, "assistant");
	struct buf exception = BUF_INIT;
	int rc;

	buf_clear(&r->json);
	buf_add(&r->json, r->t->variables.data, r->t->variables.len);
	buf_add(&r->json, r->extra.data, r->extra.len);
	buf_add_fmt(&r->json, ",\"add_generation_prompt\":%s}", ask ? "true" : "false");
	if (buf_check(&r->json, r->err))
		return -1;
	rc = render(r->t, r->jinja, &r->json,
		(struct jinja_options){.list = "messages",
			.arrays = (const struct json *const[]){r->parsed[0], r->parsed[i]},
			.narrays = i ? 2 : 1},
		&r->text[i], &exception, r->err);
	buf_add_str(&r->text[i], "");
	buf_add_str(&exception, "");
	if (rc == 0)
		fault_set(r->fault, FAULT_TEMPLATE, "%s: %.150s", layout_part_name(r->row, i).text,
			exception.failed ? "" : exception.data);
	buf_release(&exception);
	return rc == 1 && buf_check(&r->text[i], r->err) ? -1 : rc;
}

static size_t common(const struct buf *a, const struct buf *b)
{
	size_t n = 0;

	while (n < a->len && n < b->len && a->data[n] == b->data[n])
		n++;
	return n;
}

/* Where the prompt ends in the whole conversations: behind its own text, or where they part from it. */
static size_t find_boundary(struct rendering *r)
{
	const struct buf *prompt = &r->text[0];
	size_t n = prompt->len;

	for (int i = 1; i <= r->row->k; i++) {
		size_t same = common(prompt, &r->text[i]);

		n = same < n ? same : n;
	}
	if (n == prompt->len)
		return n;
	while (n && (prompt->data[n] & 0xc0) == 0x80)
		n--;
	fault_set(&r->row->note, FAULT_BOUNDARY,
		"the template's text of the prompt has %zu bytes, of which the conversation begins with %zu", prompt->len, n);
	return n;
}

/* Sets the parts' texts, without marks, and what the marks mean. */
static int set_texts(struct rendering *r, struct arena *arena)
{
	size_t boundary = find_boundary(r);

	for (int i = 0; i <= r->row->k; i++) {
		struct layout_part *part = &r->row->parts[i];
		size_t from = i ? boundary : 0, n = (i ? r->text[i].len : boundary) - from;
		char *text = arena_copy(arena, r->text[i].data + from, n, r->err);
		uint8_t *plain = text && *r->mark ? arena_new(arena, n + 1, 1, r->err) : NULL;

		if (!text || (*r->mark && !plain))
			return -1;
		if (plain) {
			memset(plain, 0, n + 1);
			n = marks_take(text, n, r->t->mark, r->mark, plain);
		}
		part->text = text;
		part->len = n;
		part->plain = plain;
	}
	return 1;
}

int template_render_row(const void *context, struct layout_row *row, struct arena *arena, struct fault *fault,
	struct err *err)
{
	struct rendering r = {.t = context, .row = row, .fault = fault, .err = err};
	int rc = -1;

	r.text = mem_new((size_t)row->k + 1, sizeof *r.text, err);
	r.messages = r.text ? mem_new((size_t)row->k + 1, sizeof *r.messages, err) : NULL;
	r.parsed = r.messages ? mem_new((size_t)row->k + 1, sizeof *r.parsed, err) : NULL;
	if (r.parsed)
		rc = set_extra(&r);
	if (rc == 1)
		rc = set_messages(&r);
	if (rc == 1 && r.t->mark)
		rc = mark_messages(&r);
	if (rc == 1)
		rc = parse_messages(&r);
	for (int i = 0; rc == 1 && i <= row->k; i++)
		rc = render_messages(&r, i);
	if (rc == 1)
		rc = set_texts(&r, arena);
	for (int i = 0; r.parsed && i <= row->k; i++) {
		json_free(r.parsed[i]);
		buf_release(&r.messages[i]);
		buf_release(&r.text[i]);
	}
	free(r.parsed);
	free(r.messages);
	free(r.text);
	buf_release(&r.extra);
	buf_release(&r.json);
	return rc;
}
