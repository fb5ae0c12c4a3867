#include "jinja/jinja_impl.h"

#include "base/mem.h"

/* Calls: of macros, builtins and the environment's functions. */

/* ---- arguments of builtins */

static bool param_at(const char **s, const char **name, size_t *n)
{
	while (**s == ' ')
		(*s)++;
	*name = *s;
	while (**s && **s != ' ')
		(*s)++;
	*n = (size_t)(*s - *name);
	return *n > 0;
}

static const char *prefix_of(const struct jbuiltin *b)
{
	return b->prefix ? b->prefix : "do_";
}

static _Noreturn void fail_missing(struct jrun *r, const struct jbuiltin *b, size_t at)
{
	const char *s = b->params, *name = s;
	size_t n = 0;

	if (b->positional)
		jinja_raise(r, E_TYPE, "%s expected at least %d argument%s, got %zu", b->name, b->required,
			b->required == 1 ? "" : "s", at);
	for (size_t i = 0; i <= at; i++)
		param_at(&s, &name, &n);
	jinja_raise(r, E_TYPE, "%s%s() missing 1 required positional argument: '%.*s'", prefix_of(b), b->name,
		(int)n, name);
}

struct jv jinja_call_builtin(struct jrun *r, const struct jbuiltin *b, struct jv self, const struct jargv *args)
{
	struct jv a[JINJA_MAX_PARAMS];
	const char *s = b->params, *name;
	size_t count = 0, n, given = 0;

	if (!s)
		return b->fn(r, self, NULL, args);
	if (b->positional && args->nkw)
		jinja_raise(r, E_TYPE, "%s.%s() takes no keyword arguments", jinja_type_name(self), b->name);
	while (param_at(&s, &name, &n)) {
		a[count] = jv_of(J_MISSING);
		if (count < args->n)
			a[count] = args->pos[count];
		for (size_t i = 0; i < args->nkw; i++)
			if (args->kw[i].name->n == n && !memcmp(args->kw[i].name->s, name, n)) {
				if (count < args->n)
					jinja_raise(r, E_TYPE, "%s%s() got multiple values for argument '%.*s'",
						prefix_of(b), b->name, (int)n, name);
				a[count] = args->kw[i].v;
				given++;
			}
		count++;
	}
	if (b->positional && count < 2 && count == b->required && args->n != count)
		jinja_raise(r, E_TYPE, "%s.%s() takes %s (%zu given)", jinja_type_name(self), b->name,
			count ? "exactly one argument" : "no arguments", args->n);
	if (args->n > count)
		jinja_raise(r, E_TYPE,
			b->positional ? "%s%s expected at most %zu argument%s, got %zu"
				      : "%s%s() takes at most %zu positional argument%s but %zu were given",
			b->positional ? "" : prefix_of(b), b->name, count, count == 1 ? "" : "s", args->n);
	if (given < args->nkw)
		for (size_t i = 0; i < args->nkw; i++) {
			bool found = false;

			for (s = b->params; param_at(&s, &name, &n);)
				found |= args->kw[i].name->n == n && !memcmp(args->kw[i].name->s, name, n);
			if (!found)
				jinja_raise(r, E_TYPE, "%s%s() got an unexpected keyword argument '%.*s'",
					prefix_of(b), b->name,
					args->kw[i].name->n < 99 ? (int)args->kw[i].name->n : 99,
					args->kw[i].name->s);
		}
	for (size_t i = 0; i < b->required; i++)
		if (!jv_given(a[i]))
			fail_missing(r, b, i);
	return b->fn(r, self, a, args);
}

/* ---- macros */

static const struct jstr *name_of(struct jrun *r, int name)
{
	return &r->t->names[name];
}

static bool same_name(const struct jstr *a, const struct jstr *b)
{
	return a->n == b->n && !memcmp(a->s, b->s, a->n);
}

static const char *macro_name(struct jrun *r, const struct jnode *n)
{
	return n->name < 0 ? "None" : jinja_show_repr(r, jv_strp(name_of(r, n->name)));
}

