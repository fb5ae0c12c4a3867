#include "jinja/jinja_impl.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

/* Statements and bodies. */

static void add_tags(char *text, size_t size, const char *const *ends)
{
	size_t n = 0;

	text[0] = '\0';
	for (size_t i = 0; ends[i]; i++)
		n += (size_t)snprintf(text + n, n < size ? size - n : 0, "%s'%s'", i ? " or " : "", ends[i]);
}

/* A tag that nobody waits for; name is NULL at the end of the template. */
static _Noreturn void fail_tag(struct jparser *p, const struct jtok *name, int line)
{
	char message[600], looking[200], tag[120] = "";
	size_t n;
	bool expected = false;

	if (name)
		snprintf(tag, sizeof tag, "%.*s", name->n < 100 ? (int)name->n : 100, name->s);
	for (size_t i = 0; name && i < p->nends; i++)
		for (size_t k = 0; p->ends[i][k]; k++)
			expected |= !strcmp(p->ends[i][k], tag);
	n = (size_t)snprintf(message, sizeof message,
		name ? "Encountered unknown tag '%s'." : "Unexpected end of template.", tag);
	if (p->nends) {
		add_tags(looking, sizeof looking, p->ends[p->nends - 1]);
		n += (size_t)snprintf(message + n, sizeof message - n,
			expected ? " You probably made a nesting mistake. Jinja is expecting this tag, but"
				   " currently looking for %s."
				 : " Jinja was looking for the following tags: %s.",
			looking);
	}
	if (p->ntags)
		snprintf(message + n, sizeof message - n,
			" The innermost block that needs to be closed is '%s'.", p->tags[p->ntags - 1]);
	jinja_fail(p, line, "TemplateSyntaxError", "%s", message);
}

static const char *const end_set[] = {"endset", NULL}, *const end_for[] = {"endfor", NULL},
			 *const end_for_else[] = {"endfor", "else", NULL},
			 *const end_if[] = {"elif", "else", "endif", NULL},
			 *const end_endif[] = {"endif", NULL}, *const end_with[] = {"endwith", NULL},
			 *const end_macro[] = {"endmacro", NULL}, *const end_call[] = {"endcall", NULL},
			 *const end_filter[] = {"endfilter", NULL}, *const end_block[] = {"endblock", NULL},
			 *const end_autoescape[] = {"endautoescape", NULL},
			 *const end_generation[] = {"endgeneration", NULL};

static void flush(struct jparser *p, struct jnode *owner, struct jnodes *body, struct jnode **output)
{
	if (*output)
		jinja_push(p, owner, body, *output);
	*output = NULL;
}

static struct jnode *parse_statement(struct jparser *p);

static bool at_end(const struct jparser *p, const char *const *ends)
{
	for (; ends && *ends; ends++)
		if (jinja_at_name(p, *ends))
			return true;
	return false;
}

/* Until a tag of ends, which becomes the current token, or the end of the template. */
static void parse_nodes(struct jparser *p, struct jnode *owner, struct jnodes *body, const char *const *ends)
{
	struct jnode *output = NULL, *n;

	if (p->nends > JINJA_MAX_DEPTH)
		jinja_fail_limit(
			p, "line %d: more than %d blocks in one another", p->current.line, JINJA_MAX_DEPTH);
	if (ends)
		p->ends[p->nends++] = ends;
	while (p->current.type != T_EOF) {
		if (p->current.type == T_BLOCK_BEGIN) {
			flush(p, owner, body, &output);
			jinja_advance(p);
			if (at_end(p, ends))
				break;
			n = parse_statement(p);
			if (n)
				jinja_push(p, owner, body, n);
			jinja_expect(p, T_BLOCK_END);
			continue;
		}
		if (!output)
			output = jinja_node(p, N_OUTPUT, p->current.line);
		if (p->current.type == T_DATA) {
			n = jinja_node(p, N_CONST, p->current.line);
			n->op = 1; /* never escaped */
			n->value = jinja_const_str(p, p->current.s, p->current.n);
			jinja_advance(p);
			jinja_push(p, output, &output->list, n);
		} else {
			jinja_advance(p);
			jinja_push(p, output, &output->list, jinja_parse_tuple(p, 0));
			jinja_expect(p, T_VARIABLE_END);
		}
	}
	flush(p, owner, body, &output);
	if (ends && p->current.type == T_EOF)
		fail_tag(p, NULL, p->current.line);
	if (ends)
		p->nends--;
}

