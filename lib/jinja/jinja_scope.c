#include "jinja/jinja_impl.h"

/*
 * What a name means where. A block with names of its own (a frame: the template, a loop's body, a macro,
 * with, ...) looks for a name in itself, then in the blocks around it, then among the variables; so the
 * walker does it when it runs. What it cannot know then is that Jinja2 decides from the text: a name that a
 * frame sets before it reads it, and that no frame around it has, is unbound until it is set, even where a
 * variable has that name. It matters to macros, which run before what follows them. Here each frame gets
 * the list of these names, by the rules of Jinja2's idtracking.
 *
 * On the way: filters and tests must exist (within an if or a conditional expression only when they are
 * used), and loops and macros learn which special names their bodies use.
 */

enum load { NOT_SEEN, PARAMETER, RESOLVE, ALIAS, UNBOUND };

struct symbols {
	const struct symbols *parent;
	uint8_t *loads;	 /* by name: enum load */
	uint8_t *stores; /* by name */
};

static void charge(struct jparser *p, size_t n)
{
	p->work += n;
	if (p->work > (size_t)1 << 28)
		jinja_fail_limit(p, "the template has too many blocks and names");
}

static struct symbols new_symbols(struct jparser *p, const struct symbols *parent)
{
	size_t n = p->t->nnames;

	charge(p, n);
	return (struct symbols){
		.parent = parent,
		.loads = jinja_parse_alloc(p, n, 1),
		.stores = jinja_parse_alloc(p, n, 1),
	};
}

static bool known(const struct symbols *s, int name)
{
	for (; s; s = s->parent)
		if (s->loads[name])
			return true;
	return false;
}

static void store(struct symbols *s, int name)
{
	s->stores[name] = 1;
	if (!s->loads[name])
		s->loads[name] = known(s->parent, name) ? ALIAS : UNBOUND;
}

static void declare(struct symbols *s, int name)
{
	s->stores[name] = 1;
	s->loads[name] = PARAMETER;
}

/* Calls visit for each node right below n. */
static void each_child(const struct jnode *n, void (*visit)(void *context, struct jnode *child), void *context)
{
	const struct jnodes *lists[] = {&n->list, &n->body, &n->other, n->args ? &n->args->pos : NULL};
	struct jnode *ones[] = {n->a, n->b, n->c, n->args ? n->args->star : NULL,
		n->args ? n->args->starstar : NULL};

	for (size_t i = 0; i < JINJA_COUNT(ones); i++)
		if (ones[i])
			visit(context, ones[i]);
	for (size_t i = 0; i < JINJA_COUNT(lists); i++)
		for (size_t k = 0; lists[i] && k < lists[i]->n; k++)
			visit(context, lists[i]->at[k]);
	for (size_t i = 0; n->args && i < n->args->nkw; i++)
		visit(context, n->args->kw[i].value);
}

/* ---- the names of one frame, in the order of the text */

static void see_expression(void *context, struct jnode *n)
{
	struct symbols *s = context;

	if ((n->kind == N_NAME || n->kind == N_NSREF) && !known(s, n->name))
		s->loads[n->name] = RESOLVE;
	each_child(n, see_expression, s);
}

static void see_target(struct symbols *s, const struct jnode *n, bool parameter)
{
	if (n->kind == N_NAME && parameter)
		declare(s, n->name);
	else if (n->kind == N_NAME)
		store(s, n->name);
	else if (n->kind == N_NSREF && !known(s, n->name))
		s->loads[n->name] = RESOLVE;
	for (size_t i = 0; i < n->list.n; i++)
		see_target(s, n->list.at[i], parameter);
}

static void see_body(struct jparser *p, struct symbols *s, const struct jnodes *body);

/*
 * The branches of an if from the i-th on: what only some of them set keeps its value from outside. An elif
 * is a branch that holds an if of its own, as in Jinja2's tree.
 */
static void see_if(struct jparser *p, struct symbols *s, const struct jnode *n)
{
	size_t names = p->t->nnames;
	struct symbols branch;
	uint8_t *counts = jinja_parse_alloc(p, names, 1);
	uint8_t *loads = jinja_parse_alloc(p, names, 1), *stores = jinja_parse_alloc(p, names, 1);

	charge(p, 3 * names);
	see_expression(s, n->list.at[0]->a);
	for (int which = 0; which < 3; which++) {
		branch = new_symbols(p, s->parent);
		memcpy(branch.loads, s->loads, names);
		memcpy(branch.stores, s->stores, names);
		if (which == 0)
			see_body(p, &branch, &n->list.at[0]->body);
		for (size_t i = 1; which == 1 && i < n->list.n; i++) {
			struct jnode alone = {.kind = N_IF};

			alone.list = (struct jnodes){.at = n->list.at + i, .n = 1};
			see_if(p, &branch, &alone);
		}
		if (which == 2)
			see_body(p, &branch, &n->other);
		for (size_t i = 0; i < names; i++) {
			counts[i] = (uint8_t)(counts[i] + (branch.stores[i] && !s->stores[i]));
			if (branch.loads[i])
				loads[i] = branch.loads[i];
			stores[i] |= branch.stores[i];
		}
	}
	for (size_t i = 0; i < names; i++) {
		if (counts[i] && counts[i] < 3)
			loads[i] = known(s->parent, (int)i) ? ALIAS : RESOLVE;
		if (loads[i])
			s->loads[i] = loads[i];
		s->stores[i] |= stores[i];
	}
}

