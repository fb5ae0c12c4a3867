#include "text/specials.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/json.h"

#define FILE_LIMIT ((size_t)1 << 28)

/* There is room for it. */
static int add(struct specials *s, const char *token, size_t n, struct err *err)
{
	s->token[s->n] = mem_copy(token, n, err);
	if (!s->token[s->n])
		return -1;
	s->len[s->n++] = n;
	return 0;
}

static int add_all(struct specials *s, const struct json *list, struct err *err)
{
	size_t cap = 0, cap_len = 0;

	for (const struct json *v = json_first(list); v; v = json_next(v)) {
		bool special = false;
		size_t n = 0;
		const char *content = json_string(json_get(v, "content"), &n);

		if (!json_bool(json_get(v, "special"), &special) || !special || !n)
			continue;
		if (mem_grow(&s->token, &cap, s->n + 1, sizeof *s->token, err) ||
			mem_grow(&s->len, &cap_len, s->n + 1, sizeof *s->len, err) || add(s, content, n, err))
			return -1;
	}
	return 0;
}

/* Adds what stands under the key of a file that may be missing. */
static int add_file(struct specials *s, const char *folder, const char *name, const char *key, struct err *err)
{
	char *path = path_join(folder, name, err);
	struct json *file = NULL;
	int rc = path ? 0 : -1;

	if (path && access(path, F_OK) == 0) {
		file = json_load(path, FILE_LIMIT, err);
		rc = file ? add_all(s, json_get(file, key), err) : -1;
	}
	json_free(file);
	free(path);
	return rc;
}

int specials_load(struct specials *s, const char *folder, struct err *err)
{
	*s = (struct specials)SPECIALS_INIT;
	if (add_file(s, folder, "tokenizer_config.json", "added_tokens_decoder", err))
		return -1;
	return s->n ? 0 : add_file(s, folder, "tokenizer.json", "added_tokens", err);
}

int specials_escape(struct specials *to, const struct specials *from, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc = 0;

	*to = (struct specials){
		.token = mem_new(from->n, sizeof *to->token, err), .len = mem_new(from->n, sizeof *to->len, err)};
	if (!to->token || !to->len)
		return -1;
	for (size_t i = 0; rc == 0 && i < from->n; i++) {
		buf_clear(&text);
		json_escape(&text, from->token[i], from->len[i]);
		rc = buf_check(&text, err) || add(to, text.data, text.len, err) ? -1 : 0;
	}
	buf_release(&text);
	return rc;
}

void specials_release(struct specials *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->token[i]);
	free(s->token);
	free(s->len);
	*s = (struct specials)SPECIALS_INIT;
}

size_t specials_match(const struct specials *s, const char *text, size_t n)
{
	size_t best = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->len[i] > best && s->len[i] <= n && *s->token[i] == *text &&
			!memcmp(s->token[i], text, s->len[i]))
			best = s->len[i];
	return best;
}

size_t specials_find(const struct specials *s, const char *text, size_t n, size_t *len)
{
	char first[256] = {0};

	if (!s->n)
		return n;
	for (size_t i = 0; i < s->n; i++)
		first[(unsigned char)*s->token[i]] = 1;
	for (size_t at = 0; at < n; at++)
		if (first[(unsigned char)text[at]] && (*len = specials_match(s, text + at, n - at)))
			return at;
	return n;
}
