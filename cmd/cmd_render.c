#include "cmd/cmd_render.h"

#include <string.h>

#include "cmd/cmd.h"
#include "io/file.h"
#include "io/lines.h"

static int render_line(const struct template *t, const struct lines_record *line, const struct outfile *to,
	struct err *err)
{
	struct buf text = BUF_INIT, exception = BUF_INIT, out = BUF_INIT;
	int rc = template_render(t, line->text, line->len, &text, &exception, err);
	const struct buf *result = rc == 1 ? &text : &exception;

	if (rc >= 0) {
		buf_add_str(&out, rc == 1 ? "{\"output\":" : "{\"error\":");
		json_quote(&out, result->data, result->len);
		buf_add_str(&out, "}\n");
		out.failed |= result->failed;
		rc = buf_check(&out, err) || fd_write(to->fd, out.data, out.len, err) ? -1 : 0;
	}
	buf_release(&text);
	buf_release(&exception);
	buf_release(&out);
	return rc;
}

static int render_file(const struct template *t, const char *path, const struct outfile *to, struct err *err)
{
	struct lines *in = lines_open(path, LINES_MAX_RECORD, NULL, err);
	struct lines_record line;
	int rc = in ? 0 : -1;

	while (rc == 0 && (rc = lines_next(in, &line, err)) == 1) {
		rc = render_line(t, &line, to, err);
		if (rc)
			err_at(err, "%s:%llu", strcmp(path, "-") ? path : "stdin", (unsigned long long)line.line);
	}
	lines_close(in);
	return rc;
}

int cmd_render(const struct template *t, const char *output, char *const *paths, int n, struct err *err)
{
	struct outfile to = {.fd = -1};
	int rc = outfile_open(&to, output, err);

	if (rc == 0 && n == 0)
		rc = render_file(t, "-", &to, err);
	for (int i = 0; i < n && rc == 0; i++)
		rc = render_file(t, paths[i], &to, err);
	if (rc == 0)
		rc = outfile_commit(&to, err);
	outfile_close(&to);
	return rc;
}
