#include "jinja/jinja_impl.h"

#include "base/mem.h"

/* Statements. */

static void bind_namespace(struct jrun *r, const struct jnode *target, struct jv v)
{
	struct jnode name = {.kind = N_NAME, .name = target->name};
	struct jv ns = jinja_eval(r, &name);

	if (ns.type != J_NAMESPACE)
		jinja_raise(r, E_RUNTIME, "cannot assign attribute on non-namespace object");
	if (jv_given(v))
		jinja_dict_put(r, ns.u.d, target->value, v);
}

static void bind_tuple(struct jrun *r, struct jframe *f, const struct jnode *target, struct jv v)
{
	struct jv items = jinja_unpack(r, v, target->list.n);

	for (size_t i = 0; i < target->list.n; i++)
		jinja_bind_target(r, f, target->list.at[i], items.u.l->items[i]);
}

void jinja_bind_target(struct jrun *r, struct jframe *f, const struct jnode *target, struct jv v)
{
	if (target->kind == N_NAME)
		jinja_set(r, f, target->name, v);
	else if (target->kind == N_NSREF)
		bind_namespace(r, target, v);
	else
		bind_tuple(r, f, target, v);
}

/* ---- loops */

/* What the names of a target are bound to, as one value. */
static struct jv target_value(struct jrun *r, const struct jframe *f, const struct jnode *target)
{
	struct jv v = jv_of(J_NONE);

	if (target->kind == N_TUPLE) {
		v = jinja_list(r, J_TUPLE, target->list.n);
		for (size_t i = 0; i < target->list.n; i++)
			jinja_list_add(r, v.u.l, target_value(r, f, target->list.at[i]));
		return v;
	}
	for (size_t i = 0; i < f->n; i++)
		if (f->vars[i].name == target->name)
			v = f->vars[i].v;
	return v;
}

/* The items of a for that its test lets through. */
static bool next_of_test(struct jrun *r, struct jgen *g, struct jv *out)
{
	struct jframe *frame = r->frame;
	bool found = false;

	while (!found && jinja_next(r, &g->source, out)) {
		r->frame = g->frame;
		g->frame->n = 0;
		jinja_bind_target(r, g->frame, g->loop->a, *out);
		found = jinja_truth(r, jinja_eval(r, g->loop->c));
		r->frame = frame;
	}
	if (found)
		*out = target_value(r, g->frame, g->loop->a);
	return found;
}

static enum jflow run_loop(struct jrun *r, const struct jnode *n, struct jv iterable, struct jframe *outer,
	int64_t depth0)
{
	struct jloop *loop = jinja_alloc(r, 1, sizeof *loop);
	struct jframe *frame, *saved = r->frame;
	enum jflow flow = FLOW_NEXT;
	bool whole = false;
	struct jv item;

	if (n->c) {
		iterable = jinja_generator(r, GEN_GENERATOR, iterable);
		iterable.u.gen->next = next_of_test;
		iterable.u.gen->loop = n;
		iterable.u.gen->frame = jinja_frame(r, outer);
	}
	*loop = (struct jloop){.node = n, .outer = outer, .iterable = iterable, .index0 = -1, .depth0 = depth0,
		.length = -1};
	jinja_iter(r, &loop->iter, iterable);
	frame = jinja_frame(r, outer);
	while (flow != FLOW_BREAK) {
		r->frame = saved;
		if (!jinja_loop_next(r, loop, &item))
			break;
		frame->n = 0;
		r->frame = frame;
		if (n->extended)
			jinja_set(r, frame, r->t->loop_name, (struct jv){.type = J_LOOP, .u.loop = loop});
		jinja_frame_unbound(r, frame, n, 0);
		jinja_bind_target(r, frame, n->a, item);
		flow = jinja_exec(r, &n->body);
		/* as in Jinja2, a body that is left early does not count for the else */
		whole |= flow == FLOW_NEXT;
	}
	flow = FLOW_NEXT;
	if (!whole && n->other.n) {
		r->frame = jinja_frame(r, outer);
		jinja_frame_unbound(r, r->frame, n, 1);
		flow = jinja_exec(r, &n->other);
	}
	r->frame = saved;
	return flow;
}

struct jv jinja_call_loop(struct jrun *r, struct jloop *loop, const struct jargv *args)
{
	struct jtext text, *outer;
	struct jv v;

