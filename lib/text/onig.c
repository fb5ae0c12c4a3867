#include "text/onig_impl.h"

#include <stdio.h>

#include "text/uchar.h"

#define NO_ATOM SIZE_MAX

/* What a quantifier applies to, as an offset in out, becomes one group. */
static int wrap(struct onig *t, size_t atom)
{
	if (!buf_extend(t->out, 4))
		return err_set(t->err, ERR_LIMIT, "out of memory");
	memmove(t->out->data + atom + 3, t->out->data + atom, t->out->len - 4 - atom);
	memcpy(t->out->data + atom, "(?:", 3);
	t->out->data[t->out->len - 1] = ')';
	return 0;
}

/* {n}, {n,}, {,m}, {n,m}: taken and written to text, or false and left as it is. */
static bool take_interval(struct onig *t, char text[32], bool *exact)
{
	const char *s = t->s + 1;
	unsigned long bounds[2] = {0, 0};
	int digits[2] = {0, 0}, side = 0;

	for (; s < t->end && *s != '}'; s++) {
		if (*s == ',' && !side) {
			side = 1;
		} else if (*s >= '0' && *s <= '9' && digits[side] < 6) {
			bounds[side] = bounds[side] * 10 + (unsigned long)(*s - '0');
			digits[side]++;
		} else {
			return false;
		}
	}
	if (s == t->end || !(digits[0] + digits[1]))
		return false;
	*exact = !side;
	if (digits[1])
		snprintf(text, 32, "{%lu,%lu}", bounds[0], bounds[1]);
	else
		snprintf(text, 32, side ? "{%lu,}" : "{%lu}", bounds[0]);
	t->s = s + 1;
	return true;
}

/* 1 where a quantifier was there and is written, 0 where there was none. */
static int take_quantifier(struct onig *t, size_t atom, bool *quantified)
{
	char text[32] = {*t->s};
	bool interval = false, exact = false;

	if (*t->s == '{') {
		interval = take_interval(t, text, &exact);
		if (!interval)
			return 0;
	} else if (*t->s == '*' || *t->s == '+' || *t->s == '?') {
		t->s++;
	} else {
		return 0;
	}
	if (atom == NO_ATOM)
		return onig_refuse(t, "a quantifier with nothing to repeat");
	if (*quantified && wrap(t, atom))
		return -1;
	*quantified = true;
	buf_add_str(t->out, text);
	if (!exact && onig_take(t, "?"))
		buf_add_char(t->out, '?');
	else if (!interval && onig_take(t, "+"))
		buf_add_char(t->out, '+');
	return 1;
}

static int take_alternatives(struct onig *t);

/* (?i) and (?i:...), t->s at the first letter. *open counts groups to close at the end of this one.
 */
static int take_options(struct onig *t, size_t *open)
{
	bool off = false;

	buf_add_str(t->out, "(?");
	for (; onig_more(t) && *t->s != ')' && *t->s != ':'; t->s++) {
		if (*t->s == '-' && !off)
			off = true;
		else if (*t->s == 'x' && off)
			continue;
		else if (*t->s != 'i' && *t->s != 'm')
			return onig_refuse(t, "this option");
		buf_add_char(t->out, *t->s == 'm' ? 's' : *t->s);
	}
	buf_add_char(t->out, ':');
	if (onig_take(t, ")")) {
		*open += 1;
		return 0;
	}
	if (!onig_take(t, ":"))
		return onig_refuse(t, "a group without an end");
	if (take_alternatives(t))
		return -1;
	buf_add_char(t->out, ')');
	return onig_take(t, ")") ? 0 : onig_refuse(t, "a group without an end");
}

