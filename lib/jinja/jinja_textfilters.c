#include "jinja/jinja_impl.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"

/* Filters on text. v is what is filtered, a[] the arguments. */

#define FILTER(name) static struct jv name(struct jrun *r, struct jv v, struct jv *a, const struct jargv *args)
#define UNUSED (void)r, (void)v, (void)a, (void)args

static bool truth_or(struct jrun *r, struct jv v, bool none)
{
	return jv_given(v) ? jinja_truth(r, v) : none;
}

FILTER(f_upper)
{
	UNUSED;
	return jinja_case(r, jinja_soft_str(r, v), CASE_UPPER);
}

FILTER(f_lower)
{
	UNUSED;
	return jinja_case(r, jinja_soft_str(r, v), CASE_LOWER);
}

FILTER(f_capitalize)
{
	UNUSED;
	return jinja_capitalize(r, jinja_soft_str(r, v));
}

static bool begins_word(uint32_t cp)
{
	return cp == '-' || cp == '(' || cp == '{' || cp == '[' || cp == '<' || jinja_is_space(cp);
}

/* Jinja2's own: words begin behind white space and opening brackets only. */
FILTER(f_title)
{
	struct jtext t = {.r = r};
	const char *at, *end, *here, *word, *stop;

	UNUSED;
	v = jinja_soft_str(r, v);
	jinja_step(r, v.u.s->n >> 4);
	for (word = v.u.s->s, end = word + v.u.s->n; word < end; word = stop) {
		at = stop = word;
		if (begins_word(jinja_cp(&stop, end))) {
			jtext_add(&t, word, (size_t)(stop - word));
			continue;
		}
		for (here = stop; here < end && !begins_word(jinja_cp(&here, end));)
			stop = here;
		jinja_put_case(&t, word, word, stop, CASE_UPPER);
		jinja_cp(&at, stop);
		for (word = at; at < stop; at = here) {
			here = at;
			jinja_cp(&here, stop);
			jinja_put_case(&t, word, at, stop, CASE_LOWER);
		}
	}
	return jtext_take(&t);
}

FILTER(f_string)
{
	UNUSED;
	return jinja_soft_str(r, v);
}

FILTER(f_safe)
{
	UNUSED;
	v = jinja_soft_str(r, v);
	v.flag = true;
	return v;
}

FILTER(f_escape)
{
	UNUSED;
	return jinja_escape(r, v);
}

FILTER(f_forceescape)
{
	UNUSED;
	return jinja_escape(r, jinja_to_str(r, v));
}

FILTER(f_trim)
{
	UNUSED;
	return jinja_strip(r, jinja_soft_str(r, v), a[0], STRIP_LEFT | STRIP_RIGHT);
}

FILTER(f_replace)
{
	int64_t count = jv_given(a[2]) && a[2].type != J_NONE ? jinja_index(r, a[2]) : -1;

	UNUSED;
	return jinja_replace(r, jinja_to_str(r, v), jinja_to_str(r, a[0]), jinja_to_str(r, a[1]), count);
}

FILTER(f_center)
{
	UNUSED;
	return jinja_pad(
		r, jinja_soft_str(r, v), jv_given(a[0]) ? jinja_index(r, a[0]) : 80, jv_of(J_MISSING), 'c');
}

FILTER(f_format)
{
	struct jv map;

	(void)a;
	if (args->n && args->nkw)
		jinja_raise(r, E_FILTER_ARGUMENT,
			"can't handle positional and keyword arguments at the same time");
	if (args->nkw) {
		map = jinja_dict(r, args->nkw);
		for (size_t i = 0; i < args->nkw; i++)
			jinja_dict_put(r, map.u.d, jv_strp(args->kw[i].name), args->kw[i].v);
	} else {
		map = jinja_list(r, J_TUPLE, args->n);
		for (size_t i = 0; i < args->n; i++)
			jinja_list_add(r, map.u.l, args->pos[i]);
	}
	return jinja_percent(r, jinja_soft_str(r, v), map);
}

