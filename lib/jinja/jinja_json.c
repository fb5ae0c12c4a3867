#include "jinja/jinja_impl.h"

#include <math.h>

#include "base/mem.h"

/* json.dumps */

static void put_quoted(struct jtext *t, const struct jstr *s, bool ascii)
{
	static const char plain[] = "\"\\\n\r\t\f\b", letters[] = "\"\\nrtfb";
	const char *at = s->s, *end = at + s->n, *here, *e;
	uint32_t cp;

	jtext_add_char(t, '"');
	while (at < end) {
		here = at;
		while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\' &&
			(!ascii || (unsigned char)*at < 0x7f))
			at++;
		jtext_add(t, here, (size_t)(at - here));
		if (at == end)
			break;
		cp = jinja_cp(&at, end);
		e = cp && cp < 0x80 ? strchr(plain, (int)cp) : NULL;
		if (e)
			jtext_add_fmt(t, "\\%c", letters[e - plain]);
		else if (cp >= 0x10000)
			jtext_add_fmt(t, "\\u%04x\\u%04x", 0xd800u + ((cp - 0x10000) >> 10),
				0xdc00u + (cp & 0x3ff));
		else
			jtext_add_fmt(t, "\\u%04x", (unsigned)cp);
	}
	jtext_add_char(t, '"');
}

static void put_break(struct jtext *t, const struct jjson *how, int level)
{
	if (!how->pretty)
		return;
	jtext_add_char(t, '\n');
	jtext_fill(t, how->indent, how->nindent, (size_t)level);
}

static void put_number(struct jtext *t, struct jv v)
{
	if (v.type == J_BOOL)
		jtext_add_str(t, v.u.b ? "true" : "false");
	else if (v.type == J_FLOAT && !isfinite(v.u.f))
		jtext_add_str(t, isnan(v.u.f) ? "NaN" : v.u.f > 0 ? "Infinity" : "-Infinity");
	else
		jinja_put_repr(t, v);
}

static void put_key(struct jtext *t, struct jv key, const struct jjson *how)
{
	if (key.type == J_STR) {
		put_quoted(t, key.u.s, how->ascii);
		return;
	}
	if (key.type != J_NONE && !jinja_is_number(key))
		jinja_raise(t->r, E_TYPE, "keys must be str, int, float, bool or None, not %s",
			jinja_type_name(key));
	jtext_add_char(t, '"');
	if (key.type == J_NONE)
		jtext_add_str(t, "null");
	else
		put_number(t, key);
	jtext_add_char(t, '"');
}

static void put_list(struct jtext *t, const struct jlist *l, const struct jjson *how, int level)
{
	if (!l->n) {
		jtext_add_str(t, "[]");
		return;
	}
	jtext_add_char(t, '[');
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			jtext_add(t, how->item, how->nitem);
		put_break(t, how, level + 1);
		jinja_put_json(t, l->items[i], how, level + 1);
	}
	put_break(t, how, level);
	jtext_add_char(t, ']');
}

static void put_dict(struct jtext *t, const struct jdict *d, const struct jjson *how, int level)
{
	struct jrun *r = t->r;
	struct jv *keys, *order;

	if (!d->n) {
		jtext_add_str(t, "{}");
		return;
	}
	keys = jinja_alloc(r, how->sort ? d->n : 0, sizeof *keys);
	order = jinja_alloc(r, how->sort ? d->n : 0, sizeof *order);
	for (size_t i = 0; how->sort && i < d->n; i++) {
		keys[i] = d->entries[i].key;
		order[i] = jv_int((int64_t)i);
	}
	if (how->sort)
		jinja_sort(r, order, keys, d->n, false);
	jtext_add_char(t, '{');
	for (size_t i = 0; i < d->n; i++) {
		const struct jentry *e = &d->entries[how->sort ? (size_t)order[i].u.i : i];

		if (i)
			jtext_add(t, how->item, how->nitem);
		put_break(t, how, level + 1);
		put_key(t, e->key, how);
		jtext_add(t, how->key, how->nkey);
		jinja_put_json(t, e->value, how, level + 1);
	}
	put_break(t, how, level);
	jtext_add_char(t, '}');
}

void jinja_put_json(struct jtext *t, struct jv v, const struct jjson *how, int level)
{
	jinja_step(t->r, 1);
	jinja_enter(t->r);
	switch (v.type) {
	case J_NONE:
		jtext_add_str(t, "null");
		break;
	case J_BOOL:
	case J_INT:
	case J_FLOAT:
		put_number(t, v);
		break;
	case J_STR:
		jinja_step(t->r, v.u.s->n >> 5);
		put_quoted(t, v.u.s, how->ascii);
		break;
	case J_LIST:
	case J_TUPLE:
		put_list(t, v.u.l, how, level);
		break;
	case J_DICT:
		put_dict(t, v.u.d, how, level);
		break;
	default:
		jinja_raise(t->r, E_TYPE, "Object of type %s is not JSON serializable", jinja_type_name(v));
	}
	jinja_leave(t->r);
}
