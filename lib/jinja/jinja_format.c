#include "jinja/jinja_impl.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* Text made by "..." % x, "...".format(x) and the format specifications within. */

struct spec {
	const char *fill;
	size_t nfill;
	char align, sign, type;
	bool alternate, zero;
	char group;
	int64_t width, precision; /* -1: none */
};

static void put_padded(
	struct jtext *t, const struct spec *f, const char *prefix, const char *s, size_t n, char align)
{
	struct jstr str = {.s = s, .n = n, .chars = SIZE_MAX};
	size_t nprefix = strlen(prefix), have = jinja_chars(&str) + nprefix;
	size_t pad = f->width > 0 && (size_t)f->width > have ? (size_t)f->width - have : 0, left;

	left = align == '<' ? 0 : align == '^' ? pad / 2 : align == '=' ? 0 : pad;
	jtext_fill(t, f->fill, f->nfill, left);
	jtext_add_str(t, prefix);
	if (align == '=')
		jtext_fill(t, f->fill, f->nfill, pad);
	jtext_add(t, s, n);
	if (align != '=')
		jtext_fill(t, f->fill, f->nfill, pad - left);
}

/* Digits before the point parted by threes (fours for other bases than ten). */
static struct jv grouped(
	struct jrun *r, const char *s, char mark, size_t by, const struct spec *f, size_t nprefix)
{
	struct jtext t = {.r = r};
	size_t whole = strspn(s, "0123456789abcdefABCDEF"), n = strlen(s), zeros = 0;

	/* zeros that fill the width are parted as well */
	if (f->zero || (f->align == '=' && f->nfill == 1 && f->fill[0] == '0'))
		while (f->width > 0 &&
			nprefix + n - whole + whole + zeros + (whole + zeros - 1) / by < (size_t)f->width)
			zeros++;
	for (size_t i = 0; i < whole + zeros; i++) {
		if (i && (whole + zeros - i) % by == 0)
			jtext_add_char(&t, mark);
		jtext_add_char(&t, i < zeros ? '0' : s[i - zeros]);
	}
	jtext_add(&t, s + whole, n - whole);
	jtext_add_char(&t, '\0');
	t.n--;
	return jtext_take(&t);
}

static void put_number(
	struct jtext *t, const struct spec *f, bool negative, const char *base, const char *digits, size_t by)
{
	char prefix[8];
	struct jv text;

	snprintf(prefix, sizeof prefix, "%s%s",
		negative	 ? "-"
		: f->sign == '+' ? "+"
		: f->sign == ' ' ? " "
				 : "",
		base);
	if (f->group) {
		text = grouped(t->r, digits, f->group, by, f, strlen(prefix));
		digits = text.u.s->s;
	}
	put_padded(t, f, prefix, digits, strlen(digits), f->align ? f->align : f->zero ? '=' : '>');
}