FILTER(f_indent)
{
	bool blank = truth_or(r, a[2], false), first = truth_or(r, a[1], false);
	struct jtext t = {.r = r};
	struct jv by, lines;

	UNUSED;
	if (jv_given(a[0]) && a[0].type == J_STR)
		by = a[0];
	else
		by = jinja_repeat(r, jinja_str(r, " ", 1), jv_given(a[0]) ? jinja_index(r, a[0]) : 4);
	if (v.type == J_TUPLE || v.type == J_UNDEFINED)
		jinja_binary(r, N_ADD, v, jinja_str(r, "\n", 1));
	if (v.type != J_STR && v.type != J_LIST)
		jinja_raise(
			r, E_TYPE, "unsupported operand type(s) for +=: '%s' and 'str'", jinja_type_name(v));
	if (v.type != J_STR)
		jinja_raise(r, E_ATTRIBUTE, "'%s' object has no attribute 'splitlines'", jinja_type_name(v));
	by.flag = v.flag;
	lines = jinja_splitlines(r, jinja_concat(r, v, (struct jv){.type = J_STR, .flag = v.flag,
							       .u = jinja_str(r, "\n", 1).u}), false);
	if (first)
		jtext_add(&t, by.u.s->s, by.u.s->n);
	for (size_t i = 0; i < lines.u.l->n; i++) {
		const struct jstr *line = lines.u.l->items[i].u.s;

		if (i)
			jtext_add_char(&t, '\n');
		if (i && (blank || line->n))
			jtext_add(&t, by.u.s->s, by.u.s->n);
		jtext_add(&t, line->s, line->n);
	}
	by = jtext_take(&t);
	by.flag = v.flag;
	return by;
}

FILTER(f_truncate)
{
	int64_t length = jv_given(a[0]) ? jinja_index(r, a[0]) : 255, leeway = 5, n;
	struct jv end = jv_given(a[2]) ? a[2] : jinja_str(r, "...", 3), none = jv_of(J_NONE), cut;
	const char *space;

	UNUSED;
	if (jv_given(a[3]) && a[3].type != J_NONE)
		leeway = jinja_index(r, a[3]);
	n = (int64_t)jinja_len(r, end);
	if (length < n)
		jinja_raise(
			r, E_ASSERTION, "expected length >= %lld, got %lld", (long long)n, (long long)length);
	if (leeway < 0)
		jinja_raise(r, E_ASSERTION, "expected leeway >= 0, got %lld", (long long)leeway);
	if ((int64_t)jinja_len(r, v) <= (leeway > INT64_MAX - length ? INT64_MAX : length + leeway))
		return v;
	cut = jinja_slice(r, v, none, jv_int(length - n), none);
	if (!truth_or(r, a[1], false)) {
		if (cut.type != J_STR)
			jinja_raise(r, E_ATTRIBUTE, "'%s' object has no attribute 'rsplit'",
				jinja_type_name(cut));
		space = jinja_rfind(r, cut.u.s->s, cut.u.s->n, " ", 1);
		if (space)
			cut = jinja_substr(r, cut, cut.u.s->s, (size_t)(space - cut.u.s->s));
	}
	return jinja_binary(r, N_ADD, cut, end);
}

static bool is_word(uint32_t cp)
{
	return cp == '_' || jinja_is_alnum(cp);
}

FILTER(f_wordcount)
{
	const char *at, *end;
	bool inside = false, word;
	int64_t n = 0;

	UNUSED;
	v = jinja_soft_str(r, v);
	jinja_step(r, v.u.s->n >> 4);
	for (at = v.u.s->s, end = at + v.u.s->n; at < end; inside = word) {
		word = is_word(jinja_cp(&at, end));
		n += word && !inside;
	}
	return jv_int(n);
}

/* ---- URLs and HTML */

