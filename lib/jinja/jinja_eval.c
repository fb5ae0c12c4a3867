#include "jinja/jinja_impl.h"

#include "base/mem.h"

/* Expressions. */

static struct jv lookup(struct jrun *r, int name)
{
	struct jv v;

	for (struct jframe *f = r->frame; f; f = f->parent)
		for (size_t i = 0; i < f->n; i++)
			if (f->vars[i].name == name) {
				v = f->vars[i].v;
				return jv_given(v) ? v : jinja_undefined_name(r, &r->t->names[name]);
			}
	v = r->globals[name];
	return jv_given(v) ? v : jinja_undefined_name(r, &r->t->names[name]);
}

static struct jv eval_list(struct jrun *r, const struct jnode *n)
{
	struct jv v = jinja_list(r, n->kind == N_TUPLE ? J_TUPLE : J_LIST, n->list.n);

	for (size_t i = 0; i < n->list.n; i++)
		v.u.l->items[i] = jinja_eval(r, n->list.at[i]);
	v.u.l->n = n->list.n;
	return v;
}

static struct jv eval_dict(struct jrun *r, const struct jnode *n)
{
	struct jv v = jinja_dict(r, n->list.n / 2), key;

	for (size_t i = 0; i < n->list.n; i += 2) {
		key = jinja_eval(r, n->list.at[i]);
		jinja_dict_put(r, v.u.d, key, jinja_eval(r, n->list.at[i + 1]));
	}
	return v;
}

static bool compare(struct jrun *r, enum jop op, struct jv a, struct jv b)
{
	switch (op) {
	case OP_EQ:
		return jinja_equal(r, a, b);
	case OP_NE:
		return !jinja_equal(r, a, b);
	case OP_IN:
		return jinja_contains(r, b, a);
	case OP_NOTIN:
		return !jinja_contains(r, b, a);
	default:
		return jinja_order(r, op, a, b);
	}
}

static struct jv eval_compare(struct jrun *r, const struct jnode *n)
{
	struct jv a = jinja_eval(r, n->a), b;

	for (size_t i = 0; i < n->list.n; i++) {
		b = jinja_eval(r, n->list.at[i]->a);
		r->line = n->line;
		if (!compare(r, (enum jop)n->list.at[i]->op, a, b))
			return jv_bool(false);
		a = b;
	}
	return jv_bool(true);
}

static struct jv eval_concat(struct jrun *r, const struct jnode *n)
{
	struct jv all = jinja_to_str(r, jinja_eval(r, n->list.at[0]));

	for (size_t i = 1; i < n->list.n; i++)
		all = jinja_concat(r, all, jinja_to_str(r, jinja_eval(r, n->list.at[i])));
	return all;
}

/* What a call gives: in *out, or in memory of its own where there are many. */
void jinja_evaluate_args(struct jrun *r, const struct jargs *args, struct jargv *out)
{
	struct jv star = jv_of(J_MISSING), named = jv_of(J_MISSING), *pos;
	struct jkw *kw;
	size_t n = args->pos.n, nkw = args->nkw;

	if (args->star || n > JINJA_MAX_PARAMS)
		out->pos = jinja_alloc(r, n, sizeof *out->pos);
	if (nkw > JINJA_MAX_PARAMS)
		out->kw = jinja_alloc(r, nkw, sizeof *out->kw);
	for (size_t i = 0; i < n; i++)
		out->pos[i] = jinja_eval(r, args->pos.at[i]);
	if (args->star) {
		star = jinja_to_list(r, jinja_eval(r, args->star), J_LIST);
		pos = jinja_alloc(r, n + star.u.l->n, sizeof *pos);
		if (n)
			memcpy(pos, out->pos, n * sizeof *pos);
		if (star.u.l->n)
			memcpy(pos + n, star.u.l->items, star.u.l->n * sizeof *pos);
		out->pos = pos;
		n += star.u.l->n;
	}
	for (size_t i = 0; i < nkw; i++)
		out->kw[i] = (struct jkw){.name = args->kw[i].name, .v = jinja_eval(r, args->kw[i].value)};
	if (args->starstar) {
		named = jinja_eval(r, args->starstar);
		if (named.type != J_DICT)
			jinja_raise(r, E_TYPE, "argument after ** must be a mapping, not %s",
				jinja_type_name(named));
		kw = jinja_alloc(r, nkw + named.u.d->n, sizeof *kw);
		if (nkw)
			memcpy(kw, out->kw, nkw * sizeof *kw);
		for (size_t i = 0; i < named.u.d->n; i++) {
			const struct jentry *e = &named.u.d->entries[i];

			if (e->key.type != J_STR)
				jinja_raise(r, E_TYPE, "keywords must be strings");
			for (size_t k = 0; k < args->nkw; k++)
				if (kw[k].name->n == e->key.u.s->n &&
					!memcmp(kw[k].name->s, e->key.u.s->s, e->key.u.s->n))
					jinja_raise(r, E_TYPE, "got multiple values for keyword argument '%s'",
						jinja_show(r, e->key));
			kw[nkw++] = (struct jkw){.name = e->key.u.s, .v = e->value};
		}
		out->kw = kw;
	}
	out->n = n;
	out->nkw = nkw;
}

