#include "jinja/jinja_impl.h"

#include "base/mem.h"

/* Strings by code point: lengths, places, searching, cutting. */

size_t jinja_chars(const struct jstr *s)
{
	size_t n = 0;

	if (s->chars != SIZE_MAX)
		return s->chars;
	for (size_t i = 0; i < s->n; i++)
		n += ((unsigned char)s->s[i] & 0xc0) != 0x80;
	/* the strings of the template have theirs counted, so that nothing shared is written */
	((struct jstr *)(uintptr_t)s)->chars = n;
	return n;
}

size_t jinja_offset(const struct jstr *s, size_t chars)
{
	size_t i = 0;

	if (jinja_chars(s) == s->n)
		return chars < s->n ? chars : s->n;
	while (chars && i < s->n) {
		i++;
		while (i < s->n && ((unsigned char)s->s[i] & 0xc0) == 0x80)
			i++;
		chars--;
	}
	return i;
}

const char *jinja_find(struct jrun *r, const char *s, size_t n, const char *what, size_t m)
{
	jinja_step(r, n >> 6);
	return m ? memmem(s, n, what, m) : s;
}

const char *jinja_rfind(struct jrun *r, const char *s, size_t n, const char *what, size_t m)
{
	if (m > n)
		return NULL;
	if (!m)
		return s + n;
	for (size_t at = n - m + 1; at-- > 0;) {
		if ((at & 63) == 0)
			jinja_step(r, 1 + m / 64);
		if (s[at] == what[0] && !memcmp(s + at, what, m))
			return s + at;
	}
	return NULL;
}

/* A part of `of`, and Markup as it is. */
struct jv jinja_substr(struct jrun *r, struct jv of, const char *s, size_t n)
{
	struct jv v = jinja_str(r, s, n);

	if (of.u.s->chars == of.u.s->n)
		v.u.s->chars = n;
	v.flag = of.flag;
	return v;
}

static bool in_set(uint32_t cp, const struct jstr *set)
{
	const char *s, *end;

	if (!set)
		return jinja_is_space(cp);
	for (s = set->s, end = s + set->n; s < end;)
		if (jinja_cp(&s, end) == cp)
			return true;
	return false;
}

struct jv jinja_strip(struct jrun *r, struct jv v, struct jv chars, int sides)
{
	const struct jstr *set = chars.type == J_STR ? chars.u.s : NULL;
	const char *from = v.u.s->s, *end = from + v.u.s->n, *at;

	if (jv_given(chars) && chars.type != J_STR && chars.type != J_NONE)
		jinja_raise(r, E_TYPE, "%s arg must be None or str",
			sides == STRIP_LEFT ? "lstrip" : sides == STRIP_RIGHT ? "rstrip" : "strip");
	if (set)
		jinja_step(r, (v.u.s->n * (set->n + 1)) >> 8);
	while (sides & STRIP_LEFT && from < end) {
		at = from;
		if (!in_set(jinja_cp(&at, end), set))
			break;
		from = at;
	}
	while (sides & STRIP_RIGHT && from < end) {
		const char *begin = end - 1;

		while (begin > from && ((unsigned char)*begin & 0xc0) == 0x80)
			begin--;
		at = begin;
		if (!in_set(jinja_cp(&at, end), set))
			break;
		end = begin;
	}
	return jinja_substr(r, v, from, (size_t)(end - from));
}

struct jv jinja_replace(struct jrun *r, struct jv s, struct jv old, struct jv new, int64_t count)
{
	struct jtext t = {.r = r};
	const char *at = s.u.s->s, *end = at + s.u.s->n, *found, *next;
	struct jv out;

	if (count < 0)
		count = INT64_MAX;
	if (!old.u.s->n) {
		for (; count > 0; count--) {
			jtext_add(&t, new.u.s->s, new.u.s->n);
			if (at == end)
				break;
			next = at;
			jinja_cp(&next, end);
			jtext_add(&t, at, (size_t)(next - at));
			at = next;
		}
	}
	while (old.u.s->n && count-- > 0) {
		found = jinja_find(r, at, (size_t)(end - at), old.u.s->s, old.u.s->n);
		if (!found)
			break;
		jtext_add(&t, at, (size_t)(found - at));
		jtext_add(&t, new.u.s->s, new.u.s->n);
		at = found + old.u.s->n;
	}
	if (at == s.u.s->s && !t.n)
		return s;
	jtext_add(&t, at, (size_t)(end - at));
	out = jtext_take(&t);
	out.flag = s.flag;
	return out;
}

static bool is_line_end(uint32_t cp)
{
	return (cp >= 10 && cp <= 13) || (cp >= 0x1c && cp <= 0x1e) || cp == 0x85 || cp == 0x2028 ||
	       cp == 0x2029;
}

struct jv jinja_splitlines(struct jrun *r, struct jv s, bool keep)
{
	const char *at = s.u.s->s, *end = at + s.u.s->n, *from = at, *here;
	struct jv lines = jinja_list(r, J_LIST, 4);
	uint32_t cp;

	jinja_step(r, s.u.s->n >> 4);
	while (at < end) {
		here = at;
		cp = jinja_cp(&at, end);
		if (!is_line_end(cp))
			continue;
		if (cp == '\r' && at < end && *at == '\n')
			at++;
		jinja_list_add(r, lines.u.l, jinja_substr(r, s, from, (size_t)((keep ? at : here) - from)));
		from = at;
	}
	if (from < end)
		jinja_list_add(r, lines.u.l, jinja_substr(r, s, from, (size_t)(end - from)));
	return lines;
}
