#include "text/marks.h"

#include <string.h>

#include "base/utf8.h"
#include "io/json.h"

#define FIRST 0xfdd0 /* EF B7 90; the others follow */
#define COUNT 32

uint32_t marks_used(const char *text, size_t n)
{
	const char *end = text + n, *p = text;
	uint32_t used = 0;

	while (n && (p = memchr(p, 0xef, (size_t)(end - p)))) {
		if (end - p >= 3 && p[1] == '\xb7' && (unsigned char)p[2] >= 0x90 && (unsigned char)p[2] < 0x90 + COUNT)
			used |= (uint32_t)1 << ((unsigned char)p[2] - 0x90);
		p++;
	}
	return used;
}

bool marks_choose(uint32_t used, char mark[4])
{
	if (used != UINT32_MAX)
		mark[utf8_encode(mark, FIRST + (uint32_t)__builtin_ctz(~used))] = '\0';
	return used != UINT32_MAX;
}

/* Bytes of the character that text within a JSON string begins with. */
static size_t first_character(const char *text, size_t n)
{
	uint32_t cp;

	if (n && *text == '\\')
		return text[1] == 'u' ? 6 : 2;
	return n ? (size_t)utf8_decode(text, n, &cp) : 0;
}

int marks_put(struct buf *json, const struct specials *escaped, const char *mark, struct err *err)
{
	size_t len, at = specials_find(escaped, json->data, json->len, &len);
	struct buf out = BUF_INIT, swap;
	int rc;

	if (at == json->len)
		return 0;
	if (!*mark)
		return 1;
	for (size_t done = 0;;) {
		size_t first = first_character(json->data + at, json->len - at);

		buf_add(&out, json->data + done, at + first - done);
		if (at == json->len)
			break;
		buf_add_str(&out, mark);
		done = at += first;
		at += specials_find(escaped, json->data + at, json->len - at, &len);
	}
	rc = buf_check(&out, err) ? -1 : 1;
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