/* What is left of the keyword arguments once the parameters and the caller took theirs. */
static void bind_rest(struct jrun *r, const struct jnode *n, struct jframe *f, const struct jargv *args,
	const bool *used)
{
	struct jv rest;

	if (n->kwargs) {
		rest = jinja_dict(r, 0);
		for (size_t i = 0; i < args->nkw; i++)
			if (!used[i])
				jinja_dict_put(r, rest.u.d, jv_strp(args->kw[i].name), args->kw[i].v);
		jinja_set(r, f, r->t->kwargs_name, rest);
	}
	for (size_t i = 0; i < args->nkw && !n->kwargs; i++) {
		if (used[i])
			continue;
		for (size_t k = i; k < args->nkw; k++)
			if (!used[k] && same_name(args->kw[k].name, name_of(r, r->t->caller_name)))
				jinja_raise(r, E_TYPE,
					"macro %s was invoked with two values for the special caller argument."
					" This is most likely a bug.",
					macro_name(r, n));
		jinja_raise(r, E_TYPE, "macro %s takes no keyword argument %s", macro_name(r, n),
			jinja_show_repr(r, jv_strp(args->kw[i].name)));
	}
	if (n->varargs) {
		rest = jinja_list(r, J_TUPLE, 0);
		for (size_t i = n->list.n; i < args->n; i++)
			jinja_list_add(r, rest.u.l, args->pos[i]);
		jinja_set(r, f, r->t->varargs_name, rest);
	} else if (args->n > n->list.n) {
		jinja_raise(r, E_TYPE, "macro %s takes not more than %zu argument(s)", macro_name(r, n),
			n->list.n);
	}
}

static void bind_parameters(struct jrun *r, const struct jnode *n, struct jframe *f, const struct jargv *args)
{
	bool *used = jinja_alloc(r, args->nkw, sizeof *used);
	struct jtext t = {.r = r};
	struct jv v;
	size_t first = n->list.n - n->other.n;

	memset(used, 0, args->nkw * sizeof *used);
	for (size_t i = 0; i < n->list.n; i++) {
		v = i < args->n ? args->pos[i] : jv_of(J_MISSING);
		for (size_t k = 0; i >= args->n && k < args->nkw; k++)
			if (same_name(args->kw[k].name, name_of(r, n->list.at[i]->name))) {
				v = args->kw[k].v;
				used[k] = true;
			}
		jinja_set(r, f, n->list.at[i]->name, v);
	}
	if (n->caller) {
		v = jv_of(J_NONE);
		for (size_t k = 0; k < args->nkw; k++)
			if (same_name(args->kw[k].name, name_of(r, r->t->caller_name))) {
				v = args->kw[k].v;
				used[k] = true;
			}
		jinja_set(r, f, r->t->caller_name,
			v.type == J_NONE ? jinja_undefined_hint(r, "No caller defined") : v);
	}
	bind_rest(r, n, f, args, used);
	for (size_t i = 0; i < n->list.n; i++) {
		const struct jnode *param = n->list.at[i];

		for (size_t k = 0; k < f->n; k++)
			if (f->vars[k].name == param->name)
				v = f->vars[k].v;
		if (jv_given(v))
			continue;
		if (i >= first) {
			v = jinja_eval(r, n->other.at[i - first]);
		} else {
			t = (struct jtext){.r = r};
			jtext_add_str(&t, "parameter ");
			jinja_put_repr(&t, jv_strp(name_of(r, param->name)));
			jtext_add_str(&t, " was not provided");
			jtext_add_char(&t, '\0');
			v = jinja_undefined_hint(r, t.s);
		}
		jinja_set(r, f, param->name, v);
	}
}

struct jv jinja_call_macro(struct jrun *r, const struct jmacro *m, const struct jargv *args)
{
	struct jframe *f = jinja_frame(r, m->frame), *saved = r->frame;
	struct jtext text, *outer;
	struct jv v;
	int line = r->line;

