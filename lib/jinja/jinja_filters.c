#include "jinja/jinja_impl.h"

#include <math.h>

#include "base/mem.h"

/* Filters on sequences, mappings and numbers. */

#define FILTER(name) static struct jv name(struct jrun *r, struct jv v, struct jv *a, const struct jargv *args)
#define UNUSED (void)r, (void)v, (void)a, (void)args

static bool truth_or(struct jrun *r, struct jv v, bool none)
{
	return jv_given(v) ? jinja_truth(r, v) : none;
}

static struct jv plain_case(struct jrun *r, struct jv v, bool sensitive)
{
	return v.type == J_STR && !sensitive ? jinja_case(r, v, CASE_LOWER) : v;
}

/* ---- one of many */

FILTER(f_length)
{
	UNUSED;
	return jv_int((int64_t)jinja_len(r, v));
}

FILTER(f_default)
{
	UNUSED;
	if (v.type == J_UNDEFINED || (truth_or(r, a[1], false) && !jinja_truth(r, v)))
		return jv_given(a[0]) ? a[0] : jinja_str(r, "", 0);
	return v;
}

FILTER(f_first)
{
	struct jiter it;
	struct jv item;

	UNUSED;
	jinja_iter(r, &it, v);
	return jinja_next(r, &it, &item) ? item : jinja_undefined_hint(r, "No first item, sequence was empty.");
}

/* What reversed() takes. */
static bool reversible(struct jv v)
{
	return jinja_has_len(v) && v.type != J_LOOP;
}

FILTER(f_last)
{
	UNUSED;
	if (!reversible(v))
		jinja_raise(r, E_TYPE, "'%s' object is not reversible", jinja_type_name(v));
	v = jinja_to_list(r, v, J_LIST);
	return v.u.l->n ? v.u.l->items[v.u.l->n - 1]
			: jinja_undefined_hint(r, "No last item, sequence was empty.");
}

static struct jv extreme(struct jrun *r, struct jv v, struct jv *a, enum jop op)
{
	struct jlist path = jinja_attribute_parts(r, a[1]);
	bool sensitive = truth_or(r, a[0], false);
	struct jiter it;
	struct jv item, best, key, best_key;

	jinja_iter(r, &it, v);
	if (!jinja_next(r, &it, &best))
		return jinja_undefined_hint(r, "No aggregated item, sequence was empty.");
	best_key = plain_case(r, jinja_attribute_get(r, best, &path, jv_of(J_MISSING)), sensitive);
	while (jinja_next(r, &it, &item)) {
		key = plain_case(r, jinja_attribute_get(r, item, &path, jv_of(J_MISSING)), sensitive);
		if (jinja_order(r, op, key, best_key)) {
			best = item;
			best_key = key;
		}
	}
	return best;
}

FILTER(f_min)
{
	UNUSED;
	return extreme(r, v, a, OP_LT);
}

FILTER(f_max)
{
	UNUSED;
	return extreme(r, v, a, OP_GT);
}

FILTER(f_sum)
{
	struct jlist path = jinja_attribute_parts(r, a[0]);
	struct jv sum = jv_given(a[1]) ? a[1] : jv_int(0), item;
	struct jiter it;

	UNUSED;
	if (sum.type == J_STR)
		jinja_raise(r, E_TYPE, "sum() can't sum strings [use ''.join(seq) instead]");
	jinja_iter(r, &it, v);
	while (jinja_next(r, &it, &item))
		sum = jinja_binary(r, N_ADD, sum, jinja_attribute_get(r, item, &path, jv_of(J_MISSING)));
	return sum;
}

FILTER(f_join)
{
	struct jlist path = jinja_attribute_parts(r, a[1]);
	struct jv sep = jv_given(a[0]) ? jinja_to_str(r, a[0]) : jinja_str(r, "", 0), item;
	struct jtext t = {.r = r};
	struct jiter it;
	size_t n = 0;

	UNUSED;
	jinja_iter(r, &it, v);
	while (jinja_next(r, &it, &item)) {
		if (n++)
			jtext_add(&t, sep.u.s->s, sep.u.s->n);
		jinja_put_str(&t, jinja_attribute_get(r, item, &path, jv_of(J_MISSING)));
	}
	return jtext_take(&t);
}