static struct jv eval_filter(struct jrun *r, const struct jnode *n)
{
	struct jv pos[JINJA_MAX_PARAMS], v = n->a ? jinja_eval(r, n->a) : r->captured;
	struct jkw kw[JINJA_MAX_PARAMS];
	struct jargv args = {.pos = pos, .kw = kw};

	jinja_evaluate_args(r, n->args, &args);
	r->line = n->line;
	if (!n->builtin)
		jinja_raise(r, E_RUNTIME, "No %s named %s found.", n->kind == N_FILTER ? "filter" : "test",
			jinja_show_repr(r, n->value));
	return jinja_call_builtin(r, n->builtin, v, &args);
}

/* A method that may be called without being made a value first. */
static const struct jbuiltin *find_method(const struct jnode *callee, struct jv obj)
{
	if (obj.type == J_STR)
		return callee->builtin;
	if (obj.type == J_DICT && !jinja_unsafe(J_DICT, callee->value.u.s))
		return jinja_method_find(callee->value.u.s->s, callee->value.u.s->n, J_DICT);
	return NULL;
}

static struct jv eval_call(struct jrun *r, const struct jnode *n)
{
	const struct jbuiltin *method = NULL;
	struct jv pos[JINJA_MAX_PARAMS], f, self = jv_of(J_MISSING);
	struct jkw kw[JINJA_MAX_PARAMS];
	struct jargv args = {.pos = pos, .kw = kw};

	if (n->a->kind == N_GETATTR) {
		self = jinja_eval(r, n->a->a);
		method = find_method(n->a, self);
		r->line = n->a->line;
		f = method ? jv_of(J_NONE) : jinja_getattr(r, self, n->a->value.u.s);
	} else {
		f = jinja_eval(r, n->a);
	}
	if (f.type == J_UNDEFINED)
		jinja_undefined_fail(r, f);
	jinja_evaluate_args(r, n->args, &args);
	r->line = n->line;
	return method ? jinja_call_builtin(r, method, self, &args) : jinja_call(r, f, &args);
}

static struct jv eval_slice(struct jrun *r, const struct jnode *n)
{
	struct jv v = jinja_eval(r, n->a), none = jv_of(J_NONE);
	struct jv start = n->b->a ? jinja_eval(r, n->b->a) : none;
	struct jv stop = n->b->b ? jinja_eval(r, n->b->b) : none;
	struct jv step = n->b->c ? jinja_eval(r, n->b->c) : none;

	r->line = n->line;
	return jinja_slice(r, v, start, stop, step);
}

static struct jv eval_condition(struct jrun *r, const struct jnode *n)
{
	struct jtext t = {.r = r};

	if (jinja_truth(r, jinja_eval(r, n->b)))
		return jinja_eval(r, n->a);
	if (n->c)
		return jinja_eval(r, n->c);
	jtext_add_fmt(&t,
		"the inline if-expression on line %d evaluated to false and no else section was defined.",
		n->line);
	jtext_add_char(&t, '\0');
	return jinja_undefined_hint(r, t.s);
}

static struct jv eval(struct jrun *r, const struct jnode *n)
{
	struct jv a, b;

	switch (n->kind) {
	case N_CONST:
		return n->value;
	case N_NAME:
		return lookup(r, n->name);
	case N_TUPLE:
	case N_LIST:
		return eval_list(r, n);
	case N_DICT:
		return eval_dict(r, n);
	case N_COND:
		return eval_condition(r, n);
	case N_OR:
	case N_AND:
		a = jinja_eval(r, n->a);
		return jinja_truth(r, a) == (n->kind == N_OR) ? a : jinja_eval(r, n->b);
	case N_NOT:
		return jv_bool(!jinja_truth(r, jinja_eval(r, n->a)));
	case N_COMPARE:
		return eval_compare(r, n);
	case N_CONCAT:
		return eval_concat(r, n);
	case N_NEG:
	case N_POS:
		a = jinja_eval(r, n->a);
		r->line = n->line;
		return jinja_unary(r, (enum jkind)n->kind, a);
	case N_GETATTR:
		a = jinja_eval(r, n->a);
		r->line = n->line;
		return jinja_getattr(r, a, n->value.u.s);
	case N_GETITEM:
		if (n->b->kind == N_SLICE)
			return eval_slice(r, n);
		a = jinja_eval(r, n->a);
		b = jinja_eval(r, n->b);
		r->line = n->line;
		return jinja_getitem(r, a, b);
	case N_CALL:
		return eval_call(r, n);
	case N_FILTER:
	case N_TEST:
		return eval_filter(r, n);
	default:
		a = jinja_eval(r, n->a);
		b = jinja_eval(r, n->b);
		r->line = n->line;
		return jinja_binary(r, (enum jkind)n->kind, a, b);
	}
}

struct jv jinja_eval(struct jrun *r, const struct jnode *n)
{
	struct jv v;

	jinja_step(r, 1);
	if (n->kind == N_CONST)
		return n->value;
	jinja_enter(r);
	v = eval(r, n);
	jinja_leave(r);
	return v;
}
