#include "jinja/jinja_impl.h"

#include "base/mem.h"

/* What x.name, x[key] and x[a:b] are, and what the sandbox hides. */

static bool is_name(const struct jstr *s, const char *name)
{
	return s->n == strlen(name) && !memcmp(s->s, name, s->n);
}

/* ---- undefined values */

static struct jv undefined(struct jrun *r, struct jundefined u)
{
	struct jundefined *p = jinja_alloc(r, 1, sizeof *p);

	*p = u;
	return (struct jv){.type = J_UNDEFINED, .u.u = p};
}

struct jv jinja_undefined_name(struct jrun *r, const struct jstr *name)
{
	return undefined(r, (struct jundefined){.name = jv_strp(name)});
}

struct jv jinja_undefined_hint(struct jrun *r, const char *hint)
{
	return undefined(r, (struct jundefined){.hint = jinja_cstr(r, hint).u.s});
}

struct jv jinja_undefined_of(struct jrun *r, struct jv obj, struct jv name)
{
	return undefined(r, (struct jundefined){.obj = obj, .name = name});
}

static struct jv hidden(struct jrun *r, struct jv obj, const struct jstr *name)
{
	struct jtext t = {.r = r};

	jtext_add_str(&t, "access to attribute ");
	jinja_put_str_repr(&t, name->s, name->n);
	jtext_add_fmt(&t, " of '%s' object is unsafe.", jinja_type_name(obj));
	return undefined(r, (struct jundefined){.hint = jtext_take(&t).u.s, .security = true});
}

_Noreturn void jinja_undefined_fail(struct jrun *r, struct jv v)
{
	const struct jundefined *u = v.u.u;
	struct jtext t = {.r = r};

	if (u->hint) {
		jtext_add(&t, u->hint->s, u->hint->n);
	} else if (!jv_given(u->obj)) {
		jinja_put_repr(&t, u->name);
		jtext_add_str(&t, " is undefined");
	} else if (u->name.type == J_STR) {
		jtext_add_fmt(&t, "'%s' has no attribute ", jinja_type_repr(u->obj));
		jinja_put_repr(&t, u->name);
	} else {
		jtext_add_fmt(&t, "%s has no element ", jinja_type_repr(u->obj));
		jinja_put_repr(&t, u->name);
	}
	jinja_raise_text(r, u->security ? E_SECURITY : E_UNDEFINED, t.s ? t.s : "", t.n);
}

/* ---- attributes */

