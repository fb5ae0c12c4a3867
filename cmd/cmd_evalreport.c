#include "cmd/cmd_evalreport.h"

static const char head[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n<title>evalwin</title>\n"
	"<style>\n"
	":root{--ink:#1f2328;--paper:#fff;--rule:#d0d7de;--soft:#f6f8fa;--warn:#9a6700}\n"
	"@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--rule:#3d444d;--"
	"soft:#151b23;--warn:#d29922}}\n"
	"body{margin:0 auto;max-width:75rem;padding:1rem;background:var(--paper);color:var(--ink);"
	"font:1rem/1.5 system-ui,sans-serif}\n"
	"h2{border-bottom:1px solid var(--rule);padding-bottom:.25rem}\n"
	"pre{overflow-x:auto;background:var(--soft);padding:.75rem;border-radius:6px;font-size:."
	"8125rem;line-height:1.45}\n"
	".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));"
	"gap:1rem;align-items:start}\n"
	"figure{margin:0}\nsvg{width:100%;max-width:30rem;height:auto;display:block}\n"
	"</style>\n<h1>evalwin</h1>\n";

void report_open(struct buf *html)
{
	buf_add_str(html, head);
}

void report_add(struct buf *html, const char *title, const struct eval_output *out)
{
	buf_add_str(html, "<section>\n<h2>");
	chart_put_xml(html, title);
	buf_add_str(html, "</h2>\n<div class=\"charts\">\n");
	for (size_t i = 0; i < out->ncharts; i++) {
		buf_add_str(html, "<figure>");
		chart_put_svg(&out->charts[i], html);
		buf_add_str(html, "</figure>\n");
	}
	buf_add_str(html, "</div>\n<pre tabindex=\"0\">");
	chart_put_xml(html, out->text.data ? out->text.data : "");
	buf_add_str(html, "</pre>\n</section>\n");
}

void report_close(struct buf *html)
{
	buf_add_str(html, "</html>\n");
}
