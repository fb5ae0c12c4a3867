#include "jinja/jinja_impl.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"

/* What the parser's files share: errors, memory, nodes, names and the token that is looked at. */

_Noreturn void jinja_fail(struct jparser *p, int line, const char *kind, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	err_set(p->err, ERR_FAILED, "line %d: %s: %s", line, kind, text);
	longjmp(p->out, 1);
}

_Noreturn void jinja_fail_limit(struct jparser *p, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	err_set(p->err, ERR_LIMIT, "%s", text);
	longjmp(p->out, 1);
}

void *jinja_parse_alloc(struct jparser *p, size_t n, size_t size)
{
	void *m = arena_new(&p->t->arena, n, size, p->err);

	if (!m)
		longjmp(p->out, 1);
	memset(m, 0, n * size);
	return m;
}

void *jinja_grow(struct jparser *p, void *old, size_t n, size_t *cap, size_t size)
{
	void *m;

	if (n < *cap)
		return old;
	*cap = *cap ? 2 * *cap : 4;
	m = jinja_parse_alloc(p, *cap, size);
	if (n)
		memcpy(m, old, n * size);
	return m;
}

struct jnode *jinja_node(struct jparser *p, enum jkind kind, int line)
{
	struct jnode *n = jinja_parse_alloc(p, 1, sizeof *n);

	n->kind = (uint8_t)kind;
	n->line = line;
	n->depth = 1;
	return n;
}

struct jnode *jinja_own(struct jparser *p, struct jnode *parent, struct jnode *child)
{
	if (child && child->depth >= parent->depth)
		parent->depth = child->depth + 1;
	if (parent->depth > 900)
		jinja_fail_limit(p, "line %d: the template is nested more than 900 levels deep", parent->line);
	return child;
}

void jinja_push(struct jparser *p, struct jnode *parent, struct jnodes *list, struct jnode *n)
{
	list->at = jinja_grow(p, list->at, list->n, &list->cap, sizeof(struct jnode *));
	list->at[list->n++] = parent ? jinja_own(p, parent, n) : n;
}

struct jv jinja_const_str(struct jparser *p, const char *s, size_t n)
{
	struct jstr *str = jinja_parse_alloc(p, 1, sizeof *str);

	*str = (struct jstr){.s = s, .n = n, .chars = SIZE_MAX};
	str->chars = jinja_chars(str);
	return jv_strp(str);
}

static uint64_t hash_name(const char *s, size_t n)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 1099511628211u;
	return h ^ h >> 32;
}

int jinja_intern(struct jparser *p, const char *s, size_t n)
{
	struct jinja *t = p->t;
	size_t at, old = t->nslots;
	int *slots;

	if (2 * t->nnames >= t->nslots) {
		t->nslots = old ? 4 * old : 64;
		slots = jinja_parse_alloc(p, t->nslots, sizeof *slots);
		for (size_t i = 0; i < t->nnames; i++) {
			at = hash_name(t->names[i].s, t->names[i].n) & (t->nslots - 1);
			while (slots[at])
				at = (at + 1) & (t->nslots - 1);
			slots[at] = (int)i + 1;
		}
		t->slots = slots;
	}
	for (at = hash_name(s, n) & (t->nslots - 1); t->slots[at]; at = (at + 1) & (t->nslots - 1)) {
		const struct jstr *name = &t->names[t->slots[at] - 1];

		if (name->n == n && !memcmp(name->s, s, n))
			return t->slots[at] - 1;
	}
	t->names = jinja_grow(p, t->names, t->nnames, &t->capnames, sizeof *t->names);
	t->names[t->nnames] = (struct jstr){.s = s, .n = n, .chars = SIZE_MAX};
	t->names[t->nnames].chars = jinja_chars(&t->names[t->nnames]);
	t->slots[at] = (int)++t->nnames;
	return (int)t->nnames - 1;
}

/* ---- tokens */

void jinja_advance(struct jparser *p)
{
	p->current = *jinja_look(p);
	p->looked = false;
}

const struct jtok *jinja_look(struct jparser *p)
{
	if (!p->looked) {
		jinja_lex_next(p, &p->ahead);
		/* the end is on the last token's line */
		if (p->ahead.type == T_EOF && p->current.line)
			p->ahead.line = p->current.line;
	}
	p->looked = true;
	return &p->ahead;
}

bool jinja_is_token(const struct jtok *t, const char *name)
{
	return t->type == T_NAME && t->n == strlen(name) && !memcmp(t->s, name, t->n);
}

bool jinja_at_name(const struct jparser *p, const char *name)
{
	return jinja_is_token(&p->current, name);
}

bool jinja_skip(struct jparser *p, enum jtoken type)
{
	if (p->current.type != type)
		return false;
	jinja_advance(p);
	return true;
}

bool jinja_skip_name(struct jparser *p, const char *name)
{
	if (!jinja_at_name(p, name))
		return false;
	jinja_advance(p);
	return true;
}

void jinja_describe(const struct jtok *t, char text[128])
{
	if (t->type == T_NAME)
		snprintf(text, 128, "%.*s", t->n < 100 ? (int)t->n : 100, t->s);
	else
		snprintf(text, 128, "%s", jinja_token_name(t->type));
}

static _Noreturn void fail_expected(struct jparser *p, const char *what)
{
	char got[128];

	if (p->current.type == T_EOF)
		jinja_fail(p, p->current.line, "TemplateSyntaxError",
			"unexpected end of template, expected '%s'.", what);
	jinja_describe(&p->current, got);
	jinja_fail(p, p->current.line, "TemplateSyntaxError", "expected token '%s', got '%s'", what, got);
}

struct jtok jinja_expect(struct jparser *p, enum jtoken type)
{
	struct jtok t = p->current;

	if (t.type != type)
		fail_expected(p, jinja_token_name(type));
	jinja_advance(p);
	return t;
}

struct jtok jinja_expect_name(struct jparser *p, const char *name)
{
	struct jtok t = p->current;

	if (!jinja_is_token(&t, name))
		fail_expected(p, name);
	jinja_advance(p);
	return t;
}