void jinja_parse_body(struct jparser *p, struct jnode *owner, struct jnodes *body, const char *const *ends)
{
	jinja_skip(p, T_COLON);
	jinja_expect(p, T_BLOCK_END);
	parse_nodes(p, owner, body, ends);
}

/* A body whose end is the only tag it waits for. */
static void parse_whole_body(struct jparser *p, struct jnode *n, const char *const *ends)
{
	jinja_parse_body(p, n, &n->body, ends);
	jinja_advance(p);
}

/* A body that is a function of its own: break and continue do not leave it. */
static void parse_function_body(struct jparser *p, struct jnode *n, const char *const *ends)
{
	int loops = p->loops;

	p->loops = 0;
	parse_whole_body(p, n, ends);
	p->loops = loops;
}

static struct jnode *parse_set(struct jparser *p, struct jnode *n)
{
	n->a = jinja_own(p, n, jinja_parse_target(p, true));
	if (jinja_skip(p, T_ASSIGN)) {
		n->b = jinja_own(p, n, jinja_parse_tuple(p, 0));
		return n;
	}
	n->kind = N_SETBLOCK;
	n->b = jinja_own(p, n, jinja_parse_filter(p, NULL, false));
	parse_whole_body(p, n, end_set);
	return n;
}

static struct jnode *parse_for(struct jparser *p, struct jnode *n)
{
	n->a = jinja_own(p, n, jinja_parse_target(p, false));
	jinja_expect_name(p, "in");
	n->b = jinja_own(p, n, jinja_parse_tuple(p, TUPLE_NO_COND));
	if (jinja_skip_name(p, "if"))
		n->c = jinja_own(p, n, jinja_parse_expression(p));
	n->recursive = jinja_skip_name(p, "recursive");
	p->loops++;
	jinja_parse_body(p, n, &n->body, end_for_else);
	p->loops--;
	if (jinja_skip_name(p, "endfor"))
		return n;
	jinja_advance(p);
	jinja_parse_body(p, n, &n->other, end_for);
	jinja_advance(p);
	return n;
}

static struct jnode *parse_if(struct jparser *p, struct jnode *n)
{
	struct jnode *branch;

	for (;;) {
		branch = jinja_node(p, N_BRANCH, p->current.line);
		branch->a = jinja_own(p, branch, jinja_parse_tuple(p, TUPLE_NO_COND));
		jinja_parse_body(p, branch, &branch->body, end_if);
		jinja_push(p, n, &n->list, branch);
		if (jinja_skip_name(p, "elif"))
			continue;
		if (jinja_skip_name(p, "else"))
			jinja_parse_body(p, n, &n->other, end_endif);
		jinja_advance(p);
		return n;
	}
}

static struct jnode *parse_with(struct jparser *p, struct jnode *n)
{
	while (p->current.type != T_BLOCK_END) {
		if (n->list.n)
			jinja_expect(p, T_COMMA);
		jinja_push(p, n, &n->list, jinja_parse_target(p, false));
		jinja_expect(p, T_ASSIGN);
		jinja_push(p, n, &n->other, jinja_parse_expression(p));
	}
	parse_whole_body(p, n, end_with);
	return n;
}