	if (args->n != 1 || args->nkw)
		jinja_raise(r, E_TYPE, "LoopContext.__call__() takes 2 positional arguments but %zu were given",
			args->n + 1);
	if (!loop->node->recursive)
		jinja_raise(r, E_TYPE, "The loop must have the 'recursive' marker to be called recursively.");
	v = args->pos[0];
	jinja_enter(r);
	outer = jinja_capture(r, &text);
	run_loop(r, loop->node, v, loop->outer, loop->depth0 + 1);
	jinja_release_capture(r, outer);
	jinja_leave(r);
	v = jtext_take(&text);
	v.flag = r->autoescape;
	return v;
}

struct jv jinja_loop_attr(struct jrun *r, struct jv v, const struct jstr *name)
{
	static const char *const names[] = {"index", "index0", "first", "last", "length", "revindex",
		"revindex0", "previtem", "nextitem", "depth", "depth0"};
	struct jloop *l = v.u.loop;
	size_t which = 0;
	struct jv rest, next;

	while (which < JINJA_COUNT(names) &&
		!(name->n == strlen(names[which]) && !memcmp(name->s, names[which], name->n)))
		which++;
	if (which >= 4 && which <= 6 && l->length < 0) {
		if (jinja_has_len(l->iterable)) {
			l->length = (int64_t)jinja_len(r, l->iterable);
		} else {
			rest = jinja_list(r, J_LIST, 0);
			while (jinja_next(r, &l->iter, &next))
				jinja_list_add(r, rest.u.l, next);
			jinja_iter(r, &l->iter, rest);
			l->length = (int64_t)rest.u.l->n + l->index0 + 1 + jv_given(l->after);
		}
	}
	if ((which == 3 || which == 8) && !jv_given(l->after) && !jinja_next(r, &l->iter, &l->after))
		l->after = jv_of(J_MISSING);
	switch (which) {
	case 0:
		return jv_int(l->index0 + 1);
	case 1:
		return jv_int(l->index0);
	case 2:
		return jv_bool(l->index0 == 0);
	case 3:
		return jv_bool(!jv_given(l->after));
	case 4:
		return jv_int(l->length);
	case 5:
		return jv_int(l->length - l->index0);
	case 6:
		return jv_int(l->length - l->index0 - 1);
	case 7:
		return jv_given(l->before) && l->index0 ? l->before
							: jinja_undefined_hint(r, "there is no previous item");
	case 8:
		return jv_given(l->after) ? l->after : jinja_undefined_hint(r, "there is no next item");
	case 9:
	case 10:
		return jv_int(l->depth0 + (which == 9));
	default:
		return jv_of(J_MISSING);
	}
}

/* ---- the other statements */

static enum jflow exec_if(struct jrun *r, const struct jnode *n)
{
	for (size_t i = 0; i < n->list.n; i++)
		if (jinja_truth(r, jinja_eval(r, n->list.at[i]->a)))
			return jinja_exec(r, &n->list.at[i]->body);
	return jinja_exec(r, &n->other);
}

static void exec_set(struct jrun *r, const struct jnode *n)
{
	if (n->a->kind == N_NSREF)
		bind_namespace(r, n->a, jv_of(J_MISSING));
	jinja_bind_target(r, r->frame, n->a, jinja_eval(r, n->b));
}

/* A body in a frame of its own. */
static enum jflow exec_framed(struct jrun *r, const struct jnode *n, struct jframe *frame)
{
	struct jframe *saved = r->frame;
	enum jflow flow;

	r->frame = frame;
	jinja_frame_unbound(r, frame, n, 0);
	flow = jinja_exec(r, &n->body);
	r->frame = saved;
	return flow;
}

/* {% set x %} and {% filter f %}: the body's text, through a filter. */
static enum jflow exec_captured(struct jrun *r, const struct jnode *n)
{
	struct jframe *saved = r->frame, *frame = jinja_frame(r, saved);
	struct jtext text, *outer = jinja_capture(r, &text);
	enum jflow flow = exec_framed(r, n, frame);
	struct jv v;

	jinja_release_capture(r, outer);
	if (flow != FLOW_NEXT)
		return flow;
	v = jtext_take(&text);
	v.flag = r->autoescape;
	if (n->b) {
		r->frame = frame;
		r->captured = v;
		v = jinja_eval(r, n->b);
		r->frame = saved;
	}
	if (n->kind == N_FILTERBLOCK)
		jinja_write(r, v);
	else
		jinja_bind_target(r, saved, n->a, v);
	return FLOW_NEXT;
}

static enum jflow exec_with(struct jrun *r, const struct jnode *n)
{
	struct jframe *frame = jinja_frame(r, r->frame), *saved = r->frame;
	enum jflow flow;

