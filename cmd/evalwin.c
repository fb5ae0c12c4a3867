/* evalwin: who wins? From log-probs in streams, or from judges' verdicts. */
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/cmd_eval.h"
#include "cmd/cmd_evalkind.h"
#include "cmd/cmd_evalreport.h"
#include "io/file.h"

static struct eval_options o = {.io = CMD_STREAM_INIT,
	.reference = "ref",
	.beta = 0.1,
	.level = 0.95,
	.resamples = 1000,
	.jobs = 1,
	.retries = 2,
	.budget = -1,
	.timeout = 300};
static const char *plot, *output;
static bool as_json;

static const struct cmd_option options[] = {
	{0, "ascii", 0, CMD_FLAG, &o.ascii,
		.help = "bars in ASCII, also where the output is no terminal"},
	{0, "bars", 0, CMD_FLAG, &o.bars,
		.help = "bars and curves in the text, also where it is no terminal"},
	{0, "baseline", "NAME", CMD_STRING, &o.baseline,
		.help = "verdicts: the model that others are held against (default: the one in all "
			"of them)"},
	{0, "beta", "B", CMD_REAL, &o.beta, 1e-9, 1e9,
		.help = "reward a nat of log-ratio (default 0.1)"},
	{0, "bootstrap", "N", CMD_INT, &o.resamples, 0, 1000000,
		.help = "resamples for intervals of margins and ratings, 0: none (default 1000)"},
	{0, "budget", "N", CMD_INT, &o.budget, 0, 0x1p53,
		.help = "judge: ask at most N times (default: as often as it takes)"},
	{0, "by", "FIELD", CMD_STRING, &o.by,
		.help = "the same for each value of the records' field"},
	{0, "cache", "FILE", CMD_PATH, &o.cache,
		.help = "judge: keeps its verdicts, so that none is asked for twice"},
	{0, "difficulty", "FILE", CMD_PATH, &o.difficulty,
		.help = "verdicts: difficulties of items, for the control of length"},
	{0, "each", 0, CMD_FLAG, &o.each,
		.help = "log-probs: each file apart, instead of one after the other"},
	{'j', "jobs", "N", CMD_INT, &o.jobs, 1, 1024, .private = true,
		.help = "judge: so many at once (default 1)"},
	{0, "json", 0, CMD_FLAG, &as_json, .help = "one JSON object instead of the table"},
	{0, "judge", "COMMAND", CMD_STRINGS, &o.judges,
		.help = "let it judge pairs of answers; may be given again"},
	{0, "level", "P", CMD_REAL, &o.level, 0.5, 0.9999,
		.help = "confidence of the intervals (default 0.95)"},
	{'o', "output", "FILE", CMD_PATH, &output, .private = true, .help = "report: where to"},
	{0, "plot", "FILE", CMD_PATH, &plot, .private = true, .help = "draw it too, as SVG"},
	{0, "policy", "NAME", CMD_STRINGS, &o.policies,
		.help = "log-probs: column of a policy; may be given again (default: policy)"},
	{0, "reference", "NAME", CMD_STRING, &o.reference,
		.help = "log-probs: column of the reference, or none (default: ref)"},
	{0, "retries", "N", CMD_INT, &o.retries, 0, 100,
		.help = "judge: after a failure (default 2)"},
	{0, "save-difficulty", "FILE", CMD_PATH, &o.save_difficulty,
		.help = "verdicts: write the difficulties that were estimated"},
	{0, "save-verdicts", "FILE", CMD_PATH, &o.save_verdicts,
		.help = "judge: write its verdicts, to be read again"},
	{0, "score", "FIELD", CMD_STRING, &o.score,
		.help = "log-probs: what others think of completions, a number each, in records' "
			"field"},
	{0, "seed", "N", CMD_INT, &o.seed, 0, 0x1p53, .help = "of the bootstrap (default 0)"},
	{0, "timeout", "N", CMD_INT, &o.timeout, 1, 86400,
		.help = "judge: seconds that it has for an answer (default 300)"},
	CMD_INPUT_OPTIONS(o.io),
	{0},
};