static void put_integer(struct jtext *t, const struct spec *f, int64_t i)
{
	uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
	char digits[80], *p = digits + sizeof digits;
	unsigned base = f->type == 'x' || f->type == 'X' ? 16 : f->type == 'o' ? 8 : f->type == 'b' ? 2 : 10;
	const char *mark = !f->alternate || base == 10 ? ""
		: f->type == 'x'			? "0x"
		: f->type == 'X'			? "0X"
		: f->type == 'o'			? "0o"
							: "0b";

	*--p = '\0';
	do
		*--p = (f->type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[u % base];
	while (u /= base);
	put_number(t, f, i < 0, mark, p, base == 10 ? 3 : 4);
}

static char *print_double(struct jrun *r, char type, int precision, bool alternate, double x)
{
	size_t size = (size_t)precision + 400;
	char *s = jinja_alloc(r, size, 1);

	switch (type) {
	case 'e':
		alternate ? snprintf(s, size, "%#.*e", precision, x) : snprintf(s, size, "%.*e", precision, x);
		break;
	case 'E':
		alternate ? snprintf(s, size, "%#.*E", precision, x) : snprintf(s, size, "%.*E", precision, x);
		break;
	case 'f':
		alternate ? snprintf(s, size, "%#.*f", precision, x) : snprintf(s, size, "%.*f", precision, x);
		break;
	case 'F':
		alternate ? snprintf(s, size, "%#.*F", precision, x) : snprintf(s, size, "%.*F", precision, x);
		break;
	case 'G':
		alternate ? snprintf(s, size, "%#.*G", precision, x) : snprintf(s, size, "%.*G", precision, x);
		break;
	default:
		alternate ? snprintf(s, size, "%#.*g", precision, x) : snprintf(s, size, "%.*g", precision, x);
		break;
	}
	return s;
}

static void put_double(struct jtext *t, const struct spec *f, double x)
{
	struct jrun *r = t->r;
	char type = f->type, shortest[44], *s;
	bool percent = type == '%';
	int64_t precision = f->precision;

	if (precision > 4096)
		jinja_raise(r, E_VALUE, "precision too big");
	if (percent)
		x *= 100;
	if (!type && precision < 0) {
		jinja_float_repr(fabs(x), shortest);
		s = shortest;
	} else {
		if (percent)
			type = 'f';
		if (precision < 0)
			precision = 6;
		if ((!type || type == 'g' || type == 'G' || type == 'n') && precision == 0)
			precision = 1;
		s = print_double(r, type == 'n' || !type ? 'g' : type, (int)precision, f->alternate, fabs(x));
		/* without a type there is always a digit behind the point */
		if (!type && !strpbrk(s, ".en")) {
			strcat(s, ".0");
			if (precision == (int64_t)strlen(s) - 2)
				s = print_double(r, 'e', (int)precision - 1, false, fabs(x));
		}
	}
	if (percent)
		strcat(s, "%");
	put_number(t, f, signbit(x) && !isnan(x), "", s, 3);
}

/* ---- "%d" % x */

struct percent {
	struct jrun *r;
	struct jv args; /* a tuple or the only value */
	size_t next;
	bool used, markup;
};

static struct jv next_arg(struct percent *p)
{
	if (p->args.type == J_TUPLE) {
		if (p->next >= p->args.u.l->n)
			jinja_raise(p->r, E_TYPE, "not enough arguments for format string");
		return p->args.u.l->items[p->next++];
	}
	if (p->used)
		jinja_raise(p->r, E_TYPE, "not enough arguments for format string");
	p->used = true;
	return p->args;
}

static int64_t number_or_star(struct percent *p, const char **s, const char *end)
{
	int64_t n = 0;
	struct jv v;

	if (*s < end && **s == '*') {
		(*s)++;
		v = next_arg(p);
		if (!jinja_is_int(v))
			jinja_raise(p->r, E_TYPE, "* wants int");
		return jinja_to_int(v);
	}
	while (*s < end && **s >= '0' && **s <= '9' && n < 1000000000)
		n = 10 * n + *(*s)++ - '0';
	return n;
}

static void put_percent_integer(struct jtext *t, struct spec *f, char c, struct jv v)
{
	struct jrun *r = t->r;
	double x;

	if (v.type == J_UNDEFINED)
		jinja_undefined_fail(r, v);
	if (!jinja_is_number(v) || (v.type == J_FLOAT && strchr("xXo", c)))
		jinja_raise(r, E_TYPE, strchr("xXo", c) ? "%%%c format: an integer is required, not %s"
							: "%%%c format: a real number is required, not %s",
			c, jinja_type_name(v));
	if (v.type == J_FLOAT) {
		x = trunc(v.u.f);
		if (isnan(x))
			jinja_raise(r, E_VALUE, "cannot convert float NaN to integer");
		if (!(fabs(x) < 0x1p63))
			jinja_raise(r, E_OVERFLOW,
				isinf(x) ? "cannot convert float infinity to integer"
					 : "integers of more than 64 bits are not supported");
		v = jv_int((int64_t)x);
	}
	f->type = c == 'i' || c == 'u' ? 'd' : c;
	if (f->precision > 0) {
		/* at least so many digits */
		struct spec digits = {
			.fill = "0", .nfill = 1, .zero = true, .width = f->precision, .type = f->type};
		struct jtext text = {.r = r};
		int64_t i = jinja_to_int(v);

		put_integer(&text, &digits, i < 0 && i > INT64_MIN ? -i : i);
		jtext_add_char(&text, '\0');
		f->zero = false;
		put_padded(t, f, i < 0 ? "-" : f->sign == '+' ? "+" : f->sign == ' ' ? " " : "", text.s,
			text.n - 1, f->align ? f->align : '>');
		return;
	}
	put_integer(t, f, jinja_to_int(v));
}

static void put_percent_double(struct jtext *t, struct spec *f, struct jv v)
{
	struct jrun *r = t->r;

	if (v.type == J_UNDEFINED)
		jinja_undefined_fail(r, v);
	if (!jinja_is_number(v))
		jinja_raise(r, E_TYPE, "must be real number, not %s", jinja_type_name(v));
	put_double(t, f, jinja_to_double(v));
}

static void put_percent_text(struct jtext *t, const struct spec *f, char c, struct jv v, bool markup)
{
	struct jrun *r = t->r;
	struct jtext repr = {.r = r};

	if (c == 'c') {
		if (jinja_is_int(v)) {
			if (jinja_to_int(v) < 0 || jinja_to_int(v) > 0x10ffff)
				jinja_raise(r, E_OVERFLOW, "%%c arg not in range(0x110000)");
			jtext_add_cp(&repr, (uint32_t)jinja_to_int(v));
			v = jtext_take(&repr);
		} else if (v.type != J_STR || jinja_chars(v.u.s) != 1) {
			jinja_raise(r, E_TYPE, "%%c requires int or char");
		}
	} else if (c == 's') {
		v = jinja_soft_str(r, v);
	} else {
		jinja_put_repr(&repr, v);
		v = jtext_take(&repr);
	}
	if (markup)
		v = jinja_escape(r, v);
	if (f->precision >= 0 && c != 'c')
		v = jinja_slice(r, v, jv_of(J_NONE), jv_int(f->precision), jv_of(J_NONE));
	put_padded(t, f, "", v.u.s->s, v.u.s->n, f->align ? f->align : '>');
}

static struct jv named_arg(struct percent *p, const char **s, const char *end)
{
	const char *from = *s;
	int depth = 1;
	struct jv key, *v;

	if (p->args.type != J_DICT)
		jinja_raise(p->r, E_TYPE, "format requires a mapping");
	for (; *s < end; (*s)++) {
		depth += **s == '(' ? 1 : **s == ')' ? -1 : 0;
		if (!depth)
			break;
	}
	if (*s == end)
		jinja_raise(p->r, E_VALUE, "incomplete format key");
	key = jinja_str(p->r, from, (size_t)(*s - from));
	(*s)++;
	v = jinja_dict_get_str(p->args.u.d, key.u.s->s, key.u.s->n);
	if (!v)
		jinja_raise(p->r, E_KEY, "%s", jinja_show_repr(p->r, key));
	p->used = true;
	return *v;
}

static const char *put_directive(
	struct percent *p, struct jtext *t, const char *s, const char *begin, const char *end)
{
	struct spec f = {.fill = " ", .nfill = 1, .precision = -1};
	struct jv v = jv_of(J_MISSING);
	const char *start = s;
	char c;

	if (s < end && *s == '(') {
		s++;
		v = named_arg(p, &s, end);
	}
	for (; s < end && *s && strchr("-+ #0", *s); s++) {
		f.align = *s == '-' ? '<' : f.align;
		f.sign = *s == '+' ? '+' : *s == ' ' && !f.sign ? ' ' : f.sign;
		f.alternate |= *s == '#';
		f.zero |= *s == '0';
	}
	f.width = number_or_star(p, &s, end);
	if (f.width < 0) {
		f.align = '<';
		f.width = -f.width;
	}
	if (s < end && *s == '.') {
		s++;
		f.precision = number_or_star(p, &s, end);
		if (f.precision < 0)
			f.precision = 0;
	}
	while (s < end && (*s == 'l' || *s == 'h' || *s == 'L'))
		s++;
	if (s == end)
		jinja_raise(p->r, E_VALUE, "incomplete format");
	c = *s++;
	if (c == '%') {
		if (s - start > 1)
			next_arg(p);
		jtext_add_char(t, '%');
		return s;
	}
	if (!c || !strchr("diuxXoeEfFgGcrsa", c))
		jinja_raise(p->r, E_VALUE, "unsupported format character '%c' (0x%x) at index %td", c,
			(unsigned)(unsigned char)c, s - 1 - begin);
	if (!jv_given(v))
		v = next_arg(p);
	if (strchr("crsa", c)) {
		f.zero = false;
		put_percent_text(t, &f, c, v, p->markup);
		return s;
	}
	if (f.zero && !f.align) {
		f.fill = "0";
		f.align = '=';
	}
	f.type = c;
	if (strchr("eEfFgG", c))
		put_percent_double(t, &f, v);
	else
		put_percent_integer(t, &f, c, v);
	return s;
}

struct jv jinja_percent(struct jrun *r, struct jv format, struct jv args)
{
	struct percent p = {.r = r, .args = args, .markup = format.flag};
	const char *begin = format.u.s->s, *s = begin, *end = s + format.u.s->n, *at;
	struct jtext t = {.r = r};
	struct jv out;

	while (s < end) {
		at = memchr(s, '%', (size_t)(end - s));
		jtext_add(&t, s, (size_t)((at ? at : end) - s));
		if (!at)
			break;
		s = put_directive(&p, &t, at + 1, begin, end);
	}
	if (args.type == J_TUPLE ? p.next < args.u.l->n
				 : !p.used && args.type != J_DICT && args.type != J_LIST &&
					 args.type != J_UNDEFINED && args.type != J_RANGE)
		jinja_raise(r, E_TYPE, "not all arguments converted during string formatting");
	out = jtext_take(&t);
	out.flag = format.flag;
	return out;
}

/* ---- "{}".format(x) */

static struct spec parse_spec(struct jrun *r, const char *s, size_t n)
{
	struct spec f = {.fill = " ", .nfill = 1, .precision = -1};
	const char *end = s + n, *second = s;
	bool fill = false;

	if (n)
		jinja_cp(&second, end);
	if (second < end && *second && strchr("<>=^", *second)) {
		f.fill = s;
		f.nfill = (size_t)(second - s);
		f.align = *second;
		fill = true;
		s = second + 1;
	} else if (s < end && *s && strchr("<>=^", *s)) {
		f.align = *s++;
	}
	if (s < end && *s && strchr("+- ", *s))
		f.sign = *s++;
	if (s < end && *s == '#') {
		f.alternate = true;
		s++;
	}
	if (s < end && *s == '0') {
		f.zero = true;
		if (!fill) {
			f.fill = "0";
			f.nfill = 1;
		}
		s++;
	}
	while (s < end && *s >= '0' && *s <= '9' && f.width < 1000000000)
		f.width = 10 * f.width + *s++ - '0';
	if (s < end && (*s == ',' || *s == '_'))
		f.group = *s++;
	if (s < end && *s == '.') {
		s++;
		if (s == end || *s < '0' || *s > '9')
			jinja_raise(r, E_VALUE, "Format specifier missing precision");
		f.precision = 0;
		while (s < end && *s >= '0' && *s <= '9' && f.precision < 1000000000)
			f.precision = 10 * f.precision + *s++ - '0';
	}
	if (s < end)
		f.type = *s++;
	if (s < end)
		jinja_raise(r, E_VALUE, "Invalid format specifier");
	return f;
}

static void put_formatted(struct jtext *t, struct jv v, const char *spec, size_t n)
{
	struct jrun *r = t->r;
	struct spec f;
	bool number;

	if (!n) {
		jinja_put_str(t, v);
		return;
	}
	f = parse_spec(r, spec, n);
	number = jinja_is_number(v);
	if (v.type == J_STR) {
		if (f.type && f.type != 's')
			jinja_raise(r, E_VALUE, "Unknown format code '%c' for object of type '%s'", f.type,
				jinja_type_name(v));
		if (f.align == '=')
			jinja_raise(r, E_VALUE, "'=' alignment not allowed in string format specifier");
		if (f.precision >= 0)
			v = jinja_slice(r, v, jv_of(J_NONE), jv_int(f.precision), jv_of(J_NONE));
		put_padded(t, &f, "", v.u.s->s, v.u.s->n, f.align ? f.align : '<');
		return;
	}
	if (!number)
		jinja_raise(r, E_TYPE, "unsupported format string passed to %s.__format__", jinja_type_name(v));
	if (v.type != J_FLOAT && (!f.type || strchr("dxXobcn", f.type))) {
		if (f.precision >= 0)
			jinja_raise(r, E_VALUE, "Precision not allowed in integer format specifier");
		if (f.type == 'c')
			put_percent_text(t, &f, 'c', v, false);
		else
			put_integer(t, &f, jinja_to_int(v));
		return;
	}
	if (!f.type || strchr("eEfFgGn%", f.type))
		put_double(t, &f, jinja_to_double(v));
	else
		jinja_raise(r, E_VALUE, "Unknown format code '%c' for object of type '%s'", f.type,
			jinja_type_name(v));
}

struct fields {
	struct jrun *r;
	const struct jargv *args;
	struct jv *map; /* of format_map */
	int64_t next;	/* -1: numbered by hand */
	bool markup;
};

static struct jv find_field(struct fields *p, const char *s, size_t n)
{
	struct jrun *r = p->r;
	int64_t i;

	if (!n || (s[0] >= '0' && s[0] <= '9')) {
		if (n && p->next > 0)
			jinja_raise(r, E_VALUE,
				"cannot switch from manual field specification to automatic field numbering");
		if (!n && p->next < 0)
			jinja_raise(r, E_VALUE,
				"cannot switch from manual field specification to automatic field numbering");
		if (!n)
			i = p->next++;
		else if (jinja_parse_int(s, n, 10, &i) != 1)
			jinja_raise(r, E_VALUE, "Invalid format string");
		else
			p->next = -1;
		if (i < 0 || (size_t)i >= p->args->n)
			jinja_raise(r, E_INDEX, "tuple index out of range");
		return p->args->pos[i];
	}
	if (p->map) {
		struct jv *v = p->map->type == J_DICT ? jinja_dict_get_str(p->map->u.d, s, n) : NULL;

		if (v)
			return *v;
	}
	for (size_t k = 0; k < p->args->nkw; k++)
		if (p->args->kw[k].name->n == n && !memcmp(p->args->kw[k].name->s, s, n))
			return p->args->kw[k].v;
	jinja_raise(r, E_KEY, "%s", jinja_show_repr(r, jinja_str(r, s, n)));
}

/* "0.name[key]" */
static struct jv get_field(struct fields *p, const char *s, size_t n)
{
	struct jrun *r = p->r;
	const char *end = s + n, *at = s, *from;
	struct jv v;
	int64_t i;

	while (at < end && *at != '.' && *at != '[')
		at++;
	v = find_field(p, s, (size_t)(at - s));
	while (at < end) {
		bool item = *at == '[';

		from = ++at;
		while (at < end && (item ? *at != ']' : *at != '.' && *at != '['))
			at++;
		if (at == from)
			jinja_raise(r, E_VALUE, "Empty attribute in format string");
		if (!item)
			v = jinja_getattr(r, v, jinja_str(r, from, (size_t)(at - from)).u.s);
		else if (jinja_parse_int(from, (size_t)(at - from), 10, &i) == 1)
			v = jinja_getitem(r, v, jv_int(i));
		else
			v = jinja_getitem(r, v, jinja_str(r, from, (size_t)(at - from)));
		at += item && at < end;
	}
	return v;
}

static struct jv format_text(struct fields *p, const char *s, const char *end, int depth);

static const char *put_field(struct fields *p, struct jtext *t, const char *s, const char *end, int depth)
{
	struct jrun *r = p->r;
	const char *name = s, *at, *spec;
	int open = 1;
	char conversion = '\0';
	struct jv v, how;
	struct jtext text = {.r = r};

	for (at = s; at < end && open; at++)
		open += *at == '{' ? 1 : *at == '}' ? -1 : 0;
	if (open)
		jinja_raise(r, E_VALUE, s == end ? "Single '{' encountered in format string"
						 : "expected '}' before end of string");
	end = at - 1;
	for (at = s; at < end && *at != '!' && *at != ':'; at++)
		if (*at == '[')
			while (at < end && *at != ']')
				at++;
	if (at > end)
		at = end;
	v = get_field(p, name, (size_t)(at - name));
	if (at < end && *at == '!') {
		conversion = at + 1 < end ? at[1] : '\0';
		if (conversion != 's' && conversion != 'r' && conversion != 'a')
			jinja_raise(
				r, E_VALUE, "Unknown conversion specifier %c", conversion ? conversion : '}');
		at += 2;
		if (at < end && *at != ':')
			jinja_raise(r, E_VALUE, "expected ':' after conversion specifier");
	}
	spec = at < end ? at + 1 : end;
	how = format_text(p, spec, end, depth + 1);
	if (conversion == 's') {
		v = jinja_to_str(r, v);
	} else if (conversion) {
		jinja_put_repr(&text, v);
		v = jtext_take(&text);
	}
	if (p->markup) {
		text = (struct jtext){.r = r};
		put_formatted(&text, v, how.u.s->s, how.u.s->n);
		v = v.type == J_STR && v.flag ? v : jinja_escape(r, jtext_take(&text));
		jinja_put_str(t, v);
	} else {
		put_formatted(t, v, how.u.s->s, how.u.s->n);
	}
	return end + 1;
}

static struct jv format_text(struct fields *p, const char *s, const char *end, int depth)
{
	struct jtext t = {.r = p->r};

	if (depth > 2)
		jinja_raise(p->r, E_VALUE, "Max string recursion exceeded");
	while (s < end) {
		if ((*s == '{' || *s == '}') && s + 1 < end && s[1] == *s) {
			jtext_add_char(&t, *s);
			s += 2;
		} else if (*s == '{') {
			s = put_field(p, &t, s + 1, end, depth);
		} else if (*s == '}') {
			jinja_raise(p->r, E_VALUE, "Single '}' encountered in format string");
		} else {
			jtext_add_char(&t, *s++);
		}
	}
	return jtext_take(&t);
}

struct jv jinja_format(struct jrun *r, struct jv format, const struct jargv *args, struct jv *map)
{
	struct fields p = {.r = r, .args = args, .map = map, .markup = format.flag};
	struct jv out;

	jinja_step(r, format.u.s->n >> 4);
	out = format_text(&p, format.u.s->s, format.u.s->s + format.u.s->n, 0);
	out.flag = format.flag;
	return out;
}
