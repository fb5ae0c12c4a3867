#!/bin/sh
# pref-fmt with chat templates: found, rendered, prompt and completion parted; --render; --mark-data.
. "$(dirname "$0")/../lib.sh"

usage() { # MESSAGE COMMAND...: exits 2, and says so
	message=$1
	shift
	"$@" >usage.out 2>usage.err
	[ $? -eq 2 ] && [ ! -s usage.out ] && [ "$(head -n 1 usage.err)" = "pref-fmt: $message" ]
	ok "usage: $message" || note "$(cat usage.err)"
}

lines() { # COMMAND...: its JSON lines without ids
	"$@" 2>err | sed 's/"id":"[0-9a-f]*",//'
}

cat >chatml.jinja <<'EOF'
{%- for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}
EOF
cat >rows.jsonl <<'EOF'
{"prompt":[{"role":"system","content":"Be kind."},{"role":"user","content":"hi"}],"chosen":[{"role":"assistant","content":"hello"}],"rejected":[{"role":"assistant","content":"go"}]}
EOF
cat >want <<'EOF'
{"prompt":"<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n","chosen":"hello<|im_end|>\n","rejected":"go<|im_end|>\n"}
EOF

# ---- where the template is

folder() { # NAME: an empty model folder
	mkdir "$1" && echo '{}' >"$1/tokenizer_config.json"
}
json_text() { $PYTHON -c 'import json, sys; print(json.dumps(sys.stdin.read()))'; }
lines pref-fmt --jsonl -t chatml.jinja rows.jsonl >got
same got want "-t"
folder config && echo "{\"chat_template\":$(json_text <chatml.jinja)}" >config/tokenizer_config.json
lines pref-fmt --jsonl -m config rows.jsonl >got
same got want "tokenizer_config.json"
folder file && cp chatml.jinja file/chat_template.jinja && echo '{"chat_template":"old"}' >file/tokenizer_config.json
lines pref-fmt --jsonl -m file rows.jsonl >got
same got want "chat_template.jinja comes first"
folder processor && echo "{\"chat_template\":$(json_text <chatml.jinja)}" >processor/chat_template.json
lines pref-fmt --jsonl -m processor rows.jsonl >got
same got want "chat_template.json"
folder named && cat >named/tokenizer_config.json <<EOF
{"chat_template":[{"name":"default","template":$(json_text <chatml.jinja)},{"name":"short","template":"{{ messages[-1].content }}"},
{"name":"tool_use","template":"{{ tools | length }} tools: {{ messages[-1].content }}"}]}
EOF
lines pref-fmt --jsonl -m named rows.jsonl >got
same got want "the default of several"
lines pref-fmt --jsonl -m named --template short rows.jsonl >got
echo '{"prompt":"","chosen":"hello","rejected":"go"}' >want.short
same got want.short "another one, by name"
sed 's/^{/{"tools":[{"name":"f"}],/' rows.jsonl >tools.jsonl
lines pref-fmt --jsonl -m named tools.jsonl >got
echo '{"prompt":"1 tools: ","chosen":"hello","rejected":"go"}' >want.tools
same got want.tools "tool_use, for rows with tools"
mkdir -p file/additional_chat_templates && echo '{{ messages[-1].content }}' >file/additional_chat_templates/short.jinja
lines pref-fmt --jsonl -m file --template short rows.jsonl >got
same got want.short "additional_chat_templates"
folder none
exits 1 "a folder without a template" pref-fmt -m none rows.jsonl
says "none has no chat template; -t FILE gives one" "is named"
exits 1 "no template of that name" pref-fmt -m named --template long rows.jsonl
says "named has no chat template named long" "and that is named"
printf 'a\n{%% if %%}' >broken.jinja
exits 1 "a template with a mistake" pref-fmt -t broken.jinja rows.jsonl
says "broken.jinja: line 2: TemplateSyntaxError" "is named with its line"
pref-fmt -t chatml.jinja -o s.tsz rows.jsonl && tstream head s.tsz >head &&
	grep -q "^template.sha256 *$(sha256sum <chatml.jinja | cut -d ' ' -f 1)" head && ! grep -q '^template  ' head
ok "the header has the template's digest"

# ---- what it sees

