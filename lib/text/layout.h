/*
 * Layouts of preference data: which keys a dataset's rows have, and how such a row becomes a prompt and
 * its completions. The layouts are a table in layout.c: a name, the keys with the kind of value each must
 * have, and one function. What the keys promise is checked in every row; a row that breaks a promise is
 * bad, with a reason code and a sentence, and never repaired or guessed at.
 *
 * Conversational layouts yield messages, not text: a renderer (dialogue.h, or a chat template) turns the
 * messages of a row into strings.
 *
 *	const struct layout *layout = layout_detect(json, &fault);
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

/* ---- what is wrong with a row */

enum layout_reason {
	LAYOUT_NOT_JSON,
	LAYOUT_NOT_OBJECT,
	LAYOUT_MISSING_KEY,
	LAYOUT_DUPLICATE_KEY,
	LAYOUT_LOST_KEY, /* a key that adds to the prompt and that the layout does not read */
	LAYOUT_WRONG_TYPE,
	LAYOUT_EMPTY,     /* a completion with nothing but white space */
	LAYOUT_IDENTICAL, /* two completions that are the same */
	LAYOUT_PREFIX,    /* one side is how the other begins, so that the prompt's end is unknown */
	LAYOUT_NO_PROMPT, /* the sides have no prompt in common */
	LAYOUT_PROMPT_DIFFERS, /* the sides do not begin with the row's prompt */
	LAYOUT_ROLES,          /* roles out of order, or unknown */
	LAYOUT_MARKER,         /* text that the renderer would take for its own */
	LAYOUT_NEEDS_TEMPLATE, /* tools and the like, which the renderer cannot write */
	LAYOUT_REASONS
};

/* "not-json": for programs, and for counting. */
const char *layout_reason_name(enum layout_reason reason);

struct layout_fault {
	enum layout_reason reason;
	char text[240]; /* a sentence for people, printable ASCII */
};

/* Returns 0, which is how functions here say that a row is bad. */
int layout_bad(struct layout_fault *fault, enum layout_reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* s between quotes as it may be shown to people: at most 40 bytes, others than printable ASCII as '?'. */
struct layout_shown {
	char text[48];
};

struct layout_shown layout_show(const char *s);

/* ---- rows */

struct layout_message {
	const char *role, *content; /* zero-terminated, len bytes of content */
	size_t len;
	const struct json *source; /* the whole message; NULL for one made from a prompt string */
};

/* The prompt or a completion. Strings and messages belong to the row's JSON and to the arena. */
struct layout_part {
	const char *text;
	size_t len;
	const struct layout_message *messages; /* of conversational layouts */
	size_t n;
};

struct layout_row {
	const struct json *source;
	int k;
	struct layout_part *parts; /* [k + 1]: the prompt, then the completions, best first */
	const float *labels;       /* [k] or NULL */
	bool turns;                /* a completion goes on over turns of the user */
};

/* "the prompt", "chosen", "rejected", "the completion" or "completion 3". */
struct layout_shown layout_part_name(const struct layout_row *row, int part);

/* ---- layouts */

#define LAYOUT_MAX_KEYS 3

enum layout_kind {
	LAYOUT_NOTHING,
	LAYOUT_TEXT,             /* a string */
	LAYOUT_TRANSCRIPT,       /* a string of turns, as dialogue.h has them */
	LAYOUT_TEXTS,            /* an array of strings */
	LAYOUT_MESSAGES,         /* an array of {"role": ..., "content": ...} */
	LAYOUT_TEXT_OR_MESSAGES, /* one or the other */
	LAYOUT_LABEL,            /* true or false, 1 or 0 */
};

struct layout_reading;

struct layout {
	const char *name;
	struct {
		const char *name;
		enum layout_kind kind;
	} keys[LAYOUT_MAX_KEYS];
	const char *const *lost; /* keys that such a row must not have, NULL-terminated */
	bool chat;               /* yields messages */
	bool labelled;
	int (*read)(struct layout_reading *r);
};

/*
 * The first layout of the table whose keys the row has, with values of the right kinds, and which would
 * lose none that belongs to the prompt; NULL, and the fault says why.
 */
const struct layout *layout_detect(const struct json *row, struct layout_fault *fault);

/* The i-th of the table; NULL after the last. */
const struct layout *layout_at(size_t i);

const char *layout_kind_name(const struct json *v); /* "a string" */
bool layout_is_blank(const char *s, size_t n);     /* nothing but ASCII's white space */

/* Appends the row's keys and the kinds of their values, at most 20 of them, for a message. */
void layout_put_keys(struct buf *out, const struct json *row);

struct layout_options {
	bool forced; /* the layout was chosen by name: rows may have keys that it loses */
	/*
	 * Sets text and len of all parts of a row from their messages. 1; 0 with the fault set; -1. Called for
	 * conversational layouts only.
	 */
	int (*render)(void *context, struct layout_row *row, struct arena *arena, struct layout_fault *fault,
		struct err *err);
	void *context;
};

/* 1 and a row, which lives as long as json and arena; 0 and the fault, where json is a bad row; -1. */
int layout_read(const struct layout *l, const struct json *json, const struct layout_options *options,
	struct arena *arena, struct layout_row *row, struct layout_fault *fault, struct err *err);

/* The row as a record with its id and without metadata, in the arena. */
int layout_record(const struct layout_row *row, struct pref_rec *rec, struct arena *arena, struct err *err);

/* Appends a JSON object of all keys that the layout does not read. */
void layout_put_meta(struct buf *out, const struct layout *l, const struct json *row);

#endif