static void quote_url(struct jtext *t, struct jv v, bool query)
{
	const char *s, *end;

	v = jinja_soft_str(t->r, v);
	for (s = v.u.s->s, end = s + v.u.s->n; s < end; s++) {
		bool plain = (*s >= '0' && *s <= '9') || ((*s | 32) >= 'a' && (*s | 32) <= 'z') ||
			(*s && strchr("_.-~", *s)) || (*s == '/' && !query);

		if (plain)
			jtext_add_char(t, *s);
		else if (*s == ' ' && query)
			jtext_add_char(t, '+');
		else
			jtext_add_fmt(t, "%%%02X", (unsigned)(unsigned char)*s);
	}
}

FILTER(f_urlencode)
{
	struct jtext t = {.r = r};
	struct jiter it;
	struct jv pair;
	size_t n = 0;

	UNUSED;
	if (v.type == J_STR || !jinja_iterable(v)) {
		quote_url(&t, v, false);
		return jtext_take(&t);
	}
	if (v.type == J_DICT)
		v.type = J_ITEMS;
	jinja_iter(r, &it, v);
	while (jinja_next(r, &it, &pair)) {
		pair = jinja_unpack(r, pair, 2);
		if (n++)
			jtext_add_char(&t, '&');
		quote_url(&t, pair.u.l->items[0], true);
		jtext_add_char(&t, '=');
		quote_url(&t, pair.u.l->items[1], true);
	}
	return jtext_take(&t);
}

FILTER(f_xmlattr)
{
	struct jtext t = {.r = r};
	struct jv out;

	UNUSED;
	if (v.type == J_UNDEFINED)
		jinja_undefined_fail(r, v);
	if (v.type != J_DICT)
		jinja_raise(r, E_ATTRIBUTE, "'%s' object has no attribute 'items'", jinja_type_name(v));
	for (size_t i = 0; i < v.u.d->n; i++) {
		const struct jentry *e = &v.u.d->entries[i];

		if (e->value.type == J_NONE || e->value.type == J_UNDEFINED)
			continue;
		if (e->key.type != J_STR)
			jinja_raise(r, E_TYPE, "expected string or bytes-like object, got '%s'",
				jinja_type_name(e->key));
		for (size_t k = 0; k < e->key.u.s->n; k++)
			if (strchr(" \t\n\r\f\v/>=", e->key.u.s->s[k]) && e->key.u.s->s[k])
				jinja_raise(r, E_VALUE, "Invalid character in attribute name: %s",
					jinja_show_repr(r, e->key));
		if (t.n || truth_or(r, a[0], true))
			jtext_add_char(&t, ' ');
		jinja_put_str(&t, jinja_escape(r, e->key));
		jtext_add_str(&t, "=\"");
		jinja_put_str(&t, jinja_escape(r, e->value));
		jtext_add_char(&t, '"');
	}
	out = jtext_take(&t);
	out.flag = r->autoescape;
	return out;
}

/* "&lt;" and the like at s; the bytes it takes, or 0. */
static size_t unescape(struct jtext *t, const char *s, const char *end)
{
	static const struct {
		const char *name, *text;
	} names[] = {{"amp;", "&"}, {"lt;", "<"}, {"gt;", ">"}, {"quot;", "\""}, {"apos;", "'"},
		{"nbsp;", "\xc2\xa0"}, {"copy;", "\xc2\xa9"}, {"reg;", "\xc2\xae"},
		{"hellip;", "\xe2\x80\xa6"}, {"ndash;", "\xe2\x80\x93"}, {"mdash;", "\xe2\x80\x94"},
		{"laquo;", "\xc2\xab"}, {"raquo;", "\xc2\xbb"}, {"euro;", "\xe2\x82\xac"}};
	const char *at = s + 1;
	uint32_t cp = 0;
	bool hex;

	for (size_t i = 0; i < JINJA_COUNT(names); i++) {
		size_t n = strlen(names[i].name);

		if ((size_t)(end - at) >= n && !memcmp(at, names[i].name, n)) {
			jtext_add_str(t, names[i].text);
			return n + 1;
		}
	}
	if (at == end || *at++ != '#')
		return 0;
	hex = at < end && (*at | 32) == 'x';
	at += hex;
	for (s = at; at < end && at - s < 8; at++) {
		int d = *at >= '0' && *at <= '9'			? *at - '0'
			: hex && (*at | 32) >= 'a' && (*at | 32) <= 'f' ? (*at | 32) - 'a' + 10
									: -1;

		if (d < 0)
			break;
		cp = cp * (hex ? 16 : 10) + (uint32_t)d;
	}
	if (at == s)
		return 0;
	jtext_add_cp(t, !cp || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000) ? 0xfffd : cp);
	return (size_t)(at - s) + 2 + hex + (at < end && *at == ';');
}

