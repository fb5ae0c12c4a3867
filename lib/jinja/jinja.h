/*
 * Chat templates: a Jinja2 interpreter that renders as transformers' sandboxed environment does.
 *
 * The language is Jinja2 3.1 with trim_blocks and lstrip_blocks, loop controls, {% generation %}, the
 * filter tojson (Python's json.dumps with ensure_ascii=False, indent, separators, sort_keys) and the
 * functions raise_exception and strftime_now. Values behave as Python's: strings count code points, str()
 * and repr() of floats and containers are Python's, undefined prints nothing and its attributes are an
 * error, lists and dicts cannot be changed. There is no loader: include, import and extends fail.
 *
 *	struct jinja *t = jinja_parse(source, n, &err);
 *	struct jinja_options o = {.now = &tm};
 *
 *	if (t && jinja_render(t, variables, &o, &out, &err) == 0)
 *		use(out.data, out.len);
 *	jinja_free(t);
 *
 * What differs from Python: integers have 64 bits (an OverflowError beyond), lone surrogates become U+FFFD,
 * pprint breaks no lines, and what is random or needs other types is refused with a NotImplementedError: the
 * filters random and urlize, the function lipsum, str.encode and str.translate. Of Jinja2's releases that
 * differ, the newer are followed: list.pop and list.clear are unsafe too.
 */
#ifndef JINJA_JINJA_H
#define JINJA_JINJA_H

#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"

struct jinja;

/* What a rendering may use; 0 stands for the default. Beyond it: ERR_LIMIT. */
struct jinja_limits {
	size_t steps;  /* nodes evaluated, items walked and text worked on; 50 million */
	size_t depth;  /* expressions, blocks, macros and values in one another; 3,000 */
	size_t output; /* bytes; 64 MiB */
	size_t memory; /* bytes; 1 GiB */
};

struct jinja_options {
	struct jinja_limits limits;
	const struct tm *now; /* what strftime_now tells; NULL is the local time */
	/*
	 * Called for each {% generation %} block in the order of its end, with the bytes of out that it wrote,
	 * counted from where this rendering began. Within a macro or a block that is captured the place is the
	 * one that the text gets when it is printed at once and unchanged.
	 */
	void (*generation)(void *context, size_t from, size_t to);
	void *context;
	/*
	 * Where not NULL: gets the error as Python would name it, whole and without a line, for example
	 * "UndefinedError: 'x' is undefined". Empty where the error is none of the template's.
	 */
	struct buf *exception;
	/*
	 * Where not NULL: the name of one more variable, a list of the elements of all these arrays. It comes
	 * before one of that name in the object.
	 */
	const char *list;
	const struct json *const *arrays;
	size_t narrays;
};

/*
 * A template from n bytes of UTF-8; NULL where it has an error, with ERR_FAILED and for example
 * "line 3: TemplateSyntaxError: unexpected '}'", or ERR_LIMIT. It keeps no pointer to source.
 */
struct jinja *jinja_parse(const char *source, size_t n, struct err *err);

void jinja_free(struct jinja *t); /* NULL is fine */

/*
 * Appends the rendered text to out. variables is an object, whose members the template sees, or NULL;
 * o may be NULL. 0; or -1 with out as it was and ERR_FAILED ("line 7: TemplateError: ...", the text of
 * raise_exception) or ERR_LIMIT. A template may be rendered by several threads at once.
 */
int jinja_render(const struct jinja *t, const struct json *variables, const struct jinja_options *o,
	struct buf *out, struct err *err);

#endif
