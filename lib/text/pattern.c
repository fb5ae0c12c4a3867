#include "text/pattern.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/onig.h"
#include "text/scan.h"
#include "text/uchar.h"

#define JIT_STACK_MAX ((size_t)32 << 20)
#define REGEX_MAX ((size_t)64 << 10)

struct pattern {
	char *string; /* or NULL */
	size_t n;
	enum scan_rule rule;
	pcre2_code *regex;
};

struct matcher {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *stack;
};

struct pattern *pattern_new_string(const char *text, size_t n, struct err *err)
{
	struct pattern *p = n ? mem_new(1, sizeof *p, err) : pattern_new_regex("", 0, err);

	if (!p || !n)
		return p;
	p->string = mem_copy(text, n, err);
	p->n = n;
	if (!p->string) {
		pattern_free(p);
		return NULL;
	}
	return p;
}

static pcre2_code *compile(const char *regex, size_t n, struct err *err)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	pcre2_code *code = NULL;
	char message[128] = "out of memory";
	size_t at = 0;
	int error = 0;

	if (context) {
		pcre2_set_newline(context, PCRE2_NEWLINE_LF);
		code = pcre2_compile((PCRE2_SPTR)regex, n, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
			&error, &at, context);
		if (!code)
			pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
	}
	pcre2_compile_context_free(context);
	if (!code)
		err_set(err, ERR_CORRUPT, "'%.*s' is no regular expression: %s",
			(int)(n < 200 ? n : 200), regex, message);
	else
		pcre2_jit_compile(
			code, PCRE2_JIT_COMPLETE); /* where it can't, matching is only slower */
	return code;
}

struct pattern *pattern_new_regex(const char *text, size_t n, struct err *err)
{
	struct pattern *p = NULL;
	struct buf regex = BUF_INIT;

	if (n > REGEX_MAX)
		err_set(err, ERR_LIMIT, "a regular expression of %zu bytes, the most is %zu", n,
			REGEX_MAX);
	else
		p = mem_new(1, sizeof *p, err);
	if (!p)
		return NULL;
	p->rule = scan_find(text, n);
	if (p->rule != SCAN_NONE)
		return p;
	if (onig_translate(text, n, &regex, err) == 0)
		p->regex = compile(regex.data, regex.len, err);
	else
		err_at(err, "'%.*s'", (int)(n < 200 ? n : 200), text);
	buf_release(&regex);
	if (!p->regex) {
		pattern_free(p);
		return NULL;
	}
	return p;
}

struct pattern *pattern_new(const struct json *v, struct err *err)
{
	size_t n;
	const char *text = json_string(json_get(v, "String"), &n);

	if (text)
		return pattern_new_string(text, n, err);
	text = json_string(json_get(v, "Regex"), &n);
	if (text)
		return pattern_new_regex(text, n, err);
	err_set(err, ERR_CORRUPT, "the pattern is neither a String nor a Regex");
	return NULL;
}

void pattern_free(struct pattern *p)
{
	if (!p)
		return;
	pcre2_code_free(p->regex);
	free(p->string);
	free(p);
}

enum scan_rule pattern_rule(const struct pattern *p)
{
	return p->rule;
}

int pattern_byte(const struct pattern *p)
{
	return p->string && p->n == 1 ? (unsigned char)*p->string : -1;
}

struct matcher *matcher_new(struct err *err)
{
	struct matcher *m = mem_new(1, sizeof *m, err);

	if (!m)
		return NULL;
	m->data = pcre2_match_data_create(1, NULL);
	m->context = pcre2_match_context_create(NULL);
	m->stack = pcre2_jit_stack_create(32 << 10, JIT_STACK_MAX, NULL);
	if (!m->data || !m->context || !m->stack) {
		err_set(err, ERR_LIMIT, "out of memory for regular expressions");
		matcher_free(m);
		return NULL;
	}
	pcre2_jit_stack_assign(m->context, NULL, m->stack);
	return m;
}

void matcher_free(struct matcher *m)
{
	if (!m)
		return;
	pcre2_match_data_free(m->data);
	pcre2_match_context_free(m->context);
	pcre2_jit_stack_free(m->stack);
	free(m);
}

static int next_string(const struct pattern *p, struct pattern_search *s)
{
	const char *from = s->text + s->from, *at;

	if (p->n == 1)
		at = s->from < s->n ? memchr(from, p->string[0], s->n - s->from) : NULL;
	else
		at = memmem(from, s->n - s->from, p->string, p->n);
	if (!at)
		return 0;
	s->start = (size_t)(at - s->text);
	s->end = s->from = s->start + p->n;
	return 1;
}

int pattern_next(
	const struct pattern *p, struct matcher *m, struct pattern_search *s, struct err *err)
{
	const size_t *found;
	char message[128];
	int rc;

	if (p->rule != SCAN_NONE) {
		if (s->from >= s->n)
			return 0;
		s->start = s->from;
		s->end = s->from = scan_next(p->rule, s->text, s->n, s->from);
		return 1;
	}
	if (p->string)
		return next_string(p, s);
	while (s->from <= s->n) {
		rc = pcre2_match(p->regex, (PCRE2_SPTR)s->text, s->n, s->from, PCRE2_NO_UTF_CHECK,
			m->data, m->context);
		if (rc == PCRE2_ERROR_NOMATCH)
			return 0;
		if (rc < 0) {
			pcre2_get_error_message(rc, (PCRE2_UCHAR *)message, sizeof message);
			return err_set(err, ERR_LIMIT,
				"a regular expression gave up at byte %zu of %zu: %s", s->from,
				s->n, message);
		}
		found = pcre2_get_ovector_pointer(m->data);
		if (found[0] == found[1] && s->found && s->end == found[1]) {
			s->from += s->from < s->n ? uchar_size(s->text[s->from]) : 1;
			continue;
		}
		s->start = found[0];
		s->end = s->from = found[1];
		s->found = true;
		return 1;
	}
	return 0;
}
