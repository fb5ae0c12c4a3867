#include "text/marks.h"

#include <string.h>

#include "base/utf8.h"
#include "io/json.h"

static int choose(const struct buf *json, char mark[4], struct err *err)
{
	for (uint32_t c = 0xfdd0; c <= 0xfdef; c++) {
		mark[utf8_encode(mark, c)] = '\0';
		if (!memmem(json->data, json->len, mark, 3))
			return 0;
	}
	return err_set(err, ERR_LIMIT, "the row has every character from U+FDD0 to U+FDEF, none is left for marks");
}

/* Bytes of the character that text within a JSON string begins with. */
static size_t first_character(const char *text, size_t n)
{
	uint32_t cp;

	if (n && *text == '\\')
		return text[1] == 'u' ? 6 : 2;
	return n ? (size_t)utf8_decode(text, n, &cp) : 0;
}

int marks_put(struct buf *json, size_t from, const struct specials *escaped, char mark[4], struct err *err)
{
	size_t len, at = from + specials_find(escaped, json->data + from, json->len - from, &len);
	struct buf out = BUF_INIT, swap;
	int rc;

	if (at == json->len)
		return 0;
	if (!*mark && choose(json, mark, err))
		return -1;
	for (size_t done = 0;;) {
		size_t first = first_character(json->data + at, json->len - at);

		buf_add(&out, json->data + done, at + first - done);
		if (at == json->len)
			break;
		buf_add_str(&out, mark);
		done = at += first;
		at += specials_find(escaped, json->data + at, json->len - at, &len);
	}
	rc = buf_check(&out, err);
	swap = *json;
	*json = out;
	buf_release(&swap);
	return rc;
}

size_t marks_take(char *text, size_t n, const struct specials *s, const char *mark, uint8_t *plain)
{
	size_t to = 0, token;

	for (size_t at = 0; at < n;) {
		if (n - at < 3 || memcmp(text + at, mark, 3)) {
			text[to++] = text[at++];
			continue;
		}
		at += 3;
		plain[to ? to - 1 : 0] |= 2; /* the mark stood here; its token is looked for when all are out */
	}
	for (size_t at = 0; at < to; at++) {
		if (!(plain[at] & 2))
			continue;
		plain[at] &= 1;
		for (size_t start = at;; start--) {
			if ((text[start] & 0xc0) == 0x80 && start)
				continue;
			token = specials_match(s, text + start, to - start);
			memset(plain + start, 1, token);
			break;
		}
	}
	return to;
}