static const struct cmd cmd = {"evalwin",
	"[-qv] [-@ N] [--ascii] [--bars] [--baseline NAME] [--beta B] [--bootstrap N] [--by FIELD] "
	"[--difficulty FILE] [--each] [--json] [--level P] [--max-block MIB] [--plot FILE] "
	"[--policy NAME] "
	"[--reference NAME] [--save-difficulty FILE] [--score FIELD] [--seed N] [FILE ...]\n"
	"--judge COMMAND --cache FILE [-qv] [--ascii] [--bars] [--baseline NAME] [--bootstrap N] "
	"[--budget N] "
	"[--by FIELD] [--difficulty FILE] [-j N] [--json] [--level P] [--plot FILE] [--retries N] "
	"[--save-difficulty FILE] [--save-verdicts FILE] [--seed N] [--timeout N] [FILE ...]\n"
	"report -o FILE [-qv] [-@ N] [--baseline NAME] [--beta B] [--bootstrap N] [--by FIELD] "
	"[--difficulty FILE] [--level P] [--max-block MIB] [--policy NAME] [--reference NAME] "
	"[--score FIELD] [--seed N] FILE ...\n",
	options};

static const char *const kinds[] = {"log-probs", "verdicts", "a training log"};

/* All files must be of one kind. */
static int find_kind(char *const *paths, int n, struct err *err)
{
	int first = eval_kind(n ? paths[0] : "-", err), kind = first;

	for (int i = 1; i < n && kind >= 0; i++) {
		kind = eval_kind(paths[i], err);
		if (kind >= 0 && kind != first)
			return err_set(err, ERR_MISMATCH,
				"%s and %s are not of one kind: %s and %s", paths[0], paths[i],
				kinds[first], kinds[kind]);
	}
	return kind;
}

/* Options that would have no effect. */
static void refuse(int kind)
{
	if (kind == EVAL_STREAM)
		cmd_refuse(
			"on streams", "baseline", "difficulty", "judge", "save-difficulty", NULL);
	if (kind == EVAL_RECORDS)
		cmd_refuse("on verdicts", "beta", "each", "max-block", "policy", "reference",
			"score", "threads", NULL);
	if (kind == EVAL_LOG)
		cmd_refuse("on training logs", "baseline", "beta", "bootstrap", "by", "difficulty",
			"each", "judge", "level", "max-block", "policy", "reference",
			"save-difficulty", "score", "seed", "threads", NULL);
	if (!o.judges.n)
		cmd_refuse("without a judge", "budget", "cache", "jobs", "retries", "save-verdicts",
			"timeout", NULL);
	else if (!o.cache)
		cmd_usage("--judge needs a --cache FILE, so that no verdict is lost");
	if (as_json)
		cmd_refuse("on JSON", "ascii", "bars", NULL);
	cmd_refuse("without 'report'", "output", NULL);
}

static int evaluate(int kind, char *const *paths, int n, struct eval_output *out, struct err *err)
{
	if (kind == EVAL_STREAM)
		return eval_logps(&o, paths, n, out, err);
	if (kind == EVAL_LOG)
		return eval_log(&o, paths, n, out, err);
	return o.judges.n ? eval_judge(&o, paths, n, out, err)
			  : eval_judged(&o, paths, n, out, err);
}

/* Where there are eyes, and nothing else is asked for. */
static void put_bars(struct eval_output *out)
{
	bool utf8 = setlocale(LC_CTYPE, "") && !strcmp(nl_langinfo(CODESET), "UTF-8");

	if (!o.bars && !o.ascii && !isatty(STDOUT_FILENO))
		return;
	for (size_t i = 0; i < out->ncharts; i++)
		chart_put_text(&out->charts[i], o.ascii || !utf8, &out->text);
}

