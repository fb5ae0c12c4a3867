#include "jinja/jinja_impl.h"

#include "base/mem.h"

/* The parser of expressions. */

static void enter(struct jparser *p)
{
	if (++p->depth > JINJA_MAX_DEPTH)
		jinja_fail_limit(p, "line %d: the template is nested more than %d levels deep",
			p->current.line, JINJA_MAX_DEPTH);
}

/* ---- expressions, from the loosest to the tightest */

static struct jnode *parse_or(struct jparser *p);
static struct jnode *parse_unary(struct jparser *p, bool with_filter);

static struct jnode *binary(struct jparser *p, enum jkind kind, int line, struct jnode *a, struct jnode *b)
{
	struct jnode *n = jinja_node(p, kind, line);

	n->a = jinja_own(p, n, a);
	n->b = jinja_own(p, n, b);
	return n;
}

static struct jnode *parse_condition(struct jparser *p)
{
	int line = p->current.line;
	struct jnode *a = parse_or(p), *n;

	while (jinja_skip_name(p, "if")) {
		n = jinja_node(p, N_COND, line);
		n->b = jinja_own(p, n, parse_or(p));
		n->a = jinja_own(p, n, a);
		if (jinja_skip_name(p, "else")) {
			enter(p);
			n->c = jinja_own(p, n, parse_condition(p));
			p->depth--;
		}
		a = n;
		line = p->current.line;
	}
	return a;
}

struct jnode *jinja_parse_expression(struct jparser *p)
{
	struct jnode *n;

	enter(p);
	n = parse_condition(p);
	p->depth--;
	return n;
}

static struct jnode *parse_compare(struct jparser *p);

static struct jnode *parse_not(struct jparser *p)
{
	int line = p->current.line;
	struct jnode *n;

	if (!jinja_skip_name(p, "not"))
		return parse_compare(p);
	enter(p);
	n = binary(p, N_NOT, line, parse_not(p), NULL);
	p->depth--;
	return n;
}

static struct jnode *parse_and(struct jparser *p)
{
	int line = p->current.line;
	struct jnode *left = parse_not(p);

	while (jinja_skip_name(p, "and"))
		left = binary(p, N_AND, line, left, parse_not(p));
	return left;
}

static struct jnode *parse_or(struct jparser *p)
{
	int line = p->current.line;
	struct jnode *left = parse_and(p);

	while (jinja_skip_name(p, "or"))
		left = binary(p, N_OR, line, left, parse_and(p));
	return left;
}

static struct jnode *parse_product(struct jparser *p)
{
	int line = p->current.line;
	struct jnode *left = parse_unary(p, true);

	while (jinja_skip(p, T_POW))
		left = binary(p, N_POW, line, left, parse_unary(p, true));
	for (;;) {
		enum jkind kind = p->current.type == T_MUL	? N_MUL
			: p->current.type == T_DIV	? N_DIV
			: p->current.type == T_FLOORDIV ? N_FLOORDIV
			: p->current.type == T_MOD	? N_MOD
							: N_CONST;
		struct jnode *right;

		if (kind == N_CONST)
			return left;
		jinja_advance(p);
		right = parse_unary(p, true);
		while (jinja_skip(p, T_POW))
			right = binary(p, N_POW, line, right, parse_unary(p, true));
		left = binary(p, kind, line, left, right);
	}
}

static struct jnode *parse_concat(struct jparser *p)
{
	int line = p->current.line;
	struct jnode *first = parse_product(p), *n;

	if (p->current.type != T_TILDE)
		return first;
	n = jinja_node(p, N_CONCAT, line);
	jinja_push(p, n, &n->list, first);
	while (jinja_skip(p, T_TILDE))
		jinja_push(p, n, &n->list, parse_product(p));
	return n;
}

static struct jnode *parse_sum(struct jparser *p)
{
	int line = p->current.line;
	struct jnode *left = parse_concat(p);

	while (p->current.type == T_ADD || p->current.type == T_SUB) {
		enum jkind kind = p->current.type == T_ADD ? N_ADD : N_SUB;

		jinja_advance(p);
		left = binary(p, kind, line, left, parse_concat(p));
	}
	return left;
}

