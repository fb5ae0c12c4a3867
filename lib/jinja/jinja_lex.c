#include "jinja/jinja_impl.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

/*
 * Tokens as Jinja2's lexer makes them. Data before a tag depends on the tag's sign ("-", "+" or none), so
 * the tag's begin is found first and handed out after the data.
 */

static const char *const token_names[] = {
	[T_EOF] = "end of template",
	[T_DATA] = "template data / text",
	[T_VARIABLE_BEGIN] = "begin of print statement",
	[T_VARIABLE_END] = "end of print statement",
	[T_BLOCK_BEGIN] = "begin of statement block",
	[T_BLOCK_END] = "end of statement block",
	[T_NAME] = "name",
	[T_STRING] = "string",
	[T_INTEGER] = "integer",
	[T_FLOAT] = "float",
	[T_ADD] = "+",
	[T_ASSIGN] = "=",
	[T_COLON] = ":",
	[T_COMMA] = ",",
	[T_DIV] = "/",
	[T_DOT] = ".",
	[T_EQ] = "==",
	[T_FLOORDIV] = "//",
	[T_GT] = ">",
	[T_GTEQ] = ">=",
	[T_LBRACE] = "{",
	[T_LBRACKET] = "[",
	[T_LPAREN] = "(",
	[T_LT] = "<",
	[T_LTEQ] = "<=",
	[T_MOD] = "%",
	[T_MUL] = "*",
	[T_NE] = "!=",
	[T_PIPE] = "|",
	[T_POW] = "**",
	[T_RBRACE] = "}",
	[T_RBRACKET] = "]",
	[T_RPAREN] = ")",
	[T_SEMICOLON] = ";",
	[T_SUB] = "-",
	[T_TILDE] = "~",
};

const char *jinja_token_name(enum jtoken type)
{
	return token_names[type];
}

/* All line ends become \n, and the last one goes. */
void jinja_lex_open(struct jparser *p, const char *source, size_t n)
{
	char *copy = jinja_parse_alloc(p, n + 1, 1);
	size_t to = 0;

	for (size_t i = 0; i < n; i++) {
		if (source[i] == '\r') {
			copy[to++] = '\n';
			if (i + 1 < n && source[i + 1] == '\n')
				i++;
		} else {
			copy[to++] = source[i];
		}
	}
	if (to && copy[to - 1] == '\n')
		to--;
	p->lex = (struct jlexer){.s = copy, .n = to, .line = 1, .line_starting = true};
}

static int count_lines(const char *s, size_t n)
{
	const char *end = s + n;
	int lines = 0;

	while (n && (s = memchr(s, '\n', (size_t)(end - s)))) {
		lines++;
		s++;
	}
	return lines;
}

/* Moves on to pos. */
static void consume(struct jlexer *l, size_t pos)
{
	l->line += count_lines(l->s + l->pos, pos - l->pos);
	if (pos > l->pos)
		l->line_starting = l->s[pos - 1] == '\n';
	l->pos = pos;
}

/* Where white space that begins at pos ends. */
static size_t skip_space(const struct jlexer *l, size_t pos)
{
	const char *s = l->s + pos, *at = s, *end = l->s + l->n;

	while (s < end) {
		at = s;
		if (!jinja_is_space(jinja_cp(&s, end)))
			return (size_t)(at - l->s);
	}
	return l->n;
}

/* Where the text up to end has its last character that is no white space, and no less than from. */
static size_t strip_space(const struct jlexer *l, size_t from, size_t end)
{
	const char *s, *begin;

	while (end > from) {
		begin = l->s + end - 1;
		while (begin > l->s + from && ((unsigned char)*begin & 0xc0) == 0x80)
			begin--;
		s = begin;
		if (!jinja_is_space(jinja_cp(&s, l->s + end)))
			break;
		end = (size_t)(begin - l->s);
	}
	return end;
}