	jinja_frame_unbound(r, frame, n, 0);
	for (size_t i = 0; i < n->list.n; i++)
		jinja_bind_target(r, frame, n->list.at[i], jinja_eval(r, n->other.at[i]));
	r->frame = frame;
	flow = jinja_exec(r, &n->body);
	r->frame = saved;
	return flow;
}

static struct jv new_macro(struct jrun *r, const struct jnode *n)
{
	struct jmacro *m = jinja_alloc(r, 1, sizeof *m);

	*m = (struct jmacro){.node = n, .frame = r->frame};
	return (struct jv){.type = J_MACRO, .u.macro = m};
}

/* {% call f() %}: f gets the body as a macro named caller. */
static void exec_call_block(struct jrun *r, const struct jnode *n)
{
	struct jv caller = new_macro(r, n), f = jinja_eval(r, n->a->a), pos[JINJA_MAX_PARAMS];
	struct jkw kw[JINJA_MAX_PARAMS], *more;
	struct jargv args = {.pos = pos, .kw = kw};

	if (f.type == J_UNDEFINED)
		jinja_undefined_fail(r, f);
	jinja_evaluate_args(r, n->a->args, &args);
	more = jinja_alloc(r, args.nkw + 1, sizeof *more);
	if (args.nkw)
		memcpy(more, args.kw, args.nkw * sizeof *more);
	more[args.nkw++] = (struct jkw){.name = &r->t->names[r->t->caller_name], .v = caller};
	args.kw = more;
	r->line = n->line;
	jinja_write(r, jinja_call(r, f, &args));
}

static enum jflow exec_generation(struct jrun *r, const struct jnode *n)
{
	struct jframe *frame = jinja_frame(r, r->frame);
	size_t from = r->before + r->out->n;
	enum jflow flow;

	if (n->caller)
		jinja_set(r, frame, r->t->caller_name, jinja_undefined_hint(r, "No caller defined"));
	flow = exec_framed(r, n, frame);
	if (r->options->generation)
		r->options->generation(r->options->context, from, r->before + r->out->n);
	return flow;
}

static enum jflow exec_autoescape(struct jrun *r, const struct jnode *n)
{
	bool saved = r->autoescape;
	enum jflow flow;

	r->autoescape = jinja_truth(r, jinja_eval(r, n->a));
	flow = exec_framed(r, n, jinja_frame(r, r->frame));
	r->autoescape = saved;
	return flow;
}

static void exec_output(struct jrun *r, const struct jnode *n)
{
	for (size_t i = 0; i < n->list.n; i++) {
		const struct jnode *item = n->list.at[i];

		if (item->kind == N_CONST && item->op) {
			jtext_add(r->out, item->value.u.s->s, item->value.u.s->n);
			jinja_step(r, 1 + (item->value.u.s->n >> 6));
			if (r->before + r->out->n > r->limits.output)
				jinja_limit(r, "bytes of output", r->limits.output);
		} else {
			jinja_write(r, jinja_eval(r, item));
		}
	}
}

static enum jflow exec(struct jrun *r, const struct jnode *n)
{
	switch (n->kind) {
	case N_OUTPUT:
		exec_output(r, n);
		return FLOW_NEXT;
	case N_IF:
		return exec_if(r, n);
	case N_FOR:
		return run_loop(r, n, jinja_eval(r, n->b), r->frame, 0);
	case N_SET:
		exec_set(r, n);
		return FLOW_NEXT;
	case N_SETBLOCK:
	case N_FILTERBLOCK:
		return exec_captured(r, n);
	case N_MACRO:
		jinja_set(r, r->frame, n->name, new_macro(r, n));
		return FLOW_NEXT;
	case N_CALLBLOCK:
		exec_call_block(r, n);
		return FLOW_NEXT;
	case N_WITH:
		return exec_with(r, n);
	case N_BLOCK:
		return exec_framed(r, n, jinja_frame(r, r->root));
	case N_SCOPE:
		return exec_autoescape(r, n);
	case N_GENERATION:
		return exec_generation(r, n);
	case N_BREAK:
		return FLOW_BREAK;
	case N_CONTINUE:
		return FLOW_CONTINUE;
	default:
		jinja_eval(r, n->a);
		jinja_raise(r, E_TYPE, "no loader for this environment specified");
	}
}

enum jflow jinja_exec(struct jrun *r, const struct jnodes *body)
{
	enum jflow flow = FLOW_NEXT;

	jinja_enter(r);
	for (size_t i = 0; i < body->n && flow == FLOW_NEXT; i++) {
		jinja_step(r, 1);
		r->line = body->at[i]->line;
		flow = exec(r, body->at[i]);
	}
	jinja_leave(r);
	return flow;
}
