/* tstream: looks into tensor streams, checks, joins and splits them, turns them into JSON and back. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/cmd_tsdiff.h"
#include "io/file.h"
#include "io/lines.h"
#include "io/prefjson.h"
#include "io/prefreader.h"
#include "io/prefwriter.h"
#include "io/tscheck.h"
#include "io/tshop.h"
#include "io/tssplit.h"

#define EXPORT_CHUNK ((size_t)256 << 10)
#define HEAD_LIMIT ((size_t)1 << 20)

static struct cmd_stream io = CMD_STREAM_INIT;
static bool as_json, full;
static int64_t vocab, parts;
static const char *prefix;
static const char *head_path;

static uint64_t max_payload(void)
{
	return (uint64_t)io.max_block << 20;
}

/* What was read, or written; under -v. */
static void say_totals(const struct tstotals *t)
{
	if (cmd_verbose)
		cmd_say("%llu records in %llu blocks, %llu tokens; %llu dropped and %llu truncated "
			"before",
			(unsigned long long)t->records, (unsigned long long)t->members,
			(unsigned long long)t->tokens, (unsigned long long)t->dropped,
			(unsigned long long)t->truncated);
}

/* ---- head */

static const struct cmd_option head_options[] = {
	{0, "json", 0, CMD_FLAG, &as_json, .help = "one JSON object instead of lines"},
	{0},
};

static int head(char **paths, int n, struct err *err)
{
	struct tshop *h = tshop_open(n ? paths[0] : "-", max_payload(), err);
	const struct tshop_member *m;
	struct buf out = BUF_INIT;
	int rc = h ? tshop_next(h, &m, err) : -1;

	if (rc == 1) {
		if (as_json) {
			meta_export(&out, &m->doc.meta);
			buf_add_char(&out, '\n');
		} else {
			meta_print(&out, &m->doc.meta);
		}
		rc = buf_check(&out, err) || fd_write(STDOUT_FILENO, out.data, out.len, err);
	}
	buf_release(&out);
	tshop_close(h);
	return rc;
}

/* ---- ls */

static const struct cmd_option ls_options[] = {
	{0, "max-block", "MIB", CMD_INT, &io.max_block, 1, 4095,
		.help = "refuse larger blocks, in MiB (default 64)"},
	{0},
};

static int ls(char **paths, int n, struct err *err)
{
	struct tshop *h = tshop_open(n ? paths[0] : "-", max_payload(), err);
	const struct tshop_member *m;
	int rc = h ? 1 : -1;

	while (rc == 1 && (rc = tshop_next(h, &m, err)) == 1)
		printf("%llu\t%c\t%llu\t%llu\t%llu\t%u\t%llu\n", (unsigned long long)m->member.seq,
			m->member.kind, (unsigned long long)m->offset,
			(unsigned long long)m->member.csize, (unsigned long long)m->member.usize,
			m->member.nrec, (unsigned long long)m->member.first);
	if (fflush(stdout) && rc == 0)
		rc = err_sys(err, "stdout");
	tshop_close(h);
	return rc;
}

/* ---- check */

static const struct cmd_option check_options[] = {
	{0, "full", 0, CMD_FLAG, &full, .help = "inflate and check everything"},
	CMD_INPUT_OPTIONS(io),
	{0},
};

static void say_whole(const char *path, const struct tscheck *c)
{
	const struct tstotals *t = &c->totals;

	printf("%s: whole, %llu record%s in %llu block%s, %llu bytes", path,
		(unsigned long long)t->records, t->records == 1 ? "" : "s",
		(unsigned long long)t->members, t->members == 1 ? "" : "s",
		(unsigned long long)c->bytes);
	if (c->segments > 1)
		printf(", %llu segments", (unsigned long long)c->segments);
	if (full)
		printf(", payload %s", t->payload_sha256);
	printf("\n");
}

static int check(char **paths, int n, struct err *err)
{
	struct tsreader_options options = cmd_reader_options(&io);
	static char dash[] = "-", *only[] = {dash};
	int code = 0;

	if (!full)
		cmd_refuse("without --full", "threads", NULL);
	for (int i = 0; i < (n ? n : 1); i++) {
		const char *path = (n ? paths : only)[i];
		struct tscheck c;
		struct err why = ERR_INIT;

		if ((full ? tscheck_full : tscheck_quick)(&c, path, &options, &why)) {
			fflush(stdout);
			fprintf(stderr, "tstream check: %s\n", why.text);
			if (!code || why.code == ERR_CORRUPT)
				code = why.code;
		} else if (!cmd_quiet) {
			say_whole(strcmp(path, "-") ? path : "stdin", &c);
			fflush(stdout);
			say_totals(&c.totals);
		}
	}
	if (fflush(stdout) && !code)
		return err_sys(err, "stdout");
	exit(code);
}