static struct jv without(struct jrun *r, struct jv v, const char *open, const char *close)
{
	struct jtext t = {.r = r};
	const char *at = v.u.s->s, *end = at + v.u.s->n, *from, *to;

	while ((from = jinja_find(r, at, (size_t)(end - at), open, strlen(open)))) {
		to = jinja_find(r, from, (size_t)(end - from), close, strlen(close));
		if (!to)
			break;
		jtext_add(&t, at, (size_t)(from - at));
		at = to + strlen(close);
	}
	jtext_add(&t, at, (size_t)(end - at));
	return jtext_take(&t);
}

FILTER(f_striptags)
{
	struct jtext words = {.r = r}, t = {.r = r};
	const char *at, *end, *here;
	bool space = false;
	size_t n;

	UNUSED;
	v = without(r, without(r, jinja_to_str(r, v), "<!--", "-->"), "<", ">");
	v = jinja_strip(r, v, jv_of(J_MISSING), STRIP_LEFT | STRIP_RIGHT);
	for (at = v.u.s->s, end = at + v.u.s->n; at < end;) {
		here = at;
		if (jinja_is_space(jinja_cp(&at, end))) {
			space = true;
			continue;
		}
		if (space)
			jtext_add_char(&words, ' ');
		space = false;
		jtext_add(&words, here, (size_t)(at - here));
	}
	v = jtext_take(&words);
	for (at = v.u.s->s, end = at + v.u.s->n; at < end;) {
		n = *at == '&' ? unescape(&t, at, end) : 0;
		if (!n)
			jtext_add_char(&t, *at);
		at += n ? n : 1;
	}
	return jtext_take(&t);
}

/* ---- other layouts */

static struct jv pair_item(struct jrun *r, struct jv v, size_t i)
{
	struct jv list = jinja_unpack(r, v, 2);

	if (list.u.l->items[i].type != J_STR)
		jinja_raise(r, E_TYPE, "separators must be strings");
	return list.u.l->items[i];
}

/* transformers' tojson: ensure_ascii=False, indent=None, separators=None, sort_keys=False */
FILTER(f_tojson)
{
	struct jjson how = {.ascii = truth_or(r, a[0], false), .sort = truth_or(r, a[3], false),
		.item = ", ", .nitem = 2, .key = ": ", .nkey = 2};
	struct jtext t = {.r = r};
	struct jv s;

	(void)args;
	if (jv_given(a[1]) && a[1].type != J_NONE) {
		s = a[1].type == J_STR ? a[1] : jinja_repeat(r, jinja_str(r, " ", 1), jinja_index(r, a[1]));
		how.pretty = true;
		how.indent = s.u.s->s;
		how.nindent = s.u.s->n;
		how.item = ",";
		how.nitem = 1;
	}
	if (jv_given(a[2]) && a[2].type != J_NONE) {
		s = pair_item(r, a[2], 0);
		how.item = s.u.s->s;
		how.nitem = s.u.s->n;
		s = pair_item(r, a[2], 1);
		how.key = s.u.s->s;
		how.nkey = s.u.s->n;
	}
	jinja_put_json(&t, v, &how, 0);
	return jtext_take(&t);
}

