/*
 * Added tokens: strings that are found in the text before anything else looks at it, leftmost and
 * longest, and become one id each. A set is one of two passes: tokens found in the text as it came,
 * and tokens found, in their normalized form, in what the normalizer made of the rest.
 */
#ifndef TEXT_ADDED_H
#define TEXT_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct added_token {
	int32_t id;
	bool single_word;    /* not beside a word character; such a match is passed over whole */
	bool lstrip, rstrip; /* takes the white space on that side with it */
};

struct added_node;

struct added {
	struct added_node *nodes; /* of a trie, linked by child and sibling */
	size_t count, node_cap;
	struct added_token *tokens;
	size_t n, cap;
	uint32_t first[256]; /* node of each first byte, 0 where there is none */
	char prefix[16]; /* what all tokens begin with, as far as it goes here */
	size_t prefix_n;
};

#define ADDED_INIT                                                                                 \
	{                                                                                          \
		.nodes = NULL                                                                      \
	}

void added_release(struct added *a);

/* Adds a token, n > 0 bytes; of two with the same content the first one counts. */
int added_put(
	struct added *a, const char *content, size_t n, struct added_token token, struct err *err);

/*
 * A walk through n bytes of valid UTF-8: pieces of text, none empty, and tokens between them. A token
 * has no byte for which plain has 1, if plain is set.
 */
struct added_walk {
	const struct added *set;
	const char *text;
	const uint8_t *plain;
	size_t n;
	size_t search, start;
	const struct added_token *waiting;
	size_t waiting_end, waiting_stop;
};

#define ADDED_WALK(a, t, bytes_plain, size)                                                        \
	{                                                                                          \
		.set = (a), .text = (t), .plain = (bytes_plain), .n = (size)                       \
	}

struct added_piece {
	int32_t id; /* a token's, or -1: text */
	size_t at,
		end; /* within the text; a token's without the white space that it took with it */
};

/* The next piece; false at the end. */
bool added_next(struct added_walk *walk, struct added_piece *piece);

#endif
