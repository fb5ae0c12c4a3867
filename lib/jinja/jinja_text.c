#include "jinja/jinja_impl.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"

/* Text that grows, and strings made of others. */

static char *extend(struct jtext *t, size_t n)
{
	size_t need;
	char *grown;

	if (!size_add(t->n, n, &need))
		jinja_limit(t->r, "bytes of memory", t->r->limits.memory);
	if (need > t->cap) {
		t->cap = need < 64 ? 128 : need + need / 2;
		grown = jinja_alloc(t->r, t->cap, 1);
		if (t->n)
			memcpy(grown, t->s, t->n);
		t->s = grown;
	}
	t->n = need;
	return t->s + need - n;
}

void jtext_add(struct jtext *t, const char *s, size_t n)
{
	if (n)
		memcpy(extend(t, n), s, n);
}

void jtext_add_str(struct jtext *t, const char *s)
{
	jtext_add(t, s, strlen(s));
}

void jtext_add_char(struct jtext *t, char c)
{
	*extend(t, 1) = c;
}

void jtext_add_fmt(struct jtext *t, const char *fmt, ...)
{
	va_list ap;
	char text[512];
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n > 0)
		jtext_add(t, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

void jtext_add_cp(struct jtext *t, uint32_t cp)
{
	char bytes[4];

	jtext_add(t, bytes, (size_t)utf8_encode(bytes, cp));
}

void jtext_fill(struct jtext *t, const char *s, size_t n, size_t times)
{
	size_t all;
	char *to;

	if (!size_mul(n, times, &all))
		jinja_limit(t->r, "bytes of memory", t->r->limits.memory);
	if (!all)
		return;
	to = extend(t, all);
	if (n == 1)
		memset(to, *s, all);
	else
		for (size_t i = 0; i < times; i++)
			memcpy(to + i * n, s, n);
}

struct jv jtext_take(struct jtext *t)
{
	return jinja_str(t->r, t->s ? t->s : "", t->n);
}

/* a + b where both are plain; a is extended where its memory goes on behind its end. */
static struct jv append(struct jrun *r, struct jv a, struct jv b)
{
	size_t n = a.u.s->n + b.u.s->n;
	struct jroom *room = a.u.s->room;
	struct jv v;

	if (!b.u.s->n)
		return jv_strp(a.u.s);
	if (!a.u.s->n)
		return jv_strp(b.u.s);
	if (!room || a.u.s->s != room->data || a.u.s->n != room->used || room->cap - room->used < b.u.s->n) {
		size_t cap = n < 256 ? n : 2 * n;

		room = jinja_alloc(r, sizeof *room + cap, 1);
		*room = (struct jroom){.used = a.u.s->n, .cap = cap};
		memcpy(room->data, a.u.s->s, a.u.s->n);
	}
	jinja_step(r, b.u.s->n >> 6);
	memcpy(room->data + room->used, b.u.s->s, b.u.s->n);
	room->used += b.u.s->n;
	v = jinja_str(r, room->data, n);
	v.u.s->room = room;
	if (a.u.s->chars != SIZE_MAX && b.u.s->chars != SIZE_MAX)
		v.u.s->chars = a.u.s->chars + b.u.s->chars;
	return v;
}

/* a + b for strings; what meets Markup is escaped. */
struct jv jinja_concat(struct jrun *r, struct jv a, struct jv b)
{
	struct jv v;

	if (!a.flag && !b.flag)
		return append(r, a, b);
	v = append(r, jinja_escape(r, a), jinja_escape(r, b));
	v.flag = true;
	return v;
}

struct jv jinja_repeat(struct jrun *r, struct jv v, int64_t times)
{
	struct jtext t = {.r = r};
	size_t n = times > 0 ? (size_t)times : 0, all;
	struct jv out;

	if (v.type == J_STR) {
		jtext_fill(&t, v.u.s->s, v.u.s->n, n);
		out = jtext_take(&t);
		out.flag = v.flag;
		return out;
	}
	if (!size_mul(v.u.l->n, n, &all))
		jinja_limit(r, "bytes of memory", r->limits.memory);
	out = jinja_list(r, (enum jtype)v.type, all);
	jinja_step(r, all / 4);
	for (size_t i = 0; v.u.l->n && i < n; i++)
		memcpy(out.u.l->items + i * v.u.l->n, v.u.l->items, v.u.l->n * sizeof(struct jv));
	out.u.l->n = all;
	return out;
}

struct jv jinja_join(struct jrun *r, struct jv sep, struct jv items)
{
	struct jtext t = {.r = r};
	struct jiter it;
	struct jv item, out;
	size_t n = 0;

	jinja_iter(r, &it, items);
	while (jinja_next(r, &it, &item)) {
		if (n++)
			jtext_add(&t, sep.u.s->s, sep.u.s->n);
		if (item.type != J_STR && !sep.flag)
			jinja_raise(r, E_TYPE, "sequence item %zu: expected str instance, %s found", n - 1,
				jinja_type_name(item));
		jinja_put_str(&t, sep.flag ? jinja_escape(r, item) : item);
	}
	out = jtext_take(&t);
	out.flag = sep.flag;
	return out;
}

/* s with fill on its left ('r'), right ('l') or both sides ('c') up to width characters. */
struct jv jinja_pad(struct jrun *r, struct jv s, int64_t width, struct jv fill, char side)
{
	struct jtext t = {.r = r};
	int64_t n = (int64_t)jinja_chars(s.u.s), left;
	struct jv out;

	if (jv_given(fill) && fill.type != J_STR)
		jinja_raise(r, E_TYPE, "The fill character must be a unicode character, not %s",
			jinja_type_name(fill));
	if (jv_given(fill) && jinja_chars(fill.u.s) != 1)
		jinja_raise(r, E_TYPE, "The fill character must be exactly one character long");
	if (width <= n)
		return s;
	left = side == 'l' ? 0 : side == 'r' ? width - n : (width - n) / 2 + ((width - n) & width & 1);
	if (!jv_given(fill))
		fill = jinja_str(r, " ", 1);
	jtext_fill(&t, fill.u.s->s, fill.u.s->n, (size_t)left);
	jtext_add(&t, s.u.s->s, s.u.s->n);
	jtext_fill(&t, fill.u.s->s, fill.u.s->n, (size_t)(width - n - left));
	out = jtext_take(&t);
	out.flag = s.flag;
	return out;
}

struct jv jinja_case(struct jrun *r, struct jv s, enum jcase c)
{
	struct jtext t = {.r = r};
	const char *at = s.u.s->s, *end = at + s.u.s->n, *here;
	bool cased = false;
	struct jv out;

	jinja_step(r, s.u.s->n >> 4);
	while (at < end) {
		uint32_t cp;

		here = at;
		cp = jinja_cp(&at, end);
		jinja_put_case(&t, s.u.s->s, here, end, c == CASE_TITLE && cased ? CASE_LOWER : c);
		if (c == CASE_TITLE)
			cased = jinja_is_cased(cp);
	}
	out = jtext_take(&t);
	out.flag = s.flag;
	return out;
}

struct jv jinja_capitalize(struct jrun *r, struct jv s)
{
	struct jtext t = {.r = r};
	const char *at = s.u.s->s, *end = at + s.u.s->n, *here;
	struct jv out;

	jinja_step(r, s.u.s->n >> 4);
	while (at < end) {
		here = at;
		jinja_cp(&at, end);
		jinja_put_case(&t, s.u.s->s, here, end, here == s.u.s->s ? CASE_TITLE : CASE_LOWER);
	}
	out = jtext_take(&t);
	out.flag = s.flag;
	return out;
}
