#include "text/chat.h"

#include <string.h>

/* ShareGPT's tags. */
static const char *const tags[][2] = {{"human", "user"}, {"user", "user"}, {"gpt", "assistant"},
	{"assistant", "assistant"}, {"chatgpt", "assistant"}, {"bing", "assistant"}, {"bard", "assistant"},
	{"model", "assistant"}, {"function_call", "assistant"}, {"observation", "tool"}, {"tool", "tool"},
	{"system", "system"}};

struct reading {
	const char *key;
	struct arena *arena;
	struct fault *fault;
	struct err *err;
};

static const char *kind_of(const struct json *v)
{
	static const char *const names[] = {"nothing", "null", "a boolean", "a number", "a string", "an array",
		"an object"};

	return names[json_kind(v)];
}

bool chat_is_message(const struct json *v)
{
	return (json_get(v, "role") && (json_get(v, "content") || json_get(v, "tool_calls"))) ||
	       (json_get(v, "from") && json_get(v, "value"));
}

/* A part's text: {"type": "text", "text" or "value": ...}, or a string; NULL for other parts. */
static const char *part_text(const struct json *part, const char *type, size_t *n)
{
	const char *is = json_text(json_get(part, "type"));
	const struct json *text = json_get(part, "text");

	if (json_kind(part) == JSON_STRING)
		return strcmp(type, "text") ? NULL : json_string(part, n);
	if (!is || strcmp(is, type))
		return NULL;
	return json_string(text ? text : json_get(part, "value"), n);
}

/* Appends the texts of all parts of that type; how many there are. */
static size_t join_parts(const struct json *parts, const char *type, struct buf *out)
{
	size_t n = 0, len;

	for (const struct json *p = json_first(parts); p; p = json_next(p)) {
		const char *text = part_text(p, type, &len);

		if (text)
			buf_add(out, text, len);
		n += text != NULL;
	}
	return n;
}

/* A call, which is {"name", "arguments"} as JSON; otherwise it stays a string. */
static void add_call(struct buf *more, const char *text, size_t n)
{
	struct err why = ERR_INIT;
	struct json *call = json_parse(text, n, &why);

	buf_add_str(more, "{\"type\":\"function\",\"function\":");
	if (call)
		json_write(more, call);
	else
		json_quote(more, text, n);
	buf_add_char(more, '}');
	json_free(call);
}

/* LLaMA-Factory's parts besides text become the fields that templates know. */
static void add_fields(const struct json *parts, struct buf *more)
{
	struct buf text = BUF_INIT;
	size_t len, calls = 0;

	if (join_parts(parts, "reasoning", &text)) {
		buf_add_str(more, ",\"reasoning_content\":");
		json_quote(more, text.data, text.len);
	}
	for (const struct json *p = json_first(parts); p; p = json_next(p)) {
		const char *call = part_text(p, "tool_call", &len);

		if (!call)
			continue;
		buf_add_str(more, calls++ ? "," : ",\"tool_calls\":[");
		add_call(more, call, len);
	}
	buf_add_str(more, calls ? "]" : "");
	more->failed |= text.failed;
	buf_release(&text);
}

/* Parts that are all text, or LLaMA-Factory's, with values; other contents stay for the template alone. */
static int read_parts(struct reading *r, const struct json *parts, struct chat_message *m)
{
	struct buf text = BUF_INIT, more = BUF_INIT;
	size_t n = join_parts(parts, "text", &text);
	const struct json *value = json_get(json_first(parts), "value");
	int rc = 1;

	if (value)
		add_fields(parts, &more);
	if (n == json_count(parts) || value) {
		buf_add_str(&text, "");
		rc = buf_check(&text, r->err) || buf_check(&more, r->err) ? -1 : 1;
		m->len = text.len;
		m->content = rc < 0 ? NULL : arena_copy(r->arena, text.data, text.len, r->err);
		rc = m->content ? 1 : -1;
	}
	if (rc == 1 && value) {
		m->source = NULL;
		m->more = more.len ? arena_copy(r->arena, more.data, more.len, r->err) : NULL;
		rc = more.len && !m->more ? -1 : 1;
	}
	buf_release(&text);
	buf_release(&more);
	return rc;
}

static int read_content(struct reading *r, size_t i, const struct json *v, struct chat_message *m)
{
	switch (json_kind(v)) {
	case JSON_STRING:
		m->content = json_string(v, &m->len);
		return 1;
	case JSON_ARRAY:
		return read_parts(r, v, m);
	case JSON_NONE:
	case JSON_NULL:
		if (chat_field(m))
			return 1;
		if (json_kind(v) == JSON_NONE)
			return fault_set(r->fault, FAULT_MISSING_KEY, "message %zu of '%s' has no 'content'", i, r->key);
		/* fall through */
	default:
		return fault_set(r->fault, FAULT_WRONG_TYPE, "the content of message %zu of '%s' is %s, not a string",
			i, r->key, kind_of(v));
	}
}

