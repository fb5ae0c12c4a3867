/* Tokenizers made for a test. In their JSON ' stands for ", for the eye. */
#ifndef TESTS_MADE_H
#define TESTS_MADE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/json.h"
#include "text/tokenizer.h"

/* The values of tokenizer.json: `added` and `model` without their brackets; NULL where there is none. */
struct made {
	const char *added, *normalizer, *pre_tokenizer, *post_processor, *decoder, *model;
	const char *type;   /* of the model; NULL: BPE */
	const char *config; /* tokenizer_config.json */
};

struct json *made_json(const char *quoted);

/* A group's setup and teardown: a folder for the files of one tokenizer at a time. */
int made_open(void **state);
int made_close(void **state);

const char *made_folder(void);
void made_file(const char *name, const char *text, size_t n);
void made_clear(void); /* no files */
void made_write(const struct made *m);
struct tokenizer *made_load(const struct made *m); /* written, and loaded */

#endif