FILTER(f_random)
{
	UNUSED;
	jinja_raise(r, E_NOT_IMPLEMENTED, "the filter random is not supported");
}

FILTER(f_attr)
{
	struct jv name = jinja_to_str(r, a[0]), got;

	UNUSED;
	if (a[0].type != J_STR)
		jinja_raise(r, E_TYPE, "attribute name must be string, not '%s'", jinja_type_name(a[0]));
	if (v.type != J_DICT)
		return jinja_getattr(r, v, name.u.s);
	/* not the item */
	got = jinja_method_find(name.u.s->s, name.u.s->n, J_DICT) || jinja_unsafe(J_DICT, name.u.s)
		? jinja_getattr(r, v, name.u.s)
		: jinja_undefined_of(r, v, name);
	return got;
}

/* ---- sequences of others */

FILTER(f_list)
{
	UNUSED;
	return jinja_to_list(r, v, J_LIST);
}

static enum jgenerator reversed_type(struct jv v)
{
	return v.type == J_LIST			    ? GEN_LIST
		: v.type == J_DICT || v.type == J_KEYS ? GEN_KEYS
		: v.type == J_VALUES		    ? GEN_VALUES
		: v.type == J_ITEMS		    ? GEN_ITEMS
		: v.type == J_RANGE		    ? GEN_RANGE
						    : GEN_REVERSED;
}

FILTER(f_reverse)
{
	struct jv list;

	UNUSED;
	if (v.type == J_STR)
		return jinja_slice(r, v, jv_of(J_NONE), jv_of(J_NONE), jv_int(-1));
	if (!jinja_iterable(v))
		jinja_raise(r, E_FILTER_ARGUMENT, "argument must be iterable");
	list = jinja_to_list(r, v, J_LIST);
	for (size_t i = 0; i < list.u.l->n / 2; i++) {
		struct jv swap = list.u.l->items[i];

		list.u.l->items[i] = list.u.l->items[list.u.l->n - 1 - i];
		list.u.l->items[list.u.l->n - 1 - i] = swap;
	}
	return reversible(v) ? jinja_generator(r, reversed_type(v), list) : list;
}

FILTER(f_items)
{
	UNUSED;
	if (v.type != J_UNDEFINED && v.type != J_DICT)
		jinja_raise(r, E_TYPE, "Can only get item pairs from a mapping.");
	if (v.type == J_DICT)
		v.type = J_ITEMS;
	return jinja_generator(r, GEN_GENERATOR, v);
}

FILTER(f_dictsort)
{
	bool sensitive = truth_or(r, a[0], false), by_value = false;
	struct jv list, *keys;

	UNUSED;
	if (jv_given(a[1])) {
		by_value = a[1].type == J_STR && a[1].u.s->n == 5 && !memcmp(a[1].u.s->s, "value", 5);
		if (!by_value && !(a[1].type == J_STR && a[1].u.s->n == 3 && !memcmp(a[1].u.s->s, "key", 3)))
			jinja_raise(r, E_FILTER_ARGUMENT, "You can only sort by either \"key\" or \"value\"");
	}
	if (v.type == J_UNDEFINED)
		jinja_undefined_fail(r, v);
	if (v.type != J_DICT)
		jinja_raise(r, E_ATTRIBUTE, "'%s' object has no attribute 'items'", jinja_type_name(v));
	v.type = J_ITEMS;
	list = jinja_to_list(r, v, J_LIST);
	keys = jinja_alloc(r, list.u.l->n, sizeof *keys);
	for (size_t i = 0; i < list.u.l->n; i++)
		keys[i] = plain_case(r, list.u.l->items[i].u.l->items[by_value], sensitive);
	jinja_sort(r, list.u.l->items, keys, list.u.l->n, truth_or(r, a[2], false));
	return list;
}