/* Where text before a tag ends, that starts at from and may be stripped for the tag's sake. */
static size_t text_end(const struct jlexer *l, size_t from, size_t end, char sign, bool variable)
{
	size_t line = end;

	if (sign == '-')
		return strip_space(l, from, end);
	if (sign == '+' || variable)
		return end;
	while (line > from && l->s[line - 1] != '\n')
		line--;
	if ((line > from || l->line_starting) && strip_space(l, line, end) == line)
		return line;
	return end;
}

/* The end of a block's or comment's closing mark at pos, which may have a sign: 0 where there is none. */
static size_t closing(const struct jlexer *l, size_t pos, char first, bool trim)
{
	size_t left = l->n - pos;
	const char *s = l->s + pos;

	if (left >= 3 && s[0] == '+' && s[1] == first && s[2] == '}')
		return pos + 3;
	if (left >= 3 && s[0] == '-' && s[1] == first && s[2] == '}')
		return skip_space(l, pos + 3);
	if (left >= 2 && s[0] == first && s[1] == '}')
		return pos + 2 + (trim && left >= 3 && s[2] == '\n');
	return 0;
}

static char sign_at(const struct jlexer *l, size_t pos)
{
	return pos < l->n && (l->s[pos] == '-' || l->s[pos] == '+') ? l->s[pos] : '\0';
}

/* The end of "{% raw %}" at pos, which may carry signs: 0 where there is none. */
static size_t raw_begin(const struct jlexer *l, size_t pos)
{
	size_t at = pos + 2;

	at = skip_space(l, at + (sign_at(l, at) ? 1 : 0));
	if (l->n - at < 3 || memcmp(l->s + at, "raw", 3))
		return 0;
	at = skip_space(l, at + 3);
	if (l->n - at >= 3 && !memcmp(l->s + at, "-%}", 3))
		return skip_space(l, at + 3);
	return l->n - at >= 2 && !memcmp(l->s + at, "%}", 2) ? at + 2 : 0;
}

static void set_text(struct jtok *tok, enum jtoken type, int line, const char *s, size_t n)
{
	*tok = (struct jtok){.type = type, .line = line, .s = s, .n = n};
}

static bool lex_root(struct jparser *p, struct jtok *tok)
{
	struct jlexer *l = &p->lex;
	size_t from = l->pos, at = from, raw, end;
	int line = l->line;
	char sign;

	while (at + 1 < l->n && !(l->s[at] == '{' && strchr("%{#", l->s[at + 1]) && l->s[at + 1]))
		at++;
	if (at + 1 >= l->n) {
		consume(l, l->n);
		set_text(tok, T_DATA, line, l->s + from, l->n - from);
		return true;
	}
	sign = sign_at(l, at + 2);
	end = text_end(l, from, at, sign, l->s[at + 1] == '{');
	raw = l->s[at + 1] == '%' ? raw_begin(l, at) : 0;
	consume(l, at);
	l->pending = true;
	set_text(&l->begin, T_DATA, l->line, l->s, 0);
	if (raw) {
		l->state = LEX_RAW;
		consume(l, raw);
	} else {
		l->state = l->s[at + 1] == '{' ? LEX_VARIABLE
			: l->s[at + 1] == '%'  ? LEX_BLOCK
					       : LEX_COMMENT;
		if (l->state != LEX_COMMENT)
			l->begin.type = l->state == LEX_BLOCK ? T_BLOCK_BEGIN : T_VARIABLE_BEGIN;
		consume(l, at + 2 + (sign ? 1 : 0));
	}
	set_text(tok, T_DATA, line, l->s + from, end - from);
	return end > from;
}

static void skip_comment(struct jparser *p)
{
	struct jlexer *l = &p->lex;
	size_t at, end = 0;

	for (at = l->pos; at + 1 < l->n && !(end = closing(l, at, '#', true)); at++)
		;
	if (!end)
		jinja_fail(p, l->line, "TemplateSyntaxError", "Missing end of comment tag");
	consume(l, end);
	l->state = LEX_ROOT;
}

