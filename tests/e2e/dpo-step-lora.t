#!/bin/sh
# dpo-step: adapters, as PEFT keeps them and as updates; bases in few bits; merging.
. "$(dirname "$0")/../lib.sh"
OMP_WAIT_POLICY=passive
export OMP_WAIT_POLICY

cat >config.json <<'EOF'
{"model_type":"qwen2","vocab_size":50,"hidden_size":24,"intermediate_size":37,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"initializer_range":0.1}
EOF
$PYTHON - <<'EOF'
import json, random
r = random.Random(5)
def some(low, high):
    return [r.randrange(50) for _ in range(r.randint(low, high))]
with open("train.jsonl", "w") as f:
    for i in range(23):
        print(json.dumps({"prompt": some(0, 9), "chosen": some(2, 12), "rejected": some(2, 12)}), file=f)
EOF
tstream import -o tokens.tsz train.jsonl
dpo-step -q --init config.json -o model --loss sft --lr 0 --max-steps 1 tokens.tsz && ref-logp -q -m model -o train.tsz tokens.tsz || exit 1

lora() { # OUT OPTION...
	out=$1
	shift
	dpo-step -q -m model -o "$out" --lora 3 --batch-size 4 --lr 1e-2 "$@" train.tsz
}

apart() { # A B: the largest difference of two streams' log-probs
	tstream export "$1" >a.out && tstream export "$2" >b.out && $PYTHON - <<'EOF'
import json
a, b = ([json.loads(x)["logp.policy"] for x in open(f)] for f in ("a.out", "b.out"))
print("%.1g" % max(abs(x - y) for p, q in zip(a, b) for x, y in zip(p, q)))
EOF
}

near() { # A B MOST
	d=$(apart "$1" "$2") && $PYTHON -c "import sys; sys.exit(not $d <= $3)" || { note "apart by $d"; return 1; }
}

# ---- PEFT's folder

ok "an adapter is trained" lora a1 --log log.jsonl
is "$(ls a1 | tr '\n' ' ')" "adapter_config.json adapter_model.safetensors " "its folder is an adapter's"
$PYTHON - >keys <<'EOF'
import json, struct
f = open("a1/adapter_model.safetensors", "rb")
h = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
assert h.pop("__metadata__") == {"format": "pt"}
c = json.load(open("a1/adapter_config.json"))
print(len(h), c["r"], c["lora_alpha"], c["peft_type"], c["task_type"], c["base_model_name_or_path"], ",".join(c["target_modules"]))
for k in ("self_attn.v_proj.lora_A", "self_attn.v_proj.lora_B", "mlp.down_proj.lora_A"):
    print(h["base_model.model.model.layers.1.%s.weight" % k]["shape"])
EOF
cat >want <<'EOF'
28 3 3 LORA CAUSAL_LM model q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj
[3, 24]
[12, 3]
[3, 37]
EOF
same keys want "names and shapes are PEFT's"
is "$(head -n 1 log.jsonl | grep -c '"loss":0.693147')" 1 "the first loss is ln 2"

ref-logp -q -m model --apply a1 --as policy -o p1.tsz tokens.tsz
ok "it can be merged" dpo-step -q -m model --apply a1 --merge -o merged
ref-logp -q -m merged --as policy -o pm.tsz tokens.tsz
near p1.tsz pm.tsz 1e-4
ok "merged, it is the same model"
ref-logp -q -m model --as policy -o p0.tsz tokens.tsz
! near p0.tsz p1.tsz 1e-2 >out
ok "which is not the base"
tstream head p1.tsz >out && ! grep -qF "$(tstream head p0.tsz | sed -n 's/^logp.policy.model.sha256 *//p')" out
ok "the column names base and adapter"

lora a2 --lora-targets v_proj,mlp.up_proj --rslora --lora-alpha 5
is "$($PYTHON -c 'import json; c = json.load(open("a2/adapter_config.json")); print(c["target_modules"], c["use_rslora"], c["lora_alpha"])')" \
	"['v_proj', 'mlp.up_proj'] True 5" "targets by name"
ok "and back" ref-logp -q -m model --apply a2 --as policy -o p2.tsz tokens.tsz
exits 4 "an unknown target" lora a9 --lora-targets v_proj,c_attn
says "no matrix of a layer is called 'c_attn'; there are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj" "and those that there are"

# ---- dropout and DoRA

lora d1 --lora-dropout 0.4 --seed 3 --micro-tokens 30 && lora d2 --lora-dropout 0.4 --seed 3 --micro-tokens 500 -@ 1
$PYTHON - <<'EOF'
import struct, json, array
def read(d):
    f = open(d + "/adapter_model.safetensors", "rb"); f.read(struct.unpack("<Q", f.read(8))[0])
    return array.array("f", f.read())
a, b, c = read("d1"), read("d2"), read("a1")
raise SystemExit(max(abs(x - y) for x, y in zip(a, b)) > 1e-4 or max(abs(x - y) for x, y in zip(a, c)) < 1e-3)
EOF
ok "what dropout leaves out does not depend on micro-batches"
lora m1 --dora && ref-logp -q -m model --apply m1 --as policy -o pd.tsz tokens.tsz && dpo-step -q -m model --apply m1 --merge -o merged &&
	ref-logp -q -m merged --as policy -o pm.tsz tokens.tsz && near pd.tsz pm.tsz 1e-4
