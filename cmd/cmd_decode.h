/* What `tokenize --decode` does. */
#ifndef CMD_DECODE_H
#define CMD_DECODE_H

#include "cmd/cmd.h"
#include "text/detokenizer.h"

struct decode_options {
	const struct cmd_stream *io;
	const struct tokenizer *tokenizer;
	const char *folder;  /* its, for messages */
	unsigned flags;	     /* detokenizer_new()'s */
	bool allow_mismatch; /* streams of another tokenizer too */
};

/* Streams of token records to one of text records. 0 or -1. */
int decode_streams(const struct decode_options *o, char **paths, int n, struct err *err);

#endif
