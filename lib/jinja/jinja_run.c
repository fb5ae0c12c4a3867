#include "jinja/jinja_impl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* One rendering: its memory, limits and errors. */

static const char *const exceptions[] = {
	[E_TYPE] = "TypeError",
	[E_VALUE] = "ValueError",
	[E_UNDEFINED] = "UndefinedError",
	[E_SECURITY] = "SecurityError",
	[E_RUNTIME] = "TemplateRuntimeError",
	[E_TEMPLATE] = "TemplateError",
	[E_ZERO] = "ZeroDivisionError",
	[E_OVERFLOW] = "OverflowError",
	[E_KEY] = "KeyError",
	[E_INDEX] = "IndexError",
	[E_ATTRIBUTE] = "AttributeError",
	[E_ASSERTION] = "AssertionError",
	[E_FILTER_ARGUMENT] = "FilterArgumentError",
	[E_PYTHON_RUNTIME] = "RuntimeError",
	[E_NOT_IMPLEMENTED] = "NotImplementedError",
};

_Noreturn void jinja_raise_text(struct jrun *r, enum jexc kind, const char *s, size_t n)
{
	struct buf *whole = r->options->exception;

	err_set(r->err, ERR_FAILED, "line %d: %s: %.*s", r->line, exceptions[kind], n < 900 ? (int)n : 900, s);
	if (whole) {
		buf_add_fmt(whole, "%s: ", exceptions[kind]);
		buf_add(whole, s, n);
	}
	longjmp(r->unwind, 1);
}

_Noreturn void jinja_raise(struct jrun *r, enum jexc kind, const char *fmt, ...)
{
	char text[2000];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	jinja_raise_text(r, kind, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

_Noreturn void jinja_limit(struct jrun *r, const char *what, size_t limit)
{
	err_set(r->err, ERR_LIMIT, "line %d: the template needs more than %zu %s", r->line, limit, what);
	longjmp(r->unwind, 1);
}

void *jinja_alloc(struct jrun *r, size_t n, size_t size)
{
	size_t bytes, all;
	void *p;

	if (!size_mul(n, size, &bytes) || !size_add(r->memory, bytes, &all) || all > r->limits.memory)
		jinja_limit(r, "bytes of memory", r->limits.memory);
	r->memory = all;
	jinja_step(r, bytes >> 7);
	p = arena_new(&r->arena, bytes, 1, r->err);
	if (!p)
		longjmp(r->unwind, 1);
	return p;
}

void jinja_enter(struct jrun *r)
{
	if (++r->depth > r->limits.depth)
		jinja_limit(r, "levels of nesting", r->limits.depth);
}

/* ---- frames */

struct jframe *jinja_frame(struct jrun *r, struct jframe *parent)
{
	struct jframe *f = jinja_alloc(r, 1, sizeof *f);

	*f = (struct jframe){.parent = parent};
	return f;
}

void jinja_set(struct jrun *r, struct jframe *f, int name, struct jv v)
{
	struct jvar *vars;

	for (size_t i = 0; i < f->n; i++)
		if (f->vars[i].name == name) {
			f->vars[i].v = v;
			return;
		}
	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 4;
		vars = jinja_alloc(r, f->cap, sizeof *vars);
		if (f->n)
			memcpy(vars, f->vars, f->n * sizeof *vars);
		f->vars = vars;
	}
	f->vars[f->n++] = (struct jvar){.name = name, .v = v};
}

void jinja_frame_unbound(struct jrun *r, struct jframe *f, const struct jnode *n, int which)
{
	for (size_t i = 0; i < n->nunbound[which]; i++)
		jinja_set(r, f, n->unbound[which][i], jv_of(J_MISSING));
}

/* ---- text that is caught instead of printed */

struct jtext *jinja_capture(struct jrun *r, struct jtext *text)
{
	struct jtext *outer = r->out;

	*text = (struct jtext){.r = r};
	r->before += outer->n;
	r->out = text;
	return outer;
}

void jinja_release_capture(struct jrun *r, struct jtext *outer)
{
	r->out = outer;
	r->before -= outer->n;
}

void jinja_write(struct jrun *r, struct jv v)
{
	jinja_put_str(r->out, r->autoescape ? jinja_escape(r, v) : v);
	if (r->before + r->out->n > r->limits.output)
		jinja_limit(r, "bytes of output", r->limits.output);
}

/* ---- the rendering */

static int find_name(const struct jinja *t, const char *s, size_t n)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	h ^= h >> 32;
	for (size_t at = h & (t->nslots - 1); t->slots[at]; at = (at + 1) & (t->nslots - 1)) {
		const struct jstr *name = &t->names[t->slots[at] - 1];

		if (name->n == n && !memcmp(name->s, s, n))
			return t->slots[at] - 1;
	}
	return -1;
}