FILTER(f_filesizeformat)
{
	static const char prefixes[] = "kMGTPEZY";
	bool binary = truth_or(r, a[0], false);
	double base = binary ? 1024 : 1000, bytes, unit;
	struct jtext t = {.r = r};
	size_t i = 0;

	UNUSED;
	if (v.type == J_UNDEFINED)
		jinja_undefined_fail(r, v);
	if (v.type != J_STR && !jinja_is_number(v))
		jinja_raise(r, E_TYPE, "float() argument must be a string or a real number, not '%s'",
			jinja_type_name(v));
	if (v.type == J_STR && !jinja_parse_float(v.u.s->s, v.u.s->n, &bytes))
		jinja_raise(r, E_VALUE, "could not convert string to float: %s", jinja_show_repr(r, v));
	if (v.type != J_STR)
		bytes = jinja_to_double(v);
	if (bytes == 1) {
		jtext_add_str(&t, "1 Byte");
	} else if (bytes < base) {
		jtext_add_fmt(&t, "%lld Bytes", (long long)bytes);
	} else {
		for (unit = base * base; i < 7 && !(bytes < unit); i++)
			unit *= base;
		jtext_add_fmt(&t, "%.1f %c%sB", base * bytes / unit,
			binary && !i ? 'K' : prefixes[i], binary ? "i" : "");
	}
	return jtext_take(&t);
}

/* Of Python's pprint, what fits a line. */
FILTER(f_pprint)
{
	struct jtext t = {.r = r};

	UNUSED;
	jinja_put_repr(&t, v);
	return jtext_take(&t);
}

/* ---- textwrap, a line at a time */

struct chunk {
	const char *s;
	size_t n, chars;
	bool space;
};

static size_t count_chars(const char *s, size_t n)
{
	struct jstr str = {.s = s, .n = n, .chars = SIZE_MAX};

	return jinja_chars(&str);
}

static bool is_letter(const char *s, const char *end)
{
	return s < end && is_word(jinja_cp(&s, end));
}

/* White space, or a word; words are cut behind hyphens between letters. */
static struct chunk next_chunk(const char *s, const char *end, bool hyphens)
{
	const char *at = s, *next = s;
	bool space = strchr(" \t\n\v\f\r", *s) && *s;

	while (at < end) {
		next = at;
		jinja_cp(&next, end);
		if ((strchr(" \t\n\v\f\r", *at) && *at) != space)
			break;
		at = next;
		if (!space && hyphens && at[-1] == '-' && at - s > 2 && is_letter(at, end) &&
			is_letter(at - 2, at) && is_letter(at - 3, at) && at + 1 < end &&
			(is_letter(at + 1, end) || at[1] == '-'))
			break;
	}
	return (struct chunk){
		.s = s, .n = (size_t)(at - s), .chars = count_chars(s, (size_t)(at - s)), .space = space};
}

struct wrapping {
	struct jrun *r;
	struct jtext *out;
	size_t width;
	bool long_words, hyphens;
	struct jv sep;
	size_t lines;
};

/* A line; white space at its end goes, unless a word was cut there. */
static void put_line(struct wrapping *w, const char *from, const char *end, bool cut)
{
	while (!cut && end > from && strchr(" \t\n\v\f\r", end[-1]))
		end--;
	if (end == from)
		return;
	if (w->lines++)
		jtext_add(w->out, w->sep.u.s->s, w->sep.u.s->n);
	jtext_add(w->out, from, (size_t)(end - from));
}

