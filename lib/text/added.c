#include "text/added.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/uchar.h"

struct added_node {
	uint32_t child, sibling; /* 0: none; node 0 is not used */
	int32_t token;		 /* index in tokens, or -1 */
	unsigned char byte;
};

void added_release(struct added *a)
{
	free(a->nodes);
	free(a->tokens);
	*a = (struct added)ADDED_INIT;
}

/* *node becomes the one for byte in the list that *link begins, put there if need be. */
static int enter(
	struct added *a, uint32_t *link, unsigned char byte, uint32_t *node, struct err *err)
{
	for (*node = *link; *node; *node = a->nodes[*node].sibling)
		if (a->nodes[*node].byte == byte)
			return 0;
	if (a->count >= UINT32_MAX)
		return err_set(err, ERR_LIMIT, "added tokens of more than %u bytes", UINT32_MAX);
	*node = (uint32_t)a->count++;
	a->nodes[*node] = (struct added_node){.sibling = *link, .token = -1, .byte = byte};
	*link = *node;
	return 0;
}

int added_put(
	struct added *a, const char *content, size_t n, struct added_token token, struct err *err)
{
	const unsigned char *bytes = (const unsigned char *)content;
	uint32_t node = 0;

	if (mem_grow(&a->nodes, &a->node_cap, a->count + n + 1, sizeof *a->nodes, err) ||
		mem_grow(&a->tokens, &a->cap, a->n + 1, sizeof *a->tokens, err))
		return -1;
	if (!a->count)
		a->nodes[a->count++] = (struct added_node){.token = -1};
	for (size_t i = 0; i < n; i++)
		if (enter(a, i ? &a->nodes[node].child : &a->first[bytes[0]], bytes[i], &node, err))
			return -1;
	if (!a->n) {
		a->prefix_n = n < sizeof a->prefix ? n : sizeof a->prefix;
		memcpy(a->prefix, content, a->prefix_n);
	}
	for (size_t i = 0; i < a->prefix_n; i++)
		if (i == n || a->prefix[i] != content[i])
			a->prefix_n = i;
	if (a->nodes[node].token >= 0)
		return 0;
	a->nodes[node].token = (int32_t)a->n;
	a->tokens[a->n++] = token;
	return 0;
}

/* The longest token that begins at byte `at` of the walk's text, and where it ends; NULL */
static const struct added_token *longest(const struct added_walk *walk, size_t at, size_t *end)
{
	const struct added *a = walk->set;
	const char *text = walk->text;
	const struct added_token *found = NULL;
	uint32_t node = a->first[(unsigned char)text[at]];

	while (node) {
		at++;
		if (a->nodes[node].token >= 0) {
			found = &a->tokens[a->nodes[node].token];
			*end = at;
		}
		if (at == walk->n || (walk->plain && walk->plain[at]))
			break;
		node = a->nodes[node].child;
		while (node && a->nodes[node].byte != (unsigned char)text[at])
			node = a->nodes[node].sibling;
	}
	return found;
}

/* The next token at or after *at, which becomes where it begins. */
static const struct added_token *find(const struct added_walk *walk, size_t *at, size_t *end)
{
	const struct added *a = walk->set;
	const struct added_token *found;
	const char *text = walk->text;
	size_t n = walk->n, last = a->prefix_n ? a->prefix_n - 1 : 0;
	const char *p;

	for (; *at < n; ++*at) {
		if (a->prefix_n) { /* its last byte is the rarest: "<|" of Llama 3, "\u2581<" of Llama 2 */
			p = n - *at > last ? memchr(text + *at + last, a->prefix[last], n - *at - last) : NULL;
			if (!p)
				return NULL;
			*at = (size_t)(p - text) - last;
		}
		found = walk->plain && walk->plain[*at] ? NULL : longest(walk, *at, end);
		if (found)
			return found;
	}
	return NULL;
}

static bool beside_word(const char *text, size_t n, size_t at, size_t end)
{
	const char *before, *behind = text + end;

	if (at > 0) {
		before = uchar_back(text + at);
		if (uchar_is_word(uchar_next(&before)))
			return true;
	}
	return end < n && uchar_is_word(uchar_next(&behind));
}

static size_t skip_left(const char *text, size_t at)
{
	const char *s, *before;

	while (at > 0) {
		s = before = uchar_back(text + at);
		if (!uchar_is_space(uchar_next(&s)))
			break;
		at = (size_t)(before - text);
	}
	return at;
}

static size_t skip_right(const char *text, size_t n, size_t at)
{
	const char *s = text + at;

	while (at < n && uchar_is_space(uchar_next(&s)))
		at = (size_t)(s - text);
	return at;
}

/* The next match that becomes a token, to walk->waiting, and where it begins with what it strips.
 */
static bool find_token(struct added_walk *walk, size_t *start)
{
	const char *text = walk->text;
	const struct added_token *token;
	size_t n = walk->n;

	while (walk->set->n && (token = find(walk, &walk->search, &walk->waiting_end))) {
		*start = walk->search;
		walk->search = walk->waiting_stop = walk->waiting_end;
		if (token->single_word && beside_word(text, n, *start, walk->waiting_end))
			continue;
		if (token->lstrip) {
			*start = skip_left(text, *start);
			if (*start < walk->start)
				*start = walk->start;
		}
		if (token->rstrip)
			walk->waiting_stop = skip_right(text, n, walk->waiting_end);
		if (*start >= walk->waiting_stop)
			continue; /* the token before has taken all of it */
		walk->waiting = token;
		return true;
	}
	return false;
}

bool added_next(struct added_walk *walk, struct added_piece *piece)
{
	size_t start;

	if (!walk->waiting) {
		if (!find_token(walk, &start))
			start = walk->n;
		*piece = (struct added_piece){-1, walk->start, start};
		if (walk->start < start) {
			walk->start = start;
			return true;
		}
	}
	if (!walk->waiting)
		return false;
	*piece = (struct added_piece){walk->waiting->id, walk->start, walk->waiting_end};
	walk->start = walk->waiting_stop;
	walk->waiting = NULL;
	return true;
}