ok "magnitudes and directions, merged"
exits 2 "DoRA with dropout" lora a9 --dora --lora-dropout 0.1

# ---- a base in few bits

for type in int8 nf4; do
	exits 4 "another reference than the base in $type" lora q --quantize $type
	ref-logp -q -m model --quantize $type -o $type.tsz tokens.tsz
	ok "a base in $type" dpo-step -q -m model -o q-$type --lora 3 --lr 1e-2 --batch-size 4 --quantize $type $type.tsz
	ok "and its adapter on the base itself" ref-logp -q -m model --apply q-$type --as policy -o out.tsz tokens.tsz
done
tstream export train.tsz >f32.out && tstream export int8.tsz >int8.out && tstream export nf4.tsz >nf4.out && $PYTHON - <<'EOF'
import json
f, i, n = ([x for l in open(t + ".out") for x in json.loads(l)["logp.ref"]] for t in ("f32", "int8", "nf4"))
off = lambda a: sum(abs(x - y) for x, y in zip(a, f)) / sum(map(abs, f))
raise SystemExit(not 0 < off(i) < 2e-3 or not off(i) < off(n) < 5e-2)
EOF
ok "rounding changes log-probs a little, by 4 bits more"
exits 2 "nothing else can be trained so" dpo-step -m model -o x --quantize nf4 train.tsz
lora full.tsz && dpo-step -q -m model -o whole.tsz --lr 1e-3 --max-steps 2 train.tsz
exits 4 "a whole update on it" ref-logp -m model --quantize nf4 --apply whole.tsz -o x tokens.tsz

# ---- updates, chains, resumed runs

ref-logp -q -m model --apply full.tsz --as policy -o pu.tsz tokens.tsz && near p1.tsz pu.tsz 0
ok "an update holds the adapter"
lora whole-run && lora c1.tsz --steps 2 && lora c2.tsz --apply c1.tsz --steps 2 && lora chained --apply c2.tsz --steps 100
ok "a run as a chain" cmp whole-run/adapter_model.safetensors chained/adapter_model.safetensors
lora kept --lora-dropout 0.2 --time-limit 1 --checkpoint-every 1 >out 2>&1 && lora once --lora-dropout 0.2
ok "with dropout" cmp kept/adapter_model.safetensors once/adapter_model.safetensors
ref-logp -q -m model --apply a1 -o ref1.tsz tokens.tsz
ok "an adapter is trained further" dpo-step -q -m model --apply a1 -o a3 --lr 1e-2 --batch-size 4 ref1.tsz
is "$(ls a3 | tr '\n' ' ')" "adapter_config.json adapter_model.safetensors " "and is one still"
exits 4 "but not under another" dpo-step -m model --apply a1 --lora 2 -o x ref1.tsz
exits 4 "nor by the base's own log-probs" dpo-step -m model --apply a1 -o x train.tsz
lora t1 --sync-ref 2:0.5 --ema 0.9 --optimizer lion --clip 0
ok "with a reference that follows, and an average"

# ---- what is refused

exits 2 "options without --lora" dpo-step -m model -o x --rslora train.tsz
exits 2 "--merge with others" dpo-step -m model --apply a1 --merge -o x --lr 1
exits 2 "--merge of nothing" dpo-step -m model --merge -o x
exits 2 "--merge into an update" dpo-step -m model --apply a1 --merge -o x.tsz
exits 1 "--merge over something else" sh -c 'mkdir -p other; dpo-step -m model --apply a1 --merge -o other'
break_config() { # NAME CODE TEXT PYTHON
	rm -rf bad && cp -r a1 bad && $PYTHON -c "
import json
c = json.load(open('a1/adapter_config.json')); $4
json.dump(c, open('bad/adapter_config.json', 'w'))"
	exits "$2" "$1" ref-logp -m model --apply bad -o x tokens.tsz
	says "$3" "says so"
}
break_config "another kind of adapter" 4 "peft_type IA3" "c['peft_type'] = 'IA3'"
break_config "whole modules beside it" 4 "modules_to_save" "c['modules_to_save'] = ['lm_head']"
break_config "biases" 4 "bias 'all'" "c['bias'] = 'all'"
break_config "alphas by module" 4 "alpha_pattern" "c['alpha_pattern'] = {'q_proj': 4}"
break_config "a base that was changed" 4 "pissa" "c['init_lora_weights'] = 'pissa'"
break_config "no rank" 3 "r is no rank" "c['r'] = 0"
$PYTHON -c 'import json; c = json.load(open("config.json")); c["num_hidden_layers"] = 1; json.dump(c, open("small.json", "w"))'
dpo-step -q --init small.json -o small --loss sft --lr 0 --max-steps 1 tokens.tsz
exits 4 "a model with fewer layers" ref-logp -m small --apply a1 -o x tokens.tsz
says "base_model.model.model.layers.1" "names a tensor"
truncate -s -4 bad/adapter_model.safetensors
exits 3 "a file that ends early" ref-logp -m model --apply bad -o x tokens.tsz
[ ! -e x ]
ok "nothing was left behind"
finish
