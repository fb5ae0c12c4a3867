/* What loading (tokenizer.c) and encoding (encoder.c) share; for nobody else. */
#ifndef TEXT_TOKENIZER_IMPL_H
#define TEXT_TOKENIZER_IMPL_H

#include <stdbool.h>

#include "base/buf.h"
#include "text/added.h"
#include "text/decode.h"
#include "text/normalize.h"
#include "text/pretokenize.h"
#include "text/texts.h"
#include "text/tokenizer.h"
#include "text/vocab.h"
#include "text/wordmodel.h"

struct tokenizer {
	struct normalize *normalize;
	struct pretokenize *pretokenize;
	struct wordmodel *model;
	bool byte_level;	      /* pretokenize_is_byte_level */
	struct vocab added;	      /* added tokens by content */
	struct added raw, normalized; /* found in the text, and in the normalized text */
	struct ids before, after;     /* what the post-processor adds */
	struct decode *decode;
	struct texts texts; /* what decode gets for each id */
	int32_t bos, eos;
	struct buf eos_text;
	char sha256[65];
	struct buf warning;
};

#endif