/* May a template not touch that attribute of lists and dicts, since it changes them? */
bool jinja_unsafe(enum jtype type, const struct jstr *name)
{
	static const char *const of_list[] = {"append", "clear", "pop", "reverse", "insert", "sort", "extend",
		"remove", NULL};
	static const char *const of_dict[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
	const char *const *names = type == J_LIST ? of_list : type == J_DICT ? of_dict : NULL;

	for (; names && *names; names++)
		if (is_name(name, *names))
			return true;
	return false;
}

static bool is_dunder(const struct jstr *name)
{
	return name->n > 4 && !memcmp(name->s, "__", 2) && !memcmp(name->s + name->n - 2, "__", 2);
}

static struct jv macro_attr(struct jrun *r, const struct jmacro *m, const struct jstr *name)
{
	struct jv list;

	if (is_name(name, "name"))
		return m->node->name < 0 ? jv_of(J_NONE) : jv_strp(&r->t->names[m->node->name]);
	if (is_name(name, "catch_kwargs") || is_name(name, "catch_varargs") || is_name(name, "caller"))
		return jv_bool(name->s[0] == 'c' && name->n == 6 ? m->node->caller
				: name->n == 12		       ? m->node->kwargs
							       : m->node->varargs);
	if (!is_name(name, "arguments"))
		return jv_of(J_MISSING);
	list = jinja_list(r, J_TUPLE, m->node->list.n);
	for (size_t i = 0; i < m->node->list.n; i++)
		jinja_list_add(r, list.u.l, jv_strp(&r->t->names[m->node->list.at[i]->name]));
	return list;
}

static struct jv cycler_attr(const struct jcycler *c, const struct jstr *name, bool joiner)
{
	if (joiner && is_name(name, "sep"))
		return c->items.items[0];
	if (joiner && is_name(name, "used"))
		return jv_bool(c->pos > 0);
	if (!joiner && is_name(name, "current"))
		return c->items.items[c->pos];
	if (!joiner && is_name(name, "pos"))
		return jv_int((int64_t)c->pos);
	return jv_of(J_MISSING);
}

static struct jv number_attr(struct jv v, const struct jstr *name)
{
	if (is_name(name, "real") || (v.type != J_FLOAT && is_name(name, "numerator")))
		return v.type == J_FLOAT ? v : jv_int(jinja_to_int(v));
	if (is_name(name, "imag"))
		return v.type == J_FLOAT ? jv_float(0) : jv_int(0);
	if (v.type != J_FLOAT && is_name(name, "denominator"))
		return jv_int(1);
	return jv_of(J_MISSING);
}

static struct jv block_attr(struct jrun *r, const struct jstr *name)
{
	for (size_t i = 0; i < r->t->blocks.n; i++) {
		const struct jnode *n = r->t->blocks.at[i];

		if (r->t->names[n->name].n == name->n && !memcmp(r->t->names[n->name].s, name->s, name->n))
			return (struct jv){.type = J_BLOCK, .u.block = n};
	}
	return jv_of(J_MISSING);
}

/* getattr(): J_MISSING where the object has none of that name. */
static struct jv attribute(struct jrun *r, struct jv obj, const struct jstr *name)
{
	const struct jbuiltin *fn;
	struct jmethod *method;
	struct jv v = jv_of(J_MISSING), *found;

	switch (obj.type) {
	case J_BOOL:
	case J_INT:
	case J_FLOAT:
		v = number_attr(obj, name);
		break;
	case J_TUPLE:
		if (obj.flag && (is_name(name, "grouper") || is_name(name, "list")))
			return obj.u.l->items[name->n == 4];
		break;
	case J_RANGE:
		if (is_name(name, "start") || is_name(name, "stop") || is_name(name, "step"))
			return jv_int(name->n == 5	? obj.u.range->start
					: name->s[2] == 'o' ? obj.u.range->stop
							    : obj.u.range->step);
		break;
	case J_NAMESPACE:
		found = jinja_dict_get_str(obj.u.d, name->s, name->n);
		if (found && name->s[0] == '_')
			return hidden(r, obj, name);
		return found ? *found : v;
	case J_LOOP:
		v = jinja_loop_attr(r, obj, name);
		break;
	case J_MACRO:
		v = macro_attr(r, obj.u.macro, name);
		break;
	case J_CYCLER:
	case J_JOINER:
		v = cycler_attr(obj.u.cycler, name, obj.type == J_JOINER);
		break;
	default:
		break;
	}
	if (jv_given(v))
		return v;
	if (jinja_unsafe((enum jtype)obj.type, name) || is_dunder(name))
		return hidden(r, obj, name);
	fn = jinja_method_find(name->s, name->n, (enum jtype)obj.type);
	if (!fn)
		return v;
	method = jinja_alloc(r, 1, sizeof *method);
	*method = (struct jmethod){.self = obj, .fn = fn};
	return (struct jv){.type = J_METHOD, .u.method = method};
}

struct jv jinja_getattr(struct jrun *r, struct jv obj, const struct jstr *name)
{
	struct jv v, *item;

	if (obj.type == J_UNDEFINED)
		jinja_undefined_fail(r, obj);
	v = obj.type == J_SELF ? block_attr(r, name) : attribute(r, obj, name);
	if (jv_given(v))
		return v;
	item = obj.type == J_DICT ? jinja_dict_get_str(obj.u.d, name->s, name->n) : NULL;
	return item ? *item : jinja_undefined_of(r, obj, jv_strp(name));
}

/* ---- items */

static bool hashable(struct jv v)
{
	if (v.type == J_TUPLE)
		for (size_t i = 0; i < v.u.l->n; i++)
			if (!hashable(v.u.l->items[i]))
				return false;
	return v.type != J_LIST && v.type != J_DICT && v.type != J_KEYS && v.type != J_ITEMS;
}

static struct jv char_at(struct jrun *r, struct jv s, size_t i)
{
	const char *from = s.u.s->s + jinja_offset(s.u.s, i), *to = from;

	jinja_cp(&to, s.u.s->s + s.u.s->n);
	jinja_step(r, i >> 6);
	return jinja_substr(r, s, from, (size_t)(to - from));
}

/* obj[key] as Python has it: J_MISSING where that is a TypeError or LookupError. */
static struct jv item(struct jrun *r, struct jv obj, struct jv key)
{
	int64_t i, n;
	struct jv *found;

	if (obj.type == J_DICT) {
		found = hashable(key) ? jinja_dict_get(r, obj.u.d, key) : NULL;
		return found ? *found : jv_of(J_MISSING);
	}
	if (!jinja_is_int(key) ||
		(obj.type != J_STR && obj.type != J_LIST && obj.type != J_TUPLE && obj.type != J_RANGE))
		return jv_of(J_MISSING);
	i = jinja_to_int(key);
	n = (int64_t)jinja_len(r, obj);
	if (i < 0)
		i += n;
	if (i < 0 || i >= n)
		return jv_of(J_MISSING);
	if (obj.type == J_STR)
		return char_at(r, obj, (size_t)i);
	if (obj.type == J_RANGE)
		return jv_int(obj.u.range->start + i * obj.u.range->step);
	return obj.u.l->items[i];
}

struct jv jinja_getitem(struct jrun *r, struct jv obj, struct jv key)
{
	struct jv v;

	if (obj.type == J_UNDEFINED)
		jinja_undefined_fail(r, obj);
	if (obj.type == J_SELF && key.type == J_STR)
		return jinja_getattr(r, obj, key.u.s);
	v = item(r, obj, key);
	if (!jv_given(v) && key.type == J_STR)
		v = attribute(r, obj, key.u.s);
	return jv_given(v) ? v : jinja_undefined_of(r, obj, key);
}

/* ---- slices */

static int64_t bound(struct jrun *r, struct jv v, int64_t n, int64_t none, int64_t low, int64_t high)
{
	int64_t i;

	if (v.type == J_NONE)
		return none;
	if (!jinja_is_int(v))
		jinja_raise(r, E_TYPE, "slice indices must be integers or None or have an __index__ method");
	i = jinja_to_int(v);
	if (i < 0)
		i += n;
	return i < low ? low : i > high ? high : i;
}

static struct jv slice_string(struct jrun *r, struct jv s, int64_t from, int64_t count, int64_t step)
{
	struct jtext t = {.r = r};
	struct jv c;
	size_t a, b;

	if (step == 1) {
		a = jinja_offset(s.u.s, (size_t)from);
		b = jinja_offset(s.u.s, (size_t)(from + count));
		jinja_step(r, b >> 6);
		return jinja_substr(r, s, s.u.s->s + a, b - a);
	}
	if (jinja_chars(s.u.s) == s.u.s->n) {
		for (int64_t i = 0; i < count; i++)
			jtext_add_char(&t, s.u.s->s[from + i * step]);
	} else {
		const char **at = jinja_alloc(r, jinja_chars(s.u.s) + 1, sizeof *at), *p = s.u.s->s;
		size_t n = 0;

		for (at[0] = p; p < s.u.s->s + s.u.s->n; at[++n] = p)
			jinja_cp(&p, s.u.s->s + s.u.s->n);
		for (int64_t i = 0; i < count; i++) {
			const char **c0 = at + from + i * step;

			jtext_add(&t, c0[0], (size_t)(c0[1] - c0[0]));
		}
	}
	c = jtext_take(&t);
	c.flag = s.flag;
	return c;
}

struct jv jinja_slice(struct jrun *r, struct jv obj, struct jv start, struct jv stop, struct jv step)
{
	int64_t n, by = 1, from, to, count;
	struct jv out;

	if (obj.type == J_UNDEFINED)
		jinja_undefined_fail(r, obj);
	if (obj.type == J_DICT)
		jinja_raise(r, E_TYPE, "unhashable type: 'slice'");
	if (obj.type != J_STR && obj.type != J_LIST && obj.type != J_TUPLE && obj.type != J_RANGE)
		jinja_raise(r, E_TYPE, "'%s' object is not subscriptable", jinja_type_name(obj));
	n = (int64_t)jinja_len(r, obj);
	if (step.type != J_NONE) {
		if (!jinja_is_int(step))
			jinja_raise(r, E_TYPE,
				"slice indices must be integers or None or have an __index__ method");
		by = jinja_to_int(step);
		if (!by)
			jinja_raise(r, E_VALUE, "slice step cannot be zero");
		if (by > n + 1)
			by = n + 1;
		if (by < -n - 1)
			by = -n - 1;
	}
	from = bound(r, start, n, by > 0 ? 0 : n - 1, by > 0 ? 0 : -1, by > 0 ? n : n - 1);
	to = bound(r, stop, n, by > 0 ? n : -1, by > 0 ? 0 : -1, by > 0 ? n : n - 1);
	count = by > 0 ? (to > from ? (to - from - 1) / by + 1 : 0)
		       : (to < from ? (from - to - 1) / -by + 1 : 0);
	if (!count)
		from = 0;
	if (obj.type == J_STR)
		return slice_string(r, obj, from, count, by);
	if (obj.type == J_RANGE) {
		struct jrange *range = jinja_alloc(r, 1, sizeof *range);

		*range = (struct jrange){.start = obj.u.range->start + from * obj.u.range->step,
			.step = obj.u.range->step * by, .n = (size_t)count};
		range->stop = range->start + count * range->step;
		return (struct jv){.type = J_RANGE, .u.range = range};
	}
	out = jinja_list(r, (enum jtype)obj.type, (size_t)count);
	for (int64_t i = 0; i < count; i++)
		out.u.l->items[i] = obj.u.l->items[from + i * by];
	out.u.l->n = (size_t)count;
	return out;
}
