#include "text/onig_impl.h"

#include <pcre2.h>
#include <stdio.h>
#include <strings.h>

#include "text/uchar.h"

#define HEX "0-9a-fA-F"

static const char hex_set[] = HEX, digit_set[] = "\\p{Nd}";
static const char space_set[] = "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}"
				"\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
const char onig_word[] = "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}"
			 "\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}";

static bool is_alphanumeric(char c)
{
	unsigned char u = (unsigned char)c;

	return u < 0x80 && (uchar_ascii[u] == UCHAR_LETTER || uchar_ascii[u] == UCHAR_NUMBER);
}

void onig_put_literal(struct buf *out, uint32_t cp)
{
	if (cp < 0x80 && is_alphanumeric((char)cp))
		buf_add_char(out, (char)cp);
	else
		buf_add_fmt(out, "\\x{%x}", (unsigned)cp);
}

/* ---- sets: \s, \p{L}, [:alpha:] */

static const struct named_set {
	const char *name, *inside;
} posix_sets[] = {
	{"alpha", "\\p{Alphabetic}"},
	{"digit", digit_set},
	{"alnum", "\\p{Alphabetic}\\p{Nd}"},
	{"space", space_set},
	{"word", onig_word},
	{"upper", "\\p{Uppercase}"},
	{"lower", "\\p{Lowercase}"},
	{"punct", "\\p{P}\\p{S}"},
	{"cntrl", "\\p{Cc}"},
	{"xdigit", hex_set},
	{"any", "\\x{0}-\\x{10ffff}"},
	{"ascii", "\\x{0}-\\x{7f}"},
	{"letter", "\\p{L}"},
	{"mark", "\\p{M}"},
	{"number", "\\p{N}"},
	{"punctuation", "\\p{P}"},
	{"symbol", "\\p{S}"},
	{"separator", "\\p{Z}"},
	{"uppercaseletter", "\\p{Lu}"},
	{"lowercaseletter", "\\p{Ll}"},
	{"decimalnumber", "\\p{Nd}"},
};

static const char *posix_find(const char *name)
{
	for (size_t i = 0; i < sizeof posix_sets / sizeof *posix_sets; i++)
		if (!strcasecmp(posix_sets[i].name, name))
			return posix_sets[i].inside;
	return NULL;
}

static bool compiles(const char *pattern)
{
	int code;
	size_t at;
	pcre2_code *re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
		PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);

	pcre2_code_free(re);
	return re;
}

int onig_take_name(struct onig *t, char close, char *name, size_t size)
{
	size_t n = 0;

	for (; onig_more(t) && *t->s != close; t->s++) {
		if (strchr(" _-", *t->s) && *t->s)
			continue;
		if (!is_alphanumeric(*t->s) || n + 1 == size)
			return -1;
		name[n++] = *t->s;
	}
	if (!onig_more(t) || !n)
		return -1;
	t->s++;
	name[n] = '\0';
	return 0;
}

/* \p{Name}, \p{^Name}, \P{Name}; t->s is behind the p. text holds what set points to. */
static int take_property(struct onig *t, bool negated, struct onig_set *set, char text[64])
{
	char name[40];

	if (!onig_take(t, "{"))
		return onig_refuse(t, "'\\p' without '{'");
	set->negated = negated ^ onig_take(t, "^");
	if (onig_take_name(t, '}', name, sizeof name))
		return onig_refuse(t, "this property's name");
	set->inside = strcasecmp(name, "punct") ? posix_find(name) : "\\p{P}";
	if (set->inside)
		return 0;
	set->inside = text;
	snprintf(text, 64, strlen(name) <= 2 ? "\\p{%s}" : "\\p{sc:%s}", name);
	if (compiles(text))
		return 0;
	snprintf(text, 64, "\\p{%s}", name);
	return compiles(text) ? 0 : onig_refuse(t, text);
}