static void see_statement(struct jparser *p, struct symbols *s, struct jnode *n)
{
	switch (n->kind) {
	case N_OUTPUT:
		each_child(n, see_expression, s);
		break;
	case N_IF:
		see_if(p, s, n);
		break;
	case N_SET:
		see_expression(s, n->b);
		see_target(s, n->a, false);
		break;
	case N_SETBLOCK:
		see_target(s, n->a, false);
		break;
	case N_FOR:
	case N_FILTERBLOCK:
		see_expression(s, n->b);
		break;
	case N_CALLBLOCK:
	case N_LOAD:
		see_expression(s, n->a);
		break;
	case N_MACRO:
		store(s, n->name);
		break;
	case N_WITH:
		for (size_t i = 0; i < n->other.n; i++)
			see_expression(s, n->other.at[i]);
		break;
	default:
		break;
	}
}

static void see_body(struct jparser *p, struct symbols *s, const struct jnodes *body)
{
	for (size_t i = 0; i < body->n; i++)
		see_statement(p, s, body->at[i]);
}

/* ---- which of the special names a body uses */

struct search {
	int name;
	bool found, stopped;
};

static void search_in(void *context, struct jnode *n)
{
	struct search *s = context;

	if (s->found || s->stopped || n->kind == N_BLOCK)
		return;
	if (n->kind == N_NAME && n->name == s->name)
		s->found = true;
	/* parameters and targets of that name hide it from what follows */
	if (n->kind == N_MACRO || n->kind == N_CALLBLOCK || n->kind == N_WITH)
		for (size_t i = 0; i < n->list.n; i++)
			s->stopped |= n->list.at[i]->kind == N_NAME && n->list.at[i]->name == s->name;
	if ((n->kind == N_SET || n->kind == N_SETBLOCK || n->kind == N_FOR) && n->a->kind == N_NAME &&
		n->a->name == s->name)
		s->stopped = true;
	if (!s->stopped)
		each_child(n, search_in, s);
}

static bool has_name(const struct jnode *target, int name)
{
	bool found = target->kind == N_NAME && target->name == name;

	for (size_t i = 0; i < target->list.n; i++)
		found |= has_name(target->list.at[i], name);
	return found;
}

static bool uses(const struct jnodes *body, int name)
{
	struct search s = {.name = name};

	for (size_t i = 0; i < body->n; i++)
		search_in(&s, body->at[i]);
	return s.found;
}

/* Is the name bound anywhere within? */
static void search_target(void *context, struct jnode *n)
{
	struct search *s = context;

	if (n->kind == N_SET || n->kind == N_SETBLOCK || n->kind == N_FOR)
		s->found |= has_name(n->a, s->name);
	each_child(n, search_target, s);
}

static bool binds(struct jnode *n, int name)
{
	struct search s = {.name = name};

	search_target(&s, n);
	return s.found;
}

/* ---- all frames */

struct walk {
	struct jparser *p;
	bool soft;  /* within an if: an unknown filter is an error only when it is used */
	int loops; /* for loops around this place */
};

static void check_expression(void *context, struct jnode *n)
{
	struct walk *w = context;
	bool soft = w->soft;

	if ((n->kind == N_FILTER || n->kind == N_TEST) && !n->builtin && !soft)
		jinja_fail(w->p, n->line, "TemplateAssertionError", "No %s named '%.*s'.",
			n->kind == N_FILTER ? "filter" : "test",
			n->value.u.s->n < 200 ? (int)n->value.u.s->n : 200, n->value.u.s->s);
	if (n->kind == N_COND)
		w->soft = true;
	each_child(n, check_expression, w);
	w->soft = soft;
}

/* An expression that belongs to a frame of its own, in which no if is around it. */
static void check_inner(struct walk *w, struct jnode *n)
{
	bool soft = w->soft;

	w->soft = false;
	check_expression(w, n);
	w->soft = soft;
}

static void walk_body(struct walk *w, const struct symbols *s, const struct jnodes *body);

static void finish(struct walk *w, const struct symbols *s, struct jnode *n, int which)
{
	size_t count = 0, names = w->p->t->nnames;

	charge(w->p, names);
	for (size_t i = 0; i < names; i++)
		count += s->loads[i] == UNBOUND;
	n->unbound[which] = jinja_parse_alloc(w->p, count, sizeof(int));
	n->nunbound[which] = count;
	for (size_t i = 0, k = 0; i < names; i++)
		if (s->loads[i] == UNBOUND)
			n->unbound[which][k++] = (int)i;
}

