#include "jinja/jinja_impl.h"

#include "base/mem.h"

/* Walking over what Python calls iterables, and what filters do to many items. */

const struct jgenerator_name jinja_generators[] = {
	[GEN_GENERATOR] = {"generator", "generator object"},
	[GEN_LOOP] = {"LoopContext", "jinja2.runtime.LoopContext object"},
	[GEN_LIST] = {"list_reverseiterator", "list_reverseiterator object"},
	[GEN_REVERSED] = {"reversed", "reversed object"},
	[GEN_KEYS] = {"dict_reversekeyiterator", "dict_reversekeyiterator object"},
	[GEN_VALUES] = {"dict_reversevalueiterator", "dict_reversevalueiterator object"},
	[GEN_ITEMS] = {"dict_reverseitemiterator", "dict_reverseitemiterator object"},
	[GEN_RANGE] = {"range_iterator", "range_iterator object"},
};

bool jinja_iterable(struct jv v)
{
	return v.type == J_UNDEFINED || (v.type >= J_STR && v.type <= J_RANGE) || v.type == J_GENERATOR ||
		v.type == J_LOOP;
}

static bool next_of_loop(struct jrun *r, struct jgen *g, struct jv *out)
{
	struct jv loop = g->seen;

	if (!jinja_loop_next(r, loop.u.loop, out))
		return false;
	*out = jinja_pair(r, *out, loop);
	return true;
}

void jinja_iter(struct jrun *r, struct jiter *it, struct jv v)
{
	struct jv gen;

	*it = (struct jiter){.kind = ITER_NONE, .view = (enum jtype)v.type};
	switch (v.type) {
	case J_UNDEFINED:
		break;
	case J_STR:
		it->kind = ITER_CHARS;
		it->str = v.u.s;
		break;
	case J_LIST:
	case J_TUPLE:
		it->kind = ITER_ITEMS;
		it->list = v.u.l;
		break;
	case J_DICT:
	case J_KEYS:
	case J_VALUES:
	case J_ITEMS:
		it->kind = ITER_DICT;
		it->dict = v.u.d;
		break;
	case J_RANGE:
		it->kind = ITER_RANGE;
		it->range = *v.u.range;
		break;
	case J_LOOP:
		gen = jinja_generator(r, GEN_LOOP, jv_of(J_UNDEFINED));
		gen.u.gen->next = next_of_loop;
		gen.u.gen->seen = v;
		v = gen;
		/* fallthrough */
	case J_GENERATOR:
		it->kind = ITER_GENERATOR;
		it->gen = v.u.gen;
		break;
	default:
		jinja_raise(r, E_TYPE, "'%s' object is not iterable", jinja_type_name(v));
	}
}

bool jinja_next(struct jrun *r, struct jiter *it, struct jv *out)
{
	const char *s, *end;
	bool more;

	jinja_step(r, 1);
	switch (it->kind) {
	case ITER_ITEMS:
		if (it->pos >= it->list->n)
			return false;
		*out = it->list->items[it->pos++];
		return true;
	case ITER_CHARS:
		if (it->pos >= it->str->n)
			return false;
		s = it->str->s + it->pos;
		end = s;
		jinja_cp(&end, it->str->s + it->str->n);
		*out = jinja_str(r, s, (size_t)(end - s));
		it->pos += (size_t)(end - s);
		return true;
	case ITER_DICT:
		if (it->pos >= it->dict->n)
			return false;
		*out = it->view == J_VALUES ? it->dict->entries[it->pos].value : it->dict->entries[it->pos].key;
		if (it->view == J_ITEMS)
			*out = jinja_pair(r, *out, it->dict->entries[it->pos].value);
		it->pos++;
		return true;
	case ITER_RANGE:
		if (it->pos >= it->range.n)
			return false;
		*out = jv_int(it->range.start + (int64_t)it->pos++ * it->range.step);
		return true;
	case ITER_GENERATOR:
		/* generators over generators: as deep as the template makes them */
		jinja_enter(r);
		if (jv_given(it->gen->later)) {
			jinja_iter(r, &it->gen->source, it->gen->later);
			it->gen->later = jv_of(J_MISSING);
		}
		more = it->gen->next ? it->gen->next(r, it->gen, out) : jinja_next(r, &it->gen->source, out);
		jinja_leave(r);
		return more;
	default:
		return false;
	}
}

struct jv jinja_to_list(struct jrun *r, struct jv v, enum jtype type)
{
	struct jiter it;
	struct jv list, item;

	jinja_iter(r, &it, v);
	list = jinja_list(r, type, jinja_has_len(v) && v.type != J_LOOP ? jinja_len(r, v) : 0);
	while (jinja_next(r, &it, &item))
		jinja_list_add(r, list.u.l, item);
	return list;
}

struct jv jinja_unpack(struct jrun *r, struct jv v, size_t n)
{
	struct jiter it;
	struct jv items, item;