/* Sorts by one or more attributes, "a,b.c". */
FILTER(f_sort)
{
	struct jv list = jinja_to_list(r, v, J_LIST), *keys = jinja_alloc(r, list.u.l->n, sizeof *keys), key,
		  got;
	bool sensitive = truth_or(r, a[1], false);
	struct jv paths = jinja_list(r, J_LIST, 1), parts;

	UNUSED;
	if (jv_given(a[2]) && a[2].type == J_STR) {
		const char *s = a[2].u.s->s, *end = s + a[2].u.s->n, *comma;

		for (;; s = comma + 1) {
			comma = s < end ? memchr(s, ',', (size_t)(end - s)) : NULL;
			if (!comma)
				comma = end;
			parts = jinja_list(r, J_LIST, 0);
			*parts.u.l = jinja_attribute_path(r, s, (size_t)(comma - s));
			jinja_list_add(r, paths.u.l, parts);
			if (comma == end)
				break;
		}
	} else {
		parts = jinja_list(r, J_LIST, 0);
		*parts.u.l = jinja_attribute_parts(r, a[2]);
		jinja_list_add(r, paths.u.l, parts);
	}
	for (size_t i = 0; i < list.u.l->n; i++) {
		key = jinja_list(r, J_LIST, paths.u.l->n);
		for (size_t k = 0; k < paths.u.l->n; k++) {
			got = jinja_attribute_get(
				r, list.u.l->items[i], paths.u.l->items[k].u.l, jv_of(J_MISSING));
			jinja_list_add(r, key.u.l, plain_case(r, got, sensitive));
		}
		keys[i] = key;
	}
	jinja_sort(r, list.u.l->items, keys, list.u.l->n, truth_or(r, a[0], false));
	return list;
}

static bool next_unique(struct jrun *r, struct jgen *g, struct jv *out)
{
	struct jv key;

	while (jinja_next(r, &g->source, out)) {
		key = plain_case(
			r, jinja_attribute_get(r, *out, &g->path, jv_of(J_MISSING)), g->case_sensitive);
		if (jinja_dict_get(r, g->seen.u.d, key))
			continue;
		jinja_dict_put(r, g->seen.u.d, key, jv_of(J_NONE));
		return true;
	}
	return false;
}

FILTER(f_unique)
{
	struct jv gen = jinja_lazy_generator(r, v, next_unique);

	UNUSED;
	gen.u.gen->path = jinja_attribute_parts(r, a[1]);
	gen.u.gen->case_sensitive = truth_or(r, a[0], false);
	gen.u.gen->seen = jinja_dict(r, 0);
	return gen;
}

FILTER(f_groupby)
{
	struct jlist path = jinja_attribute_parts(r, a[0]);
	struct jv fallback = a[1], list = jinja_to_list(r, v, J_LIST), *keys, groups, group = jv_of(J_NONE),
		  shown;
	bool sensitive = truth_or(r, a[2], false);

	UNUSED;
	keys = jinja_alloc(r, list.u.l->n, sizeof *keys);
	for (size_t i = 0; i < list.u.l->n; i++)
		keys[i] = plain_case(r, jinja_attribute_get(r, list.u.l->items[i], &path, fallback), sensitive);
	jinja_sort(r, list.u.l->items, keys, list.u.l->n, false);
	groups = jinja_list(r, J_LIST, 4);
	for (size_t i = 0; i < list.u.l->n; i++) {
		struct jv item = list.u.l->items[i], last = keys[0], key;

		shown = jinja_attribute_get(r, item, &path, fallback);
		key = plain_case(r, shown, sensitive);
		if (i)
			last = plain_case(r, jinja_attribute_get(r, list.u.l->items[i - 1], &path, fallback),
				sensitive);
		if (!i || !(jinja_same(last, key) || jinja_equal(r, last, key))) {
			group = jinja_pair(r, shown, jinja_list(r, J_LIST, 4));
			group.flag = true;
			jinja_list_add(r, groups.u.l, group);
		}
		jinja_list_add(r, group.u.l->items[1].u.l, item);
	}
	return groups;
}

FILTER(f_batch)
{
	struct jv all = jinja_list(r, J_LIST, 4), row = jv_of(J_NONE), item;
	int64_t n = jinja_is_int(a[0]) ? jinja_to_int(a[0]) : -1;
	struct jiter it;

	UNUSED;
	jinja_iter(r, &it, v);
	while (jinja_next(r, &it, &item)) {
		if (row.type == J_NONE || (int64_t)row.u.l->n == n) {
			row = jinja_list(r, J_LIST, 4);
			jinja_list_add(r, all.u.l, row);
		}
		jinja_list_add(r, row.u.l, item);
	}
	if (row.type != J_NONE && n == 0) {
		/* Jinja2 gives an empty list first, as none is ever full */
		row = jinja_list(r, J_LIST, 0);
	}
	while (row.type != J_NONE && row.u.l->n && jv_given(a[1]) && a[1].type != J_NONE &&
		(int64_t)row.u.l->n < n)
		jinja_list_add(r, row.u.l, a[1]);
	return jinja_generator(r, GEN_GENERATOR, all);
}

