#include "cmd/cmd_tsdiff.h"

#include <stdio.h>

#include "cmd/cmd.h"
#include "io/prefdiff.h"
#include "io/prefreader.h"

struct sides {
	struct prefreader *a, *b;
	uint64_t records, differ; /* in both; of those */
};

static int compare(struct sides *s, const struct cmd_tsdiff *how, struct err *err)
{
	struct prefdiff d = {prefreader_schema(s->a), prefreader_schema(s->b), how->tolerance};
	struct pref_rec a, b;
	char text[200];
	int more_a, more_b;

	for (;; s->records++) {
		more_a = prefreader_next(s->a, &a, err);
		more_b = more_a < 0 ? -1 : prefreader_next(s->b, &b, err);
		if (more_a < 0 || more_b < 0)
			return -1;
		if (!more_a || !more_b)
			break;
		if (!prefdiff_record(&d, &a, &b, text))
			continue;
		if (s->differ++ < (uint64_t)how->limit)
			printf("record %llu (%016llx): %s\n", (unsigned long long)s->records, (unsigned long long)a.id,
				text);
		cmd_progress(s->records, ", %llu differ", (unsigned long long)s->differ);
	}
	if (more_a == more_b)
		return 0;
	s->differ++;
	printf("record %llu: only in the %s stream\n", (unsigned long long)s->records, more_a ? "first" : "second");
	for (int rc = 1; rc == 1;) {
		rc = prefreader_next(more_a ? s->a : s->b, &a, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int compare_columns(const struct sides *s, struct err *err)
{
	struct prefdiff d = {prefreader_schema(s->a), prefreader_schema(s->b), 0};
	struct buf only = BUF_INIT;
	int rc = 0;

	if (d.a->text != d.b->text)
		rc = err_set(err, ERR_MISMATCH, "one stream holds text, the other tokens");
	else if (prefdiff_columns(&d, &only, err) == 0 && only.len)
		printf("columns: %s\n", only.data);
	buf_release(&only);
	return rc;
}

int cmd_tsdiff(const struct cmd_tsdiff *how, char *const paths[2], bool *differ, struct err *err)
{
	struct sides s = {.a = prefreader_open(paths, 1, &how->options, err)};
	int rc = s.a && (s.b = prefreader_open(paths + 1, 1, &how->options, err)) ? 0 : -1;

	cmd_progress_start("records", 0);
	if (rc == 0)
		rc = compare_columns(&s, err) || compare(&s, how, err) ? -1 : 0;
	cmd_progress_end();
	if (rc == 0 && s.differ)
		printf("%llu of %llu records differ\n", (unsigned long long)s.differ, (unsigned long long)s.records);
	if (fflush(stdout) && rc == 0)
		rc = err_sys(err, "stdout");
	*differ = s.differ > 0;
	prefreader_close(s.a);
	prefreader_close(s.b);
	return rc;
}