/* A call as ShareGPT writes it, {"name", "arguments"} in a string, becomes a tool call. */
static int read_call(struct reading *r, struct chat_message *m)
{
	struct err why = ERR_INIT;
	struct json *call = json_parse(m->content, m->len, &why);
	struct buf more = BUF_INIT;
	bool list = json_kind(call) == JSON_ARRAY;

	if (call && (list || json_get(call, "name"))) {
		buf_add_str(&more, ",\"tool_calls\":[");
		for (const struct json *c = list ? json_first(call) : call; c; c = list ? json_next(c) : NULL) {
			buf_add_str(&more, more.data[more.len - 1] == '[' ? "" : ",");
			buf_add_str(&more, "{\"type\":\"function\",\"function\":");
			json_write(&more, c);
			buf_add_char(&more, '}');
		}
		buf_add_char(&more, ']');
		m->content = NULL;
	}
	json_free(call);
	if (buf_check(&more, r->err) == 0)
		m->more = m->content ? NULL : arena_copy(r->arena, more.data, more.len, r->err);
	buf_release(&more);
	return m->content || m->more ? 1 : -1;
}

static int read_tagged(struct reading *r, size_t i, const struct json *v, struct chat_message *m)
{
	const char *tag = json_text(json_get(v, "from"));
	size_t t = 0;

	while (tag && t < sizeof tags / sizeof *tags && strcmp(tags[t][0], tag))
		t++;
	if (!tag || t == sizeof tags / sizeof *tags)
		return fault_set(r->fault, FAULT_ROLES, "message %zu of '%s' is from %s, which is not known", i, r->key,
			tag ? fault_show(tag).text : kind_of(json_get(v, "from")));
	m->role = tags[t][1];
	m->content = json_string(json_get(v, "value"), &m->len);
	if (!m->content)
		return fault_set(r->fault, FAULT_WRONG_TYPE, "the value of message %zu of '%s' is %s, not a string", i,
			r->key, kind_of(json_get(v, "value")));
	return strcmp(tag, "function_call") ? 1 : read_call(r, m);
}

static int read_message(struct reading *r, size_t i, const struct json *v, struct chat_message *m)
{
	*m = (struct chat_message){.role = json_text(json_get(v, "role"))};
	if (json_kind(v) != JSON_OBJECT)
		return fault_set(r->fault, FAULT_WRONG_TYPE, "message %zu of '%s' is %s, not an object", i, r->key,
			kind_of(v));
	if (json_get(v, "from") && json_get(v, "value") && !json_get(v, "role"))
		return read_tagged(r, i, v, m);
	if (!json_get(v, "role"))
		return fault_set(r->fault, FAULT_MISSING_KEY, "message %zu of '%s' has no 'role'", i, r->key);
	if (!m->role)
		return fault_set(r->fault, FAULT_WRONG_TYPE, "the role of message %zu of '%s' is %s, not a string", i,
			r->key, kind_of(json_get(v, "role")));
	m->source = v;
	return read_content(r, i, json_get(v, "content"), m);
}

int chat_read(const char *key, const struct json *list, struct chat_message **messages, size_t *n,
	struct arena *arena, struct fault *fault, struct err *err)
{
	struct reading r = {key, arena, fault, err};
	bool one = json_kind(list) == JSON_OBJECT;
	int rc = 1;

	*n = 0;
	*messages = arena_new(arena, one ? 1 : json_count(list), sizeof **messages, err);
	if (!*messages)
		return -1;
	for (const struct json *v = one ? list : json_first(list); v && rc == 1; v = one ? NULL : json_next(v), ++*n)
		rc = read_message(&r, *n + 1, v, *messages + *n);
	return rc;
}

bool chat_same(const struct chat_message *a, const struct chat_message *b)
{
	struct buf x = BUF_INIT, y = BUF_INIT;
	bool same;

	if (strcmp(a->role, b->role) || a->len != b->len ||
		(a->content && b->content && memcmp(a->content, b->content, a->len)))
		return false;
	if (!chat_field(a) && !chat_field(b) && a->content && b->content)
		return true;
	chat_put(&x, a);
	chat_put(&y, b);
	same = x.len == y.len && !memcmp(x.data, y.data, x.len);
	buf_release(&x);
	buf_release(&y);
	return same;
}

void chat_put(struct buf *out, const struct chat_message *m)
{
	if (m->source) {
		json_write(out, m->source);
		return;
	}
	buf_add_str(out, "{\"role\":");
	json_quote(out, m->role, strlen(m->role));
	buf_add_str(out, ",\"content\":");
	if (m->content)
		json_quote(out, m->content, m->len);
	else
		buf_add_str(out, "null");
	buf_add_str(out, m->more ? m->more : "");
	buf_add_char(out, '}');
}

static const char *field_of(const struct json *object, const char *const *fields)
{
	for (const char *const *f = fields; *f; f++) {
		const struct json *v = json_get(object, *f);
		size_t n = 0;

		json_string(v, &n);
		if (json_kind(v) == JSON_STRING ? n > 0 : json_first(v) != NULL)
			return *f;
	}
	return NULL;
}

const char *chat_field(const struct chat_message *m)
{
	static const char *const fields[] = {
		"tool_calls", "function_call", "reasoning_content", "reasoning", "thinking", NULL};

	return m->more ? m->more[2] == 'r' ? "reasoning_content" : "tool_calls" : field_of(m->source, fields);
}

const char *chat_row_field(const struct json *row)
{
	static const char *const fields[] = {"tools", "documents", "chat_template_kwargs", NULL};

	return field_of(row, fields);
}
