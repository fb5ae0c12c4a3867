#include "jinja/jinja_impl.h"

#include <math.h>

#include "base/mem.h"

/* Methods of the other types. What changes a list or dictionary is not here: it is refused before. */

#define METHOD(name) \
	static struct jv name(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
#define UNUSED (void)r, (void)self, (void)a, (void)args

METHOD(m_get)
{
	struct jv *v = jinja_dict_get(r, self.u.d, a[0]);

	UNUSED;
	return v ? *v : jv_given(a[1]) ? a[1] : jv_of(J_NONE);
}

METHOD(m_keys)
{
	UNUSED;
	self.type = J_KEYS;
	return self;
}

METHOD(m_values)
{
	UNUSED;
	self.type = J_VALUES;
	return self;
}

METHOD(m_items)
{
	UNUSED;
	self.type = J_ITEMS;
	return self;
}

METHOD(m_copy)
{
	struct jv v;

	UNUSED;
	if (self.type == J_LIST)
		return jinja_to_list(r, self, J_LIST);
	v = jinja_dict(r, self.u.d->n);
	for (size_t i = 0; i < self.u.d->n; i++)
		jinja_dict_put(r, v.u.d, self.u.d->entries[i].key, self.u.d->entries[i].value);
	return v;
}

METHOD(m_fromkeys)
{
	struct jv v = jinja_dict(r, 0), key;
	struct jiter it;

	UNUSED;
	jinja_iter(r, &it, a[0]);
	while (jinja_next(r, &it, &key))
		jinja_dict_put(r, v.u.d, key, jv_given(a[1]) ? a[1] : jv_of(J_NONE));
	return v;
}

METHOD(m_index)
{
	int64_t n = (int64_t)jinja_len(r, self), from = 0, to = n, at = 0;
	struct jiter it;
	struct jv item;

	UNUSED;
	if (jv_given(a[1]))
		from = jinja_index(r, a[1]);
	if (jv_given(a[2]))
		to = jinja_index(r, a[2]);
	if (from < 0)
		from = from + n < 0 ? 0 : from + n;
	if (to < 0)
		to += n;
	jinja_iter(r, &it, self);
	for (; jinja_next(r, &it, &item); at++)
		if (at >= from && at < to && (jinja_same(item, a[0]) || jinja_equal(r, item, a[0])))
			return jv_int(at);
	if (self.type == J_TUPLE)
		jinja_raise(r, E_VALUE, "tuple.index(x): x not in tuple");
	jinja_raise(r, E_VALUE, self.type == J_LIST ? "%s is not in list" : "%s is not in range",
		jinja_show_repr(r, a[0]));
}

METHOD(m_count)
{
	struct jiter it;
	struct jv item;
	int64_t n = 0;

	UNUSED;
	jinja_iter(r, &it, self);
	while (jinja_next(r, &it, &item))
		n += jinja_same(item, a[0]) || jinja_equal(r, item, a[0]);
	return jv_int(n);
}

METHOD(m_is_integer)
{
	UNUSED;
	return jv_bool(isfinite(self.u.f) && self.u.f == floor(self.u.f));
}

METHOD(m_bit_length)
{
	int64_t i = jinja_to_int(self);
	uint64_t u = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
	int64_t n = 0;

	UNUSED;
	for (; u; u >>= 1)
		n++;
	return jv_int(n);
}

METHOD(m_conjugate)
{
	UNUSED;
	return self.type == J_BOOL ? jv_int(self.u.b) : self;
}

METHOD(m_loop_cycle)
{
	UNUSED;
	if (!args->n)
		jinja_raise(r, E_TYPE, "no items for cycling given");
	return args->pos[(size_t)self.u.loop->index0 % args->n];
}

METHOD(m_loop_changed)
{
	struct jloop *l = self.u.loop;
	struct jv now = jinja_list(r, J_TUPLE, args->n);

	UNUSED;
	for (size_t i = 0; i < args->n; i++)
		jinja_list_add(r, now.u.l, args->pos[i]);
	if (jv_given(l->changed) && jinja_equal(r, l->changed, now))
		return jv_bool(false);
	l->changed = now;
	return jv_bool(true);
}

METHOD(m_next)
{
	struct jcycler *c = self.u.cycler;
	struct jv v = c->items.items[c->pos];

	UNUSED;
	c->pos = (c->pos + 1) % c->items.n;
	return v;
}

METHOD(m_reset)
{
	UNUSED;
	self.u.cycler->pos = 0;
	return jv_of(J_NONE);
}

#define OF_DICT 1u << J_DICT
#define OF_LIST 1u << J_LIST
#define OF_SEQUENCE 1u << J_LIST | 1u << J_TUPLE | 1u << J_RANGE
#define OF_INT 1u << J_INT | 1u << J_BOOL

/* Most take their arguments by place only. */
#define METHOD_ENTRY(n, f, p, r, t) \
	{.name = n, .fn = f, .params = p, .required = r, .positional = true, .types = t}

const struct jbuiltin jinja_list_methods[] = {
	METHOD_ENTRY("get", m_get, "key default", 1, OF_DICT),
	METHOD_ENTRY("items", m_items, "", 0, OF_DICT),
	METHOD_ENTRY("keys", m_keys, "", 0, OF_DICT),
	METHOD_ENTRY("values", m_values, "", 0, OF_DICT),
	METHOD_ENTRY("copy", m_copy, "", 0, OF_DICT | OF_LIST),
	METHOD_ENTRY("fromkeys", m_fromkeys, "keys value", 1, OF_DICT),
	METHOD_ENTRY("index", m_index, "value start stop", 1, OF_SEQUENCE),
	METHOD_ENTRY("count", m_count, "value", 1, OF_SEQUENCE),
	METHOD_ENTRY("is_integer", m_is_integer, "", 0, 1u << J_FLOAT),
	METHOD_ENTRY("bit_length", m_bit_length, "", 0, OF_INT),
	METHOD_ENTRY("conjugate", m_conjugate, "", 0, OF_INT | 1u << J_FLOAT),
	{.name = "cycle", .fn = m_loop_cycle, .types = 1u << J_LOOP},
	{.name = "changed", .fn = m_loop_changed, .types = 1u << J_LOOP},
	{.name = "next", .fn = m_next, .params = "", .types = 1u << J_CYCLER},
	{.name = "reset", .fn = m_reset, .params = "", .types = 1u << J_CYCLER},
	{.name = NULL},
};

const struct jbuiltin *jinja_method_find(const char *name, size_t n, enum jtype type)
{
	const struct jbuiltin *m = type == J_STR ? jinja_str_methods : jinja_list_methods;

	for (; m->name; m++)
		if (m->types >> type & 1 && m->name[0] == name[0] && strlen(m->name) == n &&
			!memcmp(m->name, name, n))
			return m;
	return NULL;
}