FILTER(f_slice)
{
	struct jv list, all = jinja_list(r, J_LIST, 4), part;
	int64_t slices, per, extra, offset = 0, start, end;

	UNUSED;
	list = jinja_to_list(r, v, J_LIST);
	slices = jinja_index(r, a[0]);
	if (!slices)
		jinja_raise(r, E_ZERO, "integer division or modulo by zero");
	if (slices < 0)
		return jinja_generator(r, GEN_GENERATOR, all);
	per = (int64_t)list.u.l->n / slices;
	extra = (int64_t)list.u.l->n % slices;
	for (int64_t i = 0; i < slices; i++) {
		start = offset + i * per;
		offset += i < extra;
		end = offset + (i + 1) * per;
		part = jinja_list(r, J_LIST, (size_t)(end - start));
		for (int64_t k = start; k < end; k++)
			jinja_list_add(r, part.u.l, list.u.l->items[k]);
		if (jv_given(a[1]) && a[1].type != J_NONE && i >= extra)
			jinja_list_add(r, part.u.l, a[1]);
		jinja_list_add(r, all.u.l, part);
	}
	return jinja_generator(r, GEN_GENERATOR, all);
}

/* ---- map, select, reject and their kin: nothing is done before an item is asked for */

/* A copy, since a generator outlives its call. */
static struct jargv keep_args(struct jrun *r, const struct jargv *args, size_t from)
{
	struct jargv kept = {.n = args->n > from ? args->n - from : 0, .nkw = args->nkw};

	kept.pos = jinja_alloc(r, kept.n, sizeof *kept.pos);
	kept.kw = jinja_alloc(r, kept.nkw, sizeof *kept.kw);
	if (kept.n)
		memcpy(kept.pos, args->pos + from, kept.n * sizeof *kept.pos);
	if (kept.nkw)
		memcpy(kept.kw, args->kw, kept.nkw * sizeof *kept.kw);
	return kept;
}

static const struct jbuiltin *named(struct jrun *r, struct jv name, bool filter)
{
	const struct jbuiltin *b = NULL;

	if (name.type == J_STR)
		b = filter ? jinja_filter_find(name.u.s->s, name.u.s->n)
			   : jinja_test_find(name.u.s->s, name.u.s->n);
	if (!b)
		jinja_raise(r, E_RUNTIME, "No %s named %s.", filter ? "filter" : "test",
			jinja_show_repr(r, name));
	return b;
}

static bool next_mapped(struct jrun *r, struct jgen *g, struct jv *out)
{
	struct jv item;

	if (!jinja_next(r, &g->source, &item))
		return false;
	if (!g->by_attribute && !g->builtin)
		g->builtin = named(r, g->seen, true);
	*out = g->by_attribute ? jinja_attribute_get(r, item, &g->path, g->fallback)
			       : jinja_call_builtin(r, g->builtin, item, &g->args);
	return true;
}

static bool is_kw(const struct jkw *kw, const char *name)
{
	return kw->name->n == strlen(name) && !memcmp(kw->name->s, name, kw->name->n);
}

FILTER(f_map)
{
	struct jv gen;
	struct jgen *g;

	UNUSED;
	if (!jinja_truth(r, v))
		return jinja_generator(r, GEN_GENERATOR, jinja_list(r, J_LIST, 0));
	gen = jinja_lazy_generator(r, v, next_mapped);
	g = gen.u.gen;
	if (!args->n)
		for (size_t i = 0; i < args->nkw; i++)
			g->by_attribute |= is_kw(&args->kw[i], "attribute");
	for (size_t i = 0; g->by_attribute && i < args->nkw; i++) {
		if (is_kw(&args->kw[i], "attribute"))
			g->path = jinja_attribute_parts(r, args->kw[i].v);
		else if (is_kw(&args->kw[i], "default"))
			g->fallback = args->kw[i].v;
		else
			jinja_raise(r, E_FILTER_ARGUMENT, "Unexpected keyword argument %s",
				jinja_show_repr(r, jv_strp(args->kw[i].name)));
	}
	if (!g->by_attribute && !args->n)
		jinja_raise(r, E_FILTER_ARGUMENT, "map requires a filter argument");
	if (g->by_attribute)
		return gen;
	g->seen = args->pos[0];
	g->args = keep_args(r, args, 1);
	return gen;
}