static void walk_frame(struct walk *w, struct symbols *s, struct jnode *n, const struct jnodes *body, int which)
{
	bool soft = w->soft;

	see_body(w->p, s, body);
	finish(w, s, n, which);
	w->soft = false;
	walk_body(w, s, body);
	w->soft = soft;
}

static void walk_for(struct walk *w, const struct symbols *outer, struct jnode *n)
{
	struct jinja *t = w->p->t;
	struct symbols s = new_symbols(w->p, outer), other = new_symbols(w->p, outer);

	check_expression(w, n->b);
	if (n->c)
		check_inner(w, n->c);
	n->extended = n->recursive || uses(&n->body, t->loop_name);
	if (!w->loops && binds(n, t->loop_name))
		jinja_fail(w->p, n->line, "TemplateAssertionError",
			"Can't assign to special loop variable in for-loop target");
	if (n->extended)
		declare(&s, t->loop_name);
	see_target(&s, n->a, true);
	w->loops++;
	walk_frame(w, &s, n, &n->body, 0);
	w->loops--;
	walk_frame(w, &other, n, &n->other, 1);
}

static void walk_macro(struct walk *w, const struct symbols *outer, struct jnode *n)
{
	struct jinja *t = w->p->t;
	struct symbols s = new_symbols(w->p, outer);
	bool caller = false, kwargs = false, varargs = false;

	for (size_t i = 0; i < n->list.n; i++) {
		declare(&s, n->list.at[i]->name);
		caller |= n->list.at[i]->name == t->caller_name;
		kwargs |= n->list.at[i]->name == t->kwargs_name;
		varargs |= n->list.at[i]->name == t->varargs_name;
		if (n->list.at[i]->name == t->caller_name && i + n->other.n < n->list.n &&
			uses(&n->body, t->caller_name))
			jinja_fail(w->p, n->line, "TemplateAssertionError",
				"When defining macros or call blocks the special \"caller\" argument must be"
				" omitted or be given a default.");
	}
	n->caller = !caller && uses(&n->body, t->caller_name);
	n->kwargs = !kwargs && uses(&n->body, t->kwargs_name);
	n->varargs = !varargs && uses(&n->body, t->varargs_name);
	if (n->caller)
		declare(&s, t->caller_name);
	if (n->kwargs)
		declare(&s, t->kwargs_name);
	if (n->varargs)
		declare(&s, t->varargs_name);
	for (size_t i = 0; i < n->other.n; i++) {
		see_expression(&s, n->other.at[i]);
		check_inner(w, n->other.at[i]);
	}
	walk_frame(w, &s, n, &n->body, 0);
}

static void walk_if(struct walk *w, const struct symbols *s, struct jnode *n)
{
	bool soft = w->soft;

	w->soft = true;
	for (size_t i = 0; i < n->list.n; i++) {
		check_expression(w, n->list.at[i]->a);
		walk_body(w, s, &n->list.at[i]->body);
	}
	walk_body(w, s, &n->other);
	w->soft = soft;
}

static void walk_statement(struct walk *w, const struct symbols *outer, struct jnode *n)
{
	struct symbols s;

	switch (n->kind) {
	case N_IF:
		walk_if(w, outer, n);
		break;
	case N_FOR:
		walk_for(w, outer, n);
		break;
	case N_MACRO:
	case N_CALLBLOCK:
	case N_GENERATION:
		if (n->a)
			check_expression(w, n->a);
		walk_macro(w, outer, n);
		break;
	case N_WITH:
		s = new_symbols(w->p, outer);
		for (size_t i = 0; i < n->list.n; i++) {
			see_target(&s, n->list.at[i], true);
			check_expression(w, n->other.at[i]);
		}
		walk_frame(w, &s, n, &n->body, 0);
		break;
	case N_SETBLOCK:
	case N_FILTERBLOCK:
	case N_SCOPE:
	case N_BLOCK:
		s = new_symbols(w->p, n->kind == N_BLOCK ? NULL : outer);
		if (n->b)
			see_expression(&s, n->b);
		walk_frame(w, &s, n, &n->body, 0);
		if (n->b)
			check_inner(w, n->b);
		break;
	case N_OUTPUT:
	case N_SET:
	case N_LOAD:
		each_child(n, check_expression, w);
		break;
	default:
		break;
	}
}

static void walk_body(struct walk *w, const struct symbols *s, const struct jnodes *body)
{
	for (size_t i = 0; i < body->n; i++)
		walk_statement(w, s, body->at[i]);
}

void jinja_scope(struct jparser *p, struct jinja *t)
{
	struct walk w = {.p = p};
	struct symbols s = new_symbols(p, NULL);

	walk_frame(&w, &s, t->root, &t->root->body, 0);
}