cat >show.jinja <<'EOF'
{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ pad_token is defined }}|{{ tools is none }}|{{ documents is none }}|{{ extra }}|{{ add_generation_prompt }}|{{ strftime_now('%d %b %Y') }}
EOF
folder tokens && cat >tokens/tokenizer_config.json <<'EOF'
{"bos_token":"<b>","eos_token":{"content":"<e>","lstrip":false},"pad_token":null}
EOF
echo '{"unk_token":"<u>","eos_token":"<no>"}' >tokens/special_tokens_map.json
render() { echo '{"messages":[]}' | pref-fmt --render "$@"; }
render -m tokens -t show.jinja --now 2024-02-29 >got
echo '{"output":"<b>|<e>|<u>|False|True|True||False|29 Feb 2024"}' >want.show
same got want.show "tokens of the folder, --now"
render -t show.jinja --bos B --eos E --now 2024-07-26 --template-kwargs '{"extra":{"a":1.0}}' >got
echo "{\"output\":\"B|E||False|True|True|{'a': 1.0}|False|26 Jul 2024\"}" >want.show
same got want.show "--bos, --eos, --template-kwargs"
echo '{"messages":[],"bos_token":"x","add_generation_prompt":true,"tools":[1]}' |
	pref-fmt --render -t show.jinja --bos B --now 2024-07-26 >got
echo '{"output":"x|||False|False|True||True|26 Jul 2024"}' >want.show
same got want.show "members of the line come first"
printf '%s' '{{ messages[0].content }}{% if not messages %}{{ raise_exception("none") }}{% endif %}' >raise.jinja
printf '%s' '{% if not messages %}{{ raise_exception("none") }}{% endif %}{{ messages[0].content }}' >raise.jinja
printf '%s\n' '{"messages":[{"content":"a"}]}' '{"messages":[]}' >raise.jsonl
pref-fmt --render -t raise.jinja raise.jsonl >got
printf '%s\n' '{"output":"a"}' '{"error":"TemplateError: none"}' >want.show
same got want.show "outputs and errors, a line each"
exits 3 "a line that is not JSON" sh -c 'echo "{" | pref-fmt --render -t chatml.jinja'
says "stdin:1: not JSON" "is named"
pref-fmt -t show.jinja rows.jsonl >out 2>err
grep -q "the template may write today's date; --now fixes it" err
ok "a template that tells the time is reported"
sed 's/^{/{"chat_template_kwargs":{"extra":7},/' rows.jsonl >kwargs.jsonl
pref-fmt --jsonl --keep empty,identical -t show.jinja --now 2024-07-26 --template-kwargs '{"extra":6}' kwargs.jsonl 2>err >got
grep -q '|7|' got
ok "a row's chat_template_kwargs come first" || note "$(cat err)"
sed 's/^{/{"tools":"[{\\"name\\":\\"f\\"}]",/' rows.jsonl >tools-text.jsonl
lines pref-fmt --jsonl -m named tools-text.jsonl >got
same got want.tools "tools as a string of JSON"
sed 's/^{/{"tools":"f()",/' rows.jsonl >tools-bad.jsonl
exits 1 "tools that are not JSON" pref-fmt --jsonl -m named tools-bad.jsonl
says "tools-bad.jsonl:1: template: 'tools' is a string that is not JSON" "are named"

# ---- prompt and completion

cat >turns.jsonl <<'EOF'
{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},{"role":"assistant","content":"d"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"e"}]}
EOF
lines pref-fmt --jsonl -t chatml.jinja turns.jsonl >got
cat >want.turns <<'EOF'
{"prompt":"<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n","chosen":"b<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\nd<|im_end|>\n","rejected":"e<|im_end|>\n"}
EOF
same got want.turns "a completion of several turns"
cat >think.jinja <<'EOF'
{%- for m in messages %}<{{ m.role }}>{% if m.reasoning_content and loop.last %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content | trim }}{% endfor %}
{%- if add_generation_prompt %}<assistant><think>{% endif %}
EOF
cat >think.jsonl <<'EOF'
{"prompt":"q","chosen":[{"role":"assistant","content":" a ","reasoning_content":"hm"}],"rejected":[{"role":"assistant","content":"b"}]}
EOF
lines pref-fmt --jsonl -t think.jinja think.jsonl >got
echo '{"prompt":"<user>q<assistant>","chosen":"<think>hm</think>a","rejected":"b"}' >want.think
same got want.think "reasoning; a prompt that the whole does not begin with ends where they part"
grep -q '^pref-fmt: 1 records of 1 have notes: 1 boundary$' err
ok "which is said" || note "$(cat err)"
pref-fmt -v --jsonl -t think.jinja think.jsonl 2>&1 >out |
	grep -q "note: boundary: the template's text of the prompt has 25 bytes, of which the conversation begins with 18"
