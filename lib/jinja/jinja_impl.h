/*
 * Inside the interpreter: jinja_lex.c makes tokens, jinja_expr.c and jinja_parse.c the tree, jinja_scope.c
 * decides what names mean, jinja_eval.c and jinja_exec.c walk the tree, the others are Python's types.
 *
 * Errors leave by longjmp to the one setjmp of jinja_parse or jinja_render, so that no function here hands
 * one back; for that to be safe, all memory of a rendering comes from its arena and nothing else is held.
 */
#ifndef JINJA_JINJA_IMPL_H
#define JINJA_JINJA_IMPL_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "jinja/jinja.h"

#define JINJA_COUNT(a) (sizeof(a) / sizeof *(a))
#define JINJA_MAX_DEPTH 200	   /* of parentheses and blocks in the source */
#define JINJA_MAX_SOURCE (1 << 20) /* bytes */

/* ---- values */

enum jtype {
	J_MISSING, /* no value at all: an argument not given, a name not yet bound */
	J_UNDEFINED,
	J_NONE,
	J_BOOL,
	J_INT,
	J_FLOAT,
	J_STR,
	J_LIST,
	J_TUPLE,
	J_DICT,
	J_KEYS,
	J_VALUES,
	J_ITEMS,
	J_RANGE,
	J_NAMESPACE,
	J_GENERATOR,
	J_MACRO,
	J_METHOD,
	J_FUNCTION,
	J_LOOP,
	J_CYCLER,
	J_JOINER,
	J_BLOCK, /* self.name */
	J_SELF,
};

/* The bytes past n are not zero. chars is SIZE_MAX until counted. */
struct jstr {
	const char *s;
	size_t n, chars;
	struct jroom *room;
};

/* Memory behind the end of a string, so that text that is appended to again and again is not copied. */
struct jroom {
	size_t used, cap;
	char data[];
};

struct jv {
	uint8_t type;
	uint8_t flag; /* J_STR: Markup. J_TUPLE: a group of groupby */
	union {
		bool b;
		int64_t i;
		double f;
		struct jstr *s;
		struct jlist *l; /* also J_TUPLE */
		struct jdict *d; /* also the views and J_NAMESPACE */
		struct jundefined *u;
		struct jrange *range;
		struct jgen *gen;
		struct jmacro *macro;
		struct jmethod *method;
		const struct jbuiltin *function;
		struct jloop *loop;
		struct jcycler *cycler;
		const struct jnode *block;
	} u;
};

struct jlist {
	struct jv *items;
	size_t n, cap;
};

struct jentry {
	struct jv key, value;
	uint64_t hash;
};

struct jdict {
	struct jentry *entries;
	size_t n, cap;
	uint32_t *index; /* for more than 8 entries: position + 1, by hash; size a power of two */
	size_t slots;
};

struct jundefined {
	const struct jstr *hint;
	struct jv obj; /* J_MISSING for a name */
	struct jv name;
	bool security; /* raises SecurityError */
};

struct jrange {
	int64_t start, stop, step;
	size_t n;
};

struct jmacro {
	const struct jnode *node;
	struct jframe *frame;
};

struct jmethod {
	struct jv self;
	const struct jbuiltin *fn;
};

struct jcycler { /* also joiner, with one item and pos as whether it was used */
	struct jlist items;
	size_t pos;
};

struct jkw {
	const struct jstr *name;
	struct jv v;
};

struct jargv {
	struct jv *pos;
	size_t n;
	struct jkw *kw;
	size_t nkw;
};

struct jrun;

/*
 * A filter, test, function or method. params names its parameters in order, separated by blanks, the first
 * `required` of which must be given; a[] then holds them all, J_MISSING where not given. Without params it
 * gets args as they came.
 */
struct jbuiltin {
	const char *name;
	struct jv (*fn)(struct jrun *r, struct jv self, struct jv *a, const struct jargv *args);
	const char *params;
	uint8_t required;
	bool positional; /* takes no keyword arguments */
	uint32_t types;	 /* methods: of which types, as bits of enum jtype */
	const char *python; /* of functions that are classes: their name */
	const char *prefix; /* what Python's name for it begins with; NULL: "do_" */
};

#define JINJA_MAX_PARAMS 8

/* ---- the tree */

