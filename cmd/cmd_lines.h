/*
 * What `tokenize --encode` and --decode-ids do: lines of JSON with a text to lines with ids, or back, by several
 * threads, in order.
 */
#ifndef CMD_LINES_H
#define CMD_LINES_H

#include "cmd/cmd.h"
#include "text/tokenizer.h"

struct lines_options {
	const struct cmd_stream *io;
	const struct tokenizer *tokenizer;
	bool decode;	/* ids to text */
	unsigned flags; /* encoder_encode()'s or detokenizer_new()'s */
	bool replace;	/* what is not Unicode becomes U+FFFD, and is counted */
};

/* All lines of the files, of standard input where there are none. 0 or -1. */
int lines_convert(const struct lines_options *o, char **paths, int n, struct err *err);

#endif