/* ---- cat */

static const struct cmd_option cat_options[] = {
	CMD_STREAM_OPTIONS(io),
	{0},
};

static struct tswriter *open_same(const struct tsreader *in, struct err *err)
{
	struct tswriter_options options = cmd_writer_options(&io);
	const char *inputs[] = {tsreader_head_sha256(in), NULL};
	struct meta meta = META_INIT;
	struct tswriter *out = NULL;

	if (meta_copy(&meta, tsreader_meta(in), err) == 0 &&
		cmd_add_prov(&io, &meta, inputs, err) == 0)
		out = tswriter_open(io.output, &meta, &options, err);
	meta_release(&meta);
	return out;
}

static int cat(char **paths, int n, struct err *err)
{
	struct tsreader_options options = cmd_reader_options(&io);
	struct tsreader *in = tsreader_open(paths, n, &options, err);
	struct tswriter *out = in ? open_same(in, err) : NULL;
	uint64_t records = 0;
	struct tsblock *b;
	void *payload;
	int rc = out ? 1 : -1;

	cmd_progress_start("records", 0);
	while (rc == 1 && (rc = tsreader_next(in, &b, err)) == 1) {
		payload = b->payload;
		b->payload = NULL;
		if (tswriter_put(out, payload, b->member.usize, b->member.nrec, err))
			rc = -1;
		cmd_progress(records += b->member.nrec, " ");
	}
	if (rc == 0)
		rc = tswriter_finish(
			out, tsreader_totals(in), tsreader_totals(in)->tokens, 0, 0, NULL, err);
	if (rc == 0)
		say_totals(tsreader_totals(in));
	cmd_progress_end();
	tswriter_close(out);
	tsreader_close(in);
	return rc;
}

/* ---- split */

static const struct cmd_option split_options[] = {
	{'n', "parts", "N", CMD_INT, &parts, 1, TSSPLIT_MAX_PARTS, .help = "how many"},
	{'o', "output", "PREFIX", CMD_STRING, &prefix, .private = true,
		.help = "of the parts' names (default: FILE without .tsz, and -)"},
	{0, "max-block", "MIB", CMD_INT, &io.max_block, 1, 4095, .private = true,
		.help = "refuse larger blocks, in MiB (default 64)"},
	{0, "no-prov", 0, CMD_FLAG, &io.no_prov, .private = true,
		.help = "leave provenance out of the header"},
	{0},
};

static int split(char **paths, int n, struct err *err)
{
	struct meta meta = META_INIT;
	char name[PATH_MAX];
	struct tssplit *s;
	int rc = -1;

	if (!parts)
		cmd_usage("-n N is missing");
	if (!n)
		cmd_usage("FILE is missing");
	if (!prefix) {
		size_t len = strlen(paths[0]);

		if (len > 4 && !strcmp(paths[0] + len - 4, ".tsz"))
			len -= 4;
		snprintf(name, sizeof name, "%.*s-", (int)len, paths[0]);
		prefix = name;
	}
	s = tssplit_open(paths[0], max_payload(), err);
	if (s) {
		const char *inputs[] = {tssplit_grammar(s)->head_sha256, NULL};

		rc = meta_copy(&meta, &tssplit_grammar(s)->head, err) ||
		     cmd_add_prov(&io, &meta, inputs, err) ||
		     tssplit_write(s, prefix, (int)parts, &meta, err);
	}
	tssplit_close(s);
	meta_release(&meta);
	return rc;
}

/* ---- export */

static const struct cmd_option export_options[] = {
	{'o', "output", "FILE", CMD_STRING, &io.output, .help = "write there (default: stdout)"},
	CMD_INPUT_OPTIONS(io),
	{0},
};

static int write_lines(struct prefreader *in, struct outfile *out, struct err *err)
{
	const struct pref_schema *s = prefreader_schema(in);
	struct buf text = BUF_INIT;
	uint64_t records = 0;
	struct pref_rec r;
	int rc;

	while ((rc = prefreader_next(in, &r, err)) == 1) {
		if (prefjson_write(&text, &r, s, err) ||
			(text.len >= EXPORT_CHUNK && fd_write(out->fd, text.data, text.len, err))) {
			rc = -1;
			break;
		}
		if (text.len >= EXPORT_CHUNK)
			buf_clear(&text);
		cmd_progress(++records, " ");
	}
	if (rc == 0)
		rc = fd_write(out->fd, text.data, text.len, err);
	buf_release(&text);
	return rc;
}