static bool next_selected(struct jrun *r, struct jgen *g, struct jv *out)
{
	struct jv item;
	bool yes;

	while (jinja_next(r, &g->source, out)) {
		item = g->by_attribute ? jinja_attribute_get(r, *out, &g->path, jv_of(J_MISSING)) : *out;
		if (jv_given(g->seen) && !g->builtin)
			g->builtin = named(r, g->seen, false);
		yes = jinja_truth(r, g->builtin ? jinja_call_builtin(r, g->builtin, item, &g->args) : item);
		if (yes != g->negate)
			return true;
	}
	return false;
}

static struct jv select_items(
	struct jrun *r, struct jv v, const struct jargv *args, bool attribute, bool negate)
{
	struct jv gen;

	if (!jinja_truth(r, v))
		return jinja_generator(r, GEN_GENERATOR, jinja_list(r, J_LIST, 0));
	if (attribute && !args->n)
		jinja_raise(r, E_FILTER_ARGUMENT, "Missing parameter for attribute name");
	gen = jinja_lazy_generator(r, v, next_selected);
	gen.u.gen->negate = negate;
	gen.u.gen->by_attribute = attribute;
	if (attribute)
		gen.u.gen->path = jinja_attribute_parts(r, args->pos[0]);
	if (args->n > attribute) {
		gen.u.gen->seen = args->pos[attribute];
		gen.u.gen->args = keep_args(r, args, 1 + (size_t)attribute);
	}
	return gen;
}

FILTER(f_select)
{
	UNUSED;
	return select_items(r, v, args, false, false);
}

FILTER(f_reject)
{
	UNUSED;
	return select_items(r, v, args, false, true);
}

FILTER(f_selectattr)
{
	UNUSED;
	return select_items(r, v, args, true, false);
}

FILTER(f_rejectattr)
{
	UNUSED;
	return select_items(r, v, args, true, true);
}

/* ---- numbers */

FILTER(f_abs)
{
	UNUSED;
	if (!jinja_is_number(v))
		jinja_raise(r, E_TYPE, "bad operand type for abs(): '%s'", jinja_type_name(v));
	if (v.type == J_FLOAT)
		return jv_float(fabs(v.u.f));
	return jinja_to_int(v) < 0 ? jinja_unary(r, N_NEG, v) : jv_int(jinja_to_int(v));
}

static struct jv float_to_int(struct jrun *r, double x, struct jv none)
{
	if (isnan(x))
		return none;
	if (isinf(x))
		jinja_raise(r, E_OVERFLOW, "cannot convert float infinity to integer");
	if (!(fabs(x) < 0x1p63))
		jinja_raise(r, E_OVERFLOW, "integers of more than 64 bits are not supported");
	return jv_int((int64_t)x);
}

FILTER(f_int)
{
	struct jv none = jv_given(a[0]) ? a[0] : jv_int(0);
	int64_t base = 10, i = 0;
	double x;
	int rc;

	UNUSED;
	if (v.type == J_UNDEFINED)
		jinja_undefined_fail(r, v);
	if (jinja_is_int(v))
		return jv_int(jinja_to_int(v));
	if (v.type == J_FLOAT)
		return float_to_int(r, v.u.f, none);
	if (v.type != J_STR)
		return none;
	if (jv_given(a[1]))
		base = jinja_index(r, a[1]);
	rc = base == 0 || (base >= 2 && base <= 36) ? jinja_parse_int(v.u.s->s, v.u.s->n, base, &i) : 0;
	if (rc < 0)
		jinja_raise(r, E_OVERFLOW, "integers of more than 64 bits are not supported");
	if (rc)
		return jv_int(i);
	return jinja_parse_float(v.u.s->s, v.u.s->n, &x) ? float_to_int(r, x, none) : none;
}