static bool lex_raw(struct jparser *p, struct jtok *tok)
{
	struct jlexer *l = &p->lex;
	size_t from = l->pos, at, in, end = 0, stop;
	int line = l->line;
	char sign = '\0';

	for (at = from; at + 1 < l->n; at++) {
		if (l->s[at] != '{' || l->s[at + 1] != '%')
			continue;
		sign = sign_at(l, at + 2);
		in = skip_space(l, at + 2 + (sign ? 1 : 0));
		if (l->n - in < 6 || memcmp(l->s + in, "endraw", 6))
			continue;
		end = closing(l, skip_space(l, in + 6), '%', true);
		if (end)
			break;
	}
	if (!end)
		jinja_fail(p, l->line, "TemplateSyntaxError", "Missing end of raw directive");
	stop = text_end(l, from, at, sign, false);
	consume(l, end);
	l->state = LEX_ROOT;
	set_text(tok, T_DATA, line, l->s + from, stop - from);
	return stop > from;
}

static bool digit_of(char c, int base)
{
	int d = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 99;

	return d < base;
}

/* The end of digits of that base from pos, which may be parted by single underscores. */
static size_t digits_end(const struct jlexer *l, size_t pos, int base, bool underscore_first)
{
	size_t at = pos;

	while (at < l->n) {
		if (digit_of(l->s[at], base))
			at++;
		else if (l->s[at] == '_' && (at > pos || underscore_first) && at + 1 < l->n &&
			digit_of(l->s[at + 1], base))
			at += 2;
		else
			break;
	}
	return at;
}

static size_t float_end(const struct jlexer *l, size_t pos)
{
	size_t whole = digits_end(l, pos, 10, false), end = whole, at, exponent;

	if (end == pos || (pos && l->s[pos - 1] == '.'))
		return 0;
	if (end + 1 < l->n && l->s[end] == '.' && digit_of(l->s[end + 1], 10))
		end = digits_end(l, end + 1, 10, false);
	at = end;
	if (at < l->n && (l->s[at] | 32) == 'e') {
		at++;
		if (at < l->n && (l->s[at] == '+' || l->s[at] == '-'))
			at++;
		exponent = digits_end(l, at, 10, false);
		if (exponent > at)
			return exponent;
	}
	return end > whole ? end : 0;
}

static void lex_number(struct jparser *p, struct jtok *tok)
{
	struct jlexer *l = &p->lex;
	size_t from = l->pos, end = float_end(l, from), n = 0;
	char *text;
	int base = 10;

	tok->type = end ? T_FLOAT : T_INTEGER;
	if (!end && l->s[from] == '0' && from + 1 < l->n) {
		base = (l->s[from + 1] | 32) == 'x'   ? 16
			: (l->s[from + 1] | 32) == 'o' ? 8
			: (l->s[from + 1] | 32) == 'b' ? 2
						       : 10;
		if (base != 10)
			end = digits_end(l, from + 2, base, true);
		if (base == 10 || end == from + 2) {
			base = 10;
			end = digits_end(l, from, 1, false);
		}
	} else if (!end) {
		end = digits_end(l, from, 10, false);
	}
	text = jinja_parse_alloc(p, end - from + 1, 1);
	for (size_t i = from; i < end; i++)
		if (l->s[i] != '_')
			text[n++] = l->s[i];
	consume(l, end);
	if (tok->type == T_FLOAT)
		jinja_parse_float(text, n, &tok->f);
	else if (jinja_parse_int(text, n, base, &tok->i) < 0)
		jinja_fail_limit(p, "line %d: the integer %.40s has more than 64 bits", tok->line, text);
}

