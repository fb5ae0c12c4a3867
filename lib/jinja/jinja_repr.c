#include "jinja/jinja_impl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* str() and repr() of all types, and numbers read back. */

/* The shortest digits that read back as the same double, in Python's layout. */
size_t jinja_float_repr(double x, char text[40])
{
	char digits[40], *e;
	int exponent, n = 0, precision;
	size_t at = 0;

	if (isnan(x) || isinf(x))
		return (size_t)snprintf(text, 40, "%s", isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
	for (precision = 0; precision < 17; precision++) {
		snprintf(digits, sizeof digits, "%.*e", precision, x);
		if (strtod(digits, NULL) == x)
			break;
	}
	e = strchr(digits, 'e');
	exponent = atoi(e + 1);
	for (char *s = digits; s < e; s++)
		if (*s >= '0' && *s <= '9')
			digits[n++] = *s;
	if (signbit(x))
		text[at++] = '-';
	if (exponent < -4 || exponent >= 16) {
		text[at++] = digits[0];
		if (n > 1)
			text[at++] = '.';
		memcpy(text + at, digits + 1, (size_t)n - 1);
		at += (size_t)n - 1;
		return at + (size_t)snprintf(
				    text + at, 40 - at, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
	}
	if (exponent < 0) {
		text[at++] = '0';
		text[at++] = '.';
		for (int i = -1; i > exponent; i--)
			text[at++] = '0';
		memcpy(text + at, digits, (size_t)n);
		at += (size_t)n;
	} else {
		for (int i = 0; i <= exponent || i < n; i++) {
			if (i == exponent + 1)
				text[at++] = '.';
			text[at++] = i < n ? digits[i] : '0';
		}
		if (n <= exponent + 1) {
			text[at++] = '.';
			text[at++] = '0';
		}
	}
	text[at] = '\0';
	return at;
}

void jinja_put_str_repr(struct jtext *t, const char *s, size_t n)
{
	const char *end = s + n, *at;
	char quote = n && memchr(s, '\'', n) && !memchr(s, '"', n) ? '"' : '\'';
	uint32_t cp;

	jtext_add_char(t, quote);
	while (s < end) {
		at = s;
		cp = jinja_cp(&s, end);
		if (cp == (unsigned char)quote || cp == '\\')
			jtext_add_fmt(t, "\\%c", (int)cp);
		else if (cp == '\n' || cp == '\r' || cp == '\t')
			jtext_add_fmt(t, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
		else if (jinja_is_printable(cp))
			jtext_add(t, at, (size_t)(s - at));
		else
			jtext_add_fmt(t,
				cp < 0x100     ? "\\x%02x"
				: cp < 0x10000 ? "\\u%04x"
					       : "\\U%08x",
				(unsigned)cp);
	}
	jtext_add_char(t, quote);
}

static void put_items(struct jtext *t, const char *open, const struct jlist *l, const char *close)
{
	jtext_add_str(t, open);
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			jtext_add_str(t, ", ");
		jinja_put_repr(t, l->items[i]);
	}
	jtext_add_str(t, close);
}

static void put_dict(struct jtext *t, const struct jdict *d)
{
	jtext_add_char(t, '{');
	for (size_t i = 0; i < d->n; i++) {
		if (i)
			jtext_add_str(t, ", ");
		jinja_put_repr(t, d->entries[i].key);
		jtext_add_str(t, ": ");
		jinja_put_repr(t, d->entries[i].value);
	}
	jtext_add_char(t, '}');
}

static void put_view(struct jtext *t, struct jv v)
{
	jtext_add_fmt(t, "%s(", jinja_type_name(v));
	put_items(t, "[", jinja_to_list(t->r, v, J_LIST).u.l, "])");
}

static void put_object(struct jtext *t, struct jv v)
{
	const struct jinja *tpl = t->r->t;
	const struct jnode *n;

	switch (v.type) {
	case J_RANGE:
		jtext_add_fmt(t, v.u.range->step == 1 ? "range(%lld, %lld)" : "range(%lld, %lld, %lld)",
			(long long)v.u.range->start, (long long)v.u.range->stop, (long long)v.u.range->step);
		break;
	case J_NAMESPACE:
		jtext_add_str(t, "<Namespace ");
		put_dict(t, v.u.d);
		jtext_add_char(t, '>');
		break;
	case J_MACRO:
		n = v.u.macro->node;
		jtext_add_str(t, "<Macro ");
		if (n->name < 0)
			jtext_add_str(t, "anonymous");
		else
			jinja_put_str_repr(t, tpl->names[n->name].s, tpl->names[n->name].n);
		jtext_add_char(t, '>');
		break;
	case J_METHOD:
		jtext_add_fmt(t, "<built-in method %s of %s object>", v.u.method->fn->name,
			jinja_type_name(v.u.method->self));
		break;
	case J_FUNCTION:
		if (v.u.function->python)
			jtext_add_fmt(t, "<class '%s'>", v.u.function->python);
		else
			jtext_add_fmt(t, "<function %s>", v.u.function->name);
		break;
	case J_LOOP:
		jtext_add_fmt(t, "<LoopContext %lld/%lld>", (long long)v.u.loop->index0 + 1,
			(long long)jinja_len(t->r, v));
		break;
	case J_SELF:
		jtext_add_str(t, "<TemplateReference None>");
		break;
	default:
		jtext_add_fmt(t, "<%s object>", jinja_type_name(v));
		break;
	}
}

void jinja_put_repr(struct jtext *t, struct jv v)
{
	char text[40];

	jinja_step(t->r, 1);
	jinja_enter(t->r);
	switch (v.type) {
	case J_MISSING:
	case J_NONE:
		jtext_add_str(t, "None");
		break;
	case J_UNDEFINED:
		jtext_add_str(t, "Undefined");
		break;
	case J_BOOL:
		jtext_add_str(t, v.u.b ? "True" : "False");
		break;
	case J_INT:
		jtext_add_fmt(t, "%lld", (long long)v.u.i);
		break;
	case J_FLOAT:
		jtext_add(t, text, jinja_float_repr(v.u.f, text));
		break;
	case J_STR:
		if (v.flag)
			jtext_add_str(t, "Markup(");
		jinja_put_str_repr(t, v.u.s->s, v.u.s->n);
		if (v.flag)
			jtext_add_char(t, ')');
		break;
	case J_LIST:
		put_items(t, "[", v.u.l, "]");
		break;
	case J_TUPLE:
		put_items(t, "(", v.u.l, v.u.l->n == 1 ? ",)" : ")");
		break;
	case J_DICT:
		put_dict(t, v.u.d);
		break;
	case J_KEYS:
	case J_VALUES:
	case J_ITEMS:
		put_view(t, v);
		break;
	default:
		put_object(t, v);
		break;
	}
	jinja_leave(t->r);
}

void jinja_put_str(struct jtext *t, struct jv v)
{
	if (v.type == J_STR)
		jtext_add(t, v.u.s->s, v.u.s->n);
	else if (v.type != J_UNDEFINED)
		jinja_put_repr(t, v);
}

struct jv jinja_soft_str(struct jrun *r, struct jv v)
{
	struct jtext t = {.r = r};

	if (v.type == J_STR)
		return v;
	jinja_put_str(&t, v);
	return jtext_take(&t);
}

struct jv jinja_to_str(struct jrun *r, struct jv v)
{
	v = jinja_soft_str(r, v);
	v.flag = false;
	return v;
}

struct jv jinja_escape(struct jrun *r, struct jv v)
{
	static const char from[] = "&<>'\"";
	static const char *const to[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
	struct jtext t = {.r = r};
	const char *s, *end, *e;

	if (v.type == J_STR && v.flag)
		return v;
	v = jinja_to_str(r, v);
	jinja_step(r, v.u.s->n >> 4);
	for (s = v.u.s->s, end = s + v.u.s->n; s < end; s++) {
		e = *s ? strchr(from, *s) : NULL;
		if (e)
			jtext_add_str(&t, to[e - from]);
		else
			jtext_add_char(&t, *s);
	}
	v = jtext_take(&t);
	v.flag = true;
	return v;
}

static const char *shown(struct jtext *t)
{
	jtext_add_char(t, '\0');
	return t->s;
}

const char *jinja_show(struct jrun *r, struct jv v)
{
	struct jtext t = {.r = r};

	jinja_put_str(&t, v);
	return shown(&t);
}

const char *jinja_show_repr(struct jrun *r, struct jv v)
{
	struct jtext t = {.r = r};

	jinja_put_repr(&t, v);
	return shown(&t);
}

/* ---- numbers in text, as float() and int() read them */

static void trim(const char **s, size_t *n)
{
	const char *end = *s + *n, *at;

	while (*s < end) {
		at = *s;
		if (!jinja_is_space(jinja_cp(&at, end)))
			break;
		*s = at;
	}
	while (end > *s) {
		const char *begin = end - 1;

		while (begin > *s && ((unsigned char)*begin & 0xc0) == 0x80)
			begin--;
		at = begin;
		if (!jinja_is_space(jinja_cp(&at, end)))
			break;
		end = begin;
	}
	*n = (size_t)(end - *s);
}

bool jinja_parse_float(const char *s, size_t n, double *out)
{
	char text[800], *end;
	size_t to = 0;
	bool digits = false, word;

	trim(&s, &n);
	if (!n || n >= sizeof text)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool digit = s[i] >= '0' && s[i] <= '9';

		if (s[i] == '_') {
			if (!i || i + 1 == n || s[i - 1] < '0' || s[i - 1] > '9' || s[i + 1] < '0' ||
				s[i + 1] > '9')
				return false;
			continue;
		}
		digits |= digit;
		text[to++] = s[i];
	}
	text[to] = '\0';
	end = text + (text[0] == '-' || text[0] == '+');
	word = !strcasecmp(end, "inf") || !strcasecmp(end, "infinity") || !strcasecmp(end, "nan");
	if (!word && (!digits || strspn(end, "0123456789.eE+-") != strlen(end)))
		return false;
	*out = strtod(text, &end);
	return !*end;
}

int jinja_parse_int(const char *s, size_t n, int64_t base, int64_t *out)
{
	size_t i = 0;
	bool negative, any = false, under = false, large = false;
	uint64_t value = 0, limit;

	trim(&s, &n);
	negative = n && s[0] == '-';
	i = n && (s[0] == '-' || s[0] == '+');
	if (n - i >= 2 && s[i] == '0' && (base == 0 || base == 16 || base == 8 || base == 2)) {
		char c = (char)(s[i + 1] | 32);
		int64_t said = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;

		if (said && (base == 0 || base == said)) {
			base = said;
			i += 2;
			i += i < n && s[i] == '_';
		} else if (base == 0) {
			base = 1; /* nothing but zeros */
		}
	}
	if (base == 0)
		base = 10;
	limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
	for (; i < n; i++) {
		int c = (unsigned char)s[i], d;

		if (c == '_' && any && !under) {
			under = true;
			continue;
		}
		d = c >= '0' && c <= '9'		 ? c - '0'
		    : (c | 32) >= 'a' && (c | 32) <= 'z' ? (c | 32) - 'a' + 10
							 : 99;
		if (d >= base)
			return 0;
		any = true;
		under = false;
		if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
			__builtin_add_overflow(value, (uint64_t)d, &value) || value > limit)
			large = true;
	}
	if (!any || under)
		return 0;
	if (large)
		return -1;
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return 1;
}