static int comparison(struct jparser *p)
{
	static const struct {
		enum jtoken token;
		enum jop op;
	} ops[] = {
		{T_EQ, OP_EQ}, {T_NE, OP_NE}, {T_LT, OP_LT}, {T_LTEQ, OP_LE}, {T_GT, OP_GT}, {T_GTEQ, OP_GE}};

	for (size_t i = 0; i < JINJA_COUNT(ops); i++)
		if (jinja_skip(p, ops[i].token))
			return (int)ops[i].op;
	if (jinja_skip_name(p, "in"))
		return OP_IN;
	if (jinja_at_name(p, "not") && jinja_is_token(jinja_look(p), "in")) {
		jinja_advance(p);
		jinja_advance(p);
		return OP_NOTIN;
	}
	return -1;
}

static struct jnode *parse_compare(struct jparser *p)
{
	int line = p->current.line, op;
	struct jnode *first = parse_sum(p), *n = NULL, *operand;

	while ((op = comparison(p)) >= 0) {
		if (!n) {
			n = jinja_node(p, N_COMPARE, line);
			n->a = jinja_own(p, n, first);
		}
		operand = jinja_node(p, N_OPERAND, line);
		operand->op = (uint8_t)op;
		operand->a = jinja_own(p, operand, parse_sum(p));
		jinja_push(p, n, &n->list, operand);
	}
	return n ? n : first;
}

/* ---- calls, subscripts, filters and tests */

static struct jargs *parse_args(struct jparser *p, struct jnode *owner)
{
	struct jargs *args = jinja_parse_alloc(p, 1, sizeof *args);
	int line = jinja_expect(p, T_LPAREN).line;
	bool comma = false, good = true;

	while (p->current.type != T_RPAREN) {
		if (comma) {
			jinja_expect(p, T_COMMA);
			if (p->current.type == T_RPAREN)
				break;
		}
		comma = true;
		if (p->current.type == T_MUL) {
			good = !args->star && !args->starstar;
			jinja_advance(p);
			args->star = good ? jinja_own(p, owner, jinja_parse_expression(p)) : NULL;
		} else if (p->current.type == T_POW) {
			good = !args->starstar;
			jinja_advance(p);
			args->starstar = good ? jinja_own(p, owner, jinja_parse_expression(p)) : NULL;
		} else if (p->current.type == T_NAME && jinja_look(p)->type == T_ASSIGN) {
			struct jarg *kw;

			good = !args->starstar;
			args->kw = jinja_grow(p, args->kw, args->nkw, &args->capkw, sizeof *args->kw);
			kw = &args->kw[args->nkw++];
			kw->name = jinja_const_str(p, p->current.s, p->current.n).u.s;
			for (size_t i = 0; i + 1 < args->nkw; i++)
				if (args->kw[i].name->n == kw->name->n &&
					!memcmp(args->kw[i].name->s, kw->name->s, kw->name->n))
					jinja_fail(p, p->current.line, "SyntaxError",
						"keyword argument repeated: %.*s", (int)kw->name->n,
						kw->name->s);
			jinja_advance(p);
			jinja_advance(p);
			kw->value = good ? jinja_own(p, owner, jinja_parse_expression(p)) : NULL;
		} else {
			good = !args->star && !args->starstar && !args->nkw;
			if (good)
				jinja_push(p, owner, &args->pos, jinja_parse_expression(p));
		}
		if (!good)
			jinja_fail(p, line, "TemplateSyntaxError",
				"invalid syntax for function call expression");
	}
	jinja_expect(p, T_RPAREN);
	return args;
}

static struct jnode *parse_call(struct jparser *p, struct jnode *callee)
{
	struct jnode *n = jinja_node(p, N_CALL, p->current.line);

	n->a = jinja_own(p, n, callee);
	n->args = parse_args(p, n);
	return n;
}

static struct jnode *optional_expression(struct jparser *p)
{
	if (p->current.type == T_COLON || p->current.type == T_RBRACKET || p->current.type == T_COMMA)
		return NULL;
	return jinja_parse_expression(p);
}