enum jkind {
	/* expressions */
	N_CONST,
	N_NAME,
	N_TUPLE,
	N_LIST,
	N_DICT, /* list: key, value, key, value */
	N_COND, /* a if b else c */
	N_OR,
	N_AND,
	N_NOT,
	N_COMPARE, /* a, list, ops in value of N_OPERAND */
	N_OPERAND, /* op, a */
	N_ADD,
	N_SUB,
	N_MUL,
	N_DIV,
	N_FLOORDIV,
	N_MOD,
	N_POW,
	N_CONCAT,
	N_NEG,
	N_POS,
	N_GETATTR, /* a, value, methods */
	N_GETITEM, /* a, b */
	N_SLICE,   /* a, b, c */
	N_CALL,	   /* a, args */
	N_FILTER,  /* a or NULL, value, args, builtin */
	N_TEST,
	N_NSREF, /* name, value */
	/* statements */
	N_OUTPUT,
	N_FOR,	     /* a target, b iterable, c test, body, other; flag recursive, extended */
	N_IF,	     /* list of N_BRANCH, other */
	N_BRANCH,    /* a, body */
	N_SET,	     /* a target, b */
	N_SETBLOCK,  /* a target, b filter, body */
	N_MACRO,     /* name, list of N_NAME, defaults in other, body */
	N_CALLBLOCK, /* as N_MACRO, and a the call */
	N_FILTERBLOCK,
	N_WITH, /* list of targets, other of values, body */
	N_BLOCK,
	N_SCOPE, /* a: autoescape */
	N_GENERATION,
	N_BREAK,
	N_CONTINUE,
	N_LOAD, /* include, import, from, extends: a */
};

enum jop { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_NOTIN };

struct jnodes {
	struct jnode **at;
	size_t n, cap;
};

struct jarg {
	const struct jstr *name;
	struct jnode *value;
};

struct jargs {
	struct jnodes pos;
	struct jarg *kw;
	size_t nkw, capkw;
	struct jnode *star, *starstar;
};

struct jnode {
	uint8_t kind, op;
	bool recursive, extended, kwargs, varargs, caller;
	int line;
	int depth;
	int name; /* an index of struct jinja's names */
	struct jv value;
	struct jnode *a, *b, *c;
	struct jnodes list, body, other;
	struct jargs *args;
	const struct jbuiltin *builtin; /* N_FILTER, N_TEST: NULL where there is none of that name */
	/* names that are unbound until the body (0) or the other body (1) binds them */
	int *unbound[2];
	size_t nunbound[2];
};

struct jinja {
	struct arena arena;
	struct jnode *root; /* an N_BLOCK */
	struct jstr *names;
	size_t nnames, capnames;
	int *slots; /* hash table of names, index + 1 */
	size_t nslots;
	struct jnodes blocks;
	int loop_name, caller_name, kwargs_name, varargs_name, self_name;
};

/* ---- parsing */

enum jtoken {
	T_EOF,
	T_DATA,
	T_VARIABLE_BEGIN,
	T_VARIABLE_END,
	T_BLOCK_BEGIN,
	T_BLOCK_END,
	T_NAME,
	T_STRING,
	T_INTEGER,
	T_FLOAT,
	T_ADD,
	T_ASSIGN,
	T_COLON,
	T_COMMA,
	T_DIV,
	T_DOT,
	T_EQ,
	T_FLOORDIV,
	T_GT,
	T_GTEQ,
	T_LBRACE,
	T_LBRACKET,
	T_LPAREN,
	T_LT,
	T_LTEQ,
	T_MOD,
	T_MUL,
	T_NE,
	T_PIPE,
	T_POW,
	T_RBRACE,
	T_RBRACKET,
	T_RPAREN,
	T_SEMICOLON,
	T_SUB,
	T_TILDE,
};

struct jtok {
	enum jtoken type;
	int line;
	const char *s; /* T_NAME, T_STRING, T_DATA: the text */
	size_t n;
	int64_t i;
	double f;
};

struct jlexer {
	const char *s;
	size_t n, pos;
	int line;
	enum { LEX_ROOT, LEX_VARIABLE, LEX_BLOCK, LEX_COMMENT, LEX_RAW } state;
	bool line_starting;
	char *brackets;
	size_t nbrackets, capbrackets;
	bool pending; /* a tag's begin follows the data just given */
	struct jtok begin;
};

