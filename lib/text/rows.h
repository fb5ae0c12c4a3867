/*
 * How the layouts of layout.c read their rows, one function each. A function finds the values of the
 * layout's keys in r->value, of the kinds that the table names, and sets the parts of r->row: text, or
 * messages in conversational layouts. 1; 0 with r->fault set, if the row is bad; -1 with r->err.
 */
#ifndef TEXT_ROWS_H
#define TEXT_ROWS_H

#include "text/layout.h"

struct layout_reading {
	const struct layout *layout;
	const struct json *value[LAYOUT_MAX_KEYS];
	struct layout_row *row;
	struct arena *arena;
	struct layout_fault *fault;
	struct err *err;
};

int rows_read_texts(struct layout_reading *r);       /* a prompt, then completions, as strings */
int rows_read_text(struct layout_reading *r);        /* no prompt, one completion */
int rows_read_ranking(struct layout_reading *r);     /* a prompt and an array of completions */
int rows_read_implicit(struct layout_reading *r);    /* two strings that begin with the prompt */
int rows_read_transcripts(struct layout_reading *r); /* two transcripts */

int rows_read_explicit_chat(struct layout_reading *r); /* a prompt, then two lists */
int rows_read_implicit_chat(struct layout_reading *r); /* two lists that begin with the prompt */
int rows_read_chat(struct layout_reading *r);          /* a prompt and one list */
int rows_read_messages(struct layout_reading *r);      /* one list, whose last message is the completion */

#endif