static int export(char **paths, int n, struct err *err)
{
	struct tsreader_options options = cmd_reader_options(&io);
	struct prefreader *in = prefreader_open(paths, n, &options, err);
	struct outfile out;
	int rc = in ? outfile_open(&out, io.output, err) : -1;

	if (rc == 0) {
		if (!isatty(out.fd))
			cmd_progress_start("records", 0);
		rc = write_lines(in, &out, err) || outfile_commit(&out, err);
		cmd_progress_end();
		if (rc == 0)
			say_totals(prefreader_totals(in));
		outfile_close(&out);
	}
	prefreader_close(in);
	return rc;
}

/* ---- import */

/* clang-format off */
static const struct cmd_option import_options[] = {
	{0, "vocab", "N", CMD_INT, &vocab, 1, 0x7fffffff, .help = "token ids are below N"},
	{0, "head", "FILE", CMD_PATH, &head_path, .help = "metadata as head --json prints it"},
	{'o', "output", "FILE", CMD_STRING, &io.output, .private = true,
		.help = "write there (default: stdout)"},
	{'u', "stored", 0, CMD_FLAG, &io.stored, .private = true,
		.help = "store blocks uncompressed"},
	{'l', "level", "N", CMD_INT, &io.level, 0, 9, .private = true,
		.help = "compression level (default 1)"},
	{0, "no-prov", 0, CMD_FLAG, &io.no_prov, .private = true,
		.help = "leave provenance out of the header"},
	{'@', "threads", "N", CMD_INT, &io.threads, 1, 1024, .private = true,
		.help = "threads (default: one a processor)"},
	CMD_QUIET_OPTIONS,
	{0},
};
/* clang-format on */

struct import {
	struct meta head;
	struct pref_schema schema;
	struct prefwriter *out; /* opened with the first record */
	struct sha256 digest;	/* of all input */
	struct arena arena;
};

static int import_head(struct import *im, struct err *err)
{
	struct json *v;
	int rc;

	if (!head_path)
		return 0;
	v = json_load(head_path, HEAD_LIMIT, err);
	rc = v ? meta_import(&im->head, v, err) : -1;
	json_free(v);
	return rc == 0 || !v ? rc : err_at(err, "%s", head_path);
}

static int import_open(struct import *im, struct err *err)
{
	struct tswriter_options options = cmd_writer_options(&io);

	if (cmd_add_prov(&io, &im->head, NULL, err))
		return -1;
	im->out = prefwriter_open(io.output, &im->head, &im->schema, &options, err);
	return im->out ? 0 : -1;
}

static int import_row(struct import *im, const struct json *row, struct err *err)
{
	struct pref_rec r;

	if (!im->out) {
		if (prefjson_schema(&im->schema, row, err))
			return -1;
		im->schema.vocab = vocab ? vocab : meta_get_int(&im->head, "vocab", 0);
	}
	arena_clear(&im->arena);
	if (prefjson_read(&r, &im->schema, row, &im->arena, err))
		return -1;
	if (!im->out && import_open(im, err))
		return -1;
	return prefwriter_add(im->out, &r, err);
}

static int import_file(struct import *im, const char *path, struct err *err)
{
	struct lines *in = lines_open(path, LINES_MAX_RECORD, &im->digest, err);
	struct lines_record line;
	struct json *row;
	int rc = in ? 1 : -1;

	while (rc == 1 && (rc = lines_next(in, &line, err)) == 1) {
		row = json_parse(line.text, line.len, err);
		if (!row || import_row(im, row, err))
			rc = err_at(err, "%s:%llu", strcmp(path, "-") ? path : "stdin",
				(unsigned long long)line.line);
		json_free(row);
		if (rc == 1)
			cmd_progress(prefwriter_records(im->out), " ");
	}
	lines_close(in);
	return rc;
}

/* Without a record, --head has to say what the stream would hold. */
static int import_nothing(struct import *im, struct err *err)
{
	if (!meta_get(&im->head, "schema"))
		return err_set(err, ERR_CORRUPT, "no record, and no --head that tells the schema");
	if (pref_schema_get(&im->schema, &im->head, err))
		return err_at(err, "%s", head_path);
	return import_open(im, err);
}

static int import_finish(struct import *im, struct err *err)
{
	struct meta end = META_INIT;
	uint8_t digest[32];
	char hex[65];
	int rc;

	sha256_finish(&im->digest, digest);
	sha256_hex(digest, hex);
	rc = meta_set(&end, "input.sha256", hex, err) ||
	     prefwriter_finish(im->out, NULL, 0, 0, &end, err);
	meta_release(&end);
	return rc;
}

