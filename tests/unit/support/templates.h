/* Templates rendered as transformers renders them, on one day. */
#ifndef TESTS_TEMPLATES_H
#define TESTS_TEMPLATES_H

#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "io/json.h"

extern const struct tm templates_day; /* 26 July 2024 */

/* The text, or the error as Python names it (with the line where the template does not parse), appended. */
void templates_render(const char *source, size_t n, const struct json *v, struct buf *out);

/* For json_free(); text that is no JSON fails the test. */
struct json *templates_parse(const char *text);

#endif
