/* evalwin: who wins? From log-probs in streams, or from judges' verdicts. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd_eval.h"
#include "cmd/cmd_evalkind.h"
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
static bool as_json;

static const struct cmd_option options[] = {
	{0, "baseline", "NAME", CMD_STRING, &o.baseline,
		.help = "verdicts: the model that others are held against (default: the one in all "
			"of them)"},
	{0, "beta", "B", CMD_REAL, &o.beta, 1e-9, 1e9,
		.help = "reward a nat of log-ratio (default 0.1)"},
	{0, "bootstrap", "N", CMD_INT, &o.resamples, 0, 1000000,
		.help = "resamples for intervals, 0: none (default 1000)"},
	{0, "budget", "N", CMD_INT, &o.budget, 0, 0x1p53,
		.help = "judge: ask at most N times (default: as often as it takes)"},
	{0, "by", "FIELD", CMD_STRING, &o.by,
		.help = "the same for each value of the records' field"},
	{0, "cache", "FILE", CMD_PATH, &o.cache, .help = "judge: keeps its verdicts, so that none is asked for twice"},
	{0, "difficulty", "FILE", CMD_PATH, &o.difficulty,
		.help = "verdicts: difficulties of items, for the control of length"},
	{0, "each", 0, CMD_FLAG, &o.each,
		.help = "log-probs: each file apart, instead of one after the other"},
	{'j', "jobs", "N", CMD_INT, &o.jobs, 1, 1024, .private = true, .help = "judge: so many at once (default 1)"},
	{0, "json", 0, CMD_FLAG, &as_json, .help = "one JSON object instead of the table"},
	{0, "judge", "COMMAND", CMD_STRINGS, &o.judges,
		.help = "let it judge pairs of answers; may be given again"},
	{0, "level", "P", CMD_REAL, &o.level, 0.5, 0.9999,
		.help = "confidence of the intervals (default 0.95)"},
	{0, "policy", "NAME", CMD_STRINGS, &o.policies,
		.help = "log-probs: column of a policy; may be given again (default: policy)"},
	{0, "reference", "NAME", CMD_STRING, &o.reference,
		.help = "log-probs: column of the reference, or none (default: ref)"},
	{0, "retries", "N", CMD_INT, &o.retries, 0, 100, .help = "judge: after a failure (default 2)"},
	{0, "save-difficulty", "FILE", CMD_PATH, &o.save_difficulty,
		.help = "verdicts: write the difficulties that were estimated"},
	{0, "save-verdicts", "FILE", CMD_PATH, &o.save_verdicts, .help = "judge: write its verdicts, to be read again"},
	{0, "seed", "N", CMD_INT, &o.seed, 0, 0x1p53, .help = "of the bootstrap (default 0)"},
	{0, "timeout", "N", CMD_INT, &o.timeout, 1, 86400,
		.help = "judge: seconds that it has for an answer (default 300)"},
	CMD_INPUT_OPTIONS(o.io),
	{0},
};

static const struct cmd cmd = {"evalwin",
	"[-qv] [-@ N] [--baseline NAME] [--beta B] [--bootstrap N] [--by FIELD] [--difficulty FILE] "
	"[--each] [--json] [--level P] [--max-block MIB] [--policy NAME] [--reference NAME] "
	"[--save-difficulty FILE] [--seed N] [FILE ...]\n"
	"--judge COMMAND --cache FILE [-qv] [--baseline NAME] [--bootstrap N] [--budget N] [--by FIELD] "
	"[--difficulty FILE] [-j N] [--json] [--level P] [--retries N] [--save-difficulty FILE] "
	"[--save-verdicts FILE] [--seed N] [--timeout N] [FILE ...]\n",
	options};

/* All files must be of one kind. */
static int find_kind(char *const *paths, int n, struct err *err)
{
	int first = eval_kind(n ? paths[0] : "-", err), kind = first;

	for (int i = 1; i < n && kind >= 0; i++) {
		kind = eval_kind(paths[i], err);
		if (kind >= 0 && kind != first)
			return err_set(err, ERR_MISMATCH,
				"%s and %s are not of one kind: one is a stream, one is not",
				paths[0], paths[i]);
	}
	return kind;
}

/* Options that would have no effect are refused. What there is to do is told from what is read. */
static int evaluate(char *const *paths, int n, struct eval_output *out, struct err *err)
{
	int kind = find_kind(paths, n, err);

	if (kind < 0)
		return -1;
	if (kind == EVAL_STREAM)
		cmd_refuse("on streams", "baseline", "difficulty", "judge", "save-difficulty", NULL);
	else
		cmd_refuse("on verdicts", "beta", "each", "max-block", "policy", "reference", "threads", NULL);
	if (!o.judges.n)
		cmd_refuse("without a judge", "budget", "cache", "jobs", "retries", "save-verdicts", "timeout", NULL);
	else if (!o.cache)
		cmd_usage("--judge needs a --cache FILE, so that no verdict is lost");
	if (kind == EVAL_STREAM)
		return eval_logps(&o, paths, n, out, err);
	return o.judges.n ? eval_judge(&o, paths, n, out, err) : eval_judged(&o, paths, n, out, err);
}

int main(int argc, char **argv)
{
	int first = cmd_parse(&cmd, argc, argv), n = argc - first;
	struct eval_output out = {.text = BUF_INIT};
	struct buf *product = as_json ? &out.json : &out.text;
	struct err err = ERR_INIT;

	if (o.difficulty)
		cmd_refuse("on difficulties that are read", "save-difficulty", NULL);
	if (n < 2)
		cmd_refuse("on fewer than two files", "each", NULL);
	if (!o.resamples)
		cmd_refuse("without a bootstrap", "seed", NULL);
	if (evaluate(argv + first, n, &out, &err))
		cmd_die(&err);
	if (buf_check(product, &err) || fd_write(STDOUT_FILENO, product->data, product->len, &err)) {
		err_at(&err, "stdout");
		cmd_die(&err);
	}
	eval_output_release(&out);
	return 0;
}