static int import(char **paths, int n, struct err *err)
{
	struct import im = {.head = META_INIT, .arena = ARENA_INIT};
	int rc;

	sha256_init(&im.digest);
	cmd_progress_start("records", 0);
	rc = import_head(&im, err);
	for (int i = 0; rc == 0 && i < (n ? n : 1); i++)
		rc = import_file(&im, n ? paths[i] : "-", err);
	if (rc == 0 && !im.out)
		rc = import_nothing(&im, err);
	if (rc == 0)
		rc = import_finish(&im, err);
	cmd_progress_end();
	if (rc == 0 && cmd_verbose)
		cmd_say("%llu records", (unsigned long long)prefwriter_records(im.out));
	prefwriter_close(im.out);
	arena_release(&im.arena);
	meta_release(&im.head);
	return rc;
}

/* ---- diff */

static struct cmd_tsdiff how = {.limit = 10};

static const struct cmd_option diff_options[] = {
	{0, "tolerance", "X", CMD_REAL, &how.tolerance, 0, 1, .help = "of log-probs, relative (default 0)"},
	{0, "limit", "N", CMD_INT, &how.limit, 0, 0x1p53, .help = "records to name (default 10)"},
	CMD_INPUT_OPTIONS(io),
	{0},
};

static int diff(char **paths, int n, struct err *err)
{
	bool differ;

	if (n != 2)
		cmd_usage("two files are needed");
	how.options = cmd_reader_options(&io);
	if (cmd_tsdiff(&how, paths, &differ, err))
		return -1;
	exit(differ ? ERR_FAILED : 0);
}

/* ---- */

static const struct subcommand {
	struct cmd cmd;
	int max; /* arguments */
	int (*run)(char **paths, int n, struct err *err);
} subcommands[] = {
	{{"tstream head", "[--json] [FILE]", head_options}, 1, head},
	{{"tstream ls", "[--max-block MIB] [FILE]", ls_options}, 1, ls},
	{{"tstream check", "[-qv] [--full] [-@ N] [--max-block MIB] [FILE ...]", check_options}, -1,
		check},
	{{"tstream cat", "[-quv] [-@ N] [-l N] [--max-block MIB] [--no-prov] [-o FILE] [FILE ...]",
		 cat_options},
		-1, cat},
	{{"tstream split", "[--max-block MIB] [--no-prov] -n N [-o PREFIX] FILE", split_options}, 1,
		split},
	{{"tstream diff", "[-qv] [-@ N] [--limit N] [--max-block MIB] [--tolerance X] FILE FILE", diff_options}, 2,
		diff},
	{{"tstream export", "[-qv] [-@ N] [--max-block MIB] [-o FILE] [FILE ...]", export_options},
		-1, export},
	{{"tstream import",
		 "[-quv] [-@ N] [--head FILE] [-l N] [--no-prov] [-o FILE] [--vocab N] [FILE ...]",
		 import_options},
		-1, import},
};

#define NSUBCOMMANDS ((int)(sizeof subcommands / sizeof *subcommands))

/* No subcommand: --help, --version or a mistake. */
static void parse_bare(int argc, char **argv)
{
	static const struct cmd_option none[] = {{0}};
	static char synopsis[2000];
	static const struct cmd bare = {"tstream", synopsis, none};

	for (int i = 0; i < NSUBCOMMANDS; i++)
		snprintf(synopsis + strlen(synopsis), sizeof synopsis - strlen(synopsis), "%s %s\n",
			subcommands[i].cmd.name + strlen("tstream "), subcommands[i].cmd.synopsis);
	if (argc > 1 && argv[1][0] != '-') {
		cmd_parse(&bare, 1, argv);
		cmd_usage("unknown subcommand '%s'", argv[1]);
	}
	cmd_parse(&bare, argc, argv);
	cmd_usage("a subcommand is missing");
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;

	for (int i = 0; argc > 1 && i < NSUBCOMMANDS; i++) {
		const struct subcommand *s = &subcommands[i];
		int first;

		if (strcmp(argv[1], s->cmd.name + strlen("tstream ")))
			continue;
		argc--;
		argv++;
		first = cmd_parse(&s->cmd, argc, argv);
		if (s->max >= 0 && argc - first > s->max)
			cmd_usage("more than %s", s->max == 1 ? "one file" : "two files");
		if (s->run(argv + first, argc - first, &err))
			cmd_die(&err);
		return 0;
	}
	parse_bare(argc, argv);
}
