/*
 * What can be wrong with a row of preference data, or odd about it: a code for programs and for counting,
 * and a sentence for people. Codes are of four classes, which decide what becomes of the row.
 */
#ifndef TEXT_FAULT_H
#define TEXT_FAULT_H

#include <stddef.h>

enum fault_class {
	FAULT_FATAL,   /* no record can be made of the row: it is bad */
	FAULT_BAD,     /* a record could be made, but the row is bad unless told otherwise */
	FAULT_SKIPPED, /* nothing is wrong, but there is nothing to learn, or it was not asked for */
	FAULT_NOTE,    /* the row is kept, and this is counted */
};

enum fault_code {
	FAULT_NOT_JSON,
	FAULT_NOT_OBJECT,
	FAULT_MISSING_KEY,
	FAULT_DUPLICATE_KEY,
	FAULT_LOST_KEY, /* a key that adds to the prompt and that the layout does not read */
	FAULT_WRONG_TYPE,
	FAULT_PREFIX,	      /* one side is how the other begins, so that the prompt's end is unknown */
	FAULT_NO_PROMPT,      /* the sides have no prompt in common */
	FAULT_PROMPT_DIFFERS, /* the sides do not begin with the row's prompt */
	FAULT_ROLES,	      /* roles out of order, or unknown */
	FAULT_MARKER,	      /* text that the renderer would take for its own */
	FAULT_NEEDS_TEMPLATE, /* tools and the like, which plain dialogue cannot express */
	FAULT_TEMPLATE,	      /* the chat template refuses the row */

	FAULT_EMPTY,	 /* a completion with nothing but white space */
	FAULT_IDENTICAL, /* two completions that are the same */

	FAULT_NO_PREFERENCE, /* the verdict is a tie, or missing */
	FAULT_BELOW,	     /* a field is less than --min asks for */

	FAULT_EXTENDS,	     /* a completion begins with the other one */
	FAULT_TIE,	     /* completions in an order have the same score */
	FAULT_DUPLICATE,     /* a record that was there before */
	FAULT_CONTRADICTION, /* a pair that was there before the other way round */
	FAULT_HELD_OUT,	     /* the prompt is in the file of --held-out */
	FAULT_SPECIAL,	     /* text of the data that the tokenizer takes for a special token */
	FAULT_LEFTOVER,	     /* a template's marks in one completion, but not in the other */
	FAULT_SYSTEM_LOST,   /* the template leaves the system's text out */
	FAULT_BOUNDARY,	     /* the rendered prompt is not how the rendered whole begins */
	FAULT_REPLACED,	     /* what was not Unicode was replaced */
	FAULT_CODES
};

struct fault {
	enum fault_code code;
	char text[240]; /* a sentence, printable ASCII */
};

const char *fault_name(enum fault_code code); /* "not-json" */
enum fault_class fault_class(enum fault_code code);

/* The code of that name, n bytes; FAULT_CODES where there is none. */
enum fault_code fault_find(const char *name, size_t n);

/* Returns 0, which is how functions here say that a row is not as it should be. */
int fault_set(struct fault *f, enum fault_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* s between quotes as it may be shown to people: at most 40 bytes, others than printable ASCII as '?'. */
struct fault_shown {
	char text[48];
};

struct fault_shown fault_show(const char *s);

#endif
