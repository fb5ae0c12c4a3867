/* Unicode's normal forms, for normalize.c: only stretches that could change go through utf8proc. */
#ifndef TEXT_NORMALIZE_FORM_H
#define TEXT_NORMALIZE_FORM_H

#include <stdbool.h>

#include "text/normalize.h"

/* form: utf8proc's options. false: n bytes of valid UTF-8 are in that form already. */
bool normalize_form_changes(int form, const char *in, size_t n);

/* Appends their form to out; places follow. 0 or -1. */
int normalize_form_run(int form, struct normalize_work *w, const char *in, size_t n,
	struct buf *out, struct places *p, struct err *err);

#endif
