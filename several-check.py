import json, math, sys
got = json.load(open("got.json"))
rows = [json.loads(line) for line in open("several.jsonl")]
won = {}
for r in rows:
    k = len(r["completions"])
    for i in range(k):
        for j in range(i + 1, k):
            for p in "one", "two":
                x = [a - b for a, b in zip(r["logp." + p], r["logp.ref"])]
                won.setdefault(p, []).append((x[i] - x[j], str(r["meta"].get("topic", "-"))))
one, two = got["models"]
assert "paired" not in one and [m["policy"] for m in got["models"]] == ["one", "two"]
for m in got["models"]:
    x = won[m["policy"]]
    assert m["by_reward"]["wins"] == sum(a > 0 for a, _ in x)
    assert {g["group"] for g in m["by"]} == {"a", "b", "3", "-"}
    for g in m["by"]:
        part = [a for a, t in x if t == g["group"]]
        assert (g["pairs"], g["by_reward"]["wins"]) == (len(part), sum(a > 0 for a in part))
        assert abs(g["rewards/margins"] - 0.1 * sum(part) / len(part)) < 1e-9
p = two["paired"]
pairs = [(a > 0, b > 0) for (a, _), (b, _) in zip(won["one"], won["two"])]
b, c = pairs.count((True, False)), pairs.count((False, True))
assert (p["both_win"], p["only_the_other_wins"], p["only_it_wins"], p["neither_wins"]) == (
    pairs.count((True, True)), b, c, pairs.count((False, False)))
n, least = b + c, min(b, c)
exact = min(1, 2 * sum(math.comb(n, i) for i in range(least + 1)) / 2**n)
assert abs(p["mcnemar_p"] - exact) < 1e-9
low, high = p["difference_interval"]
assert low < p["difference"] == (c - b) / len(pairs) < high
assert two["warnings"] == ["rankings", "few-in-group"], two["warnings"]