ok "with -v, row by row"
exits 1 "--reject boundary" pref-fmt --reject boundary -t think.jinja think.jsonl
sed "s/in messages/in messages if m.role != 'system'/" chatml.jinja >nosystem.jinja
pref-fmt --jsonl -t nosystem.jinja rows.jsonl 2>err >got && grep -q 'have notes: 1 system-lost' err && ! grep -q kind got
ok "a template that loses the system's text is noted" || note "$(cat err)"
cat >strict.jinja <<'EOF'
{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}{{ m.content }}{% endfor %}
EOF
exits 1 "a template that refuses a row" pref-fmt -t strict.jinja rows.jsonl
says "1 bad rows of 1 (1 template); --max-bad is 0" "makes it bad"
grep -q 'rows.jsonl:1: template: the prompt: TemplateError: Roles must alternate$' err
ok "with the template's words" || note "$(cat err)"
printf '{%% for i in range(99999) %%}{%% for j in range(99999) %%}{{ i }}{%% endfor %%}{%% endfor %%}' >endless.jinja
exits 1 "a template without end" pref-fmt -t endless.jinja rows.jsonl
grep -q 'rows.jsonl:1: template: the prompt: .' err
ok "meets a limit" || note "$(cat err)"
cat >text.jsonl <<'EOF'
{"prompt":"q","chosen":" a","rejected":" b"}
EOF
exits 2 "text is no conversation" pref-fmt -t chatml.jinja text.jsonl
says "layout 'explicit' is text, which no template is applied to; --chat makes messages of it" "unless told"
lines pref-fmt --jsonl --chat -t chatml.jinja text.jsonl >got
cat >want.chat <<'EOF'
{"prompt":"<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n","chosen":"a<|im_end|>\n","rejected":"b<|im_end|>\n"}
EOF
same got want.chat "--chat: user and assistant"
cat >hh.jsonl <<'EOF'
{"chosen":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d","rejected":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: e \n\nHuman: f\n\nAssistant: g"}
EOF
lines pref-fmt --jsonl --chat -t chatml.jinja hh.jsonl | sed 's/<|im_start|>/</g; s/<|im_end|>\\n/>/g' >got
cat >want.hh <<'EOF'
{"prompt":"<user\na><assistant\nb><user\nc><assistant\n","chosen":"d>","rejected":"e><user\nf><assistant\ng>"}
EOF
same got want.hh "--chat: transcripts turn by turn"
lines pref-fmt --jsonl --chat hh.jsonl >got
lines pref-fmt --jsonl hh.jsonl | sed 's/e \\n/e\\n/' >want.hh
same got want.hh "and as plain dialogue again"

# ---- special tokens in messages

folder special && cp chatml.jinja special/chat_template.jinja
cat >special/tokenizer_config.json <<'EOF'
{"added_tokens_decoder":{"1":{"content":"<|im_start|>","special":true},"2":{"content":"<|im_end|>","special":true},"3":{"content":"<|\"|>","special":true},"4":{"content":"<think>","special":false}}}
EOF
cat >inject.jsonl <<'EOF'
{"prompt":"a<|im_end|>b","chosen":[{"role":"assistant","content":"é<|im_end|>"}],"rejected":[{"role":"assistant","content":"<|\"|><think><|im_end|<|im_end|>"}]}
EOF
pref-fmt -m special --mark-data -o marked.tsz inject.jsonl 2>err && tstream check --full marked.tsz >out &&
	grep -q '^pref-fmt: 1 records of 1 have notes: 1 special$' err
ok "--mark-data" || note "$(cat err)"
tstream export marked.tsz >marked.out && pref-fmt -q --jsonl -m special inject.jsonl >plain.out && $PYTHON - <<'EOF'
import json
r, p = json.loads(open("marked.out").read()), json.loads(open("plain.out").read())
assert all(r[k] == p[k] for k in ("prompt", "chosen", "rejected", "id"))
text = (r["prompt"] + r["chosen"] + r["rejected"]).encode()
spans = [text[a:b].decode() for a, b in r["plain"]]
assert spans == ["<|im_end|>", "<|im_end|>", "<|\"|>", "<|im_end|>"], spans
assert text[:r["plain"][0][0]].decode().endswith("user\na")
EOF
ok "tells the tokens that messages wrote from the template's own"
tstream import -o again.tsz marked.out && tstream export again.tsz | cmp - marked.out && tstream cat marked.tsz | tstream export | cmp - marked.out
ok "through tstream and back"
pref-fmt -q -m special --mark-data rows.jsonl | tstream export | grep -q '"plain":\[\]'
ok "nothing is marked where there is nothing"
cat >chars.py <<'END'
import json
chars = [chr(c) for c in range(0xfdd0, 0xfdf0)]
def row(prompt, chosen, rejected):
    print(json.dumps({"prompt": prompt, "chosen": [{"role": "assistant", "content": chosen}], "rejected": [{"role": "assistant", "content": rejected}]}))
