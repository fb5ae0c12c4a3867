/*
 * Keys of config.json, for families. A key that is missing has the default of transformers' class; where null
 * means something of its own, a function takes that too, and elsewhere null counts as missing.
 * Errors name the key: ERR_CORRUPT for a value of another kind or range.
 */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/json.h"
#include "num/ops.h"

/* Sizes from 1 to 2^31 - 1. missing 0: the key must be there. */
int config_size(const struct json *config, const char *key, int64_t missing, int64_t *out, struct err *err);
int config_size_or_null(const struct json *config, const char *key, int64_t missing, int64_t null, int64_t *out,
	struct err *err);

/* Integers from least to 2^31 - 1. */
int config_int(const struct json *config, const char *key, int64_t least, int64_t missing, int64_t *out,
	struct err *err);

/* missing NAN: the key must be there. */
int config_real(const struct json *config, const char *key, double missing, double *out, struct err *err);
int config_real_or_null(const struct json *config, const char *key, double missing, double null, double *out,
	struct err *err);

int config_bool(const struct json *config, const char *key, bool missing, bool *out, struct err *err);

/* An activation by its name in transformers; ERR_MISMATCH for one that is not known. */
int config_act(const struct json *config, const char *key, const char *missing, enum act_kind *out,
	struct err *err);

/* Whether the key is there with anything but null, false, 0, or nothing in it. */
bool config_asks(const struct json *config, const char *key);

#endif