static struct jv join_arrays(struct jrun *r)
{
	const struct jinja_options *o = r->options;
	struct jv list;
	size_t n = 0;

	for (size_t i = 0; i < o->narrays; i++)
		n += json_count(o->arrays[i]);
	list = jinja_list(r, J_LIST, n);
	for (size_t i = 0; i < o->narrays; i++)
		for (const struct json *v = json_first(o->arrays[i]); v; v = json_next(v))
			jinja_list_add(r, list.u.l, jinja_from_json(r, v));
	return list;
}

static void bind_globals(struct jrun *r, const struct json *variables)
{
	const struct jinja *t = r->t;
	const struct jbuiltin *f;
	int name;

	r->globals = jinja_alloc(r, t->nnames, sizeof *r->globals);
	for (size_t i = 0; i < t->nnames; i++) {
		f = jinja_function_find(t->names[i].s, t->names[i].n);
		r->globals[i] = f ? (struct jv){.type = J_FUNCTION, .u.function = f} : jv_of(J_MISSING);
	}
	if (json_kind(variables) == JSON_OBJECT)
		for (const struct json *v = json_first(variables); v; v = json_next(v)) {
			name = find_name(t, json_key(v), strlen(json_key(v)));
			if (name >= 0)
				r->globals[name] = jinja_from_json(r, v);
		}
	name = r->options->list ? find_name(t, r->options->list, strlen(r->options->list)) : -1;
	if (name >= 0)
		r->globals[name] = join_arrays(r);
	r->globals[t->self_name] = jv_of(J_SELF);
}

static int render(struct jrun *r, const struct json *variables)
{
	if (setjmp(r->unwind))
		return -1;
	bind_globals(r, variables);
	r->root = r->frame = jinja_frame(r, NULL);
	jinja_frame_unbound(r, r->root, r->t->root, 0);
	jinja_exec(r, &r->t->root->body);
	return 0;
}

int jinja_render(const struct jinja *t, const struct json *variables, const struct jinja_options *o,
	struct buf *out, struct err *err)
{
	static const struct jinja_options none;
	struct jrun *r = mem_new(1, sizeof *r, err);
	struct jtext text = {.r = r};
	size_t before = out->len;
	int rc;

	if (!r)
		return -1;
	r->t = t;
	r->options = o ? o : &none;
	r->limits = r->options->limits;
	if (!r->limits.steps)
		r->limits.steps = 50000000;
	if (!r->limits.depth)
		r->limits.depth = 3000;
	if (!r->limits.output)
		r->limits.output = (size_t)64 << 20;
	if (!r->limits.memory)
		r->limits.memory = (size_t)1 << 30;
	r->err = err;
	r->out = &text;
	r->line = 1;
	if (r->options->exception)
		buf_clear(r->options->exception);
	rc = render(r, variables);
	if (rc == 0) {
		buf_add(out, text.s, text.n);
		rc = buf_check(out, err);
		if (rc)
			out->len = before;
	}
	arena_release(&r->arena);
	free(r);
	return rc;
}
