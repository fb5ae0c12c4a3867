/* What loading (pretokenize_load.c) and splitting (pretokenize.c) share; for nobody else. */
#ifndef TEXT_PRETOKENIZE_IMPL_H
#define TEXT_PRETOKENIZE_IMPL_H

#include "text/metaspace.h"
#include "text/pretokenize.h"

enum split_behavior {
	SPLIT_REMOVED,
	SPLIT_ISOLATED,
	SPLIT_MERGED_WITH_PREVIOUS,
	SPLIT_MERGED_WITH_NEXT,
	SPLIT_CONTIGUOUS
};

struct split_step {
	enum split_kind {
		SPLIT_BY_PATTERN,
		SPLIT_CHARACTERS,
		SPLIT_LENGTH,
		SPLIT_WORDS,
		SPLIT_METASPACE,
		SPLIT_BYTE_LEVEL
	} kind;
	struct pattern *pattern;       /* BY_PATTERN; BYTE_LEVEL: NULL where it does not split */
	bool (*is_match)(uint32_t cp); /* CHARACTERS */
	enum split_behavior behavior;  /* BY_PATTERN, CHARACTERS */
	bool invert;		       /* BY_PATTERN */
	bool prefix_space;	       /* BYTE_LEVEL */
	int64_t length;		       /* LENGTH: characters of each word */
	struct metaspace metaspace;
};

struct pretokenize {
	struct split_step *steps;
	size_t n, cap;
};

#endif
