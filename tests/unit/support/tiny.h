/* Models of random weights and of every family, small enough for central differences. */
#ifndef TESTS_TINY_H
#define TESTS_TINY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/model.h"

/* config.json of each: a vocabulary of 19, and room for at least 9 tokens. */
extern const char *const tiny_config[];
extern const size_t tiny_configs;

/* A group's setup and teardown: a folder for the configs. */
int tiny_open(void **state);
int tiny_close(void **state);

/* Fails the test where it cannot. */
void tiny_init(struct model *m, const char *config, uint64_t seed);

/* A model whose gains and biases are not what initialisation leaves. */
void tiny_init_rough(struct model *m, const char *config, uint64_t seed);

#endif