FILTER(f_float)
{
	double x = 0;

	UNUSED;
	if (v.type == J_UNDEFINED)
		jinja_undefined_fail(r, v);
	if (jinja_is_number(v))
		return jv_float(jinja_to_double(v));
	if (v.type == J_STR && jinja_parse_float(v.u.s->s, v.u.s->n, &x))
		return jv_float(x);
	return jv_given(a[0]) ? a[0] : jv_float(0);
}

FILTER(f_round)
{
	int64_t digits = jv_given(a[0]) ? jinja_index(r, a[0]) : 0;
	const char *method = "common";
	struct jv scale;
	double x;

	UNUSED;
	if (jv_given(a[1]))
		method = a[1].type == J_STR ? jinja_show(r, a[1]) : "";
	if (!strcmp(method, "common"))
		return jinja_round(r, v, digits);
	if (strcmp(method, "ceil") && strcmp(method, "floor"))
		jinja_raise(r, E_FILTER_ARGUMENT, "method must be common, ceil or floor");
	scale = jinja_binary(r, N_POW, jv_int(10), jv_int(digits));
	v = jinja_binary(r, N_MUL, v, scale);
	if (!jinja_is_number(v))
		jinja_raise(r, E_TYPE, "must be real number, not %s", jinja_type_name(v));
	x = jinja_to_double(v);
	if (!isfinite(x))
		jinja_raise(r, isnan(x) ? E_VALUE : E_OVERFLOW, "cannot convert float %s to integer",
			isnan(x) ? "NaN" : "infinity");
	if (v.type == J_FLOAT)
		v = float_to_int(r, *method == 'c' ? ceil(x) : floor(x), v);
	return jinja_binary(r, N_DIV, v, scale);
}

const struct jbuiltin jinja_sequence_filters[] = {
	{.name = "length", .fn = f_length, .params = ""},
	{.name = "count", .fn = f_length, .params = ""},
	{.name = "default", .fn = f_default, .params = "default_value boolean"},
	{.name = "d", .fn = f_default, .params = "default_value boolean"},
	{.name = "first", .fn = f_first, .params = ""},
	{.name = "last", .fn = f_last, .params = ""},
	{.name = "join", .fn = f_join, .params = "d attribute"},
	{.name = "list", .fn = f_list, .params = ""},
	{.name = "items", .fn = f_items, .params = ""},
	{.name = "map", .fn = f_map},
	{.name = "select", .fn = f_select},
	{.name = "reject", .fn = f_reject},
	{.name = "selectattr", .fn = f_selectattr},
	{.name = "rejectattr", .fn = f_rejectattr},
	{.name = "dictsort", .fn = f_dictsort, .params = "case_sensitive by reverse"},
	{.name = "sort", .fn = f_sort, .params = "reverse case_sensitive attribute"},
	{.name = "unique", .fn = f_unique, .params = "case_sensitive attribute"},
	{.name = "groupby", .fn = f_groupby, .params = "attribute default case_sensitive", .required = 1},
	{.name = "min", .fn = f_min, .params = "case_sensitive attribute"},
	{.name = "max", .fn = f_max, .params = "case_sensitive attribute"},
	{.name = "sum", .fn = f_sum, .params = "attribute start"},
	{.name = "reverse", .fn = f_reverse, .params = ""},
	{.name = "batch", .fn = f_batch, .params = "linecount fill_with", .required = 1},
	{.name = "slice", .fn = f_slice, .params = "slices fill_with", .required = 1},
	{.name = "attr", .fn = f_attr, .params = "name", .required = 1},
	{.name = "random", .fn = f_random, .params = ""},
	{.name = NULL},
};

const struct jbuiltin jinja_number_filters[] = {
	{.name = "int", .fn = f_int, .params = "default base"},
	{.name = "float", .fn = f_float, .params = "default"},
	{.name = "round", .fn = f_round, .params = "precision method"},
	{.name = "abs", .fn = f_abs, .params = ""},
	{.name = NULL},
};

const struct jbuiltin *jinja_filter_find(const char *name, size_t n)
{
	const struct jbuiltin *const tables[] = {
		jinja_text_filters, jinja_sequence_filters, jinja_number_filters};

	for (size_t i = 0; i < JINJA_COUNT(tables); i++)
		for (const struct jbuiltin *b = tables[i]; b->name; b++)
			if (strlen(b->name) == n && !memcmp(b->name, name, n))
				return b;
	return NULL;
}