static int hex_digits(const char *s, size_t n, size_t want, uint32_t *out)
{
	*out = 0;
	for (size_t i = 0; i < want; i++) {
		if (i >= n || !digit_of(s[i], 16))
			return -1;
		*out = *out << 4 | (uint32_t)(s[i] <= '9' ? s[i] - '0' : (s[i] | 32) - 'a' + 10);
	}
	return 0;
}

/* One escape of a string at s, behind its backslash; *to gets the text. Returns the bytes read. */
static size_t unescape(struct jparser *p, const char *s, size_t n, char **to, int line)
{
	static const char plain[] = "\\'\"abfnrtv", bytes[] = "\\'\"\a\b\f\n\r\t\v";
	const char *e = strchr(plain, s[0]);
	uint32_t cp = 0;
	size_t used = 0, want;

	if (s[0] == '\n')
		return 1;
	if (e && s[0]) {
		*(*to)++ = bytes[e - plain];
		return 1;
	}
	if (s[0] >= '0' && s[0] <= '7') {
		while (used < 3 && used < n && s[used] >= '0' && s[used] <= '7')
			cp = cp * 8 + (uint32_t)(s[used++] - '0');
	} else if (s[0] == 'x' || s[0] == 'u' || s[0] == 'U') {
		want = s[0] == 'x' ? 2 : s[0] == 'u' ? 4 : 8;
		if (hex_digits(s + 1, n - 1, want, &cp))
			jinja_fail(p, line, "TemplateSyntaxError", "truncated \\%s escape",
				s[0] == 'x'	 ? "xXX"
					: s[0] == 'u' ? "uXXXX"
						      : "UXXXXXXXX");
		used = want + 1;
		if (cp > 0x10ffff)
			jinja_fail(p, line, "TemplateSyntaxError", "illegal Unicode character");
		if (cp >= 0xd800 && cp < 0xe000)
			cp = 0xfffd;
	} else if (s[0] == 'N') {
		jinja_fail(p, line, "TemplateSyntaxError", "malformed \\N character escape");
	} else {
		*(*to)++ = '\\';
		return 0;
	}
	*to += utf8_encode(*to, cp);
	return used;
}

static _Noreturn void fail_char(struct jparser *p)
{
	const struct jlexer *l = &p->lex;
	const char *s = l->s + l->pos, *end = s;
	struct jstr before = {.s = l->s, .n = l->pos, .chars = SIZE_MAX};

	jinja_cp(&end, l->s + l->n);
	jinja_fail(p, l->line, "TemplateSyntaxError", *s == '\'' ? "unexpected char \"%s%.*s\" at %zu"
							      : "unexpected char '%s%.*s' at %zu",
		*s == '\\' ? "\\" : "", (int)(end - s), s, jinja_chars(&before));
}

static void lex_string(struct jparser *p, struct jtok *tok)
{
	struct jlexer *l = &p->lex;
	size_t from = l->pos + 1, end = from;
	char *text, *to;

	while (end < l->n && l->s[end] != l->s[l->pos])
		end += l->s[end] == '\\' ? 2 : 1;
	if (end >= l->n)
		fail_char(p);
	text = to = jinja_parse_alloc(p, end - from + 1, 1);
	for (size_t i = from; i < end; i++) {
		if (l->s[i] == '\\')
			i += unescape(p, l->s + i + 1, end - i - 1, &to, tok->line);
		else
			*to++ = l->s[i];
	}
	consume(l, end + 1);
	set_text(tok, T_STRING, tok->line, text, (size_t)(to - text));
}

static bool is_word(uint32_t cp)
{
	return jinja_is_name_part(cp) || jinja_is_alnum(cp);
}

static void lex_name(struct jparser *p, struct jtok *tok)
{
	struct jlexer *l = &p->lex;
	const char *s = l->s + l->pos, *at = s, *end = l->s + l->n;
	size_t n;

	while (s < end) {
		at = s;
		if (!is_word(jinja_cp(&s, end)))
			break;
		at = s;
	}
	n = (size_t)(at - l->s) - l->pos;
	set_text(tok, T_NAME, tok->line, l->s + l->pos, n);
	if (!jinja_is_name(tok->s, n))
		jinja_fail(p, l->line, "TemplateSyntaxError", "Invalid character in identifier");
	consume(l, l->pos + n);
}

