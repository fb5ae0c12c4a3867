#include "cmd/cmd.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/prov.h"

#define MAX_OPTIONS 128
#define USAGE_WIDTH 80

bool cmd_quiet, cmd_verbose;

static const struct cmd *self;
static const char *given[MAX_OPTIONS]; /* the argument of option i, or its name for a flag; NULL */

static int count(void)
{
	int n = 0;

	while (self->options[n].name)
		n++;
	return n;
}

static const struct cmd_option *find(const char *name)
{
	for (const struct cmd_option *o = self->options; o->name; o++)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

/* The end of what stays on one line: [...], an option and its argument, or a word. */
static const char *item_end(const char *p)
{
	int depth = 0;
	bool option = *p == '-';

	for (; *p && *p != '\n' && (*p != ' ' || depth || option); p++) {
		depth += (*p == '[') - (*p == ']');
		option = option && *p != ' ';
	}
	return p;
}

static void print_usage(FILE *f)
{
	const char *p = self->synopsis, *end;
	int indent = (int)strlen("usage: ") + (int)strlen(self->name), column = 0;

	for (; *p; p = end + (*end == ' ')) {
		if (p == self->synopsis || p[-1] == '\n') {
			fprintf(f, "%s %s", p == self->synopsis ? "usage:" : "      ", self->name);
			column = indent;
		}
		end = item_end(p);
		if (column + 1 + (int)(end - p) > USAGE_WIDTH && column > indent) {
			fprintf(f, "\n%*s", indent, "");
			column = indent;
		}
		column += fprintf(f, " %.*s", (int)(end - p), p);
		if (*end == '\n')
			end++;
		if (!*end || end[-1] == '\n')
			fprintf(f, "\n");
	}
}

static void help(void)
{
	char left[80];

	print_usage(stdout);
	printf("\n");
	for (const struct cmd_option *o = self->options; o->name; o++) {
		snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
			o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
			o->arg ? " " : "", o->arg ? o->arg : "");
		printf("  %-28s %s\n", left, o->help);
	}
	printf("  %-28s %s\n  %-28s %s\n\nSee %.*s(1).\n", "-h, --help", "print this",
		"-V, --version", "print the version", (int)strcspn(self->name, " "), self->name);
	exit(0);
}

static void set_number(const struct cmd_option *o, const char *text)
{
	bool strict = !isspace((unsigned char)*text); /* strtoll and strtod skip it */
	char *end;
	double x;

	errno = 0;
	if (o->kind == CMD_INT) {
		long long i = strtoll(text, &end, 10);

		x = (double)i;
		if (strict && !errno && end != text && !*end && x >= o->min && x <= o->max)
			*(int64_t *)o->to = i;
		else
			cmd_usage("--%s: '%s' is not a whole number from %.0f to %.0f", o->name,
				text, o->min, o->max);
	} else {
		x = strtod(text, &end);
		if (strict && !errno && end != text && !*end && isfinite(x) && x >= o->min &&
			x <= o->max)
			*(double *)o->to = x;
		else
			cmd_usage("--%s: '%s' is not a number from %g to %g", o->name, text, o->min,
				o->max);
	}
}

static void set_choice(const struct cmd_option *o, const char *text)
{
	char list[400] = "";

	for (int i = 0; o->choices[i]; i++) {
		if (!strcmp(o->choices[i], text)) {
			*(int *)o->to = i;
			return;
		}
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
			o->choices[i]);
	}
	cmd_usage("--%s: '%s' is none of %s", o->name, text, list);
}

static void add_string(const struct cmd_option *o, const char *text)
{
	struct cmd_strings *to = o->to;

	if (to->n == CMD_MAX_STRINGS)
		cmd_usage("--%s: more than %d", o->name, CMD_MAX_STRINGS);
	to->v[to->n++] = text;
}

static void set(int i, const char *text)
{
	const struct cmd_option *o = &self->options[i];

	given[i] = text ? text : o->name;
	switch (o->kind) {
	case CMD_FLAG:
		*(bool *)o->to = true;
		break;
	case CMD_STRING:
	case CMD_PATH:
		*(const char **)o->to = text;
		break;
	case CMD_STRINGS:
		add_string(o, text);
		break;
	case CMD_CHOICE:
		set_choice(o, text);
		break;
	default:
		set_number(o, text);
	}
}

/* A file that is opened must not become the standard one that somebody closed: errors would go there. */
static void fill_standard_files(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			exit(ERR_FAILED);
}

int cmd_parse(const struct cmd *cmd, int argc, char **argv)
{
	struct option longs[MAX_OPTIONS + 3] = {{0}};
	char letters[3 * MAX_OPTIONS] = ":hV", *p = letters + 3;
	const struct cmd_option *threads;
	int n, c;

	self = cmd;
	mem_keep_blocks();
	fill_standard_files();
	n = count();
	for (int i = 0; i < n; i++) {
		const struct cmd_option *o = &cmd->options[i];

		longs[i] = (struct option){
			o->name, o->arg ? required_argument : no_argument, NULL, 256 + i};
		if (o->letter) {
			*p++ = o->letter;
			if (o->arg)
				*p++ = ':';
		}
	}
	longs[n] = (struct option){"help", no_argument, NULL, 'h'};
	longs[n + 1] = (struct option){"version", no_argument, NULL, 'V'};
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (c == 'h')
			help();
		if (c == 'V') {
			printf("%.*s (preftools) " PREFTOOLS_VERSION "\n",
				(int)strcspn(cmd->name, " "), cmd->name);
			exit(0);
		}
		if (c == ':')
			cmd_usage("option '%s' needs an argument", argv[optind - 1]);
		if (c == '?' && optopt && optopt < 256)
			cmd_usage("unknown option '-%c'", optopt);
		if (c == '?')
			cmd_usage("unknown or ambiguous option '%s'", argv[optind - 1]);
		for (int i = 0; i < n && c < 256; i++)
			if (cmd->options[i].letter == c)
				c = 256 + i;
		set(c - 256, optarg);
	}
	if (cmd_given("stored") && cmd_given("level"))
		cmd_usage("--stored and --level contradict each other");
	threads = find("threads");
	if (threads) {
		int64_t *t = threads->to;

		if (!*t)
			*t = omp_get_num_procs();
		omp_set_num_threads((int)*t);
	}
	return optind;
}

