#include "jinja/jinja_impl.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

/* ---- making values */

struct jv jinja_str(struct jrun *r, const char *s, size_t n)
{
	struct jstr *str = jinja_alloc(r, 1, sizeof *str);

	*str = (struct jstr){.s = s, .n = n, .chars = n ? SIZE_MAX : 0};
	return jv_strp(str);
}

struct jv jinja_str_copy(struct jrun *r, const char *s, size_t n)
{
	char *copy = jinja_alloc(r, n, 1);

	if (n)
		memcpy(copy, s, n);
	return jinja_str(r, copy, n);
}

struct jv jinja_cstr(struct jrun *r, const char *s)
{
	return jinja_str(r, s, strlen(s));
}

struct jv jinja_list(struct jrun *r, enum jtype type, size_t cap)
{
	struct jlist *l = jinja_alloc(r, 1, sizeof *l);

	*l = (struct jlist){.items = jinja_alloc(r, cap, sizeof(struct jv)), .cap = cap};
	return (struct jv){.type = (uint8_t)type, .u.l = l};
}

void jinja_list_add(struct jrun *r, struct jlist *l, struct jv v)
{
	struct jv *items;

	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 4;
		items = jinja_alloc(r, l->cap, sizeof *items);
		if (l->n)
			memcpy(items, l->items, l->n * sizeof *items);
		l->items = items;
	}
	l->items[l->n++] = v;
}

struct jv jinja_pair(struct jrun *r, struct jv a, struct jv b)
{
	struct jv v = jinja_list(r, J_TUPLE, 2);

	v.u.l->items[0] = a;
	v.u.l->items[1] = b;
	v.u.l->n = 2;
	return v;
}

/* As Python reads it: an integer, unless it has a fraction or an exponent. */
static struct jv from_number(struct jrun *r, const struct json *v)
{
	const char *text = json_number_text(v);
	double x = 0;
	long long i;

	json_number(v, &x);
	if (text && strpbrk(text, ".eE"))
		return jv_float(x);
	errno = 0;
	i = text ? strtoll(text, NULL, 10) : (long long)x;
	if (errno)
		jinja_raise(r, E_OVERFLOW, "integer %s has more than 64 bits", text);
	return jv_int(i);
}

struct jv jinja_from_json(struct jrun *r, const struct json *v)
{
	struct jv out = jv_of(J_NONE);
	const char *s;
	size_t n = 0;
	bool b;

	jinja_step(r, 1);
	switch (json_kind(v)) {
	case JSON_BOOL:
		json_bool(v, &b);
		return jv_bool(b);
	case JSON_NUMBER:
		return from_number(r, v);
	case JSON_STRING:
		s = json_string(v, &n);
		return jinja_str(r, s, n);
	case JSON_ARRAY:
		jinja_enter(r);
		out = jinja_list(r, J_LIST, json_count(v));
		for (v = json_first(v); v; v = json_next(v))
			jinja_list_add(r, out.u.l, jinja_from_json(r, v));
		jinja_leave(r);
		break;
	case JSON_OBJECT:
		jinja_enter(r);
		out = jinja_dict(r, json_count(v));
		for (v = json_first(v); v; v = json_next(v))
			jinja_dict_put(r, out.u.d, jinja_cstr(r, json_key(v)), jinja_from_json(r, v));
		jinja_leave(r);
		break;
	default:
		break;
	}
	return out;
}

/* ---- dictionaries */

struct jv jinja_dict(struct jrun *r, size_t cap)
{
	struct jdict *d = jinja_alloc(r, 1, sizeof *d);

	*d = (struct jdict){.entries = jinja_alloc(r, cap, sizeof *d->entries), .cap = cap};
	return (struct jv){.type = J_DICT, .u.d = d};
}

static uint64_t hash_bytes(const char *s, size_t n)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	return h ^ h >> 29;
}

