/*
 * Layouts of preference data: which keys a dataset's rows have, and how such a row becomes a prompt and
 * its completions. The layouts are a table in layouts.c: a name, the keys with the kind of value each must
 * have, and one function. What the keys promise is checked in every row; a row that breaks a promise is
 * bad, with a code and a sentence, and never repaired or guessed at.
 *
 * Conversational layouts yield messages, not text: a renderer (dialogue.h, or template.h for a model's own
 * chat template) turns the messages of a row into strings.
 *
 *	const struct layout *layout = layout_detect(json, &how, &fault);
 *	struct layout_options how = {.render = dialogue_render};
 *
 *	switch (layout_read(layout, json, &how, &arena, &row, &fault, err)) {
 *	case 1: layout_record(&row, &rec, &arena, err);     a record for a stream
 *	case 0: fault.text says why not
 *	}
 */
#ifndef TEXT_LAYOUT_H
#define TEXT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "io/pref.h"
#include "text/chat.h"
#include "text/fault.h"

/* ---- rows */

/* The prompt or a completion. Strings and messages belong to the row's JSON and to the arena. */
struct layout_part {
	const char *text;
	size_t len;
	const uint8_t *plain;	       /* [len] 1 where the text is no special token, whatever it says; or NULL */
	struct chat_message *messages; /* of conversational rows */
	size_t n;
};

struct layout_row {
	const struct json *source;
	int k;
	struct layout_part *parts; /* [k + 1]: the prompt, then the completions, best first */
	float *labels;		   /* [k] scores, or 1 and 0; NULL */
	bool chat;		   /* the parts have messages */
	bool turns;		   /* a completion goes on over turns of the user */
	struct fault note;	   /* what the renderer has to say of a row that is kept; text "" for nothing */
};

/* "the prompt", "chosen", "rejected", "the completion" or "completion 3". */
struct fault_shown layout_part_name(const struct layout_row *row, int part);

/* ---- layouts */

/* What a key's value is for. */
enum layout_slot {
	SLOT_NONE,
	SLOT_PROMPT,
	SLOT_INPUT,    /* more of the prompt */
	SLOT_SYSTEM,   /* goes before it */
	SLOT_HISTORY,  /* turns between the two: [[question, answer], ...] */
	SLOT_CHOSEN,   /* or the first of two, where there is a verdict */
	SLOT_REJECTED, /* or the second */
	SLOT_COMPLETION,
	SLOT_LIST,   /* of completions */
	SLOT_SCORES, /* of those */
	SLOT_VERDICT,
	SLOT_LABEL,
	SLOT_TOOLS, /* read by chat templates alone */
	SLOT_KWARGS,
	LAYOUT_SLOTS
};

enum layout_kind {
	KIND_TEXT,	       /* a string */
	KIND_TRANSCRIPT,       /* a string of turns, as dialogue.h has them */
	KIND_TEXTS,	       /* an array of strings */
	KIND_MESSAGES,	       /* an array of messages, or one alone */
	KIND_TEXT_OR_MESSAGES, /* one or the other */
	KIND_ITEMS,	       /* an array of objects, each with a completion */
	KIND_TURNS,	       /* an array of arrays of two strings */
	KIND_LABEL,	       /* true or false, 1 or 0 */
	KIND_NUMBERS,	       /* an array of numbers */
	KIND_SCALAR,	       /* a number or a string */
	KIND_OBJECT,
	KIND_ANY,
};

/* How a verdict tells the first answer from the second. */
enum layout_verdict {
	VERDICT_NONE,
	VERDICT_ONE,	/* 1: the first is better; 0: the second */
	VERDICT_INDEX,	/* 0: the first; 1: the second */
	VERDICT_TO_TWO, /* below 1.5: the first; above: the second; 1.5 or 0: a tie */
	VERDICT_SIGN,	/* negative: the first; positive: the second; 0: a tie */
	VERDICT_WINNER, /* "model_a", "model_b"; others: a tie */
};

struct layout_key {
	enum layout_slot slot;
	const char *names; /* "question|query": the first that the row has */
	enum layout_kind kind;
	bool optional;
};

#define LAYOUT_MAX_KEYS 8

struct layout_reading;

struct layout {
	const char *name;
	struct layout_key keys[LAYOUT_MAX_KEYS];
	int (*read)(struct layout_reading *r);
	const char *const *lost; /* keys that such a row must not have, ended by NULL; or NULL */
	bool chat;		 /* yields messages */
	bool labelled;
	enum layout_verdict verdict;
	const char *item_text, *item_score; /* the keys of KIND_ITEMS */
	bool ranks;			    /* the scores are ranks, 1 the best */
};

/* The i-th of the table; NULL after the last. */
const struct layout *layout_at(size_t i);

/*
 * --map: the value that a layout knows under one name is found under another, or further down. A
 * field that is so taken for one key is not read under its own name too.
 */
struct layout_map {
	const char *key, *path; /* "prompt", "data.question" or "answers.0.text" */
};

struct layout_options {
	bool forced; /* the layout was chosen by name: rows may have keys that it loses */
	bool chat;   /* rows of text become messages too */
	bool keep_empty, keep_identical;
	const struct layout_map *map;
	size_t nmap;
	/*
	 * Sets text and len of all parts of a row from their messages. 1; 0 with the fault set; -1. Called for
	 * rows with messages only.
	 */
	int (*render)(const void *context, struct layout_row *row, struct arena *arena, struct fault *fault,
		struct err *err);
	const void *context;
};

/*
 * The first layout of the table whose keys the row has, with values of the right kinds, and which would
 * lose none that belongs to the prompt; NULL, and the fault says why.
 */
const struct layout *layout_detect(
	const struct json *row, const struct layout_options *options, struct fault *fault);

bool layout_is_blank(const char *s, size_t n); /* nothing but ASCII's white space */

/* Appends the row's keys and the kinds of their values, at most 20 of them, for a message. */
void layout_put_keys(struct buf *out, const struct json *row);

/* 1 and a row, which lives as long as json and arena; 0 and the fault, where json is a bad row; -1. */
int layout_read(const struct layout *l, const struct json *json, const struct layout_options *options,
	struct arena *arena, struct layout_row *row, struct fault *fault, struct err *err);

/* The row as a record with its id and without metadata, in the arena. */
int layout_record(const struct layout_row *row, struct pref_rec *rec, struct arena *arena, struct err *err);

/* Appends a JSON object of all keys that the layout does not read. */
void layout_put_meta(struct buf *out, const struct layout *l, const struct json *row,
	const struct layout_options *options);

/* A number, or a string that is one (tables have but strings). */
bool layout_number(const struct json *v, double *out);

/* A field of the row by a path; NULL. */
const struct json *layout_find(const struct json *row, const char *path);

#endif
