#include "text/repair.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

/* How many bytes at s, which no character begins with, are the beginning of one. */
static size_t beginning(const unsigned char *s, size_t n)
{
	size_t need = s[0] >= 0xf0 ? 3 : s[0] >= 0xe0 ? 2 : 1, have = 1;
	unsigned char low = s[0] == 0xe0   ? 0xa0
			    : s[0] == 0xf0 ? 0x90
					   : 0x80,
		      high = s[0] == 0xed   ? 0x9f
			     : s[0] == 0xf4 ? 0x8f
					    : 0xbf;

	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 1;
	while (have < n && have < need && s[have] >= low && s[have] <= high) {
		have++;
		low = 0x80;
		high = 0xbf;
	}
	return have;
}

/* The surrogate that is escaped at s, or 0. */
static unsigned surrogate(const char *s, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	unsigned unit = 0;

	if (n < 6 || memcmp(s, "\\u", 2))
		return 0;
	for (int i = 2; i < 6; i++) {
		const char *digit =
			s[i] ? strchr(digits, s[i] >= 'A' && s[i] <= 'F' ? s[i] | 0x20 : s[i])
			     : NULL;

		if (!digit)
			return 0;
		unit = unit << 4 | (unsigned)(digit - digits);
	}
	return unit >= 0xd800 && unit <= 0xdfff ? unit : 0;
}

/* Bytes of the escape at s that are kept; 0 where it is half a pair. */
static size_t escape(const char *s, size_t n)
{
	unsigned first = surrogate(s, n), second = first ? surrogate(s + 6, n - 6) : 0;

	if (!first)
		return n < 2 ? n : 2;
	return first < 0xdc00 && second >= 0xdc00 ? 12 : 0;
}

size_t repair_text(const char *text, size_t n, struct buf *out)
{
	size_t replaced = 0, copied = 0, at = 0, kept, lost;
	uint32_t cp;

	while (at < n) {
		if (text[at] == '\\') {
			kept = escape(text + at, n - at);
			lost = 6;
		} else {
			kept = (size_t)utf8_decode(text + at, n - at, &cp);
			lost = kept ? 0 : beginning((const unsigned char *)text + at, n - at);
		}
		at += kept;
		if (kept)
			continue;
		buf_add(out, text + copied, at - copied);
		buf_add_str(out, "\xef\xbf\xbd");
		at += lost;
		copied = at;
		replaced++;
	}
	buf_add(out, text + copied, n - copied);
	return replaced;
}
