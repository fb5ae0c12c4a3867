/* Text records to a stream, or to JSON lines. */
#ifndef CMD_RECORDS_H
#define CMD_RECORDS_H

#include "cmd/cmd.h"
#include "io/file.h"
#include "io/prefwriter.h"

struct cmd_records {
	const char *path;
	bool json, open;
	struct pref_schema schema;
	struct prefwriter *stream;
	struct outfile file;
	struct buf text;
};

#define CMD_RECORDS_INIT {.file.fd = -1}

/* meta: the stream's; JSON has none. */
int cmd_records_open(struct cmd_records *r, const char *path, bool json, const struct pref_schema *schema,
	const struct meta *meta, const struct tswriter_options *how, struct err *err);

int cmd_records_add(struct cmd_records *r, const struct pref_rec *rec, struct err *err);

/* The end, with what a stream's END tells besides. */
int cmd_records_finish(struct cmd_records *r, uint64_t dropped, const struct meta *extra, struct err *err);
void cmd_records_close(struct cmd_records *r); /* always */

#endif