/* Parameters become the list, the last of them have defaults in other. */
static void parse_signature(struct jparser *p, struct jnode *n)
{
	struct jnode *name;
	struct jtok t;

	jinja_expect(p, T_LPAREN);
	while (p->current.type != T_RPAREN) {
		if (n->list.n)
			jinja_expect(p, T_COMMA);
		t = jinja_expect(p, T_NAME);
		name = jinja_node(p, N_NAME, t.line);
		name->name = jinja_intern(p, t.s, t.n);
		for (size_t i = 0; i < n->list.n; i++)
			if (n->list.at[i]->name == name->name)
				jinja_fail(p, t.line, "SyntaxError",
					"duplicate argument '%.*s' in function definition",
					t.n < 100 ? (int)t.n : 100, t.s);
		if (jinja_skip(p, T_ASSIGN))
			jinja_push(p, n, &n->other, jinja_parse_expression(p));
		else if (n->other.n)
			jinja_fail(p, p->current.line, "TemplateSyntaxError",
				"non-default argument follows default argument");
		jinja_push(p, n, &n->list, name);
	}
	jinja_expect(p, T_RPAREN);
}

static struct jnode *parse_macro(struct jparser *p, struct jnode *n)
{
	struct jtok t = jinja_expect(p, T_NAME);

	n->name = jinja_intern(p, t.s, t.n);
	parse_signature(p, n);
	parse_function_body(p, n, end_macro);
	return n;
}

static struct jnode *parse_call_block(struct jparser *p, struct jnode *n)
{
	n->name = -1;
	if (p->current.type == T_LPAREN)
		parse_signature(p, n);
	n->a = jinja_own(p, n, jinja_parse_expression(p));
	if (n->a->kind != N_CALL)
		jinja_fail(p, n->line, "TemplateSyntaxError", "expected call");
	parse_function_body(p, n, end_call);
	return n;
}

static struct jnode *parse_filter_block(struct jparser *p, struct jnode *n)
{
	n->b = jinja_own(p, n, jinja_parse_filter(p, NULL, true));
	parse_whole_body(p, n, end_filter);
	return n;
}

static struct jnode *parse_block(struct jparser *p, struct jnode *n)
{
	struct jtok t = jinja_expect(p, T_NAME);
	char name[128];

	n->name = jinja_intern(p, t.s, t.n);
	jinja_skip_name(p, "scoped");
	jinja_skip_name(p, "required");
	if (p->current.type == T_SUB)
		jinja_fail(p, p->current.line, "TemplateSyntaxError",
			"Block names in Jinja have to be valid Python identifiers and may not contain hyphens,"
			" use an underscore instead.");
	parse_function_body(p, n, end_block);
	snprintf(name, sizeof name, "%.*s", t.n < 100 ? (int)t.n : 100, t.s);
	jinja_skip_name(p, name);
	for (size_t i = 0; i < p->t->blocks.n; i++)
		if (p->t->blocks.at[i]->name == n->name)
			jinja_fail(p, n->line, "TemplateAssertionError", "block '%s' defined twice", name);
	jinja_push(p, NULL, &p->t->blocks, n);
	return n;
}

static struct jnode *parse_print(struct jparser *p, struct jnode *n)
{
	while (p->current.type != T_BLOCK_END) {
		if (n->list.n)
			jinja_expect(p, T_COMMA);
		jinja_push(p, n, &n->list, jinja_parse_expression(p));
	}
	return n;
}

static struct jnode *parse_autoescape(struct jparser *p, struct jnode *n)
{
	n->a = jinja_own(p, n, jinja_parse_expression(p));
	parse_whole_body(p, n, end_autoescape);
	return n;
}

static struct jnode *parse_generation(struct jparser *p, struct jnode *n)
{
	parse_function_body(p, n, end_generation);
	return n;
}

static struct jnode *parse_break(struct jparser *p, struct jnode *n)
{
	if (!p->loops && !p->stray)
		p->stray = n;
	return n;
}

/* Nothing can be loaded: what follows the template's name is of no use, but must be well formed. */
static struct jnode *parse_load(struct jparser *p, struct jnode *n)
{
	n->a = jinja_own(p, n, jinja_parse_expression(p));
	if (jinja_skip_name(p, "as")) {
		jinja_expect(p, T_NAME);
	} else if (jinja_skip_name(p, "import")) {
		do {
			jinja_expect(p, T_NAME);
			if (jinja_skip_name(p, "as"))
				jinja_expect(p, T_NAME);
		} while (jinja_skip(p, T_COMMA));
	} else if (jinja_skip_name(p, "ignore")) {
		jinja_expect_name(p, "missing");
	}
	if (jinja_skip_name(p, "with") || jinja_skip_name(p, "without"))
		jinja_expect_name(p, "context");
	return n;
}