uint64_t jinja_hash(struct jrun *r, struct jv v)
{
	uint64_t h = 31;
	double x;

	switch (v.type) {
	case J_BOOL:
		return (uint64_t)v.u.b * 0x9e3779b97f4a7c15u;
	case J_INT:
		return (uint64_t)v.u.i * 0x9e3779b97f4a7c15u;
	case J_FLOAT:
		x = v.u.f;
		if (x == floor(x) && fabs(x) < 0x1p63)
			return (uint64_t)(int64_t)x * 0x9e3779b97f4a7c15u;
		memcpy(&h, &x, sizeof h);
		return h * 0x9e3779b97f4a7c15u;
	case J_STR:
		jinja_step(r, v.u.s->n >> 4);
		return hash_bytes(v.u.s->s, v.u.s->n);
	case J_TUPLE:
		jinja_enter(r);
		for (size_t i = 0; i < v.u.l->n; i++)
			h = (h ^ jinja_hash(r, v.u.l->items[i])) * 0x100000001b3u;
		jinja_leave(r);
		return h;
	case J_LIST:
	case J_DICT:
	case J_ITEMS:
	case J_KEYS:
		jinja_raise(r, E_TYPE, "unhashable type: '%s'", jinja_type_name(v));
	case J_NONE:
	case J_UNDEFINED:
	case J_MISSING:
	case J_RANGE:
		return v.type;
	default:
		return (uint64_t)(uintptr_t)v.u.s >> 4;
	}
}

static bool same_key(struct jrun *r, const struct jentry *e, struct jv key, uint64_t hash)
{
	return e->hash == hash && (jinja_same(e->key, key) || jinja_equal(r, e->key, key));
}

static struct jentry *find_entry(struct jrun *r, const struct jdict *d, struct jv key, uint64_t hash)
{
	if (!d->slots) {
		for (size_t i = 0; i < d->n; i++)
			if (same_key(r, &d->entries[i], key, hash))
				return &d->entries[i];
		return NULL;
	}
	for (size_t at = hash & (d->slots - 1); d->index[at]; at = (at + 1) & (d->slots - 1))
		if (same_key(r, &d->entries[d->index[at] - 1], key, hash))
			return &d->entries[d->index[at] - 1];
	return NULL;
}

struct jv *jinja_dict_get(struct jrun *r, const struct jdict *d, struct jv key)
{
	struct jentry *e = find_entry(r, d, key, jinja_hash(r, key));

	return e ? &e->value : NULL;
}

struct jv *jinja_dict_get_str(const struct jdict *d, const char *s, size_t n)
{
	uint64_t hash = hash_bytes(s, n);
	const struct jentry *e;
	size_t at = hash & (d->slots - 1);

	for (size_t i = 0;; i++, at = (at + 1) & (d->slots - 1)) {
		if (d->slots ? !d->index[at] : i == d->n)
			return NULL;
		e = &d->entries[d->slots ? d->index[at] - 1 : i];
		if (e->hash == hash && e->key.type == J_STR && e->key.u.s->n == n &&
			!memcmp(e->key.u.s->s, s, n))
			return &d->entries[e - d->entries].value;
	}
}

static void index_entries(struct jrun *r, struct jdict *d)
{
	size_t at;

	d->slots = 4 * d->cap;
	while (d->slots & (d->slots - 1))
		d->slots &= d->slots - 1;
	d->index = jinja_alloc(r, d->slots, sizeof *d->index);
	memset(d->index, 0, d->slots * sizeof *d->index);
	for (size_t i = 0; i < d->n; i++) {
		at = d->entries[i].hash & (d->slots - 1);
		while (d->index[at])
			at = (at + 1) & (d->slots - 1);
		d->index[at] = (uint32_t)i + 1;
	}
}

void jinja_dict_put(struct jrun *r, struct jdict *d, struct jv key, struct jv v)
{
	uint64_t hash = jinja_hash(r, key);
	struct jentry *e = find_entry(r, d, key, hash), *entries;
	size_t at;

	if (e) {
		e->value = v;
		return;
	}
	if (d->n >= UINT32_MAX / 8)
		jinja_limit(r, "entries of a dictionary", d->n);
	if (d->n == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 4;
		entries = jinja_alloc(r, d->cap, sizeof *entries);
		if (d->n)
			memcpy(entries, d->entries, d->n * sizeof *entries);
		d->entries = entries;
		d->slots = 0;
	}
	d->entries[d->n++] = (struct jentry){.key = key, .value = v, .hash = hash};
	if (d->slots) {
		at = hash & (d->slots - 1);
		while (d->index[at])
			at = (at + 1) & (d->slots - 1);
		d->index[at] = (uint32_t)d->n;
	} else if (d->n > 8) {
		index_entries(r, d);
	}
}

