/* Completions of prompts, as records of tokens in a stream, or as lines of JSON with their text. */
#ifndef CMD_COMPLETIONS_H
#define CMD_COMPLETIONS_H

#include "io/file.h"
#include "io/prefwriter.h"
#include "model/generate.h"
#include "text/prefdecode.h"
#include "text/stops.h"

/* What comes with a prompt, besides its tokens. For free(). */
struct cmd_asked {
	const char *text; /* NULL: it came as tokens */
	const char *meta; /* a JSON object; NULL: none */
	size_t text_len, meta_len;
};

struct cmd_completions {
	const char *path;
	const struct stops *stops; /* texts end before them */
	struct pref_schema schema;
	struct prefwriter *stream; /* NULL: JSON */
	struct outfile file;
	struct prefdecode *decode;
	struct buf text, meta;
	int32_t *skip; /* [k] zeros */
};

#define CMD_COMPLETIONS_INIT {.file.fd = -1}

/* A stream with columns logp.sample and, unless sums are enough, tlogp.sample. Close c in any case. */
int cmd_completions_open_stream(struct cmd_completions *c, const char *path, const struct meta *meta, int64_t vocab,
	bool sums, int k, const struct tswriter_options *how, struct err *err);

int cmd_completions_open_json(struct cmd_completions *c, const char *path, const struct tokenizer *t,
	const struct stops *stops, struct err *err);

/* g->tag is a struct cmd_asked, which is freed. */
int cmd_completions_add(struct cmd_completions *c, const struct generated *g, struct err *err);

/* input: the totals of the stream that the prompts came from, or NULL. */
int cmd_completions_finish(struct cmd_completions *c, const struct tstotals *input, struct err *err);
void cmd_completions_close(struct cmd_completions *c);

#endif
