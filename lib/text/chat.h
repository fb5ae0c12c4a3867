/*
 * Messages of a conversation, as datasets have them: {"role", "content"}, where the content may be a list of
 * parts and further fields belong to the message (tool calls, reasoning); or {"from", "value"} with
 * ShareGPT's tags.
 */
#ifndef TEXT_CHAT_H
#define TEXT_CHAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "io/json.h"
#include "text/fault.h"

struct chat_message {
	const char *role;
	const char *content; /* len bytes; NULL where there is none, or one with parts that are not text */
	size_t len;
	const struct json *source; /* the message as it stood, if with "role"; else NULL */
	const char *more;	   /* otherwise: further fields as JSON, each after a comma; or NULL */
};

/*
 * Reads a list of messages into the arena, or one that is not in a list. key: what the row calls it, for
 * people. 1; 0 with the fault; -1 with err. Messages borrow from list.
 */
int chat_read(const char *key, const struct json *list, struct chat_message **messages, size_t *n,
	struct arena *arena, struct fault *fault, struct err *err);

/* Does it look like a message: an object with role and content, or from and value? */
bool chat_is_message(const struct json *v);

/* The same message, further fields included? */
bool chat_same(const struct chat_message *a, const struct chat_message *b);

/* Appends it as JSON, as chat templates want it. */
void chat_put(struct buf *out, const struct chat_message *m);

/* A field of a message that only a template can write: its name, or NULL. */
const char *chat_field(const struct chat_message *m);

/* The same of a row. */
const char *chat_row_field(const struct json *row);

#endif