/* ---- what they are */

static const struct {
	const char *name, *repr;
} types[] = {
	[J_MISSING] = {"NoneType", "None"},
	[J_UNDEFINED] = {"Undefined", "jinja2.runtime.Undefined object"},
	[J_NONE] = {"NoneType", "None"},
	[J_BOOL] = {"bool", "bool object"},
	[J_INT] = {"int", "int object"},
	[J_FLOAT] = {"float", "float object"},
	[J_STR] = {"str", "str object"},
	[J_LIST] = {"list", "list object"},
	[J_TUPLE] = {"tuple", "tuple object"},
	[J_DICT] = {"dict", "dict object"},
	[J_KEYS] = {"dict_keys", "dict_keys object"},
	[J_VALUES] = {"dict_values", "dict_values object"},
	[J_ITEMS] = {"dict_items", "dict_items object"},
	[J_RANGE] = {"range", "range object"},
	[J_NAMESPACE] = {"Namespace", "jinja2.utils.Namespace object"},
	[J_GENERATOR] = {"generator", "generator object"},
	[J_MACRO] = {"Macro", "jinja2.runtime.Macro object"},
	[J_METHOD] = {"builtin_function_or_method", "builtin_function_or_method object"},
	[J_FUNCTION] = {"function", "function object"},
	[J_LOOP] = {"LoopContext", "jinja2.runtime.LoopContext object"},
	[J_CYCLER] = {"Cycler", "jinja2.utils.Cycler object"},
	[J_JOINER] = {"Joiner", "jinja2.utils.Joiner object"},
	[J_BLOCK] = {"BlockReference", "jinja2.runtime.BlockReference object"},
	[J_SELF] = {"TemplateReference", "jinja2.runtime.TemplateReference object"},
};

const char *jinja_type_name(struct jv v)
{
	if (v.type == J_STR && v.flag)
		return "Markup";
	if (v.type == J_TUPLE && v.flag)
		return "_GroupTuple";
	if (v.type == J_GENERATOR)
		return jinja_generators[v.u.gen->type].name;
	if (v.type == J_FUNCTION)
		return v.u.function->python ? "type" : "function";
	return types[v.type].name;
}

const char *jinja_type_repr(struct jv v)
{
	if (v.type == J_STR && v.flag)
		return "markupsafe.Markup object";
	if (v.type == J_TUPLE && v.flag)
		return "jinja2.filters._GroupTuple object";
	if (v.type == J_FUNCTION && v.u.function->python)
		return "type object";
	if (v.type == J_GENERATOR)
		return jinja_generators[v.u.gen->type].repr;
	return types[v.type].repr;
}

bool jinja_is_int(struct jv v)
{
	return v.type == J_INT || v.type == J_BOOL;
}

bool jinja_is_number(struct jv v)
{
	return jinja_is_int(v) || v.type == J_FLOAT;
}

int64_t jinja_to_int(struct jv v)
{
	return v.type == J_BOOL ? v.u.b : v.u.i;
}

double jinja_to_double(struct jv v)
{
	return v.type == J_FLOAT ? v.u.f : (double)jinja_to_int(v);
}

int64_t jinja_index(struct jrun *r, struct jv v)
{
	if (!jinja_is_int(v))
		jinja_raise(r, E_TYPE, "'%s' object cannot be interpreted as an integer", jinja_type_name(v));
	return jinja_to_int(v);
}

bool jinja_has_len(struct jv v)
{
	return (v.type >= J_STR && v.type <= J_RANGE) || v.type == J_UNDEFINED || v.type == J_LOOP;
}