int onig_take_set(struct onig *t, struct onig_set *set, char text[64])
{
	static const char letters[] = "swdhSWDH";
	static const char *const insides[] = {space_set, onig_word, digit_set, hex_set};
	const char *letter = onig_more(t) && *t->s ? strchr(letters, *t->s) : NULL;

	if (letter) {
		t->s++;
		set->inside = insides[(letter - letters) % 4];
		set->negated = letter - letters >= 4;
		return 1;
	}
	if (onig_take(t, "p") || onig_take(t, "P"))
		return take_property(t, t->s[-1] == 'P', set, text) ? -1 : 1;
	return 0;
}

static int take_hex(struct onig *t, size_t least, size_t most, uint32_t *cp)
{
	size_t n = 0;

	*cp = 0;
	for (; onig_more(t) && n < most; t->s++, n++) {
		int c = *t->s | 0x20;

		if (*t->s >= '0' && *t->s <= '9')
			*cp = *cp << 4 | (uint32_t)(*t->s - '0');
		else if (c >= 'a' && c <= 'f')
			*cp = *cp << 4 | (uint32_t)(c - 'a' + 10);
		else
			break;
	}
	return n < least || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000) ? -1 : 0;
}

int onig_take_escaped(struct onig *t, uint32_t *cp)
{
	static const char letters[] = "tnrfvae", codes[] = "\t\n\r\f\v\a\033";
	const char *letter = onig_more(t) && *t->s ? strchr(letters, *t->s) : NULL;

	if (!onig_more(t))
		return onig_refuse(t, "a backslash");
	if (letter) {
		t->s++;
		*cp = (uint32_t)codes[letter - letters];
		return 0;
	}
	if (onig_take(t, "x{")) {
		if (take_hex(t, 1, 8, cp) || !onig_take(t, "}"))
			return onig_refuse(t, "this \\x{...}");
		return 0;
	}
	if (onig_take(t, "x"))
		return take_hex(t, 1, 2, cp) || *cp >= 0x80 ? onig_refuse(t, "this \\x") : 0;
	if (onig_take(t, "u"))
		return take_hex(t, 4, 4, cp) ? onig_refuse(t, "this \\u") : 0;
	if (is_alphanumeric(*t->s))
		return onig_refuse(t, "this escape");
	*cp = uchar_next(&t->s);
	return 0;
}

/* ---- classes */

/* An operand of &&: what stands in brackets, and whole expressions besides, each behind a '|'. */
struct onig_operand {
	struct buf inside, others;
	bool any; /* anything at all */
};

static void operand_add_set(struct onig_operand *o, const struct onig_set *set)
{
	bool property = !strncmp(set->inside, "\\p{", 3) && !strchr(set->inside + 1, '\\');

	o->any = true;
	if (set->negated && property)
		buf_add_fmt(&o->inside, "\\P%s", set->inside + 2);
	else if (set->negated)
		buf_add_fmt(&o->others, "|[^%s]", set->inside);
	else
		buf_add_str(&o->inside, set->inside);
}

static void operand_write(const struct onig_operand *o, bool negated, struct buf *out)
{
	bool simple = !o->others.len;

	if (!simple)
		buf_add_str(out, negated ? "(?:(?!" : "(?:");
	if (o->inside.len)
		buf_add_fmt(out, "[%s%s]", negated && simple ? "^" : "", o->inside.data);
	if (!simple)
		buf_add_str(out, o->others.data + !o->inside.len);
	if (!simple)
		buf_add_str(out, negated ? ")(?s:.))" : ")");
}

static int take_posix(struct onig *t, struct onig_operand *o)
{
	char name[16];
	struct onig_set set = {.negated = onig_take(t, "^")};

	if (onig_take_name(t, ':', name, sizeof name) || !onig_take(t, "]") ||
		!(set.inside = posix_find(name)))
		return onig_refuse(t, "this POSIX bracket");
	operand_add_set(o, &set);
	return 0;
}