static struct jnode *parse_subscribed(struct jparser *p)
{
	struct jnode *n = jinja_node(p, N_SLICE, p->current.line), *first = NULL;

	if (p->current.type != T_COLON) {
		first = jinja_parse_expression(p);
		if (p->current.type != T_COLON)
			return first;
	}
	jinja_advance(p);
	n->a = jinja_own(p, n, first);
	n->b = jinja_own(p, n, optional_expression(p));
	if (jinja_skip(p, T_COLON))
		n->c = jinja_own(p, n, optional_expression(p));
	return n;
}

static struct jnode *parse_subscript(struct jparser *p, struct jnode *of)
{
	int line = p->current.line;
	struct jnode *n, *tuple;
	struct jtok t;

	if (jinja_skip(p, T_DOT)) {
		t = p->current;
		jinja_advance(p);
		if (t.type != T_NAME && t.type != T_INTEGER)
			jinja_fail(p, t.line, "TemplateSyntaxError", "expected name or number");
		n = binary(p, t.type == T_NAME ? N_GETATTR : N_GETITEM, line, of, NULL);
		if (t.type == T_NAME) {
			n->value = jinja_const_str(p, t.s, t.n);
			n->builtin = jinja_method_find(t.s, t.n, J_STR);
		} else {
			n->b = jinja_node(p, N_CONST, t.line);
			n->b->value = jv_int(t.i);
		}
		return n;
	}
	jinja_expect(p, T_LBRACKET);
	tuple = jinja_node(p, N_TUPLE, line);
	while (p->current.type != T_RBRACKET) {
		if (tuple->list.n)
			jinja_expect(p, T_COMMA);
		jinja_push(p, tuple, &tuple->list, parse_subscribed(p));
	}
	jinja_expect(p, T_RBRACKET);
	for (size_t i = 0; tuple->list.n != 1 && i < tuple->list.n; i++)
		if (tuple->list.at[i]->kind == N_SLICE)
			jinja_fail(p, line, "SyntaxError", "invalid syntax");
	return binary(p, N_GETITEM, line, of, tuple->list.n == 1 ? tuple->list.at[0] : tuple);
}

static struct jnode *parse_postfix(struct jparser *p, struct jnode *n)
{
	for (;;) {
		if (p->current.type == T_DOT || p->current.type == T_LBRACKET)
			n = parse_subscript(p, n);
		else if (p->current.type == T_LPAREN)
			n = parse_call(p, n);
		else
			return n;
	}
}

/* The name of a filter or test, which may have dots. */
static struct jv dotted_name(struct jparser *p)
{
	struct jtok t = jinja_expect(p, T_NAME), more;
	char *name = jinja_parse_alloc(p, t.n + 1, 1), *longer;
	size_t n = t.n;

	memcpy(name, t.s, n);
	while (jinja_skip(p, T_DOT)) {
		more = jinja_expect(p, T_NAME);
		longer = jinja_parse_alloc(p, n + more.n + 2, 1);
		memcpy(longer, name, n);
		longer[n] = '.';
		memcpy(longer + n + 1, more.s, more.n);
		n += more.n + 1;
		name = longer;
	}
	return jinja_const_str(p, name, n);
}

struct jnode *jinja_parse_filter(struct jparser *p, struct jnode *of, bool inlined)
{
	struct jnode *n;

	while (p->current.type == T_PIPE || inlined) {
		if (!inlined)
			jinja_advance(p);
		inlined = false;
		n = binary(p, N_FILTER, p->current.line, of, NULL);
		n->value = dotted_name(p);
		if (p->current.type == T_LPAREN)
			n->args = parse_args(p, n);
		else
			n->args = jinja_parse_alloc(p, 1, sizeof *n->args);
		n->builtin = jinja_filter_find(n->value.u.s->s, n->value.u.s->n);
		of = n;
	}
	return of;
}

static struct jnode *parse_primary(struct jparser *p, bool namespaces);

static struct jnode *parse_test(struct jparser *p, struct jnode *of)
{
	struct jnode *n = binary(p, N_TEST, p->current.line, of, NULL), *argument;
	bool negated;