size_t jinja_len(struct jrun *r, struct jv v)
{
	switch (v.type) {
	case J_UNDEFINED:
		return 0;
	case J_STR:
		return jinja_chars(v.u.s);
	case J_LIST:
	case J_TUPLE:
		return v.u.l->n;
	case J_DICT:
	case J_KEYS:
	case J_VALUES:
	case J_ITEMS:
		return v.u.d->n;
	case J_RANGE:
		return v.u.range->n;
	case J_LOOP: {
		static const struct jstr length = {.s = "length", .n = 6, .chars = 6};

		return (size_t)jinja_loop_attr(r, v, &length).u.i;
	}
	default:
		jinja_raise(r, E_TYPE, "object of type '%s' has no len()", jinja_type_name(v));
	}
}

bool jinja_truth(struct jrun *r, struct jv v)
{
	switch (v.type) {
	case J_MISSING:
	case J_UNDEFINED:
	case J_NONE:
		return false;
	case J_BOOL:
		return v.u.b;
	case J_INT:
		return v.u.i != 0;
	case J_FLOAT:
		return v.u.f != 0;
	case J_STR:
		return v.u.s->n > 0;
	default:
		return !jinja_has_len(v) || jinja_len(r, v) > 0;
	}
}

/* ---- comparison */

bool jinja_same(struct jv a, struct jv b)
{
	if (a.type != b.type)
		return false;
	switch (a.type) {
	case J_MISSING:
	case J_NONE:
		return true;
	case J_BOOL:
		return a.u.b == b.u.b;
	case J_INT:
		return a.u.i == b.u.i;
	case J_FLOAT:
		return !memcmp(&a.u.f, &b.u.f, sizeof a.u.f);
	case J_STR:
		return a.u.s == b.u.s || (a.u.s->s == b.u.s->s && a.u.s->n == b.u.s->n);
	default:
		return a.u.l == b.u.l;
	}
}

/* -1, 0 or 1; 2 where one is not a number. */
static int compare_numbers(struct jv a, struct jv b)
{
	double x, y;

	if (jinja_is_int(a) && jinja_is_int(b)) {
		int64_t i = jinja_to_int(a), k = jinja_to_int(b);

		return (i > k) - (i < k);
	}
	x = jinja_to_double(a);
	y = jinja_to_double(b);
	if (isnan(x) || isnan(y))
		return 2;
	if (x == y && fabs(x) >= 0x1p53 && fabs(x) < 0x1p63 && a.type != b.type) {
		int64_t i = a.type == J_FLOAT ? (int64_t)x : jinja_to_int(a);
		int64_t k = b.type == J_FLOAT ? (int64_t)y : jinja_to_int(b);

		return (i > k) - (i < k);
	}
	return (x > y) - (x < y);
}

static bool equal_dicts(struct jrun *r, const struct jdict *a, const struct jdict *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct jentry *e = find_entry(r, b, a->entries[i].key, a->entries[i].hash);

		if (!e || !(jinja_same(e->value, a->entries[i].value) ||
				  jinja_equal(r, a->entries[i].value, e->value)))
			return false;
	}
	return true;
}

static bool equal_ranges(const struct jrange *a, const struct jrange *b)
{
	return a->n == b->n && (!a->n || (a->start == b->start && (a->n == 1 || a->step == b->step)));
}