	jinja_enter(r);
	r->frame = f;
	bind_parameters(r, m->node, f, args);
	jinja_frame_unbound(r, f, m->node, 0);
	outer = jinja_capture(r, &text);
	jinja_exec(r, &m->node->body);
	jinja_release_capture(r, outer);
	r->frame = saved;
	r->line = line;
	jinja_leave(r);
	v = jtext_take(&text);
	v.flag = r->autoescape;
	return v;
}

/* self.name() */
static struct jv call_block(struct jrun *r, const struct jnode *n)
{
	struct jframe *saved = r->frame;
	struct jtext text, *outer;
	struct jv v;

	jinja_enter(r);
	outer = jinja_capture(r, &text);
	r->frame = jinja_frame(r, r->root);
	jinja_frame_unbound(r, r->frame, n, 0);
	jinja_exec(r, &n->body);
	r->frame = saved;
	jinja_release_capture(r, outer);
	jinja_leave(r);
	v = jtext_take(&text);
	v.flag = r->autoescape;
	return v;
}

static struct jv call_joiner(struct jrun *r, struct jcycler *j)
{
	if (j->pos++)
		return j->items.items[0];
	j->pos = 1;
	return jinja_str(r, "", 0);
}

struct jv jinja_call(struct jrun *r, struct jv f, const struct jargv *args)
{
	switch (f.type) {
	case J_MACRO:
		return jinja_call_macro(r, f.u.macro, args);
	case J_METHOD:
		return jinja_call_builtin(r, f.u.method->fn, f.u.method->self, args);
	case J_FUNCTION:
		return jinja_call_builtin(r, f.u.function, jv_of(J_NONE), args);
	case J_LOOP:
		return jinja_call_loop(r, f.u.loop, args);
	case J_JOINER:
		return call_joiner(r, f.u.cycler);
	case J_BLOCK:
		return call_block(r, f.u.block);
	case J_UNDEFINED:
		jinja_undefined_fail(r, f);
	default:
		jinja_raise(r, E_TYPE, "'%s' object is not callable", jinja_type_name(f));
	}
}

/* ---- functions */

static struct jv make_dict(struct jrun *r, const struct jargv *args)
{
	struct jv d = jinja_dict(r, args->nkw), item, pair;
	struct jiter it;
	size_t i = 0;

	if (args->n > 1)
		jinja_raise(r, E_TYPE, "dict expected at most 1 argument, got %zu", args->n);
	if (args->n && args->pos[0].type == J_DICT) {
		const struct jdict *from = args->pos[0].u.d;

		for (; i < from->n; i++)
			jinja_dict_put(r, d.u.d, from->entries[i].key, from->entries[i].value);
	} else if (args->n) {
		jinja_iter(r, &it, args->pos[0]);
		for (; jinja_next(r, &it, &item); i++) {
			if (!jinja_iterable(item))
				jinja_raise(r, E_TYPE,
					"cannot convert dictionary update sequence element #%zu to a "
					"sequence",
					i);
			pair = jinja_to_list(r, item, J_LIST);
			if (pair.u.l->n != 2)
				jinja_raise(r, E_VALUE,
					"dictionary update sequence element #%zu has length %zu; 2 is "
					"required",
					i, pair.u.l->n);
			jinja_dict_put(r, d.u.d, pair.u.l->items[0], pair.u.l->items[1]);
		}
	}
	for (i = 0; i < args->nkw; i++)
		jinja_dict_put(r, d.u.d, jv_strp(args->kw[i].name), args->kw[i].v);
	return d;
}