	if (!jinja_iterable(v))
		jinja_raise(r, E_TYPE, "cannot unpack non-iterable %s object", jinja_type_name(v));
	items = jinja_list(r, J_LIST, n + 1);
	jinja_iter(r, &it, v);
	while (items.u.l->n <= n && jinja_next(r, &it, &item))
		jinja_list_add(r, items.u.l, item);
	if (items.u.l->n > n)
		jinja_raise(r, E_VALUE, "too many values to unpack (expected %zu)", n);
	if (items.u.l->n < n)
		jinja_raise(r, E_VALUE, "not enough values to unpack (expected %zu, got %zu)", n, items.u.l->n);
	return items;
}

struct jv jinja_generator(struct jrun *r, enum jgenerator type, struct jv source)
{
	struct jgen *g = jinja_alloc(r, 1, sizeof *g);

	*g = (struct jgen){.type = type};
	jinja_iter(r, &g->source, source);
	return (struct jv){.type = J_GENERATOR, .u.gen = g};
}

struct jv jinja_lazy_generator(
	struct jrun *r, struct jv source, bool (*next)(struct jrun *r, struct jgen *g, struct jv *out))
{
	struct jgen *g = jinja_alloc(r, 1, sizeof *g);

	*g = (struct jgen){.type = GEN_GENERATOR, .later = source, .next = next};
	return (struct jv){.type = J_GENERATOR, .u.gen = g};
}

/* Sorts stably by keys, as Python does: nothing but "<" is asked. */
void jinja_sort(struct jrun *r, struct jv *items, const struct jv *keys, size_t n, bool reverse)
{
	size_t *order = jinja_alloc(r, n, sizeof *order), *other = jinja_alloc(r, n, sizeof *order), *swap;
	struct jv *sorted = jinja_alloc(r, n, sizeof *sorted);

	for (size_t i = 0; i < n; i++)
		order[i] = reverse ? n - 1 - i : i;
	for (size_t width = 1; width < n; width *= 2) {
		for (size_t from = 0; from < n; from += 2 * width) {
			size_t mid = from + width < n ? from + width : n,
			       end = mid + width < n ? mid + width : n;
			size_t a = from, b = mid;

			for (size_t to = from; to < end; to++) {
				bool right = b < end && (a == mid || jinja_order(r, OP_LT, keys[order[b]],
									     keys[order[a]]));

				other[to] = right ? order[b++] : order[a++];
			}
		}
		swap = order;
		order = other;
		other = swap;
	}
	for (size_t i = 0; i < n; i++)
		sorted[i] = items[order[reverse ? n - 1 - i : i]];
	if (n)
		memcpy(items, sorted, n * sizeof *items);
}

/* "a.0.b": names, and numbers where a part is all digits. */
struct jlist jinja_attribute_path(struct jrun *r, const char *s, size_t n)
{
	struct jv path = jinja_list(r, J_LIST, 1);
	const char *end = s + n, *dot, *at;
	int64_t i;
	bool digits;

	for (;; s = dot + 1) {
		dot = s < end ? memchr(s, '.', (size_t)(end - s)) : NULL;
		if (!dot)
			dot = end;
		digits = dot > s;
		for (at = s; digits && at < dot;)
			digits = jinja_is_digit(jinja_cp(&at, dot));
		if (digits && jinja_parse_int(s, (size_t)(dot - s), 10, &i) == 1)
			jinja_list_add(r, path.u.l, jv_int(i));
		else
			jinja_list_add(r, path.u.l, jinja_str(r, s, (size_t)(dot - s)));
		if (dot == end)
			return *path.u.l;
	}
}

struct jlist jinja_attribute_parts(struct jrun *r, struct jv attribute)
{
	struct jv path;

	if (attribute.type == J_STR)
		return jinja_attribute_path(r, attribute.u.s->s, attribute.u.s->n);
	path = jinja_list(r, J_LIST, 1);
	if (jv_given(attribute) && attribute.type != J_NONE)
		jinja_list_add(r, path.u.l, attribute);
	return *path.u.l;
}

struct jv jinja_attribute_get(struct jrun *r, struct jv item, const struct jlist *path, struct jv fallback)
{
	for (size_t i = 0; i < path->n; i++) {
		item = jinja_getitem(r, item, path->items[i]);
		if (item.type == J_UNDEFINED && jv_given(fallback) && fallback.type != J_NONE)
			item = fallback;
	}
	return item;
}

/* The next item of a for loop, with its place known. */
bool jinja_loop_next(struct jrun *r, struct jloop *loop, struct jv *out)
{
	if (jv_given(loop->after)) {
		*out = loop->after;
		loop->after = jv_of(J_MISSING);
	} else if (!jinja_next(r, &loop->iter, out)) {
		return false;
	}
	loop->index0++;
	loop->before = loop->current;
	loop->current = *out;
	return true;
}