static const struct {
	const char *tag;
	enum jkind kind;
	struct jnode *(*parse)(struct jparser *p, struct jnode *n);
} statements[] = {
	{"for", N_FOR, parse_for},
	{"if", N_IF, parse_if},
	{"set", N_SET, parse_set},
	{"macro", N_MACRO, parse_macro},
	{"call", N_CALLBLOCK, parse_call_block},
	{"filter", N_FILTERBLOCK, parse_filter_block},
	{"with", N_WITH, parse_with},
	{"block", N_BLOCK, parse_block},
	{"print", N_OUTPUT, parse_print},
	{"autoescape", N_SCOPE, parse_autoescape},
	{"generation", N_GENERATION, parse_generation},
	{"break", N_BREAK, parse_break},
	{"continue", N_CONTINUE, parse_break},
	{"include", N_LOAD, parse_load},
	{"import", N_LOAD, parse_load},
	{"from", N_LOAD, parse_load},
	{"extends", N_LOAD, parse_load},
};

static struct jnode *parse_statement(struct jparser *p)
{
	struct jtok t = p->current;
	struct jnode *n;

	if (t.type != T_NAME)
		jinja_fail(p, t.line, "TemplateSyntaxError", "tag name expected");
	for (size_t i = 0; i < JINJA_COUNT(statements); i++) {
		if (!jinja_at_name(p, statements[i].tag))
			continue;
		p->tags[p->ntags++] = statements[i].tag;
		jinja_advance(p);
		n = statements[i].parse(p, jinja_node(p, statements[i].kind, t.line));
		p->ntags--;
		return n;
	}
	fail_tag(p, &t, t.line);
}

static void parse_template(struct jparser *p, const char *source, size_t n)
{
	struct jinja *t = p->t;

	t->loop_name = jinja_intern(p, "loop", 4);
	t->caller_name = jinja_intern(p, "caller", 6);
	t->kwargs_name = jinja_intern(p, "kwargs", 6);
	t->varargs_name = jinja_intern(p, "varargs", 7);
	t->self_name = jinja_intern(p, "self", 4);
	jinja_lex_open(p, source, n);
	jinja_advance(p);
	t->root = jinja_node(p, N_BLOCK, 1);
	t->root->name = -1;
	parse_nodes(p, t->root, &t->root->body, NULL);
	jinja_scope(p, t);
	if (p->stray)
		jinja_fail(p, p->stray->line, "SyntaxError",
			p->stray->kind == N_BREAK ? "'break' outside loop" : "'continue' not properly in loop");
}

static struct jinja *new_template(struct err *err)
{
	return mem_new(1, sizeof(struct jinja), err);
}

struct jinja *jinja_parse(const char *source, size_t n, struct err *err)
{
	struct jinja *t;
	struct jparser *p;
	size_t valid = utf8_valid_prefix(source, n);

	if (valid < n) {
		err_set(err, ERR_FAILED, "the template's byte %zu is not valid UTF-8", valid);
		return NULL;
	}
	if (n > JINJA_MAX_SOURCE) {
		err_set(err, ERR_LIMIT, "the template has %zu bytes, more than %d", n, JINJA_MAX_SOURCE);
		return NULL;
	}
	t = new_template(err);
	p = t ? mem_new(1, sizeof *p, err) : NULL;
	if (!p) {
		free(t);
		return NULL;
	}
	p->t = t;
	p->err = err;
	if (setjmp(p->out)) {
		jinja_free(p->t);
		free(p);
		return NULL;
	}
	parse_template(p, source, n);
	free(p);
	return t;
}

void jinja_free(struct jinja *t)
{
	if (t)
		arena_release(&t->arena);
	free(t);
}
