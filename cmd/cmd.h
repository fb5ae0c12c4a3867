/*
 * What the programs share: options from a table, dying with the right exit code, progress, provenance.
 * This is the only code outside a main() that prints or exits.
 *
 *	static struct cmd_stream io = CMD_STREAM_INIT;
 *	static const char *model;
 *	static const struct cmd_option options[] = {
 *		{'m', "model", "MODEL", CMD_STRING, &model, .help = "folder with config.json"},
 *		CMD_STREAM_OPTIONS(io),
 *		{0},
 *	};
 *	static const struct cmd cmd = {"ref-logp", "-m MODEL [-o FILE] [FILE ...]\n", options};
 *
 *	int main(int argc, char **argv)
 *	{
 *		int first = cmd_parse(&cmd, argc, argv);      argv[first] ... are the arguments
 *
 *		if (!model)
 *			cmd_usage("-m MODEL is missing");
 *		...
 *		if (work(&err))
 *			cmd_die(&err);
 *	}
 */
#ifndef CMD_H
#define CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/meta.h"
#include "io/tsreader.h"
#include "io/tswriter.h"

enum cmd_kind {
	CMD_FLAG,   /* bool *to = true */
	CMD_STRING, /* const char **to */
	CMD_PATH,   /* the same, of a file or folder: provenance has it without the folders before it */
	CMD_INT,    /* int64_t *to, within [min, max] */
	CMD_REAL,   /* double *to, finite, within [min, max] */
	CMD_CHOICE, /* int *to = the index of the argument in choices */
	CMD_STRINGS, /* struct cmd_strings *to gets one more; may be given again and again */
};

#define CMD_MAX_STRINGS 64

struct cmd_strings {
	const char *v[CMD_MAX_STRINGS];
	size_t n;
};

struct cmd_option {
	char letter;      /* 0: none */
	const char *name; /* the long form, without "--" */
	const char *arg;  /* what the usage calls its argument; NULL for a flag */
	enum cmd_kind kind;
	void *to; /* holds the default beforehand */
	double min, max;
	const char *const *choices; /* NULL-terminated */
	bool private;               /* does not shape the output: left out of provenance */
	bool bound;                 /* although private, a setting: see cmd_settings() */
	const char *help;           /* one line, defaults and units included */
};

struct cmd {
	const char *name;
	const char *synopsis; /* the man page's, without the program's name; one form a line */
	const struct cmd_option *options; /* ended by a zero entry; -h and -V are added */
};

/*
 * Parses by getopt_long's rules; numbers strictly. Answers --help and --version and exits 0, prints what
 * is wrong and exits 2. Returns the index of the first argument that is not an option.
 */
int cmd_parse(const struct cmd *cmd, int argc, char **argv);

/* Was the option of that long name on the command line? */
bool cmd_given(const char *name);

/*
 * Appends "NAME=VALUE\n" for each option that shapes the output or is bound, given or not, but for files and
 * folders: what must be the same where work that was interrupted is taken up again.
 */
void cmd_settings(struct buf *out);

/* Exits 2 unless every one of the named options (up to NULL) is absent: they have no effect because. */
void cmd_refuse(const char *because, ...) __attribute__((sentinel));

/* The same unless every other option is absent; -q, -v and -@ may be there. */
void cmd_refuse_others(const char *because, ...) __attribute__((sentinel));

/* Print "name: ..." to stderr and exit: with 2 and a hint at --help; with err's code. */
void cmd_usage(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void cmd_die(const struct err *err) __attribute__((noreturn));

/* "name: ..." to stderr, unless quiet. */
void cmd_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

extern bool cmd_quiet;   /* -q */
extern bool cmd_verbose; /* -v */

/* ---- options of every program that reads or writes streams */

struct cmd_stream {
	const char *output; /* -o, "-" by default */
	int64_t threads;    /* -@, as many as there are processors by default; also OpenMP's */
	int64_t level;      /* -l, 1 by default */
	bool stored;        /* -u */
	bool no_prov;       /* --no-prov */
	int64_t max_block;  /* --max-block, MiB */
};

#define CMD_STREAM_INIT {.output = "-", .level = 1, .max_block = 64}

#define CMD_QUIET_OPTIONS \
	{'q', "quiet", 0, CMD_FLAG, &cmd_quiet, .private = true, .help = "no progress, no notes"}, \
	{'v', "verbose", 0, CMD_FLAG, &cmd_verbose, .private = true, .help = "say more"}

#define CMD_INPUT_OPTIONS(s) \
	{'@', "threads", "N", CMD_INT, &(s).threads, 1, 1024, .private = true, \
		.help = "threads (default: one a processor)"}, \
	{0, "max-block", "MIB", CMD_INT, &(s).max_block, 1, 4095, .private = true, \
		.help = "refuse larger blocks of the input, in MiB (default 64)"}, \
	CMD_QUIET_OPTIONS

#define CMD_STREAM_OPTIONS(s) \
	{'o', "output", "FILE", CMD_STRING, &(s).output, .private = true, .help = "write there (default: stdout)"}, \
	{'u', "stored", 0, CMD_FLAG, &(s).stored, .private = true, .help = "store blocks uncompressed"}, \
	{'l', "level", "N", CMD_INT, &(s).level, 0, 9, .private = true, .help = "compression level (default 1)"}, \
	{0, "no-prov", 0, CMD_FLAG, &(s).no_prov, .private = true, .help = "leave provenance out of the header"}, \
	CMD_INPUT_OPTIONS(s)

struct tsreader_options cmd_reader_options(const struct cmd_stream *s);
struct tswriter_options cmd_writer_options(const struct cmd_stream *s);

/*
 * Adds this program's step to meta's provenance (removes all of it under --no-prov), with the options that
 * shape the output, and sets `writer`. inputs as in prov_add().
 */
int cmd_add_prov(const struct cmd_stream *s, struct meta *meta, const char *const *inputs, struct err *err);

/* ---- progress on stderr: a line that is rewritten on a terminal, one now and then elsewhere */

/* total: 0 where it is not known. what: "records". */
void cmd_progress_start(const char *what, uint64_t total);
void cmd_progress(uint64_t done, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cmd_progress_end(void); /* wipes the line */

#endif