bool cmd_given(const char *name)
{
	const struct cmd_option *o = find(name);

	return o && given[o - self->options];
}

static void put_setting(struct buf *out, const struct cmd_option *o)
{
	const struct cmd_strings *all = o->to;

	buf_add_fmt(out, "%s=", o->name);
	switch (o->kind) {
	case CMD_FLAG:
		buf_add_str(out, *(bool *)o->to ? "yes" : "no");
		break;
	case CMD_INT:
		buf_add_fmt(out, "%lld", (long long)*(int64_t *)o->to);
		break;
	case CMD_REAL:
		buf_add_fmt(out, "%.17g", *(double *)o->to);
		break;
	case CMD_CHOICE:
		buf_add_str(out, o->choices[*(int *)o->to]);
		break;
	case CMD_STRINGS:
		for (size_t i = 0; i < all->n; i++)
			buf_add_fmt(out, "%s%s", i ? "," : "", all->v[i]);
		break;
	default:
		buf_add_str(out, *(const char **)o->to ? *(const char **)o->to : "");
	}
	buf_add_char(out, '\n');
}

void cmd_settings(struct buf *out)
{
	for (const struct cmd_option *o = self->options; o->name; o++)
		if ((!o->private || o->bound) && o->kind != CMD_PATH)
			put_setting(out, o);
}

void cmd_refuse(const char *because, ...)
{
	va_list ap;
	const char *name;

	va_start(ap, because);
	while ((name = va_arg(ap, const char *)))
		if (cmd_given(name))
			cmd_usage("--%s has no effect %s", name, because);
	va_end(ap);
}

void cmd_refuse_others(const char *because, ...)
{
	for (const struct cmd_option *o = self->options; o->name; o++) {
		bool allowed = !strcmp(o->name, "quiet") || !strcmp(o->name, "verbose") || !strcmp(o->name, "threads");
		const char *name;
		va_list ap;

		va_start(ap, because);
		while ((name = va_arg(ap, const char *)))
			allowed = allowed || !strcmp(name, o->name);
		va_end(ap);
		if (!allowed)
			cmd_refuse(because, o->name, NULL);
	}
}

/* One line on stderr, without what a hostile file's names could tell a terminal to do. */
__attribute__((format(printf, 1, 0))) __attribute__((format(printf, 1, 0))) static void say(
	const char *fmt, va_list ap)
{
	char text[2048];

	cmd_progress_end();
	vsnprintf(text, sizeof text, fmt, ap);
	for (char *p = text; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = '?';
	fprintf(stderr, "%s: %s\n", self->name, text);
}

void cmd_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
	print_usage(stderr);
	exit(ERR_USAGE);
}

__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

void cmd_die(const struct err *err)
{
	complain("%s", err->text);
	exit(err->code ? err->code : ERR_FAILED);
}

void cmd_say(const char *fmt, ...)
{
	va_list ap;

	if (cmd_quiet)
		return;
	va_start(ap, fmt);
	say(fmt, ap);
	va_end(ap);
}

struct tsreader_options cmd_reader_options(const struct cmd_stream *s)
{
	return (struct tsreader_options){
		.threads = (int)s->threads,
		.max_payload = (uint64_t)s->max_block << 20,
	};
}

struct tswriter_options cmd_writer_options(const struct cmd_stream *s)
{
	return (struct tswriter_options){
		.threads = (int)s->threads, .level = s->stored ? 0 : (int)s->level};
}

static void put_argument(struct buf *out, const struct cmd_option *o, const char *value)
{
	const char *slash = o->kind == CMD_PATH ? strrchr(value, '/') : NULL;

	buf_add_fmt(out, "--%s", o->name);
	if (o->arg)
		buf_add_fmt(out, "=%s", slash && slash[1] ? slash + 1 : value);
}

int cmd_add_prov(
	const struct cmd_stream *s, struct meta *meta, const char *const *inputs, struct err *err)
{
	struct buf text[MAX_OPTIONS + CMD_MAX_STRINGS] = {BUF_INIT};
	const char *args[MAX_OPTIONS + CMD_MAX_STRINGS];
	int n = 0, rc = 0;

	if (meta_set(meta, "writer", "preftools " PREFTOOLS_VERSION, err))
		return -1;
	if (s->no_prov) {
		meta_remove(meta, "prov");
		return 0;
	}
	for (int i = 0; self->options[i].name; i++) {
		const struct cmd_option *o = &self->options[i];
		const struct cmd_strings one = {.v = {given[i]}, .n = 1}, *all = o->kind == CMD_STRINGS ? o->to : &one;

		for (size_t j = 0; given[i] && !o->private && j < all->n && n < MAX_OPTIONS + CMD_MAX_STRINGS; j++)
			put_argument(&text[n++], o, all->v[j]);
	}
	for (int i = 0; i < n && rc == 0; i++) {
		rc = buf_check(&text[i], err);
		args[i] = text[i].data;
	}
	rc = rc || prov_add(meta, self->name, PREFTOOLS_VERSION, args, n, inputs, err);
	for (int i = 0; i < n; i++)
		buf_release(&text[i]);
	return rc ? -1 : 0;
}