struct jparser {
	struct jinja *t;
	struct jlexer lex;
	struct jtok current, ahead;
	bool looked;
	int depth, loops;
	const struct jnode *stray; /* the first break or continue outside of them: the last thing that Python sees */
	const char *const *ends[JINJA_MAX_DEPTH + 2]; /* what each open block waits for */
	size_t nends;
	const char *tags[JINJA_MAX_DEPTH + 2]; /* the open blocks */
	size_t ntags;
	size_t work;
	struct err *err;
	jmp_buf out;
};

_Noreturn void jinja_fail(struct jparser *p, int line, const char *kind, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
_Noreturn void jinja_fail_limit(struct jparser *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void *jinja_parse_alloc(struct jparser *p, size_t n, size_t size); /* zeroed */
void jinja_lex_open(struct jparser *p, const char *source, size_t n);
void jinja_lex_next(struct jparser *p, struct jtok *tok);
const char *jinja_token_name(enum jtoken type);

void *jinja_grow(struct jparser *p, void *old, size_t n, size_t *cap, size_t size); /* room for n + 1 */
void jinja_advance(struct jparser *p);
bool jinja_is_token(const struct jtok *t, const char *name);
void jinja_describe(const struct jtok *t, char text[128]);
const struct jtok *jinja_look(struct jparser *p);
bool jinja_at_name(const struct jparser *p, const char *name);
bool jinja_skip(struct jparser *p, enum jtoken type);
bool jinja_skip_name(struct jparser *p, const char *name);
struct jtok jinja_expect(struct jparser *p, enum jtoken type);
struct jtok jinja_expect_name(struct jparser *p, const char *name);

struct jnode *jinja_node(struct jparser *p, enum jkind kind, int line);
void jinja_push(struct jparser *p, struct jnode *parent, struct jnodes *list, struct jnode *n);
struct jnode *jinja_own(struct jparser *p, struct jnode *parent, struct jnode *child);
struct jv jinja_const_str(struct jparser *p, const char *s, size_t n);
int jinja_intern(struct jparser *p, const char *s, size_t n);

enum { TUPLE_NO_COND = 1, TUPLE_SIMPLE = 2, TUPLE_PARENTHESES = 4, TUPLE_NAMESPACE = 8 };
struct jnode *jinja_parse_tuple(struct jparser *p, int how);
struct jnode *jinja_parse_expression(struct jparser *p);
struct jnode *jinja_parse_filter(struct jparser *p, struct jnode *n, bool inlined);
struct jnode *jinja_parse_target(struct jparser *p, bool namespaces);
void jinja_parse_body(struct jparser *p, struct jnode *owner, struct jnodes *body, const char *const *ends);

void jinja_scope(struct jparser *p, struct jinja *t);

/* ---- running */

struct jvar {
	int name;
	struct jv v;
};

struct jframe {
	struct jframe *parent;
	struct jvar *vars;
	size_t n, cap;
};

/* Text that grows, in the arena. */
struct jtext {
	struct jrun *r;
	char *s;
	size_t n, cap;
};

struct jrun {
	const struct jinja *t;
	const struct jinja_options *options;
	struct jinja_limits limits;
	struct arena arena;
	struct jtext *out;
	size_t before; /* bytes in the texts that this one is captured within */
	struct jframe *frame, *root;
	struct jv *globals; /* by name */
	struct jv captured; /* what a filter block's filter works on */
	bool autoescape;
	int line;
	size_t steps, depth, memory;
	struct err *err;
	jmp_buf unwind;
};

enum jexc {
	E_TYPE,
	E_VALUE,
	E_UNDEFINED,
	E_SECURITY,
	E_RUNTIME,
	E_TEMPLATE,
	E_ZERO,
	E_OVERFLOW,
	E_KEY,
	E_INDEX,
	E_ATTRIBUTE,
	E_ASSERTION,
	E_FILTER_ARGUMENT,
	E_PYTHON_RUNTIME,
	E_NOT_IMPLEMENTED,
};

_Noreturn void jinja_raise(struct jrun *r, enum jexc kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void jinja_raise_text(struct jrun *r, enum jexc kind, const char *s, size_t n);
_Noreturn void jinja_limit(struct jrun *r, const char *what, size_t limit);
_Noreturn void jinja_undefined_fail(struct jrun *r, struct jv v);

void *jinja_alloc(struct jrun *r, size_t n, size_t size); /* not zeroed */
void jinja_enter(struct jrun *r);			  /* one level deeper */

static inline void jinja_leave(struct jrun *r)
{
	r->depth--;
}

static inline void jinja_step(struct jrun *r, size_t n)
{
	r->steps += n;
	if (r->steps > r->limits.steps)
		jinja_limit(r, "steps", r->limits.steps);
}

struct jv jinja_eval(struct jrun *r, const struct jnode *n);
enum jflow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };
enum jflow jinja_exec(struct jrun *r, const struct jnodes *body);
void jinja_write(struct jrun *r, struct jv v);
void jinja_bind_target(struct jrun *r, struct jframe *f, const struct jnode *target, struct jv v);
struct jframe *jinja_frame(struct jrun *r, struct jframe *parent);
void jinja_frame_unbound(struct jrun *r, struct jframe *f, const struct jnode *n, int which);
void jinja_set(struct jrun *r, struct jframe *f, int name, struct jv v);
struct jtext *jinja_capture(struct jrun *r, struct jtext *text); /* the text that was written to before */
void jinja_release_capture(struct jrun *r, struct jtext *outer);

/* Calls. */
struct jv jinja_call(struct jrun *r, struct jv f, const struct jargv *args);
struct jv jinja_call_macro(struct jrun *r, const struct jmacro *m, const struct jargv *args);
struct jv jinja_call_loop(struct jrun *r, struct jloop *loop, const struct jargv *args);
struct jv jinja_call_builtin(
	struct jrun *r, const struct jbuiltin *b, struct jv self, const struct jargv *args);
void jinja_evaluate_args(struct jrun *r, const struct jargs *args, struct jargv *out);
const struct jbuiltin *jinja_filter_find(const char *name, size_t n);
const struct jbuiltin *jinja_test_find(const char *name, size_t n);
const struct jbuiltin *jinja_function_find(const char *name, size_t n);
const struct jbuiltin *jinja_method_find(const char *name, size_t n, enum jtype type);
extern const struct jbuiltin jinja_text_filters[], jinja_sequence_filters[], jinja_number_filters[];
extern const struct jbuiltin jinja_list_methods[], jinja_str_methods[];

/* Attributes. */
struct jv jinja_getattr(struct jrun *r, struct jv obj, const struct jstr *name);
struct jv jinja_getitem(struct jrun *r, struct jv obj, struct jv key);
struct jv jinja_slice(struct jrun *r, struct jv obj, struct jv start, struct jv stop, struct jv step);
bool jinja_unsafe(enum jtype type, const struct jstr *name);
struct jv jinja_loop_attr(struct jrun *r, struct jv loop, const struct jstr *name);
struct jv jinja_undefined_name(struct jrun *r, const struct jstr *name);
struct jv jinja_undefined_hint(struct jrun *r, const char *hint);
struct jv jinja_undefined_of(struct jrun *r, struct jv obj, struct jv name);

/* ---- values, jinja_value.c */

static inline struct jv jv_of(enum jtype type)
{
	return (struct jv){.type = (uint8_t)type};
}

static inline struct jv jv_bool(bool b)
{
	return (struct jv){.type = J_BOOL, .u.b = b};
}

static inline struct jv jv_int(int64_t i)
{
	return (struct jv){.type = J_INT, .u.i = i};
}

static inline struct jv jv_float(double f)
{
	return (struct jv){.type = J_FLOAT, .u.f = f};
}

static inline struct jv jv_strp(const struct jstr *s)
{
	return (struct jv){.type = J_STR, .u.s = (struct jstr *)(uintptr_t)s};
}

static inline bool jv_given(struct jv v)
{
	return v.type != J_MISSING;
}

struct jv jinja_str(struct jrun *r, const char *s, size_t n); /* borrows s */
struct jv jinja_str_copy(struct jrun *r, const char *s, size_t n);
struct jv jinja_cstr(struct jrun *r, const char *s); /* borrows s */
struct jv jinja_list(struct jrun *r, enum jtype type, size_t cap);
void jinja_list_add(struct jrun *r, struct jlist *l, struct jv v);
struct jv jinja_pair(struct jrun *r, struct jv a, struct jv b);
struct jv jinja_dict(struct jrun *r, size_t cap);
void jinja_dict_put(struct jrun *r, struct jdict *d, struct jv key, struct jv v);
struct jv *jinja_dict_get(struct jrun *r, const struct jdict *d, struct jv key);
struct jv *jinja_dict_get_str(const struct jdict *d, const char *s, size_t n);
struct jv jinja_from_json(struct jrun *r, const struct json *v);
const char *jinja_type_name(struct jv v);
const char *jinja_type_repr(struct jv v); /* as object_type_repr has it */
bool jinja_truth(struct jrun *r, struct jv v);
bool jinja_equal(struct jrun *r, struct jv a, struct jv b);
bool jinja_same(struct jv a, struct jv b);
bool jinja_order(struct jrun *r, enum jop op, struct jv a, struct jv b);
bool jinja_contains(struct jrun *r, struct jv seq, struct jv v);
uint64_t jinja_hash(struct jrun *r, struct jv v);
bool jinja_has_len(struct jv v);
size_t jinja_len(struct jrun *r, struct jv v);
bool jinja_is_number(struct jv v); /* or a boolean */
double jinja_to_double(struct jv v);
int64_t jinja_to_int(struct jv v); /* of an integer or boolean */
bool jinja_is_int(struct jv v);	   /* integer or boolean */
int64_t jinja_index(struct jrun *r, struct jv v);

/* ---- iteration, jinja_iter.c */

struct jiter {
	enum { ITER_ITEMS, ITER_CHARS, ITER_DICT, ITER_RANGE, ITER_GENERATOR, ITER_NONE } kind;
	enum jtype view;
	const struct jlist *list;
	const struct jstr *str;
	struct jdict *dict;
	struct jrange range;
	struct jgen *gen;
	size_t pos;
};

enum jgenerator { GEN_GENERATOR, GEN_LOOP, GEN_LIST, GEN_REVERSED, GEN_KEYS, GEN_VALUES, GEN_ITEMS, GEN_RANGE };
extern const struct jgenerator_name {
	const char *name, *repr;
} jinja_generators[]; /* what Python calls them */

struct jgen {
	enum jgenerator type;
	struct jiter source;
	struct jv later; /* opens source at the first next(); J_MISSING once it has */
	/* a filter on what source gives; NULL gives it as it is. False at the end */
	bool (*next)(struct jrun *r, struct jgen *g, struct jv *out);
	const struct jbuiltin *builtin;
	struct jargv args;
	struct jlist path;
	struct jv fallback;
	bool negate, by_attribute;
	const struct jnode *loop; /* a for's test */
	struct jframe *frame;
	struct jv seen;
	bool case_sensitive;
};

bool jinja_iterable(struct jv v);
void jinja_iter(struct jrun *r, struct jiter *it, struct jv v); /* TypeError where it cannot */
bool jinja_next(struct jrun *r, struct jiter *it, struct jv *out);
struct jv jinja_to_list(struct jrun *r, struct jv v, enum jtype type);
struct jv jinja_unpack(struct jrun *r, struct jv v, size_t n); /* a list of just so many */
struct jv jinja_generator(struct jrun *r, enum jgenerator type, struct jv source);
/* As a Python generator function: the source is not looked at before the first item is asked for. */
struct jv jinja_lazy_generator(
	struct jrun *r, struct jv source, bool (*next)(struct jrun *r, struct jgen *g, struct jv *out));
void jinja_sort(struct jrun *r, struct jv *items, const struct jv *keys, size_t n, bool reverse);
struct jlist jinja_attribute_path(struct jrun *r, const char *s, size_t n);
struct jlist jinja_attribute_parts(struct jrun *r, struct jv attribute);
struct jv jinja_attribute_get(struct jrun *r, struct jv item, const struct jlist *path, struct jv fallback);

struct jloop {
	const struct jnode *node;
	struct jframe *outer;
	struct jv iterable;
	struct jiter iter;
	int64_t index0, depth0;
	int64_t length; /* -1 until known */
	struct jv after, current, before, changed;
};

bool jinja_loop_next(struct jrun *r, struct jloop *loop, struct jv *out);

/* ---- text */

void jtext_add(struct jtext *t, const char *s, size_t n);
void jtext_add_str(struct jtext *t, const char *s);
void jtext_add_char(struct jtext *t, char c);
void jtext_add_fmt(struct jtext *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void jtext_add_cp(struct jtext *t, uint32_t cp);
void jtext_fill(struct jtext *t, const char *s, size_t n, size_t times);
struct jv jtext_take(struct jtext *t);

/* jinja_repr.c */
void jinja_put_str(struct jtext *t, struct jv v);
void jinja_put_repr(struct jtext *t, struct jv v);
void jinja_put_str_repr(struct jtext *t, const char *s, size_t n);
size_t jinja_float_repr(double x, char text[40]);
struct jv jinja_to_str(struct jrun *r, struct jv v);	/* str() */
struct jv jinja_soft_str(struct jrun *r, struct jv v); /* as str(), but Markup stays */
struct jv jinja_escape(struct jrun *r, struct jv v);
const char *jinja_show(struct jrun *r, struct jv v);	 /* str(), zero-terminated, for messages */
const char *jinja_show_repr(struct jrun *r, struct jv v); /* repr() */
bool jinja_parse_float(const char *s, size_t n, double *out);
/* 1, 0 for what is no integer of that base, -1 for one that is too large */
int jinja_parse_int(const char *s, size_t n, int64_t base, int64_t *out);

/* jinja_json.c */
struct jjson {
	bool ascii, sort, pretty;
	const char *indent, *item, *key;
	size_t nindent, nitem, nkey;
};
void jinja_put_json(struct jtext *t, struct jv v, const struct jjson *how, int level);

/* jinja_uni.c: Python's view of characters */
uint32_t jinja_cp(const char **s, const char *end);
bool jinja_is_space(uint32_t cp);
bool jinja_is_digit(uint32_t cp);
bool jinja_is_decimal(uint32_t cp);
bool jinja_is_numeric(uint32_t cp);
bool jinja_is_alpha(uint32_t cp);
bool jinja_is_alnum(uint32_t cp);
bool jinja_is_lower(uint32_t cp);
bool jinja_is_upper(uint32_t cp);
bool jinja_is_title(uint32_t cp);
bool jinja_is_cased(uint32_t cp);
bool jinja_is_printable(uint32_t cp);
bool jinja_is_name(const char *s, size_t n);
bool jinja_is_name_part(uint32_t cp);
enum jcase { CASE_UPPER, CASE_LOWER, CASE_TITLE };
void jinja_put_folded(struct jtext *t, uint32_t cp);
void jinja_put_case(struct jtext *t, const char *all, const char *at, const char *end, enum jcase c);

/* jinja_str.c: strings by code point */
size_t jinja_chars(const struct jstr *s);
size_t jinja_offset(const struct jstr *s, size_t chars); /* the byte where that character begins */
const char *jinja_find(struct jrun *r, const char *s, size_t n, const char *what, size_t m);
const char *jinja_rfind(struct jrun *r, const char *s, size_t n, const char *what, size_t m);
enum { STRIP_LEFT = 1, STRIP_RIGHT = 2 };
struct jv jinja_strip(struct jrun *r, struct jv s, struct jv chars, int sides);
struct jv jinja_replace(struct jrun *r, struct jv s, struct jv old, struct jv new, int64_t count);
struct jv jinja_splitlines(struct jrun *r, struct jv s, bool keep);
struct jv jinja_join(struct jrun *r, struct jv sep, struct jv items);
struct jv jinja_pad(struct jrun *r, struct jv s, int64_t width, struct jv fill, char side);
struct jv jinja_concat(struct jrun *r, struct jv a, struct jv b);
struct jv jinja_repeat(struct jrun *r, struct jv v, int64_t times);
struct jv jinja_case(struct jrun *r, struct jv s, enum jcase c);
struct jv jinja_capitalize(struct jrun *r, struct jv s);
struct jv jinja_substr(struct jrun *r, struct jv of, const char *s, size_t n);

/* jinja_format.c */
struct jv jinja_percent(struct jrun *r, struct jv format, struct jv args);
struct jv jinja_format(struct jrun *r, struct jv format, const struct jargv *args, struct jv *map);

/* jinja_time.c */
void jinja_put_time(struct jtext *t, const struct jstr *format);

/* jinja_op.c */
struct jv jinja_binary(struct jrun *r, enum jkind op, struct jv a, struct jv b);
struct jv jinja_unary(struct jrun *r, enum jkind op, struct jv a);
struct jv jinja_round(struct jrun *r, struct jv v, int64_t digits);

#endif