static struct jv f_dict(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
{
	(void)self;
	(void)a;
	return make_dict(r, args);
}

static struct jv f_namespace(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
{
	struct jv v = make_dict(r, args);

	(void)self;
	(void)a;
	v.type = J_NAMESPACE;
	return v;
}

static struct jv f_range(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
{
	struct jrange *range = jinja_alloc(r, 1, sizeof *range);
	uint64_t span, n = 0;

	(void)self;
	(void)a;
	if (args->nkw)
		jinja_raise(r, E_TYPE, "range() takes no keyword arguments");
	if (args->n < 1 || args->n > 3)
		jinja_raise(r, E_TYPE, args->n ? "range expected at most 3 arguments, got %zu"
					       : "range expected at least 1 argument, got %zu",
			args->n);
	for (size_t i = 0; i < args->n; i++)
		if (args->pos[i].type == J_UNDEFINED)
			jinja_raise(r, E_TYPE, "'Undefined' object cannot be interpreted as an integer");
	*range = (struct jrange){.stop = jinja_index(r, args->pos[args->n > 1]), .step = 1};
	if (args->n > 1)
		range->start = jinja_index(r, args->pos[0]);
	if (args->n > 2)
		range->step = jinja_index(r, args->pos[2]);
	if (!range->step)
		jinja_raise(r, E_VALUE, "range() arg 3 must not be zero");
	if (range->step > 0 && range->stop > range->start) {
		span = (uint64_t)range->stop - (uint64_t)range->start;
		n = (span - 1) / (uint64_t)range->step + 1;
	} else if (range->step < 0 && range->stop < range->start) {
		span = (uint64_t)range->start - (uint64_t)range->stop;
		n = (span - 1) / (0 - (uint64_t)range->step) + 1;
	}
	if (n > 100000)
		jinja_raise(r, E_OVERFLOW,
			"Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
	range->n = (size_t)n;
	return (struct jv){.type = J_RANGE, .u.range = range};
}

static struct jv f_cycler(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
{
	struct jcycler *c = jinja_alloc(r, 1, sizeof *c);

	(void)self;
	(void)a;
	if (!args->n)
		jinja_raise(r, E_PYTHON_RUNTIME, "at least one item has to be provided");
	*c = (struct jcycler){.pos = 0};
	for (size_t i = 0; i < args->n; i++)
		jinja_list_add(r, &c->items, args->pos[i]);
	return (struct jv){.type = J_CYCLER, .u.cycler = c};
}

static struct jv f_joiner(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
{
	struct jcycler *c = jinja_alloc(r, 1, sizeof *c);

	(void)self;
	(void)args;
	*c = (struct jcycler){.pos = 0};
	jinja_list_add(r, &c->items, jv_given(a[0]) ? a[0] : jinja_str(r, ", ", 2));
	return (struct jv){.type = J_JOINER, .u.cycler = c};
}

static struct jv f_raise(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
{
	struct jv text = jinja_soft_str(r, a[0]);

	(void)self;
	(void)args;
	jinja_raise_text(r, E_TEMPLATE, text.u.s->s, text.u.s->n);
}

static struct jv f_strftime(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
{
	struct jtext t = {.r = r};

	(void)self;
	(void)args;
	if (a[0].type != J_STR)
		jinja_raise(r, E_TYPE, "strftime() argument 1 must be str, not %s", jinja_type_name(a[0]));
	jinja_put_time(&t, a[0].u.s);
	return jtext_take(&t);
}

static struct jv f_lipsum(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args)
{
	(void)self;
	(void)a;
	(void)args;
	jinja_raise(r, E_NOT_IMPLEMENTED, "lipsum is not supported: its text is random");
}

static const struct jbuiltin functions[] = {
	{.name = "raise_exception", .fn = f_raise, .params = "message", .required = 1, .prefix = ""},
	{.name = "strftime_now", .fn = f_strftime, .params = "format", .required = 1, .prefix = ""},
	{.name = "namespace", .fn = f_namespace, .python = "jinja2.utils.Namespace"},
	{.name = "range", .fn = f_range},
	{.name = "dict", .fn = f_dict, .python = "dict"},
	{.name = "cycler", .fn = f_cycler, .python = "jinja2.utils.Cycler"},
	{.name = "joiner", .fn = f_joiner, .params = "sep", .python = "jinja2.utils.Joiner"},
	{.name = "lipsum", .fn = f_lipsum},
};

const struct jbuiltin *jinja_function_find(const char *name, size_t n)
{
	for (size_t i = 0; i < JINJA_COUNT(functions); i++)
		if (strlen(functions[i].name) == n && !memcmp(functions[i].name, name, n))
			return &functions[i];
	return NULL;
}