static void lex_bracket(struct jparser *p, char c)
{
	struct jlexer *l = &p->lex;
	const char *open = strchr("{([", c), *close = strchr("})]", c);
	char *grown;

	if (open) {
		if (l->nbrackets == l->capbrackets) {
			l->capbrackets = 2 * l->capbrackets + 64;
			grown = jinja_parse_alloc(p, l->capbrackets, 1);
			if (l->nbrackets)
				memcpy(grown, l->brackets, l->nbrackets);
			l->brackets = grown;
		}
		l->brackets[l->nbrackets++] = "})]"[open - "{(["];
	} else if (close) {
		if (!l->nbrackets)
			jinja_fail(p, l->line, "TemplateSyntaxError", "unexpected '%c'", c);
		if (l->brackets[--l->nbrackets] != c)
			jinja_fail(p, l->line, "TemplateSyntaxError", "unexpected '%c', expected '%c'", c,
				l->brackets[l->nbrackets]);
	}
}

static void lex_operator(struct jparser *p, struct jtok *tok)
{
	struct jlexer *l = &p->lex;
	size_t left = l->n - l->pos, size = 0;
	const char *s = l->s + l->pos;

	for (int t = T_ADD; t <= T_TILDE; t++) {
		size_t n = strlen(token_names[t]);

		if (n > size && n <= left && !memcmp(s, token_names[t], n)) {
			size = n;
			tok->type = (enum jtoken)t;
		}
	}
	if (!size)
		fail_char(p);
	if (size == 1)
		lex_bracket(p, *s);
	consume(l, l->pos + size);
}

/* The end of the tag at the current place; 0 where it goes on. */
static size_t tag_end(const struct jlexer *l)
{
	const char *s = l->s + l->pos;
	size_t left = l->n - l->pos;

	if (l->nbrackets)
		return 0;
	if (l->state == LEX_BLOCK)
		return closing(l, l->pos, '%', true);
	if (left >= 3 && !memcmp(s, "-}}", 3))
		return skip_space(l, l->pos + 3);
	return left >= 2 && !memcmp(s, "}}", 2) ? l->pos + 2 : 0;
}

void jinja_lex_next(struct jparser *p, struct jtok *tok)
{
	struct jlexer *l = &p->lex;
	size_t end;
	const char *s;

	for (;;) {
		if (l->pending) {
			l->pending = false;
			if (l->begin.type != T_DATA) {
				*tok = l->begin;
				return;
			}
		}
		if (l->state == LEX_COMMENT) {
			skip_comment(p);
			continue;
		}
		if (l->state == LEX_RAW) {
			if (lex_raw(p, tok))
				return;
			continue;
		}
		*tok = (struct jtok){.type = T_EOF, .line = l->line};
		if (l->state != LEX_ROOT) {
			end = tag_end(l);
			if (end) {
				tok->type = l->state == LEX_BLOCK ? T_BLOCK_END : T_VARIABLE_END;
				l->state = LEX_ROOT;
				consume(l, end);
				return;
			}
			consume(l, skip_space(l, l->pos));
			end = tag_end(l);
			if (end)
				continue;
		}
		tok->line = l->line;
		if (l->pos >= l->n)
			return;
		if (l->state == LEX_ROOT) {
			if (lex_root(p, tok))
				return;
			continue;
		}
		break;
	}
	s = l->s + l->pos;
	if (*s >= '0' && *s <= '9')
		lex_number(p, tok);
	else if (*s == '"' || *s == '\'')
		lex_string(p, tok);
	else if (is_word(jinja_cp(&s, l->s + l->n)))
		lex_name(p, tok);
	else
		lex_operator(p, tok);
}
