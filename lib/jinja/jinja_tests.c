#include "jinja/jinja_impl.h"

#include "base/mem.h"

/* Tests: "x is NAME". */

#define TEST(name, expression) \
	static struct jv name(struct jrun *r, struct jv v, struct jv *a, const struct jargv *args) \
	{ \
		(void)r, (void)a, (void)args; \
		return jv_bool(expression); \
	}

static bool modulo_is(struct jrun *r, struct jv v, struct jv by, int64_t rest)
{
	return jinja_equal(r, jinja_binary(r, N_MOD, v, by), jv_int(rest));
}

/* Of the same object, for those that Python has one of. */
static bool is_same(struct jv a, struct jv b)
{
	return jinja_same(a, b);
}

static bool is_cased(struct jrun *r, struct jv v, const char *method)
{
	struct jargv none = {.n = 0};
	const struct jbuiltin *m = jinja_method_find(method, strlen(method), J_STR);

	return jinja_call_builtin(r, m, jinja_to_str(r, v), &none).u.b;
}

static bool is_callable(struct jv v)
{
	return v.type == J_UNDEFINED || v.type == J_MACRO || v.type == J_METHOD || v.type == J_FUNCTION ||
		v.type == J_LOOP || v.type == J_JOINER || v.type == J_BLOCK;
}

static bool is_sequence(struct jv v)
{
	return v.type == J_UNDEFINED || v.type == J_STR || v.type == J_LIST || v.type == J_TUPLE ||
	       v.type == J_DICT || v.type == J_RANGE;
}

TEST(t_odd, modulo_is(r, v, jv_int(2), 1))
TEST(t_even, modulo_is(r, v, jv_int(2), 0))
TEST(t_divisibleby, modulo_is(r, v, a[0], 0))
TEST(t_defined, v.type != J_UNDEFINED)
TEST(t_undefined, v.type == J_UNDEFINED)
TEST(t_filter, (jinja_hash(r, v), v.type == J_STR) && jinja_filter_find(v.u.s->s, v.u.s->n))
TEST(t_test, (jinja_hash(r, v), v.type == J_STR) && jinja_test_find(v.u.s->s, v.u.s->n))
TEST(t_none, v.type == J_NONE)
TEST(t_boolean, v.type == J_BOOL)
TEST(t_false, v.type == J_BOOL && !v.u.b)
TEST(t_true, v.type == J_BOOL && v.u.b)
TEST(t_integer, v.type == J_INT)
TEST(t_float, v.type == J_FLOAT)
TEST(t_lower, is_cased(r, v, "islower"))
TEST(t_upper, is_cased(r, v, "isupper"))
TEST(t_string, v.type == J_STR)
TEST(t_mapping, v.type == J_DICT)
TEST(t_number, jinja_is_number(v))
TEST(t_sequence, is_sequence(v))
TEST(t_callable, is_callable(v))
TEST(t_sameas, is_same(v, a[0]))
TEST(t_iterable, jinja_iterable(v))
TEST(t_escaped, v.type == J_STR && v.flag)
TEST(t_in, jinja_contains(r, a[0], v))
TEST(t_eq, jinja_equal(r, v, a[0]))
TEST(t_ne, !jinja_equal(r, v, a[0]))
TEST(t_lt, jinja_order(r, OP_LT, v, a[0]))
TEST(t_le, jinja_order(r, OP_LE, v, a[0]))
TEST(t_gt, jinja_order(r, OP_GT, v, a[0]))
TEST(t_ge, jinja_order(r, OP_GE, v, a[0]))

static const struct jbuiltin tests[] = {
	{.name = "defined", .fn = t_defined, .params = ""},
	{.name = "undefined", .fn = t_undefined, .params = ""},
	{.name = "string", .fn = t_string, .params = ""},
	{.name = "mapping", .fn = t_mapping, .params = ""},
	{.name = "iterable", .fn = t_iterable, .params = ""},
	{.name = "sequence", .fn = t_sequence, .params = ""},
	{.name = "none", .fn = t_none, .params = ""},
	{.name = "boolean", .fn = t_boolean, .params = ""},
	{.name = "true", .fn = t_true, .params = ""},
	{.name = "false", .fn = t_false, .params = ""},
	{.name = "integer", .fn = t_integer, .params = ""},
	{.name = "float", .fn = t_float, .params = ""},
	{.name = "number", .fn = t_number, .params = ""},
	{.name = "odd", .fn = t_odd, .params = ""},
	{.name = "even", .fn = t_even, .params = ""},
	{.name = "divisibleby", .fn = t_divisibleby, .params = "num", .required = 1, .prefix = "test_"},
	{.name = "lower", .fn = t_lower, .params = ""},
	{.name = "upper", .fn = t_upper, .params = ""},
	{.name = "callable", .fn = t_callable, .params = ""},
	{.name = "sameas", .fn = t_sameas, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "escaped", .fn = t_escaped, .params = ""},
	{.name = "filter", .fn = t_filter, .params = ""},
	{.name = "test", .fn = t_test, .params = ""},
	{.name = "in", .fn = t_in, .params = "seq", .required = 1, .prefix = "test_"},
	{.name = "==", .fn = t_eq, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "eq", .fn = t_eq, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "equalto", .fn = t_eq, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "!=", .fn = t_ne, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "ne", .fn = t_ne, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "<", .fn = t_lt, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "lt", .fn = t_lt, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "lessthan", .fn = t_lt, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "<=", .fn = t_le, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "le", .fn = t_le, .params = "other", .required = 1, .prefix = "test_"},
	{.name = ">", .fn = t_gt, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "gt", .fn = t_gt, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "greaterthan", .fn = t_gt, .params = "other", .required = 1, .prefix = "test_"},
	{.name = ">=", .fn = t_ge, .params = "other", .required = 1, .prefix = "test_"},
	{.name = "ge", .fn = t_ge, .params = "other", .required = 1, .prefix = "test_"},
};

const struct jbuiltin *jinja_test_find(const char *name, size_t n)
{
	for (size_t i = 0; i < JINJA_COUNT(tests); i++)
		if (strlen(tests[i].name) == n && !memcmp(tests[i].name, name, n))
			return &tests[i];
	return NULL;
}
