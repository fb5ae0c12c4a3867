#include "text/implicit.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

static size_t before(const char *s, size_t p)
{
	do
		p--;
	while (p > 0 && (s[p] & 0xc0) == 0x80);
	return p;
}

static uint32_t char_at(const char *s, size_t n, size_t p)
{
	uint32_t cp = 0;

	if (p < n)
		utf8_decode(s + p, n - p, &cp);
	return cp;
}

static bool is_digit(uint32_t c)
{
	return c && utf8proc_category((int32_t)c) == UTF8PROC_CATEGORY_ND;
}

/* Letters, marks, numbers, and connectors such as '_'. */
static bool is_word(uint32_t c)
{
	utf8proc_category_t category = c ? utf8proc_category((int32_t)c) : UTF8PROC_CATEGORY_CN;

	return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_PC;
}

/* Of a script that is written without spaces: Thai, Lao, Myanmar, Khmer, kana, Han. */
static bool is_spaceless(uint32_t c)
{
	return (c >= 0x0e00 && c < 0x0f00) || (c >= 0x1000 && c < 0x10a0) ||
	       (c >= 0x1780 && c < 0x1800) || (c >= 0x3040 && c < 0x3100) ||
	       (c >= 0x3400 && c < 0xa000) || (c >= 0xf900 && c < 0xfb00) ||
	       (c >= 0x20000 && c < 0x40000);
}

/* Do a and b belong to one word across j, as in "it's" and "1.5"? */
static bool joins(uint32_t a, uint32_t j, uint32_t b)
{
	if (j == '.' || j == ',')
		return is_digit(a) && is_digit(b);
	return (j == '\'' || j == 0x2019) && is_word(a) && is_word(b);
}

/* Is p inside of <...> or [...] without white space, such as a special token? */
static bool in_tag(const char *s, size_t n, size_t p)
{
	size_t open = p, close = p;

	while (open > 0 && p - open < 64 && !strchr("<>[] \t\r\n", s[open - 1]))
		open--;
	while (close < n && close - p < 64 && !strchr("<>[] \t\r\n", s[close]))
		close++;
	if (open == 0 || close == n)
		return false;
	return (s[open - 1] == '<' && s[close] == '>') || (s[open - 1] == '[' && s[close] == ']');
}

static bool cuts(const char *s, size_t n, size_t p)
{
	size_t q = before(s, p);
	uint32_t prev = char_at(s, n, q), next = char_at(s, n, p), next2;

	if (p == n)
		return false;
	if (prev == 0x200d || !utf8proc_grapheme_break((int32_t)prev, (int32_t)next))
		return true;
	if (is_word(prev) && is_word(next))
		return !is_spaceless(prev) && !is_spaceless(next);
	next2 = char_at(s, n, p + (size_t)utf8_decode(s + p, n - p, &next));
	return joins(prev, next, next2) ||
	       (q > 0 && joins(char_at(s, n, before(s, q)), prev, next)) || in_tag(s, n, p);
}

size_t implicit_prompt_end(const char *a, size_t na, const char *b, size_t nb)
{
	size_t n = na < nb ? na : nb, p = 0;

	while (p < n && a[p] == b[p])
		p++;
	while (p > 0 && p < na && (a[p] & 0xc0) == 0x80)
		p--;
	while (p > 0 && (cuts(a, na, p) || cuts(b, nb, p)))
		p = before(a, p);
	while (p > 0 && (a[p - 1] == ' ' || a[p - 1] == '\t'))
		p--;
	return p;
}
