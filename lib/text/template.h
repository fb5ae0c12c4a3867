/*
 * A model's own chat template: found in its folder, given what transformers gives it, and used as a renderer
 * of rows (layout.h). The prompt is the template's text of the prompt's messages with the generation prompt;
 * a completion is what the template adds to that for the whole conversation. Where the prompt's text is not
 * how the whole's begins, the prompt ends where they part, and the row gets a note.
 *
 *	struct template_options o = {.folder = "models/llama"};
 *	struct template *t = template_open(&o, &err);
 *	struct layout_options how = {.render = template_render_row, .context = t};
 *
 * A template may be used by several threads at once.
 */
#ifndef TEXT_TEMPLATE_H
#define TEXT_TEMPLATE_H

#include <stdbool.h>
#include <time.h>

#include "base/buf.h"
#include "text/layout.h"
#include "text/specials.h"

struct template;

struct template_options {
	const char *folder; /* a model's; NULL: none, and then there is a file */
	const char *file;   /* the template, instead of the folder's */
	const char *name;   /* of several; NULL: "tool_use" for rows with tools where there is one, else "default" */
	const char *bos, *eos; /* instead of the folder's tokens; or NULL */
	const char *kwargs;    /* a JSON object, whose members are variables; or NULL */
	const struct tm *now;  /* what strftime_now tells; NULL: the local time */
	/*
	 * Keep special tokens in messages from being taken for such: render_row() sets plain where text of
	 * one of these tokens comes from the messages. NULL: no.
	 */
	const struct specials *mark;
};

/*
 * From the file, or of the folder: chat_template.jinja; chat_template in tokenizer_config.json, which may be
 * a list of named ones; chat_template.json. ERR_FAILED where there is none, or with the template's mistake.
 * What options point to is copied, but for now and mark.
 */
struct template *template_open(const struct template_options *o, struct err *err);
void template_free(struct template *t); /* NULL is fine */

/* SHA-256 of the source in hexadecimal (of the one for rows without tools). */
const char *template_sha256(const struct template *t);

/* Does it ask for the time, so that what it writes depends on when it is run? */
bool template_tells_time(const struct template *t);

/* The renderer; context is the template. */
int template_render_row(const void *context, struct layout_row *row, struct arena *arena, struct fault *fault,
	struct err *err);

/*
 * Renders with the members of a JSON object, n bytes, as variables: messages, add_generation_prompt and
 * others. 1; 0 with the exception as Python would name it, or the limit that was met; -1.
 */
int template_render(const struct template *t, const char *object, size_t n, struct buf *out, struct buf *exception,
	struct err *err);

#endif