/* One character of a class (0), or a set (1); -1 */
static int take_item(struct onig *t, uint32_t *cp, struct onig_set *set, char text[64])
{
	int found;

	if (!onig_take(t, "\\")) {
		*cp = uchar_next(&t->s);
		return 0;
	}
	found = onig_take_set(t, set, text);
	if (found || onig_take(t, "b")) {
		*cp = '\b';
		return found;
	}
	return onig_take_escaped(t, cp);
}

static int take_range(struct onig *t, struct onig_operand *o)
{
	uint32_t first, last;
	struct onig_set set;
	char text[64];
	int found = take_item(t, &first, &set, text);

	if (found < 0)
		return -1;
	if (found) {
		operand_add_set(o, &set);
		return 0;
	}
	o->any = true;
	onig_put_literal(&o->inside, first);
	if (!onig_ahead(t, "-") || onig_ahead(t, "-]") || onig_ahead(t, "-[") ||
		onig_ahead(t, "-&&"))
		return 0;
	t->s++;
	if (!onig_more(t))
		return onig_refuse(t, "a class without an end");
	found = take_item(t, &last, &set, text);
	if (found < 0)
		return -1;
	if (found) {
		onig_put_literal(&o->inside, '-');
		operand_add_set(o, &set);
		return 0;
	}
	if (last < first)
		return onig_refuse(t, "a range that runs backwards");
	buf_add_char(&o->inside, '-');
	onig_put_literal(&o->inside, last);
	return 0;
}

static int take_operand(struct onig *t, struct onig_operand *o)
{
	/* a bracket that closes nothing stands for itself */
	if (onig_ahead(t, "]") && !o->any && memchr(t->s + 1, ']', (size_t)(t->end - t->s - 1)) &&
		take_range(t, o))
		return -1;
	while (onig_more(t) && !onig_ahead(t, "]") && !onig_ahead(t, "&&")) {
		if (onig_take(t, "[:")) {
			if (take_posix(t, o))
				return -1;
		} else if (onig_take(t, "[")) {
			if (onig_take_class(t, NULL, o))
				return -1;
		} else if (take_range(t, o)) {
			return -1;
		}
	}
	if (!onig_more(t))
		return onig_refuse(t, "a class without an end");
	return o->any ? 0 : onig_refuse(t, "an empty class");
}

int onig_take_class(struct onig *t, struct buf *out, struct onig_operand *into)
{
	struct onig_operand o = {.any = false};
	struct buf all = BUF_INIT, whole = BUF_INIT;
	bool negated = onig_take(t, "^"), more_operands;
	int result = -1;

	if (++t->depth > ONIG_DEPTH_MAX) {
		onig_refuse(t, "so deep a pattern");
		goto out;
	}
	do {
		if (take_operand(t, &o))
			goto out;
		more_operands = onig_take(t, "&&");
		if (!more_operands && !all.len)
			break;
		if (more_operands)
			buf_add_str(&all, "(?=");
		operand_write(&o, false, &all);
		if (more_operands)
			buf_add_char(&all, ')');
		buf_clear(&o.inside);
		buf_clear(&o.others);
		o.any = false;
	} while (more_operands);
	t->s++;
	if (all.len) {
		buf_add_fmt(&whole, negated ? "(?:(?!%s)(?s:.))" : "(?:%s)", all.data);
	} else if (into && !negated) {
		into->any = true;
		if (o.inside.len)
			buf_add(&into->inside, o.inside.data, o.inside.len);
		if (o.others.len)
			buf_add(&into->others, o.others.data, o.others.len);
	} else {
		operand_write(&o, negated, &whole);
	}
	if (whole.len && into) {
		into->any = true;
		buf_add_fmt(&into->others, "|%s", whole.data);
	} else if (whole.len) {
		buf_add(out, whole.data, whole.len);
	}
	t->depth--;
	result = o.inside.failed || o.others.failed || all.failed || whole.failed
			 ? err_set(t->err, ERR_LIMIT, "out of memory")
			 : 0;
out:
	buf_release(&o.inside);
	buf_release(&o.others);
	buf_release(&all);
	buf_release(&whole);
	return result;
}