bool jinja_equal(struct jrun *r, struct jv a, struct jv b)
{
	bool equal = true;

	if (jinja_is_number(a) && jinja_is_number(b))
		return compare_numbers(a, b) == 0;
	if (a.type != b.type)
		return false;
	switch (a.type) {
	case J_UNDEFINED:
		return true;
	case J_STR:
		jinja_step(r, a.u.s->n >> 6);
		return a.u.s->n == b.u.s->n && !memcmp(a.u.s->s, b.u.s->s, a.u.s->n);
	case J_LIST:
	case J_TUPLE:
		if (a.u.l == b.u.l || a.u.l->n != b.u.l->n)
			return a.u.l == b.u.l;
		jinja_enter(r);
		jinja_step(r, a.u.l->n);
		for (size_t i = 0; equal && i < a.u.l->n; i++)
			equal = jinja_same(a.u.l->items[i], b.u.l->items[i]) ||
				jinja_equal(r, a.u.l->items[i], b.u.l->items[i]);
		jinja_leave(r);
		return equal;
	case J_DICT:
		if (a.u.d == b.u.d)
			return true;
		jinja_enter(r);
		jinja_step(r, a.u.d->n);
		equal = equal_dicts(r, a.u.d, b.u.d);
		jinja_leave(r);
		return equal;
	case J_KEYS:
		for (size_t i = 0; equal && i < a.u.d->n; i++)
			equal = jinja_dict_get(r, b.u.d, a.u.d->entries[i].key) != NULL;
		return equal && a.u.d->n == b.u.d->n;
	case J_ITEMS:
		return equal_dicts(r, a.u.d, b.u.d);
	case J_RANGE:
		return equal_ranges(a.u.range, b.u.range);
	case J_METHOD:
		return a.u.method->fn == b.u.method->fn && jinja_same(a.u.method->self, b.u.method->self);
	default:
		return jinja_same(a, b);
	}
}

static bool holds(enum jop op, int order)
{
	return op == OP_LT ? order < 0 : op == OP_LE ? order <= 0 : op == OP_GT ? order > 0 : order >= 0;
}

bool jinja_order(struct jrun *r, enum jop op, struct jv a, struct jv b)
{
	static const char *const names[] = {[OP_LT] = "<", [OP_LE] = "<=", [OP_GT] = ">", [OP_GE] = ">="};
	size_t n;
	int order;

	jinja_step(r, 1);
	if (jinja_is_number(a) && jinja_is_number(b)) {
		order = compare_numbers(a, b);
		return order != 2 && holds(op, order);
	}
	if (a.type == J_STR && b.type == J_STR) {
		n = a.u.s->n < b.u.s->n ? a.u.s->n : b.u.s->n;
		jinja_step(r, n >> 6);
		order = n ? memcmp(a.u.s->s, b.u.s->s, n) : 0;
		return holds(op, order ? order : (a.u.s->n > b.u.s->n) - (a.u.s->n < b.u.s->n));
	}
	if (a.type == b.type && (a.type == J_LIST || a.type == J_TUPLE)) {
		bool found = false, result = false;

		n = a.u.l->n < b.u.l->n ? a.u.l->n : b.u.l->n;
		jinja_enter(r);
		for (size_t i = 0; i < n && !found; i++) {
			struct jv x = a.u.l->items[i], y = b.u.l->items[i];

			found = !jinja_same(x, y) && !jinja_equal(r, x, y);
			if (found)
				result = jinja_order(r, op, x, y);
		}
		jinja_leave(r);
		return found ? result : holds(op, (a.u.l->n > b.u.l->n) - (a.u.l->n < b.u.l->n));
	}
	if (a.type == J_UNDEFINED || b.type == J_UNDEFINED)
		jinja_undefined_fail(r, a.type == J_UNDEFINED ? a : b);
	jinja_raise(r, E_TYPE, "'%s' not supported between instances of '%s' and '%s'", names[op],
		jinja_type_name(a), jinja_type_name(b));
}

bool jinja_contains(struct jrun *r, struct jv seq, struct jv v)
{
	struct jiter it;
	struct jv item;

	switch (seq.type) {
	case J_STR:
		if (v.type != J_STR)
			jinja_raise(r, E_TYPE, "'in <string>' requires string as left operand, not %s",
				jinja_type_name(v));
		return jinja_find(r, seq.u.s->s, seq.u.s->n, v.u.s->s, v.u.s->n) != NULL;
	case J_DICT:
	case J_KEYS:
		return jinja_dict_get(r, seq.u.d, v) != NULL;
	default:
		if (!jinja_iterable(seq))
			jinja_raise(r, E_TYPE, "argument of type '%s' is not iterable", jinja_type_name(seq));
		jinja_iter(r, &it, seq);
		while (jinja_next(r, &it, &item))
			if (jinja_same(item, v) || jinja_equal(r, item, v))
				return true;
		return false;
	}
}