static void wrap(struct wrapping *w, const char *s, const char *end)
{
	const char *from = s, *at = s;
	size_t used = 0;
	bool cut;

	w->lines = 0;
	while (at < end) {
		struct chunk c = next_chunk(at, end, w->hyphens);

		if (at == from && c.space && w->lines) {
			from = at = at + c.n;
			continue;
		}
		if (used + c.chars <= w->width) {
			used += c.chars;
			at += c.n;
			continue;
		}
		cut = c.chars > w->width && w->long_words;
		if (cut) {
			struct jstr rest = {.s = at, .n = c.n, .chars = c.chars};

			at += jinja_offset(&rest, w->width - used);
		} else if (at == from) {
			at += c.n;
		}
		put_line(w, from, at, cut);
		from = at;
		used = 0;
	}
	put_line(w, from, end, false);
}

FILTER(f_wordwrap)
{
	struct jtext t = {.r = r};
	struct wrapping w = {.r = r, .out = &t, .long_words = truth_or(r, a[1], true),
		.hyphens = truth_or(r, a[3], true)};
	int64_t width = jv_given(a[0]) ? jinja_index(r, a[0]) : 79;
	struct jv lines;

	UNUSED;
	if (v.type == J_UNDEFINED)
		jinja_undefined_fail(r, v);
	if (v.type != J_STR)
		jinja_raise(r, E_ATTRIBUTE, "'%s' object has no attribute 'splitlines'", jinja_type_name(v));
	w.sep = jv_given(a[2]) && a[2].type == J_STR ? a[2] : jinja_str(r, "\n", 1);
	lines = jinja_splitlines(r, v, false);
	if (width <= 0 && lines.u.l->n)
		jinja_raise(r, E_VALUE, "invalid width %lld (must be > 0)", (long long)width);
	w.width = (size_t)width;
	for (size_t i = 0; i < lines.u.l->n; i++) {
		const struct jstr *line = lines.u.l->items[i].u.s;

		if (i)
			jtext_add(&t, w.sep.u.s->s, w.sep.u.s->n);
		jinja_step(r, line->n);
		wrap(&w, line->s, line->s + line->n);
	}
	return jtext_take(&t);
}

FILTER(f_urlize)
{
	UNUSED;
	jinja_raise(r, E_NOT_IMPLEMENTED, "the filter urlize is not supported");
}

const struct jbuiltin jinja_text_filters[] = {
	{.name = "trim", .fn = f_trim, .params = "chars"},
	{.name = "tojson", .fn = f_tojson, .params = "ensure_ascii indent separators sort_keys"},
	{.name = "string", .fn = f_string, .params = ""},
	{.name = "upper", .fn = f_upper, .params = ""},
	{.name = "lower", .fn = f_lower, .params = ""},
	{.name = "capitalize", .fn = f_capitalize, .params = ""},
	{.name = "title", .fn = f_title, .params = ""},
	{.name = "safe", .fn = f_safe, .params = ""},
	{.name = "escape", .fn = f_escape, .params = ""},
	{.name = "e", .fn = f_escape, .params = ""},
	{.name = "forceescape", .fn = f_forceescape, .params = ""},
	{.name = "replace", .fn = f_replace, .params = "old new count", .required = 2},
	{.name = "center", .fn = f_center, .params = "width"},
	{.name = "format", .fn = f_format},
	{.name = "indent", .fn = f_indent, .params = "width first blank"},
	{.name = "truncate", .fn = f_truncate, .params = "length killwords end leeway"},
	{.name = "wordcount", .fn = f_wordcount, .params = ""},
	{.name = "wordwrap", .fn = f_wordwrap, .params = "width break_long_words wrapstring break_on_hyphens"},
	{.name = "urlencode", .fn = f_urlencode, .params = ""},
	{.name = "xmlattr", .fn = f_xmlattr, .params = "autospace"},
	{.name = "striptags", .fn = f_striptags, .params = ""},
	{.name = "filesizeformat", .fn = f_filesizeformat, .params = "binary"},
	{.name = "pprint", .fn = f_pprint, .params = ""},
	{.name = "urlize", .fn = f_urlize},
	{.name = NULL},
};
