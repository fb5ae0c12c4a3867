/*
 * Stop strings: has a text that grows token by token come to one of them?
 *
 *	struct stops stops = {texts, n};
 *	struct stopwatch w = STOPWATCH_INIT;
 *
 *	stopwatch_open(&w, &stops, tokenizer, err);
 *	stopwatch_start(&w, prompt, n, err);
 *	while (stopwatch_token(&w, next(), err) == 0)
 *		;
 *	stopwatch_close(&w);
 */
#ifndef TEXT_STOPS_H
#define TEXT_STOPS_H

#include "text/detokenizer.h"

struct stops {
	const char *const *text; /* [n] none of them empty */
	size_t n;
};

/* Where the first of them begins in a text of n bytes; n where there is none. */
size_t stops_find(const struct stops *s, const char *text, size_t n);

struct stopwatch {
	const struct stops *stops;
	struct detokenizer *d;
	struct buf text; /* since the prompt, as far as it is certain */
	size_t seen;	 /* bytes in which nothing begins any more */
};

#define STOPWATCH_INIT {.d = NULL}

/* Borrows both. Close w in any case. */
int stopwatch_open(struct stopwatch *w, const struct stops *stops, const struct tokenizer *t, struct err *err);
void stopwatch_close(struct stopwatch *w);

/* A new text: the prompt's tokens, of which the text of the others may depend, are not looked at. */
int stopwatch_start(struct stopwatch *w, const int32_t *prompt, int64_t n, struct err *err);

/* One more token. 1: its text ends with, or holds, a stop string; 0; -1. */
int stopwatch_token(struct stopwatch *w, int32_t id, struct err *err);

#endif