row("a<|im_end|>", "b" + chars[0], chars[1] + "<|im_end|>")
row("a" + chars[0], "b", "c<|im_end|>")
row("".join(chars[2:]), chars[0] + "<|im_end|>", "c")
END
$PYTHON chars.py >chars.jsonl
pref-fmt -q -m special --mark-data chars.jsonl | tstream export >got && $PYTHON - <<'END'
import json
rows, want = ([json.loads(line) for line in open(f)] for f in ("got", "chars.jsonl"))
for r, w in zip(rows, want):
    for side in "chosen", "rejected":
        assert r[side] == w[side][0]["content"] + "<|im_end|>\n", r
    assert w["prompt"] in r["prompt"]
    text = (r["prompt"] + r["chosen"] + r["rejected"]).encode()
    assert [text[a:b] for a, b in r["plain"]] == [b"<|im_end|>"] * (w["prompt"] + w["chosen"][0]["content"] + w["rejected"][0]["content"]).count("<|im_end|>")
END
ok "characters that marks could be are nobody's, or stay"
$PYTHON -c 'import json; print(json.dumps({"prompt": "a<|im_end|>", "chosen": [{"role": "assistant", "content": "".join(map(chr, range(0xfdd0, 0xfdf0)))}], "rejected": [{"role": "assistant", "content": "c"}]}))' >all.jsonl
exits 1 "a row that has them all" pref-fmt -m special --mark-data all.jsonl
grep -q '^pref-fmt: all.jsonl:1: template: special tokens beside all the characters' err
ok "is bad"
sed 's/<|im_end|>//' all.jsonl >none.jsonl
ok "unless it has no special token" pref-fmt -q -m special --mark-data -o none.tsz none.jsonl
usage "--mark-data has no effect without -m MODEL" pref-fmt --mark-data -t chatml.jinja rows.jsonl
usage "--mark-data has no effect with --jsonl" pref-fmt --mark-data --jsonl -m special rows.jsonl
usage "--now has no effect without -m MODEL or -t FILE" pref-fmt --now 2024-01-01 rows.jsonl
usage "--now: '2024-1-99' is not YYYY-MM-DD" pref-fmt --now 2024-1-99 -t chatml.jinja rows.jsonl
usage "--template has no effect with -t FILE" pref-fmt --template x -t chatml.jinja rows.jsonl
usage "--render needs a template: -m MODEL or -t FILE" pref-fmt --render rows.jsonl
usage "--keep-meta has no effect with --render" pref-fmt --render -t chatml.jinja --keep-meta
exits 2 "arguments that are no object" pref-fmt --render -t chatml.jinja --template-kwargs '[1]'

# ---- real templates

data=$root/../shared/data
if [ -d "$data/templates" ]; then
	cat >golden.py <<'EOF'
import gzip, json, os, subprocess, sys
rows = [json.loads(line) for line in gzip.open(sys.argv[1] + "/golden.jsonl.gz")]
wrong = 0
for name in sorted({r["template"] for r in rows}):
    mine = [r for r in rows if r["template"] == name]
    lines = "".join(json.dumps({k: v for k, v in r.items() if k not in ("output", "error")}) + "\n" for r in mine)
    done = subprocess.run(["pref-fmt", "--render", "-t", os.path.join(sys.argv[1], name), "--bos", "<s>", "--eos", "</s>",
                           "--now", "2024-07-26"], input=lines.encode(), stdout=subprocess.PIPE)
    got = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(got) == len(mine), name
    for r, g in zip(mine, got):
        if g != {k: r[k] for k in ("output", "error") if k in r}:
            wrong += 1
            print("#", name, r["case"], g, file=sys.stderr)
print("# %d renderings" % len(rows))
sys.exit(wrong > 0)
EOF
	$PYTHON golden.py "$data/templates"
	ok "--render: all golden renderings, errors included"
	if $PYTHON -c 'import jinja2' 2>/dev/null; then
		$PYTHON "$root/tests/peers/chat_rows.py" "$data"
		ok "rows of real data by real templates, prompt and completion as Jinja2 and the rule give them"
		$PYTHON "$root/tests/peers/jinja_fuzz.py" "$data" 200
		ok "damaged templates: the same text, or the same exception, as Jinja2"
	else
		skip "rows by real templates" "no python3-jinja2"
	fi
	m=$data/models/stories260K
	pref-fmt -q --max-bad 9 --chat -m "$m" "$data/prefs/hh-rlhf/harmless-1500.jsonl.gz" | tokenize -q -m "$m" -o t.tsz &&
		tstream head t.tsz >head && grep -q '^special *none' head && grep -q '^template.sha256' head
	ok "tokenize adds no special tokens to what a template made"
else
	skip "real templates" "no ../shared/data"
fi

finish
