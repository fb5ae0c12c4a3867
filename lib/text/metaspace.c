#include "text/metaspace.h"

#include <string.h>

#include "text/field.h"
#include "text/uchar.h"

int metaspace_load(struct metaspace *m, const struct json *v, struct err *err)
{
	size_t n;
	const char *mark = json_string(json_get(v, "replacement"), &n);
	const char *scheme = json_text(json_get(v, "prepend_scheme"));
	bool add_prefix_space = true;

	*m = (struct metaspace){.split = true};
	if (!mark || !n || !*mark || uchar_size(*mark) != n)
		return err_set(err, ERR_CORRUPT, "replacement must be one character");
	memcpy(m->mark, mark, n);
	if (field_bool(v, "add_prefix_space", true, &add_prefix_space, err) ||
		field_bool(v, "split", true, &m->split, err))
		return -1;
	if (!scheme)
		m->prepend = add_prefix_space ? METASPACE_ALWAYS : METASPACE_NEVER;
	else if (!strcmp(scheme, "always"))
		m->prepend = METASPACE_ALWAYS;
	else if (!strcmp(scheme, "first"))
		m->prepend = METASPACE_FIRST;
	else if (strcmp(scheme, "never"))
		return err_set(err, ERR_CORRUPT, "the prepend_scheme '%s' is none", scheme);
	if (!add_prefix_space && m->prepend != METASPACE_NEVER)
		return err_set(err, ERR_CORRUPT,
			"add_prefix_space false and prepend_scheme '%s' disagree", scheme);
	return 0;
}
