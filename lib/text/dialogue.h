/*
 * Dialogue as plain text, the form of Anthropic's HH data: each turn is "\n\nHuman: ..." or
 * "\n\nAssistant: ...", the system's text comes first without a mark, a prompt ends with "\n\nAssistant:"
 * and a completion starts with a space. It needs no chat template and no special tokens.
 */
#ifndef TEXT_DIALOGUE_H
#define TEXT_DIALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "text/layout.h"

/* What streams rendered so have under `template` in their header. */
#define DIALOGUE_TEMPLATE "dialogue"

/*
 * The renderer of struct layout_options; context is not used. A system message may only come first; user
 * and assistant take turns; the prompt ends with the user, a completion with the assistant. Messages that
 * hold a turn's mark, and rows with tools, are bad.
 */
int dialogue_render(const void *context, struct layout_row *row, struct arena *arena, struct fault *fault,
	struct err *err);

/* Does the string start as a transcript does, and hold an answer? */
bool dialogue_is_transcript(const char *s, size_t n);

/*
 * Splits two transcripts where their last common answer begins: *prompt is the length of what they share
 * up to and with that "\n\nAssistant:". What follows may go on over further turns of both sides, taken in
 * turns and ending with an answer; *turns says whether any does. 1, or 0 with the fault set.
 */
int dialogue_split(const char *a, size_t na, const char *b, size_t nb, size_t *prompt, bool *turns,
	struct fault *fault);

/*
 * A transcript as messages in the arena: text before the first mark is the system's, contents lose the white
 * space around them, and a mark with nothing behind it, at the end, is no message. answer: the text begins
 * within the assistant's turn, as completions do. 1 or -1.
 */
int dialogue_parse(const char *s, size_t n, bool answer, struct chat_message **messages, size_t *count,
	struct arena *arena, struct err *err);

#endif
