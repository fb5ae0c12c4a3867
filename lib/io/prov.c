#include "io/prov.h"

#include <string.h>

#include "io/json.h"

int prov_add(struct meta *meta, const char *program, const char *version, const char *const *args,
	int nargs, const char *const *inputs, struct err *err)
{
	const char *old = meta_get(meta, "prov"), *comma = "";
	struct json *chain = old ? json_parse(old, strlen(old), err) : NULL;
	size_t before = json_count(chain);
	struct buf out = BUF_INIT;
	int rc;

	if (old && json_kind(chain) != JSON_ARRAY) {
		json_free(chain);
		return err_set(err, ERR_CORRUPT, "metadata 'prov' is not a list of programs");
	}
	buf_add_char(&out, '[');
	for (const struct json *v = json_first(chain); v; v = json_next(v)) {
		json_write(&out, v);
		buf_add_char(&out, ',');
	}
	buf_add_fmt(&out, "{\"id\":%zu,\"program\":\"%s\",\"version\":\"%s\",\"args\":[",
		before + 1, program, version);
	for (int i = 0; i < nargs; i++, comma = ",") {
		buf_add_str(&out, comma);
		json_quote_bytes(&out, args[i], strlen(args[i]));
	}
	buf_add_fmt(&out, "],\"previous\":%zu,\"inputs\":[", before);
	comma = "";
	for (; inputs && *inputs; inputs++)
		if (**inputs) {
			buf_add_fmt(&out, "%s\"%s\"", comma, *inputs);
			comma = ",";
		}
	buf_add_str(&out, "]}]");
	rc = buf_check(&out, err) || meta_set(meta, "prov", out.data, err) ? -1 : 0;
	buf_release(&out);
	json_free(chain);
	return rc;
}
