/*
 * How the layouts of layouts.c read their rows, one function each. A function finds the values of the
 * layout's keys in r->value, by slot and of the kinds that the table names, NULL where an optional one is
 * missing, and sets the parts of r->row: text, or messages in conversational layouts. 1; 0 with r->fault
 * set, if the row is bad; -1 with r->err.
 */
#ifndef TEXT_ROWS_H
#define TEXT_ROWS_H

#include "text/layout.h"

struct layout_reading {
	const struct layout *layout;
	const struct layout_options *options;
	const struct json *value[LAYOUT_SLOTS];
	const char *key[LAYOUT_SLOTS]; /* the name that each has in the row */
	struct layout_row *row;
	struct arena *arena;
	struct fault *fault;
	struct err *err;
};

/* ---- text: rows_text.c */

int rows_read_texts(struct layout_reading *r);	     /* a prompt, then completions, as strings */
int rows_read_text(struct layout_reading *r);	     /* no prompt, one completion */
int rows_read_ranking(struct layout_reading *r);     /* a prompt and an array of completions */
int rows_read_implicit(struct layout_reading *r);    /* two strings that begin with the prompt */
int rows_read_transcripts(struct layout_reading *r); /* two transcripts */
int rows_read_tldr(struct layout_reading *r);	     /* a post and two summaries */

/* Rows of text become messages: of the user, then of the assistant; transcripts turn by turn. */
int rows_make_chat(struct layout_reading *r);

/* ---- conversations: rows_chat.c */

int rows_read_explicit_chat(struct layout_reading *r); /* a prompt, and a list for each completion */
int rows_read_implicit_chat(struct layout_reading *r); /* two lists that begin with the prompt */
int rows_read_messages(struct layout_reading *r);      /* one list, whose last message is the completion */

/* ---- questions with answers: rows_answers.c */

int rows_read_answers(struct layout_reading *r); /* as strings: two, one, or a list with or without scores */
int rows_read_items(struct layout_reading *r);	 /* as objects with scores */

/* ---- for those above */

/* Parts for k completions, empty. 1 or -1. */
int rows_new_parts(struct layout_reading *r, size_t k);

/* Puts the better of two first, as the verdict says; 0 where it is a tie. Without a verdict: 1. */
int rows_judge(struct layout_reading *r);

/* The numbers of SLOT_SCORES, one a completion, as r->row->labels; 1 where there is no such slot. */
int rows_score(struct layout_reading *r);

/* Puts completions in the order of their scores, r->row->labels, the best first, if they have any; equal ones stay. */
void rows_sort(struct layout_reading *r);

#endif