static int print(struct eval_output *out, struct err *err)
{
	struct buf *product = as_json ? &out->json : &out->text, svg = BUF_INIT;
	int rc = 0;

	if (plot) {
		chart_put_file(out->charts, out->ncharts, &svg);
		rc = buf_check(&svg, err) ? -1 : file_write(plot, svg.data, svg.len, err);
		buf_release(&svg);
	}
	if (!as_json)
		put_bars(out);
	if (rc == 0 && (buf_check(product, err) ||
			       fd_write(STDOUT_FILENO, product->data, product->len, err)))
		rc = err_at(err, "stdout");
	return rc;
}

static int run(char *const *paths, int n, struct err *err)
{
	struct eval_output out = {.text = BUF_INIT};
	int kind = find_kind(paths, n, err), rc;

	if (kind < 0)
		return -1;
	refuse(kind);
	rc = evaluate(kind, paths, n, &out, err);
	if (rc == 0 && kind == EVAL_RECORDS && !o.judges.n && o.resamples && !out.resampled)
		cmd_refuse("without three models, as two have no ratings", "bootstrap", "seed", NULL);
	if (rc == 0 && kind == EVAL_STREAM && o.resamples && !out.resampled)
		cmd_refuse("without pairs of completions", "bootstrap", "seed", NULL);
	rc = rc || print(&out, err) ? -1 : 0;
	eval_output_release(&out);
	return rc;
}

/* ---- the report: files of each kind are a section */

static int add_section(int kind, char *const *paths, int n, struct buf *html, struct err *err)
{
	static const char *const titles[] = {"Log-probs", "Verdicts", "Training"};
	struct eval_output out = {.text = BUF_INIT};
	int rc;

	o.each = kind == EVAL_STREAM && n > 1;
	rc = evaluate(kind, paths, n, &out, err);
	if (rc == 0)
		report_add(html, titles[kind], &out);
	eval_output_release(&out);
	return rc;
}

static int report(char *const *paths, int n, struct err *err)
{
	char **of[3] = {NULL};
	struct buf html = BUF_INIT;
	int count[3] = {0}, rc = 0;

	cmd_refuse("in a report", "ascii", "bars", "budget", "cache", "each", "jobs", "json",
		"judge", "plot", "retries", "save-difficulty", "save-verdicts", "timeout", NULL);
	if (!output || !n)
		cmd_usage(output ? "a report needs files" : "report: -o FILE is missing");
	for (int k = 0; k < 3; k++) {
		of[k] = mem_new((size_t)n, sizeof *of[k], err);
		rc = of[k] ? rc : -1;
	}
	for (int i = 0; rc == 0 && i < n; i++) {
		int kind = eval_kind(paths[i], err);

		if (kind < 0)
			rc = -1;
		else
			of[kind][count[kind]++] = paths[i];
	}
	report_open(&html);
	for (int k = 0; rc == 0 && k < 3; k++)
		if (count[k])
			rc = add_section(k, of[k], count[k], &html, err);
	report_close(&html);
	if (rc == 0)
		rc = buf_check(&html, err) ? -1 : file_write(output, html.data, html.len, err);
	for (int k = 0; k < 3; k++)
		free(of[k]);
	buf_release(&html);
	return rc;
}

int main(int argc, char **argv)
{
	bool reports = argc > 1 && !strcmp(argv[1], "report");
	int first;
	struct err err = ERR_INIT;

	argv[reports] = argv[0];
	argv += reports;
	argc -= reports;
	first = cmd_parse(&cmd, argc, argv);
	if (o.difficulty)
		cmd_refuse("on difficulties that are read", "save-difficulty", NULL);
	if (argc - first < 2)
		cmd_refuse("on fewer than two files", "each", NULL);
	if (!o.resamples)
		cmd_refuse("without a bootstrap", "seed", NULL);
	if (reports ? report(argv + first, argc - first, &err)
		    : run(argv + first, argc - first, &err))
		cmd_die(&err);
	return 0;
}
