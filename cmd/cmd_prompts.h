/*
 * Prompts for a model, as tokens: of streams of records, of JSON lines, or of plain lines.
 *
 *	struct cmd_prompts in = {.folder = folder, .kind = kind, .paths = paths, .n = n};
 *
 *	if (cmd_prompts_open(&in, &options, err) == 0)
 *		while ((rc = cmd_prompts_next(&in, &p, err)) == 1)
 *			use(p.token, p.n);
 *	cmd_prompts_close(&in);
 */
#ifndef CMD_PROMPTS_H
#define CMD_PROMPTS_H

#include "io/lines.h"
#include "io/prefreader.h"
#include "text/template.h"
#include "text/tokenizer.h"

enum cmd_prompts_kind { PROMPTS_STREAM, PROMPTS_JSONL, PROMPTS_LINES };

struct cmd_prompt {
	uint64_t id;
	const int32_t *token; /* [n] */
	int64_t n;
	const char *text; /* len bytes; NULL where the prompt came as tokens */
	size_t len;
	const char *meta; /* a record's other fields, meta_len bytes of a JSON object; NULL where there are none */
	size_t meta_len;
};

struct cmd_prompts {
	const char *folder; /* the model's */
	bool tokenizes;	    /* the caller needs the tokenizer too, whatever the prompts are */
	enum cmd_prompts_kind kind;
	char *const *paths; /* n of them; none: standard input */
	int n;
	int64_t positions; /* of the model, which a prompt must not fill */

	struct tokenizer *tokenizer; /* NULL where it is not needed */
	struct prefreader *stream;
	bool rendered; /* its text has special tokens of its own */
	struct lines *lines;
	int next; /* path */
	struct template *template;
	struct encoder *encoder;
	struct ids ids;
	struct arena arena;
};

/* Close in any case. */
int cmd_prompts_open(struct cmd_prompts *p, const struct tsreader_options *options, struct err *err);

/* 1 and a prompt, which is valid until the next call; 0 at the end; -1. Errors name the place. */
int cmd_prompts_next(struct cmd_prompts *p, struct cmd_prompt *out, struct err *err);

void cmd_prompts_close(struct cmd_prompts *p);

#endif
