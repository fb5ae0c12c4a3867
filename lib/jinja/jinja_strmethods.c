#include "jinja/jinja_impl.h"

#include "base/mem.h"

/* Methods of str. self is the string; a[] are the arguments. */

#define METHOD(name) \
	static struct jv name(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
#define UNUSED (void)r, (void)self, (void)a, (void)args

static struct jv text_arg(struct jrun *r, struct jv v, const char *where)
{
	if (v.type != J_STR)
		jinja_raise(r, E_TYPE, "%smust be str, not %s", where, jinja_type_name(v));
	return v;
}

static int64_t int_arg(struct jrun *r, struct jv v, int64_t none)
{
	return jv_given(v) ? jinja_index(r, v) : none;
}

METHOD(m_strip)
{
	UNUSED;
	return jinja_strip(r, self, a[0], STRIP_LEFT | STRIP_RIGHT);
}

METHOD(m_lstrip)
{
	UNUSED;
	return jinja_strip(r, self, a[0], STRIP_LEFT);
}

METHOD(m_rstrip)
{
	UNUSED;
	return jinja_strip(r, self, a[0], STRIP_RIGHT);
}

static void reverse_items(struct jlist *l)
{
	struct jv v;

	for (size_t i = 0; i < l->n / 2; i++) {
		v = l->items[i];
		l->items[i] = l->items[l->n - 1 - i];
		l->items[l->n - 1 - i] = v;
	}
}

static const char *step_back(const char *from, const char *at)
{
	do
		at--;
	while (at > from && ((unsigned char)*at & 0xc0) == 0x80);
	return at;
}

/* Words between white space, at most max + 1. */
static struct jv split_words(struct jrun *r, struct jv s, int64_t max)
{
	const char *at = s.u.s->s, *end = at + s.u.s->n, *from, *next;
	struct jv words = jinja_list(r, J_LIST, 4);

	for (;;) {
		for (; at < end; at = next) {
			next = at;
			if (!jinja_is_space(jinja_cp(&next, end)))
				break;
		}
		if (at == end)
			return words;
		if (max-- == 0)
			break;
		for (from = at; at < end; at = next) {
			next = at;
			if (jinja_is_space(jinja_cp(&next, end)))
				break;
		}
		jinja_list_add(r, words.u.l, jinja_substr(r, s, from, (size_t)(at - from)));
	}
	jinja_list_add(r, words.u.l,
		jinja_strip(r, jinja_substr(r, s, at, (size_t)(end - at)), jv_of(J_MISSING), STRIP_RIGHT));
	return words;
}

static struct jv rsplit_words(struct jrun *r, struct jv s, int64_t max)
{
	const char *from = s.u.s->s, *end = from + s.u.s->n, *at, *c;
	struct jv words = jinja_list(r, J_LIST, 4);

	for (;;) {
		for (; end > from; end = at) {
			c = at = step_back(from, end);
			if (!jinja_is_space(jinja_cp(&c, end)))
				break;
		}
		if (end == from)
			break;
		if (max-- == 0) {
			jinja_list_add(r, words.u.l,
				jinja_strip(r, jinja_substr(r, s, from, (size_t)(end - from)),
					jv_of(J_MISSING), STRIP_LEFT));
			break;
		}
		for (at = end; at > from; at = c) {
			const char *d = c = step_back(from, at);

			if (jinja_is_space(jinja_cp(&d, end)))
				break;
		}
		jinja_list_add(r, words.u.l, jinja_substr(r, s, at, (size_t)(end - at)));
		end = at;
	}
	reverse_items(words.u.l);
	return words;
}

static struct jv separator(struct jrun *r, struct jv sep)
{
	if (sep.type != J_STR)
		jinja_raise(r, E_TYPE, "must be str or None, not %s", jinja_type_name(sep));
	if (!sep.u.s->n)
		jinja_raise(r, E_VALUE, "empty separator");
	return sep;
}

METHOD(m_split)
{
	int64_t max = int_arg(r, a[1], -1);
	const char *at = self.u.s->s, *end = at + self.u.s->n, *found;
	struct jv sep = a[0], parts;

	(void)args;
	jinja_step(r, self.u.s->n >> 4);
	if (!jv_given(sep) || sep.type == J_NONE)
		return split_words(r, self, max);
	sep = separator(r, sep);
	parts = jinja_list(r, J_LIST, 4);
	while (max-- != 0 && (found = jinja_find(r, at, (size_t)(end - at), sep.u.s->s, sep.u.s->n))) {
		jinja_list_add(r, parts.u.l, jinja_substr(r, self, at, (size_t)(found - at)));
		at = found + sep.u.s->n;
	}
	jinja_list_add(r, parts.u.l, jinja_substr(r, self, at, (size_t)(end - at)));
	return parts;
}

METHOD(m_rsplit)
{
	int64_t max = int_arg(r, a[1], -1);
	const char *from = self.u.s->s, *end = from + self.u.s->n, *found;
	struct jv sep = a[0], parts;

	(void)args;
	jinja_step(r, self.u.s->n >> 4);
	if (!jv_given(sep) || sep.type == J_NONE)
		return rsplit_words(r, self, max);
	sep = separator(r, sep);
	parts = jinja_list(r, J_LIST, 4);
	while (max-- != 0 && (found = jinja_rfind(r, from, (size_t)(end - from), sep.u.s->s, sep.u.s->n))) {
		const char *behind = found + sep.u.s->n;

		jinja_list_add(r, parts.u.l, jinja_substr(r, self, behind, (size_t)(end - behind)));
		end = found;
	}
	jinja_list_add(r, parts.u.l, jinja_substr(r, self, from, (size_t)(end - from)));
	reverse_items(parts.u.l);
	return parts;
}

METHOD(m_splitlines)
{
	UNUSED;
	return jinja_splitlines(r, self, jv_given(a[0]) && jinja_truth(r, a[0]));
}

/* The part of the string from character a[0] to a[1]; false where the start is beyond the end. */
static bool part_of(struct jrun *r, struct jv self, const struct jv *a, struct jstr *part, int64_t *start)
{
	int64_t n = (int64_t)jinja_chars(self.u.s), from = 0, to = n;
	size_t begin;

	if (jv_given(a[0]) && a[0].type != J_NONE)
		from = jinja_index(r, a[0]);
	if (jv_given(a[1]) && a[1].type != J_NONE)
		to = jinja_index(r, a[1]);
	if (from < 0)
		from = from + n < 0 ? 0 : from + n;
	if (to < 0)
		to = to + n < 0 ? 0 : to + n;
	if (to > n)
		to = n;
	*start = from;
	if (from > to)
		return false;
	begin = jinja_offset(self.u.s, (size_t)from);
	*part = (struct jstr){.s = self.u.s->s + begin,
		.n = jinja_offset(self.u.s, (size_t)to) - begin,
		.chars = SIZE_MAX};
	return true;
}

static bool affix(const struct jstr *s, const struct jstr *what, bool end)
{
	return what->n <= s->n && (!what->n || !memcmp(s->s + (end ? s->n - what->n : 0), what->s, what->n));
}

static struct jv has_affix(struct jrun *r, struct jv self, const struct jv *a, bool end)
{
	struct jstr part;
	int64_t start;
	bool found = false, inside;

	if (a[0].type != J_STR && a[0].type != J_TUPLE)
		jinja_raise(r, E_TYPE, "%s first arg must be str or a tuple of str, not %s",
			end ? "endswith" : "startswith", jinja_type_name(a[0]));
	inside = part_of(r, self, a + 1, &part, &start);
	if (a[0].type == J_STR)
		return jv_bool(inside && affix(&part, a[0].u.s, end));
	for (size_t i = 0; i < a[0].u.l->n && !found; i++) {
		struct jv what = a[0].u.l->items[i];

		if (what.type != J_STR)
			jinja_raise(r, E_TYPE, "tuple for %s must only contain str, not %s",
				end ? "endswith" : "startswith", jinja_type_name(what));
		found = inside && affix(&part, what.u.s, end);
	}
	return jv_bool(found);
}

METHOD(m_startswith)
{
	UNUSED;
	return has_affix(r, self, a, false);
}

METHOD(m_endswith)
{
	UNUSED;
	return has_affix(r, self, a, true);
}

METHOD(m_replace)
{
	UNUSED;
	for (int i = 0; i < 2; i++) {
		if (a[i].type != J_STR)
			jinja_raise(r, E_TYPE, "replace() argument %d must be str, not %s", i + 1,
				jinja_type_name(a[i]));
		if (self.flag)
			a[i] = jinja_escape(r, a[i]);
	}
	return jinja_replace(r, self, a[0], a[1], int_arg(r, a[2], -1));
}

static int64_t find_in(struct jrun *r, struct jv self, const struct jv *a, bool last)
{
	struct jstr part, before;
	const char *found;
	int64_t start;

	text_arg(r, a[0], "");
	if (!part_of(r, self, a + 1, &part, &start))
		return -1;
	found = last ? jinja_rfind(r, part.s, part.n, a[0].u.s->s, a[0].u.s->n)
		     : jinja_find(r, part.s, part.n, a[0].u.s->s, a[0].u.s->n);
	if (!found)
		return -1;
	before = (struct jstr){.s = part.s, .n = (size_t)(found - part.s), .chars = SIZE_MAX};
	return start + (int64_t)jinja_chars(&before);
}

METHOD(m_find)
{
	UNUSED;
	return jv_int(find_in(r, self, a, false));
}

METHOD(m_rfind)
{
	UNUSED;
	return jv_int(find_in(r, self, a, true));
}

METHOD(m_index)
{
	int64_t at = find_in(r, self, a, false);

	UNUSED;
	if (at < 0)
		jinja_raise(r, E_VALUE, "substring not found");
	return jv_int(at);
}

METHOD(m_rindex)
{
	int64_t at = find_in(r, self, a, true);

	UNUSED;
	if (at < 0)
		jinja_raise(r, E_VALUE, "substring not found");
	return jv_int(at);
}

METHOD(m_count)
{
	struct jstr part;
	const char *at, *end;
	int64_t start, n = 0;

	(void)args;
	text_arg(r, a[0], "");
	if (!part_of(r, self, a + 1, &part, &start))
		return jv_int(0);
	if (!a[0].u.s->n)
		return jv_int((int64_t)jinja_chars(&part) + 1);
	at = part.s;
	end = at + part.n;
	while ((at = jinja_find(r, at, (size_t)(end - at), a[0].u.s->s, a[0].u.s->n))) {
		n++;
		at += a[0].u.s->n;
	}
	return jv_int(n);
}

METHOD(m_upper)
{
	UNUSED;
	return jinja_case(r, self, CASE_UPPER);
}

METHOD(m_lower)
{
	UNUSED;
	return jinja_case(r, self, CASE_LOWER);
}

METHOD(m_title)
{
	UNUSED;
	return jinja_case(r, self, CASE_TITLE);
}

METHOD(m_capitalize)
{
	UNUSED;
	return jinja_capitalize(r, self);
}

METHOD(m_swapcase)
{
	struct jtext t = {.r = r};
	const char *at = self.u.s->s, *end = at + self.u.s->n, *here;
	struct jv out;

	UNUSED;
	while (at < end) {
		uint32_t cp;

		here = at;
		cp = jinja_cp(&at, end);
		if (jinja_is_upper(cp))
			jinja_put_case(&t, self.u.s->s, here, end, CASE_LOWER);
		else if (jinja_is_lower(cp))
			jinja_put_case(&t, self.u.s->s, here, end, CASE_UPPER);
		else
			jtext_add(&t, here, (size_t)(at - here));
	}
	out = jtext_take(&t);
	out.flag = self.flag;
	return out;
}

METHOD(m_casefold)
{
	struct jtext t = {.r = r};
	const char *at = self.u.s->s, *end = at + self.u.s->n;

	UNUSED;
	while (at < end)
		jinja_put_folded(&t, jinja_cp(&at, end));
	return jtext_take(&t);
}

METHOD(m_join)
{
	UNUSED;
	if (!jinja_iterable(a[0]))
		jinja_raise(r, E_TYPE, "can only join an iterable");
	return jinja_join(r, self, a[0]);
}

METHOD(m_format)
{
	UNUSED;
	return jinja_format(r, self, args, NULL);
}

METHOD(m_format_map)
{
	struct jargv none = {.n = 0};

	UNUSED;
	return jinja_format(r, self, &none, &a[0]);
}

METHOD(m_zfill)
{
	int64_t width = jinja_index(r, a[0]), n = (int64_t)jinja_chars(self.u.s);
	struct jtext t = {.r = r};
	size_t sign = self.u.s->n && (self.u.s->s[0] == '-' || self.u.s->s[0] == '+');

	UNUSED;
	if (width <= n)
		return self;
	jtext_add(&t, self.u.s->s, sign);
	jtext_fill(&t, "0", 1, (size_t)(width - n));
	jtext_add(&t, self.u.s->s + sign, self.u.s->n - sign);
	return jtext_take(&t);
}

METHOD(m_ljust)
{
	UNUSED;
	return jinja_pad(r, self, jinja_index(r, a[0]), a[1], 'l');
}

METHOD(m_rjust)
{
	UNUSED;
	return jinja_pad(r, self, jinja_index(r, a[0]), a[1], 'r');
}

METHOD(m_center)
{
	UNUSED;
	return jinja_pad(r, self, jinja_index(r, a[0]), a[1], 'c');
}

static bool all_are(struct jv s, bool (*is)(uint32_t cp))
{
	const char *at = s.u.s->s, *end = at + s.u.s->n;

	while (at < end)
		if (!is(jinja_cp(&at, end)))
			return false;
	return s.u.s->n > 0;
}

#define ALL_ARE(name, test) \
	METHOD(name) \
	{ \
		UNUSED; \
		jinja_step(r, self.u.s->n >> 4); \
		return jv_bool(all_are(self, test)); \
	}

ALL_ARE(m_isdigit, jinja_is_digit)
ALL_ARE(m_isdecimal, jinja_is_decimal)
ALL_ARE(m_isnumeric, jinja_is_numeric)
ALL_ARE(m_isalpha, jinja_is_alpha)
ALL_ARE(m_isalnum, jinja_is_alnum)
ALL_ARE(m_isspace, jinja_is_space)

/* Nothing of another case, and at least one of this. */
static bool all_cased(struct jv s, bool (*is)(uint32_t cp))
{
	const char *at = s.u.s->s, *end = at + s.u.s->n;
	bool any = false;

	while (at < end) {
		uint32_t cp = jinja_cp(&at, end);

		if (jinja_is_cased(cp) && !is(cp))
			return false;
		any |= is(cp);
	}
	return any;
}

METHOD(m_isupper)
{
	UNUSED;
	return jv_bool(all_cased(self, jinja_is_upper));
}

METHOD(m_islower)
{
	UNUSED;
	return jv_bool(all_cased(self, jinja_is_lower));
}

METHOD(m_istitle)
{
	const char *at = self.u.s->s, *end = at + self.u.s->n;
	bool any = false, inside = false;

	UNUSED;
	while (at < end) {
		uint32_t cp = jinja_cp(&at, end);
		bool capital = jinja_is_upper(cp) || jinja_is_title(cp);

		if (capital ? inside : jinja_is_lower(cp) && !inside)
			return jv_bool(false);
		inside = jinja_is_cased(cp);
		any |= inside;
	}
	return jv_bool(any);
}

static bool is_ascii(uint32_t cp)
{
	return cp < 0x80;
}

METHOD(m_isascii)
{
	UNUSED;
	return jv_bool(!self.u.s->n || all_are(self, is_ascii));
}

METHOD(m_isidentifier)
{
	UNUSED;
	return jv_bool(jinja_is_name(self.u.s->s, self.u.s->n));
}

METHOD(m_isprintable)
{
	UNUSED;
	return jv_bool(!self.u.s->n || all_are(self, jinja_is_printable));
}

METHOD(m_removeprefix)
{
	UNUSED;
	text_arg(r, a[0], "removeprefix() argument ");
	if (!a[0].u.s->n || !affix(self.u.s, a[0].u.s, false))
		return self;
	return jinja_substr(r, self, self.u.s->s + a[0].u.s->n, self.u.s->n - a[0].u.s->n);
}

METHOD(m_removesuffix)
{
	UNUSED;
	text_arg(r, a[0], "removesuffix() argument ");
	if (!a[0].u.s->n || !affix(self.u.s, a[0].u.s, true))
		return self;
	return jinja_substr(r, self, self.u.s->s, self.u.s->n - a[0].u.s->n);
}

static struct jv partition(struct jrun *r, struct jv self, struct jv sep, bool last)
{
	const char *found;
	struct jv parts = jinja_list(r, J_TUPLE, 3), empty = jinja_substr(r, self, "", 0);

	text_arg(r, sep, "");
	if (!sep.u.s->n)
		jinja_raise(r, E_VALUE, "empty separator");
	found = last ? jinja_rfind(r, self.u.s->s, self.u.s->n, sep.u.s->s, sep.u.s->n)
		     : jinja_find(r, self.u.s->s, self.u.s->n, sep.u.s->s, sep.u.s->n);
	parts.u.l->n = 3;
	if (!found) {
		parts.u.l->items[0] = last ? empty : self;
		parts.u.l->items[1] = empty;
		parts.u.l->items[2] = last ? self : empty;
		return parts;
	}
	parts.u.l->items[0] = jinja_substr(r, self, self.u.s->s, (size_t)(found - self.u.s->s));
	parts.u.l->items[1] = sep;
	found += sep.u.s->n;
	parts.u.l->items[2] = jinja_substr(r, self, found, (size_t)(self.u.s->s + self.u.s->n - found));
	return parts;
}

METHOD(m_partition)
{
	UNUSED;
	return partition(r, self, a[0], false);
}

METHOD(m_rpartition)
{
	UNUSED;
	return partition(r, self, a[0], true);
}

METHOD(m_expandtabs)
{
	struct jtext t = {.r = r};
	int64_t size = int_arg(r, a[0], 8), column = 0;
	const char *at = self.u.s->s, *end = at + self.u.s->n, *here;

	UNUSED;
	while (at < end) {
		uint32_t cp;

		here = at;
		cp = jinja_cp(&at, end);
		if (cp == '\t') {
			if (size > 0)
				jtext_fill(&t, " ", 1, (size_t)(size - column % size));
			column = 0;
			continue;
		}
		jtext_add(&t, here, (size_t)(at - here));
		column = cp == '\n' || cp == '\r' ? 0 : column + 1;
	}
	return jtext_take(&t);
}

METHOD(m_bytes)
{
	UNUSED;
	jinja_raise(r, E_NOT_IMPLEMENTED, "bytes are not supported");
}

#define OF_STR 1u << J_STR

/* Most take their arguments by place only. */
#define METHOD_ENTRY(n, f, p, r) \
	{.name = n, .fn = f, .params = p, .required = r, .positional = true, .types = OF_STR}

const struct jbuiltin jinja_str_methods[] = {
	METHOD_ENTRY("strip", m_strip, "chars", 0),
	{.name = "split", .fn = m_split, .params = "sep maxsplit", .types = OF_STR},
	METHOD_ENTRY("startswith", m_startswith, "prefix start end", 1),
	METHOD_ENTRY("endswith", m_endswith, "suffix start end", 1),
	METHOD_ENTRY("lstrip", m_lstrip, "chars", 0),
	METHOD_ENTRY("rstrip", m_rstrip, "chars", 0),
	METHOD_ENTRY("replace", m_replace, "old new count", 2),
	METHOD_ENTRY("upper", m_upper, "", 0),
	METHOD_ENTRY("lower", m_lower, "", 0),
	METHOD_ENTRY("title", m_title, "", 0),
	METHOD_ENTRY("capitalize", m_capitalize, "", 0),
	METHOD_ENTRY("swapcase", m_swapcase, "", 0),
	METHOD_ENTRY("casefold", m_casefold, "", 0),
	{.name = "rsplit", .fn = m_rsplit, .params = "sep maxsplit", .types = OF_STR},
	{.name = "splitlines", .fn = m_splitlines, .params = "keepends", .types = OF_STR},
	METHOD_ENTRY("find", m_find, "sub start end", 1),
	METHOD_ENTRY("rfind", m_rfind, "sub start end", 1),
	METHOD_ENTRY("index", m_index, "sub start end", 1),
	METHOD_ENTRY("rindex", m_rindex, "sub start end", 1),
	METHOD_ENTRY("count", m_count, "sub start end", 1),
	METHOD_ENTRY("join", m_join, "iterable", 1),
	{.name = "format", .fn = m_format, .types = OF_STR},
	{.name = "format_map", .fn = m_format_map, .params = "mapping", .types = OF_STR},
	METHOD_ENTRY("zfill", m_zfill, "width", 1),
	METHOD_ENTRY("ljust", m_ljust, "width fillchar", 1),
	METHOD_ENTRY("rjust", m_rjust, "width fillchar", 1),
	METHOD_ENTRY("center", m_center, "width fillchar", 1),
	METHOD_ENTRY("isdigit", m_isdigit, "", 0),
	METHOD_ENTRY("isdecimal", m_isdecimal, "", 0),
	METHOD_ENTRY("isnumeric", m_isnumeric, "", 0),
	METHOD_ENTRY("isalpha", m_isalpha, "", 0),
	METHOD_ENTRY("isalnum", m_isalnum, "", 0),
	METHOD_ENTRY("isspace", m_isspace, "", 0),
	METHOD_ENTRY("isupper", m_isupper, "", 0),
	METHOD_ENTRY("islower", m_islower, "", 0),
	METHOD_ENTRY("istitle", m_istitle, "", 0),
	METHOD_ENTRY("isascii", m_isascii, "", 0),
	METHOD_ENTRY("isidentifier", m_isidentifier, "", 0),
	METHOD_ENTRY("isprintable", m_isprintable, "", 0),
	METHOD_ENTRY("removeprefix", m_removeprefix, "prefix", 1),
	METHOD_ENTRY("removesuffix", m_removesuffix, "suffix", 1),
	METHOD_ENTRY("partition", m_partition, "sep", 1),
	METHOD_ENTRY("rpartition", m_rpartition, "sep", 1),
	{.name = "expandtabs", .fn = m_expandtabs, .params = "tabsize", .types = OF_STR},
	{.name = "encode", .fn = m_bytes, .types = OF_STR},
	{.name = "translate", .fn = m_bytes, .types = OF_STR},
	{.name = "maketrans", .fn = m_bytes, .types = OF_STR},
	{.name = NULL},
};
