#include "text/field.h"

#include <stdlib.h>

#include "base/mem.h"

static bool is_absent(const struct json *v)
{
	return json_kind(v) == JSON_NONE || json_kind(v) == JSON_NULL;
}

int field_bool(const struct json *v, const char *name, bool optional, bool *out, struct err *err)
{
	const struct json *value = json_get(v, name);

	if (json_bool(value, out) || (optional && is_absent(value)))
		return 0;
	return err_set(err, ERR_CORRUPT, "%s must be true or false", name);
}

int field_int(const struct json *v, const char *name, bool optional, int64_t most, int64_t *out,
	struct err *err)
{
	const struct json *value = json_get(v, name);
	int64_t n;

	if (optional && is_absent(value))
		return 0;
	if (!json_int(value, &n) || n < 0 || n > most)
		return err_set(err, ERR_CORRUPT, "%s must be a number from 0 to %lld", name,
			(long long)most);
	*out = n;
	return 0;
}

int field_string(const struct json *v, const char *name, bool optional, char **out, size_t *n,
	struct err *err)
{
	const struct json *value = json_get(v, name);
	const char *s = json_string(value, n);
	char *copy;

	if (!s && optional && is_absent(value))
		return 0;
	if (!s)
		return err_set(err, ERR_CORRUPT, "%s must be a string", name);
	copy = mem_copy(s, *n, err);
	if (!copy)
		return -1;
	free(*out);
	*out = copy;
	return 0;
}