static int take_group(struct onig *t, size_t *open)
{
	static const char *const kinds[] = {"(?:", "(?=", "(?!", "(?>", "(?<=", "(?<!"};
	char name[40];
	size_t i;

	for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (onig_take(t, kinds[i]))
			break;
	if (i < sizeof kinds / sizeof *kinds) {
		buf_add_str(t->out, kinds[i]);
	} else if (onig_take(t, "(?<")) {
		if (onig_take_name(t, '>', name, sizeof name))
			return onig_refuse(t, "this group");
		buf_add_str(t->out, "(?:");
	} else if (onig_ahead(t, "(?i") || onig_ahead(t, "(?m") || onig_ahead(t, "(?x") ||
		   onig_ahead(t, "(?-")) {
		t->s += 2;
		return take_options(t, open);
	} else if (onig_ahead(t, "(?") || onig_ahead(t, "(*")) {
		return onig_refuse(t, "this kind of group");
	} else {
		t->s++;
		buf_add_str(t->out, "(?:");
	}
	if (take_alternatives(t))
		return -1;
	buf_add_char(t->out, ')');
	return onig_take(t, ")") ? 0 : onig_refuse(t, "a group without an end");
}

/* Outside classes, these are word characters too. */
static const char more_word[] = "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}";

/* \b, or \B */
static void put_edge(struct buf *out, bool edge)
{
	char word[256];

	snprintf(word, sizeof word, "[%s%s]", onig_word, more_word);
	buf_add_fmt(out, "(?:(?<=%s)(?%c%s)|(?<!%s)(?%c%s))", word, edge ? '!' : '=', word, word,
		edge ? '=' : '!', word);
}

/* An escape outside classes, t->s behind the backslash; *atom becomes NO_ATOM for an assertion. */
static int take_escape(struct onig *t, size_t *atom)
{
	struct onig_set set;
	char text[64];
	uint32_t cp;
	int found = onig_take_set(t, &set, text);

	if (found < 0)
		return -1;
	if (found) {
		buf_add_fmt(t->out, "[%s%s%s]", set.negated ? "^" : "", set.inside,
			set.inside == onig_word ? more_word : "");
	} else if (onig_take(t, "R")) {
		buf_add_str(t->out, "(?>\\r\\n|[\\x{a}-\\x{d}\\x{85}\\x{2028}\\x{2029}])");
	} else if (onig_ahead(t, "b") || onig_ahead(t, "B")) {
		*atom = NO_ATOM;
		put_edge(t->out, *t->s++ == 'b');
	} else if (onig_ahead(t, "A") || onig_ahead(t, "z") || onig_ahead(t, "Z")) {
		*atom = NO_ATOM;
		buf_add_fmt(t->out, "\\%c", *t->s++);
	} else {
		if (onig_take_escaped(t, &cp))
			return -1;
		onig_put_literal(t->out, cp);
	}
	return 0;
}

static int take_alternatives(struct onig *t)
{
	size_t atom = NO_ATOM, open = 0, opened;
	bool quantified = false;
	int found;

	if (++t->depth > ONIG_DEPTH_MAX)
		return onig_refuse(t, "so deep a pattern");
	while (onig_more(t) && *t->s != ')') {
		found = take_quantifier(t, atom, &quantified);
		if (found < 0)
			return -1;
		if (found)
			continue;
		atom = t->out->len;
		quantified = false;
		if (onig_take(t, "(?#")) {
			while (onig_more(t) && *t->s != ')')
				t->s++;
			if (!onig_take(t, ")"))
				return onig_refuse(t, "a comment without an end");
			atom = NO_ATOM;
		} else if (*t->s == '(') {
			opened = open;
			if (take_group(t, &open))
				return -1;
			if (open > opened)
				atom = NO_ATOM;
		} else if (onig_take(t, "[")) {
			if (onig_take_class(t, t->out, NULL))
				return -1;
		} else if (onig_take(t, "\\")) {
			if (take_escape(t, &atom))
				return -1;
		} else if (onig_take(t, "|") || onig_take(t, "^") || onig_take(t, "$")) {
			buf_add_char(t->out, t->s[-1]);
			atom = NO_ATOM;
		} else if (onig_take(t, ".")) {
			buf_add_char(t->out, '.');
		} else {
			onig_put_literal(t->out, uchar_next(&t->s));
		}
	}
	while (open-- > 0)
		buf_add_char(t->out, ')');
	t->depth--;
	return 0;
}

int onig_translate(const char *regex, size_t n, struct buf *out, struct err *err)
{
	struct onig t = {regex, regex, regex + n, out, err, 0};

	if (take_alternatives(&t))
		return -1;
	if (onig_more(&t))
		return onig_refuse(&t, "a ')' without its '('");
	return buf_check(out, err);
}
