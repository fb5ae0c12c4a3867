/* What loading (decode_load.c) and decoding (decode.c) share; for nobody else. */
#ifndef TEXT_DECODE_IMPL_H
#define TEXT_DECODE_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "text/decode.h"
#include "text/metaspace.h"

struct decode_step {
	enum decode_kind {
		DECODE_JOIN,
		DECODE_BYTE_LEVEL,
		DECODE_BYTE_FALLBACK,
		DECODE_FUSE,
		DECODE_METASPACE,
		DECODE_WORDPIECE,
		DECODE_REPLACE,
		DECODE_STRIP,
		DECODE_SUFFIX,
		DECODE_CTC
	} kind;
	bool fused;   /* what comes in is one token, in pieces */
	bool cleanup; /* WORDPIECE, CTC */
	char *text; /* WORDPIECE: prefix; REPLACE: by what; SUFFIX: suffix; CTC: pad token; STRIP: what */
	size_t n;
	char *space; /* CTC: what stands for a space */
	size_t space_n;
	struct pattern *pattern; /* REPLACE */
	int64_t start, stop;	 /* STRIP: the most characters */
	struct metaspace metaspace;
};

struct decode {
	struct decode_step *steps;
	size_t n, cap;
};

#endif
