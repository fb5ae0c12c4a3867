#include "io/meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/json.h"

void meta_release(struct meta *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->entries[i].key);
		free(m->entries[i].value);
	}
	free(m->entries);
	*m = (struct meta)META_INIT;
}

/* Where key is, or belongs. */
static size_t place(const struct meta *m, const char *key, bool *found)
{
	size_t i = 0;
	int order = 1;

	while (i < m->n && (order = strcmp(m->entries[i].key, key)) < 0)
		i++;
	*found = i < m->n && order == 0;
	return i;
}

int meta_set(struct meta *m, const char *key, const char *value, struct err *err)
{
	bool found;
	size_t i = place(m, key, &found);
	struct meta_entry e = {.value = mem_copy(value, strlen(value), err)};

	if (!e.value)
		return -1;
	if (found) {
		free(m->entries[i].value);
		m->entries[i].value = e.value;
		return 0;
	}
	e.key = mem_copy(key, strlen(key), err);
	if (!e.key || mem_grow(&m->entries, &m->cap, m->n + 1, sizeof e, err)) {
		free(e.key);
		free(e.value);
		return -1;
	}
	memmove(m->entries + i + 1, m->entries + i, (m->n - i) * sizeof e);
	m->entries[i] = e;
	m->n++;
	return 0;
}

int meta_set_int(struct meta *m, const char *key, int64_t value, struct err *err)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)value);
	return meta_set(m, key, text, err);
}

void meta_remove(struct meta *m, const char *key)
{
	bool found;
	size_t i = place(m, key, &found);

	if (!found)
		return;
	free(m->entries[i].key);
	free(m->entries[i].value);
	memmove(m->entries + i, m->entries + i + 1, (m->n - i - 1) * sizeof *m->entries);
	m->n--;
}

void meta_remove_all(struct meta *m, const char *prefix)
{
	for (size_t i = 0; i < m->n;) {
		if (strncmp(m->entries[i].key, prefix, strlen(prefix)))
			i++;
		else
			meta_remove(m, m->entries[i].key);
	}
}

const char *meta_get(const struct meta *m, const char *key)
{
	bool found;
	size_t i = place(m, key, &found);

	return found ? m->entries[i].value : NULL;
}

int64_t meta_get_int(const struct meta *m, const char *key, int64_t fallback)
{
	const char *s = meta_get(m, key);
	int64_t x = 0;

	if (!s || !*s)
		return fallback;
	for (; *s; s++) {
		if (*s < '0' || *s > '9' || x > ((int64_t)1 << 53) / 10)
			return fallback;
		x = x * 10 + (*s - '0');
	}
	return x;
}

int meta_copy(struct meta *to, const struct meta *from, struct err *err)
{
	meta_release(to);
	for (size_t i = 0; i < from->n; i++)
		if (meta_set(to, from->entries[i].key, from->entries[i].value, err))
			return -1;
	return 0;
}

static void add_key(struct buf *out, const struct meta *m, size_t i)
{
	if (i)
		buf_add_char(out, ',');
	json_quote(out, m->entries[i].key, strlen(m->entries[i].key));
	buf_add_char(out, ':');
}

void meta_write(struct buf *out, const struct meta *m)
{
	buf_add_char(out, '{');
	for (size_t i = 0; i < m->n; i++) {
		add_key(out, m, i);
		json_quote(out, m->entries[i].value, strlen(m->entries[i].value));
	}
	buf_add_char(out, '}');
}

void meta_export(struct buf *out, const struct meta *m)
{
	struct err ignored = ERR_INIT;

	buf_add_char(out, '{');
	for (size_t i = 0; i < m->n; i++) {
		const char *value = m->entries[i].value;
		struct json *list = NULL;

		add_key(out, m, i);
		if (!strcmp(m->entries[i].key, "prov"))
			list = json_parse(value, strlen(value), &ignored);
		if (list)
			json_write(out, list);
		else
			json_quote(out, value, strlen(value));
		json_free(list);
	}
	buf_add_char(out, '}');
}

/* As much of a string as fits, and nothing that a terminal would obey. */
static void print_text(struct buf *out, const char *before, const struct json *v, size_t most)
{
	const char *s = json_text(v) ? json_text(v) : "?";

	buf_add_str(out, before);
	json_escape(out, s, strnlen(s, most));
}

static void print_step(struct buf *out, const struct json *step)
{
	const char *before = " <- ";

	print_text(out, "prov             ", json_get(step, "program"), SIZE_MAX);
	print_text(out, " ", json_get(step, "version"), SIZE_MAX);
	for (const struct json *v = json_first(json_get(step, "args")); v; v = json_next(v))
		print_text(out, " ", v, SIZE_MAX);
	for (const struct json *v = json_first(json_get(step, "inputs")); v; v = json_next(v)) {
		print_text(out, before, v, 12);
		before = ", ";
	}
	buf_add_char(out, '\n');
}

void meta_print(struct buf *out, const struct meta *m)
{
	const char *prov = meta_get(m, "prov");
	struct err ignored = ERR_INIT;
	struct json *chain = prov ? json_parse(prov, strlen(prov), &ignored) : NULL;
	const char *key;

	for (size_t i = 0; i < m->n; i++) {
		if (chain && !strcmp(m->entries[i].key, "prov"))
			continue;
		key = m->entries[i].key;
		json_escape(out, key, strlen(key));
		buf_add_fmt(out, "%*s ", strlen(key) < 16 ? 16 - (int)strlen(key) : 0, "");
		json_escape(out, m->entries[i].value, strlen(m->entries[i].value));
		buf_add_char(out, '\n');
	}
	for (const struct json *v = json_first(chain); v; v = json_next(v))
		print_step(out, v);
	json_free(chain);
}

int meta_import(struct meta *m, const struct json *object, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc = 0;

	if (json_kind(object) != JSON_OBJECT)
		return err_set(err, ERR_CORRUPT, "metadata is not a JSON object");
	for (const struct json *v = json_first(object); rc == 0 && v; v = json_next(v)) {
		size_t n;
		const char *s = json_string(v, &n);
		enum json_kind kind = json_kind(v);

		buf_clear(&text);
		if (s && strlen(s) == n)
			buf_add_str(&text, s);
		else if (kind == JSON_NUMBER || kind == JSON_ARRAY || kind == JSON_OBJECT)
			json_write(&text, v);
		else
			rc = err_set(err, ERR_CORRUPT, "metadata '%.60s' is not plain text",
				json_key(v));
		if (rc == 0)
			rc = buf_check(&text, err) || meta_set(m, json_key(v), text.data, err) ? -1
											       : 0;
	}
	buf_release(&text);
	return rc;
}