	jinja_advance(p);
	negated = jinja_skip_name(p, "not");
	n->value = dotted_name(p);
	n->builtin = jinja_test_find(n->value.u.s->s, n->value.u.s->n);
	n->args = NULL;
	switch (p->current.type) {
	case T_LPAREN:
		n->args = parse_args(p, n);
		break;
	case T_NAME:
		if (jinja_at_name(p, "else") || jinja_at_name(p, "or") || jinja_at_name(p, "and"))
			break;
		if (jinja_at_name(p, "is"))
			jinja_fail(p, p->current.line, "TemplateSyntaxError",
				"You cannot chain multiple tests with is");
		/* fallthrough */
	case T_STRING:
	case T_INTEGER:
	case T_FLOAT:
	case T_LBRACKET:
	case T_LBRACE:
		n->args = jinja_parse_alloc(p, 1, sizeof *n->args);
		enter(p);
		argument = parse_postfix(p, parse_primary(p, false));
		p->depth--;
		jinja_push(p, n, &n->args->pos, argument);
		break;
	default:
		break;
	}
	if (!n->args)
		n->args = jinja_parse_alloc(p, 1, sizeof *n->args);
	return negated ? binary(p, N_NOT, n->line, n, NULL) : n;
}

static struct jnode *parse_unary(struct jparser *p, bool with_filter)
{
	int line = p->current.line;
	bool minus = p->current.type == T_SUB;
	struct jnode *n;

	if (minus || p->current.type == T_ADD) {
		enter(p);
		jinja_advance(p);
		n = binary(p, minus ? N_NEG : N_POS, line, parse_unary(p, false), NULL);
		p->depth--;
	} else {
		n = parse_primary(p, false);
	}
	n = parse_postfix(p, n);
	while (with_filter) {
		if (p->current.type == T_PIPE)
			n = jinja_parse_filter(p, n, false);
		else if (jinja_at_name(p, "is"))
			n = parse_test(p, n);
		else if (p->current.type == T_LPAREN)
			n = parse_call(p, n);
		else
			break;
	}
	return n;
}

/* ---- names and literals */

static struct jnode *parse_strings(struct jparser *p)
{
	struct jnode *n = jinja_node(p, N_CONST, p->current.line);
	struct jtok t = p->current;
	size_t len = 0, cap = 0;
	char *all, *grown;

	jinja_advance(p);
	if (p->current.type != T_STRING) {
		n->value = jinja_const_str(p, t.s, t.n);
		return n;
	}
	for (all = NULL;; t = p->current, jinja_advance(p)) {
		if (len + t.n > cap) {
			cap = 2 * (len + t.n);
			grown = jinja_parse_alloc(p, cap, 1);
			if (len)
				memcpy(grown, all, len);
			all = grown;
		}
		if (t.n)
			memcpy(all + len, t.s, t.n);
		len += t.n;
		if (p->current.type != T_STRING)
			break;
	}
	n->value = jinja_const_str(p, all, len);
	return n;
}

static struct jnode *parse_name(struct jparser *p, bool namespaces)
{
	static const struct {
		const char *name;
		struct jv v;
	} words[] = {{"true", {.type = J_BOOL, .u.b = true}}, {"True", {.type = J_BOOL, .u.b = true}},
		{"false", {.type = J_BOOL}}, {"False", {.type = J_BOOL}}, {"none", {.type = J_NONE}},
		{"None", {.type = J_NONE}}};
	struct jnode *n = jinja_node(p, N_NAME, p->current.line);
	struct jtok t = p->current, attribute;

	for (size_t i = 0; i < JINJA_COUNT(words); i++)
		if (jinja_at_name(p, words[i].name)) {
			n->kind = N_CONST;
			n->value = words[i].v;
		}
	jinja_advance(p);
	if (n->kind == N_NAME)
		n->name = jinja_intern(p, t.s, t.n);
	if (n->kind == N_NAME && namespaces && jinja_skip(p, T_DOT)) {
		attribute = jinja_expect(p, T_NAME);
		n->kind = N_NSREF;
		n->value = jinja_const_str(p, attribute.s, attribute.n);
	}
	return n;
}

