#include "text/scan.h"

#include <stdbool.h>
#include <string.h>

#include "text/uchar.h"

const char scan_gpt2_regex[] =
	"'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static const char llama3_regex[] =
	"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
	" ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const char scan_qwen_regex[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
			       " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

enum scan_rule scan_find(const char *regex, size_t n)
{
	static const struct {
		enum scan_rule rule;
		const char *regex;
	} known[] = {{SCAN_GPT2, scan_gpt2_regex}, {SCAN_LLAMA3, llama3_regex},
		{SCAN_QWEN, scan_qwen_regex}};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i].regex) == n && !memcmp(known[i].regex, regex, n))
			return known[i].rule;
	return SCAN_NONE;
}

static inline enum uchar_kind kind_at(const char *s, const char **behind)
{
	unsigned char c = (unsigned char)*s;

	*behind = s + 1;
	if (c < 0x80)
		return (enum uchar_kind)uchar_ascii[c];
	*behind = s;
	return uchar_kind(uchar_next(behind));
}

/* Behind the run of characters of that kind that begins at s, of at most `most`. */
static inline const char *run(const char *s, const char *end, enum uchar_kind kind, size_t most)
{
	const char *behind;

	while (s < end && most-- > 0 && kind_at(s, &behind) == kind)
		s = behind;
	return s;
}

static inline const char *letters(const char *s, const char *end)
{
	const char *behind;

	for (;;) {
		s = uchar_skip_letters(s, end);
		if (s == end || (unsigned char)*s < 0x80 || kind_at(s, &behind) != UCHAR_LETTER)
			return s;
		s = behind;
	}
}

static inline const char *run_of(const char *s, const char *end, enum uchar_kind kind)
{
	return kind == UCHAR_LETTER ? letters(s, end) : run(s, end, kind, SIZE_MAX);
}

static inline bool is_newline(char c)
{
	return c == '\n' || c == '\r';
}

/* 's, 't, 're and so on: their length, or 0. In any case also where 's' is U+017F. */
static size_t contraction(const char *s, const char *end, bool any_case)
{
	char a = end - s > 1 ? s[1] : '\0', b = end - s > 2 ? s[2] : '\0';

	if (any_case && a == (char)0xc5 && b == (char)0xbf)
		return 3;
	if (any_case) {
		a = a >= 'A' && a <= 'Z' ? (char)(a | 0x20) : a;
		b = b >= 'A' && b <= 'Z' ? (char)(b | 0x20) : b;
	}
	if (a == 's' || a == 't' || a == 'm' || a == 'd')
		return 2;
	return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/*
 * \s+(?!\S)|\s+ from s to behind: a run gives its last character back, unless it is alone or at the
 * end.
 */
static const char *spaces(const char *s, const char *behind, const char *end)
{
	const char *last = uchar_back(behind);

	return behind == end || last == s ? behind : last;
}

static const char *next_gpt2(const char *s, const char *end)
{
	const char *behind, *after;
	enum uchar_kind kind = kind_at(s, &behind), second;
	size_t n;

	if (*s == '\'' && (n = contraction(s, end, false)))
		return s + n;
	if (kind != UCHAR_SPACE)
		return run_of(behind, end, kind);
	if (*s == ' ' && behind < end) {
		second = kind_at(behind, &after);
		if (second != UCHAR_SPACE)
			return run_of(after, end, second);
	}
	return spaces(s, run(behind, end, UCHAR_SPACE, SIZE_MAX), end);
}

static const char *next_llama3(const char *s, const char *end, size_t digits)
{
	const char *behind, *after = NULL, *line = NULL;
	enum uchar_kind kind = kind_at(s, &behind), second = UCHAR_SPACE;
	size_t n;

	if (*s == '\'' && (n = contraction(s, end, true)))
		return s + n;
	if (kind == UCHAR_LETTER)
		return letters(behind, end);
	if (kind == UCHAR_NUMBER)
		return run(behind, end, UCHAR_NUMBER, digits - 1);
	if (behind < end)
		second = kind_at(behind, &after);
	if (second == UCHAR_LETTER && !is_newline(*s))
		return letters(after, end);
	if (kind == UCHAR_OTHER || (*s == ' ' && second == UCHAR_OTHER)) {
		s = run(behind, end, UCHAR_OTHER, SIZE_MAX);
		while (s < end && is_newline(*s))
			s++;
		return s;
	}
	behind = run(behind, end, UCHAR_SPACE, SIZE_MAX);
	for (const char *p = s; p < behind; p++)
		if (is_newline(*p))
			line = p + 1;
	return line ? line : spaces(s, behind, end);
}

size_t scan_next(enum scan_rule rule, const char *text, size_t n, size_t at)
{
	const char *s = text + at, *end = text + n;

	if (rule == SCAN_GPT2)
		return (size_t)(next_gpt2(s, end) - text);
	return (size_t)(next_llama3(s, end, rule == SCAN_QWEN ? 1 : 3) - text);
}