/* [a, b] and {a: b}: both may end with a comma. */
static struct jnode *parse_display(struct jparser *p)
{
	bool dict = p->current.type == T_LBRACE;
	enum jtoken end = dict ? T_RBRACE : T_RBRACKET;
	struct jnode *n = jinja_node(p, dict ? N_DICT : N_LIST, p->current.line);

	jinja_advance(p);
	while (p->current.type != end) {
		if (n->list.n) {
			jinja_expect(p, T_COMMA);
			if (p->current.type == end)
				break;
		}
		jinja_push(p, n, &n->list, jinja_parse_expression(p));
		if (dict) {
			jinja_expect(p, T_COLON);
			jinja_push(p, n, &n->list, jinja_parse_expression(p));
		}
	}
	jinja_expect(p, end);
	return n;
}

static struct jnode *parse_primary(struct jparser *p, bool namespaces)
{
	struct jnode *n;
	char got[128];

	switch (p->current.type) {
	case T_NAME:
		return parse_name(p, namespaces);
	case T_STRING:
		return parse_strings(p);
	case T_INTEGER:
	case T_FLOAT:
		n = jinja_node(p, N_CONST, p->current.line);
		n->value = p->current.type == T_INTEGER ? jv_int(p->current.i) : jv_float(p->current.f);
		jinja_advance(p);
		return n;
	case T_LPAREN:
		enter(p);
		jinja_advance(p);
		n = jinja_parse_tuple(p, TUPLE_PARENTHESES);
		jinja_expect(p, T_RPAREN);
		p->depth--;
		return n;
	case T_LBRACKET:
	case T_LBRACE:
		enter(p);
		n = parse_display(p);
		p->depth--;
		return n;
	default:
		jinja_describe(&p->current, got);
		jinja_fail(p, p->current.line, "TemplateSyntaxError", "unexpected '%s'", got);
	}
}

struct jnode *jinja_parse_tuple(struct jparser *p, int how)
{
	struct jnode *n = jinja_node(p, N_TUPLE, p->current.line), *item = NULL;
	bool tuple = false;
	char got[128];

	enter(p);
	for (;;) {
		if (n->list.n)
			jinja_expect(p, T_COMMA);
		if (p->current.type == T_VARIABLE_END || p->current.type == T_BLOCK_END ||
			p->current.type == T_RPAREN)
			break;
		item = how & TUPLE_SIMPLE	? parse_primary(p, how & TUPLE_NAMESPACE)
			: how & TUPLE_NO_COND ? parse_or(p)
					      : jinja_parse_expression(p);
		jinja_push(p, n, &n->list, item);
		if (p->current.type != T_COMMA)
			break;
		tuple = true;
	}
	p->depth--;
	if (!tuple && n->list.n)
		return item;
	if (!tuple && !(how & TUPLE_PARENTHESES)) {
		jinja_describe(&p->current, got);
		jinja_fail(p, p->current.line, "TemplateSyntaxError", "Expected an expression, got '%s'", got);
	}
	return n;
}

static const char *const node_names[] = {[N_CONST] = "const", [N_LIST] = "list", [N_DICT] = "dict"};

static void check_target(struct jparser *p, const struct jnode *n, const struct jnode *whole)
{
	if (n->kind == N_TUPLE)
		for (size_t i = 0; i < n->list.n; i++)
			check_target(p, n->list.at[i], whole);
	else if (n->kind != N_NAME && n->kind != N_NSREF)
		jinja_fail(p, whole->line, "TemplateSyntaxError", "can't assign to '%s'",
			whole->kind == N_TUPLE	  ? "tuple"
			: node_names[whole->kind] ? node_names[whole->kind]
						  : "expression");
}

struct jnode *jinja_parse_target(struct jparser *p, bool namespaces)
{
	struct jnode *n = jinja_parse_tuple(p, TUPLE_SIMPLE | (namespaces ? TUPLE_NAMESPACE : 0));

	check_target(p, n, n);
	return n;
}
